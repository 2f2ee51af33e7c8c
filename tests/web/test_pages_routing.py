"""The pages of routing over real tables, as the router fills them."""

from __future__ import annotations

import csv
import io
from collections.abc import Awaitable, Callable

import httpx
import psycopg
import pytest

from desk_seed import NOW, Desk
from steelyard.kit.ids import WorkspaceId
from steelyard.routing.rows import PORTION, made_of, rows
from steelyard.store.database import Database

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]
HOSTILE = "<img src=x onerror=alert(1)>'\"{{7*7}} %(name)s"


async def test_without_a_workspace_the_desk_says_what_to_do(client: httpx.AsyncClient) -> None:
    page = await client.get("/desk")
    assert page.status_code == 200
    assert "steelyard connect intercom" in page.text


async def test_an_empty_workspace_says_what_will_appear(
    client: httpx.AsyncClient, make_workspace: MakeWorkspace
) -> None:
    await make_workspace()
    page = await client.get("/desk")
    assert "No engineers are known yet" in page.text
    assert "No decisions yet" in page.text
    assert "Nobody waits" in page.text


async def test_the_root_leads_to_the_desk(client: httpx.AsyncClient) -> None:
    answer = await client.get("/?workspace=eu1.other")
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk?workspace=eu1.other")


async def test_the_desk_shows_loads_the_queue_and_decisions(client: httpx.AsyncClient, desk: Desk) -> None:
    data = (await client.get("/desk.json")).json()
    loads = {row["person"]["id"]: row["load"] for row in data["available"] + data["away"]}
    assert loads == {each.id: each.load for each in desk.state.engineers.values()}
    assert [row["person"]["id"] for row in data["available"]] == [id for *_, id in desk.state.standings]
    assert [row["next"] for row in data["available"]] == [True] + [False] * 10
    assert [each["conversation"] for each in data["waiting"]] == desk.state.waiting_in_order()
    assert {each["why"] for each in data["waiting"]} == {"team_away"}
    assert data["figures"]["decisions_today"] == len(desk.decided)
    assert data["figures"]["delivery_seconds"] == pytest.approx(0.6)
    assert data["figures"]["open"] == len(desk.state.conversations)
    page = await client.get("/desk")
    assert "Nobody of Support francophone is available." in page.text
    assert "Amira Haddad" in page.text


async def test_a_decision_is_explained_and_replayed(client: httpx.AsyncClient, desk: Desk) -> None:
    position, conversation = desk.decided[12]
    data = (await client.get(f"/decisions/{position}/replay.json")).json()
    assert data["replay"]["identical"] is True
    assert data["replay"]["digest"] == data["digest"]
    winner = data["replay"]["standings"][0]
    assert winner["winner"] is True
    assert winner["load"] == data["entry"]["winner_load"] == min(each["load"] for each in data["replay"]["standings"])
    assert winner["load"] == sum(each["weight"] for each in winner["blocks"])
    assert {each["reason"]: len(each["people"]) for each in data["replay"]["excluded"]}["away"] == 2
    page = await client.get(f"/decisions/{position}/replay")
    assert page.status_code == 200
    assert "✓ identical" in page.text
    recorded = (await client.get(f"/decisions/{position}.json")).json()
    assert (recorded["entry"], recorded["digest"]) == (data["entry"], data["digest"])
    page = await client.get(f"/decisions/{position}")
    assert f"Conversation {conversation}" in page.text
    assert f'href="/decisions/{position}/replay"' in page.text


async def test_a_decision_is_shown_without_making_it_again(
    client: httpx.AsyncClient, desk: Desk, superuser_url: str
) -> None:
    position, _ = desk.decided[12]
    with psycopg.connect(superuser_url) as conn:
        conn.execute("ALTER TABLE ledger RENAME TO set_aside")
    assert (await client.get(f"/decisions/{position}")).status_code == 200
    assert (await client.get(f"/decisions/{position}.json")).status_code == 200


async def test_a_replay_is_a_part_of_the_page(client: httpx.AsyncClient, desk: Desk) -> None:
    position, _ = desk.decided[12]
    part = (await client.get(f"/decisions/{position}/replay", headers={"HX-Request": "true"})).text
    assert "Who could take it" in part
    assert "Who could not, and why" in part
    assert "<h1>" not in part
    assert "<html" not in part


async def test_every_decision_has_a_page_that_replays(client: httpx.AsyncClient, desk: Desk) -> None:
    for position, _ in desk.decided[::5]:
        assert "✓ identical" in (await client.get(f"/decisions/{position}/replay")).text


async def test_the_words_that_matched_are_marked(client: httpx.AsyncClient, desk: Desk) -> None:
    position, _ = desk.decided[0]
    text = (await client.get(f"/decisions/{position}")).text
    assert "<mark>Nameservers</mark>" in text
    assert "<mark>MX record</mark>" in text


async def test_a_text_that_is_gone_is_said_to_be(client: httpx.AsyncClient, desk: Desk) -> None:
    async with desk.database.transaction(desk.workspace) as conn:
        await conn.execute("DELETE FROM conversation_text")
    text = (await client.get(f"/decisions/{desk.decided[0][0]}")).text
    assert "no longer kept" in text
    assert "nameserver*" in text  # the rule's phrase stands for the customer's words


async def test_a_changed_ledger_is_not_identical(client: httpx.AsyncClient, desk: Desk, superuser_url: str) -> None:
    position, _ = desk.decided[5]
    with psycopg.connect(superuser_url) as conn:
        changed = conn.execute(
            "UPDATE ledger SET data = jsonb_set(data, '{e,away}', 'true')"
            " WHERE kind = 'engineer.seen' AND engineer = 104"
        )
    assert changed.rowcount == 1
    page = (await client.get(f"/decisions/{position}/replay")).text
    assert "✗ different" in page
    assert "Replayed digest" in page


async def test_a_decision_that_cannot_be_replayed_still_has_a_page(
    client: httpx.AsyncClient, desk: Desk, superuser_url: str
) -> None:
    with psycopg.connect(superuser_url) as conn:
        conn.execute("DELETE FROM policy")
    page = await client.get(f"/decisions/{desk.decided[5][0]}")
    assert page.status_code == 200
    replay = await client.get(f"/decisions/{desk.decided[5][0]}/replay")
    assert replay.status_code == 200
    assert "not possible" in replay.text
    assert (await client.get("/desk")).status_code == 200


@pytest.mark.parametrize("number", ["1", "999999", "9223372036854775807", "9" * 30])
async def test_what_is_no_decision_is_not_found(client: httpx.AsyncClient, desk: Desk, number: str) -> None:
    for path in (f"/decisions/{number}", f"/decisions/{number}/replay"):
        page = await client.get(path)
        assert page.status_code == 404
        assert "Not found" in page.text
        data = await client.get(f"{path}.json")
        assert data.json()["error"]["status"] == 404


async def test_decisions_come_in_pages_and_as_data(client: httpx.AsyncClient, desk: Desk) -> None:
    numbers = sorted((position for position, _ in desk.decided), reverse=True)
    listed = (await client.get("/decisions.json")).json()
    assert [each["number"] for each in listed["decisions"]] == numbers[:50]
    older = (await client.get("/decisions.json", params={"before": numbers[3]})).json()
    assert [each["number"] for each in older["decisions"]] == numbers[4:54]
    table = list(csv.DictReader(io.StringIO((await client.get("/decisions.csv")).text)))
    assert [int(row["decision"]) for row in table] == numbers
    assert (await client.get("/decisions")).text.count("<tr>") == 1 + len(numbers[:50])


async def test_hostile_names_and_texts_stay_text(
    client: httpx.AsyncClient, database: Database, make_workspace: MakeWorkspace
) -> None:
    desk = Desk(database, await make_workspace())
    await desk.adopt()
    await desk.person(1, HOSTILE, HOSTILE)
    await desk.person(2, HOSTILE, away=True)
    await desk.team(7, HOSTILE, 2)
    await desk.ask(11, HOSTILE + " DNS", HOSTILE + " nameservers", HOSTILE)
    await desk.ask(12, "x", "y", HOSTILE, team=7)
    for path in ("/desk", "/decisions", f"/decisions/{desk.decided[0][0]}", "/desk?lang=fr"):
        page = await client.get(path)
        assert page.status_code == 200, path
        assert "<img" not in page.text
        assert "&lt;img src=x onerror=alert(1)&gt;" in page.text
        assert "{{7*7}} %(name)s" in page.text


async def test_another_workspace_is_reached_by_its_name_and_stays_apart(
    client: httpx.AsyncClient, desk: Desk, make_workspace: MakeWorkspace
) -> None:
    other = await make_workspace("zzz")
    page = await client.get("/desk", params={"workspace": other})
    assert "Amira" not in page.text
    assert f"/decisions?workspace={other}" in page.text
    position = desk.decided[0][0]
    assert (await client.get(f"/decisions/{position}", params={"workspace": other})).status_code == 404
    assert (await client.get("/desk", params={"workspace": "eu1.unknown"})).status_code == 404


async def test_the_desk_counts_from_midnight_utc(client: httpx.AsyncClient, desk: Desk, clock: object) -> None:
    clock.now = NOW.replace(day=23)  # type: ignore[attr-defined]
    assert (await client.get("/desk.json")).json()["figures"]["decisions_today"] == 0


async def test_of_many_rows_none_is_lost_between_portions(desk: Desk) -> None:
    async with desk.database.transaction(desk.workspace) as conn:
        for count in (0, 1, PORTION, PORTION + 1, 3 * PORTION):
            found = await rows(conn, "SELECT number FROM generate_series(1, %s) AS number", [count])
            assert await made_of(found, lambda row: row["number"]) == list(range(1, count + 1))
