"""Conversations as pages: the list, the page of one, and the same as data."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape
from typing import Any

import httpx
import pytest

from desk_seed import NOW, Desk, closed
from signing_in import Enter
from steelyard.kit.ids import EngineerId, TeamId
from steelyard.people.permissions import Role
from steelyard.routing.model import Override, Phase, Text
from steelyard.routing.seen import SeenConversation
from steelyard.store.database import Database


async def rows(client: httpx.AsyncClient, query: str = "") -> list[dict[str, Any]]:
    answer = await client.get(f"/conversations.json{query}")
    assert answer.status_code == 200
    return answer.json()["rows"]


async def see(desk: Desk, id: int, kind: str, **more: Any) -> None:
    """Intercom shows a conversation, a second later, with `more` changed."""
    known = desk.known[id]
    desk.now = desk.now.replace(second=(desk.now.second + 1) % 60)
    seen = SeenConversation(
        kind, known.id, desk.second, desk.order()._replace(rank=1, updated_at=desk.second + 100), known.phase,
        known.assignee, known.team, known.urgency, known.since, Text(*("Nameservers", "MX record"), (), (), "en"), "",
    )  # fmt: skip
    await desk.see(seen._replace(**more))


# The list


async def test_the_list_has_what_is_open_the_oldest_first(desk: Desk, client: httpx.AsyncClient) -> None:
    page = await client.get("/conversations")
    assert page.status_code == 200
    found = await rows(client)
    assert [row["since"] for row in found] == sorted(row["since"] for row in found)
    opened = {id for id, each in desk.state.conversations.items() if each.counts}
    assert {row["conversation"] for row in found} == opened
    assert all(row["contact"] in page.text for row in found)


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ("?state=waiting", lambda row: row["state"] == "waiting"),
        ("?topic=dns", lambda row: row["topic"] == "dns"),
        ("?team=7", lambda row: row["team_id"] == 7),
        ("?team=0", lambda row: row["team_id"] is None),
        ("?engineer=102", lambda row: row["engineer_id"] == 102),
        ("?engineer=0", lambda row: row["engineer_id"] is None),
        ("?topic=malware&team=8", lambda row: (row["topic"], row["team_id"]) == ("malware", 8)),
    ],
)
async def test_filters(desk: Desk, client: httpx.AsyncClient, query: str, holds: Callable[[Any], bool]) -> None:
    everything, found = await rows(client), await rows(client, query)
    assert found == [row for row in everything if holds(row)]
    assert 0 < len(found) < len(everything)


@pytest.mark.parametrize("sort", ["weight", "-weight", "topic", "-topic", "engineer", "team", "-since", "changed"])
async def test_sorting_keeps_all_rows(desk: Desk, client: httpx.AsyncClient, sort: str) -> None:
    everything, found = await rows(client), await rows(client, f"?sort={sort}")
    assert sorted(row["conversation"] for row in found) == sorted(row["conversation"] for row in everything)
    if "weight" in sort or "since" in sort:
        values = [row[sort.removeprefix("-")] for row in found]
        assert values == sorted(values, reverse=sort.startswith("-"))


async def test_topics_are_sorted_as_the_reader_calls_them(desk: Desk, client: httpx.AsyncClient) -> None:
    english = [row["topic"] for row in await rows(client, "?sort=topic&lang=en")]
    french = [row["topic"] for row in await rows(client, "?sort=topic&lang=fr")]
    assert english.index("malware") < english.index("ssl")
    assert french.index("malware") < french.index("caching")  # Logiciel malveillant, Redis et cache
    assert english != french


async def test_states_are_told_apart(desk: Desk, client: httpx.AsyncClient) -> None:
    await see(desk, 5000, "conversation.assigned", assignee=EngineerId(104))
    await see(desk, 5002, "conversation.snoozed", phase=Phase.SNOOZED)
    assert [row["conversation"] for row in await rows(client, "?state=with")] == [5000]
    assert [row["conversation"] for row in await rows(client, "?state=snoozed")] == [5002]
    assert 5002 not in [row["conversation"] for row in await rows(client)]
    assert {row["waits_for"] for row in await rows(client, "?state=waiting")} == {"team_away"}
    page = await client.get("/conversations?state=waiting")
    assert "Nobody of Support francophone is available." in page.text


async def test_what_was_closed_lately_is_there_and_what_was_long_ago_is_not(
    desk: Desk, client: httpx.AsyncClient, clock: Any
) -> None:
    found = {row["conversation"] for row in await rows(client, "?state=closed")}
    assert found == {id for id in desk.known if id not in desk.state.conversations}
    assert len(found) > 5
    clock.now = NOW.replace(day=29, hour=16)
    assert await rows(client, "?state=closed") == []
    [one] = await rows(client, f"?conversation={min(found)}")
    assert one["state"] == "closed"


async def test_who_may_not_read_messages_sees_no_customer(desk: Desk, enter: Enter) -> None:
    operator, engineer = await enter(Role.OPERATOR), await enter(Role.ENGINEER)
    for suffix in ("", ".json", ".csv"):
        assert "atelier0.example" not in (await operator.get(f"/conversations{suffix}")).text
        assert "atelier0.example" in (await engineer.get(f"/conversations{suffix}")).text
    for path in (
        "/conversations/6000",
        "/conversations/6000.json",
        "/decisions/39",
        "/decisions/39.json",
        "/desk",
        "/desk.json",
    ):
        text = (await operator.get(path)).text
        assert "example" not in text.replace("steelyard.example", "")
        assert "certificat SSL" not in text
    assert "hidden from you" in (await operator.get("/conversations/6000")).text


@pytest.mark.parametrize(
    "query",
    [
        "?topic=dns'--",
        "?engineer=1 OR 1=1",
        "?sort=since; DROP TABLE x",
        "?state=deleted",
        "?team=-1",
        "?page=x",
        "?a=b",
    ],
)
async def test_what_cannot_be_asked_is_left_out_and_told(desk: Desk, client: httpx.AsyncClient, query: str) -> None:
    answer = (await client.get(f"/conversations.json{query}")).json()
    assert answer["total"] == len(await rows(client))
    page = await client.get(f"/conversations{query}")
    assert page.status_code == 200
    assert answer["ignored"] or query.startswith("?page")
    assert "left out" in page.text


async def test_a_conversation_that_is_often_written_stays_in_its_page(desk: Desk, database: Database) -> None:
    """No index holds what changes with every payload: PostgreSQL then updates the row in place (HOT)."""
    async with database.transaction(desk.workspace) as conn:

        async def updates() -> tuple[int, int]:
            counted = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'conversation'"
            row = await (await conn.execute(counted)).fetchone()
            assert row is not None
            return row[0], row[1]

        before = await updates()
        await conn.execute(
            "UPDATE conversation SET owner = 104, weight = 9, topic = 'ssl', team = 3, version = version + 1,"
            " value = jsonb_set(value, '{1,0}', '1795362999') WHERE conversation = 6000"
        )
        after = await updates()
    assert (after[0] - before[0], after[1] - before[1]) == (1, 1)


# One conversation


async def test_the_page_says_what_who_why_and_what_happened(desk: Desk, client: httpx.AsyncClient) -> None:
    await see(desk, 5010, "conversation.assigned", assignee=EngineerId(104), by=EngineerId(103), team=TeamId(8))
    await see(desk, 5010, "conversation.noted", note=Override(desk.second, "note 1", 9), assignee=EngineerId(104))
    text = unescape((await client.get("/conversations/5010")).text)
    assert "<mark>Database</mark>" not in text  # what is marked is what was asked last
    assert "<mark>MX record</mark>" in text
    for sentence in (
        "has it.",
        "The conversation began.",
        "Noor Visser assigned it in Intercom. It is with Chloé Tremblay now.",
        "It weighs 9 now.",
        "in an internal note",
    ):
        assert sentence in " ".join(text.split()), sentence
    assert "/decisions/" in text
    data = (await client.get("/conversations/5010.json")).json()
    assert (data["state"], data["owner"]["id"], data["expected"], data["weighing"]["by"]) == ("with", 104, 104, "note")
    assert [each["position"] for each in data["events"]] == sorted(each["position"] for each in data["events"])


async def test_a_waiting_conversation_says_for_whom(desk: Desk, client: httpx.AsyncClient) -> None:
    text = (await client.get("/conversations/6000")).text
    assert "Nobody has it." in text
    assert "Nobody of Support francophone is available." in text
    assert (await client.get("/conversations/6000.json")).json()["expected"] == 0


async def test_it_is_opened_in_intercom_where_its_region_is(
    desk: Desk, client: httpx.AsyncClient, database: Database
) -> None:
    assert "/a/inbox/" not in (await client.get("/conversations/6000")).text
    for host, inbox in (("api.eu.intercom.io", "app.eu.intercom.com"), ("api.intercom.io", "app.intercom.com")):
        async with database.transaction(desk.workspace) as conn:
            await conn.execute("UPDATE connection SET api_url = %s", [f"https://{host}"])
        address = f"https://{inbox}/a/inbox/a86dr8yl/inbox/conversation/6000"
        assert address in (await client.get("/conversations/6000")).text


async def test_names_and_texts_are_text(desk: Desk, client: httpx.AsyncClient, database: Database) -> None:
    async with database.transaction(desk.workspace) as conn:
        await conn.execute("UPDATE teammate_name SET name = '<img src=x onerror=1>'")
        await conn.execute("UPDATE conversation_text SET body = '<script>1</script>', contact = '<b>x</b>'")
        await conn.execute("UPDATE team_name SET name = '<i>team</i>'")
    for path in ("/conversations", "/conversations/5010", "/conversations/6000", "/engineers/102", "/decisions/39"):
        text = (await client.get(path)).text
        for tag in ("<img src=x", "<script>1", "<b>x</b>", "<i>team"):
            assert tag not in text, (path, tag)


async def test_an_unknown_conversation_can_be_read(
    desk: Desk, client: httpx.AsyncClient, database: Database, enter: Enter
) -> None:
    page = await client.get("/conversations/777")
    assert page.status_code == 404
    assert "not known here" in page.text
    assert "/conversations/777/read" in page.text
    assert (await client.get("/conversations/777.json")).status_code == 404
    engineer = await enter(Role.ENGINEER)
    assert "/conversations/777/read" not in (await engineer.get("/conversations/777")).text
    assert (await engineer.post("/conversations/777/read")).status_code == 403
    answer = await client.post("/conversations/777/read")
    assert (answer.status_code, answer.headers["location"]) == (303, "/conversations/777?done=read.777")
    told = await client.get(answer.headers["location"])
    assert "is being read from Intercom" in told.text
    async with database.transaction(desk.workspace) as conn:
        jobs = await (await conn.execute("SELECT task_name, args FROM procrastinate_jobs")).fetchall()
        facts = await (
            await conn.execute("SELECT conversation FROM ledger WHERE kind = 'conversation.read_asked'")
        ).fetchall()
    assert jobs == [("routing.read_conversation", {"workspace": desk.workspace, "conversation": 777})]
    assert facts == [(777,)]


@pytest.mark.parametrize("number", ["0", str(2**63), "9" * 40])
async def test_numbers_that_no_conversation_has(desk: Desk, client: httpx.AsyncClient, number: str) -> None:
    assert (await client.get(f"/conversations/{number}")).status_code == 404
    assert (await client.post(f"/conversations/{number}/read")).status_code == 404


async def test_a_closed_conversation_cannot_be_given_away(desk: Desk, client: httpx.AsyncClient) -> None:
    await desk.see(closed(desk, 5010))
    page = await client.get("/conversations/5010")
    assert 'action="/move"' not in page.text
    assert 'action="/move"' in (await client.get("/conversations/5012")).text
