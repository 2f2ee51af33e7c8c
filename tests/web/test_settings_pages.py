"""The pages of settings: what they show, what they change, and that each change is a fact in the same transaction."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from html import unescape
from typing import Any

import httpx
import pytest
from procrastinate.jobs import Status

from desk_seed import NOW, busy_desk
from signing_in import Clock, MakeClient, become_administrator, link_to
from steelyard.kit.ids import WorkspaceId
from steelyard.routing.settings import zones
from steelyard.routing.settings_words import KEPT
from steelyard.store.database import Database
from steelyard.store.retention import TABLES

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]


class Office:
    """A workspace, and a browser that may do everything in it."""

    def __init__(self, database: Database, workspace: WorkspaceId, client: httpx.AsyncClient) -> None:
        self.database, self.workspace, self.client = database, workspace, client

    async def run(self, query: Any, *values: object) -> list[Any]:
        async with self.database.transaction(self.workspace) as conn:
            cursor = await conn.execute(query, values)
            return await cursor.fetchall() if cursor.description else []

    async def read(self, path: str, **headers: str) -> str:
        answer = await self.client.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        return plain(answer.text)

    async def send(self, path: str, status: int = 303, **fields: object) -> str:
        """Sends a form; where it leads, or the page it is answered with."""
        answer = await self.client.post(path, data=fields)
        assert answer.status_code == status, answer.text
        return answer.headers["location"] if status == 303 else plain(answer.text)

    async def facts(self, kind: str) -> list[tuple[int | None, Any]]:
        return [
            (person, json.loads(data))
            for person, data in await self.run(
                "SELECT person, data::text FROM ledger WHERE kind = %s ORDER BY position", kind
            )
        ]

    async def jobs(self, task: str) -> list[dict[str, Any]]:
        found = await self.run("SELECT args FROM procrastinate_jobs WHERE task_name = %s ORDER BY id", task)
        return [args for (args,) in found]


def plain(html: str) -> str:
    """What a page says, without its tags."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


@pytest.fixture
async def office(database: Database, make_workspace: MakeWorkspace, client: httpx.AsyncClient) -> Office:
    return Office(database, await make_workspace(), client)


async def test_every_tab_leads_to_a_page_and_each_is_also_data(office: Office) -> None:
    shown = (await office.client.get("/settings")).text
    tabs = re.findall(r'<li><a href="([^"]+)"(?: aria-current="page")?>', shown.partition('class="tabs"')[2])[:7]
    paths = ["/settings", "/settings/notifications", "/settings/retention", "/settings/general"]
    assert [unescape(each).partition("?")[0] for each in tabs] == [*paths, "/tokens", "/people", "/audit"]
    for path in paths:
        assert (await office.client.get(f"{path}.json")).headers["content-type"] == "application/json"
        current = (await office.client.get(path)).text
        assert re.search(rf'<a href="{path}[^"]*" aria-current="page">', current.partition('class="tabs"')[2])


# Intercom


async def test_it_shows_how_intercom_is_reached(office: Office) -> None:
    await busy_desk(office.database, office.workspace)
    await office.run("UPDATE connection SET actor = 101")
    said = await office.read("/settings")
    for each in ("Nordlys Hosting", "a86dr8yl", "eu1.a86dr8yl", "EU", "Amira Haddad", "/hooks/intercom/eu1"):
        assert each in said
    assert "/canvas/eu1/initialize" in said
    assert "conversation.user.created" in said
    data = (await office.client.get("/settings.json")).json()
    assert (data["app_id"], data["region"], data["actor_name"]) == ("a86dr8yl", "eu", "Amira Haddad")
    assert {"topic": "conversation.admin.closed", "webhooks": 0} in data["topics"]
    assert "sesame" not in json.dumps(data)
    assert not {"client_secret", "access_token"} & data.keys()


async def test_each_trouble_says_what_to_do_with_the_command(office: Office) -> None:
    said = await office.read("/settings")
    assert "No worker is alive" in said
    assert "steelyard serve" in said
    assert "Intercom has sent nothing yet" in said
    assert "steelyard doctor" in said
    await office.run("UPDATE connection SET refused_at = %s, rate_low_at = %s", NOW, NOW - timedelta(seconds=30))
    await office.run("INSERT INTO team (workspace, team, members, version) VALUES (%s, 7, '{}', 1)", office.workspace)
    await office.run(
        "INSERT INTO team_name (workspace, team, name, distribution) VALUES (%s, 7, 'Nights', 'load_balanced')",
        office.workspace,
    )
    said = await office.read("/settings")
    assert "Intercom refuses the access token since" in said
    assert "steelyard connect intercom --workspace eu1.a86dr8yl" in said
    assert "Little was left of the rate limit" in said
    assert "Intercom itself assigns in Nights" in said
    assert "set its assignment method to manual" in said
    await office.run("UPDATE connection SET rate_low_at = %s", NOW - timedelta(minutes=2))
    assert "Little was left of the rate limit" not in await office.read("/settings")


async def test_without_a_connection_it_says_how_to_make_one(office: Office) -> None:
    await office.run("DELETE FROM connection")
    said = await office.read("/settings")
    assert "No Intercom is connected" in said
    assert "steelyard connect intercom" in said
    assert (await office.client.get("/settings.json")).json() == {"connected": False}


async def test_everything_is_read_when_asked_once_at_a_time_and_shows_how_far_it_is(office: Office) -> None:
    assert "asked" in await office.send("/settings/read")
    assert await office.jobs("routing.read_open_conversations") == [{"workspace": office.workspace, "asked": 1}]
    assert await office.jobs("routing.read_roster") == [{"workspace": office.workspace}]
    assert await office.facts("reading.asked") == [(None, {})]
    said = await office.read("/settings?done=asked")
    assert "No worker is alive to read it" in said
    assert "Read everything from Intercom now" not in said
    assert "already" in await office.send("/settings/read")
    assert len(await office.jobs("routing.read_open_conversations")) == 1
    await office.run("UPDATE procrastinate_jobs SET status = %s", Status.DOING.value)
    await office.run(
        "INSERT INTO reading (workspace, asked, started_at, deep, done, steps)"
        " VALUES (%s, 'asked', %s, true, 300, 1200)",
        office.workspace,
        NOW,
    )
    assert "already" in await office.send("/settings/read")
    assert "300 of 1,200 conversations" in await office.read("/settings")
    await office.run("UPDATE reading SET moved_at = now() - interval '2 minutes'")
    said = await office.read("/settings")
    assert "300 of 1,200" not in said, "its worker is gone"
    assert "Read everything from Intercom now" in said
    await office.run("UPDATE reading SET ended_at = started_at + interval '42 seconds', listed = 1200, drift = 3")
    said = await office.read("/settings")
    assert "when asked to: 1,200 open conversations, in 42 s. 3 had changed unheard" in said


async def test_the_audit_tells_what_was_chosen(office: Office) -> None:
    await office.send("/settings/read")
    await office.send("/settings/general", zone="Europe/Paris")
    await office.send("/settings/retention", **keeping(120, 20))
    said = await office.read("/audit")
    for each in (
        "The workspace’s zone is Europe/Paris",
        "Messages are kept 120 days instead of 90",
        "Raw webhooks are kept 20 days instead of 30",
    ):
        assert each in said


# Retention


async def write(office: Office, conversation: int, days: float) -> None:
    await office.run(
        "INSERT INTO conversation_text (workspace, conversation, subject, body, tags, attributes, language, contact,"
        " stored_at) VALUES (%s, %s, '', '', '{}', '{}', '', '', %s)",
        *(office.workspace, conversation, NOW - timedelta(days=days)),
    )


def keeping(messages: object, webhooks: object, was: tuple[int, int] = (90, 30), **more: object) -> dict[str, object]:
    return {
        "loaded": "yes",
        "messages": messages,
        "webhooks": webhooks,
        "was.messages": was[0],
        "was.webhooks": was[1],
        **more,
    }


async def kept(office: Office) -> tuple[int, int]:
    [row] = await office.run("SELECT keep_messages, keep_webhooks FROM workspace")
    return row


async def test_shortening_shows_exactly_what_would_go_before_anything_is_stored(office: Office) -> None:
    for number, days in enumerate((10, 29.9, 29.97, 30.1, 31, 100)):
        await write(office, number, days)
    said = await office.send("/settings/retention", 200, **keeping(30, 30))
    assert "The messages of 4 conversations." in said, "also what will be thirty days old within the hour"
    assert "Keep messages 30 days: 4 go in an hour" in said
    assert await kept(office) == (90, 30)
    assert await office.facts("settings.changed") == []
    where = await office.send("/settings/retention", **keeping(30, 30, agreed="30.30"))
    assert "done=kept.30.30.90.30" in where
    assert await kept(office) == (30, 30)
    assert await office.facts("settings.changed") == [(None, {"setting": "keep_messages", "before": 90, "after": 30})]
    [(chosen_lately,)] = await office.run("SELECT keep_chosen_at > now() - interval '1 minute' FROM workspace")
    assert chosen_lately, "nothing goes for an hour"


async def test_what_was_agreed_to_is_what_is_done(office: Office) -> None:
    await write(office, 1, 40)
    said = await office.send("/settings/retention", 200, **keeping(7, 30, agreed="30.30"))
    assert "Keep messages 7 days: 1 go in an hour" in said
    assert await kept(office) == (90, 30)


async def test_keeping_longer_or_shorter_where_nothing_goes_is_done_at_once(office: Office) -> None:
    await write(office, 1, 200)
    assert "kept.120.30" in await office.send("/settings/retention", **keeping(120, 30))
    assert "kept.120.7" in await office.send("/settings/retention", **keeping(120, 7, was=(120, 30)))
    assert await kept(office) == (120, 7)
    assert "done=same" in await office.send("/settings/retention", **keeping(120, 7, was=(120, 7)))
    assert len(await office.facts("settings.changed")) == 2


async def test_an_undo_that_comes_late_shows_what_goes(office: Office) -> None:
    where = await office.send("/settings/retention", **keeping(120, 30))
    await write(office, 1, 100)
    form = (
        (await office.client.get(where)).text.partition('action="/settings/retention/back')[2].partition("</form>")[0]
    )
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form))
    assert "Keep messages 90 days: 1 go in an hour" in await office.send("/settings/retention/back", 200, **fields)
    assert await kept(office) == (120, 30)
    assert "kept.90.30" in await office.send("/settings/retention", **keeping(90, 30, was=(120, 30), agreed="90.30"))


@pytest.mark.parametrize("path", ["/settings/retention", "/settings/general", "/settings/notifications"])
async def test_who_only_looks_waits_for_nobody_and_nobody_for_them(office: Office, path: str) -> None:
    async with office.database.transaction(office.workspace) as conn:
        await conn.execute("SELECT FROM workspace FOR UPDATE")  # as the router does
        await asyncio.wait_for(office.read(path), 10)


async def test_what_is_set_aside_is_kept_as_long_as_was_chosen(office: Office) -> None:
    await office.send("/settings/retention", **keeping(90, 60))
    assert (await office.client.get("/aside.json")).json()["days"] == 60


async def test_it_can_be_undone_while_nobody_chose_anew(office: Office) -> None:
    where = await office.send("/settings/retention", **keeping(30, 30, agreed="30.30"))
    shown = (await office.client.get(where)).text
    assert "Keep as long as before" in shown
    form = shown.partition('action="/settings/retention/back')[2].partition("</form>")[0]
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form))
    assert fields == {"messages": "90", "webhooks": "30", "expected": "30.30"}
    await office.send("/settings/retention", **keeping(31, 30, was=(30, 30)))
    assert "done=overtaken" in await office.send("/settings/retention/back", **fields)
    assert await kept(office) == (31, 30)
    assert "Keep as long as before" not in await office.read(where), "that is not how it is any more"
    assert "done=overtaken" in await office.send("/settings/retention/back", **(fields | {"expected": "31.30"}))
    assert await kept(office) == (31, 30), "90 is not what was before"
    back = fields | {"messages": "30", "expected": "31.30"}
    assert "done=back" in await office.send("/settings/retention/back", **back)
    assert await kept(office) == (30, 30)


async def test_an_undo_brings_back_what_was_before_and_nothing_else(office: Office) -> None:
    forged = "/settings/retention?done=kept.90.30.365.90"
    form = (
        (await office.client.get(forged)).text.partition('action="/settings/retention/back')[2].partition("</form>")[0]
    )
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form))
    for sent in (fields, {"messages": "365", "webhooks": "90", "expected": "90.30"}):
        assert "done=overtaken" in await office.send("/settings/retention/back", **sent)
    await office.send("/settings/retention", **keeping(120, 60))
    await office.send("/settings/retention", **keeping(130, 60, was=(120, 60)))
    for messages, webhooks in ((90, 30), (120, 30), (90, 60), (365, 60)):
        sent = {"messages": str(messages), "webhooks": str(webhooks), "expected": "130.60"}
        assert "done=overtaken" in await office.send("/settings/retention/back", **sent)
    assert await kept(office) == (130, 60)
    sent = {"messages": "120", "webhooks": "60", "expected": "130.60"}
    assert "done=back" in await office.send("/settings/retention/back", **sent)
    assert await kept(office) == (120, 60)


@pytest.mark.parametrize("value", ["", "6", "366", "-7", "7.5", "abc", "1e9", "٣٠", "9" * 30, "<b>"])
async def test_bad_numbers_are_refused_and_kept(office: Office, value: str) -> None:
    answer = await office.client.post("/settings/retention", data=keeping(value, 30))
    assert answer.status_code == 422
    assert "Nothing was stored" in answer.text
    assert "<b>" not in answer.text.partition("<main")[2].partition('name="messages"')[2][:200]
    assert await kept(office) == (90, 30)


async def test_a_stale_form_shows_both_and_stores_neither(office: Office) -> None:
    await office.run("UPDATE workspace SET keep_messages = 60")
    said = await office.send("/settings/retention", 409, **keeping(120, 30))
    assert "somebody else changed 1 field meanwhile" in said
    assert await kept(office) == (60, 30)


async def test_everything_that_is_kept_is_listed_with_why(office: Office) -> None:
    assert KEPT.keys() == {each.name for each in TABLES}
    said = await office.read("/settings/retention")
    assert "Messages 90 days chosen here" in said
    assert "Facts until the workspace is erased" in said
    data = (await office.client.get("/settings/retention.json")).json()
    assert data["keep"] == {"messages": 90, "webhooks": 30}
    assert {key: _table(data, "alarm")[key] for key in ("name", "days")} == {"name": "alarm", "days": 365}
    await office.run("UPDATE workspace SET keep_webhooks = 11")
    assert _table((await office.client.get("/settings/retention.json")).json(), "inbox")["days"] == 11


def _table(data: Any, name: str) -> Any:
    return next(each for each in data["tables"] if each["name"] == name)


# General


async def test_the_zone_is_one_of_the_tz_database(office: Office) -> None:
    assert {"UTC", "Europe/Paris", "America/Argentina/Ushuaia"} <= set(zones())
    sent = {"loaded": "yes", "was.zone": "UTC"}
    assert "done=zone" in await office.send("/settings/general", **sent, zone="Europe/Paris")
    assert await office.run("SELECT zone FROM workspace") == [("Europe/Paris",)]
    assert await office.facts("settings.changed") == [(None, {"setting": "zone", "after": "Europe/Paris"})]
    for bad in ("Europe/Atlantis", "../../etc/passwd", "", "localtime"):
        await office.send("/settings/general", 422, **{**sent, "was.zone": "Europe/Paris"}, zone=bad)
    said = await office.send("/settings/general", 409, **sent, zone="Asia/Tokyo")
    assert "Europe/Paris" in said
    assert await office.run("SELECT zone FROM workspace") == [("Europe/Paris",)]


async def test_whoever_changed_it_stands_in_the_fact(
    make_client: MakeClient, database: Database, make_workspace: MakeWorkspace, clock: Clock
) -> None:
    workspace = await make_workspace()
    client = make_client(open_to_loopback=False, follow_redirects=False)
    await become_administrator(client, await link_to(database, workspace, clock))
    office = Office(database, workspace, client)
    await office.send("/settings/general", zone="Europe/Paris")
    await office.send("/settings/read")
    [(person, _)] = await office.facts("settings.changed")
    assert person is not None
    assert await office.facts("reading.asked") == [(person, {})]
