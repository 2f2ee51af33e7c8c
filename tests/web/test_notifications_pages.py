"""The pages of notifications: an address is never shown again, forms refuse what cannot be, and removing is undone."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from signing_in import MakeClient
from steelyard.kit.ids import WorkspaceId
from steelyard.routing import notifications_pages
from steelyard.routing.health import Kind
from steelyard.routing.notifications import sealed_at
from steelyard.store.database import Database
from steelyard.store.keys import WEB, Keys, key_file

# Apprise loads a module of Python's own that is on its way out.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]
PATH = "/settings/notifications"
ADDRESS = "json://user:hunter2@127.0.0.1:9/alarms"
ALL = [each.value for each in Kind]
FORM: dict[str, Any] = {
    "name": "On call",
    "secret_address": ADDRESS,
    "kinds": ALL,
    "language": "fr",
    "quiet_from": "22:00",
    "quiet_to": "07:00",
    "zone": "Europe/Paris",
}


class Office:
    """A workspace, and a browser that may do everything in it."""

    def __init__(self, database: Database, workspace: WorkspaceId, client: httpx.AsyncClient) -> None:
        self.database, self.workspace, self.client = database, workspace, client

    async def run(self, query: Any, *values: object) -> list[Any]:
        async with self.database.transaction(self.workspace) as conn:
            cursor = await conn.execute(query, values)
            return await cursor.fetchall() if cursor.description else []

    async def add(self, **changes: Any) -> int:
        answer = await self.client.post(PATH, data=FORM | changes)
        assert answer.status_code == 303, answer.text
        return int(answer.headers["location"].rpartition(".")[2])

    async def refused(self, path: str = PATH, status: int = 422, **changes: Any) -> str:
        answer = await self.client.post(path, data=FORM | changes)
        assert answer.status_code == status, answer.text
        assert "hunter2" not in answer.text
        return unescape(answer.text)

    async def listed(self) -> str:
        return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", (await self.client.get(PATH)).text)))

    async def facts(self) -> list[tuple[int, str]]:
        found = await self.run("SELECT data FROM ledger WHERE kind = 'notification.changed' ORDER BY position")
        return [(data["notification"], data["did"]) for (data,) in found]


@pytest.fixture
async def office(database: Database, make_workspace: MakeWorkspace, client: httpx.AsyncClient) -> Office:
    return Office(database, await make_workspace(), client)


async def test_an_address_is_sealed_for_its_row_and_only_its_service_is_shown(office: Office, keys: Path) -> None:
    assert "Nobody is told yet" in await office.listed()
    number = await office.add()
    [(sealed, kinds, language, begins, ends, zone)] = await office.run(
        "SELECT address, kinds, language, quiet_from::text, quiet_to::text, zone FROM notification"
    )
    assert "hunter2" not in sealed
    assert Keys(key_file(keys, WEB)).unseal(sealed, sealed_at(office.workspace, number)) == ADDRESS
    assert (kinds, language, begins, ends, zone) == (None, "fr", "22:00:00", "07:00:00", "Europe/Paris")
    said = await office.listed()
    for each in ("On call", "JSON", "all", "Français", "22:00–07:00", "Europe/Paris", "nothing yet"):
        assert each in said
    assert await office.facts() == [(number, "added")]
    for path in (PATH, f"{PATH}.json", f"{PATH}.csv", f"{PATH}/{number}", "/audit"):
        answer = await office.client.get(path)
        assert answer.status_code == 200
        assert "hunter2" not in answer.text
        assert sealed not in answer.text
    [row] = (await office.client.get(f"{PATH}.json")).json()["rows"]
    assert (row["name"], row["service"], row["kinds"], len(row["fingerprint"])) == ("On call", "JSON", ALL, 8)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ""}, "“Name” is missing"),
        ({"name": "x" * 61}, "60 at most"),
        ({"secret_address": ""}, "“Address” is missing"),
        ({"secret_address": "no-such-service://x"}, "No message can be sent to this address"),
        ({"secret_address": "syslog://"}, "No message can be sent to this address"),
        ({"secret_address": "tgram://123456789:abcdefg_hijklmnop/1/?template=/etc/passwd"}, "No message can be sent"),
        ({"kinds": []}, "Choose at least one"),
        ({"kinds": ["drift", "no-such"]}, "choose from the list"),
        ({"language": "de"}, "choose one of the list"),
        ({"quiet_from": "25:00"}, "no time of day"),
        ({"quiet_to": ""}, "Quiet hours need both times"),
        ({"quiet_from": ""}, "Quiet hours need both times"),
        ({"quiet_from": "07:00"}, "Quiet hours of no length"),
        ({"zone": "Mars/Olympus"}, "choose one of the list"),
    ],
)
async def test_what_cannot_be_is_refused_keeps_what_was_typed_and_stores_nothing(
    office: Office, changes: dict[str, Any], said: str
) -> None:
    page = await office.refused(**changes)
    assert said in page
    if "name" not in changes:
        assert 'value="On call"' in page
    assert await office.run("SELECT notification FROM notification") == []
    assert await office.facts() == []


async def test_a_hostile_name_is_text(office: Office) -> None:
    await office.add(name="<script>alert(1)</script>")
    page = (await office.client.get(PATH)).text
    assert "<script>alert" not in page
    await office.add(name="=cmd()")
    assert "'=cmd()" in (await office.client.get(f"{PATH}.csv")).text


async def test_it_is_changed_with_or_without_another_address(office: Office, keys: Path) -> None:
    number = await office.add()
    [(before,)] = await office.run("SELECT address FROM notification")
    page = (await office.client.get(f"{PATH}/{number}")).text
    was = re.findall(r'name="(was\.[a-z_]+)" value="([^"]*)"', page)
    sent: dict[str, Any] = {"loaded": "yes"}
    for name, value in was:
        sent.setdefault(name, []).append(value)
    changed = {**FORM, **sent, "secret_address": "", "kinds": ["drift", "silence"], "quiet_from": "", "quiet_to": ""}
    assert (await office.client.post(f"{PATH}/{number}", data=changed)).status_code == 303
    [row] = await office.run("SELECT address, kinds, quiet_from FROM notification")
    assert row == (before, ["silence", "drift"], None)
    stale = await office.client.post(f"{PATH}/{number}", data={**changed, "kinds": ["rate_low"]})
    assert stale.status_code == 409
    assert "somebody else changed" in stale.text
    await office.run("UPDATE notification SET told_at = now(), failed_at = now(), failure = 'refused'")
    fresh = {**FORM, "secret_address": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"}
    assert (await office.client.post(f"{PATH}/{number}", data=fresh)).status_code == 303
    [(sealed, told, failed)] = await office.run("SELECT address, told_at, failed_at FROM notification")
    opened = Keys(key_file(keys, WEB)).unseal(sealed, sealed_at(office.workspace, number))
    assert (opened, told, failed) == (fresh["secret_address"], None, None)
    assert "Slack" in await office.listed()
    assert [did for _, did in await office.facts()] == ["added", "changed", "changed"]


async def test_a_test_is_a_job_and_its_result_stands_in_the_list(office: Office) -> None:
    number = await office.add()
    answer = await office.client.post(f"{PATH}/{number}/test")
    assert answer.status_code == 303
    assert await office.run("SELECT task_name, args FROM procrastinate_jobs") == [
        ("routing.tell_test", {"workspace": office.workspace, "notification": number})
    ]
    assert "a test is on its way" in await office.listed()
    await office.run(
        "UPDATE notification SET tested_at = NULL, failed_at = now() - interval '1 hour', failure = 'timeout'"
    )
    said = await office.listed()
    assert "It did not answer in time. Is the worker’s machine allowed out to it?" in said
    assert "a test is on its way" not in said
    await office.run("UPDATE notification SET failed_at = NULL, failure = '', told_at = now()")
    assert "took it" in await office.listed()


async def test_no_second_test_is_sent_while_one_has_just_begun(office: Office) -> None:
    number, other = await office.add(), await office.add(name="Lead")
    for each in (number, other, number):
        answer = await office.client.post(f"{PATH}/{each}/test")
    said = unescape((await office.client.get(answer.headers["location"])).text)
    assert "A test has been on its way to On call for less than a minute, so no other one is sent." in said
    assert len(await office.run("SELECT id FROM procrastinate_jobs")) == 2
    assert [did for _, did in await office.facts()] == ["added", "added", "tested", "tested"]
    await office.run("UPDATE notification SET tested_at = tested_at - interval '1 minute'")
    assert "done=tested" in (await office.client.post(f"{PATH}/{number}/test")).headers["location"]
    assert len(await office.run("SELECT id FROM procrastinate_jobs")) == 3


async def test_no_more_are_put_back_than_there_may_be(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifications_pages, "MOST", 2)
    number, second = await office.add(), await office.add(name="Lead")
    await office.client.post(f"{PATH}/{number}/remove")
    await office.add(name="Night")
    full = (await office.client.post(f"{PATH}/{number}/back")).headers["location"]
    page = unescape((await office.client.get(full)).text)
    assert "On call was not put back: there are 2 already, which is as many as may be. Remove one first." in page
    assert f'action="{PATH}/{number}/back' in page
    assert len((await office.client.get(f"{PATH}.json")).json()["rows"]) == 2
    await office.client.post(f"{PATH}/{second}/remove")
    assert "done=back" in (await office.client.post(f"{PATH}/{number}/back")).headers["location"]
    assert [did for _, did in await office.facts()][-3:] == ["added", "removed", "back"]


async def test_removing_is_undone_with_one_button(office: Office) -> None:
    number = await office.add()
    where = (await office.client.post(f"{PATH}/{number}/remove")).headers["location"]
    page = (await office.client.get(where)).text
    assert "On call is told nothing any more" in unescape(page)
    assert f'action="{PATH}/{number}/back' in page
    assert (await office.client.get(f"{PATH}/{number}")).status_code == 404
    assert (await office.client.post(f"{PATH}/{number}/test")).status_code == 404
    assert (await office.client.get(f"{PATH}.json")).json()["rows"] == []
    back = (await office.client.post(f"{PATH}/{number}/back")).headers["location"]
    assert "On call is told of alarms again" in unescape((await office.client.get(back)).text)
    assert "On call is told nothing" not in unescape((await office.client.get(where)).text), "it is told again"
    assert await office.facts() == [(number, "added"), (number, "removed"), (number, "back")]
    await office.client.post(f"{PATH}/{number}/back")
    assert len(await office.facts()) == 3, "nothing was done, so nothing is recorded"


async def test_of_another_workspace_there_is_nothing(
    office: Office, database: Database, make_workspace: MakeWorkspace
) -> None:
    number = await office.add()
    await make_workspace("other123")
    elsewhere = {"workspace": "eu1.other123"}
    assert (await office.client.get(f"{PATH}.json", params=elsewhere)).json()["rows"] == []
    for path in (f"{PATH}/{number}", f"{PATH}/{number}/test", f"{PATH}/{number}/remove", f"{PATH}/{number}/back"):
        answer = await office.client.post(path, params=elsewhere, data=FORM)
        assert answer.status_code == 404, path
    assert await office.facts() == [(number, "added")]


async def test_an_address_that_cannot_be_opened_here_says_so(office: Office) -> None:
    await office.add()
    await office.run("UPDATE notification SET address = replace(address, 's1.1.', 's1.7.')")
    said = await office.listed()
    assert "this machine’s web.keys is not the one they are sealed under" in said
    assert "steelyard secrets show" in said


async def test_without_the_key_file_nothing_is_stored(
    make_client: MakeClient, database: Database, make_workspace: MakeWorkspace, keys: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    office = Office(database, await make_workspace(), make_client())
    file = key_file(keys, WEB)
    aside = file.rename(tmp_path / "web.keys")
    try:
        page = await office.refused()
    finally:
        aside.rename(file)
    assert "The address cannot be sealed" in page
    assert await office.run("SELECT notification FROM notification") == []


async def test_there_is_a_bound(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steelyard.routing.notifications_pages.MOST", 1)
    await office.add()
    assert "remove one first" in await office.refused()
    assert json.dumps(await office.facts()).count("added") == 1
