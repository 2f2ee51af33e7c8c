"""From the shadow to being on: the desk's band, what would have been better, and the switch, by plain forms."""

from __future__ import annotations

import csv
import io
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from desk_seed import Desk, busy_desk, connected
from seeded import Seeded, seed
from shadow_seed import FRENCH, SECURITY, SUPPORT, give, shadow_desk, switch
from steelyard.kit.ids import TeamId, WorkspaceId
from steelyard.routing.model import NO_TEAM, Switch
from steelyard.store.database import Database

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]


@pytest.fixture(scope="module")
def seeded(server: Any, keys: Path) -> Seeded[Desk]:
    async def write(database: Database) -> Desk:
        return await shadow_desk(database, await connected(database, keys))

    return seed(server, "shadow", write)


async def press(client: httpx.AsyncClient, change: str, **headers: str) -> httpx.Response:
    return await client.post("/switch", data={"change": change}, headers=headers, follow_redirects=False)


async def in_force(desk: Desk) -> tuple[list[int] | None, bool]:
    async with desk.database.transaction(desk.workspace) as conn:
        [row] = await (await conn.execute("SELECT routed, paused FROM workspace")).fetchall()
    return row


async def compared(desk: Desk) -> list[tuple[int, ...]]:
    """What the ledger says of every comparison: winner, who has it, by how much the winner was lighter, exclusions."""
    async with desk.database.transaction(desk.workspace) as conn:
        found = await conn.execute(
            "SELECT winner, (data ->> 'engineer')::bigint, (data ->> 'load')::int - (data ->> 'winner_load')::int,"
            " (data ->> 'exclusions')::int FROM ledger JOIN decision ON decision = (data ->> 'decision')::bigint"
            " WHERE kind = 'decision.compared'"
        )
        return await found.fetchall()


# The desk


async def test_the_desk_says_that_nothing_is_written(client: httpx.AsyncClient, desk: Desk) -> None:
    page = (await client.get("/desk")).text
    assert "<strong>In the shadow</strong>" in page
    assert 'href="/switch"' in page
    await switch(desk, Switch((TeamId(SUPPORT),)))
    assert "On for 1 of 3 teams</strong>" in (await client.get("/desk")).text
    await switch(desk, Switch((NO_TEAM, TeamId(SUPPORT))))
    assert "On for 1 of 3 teams, and for conversations without one" in (await client.get("/desk")).text
    await switch(desk, Switch((TeamId(SUPPORT),), paused=True))
    assert "Paused since <time" in (await client.get("/desk")).text


async def test_nothing_is_said_where_all_is_on(
    client: httpx.AsyncClient, database: Database, make_workspace: MakeWorkspace
) -> None:
    desk = await busy_desk(database, await make_workspace())
    everything = [None, (NO_TEAM, *desk.state.teams)]
    for routed in everything:
        await switch(desk, Switch(routed))
        assert '<div class="band" id="reach" data-part></div>' in (await client.get("/desk")).text


async def test_what_nobody_has_is_hollow_and_waits(client: httpx.AsyncClient, desk: Desk) -> None:
    data = (await client.get("/desk.json")).json()
    shadows = {id: each.pending.engineer for id, each in desk.state.conversations.items() if each.pending is not None}
    assert len(shadows) == 4
    rows = data["available"] + data["away"]
    assert {each["conversation"]: row["person"]["id"] for row in rows for each in row["shadowed"]} == shadows
    for row in rows:
        assert row["load"] == sum(each["weight"] for each in row["blocks"])
        hollow = sum(each["weight"] for each in row["shadowed"])
        assert row["load"] + hollow == desk.state.engineers[row["person"]["id"]].load
    assert [row["person"]["id"] for row in data["available"]] == [id for *_, id in desk.state.standings]
    waiting = {each["conversation"]: each["shadow"] for each in data["waiting"]}
    assert {id: each["id"] for id, each in waiting.items() if each} == shadows
    assert waiting[6000] is None  # nobody of its team is available
    assert data["figures"]["waiting"] == len(shadows) + 1
    page = (await client.get("/desk")).text
    assert page.count('<svg class="block hollow') == len(shadows)
    assert "Nobody has it in Intercom yet; Steelyard would choose" in page


async def test_an_entry_says_who_got_it_and_who_should_have(client: httpx.AsyncClient, desk: Desk) -> None:
    entries = (await client.get("/decisions.json")).json()["decisions"]
    one = next(
        each for each in entries if each["compared"] and each["winner"]["id"] != each["compared"]["instead"]["id"]
    )
    shown = one["compared"]
    page = (await client.get("/decisions")).text
    sentence = (
        f"{shown['instead']['name']} got it in Intercom ({shown['load']}); Steelyard would have chosen"
        f" {one['winner']['name']} ({shown['winner_load']})"
    )
    assert sentence.replace("’", "’") in page
    assert f"{shown['load'] - shown['winner_load']} lighter" in page
    why = (await client.get(f"/decisions/{one['number']}")).text
    assert "Decided in the shadow: nothing was written to Intercom." in why
    assert sentence in why
    replay = (await client.get(f"/decisions/{one['number']}/replay")).text
    assert "✓ identical" in replay
    assert "would have gone to" not in why + replay


async def test_an_engineers_list_holds_what_they_would_have(client: httpx.AsyncClient, desk: Desk) -> None:
    known = [each for each in desk.state.conversations.values() if each.counts]
    shadows = {each.owner for each in known if each.pending is not None and each.pending.shadow}
    assert shadows
    for engineer in shadows:
        data = (await client.get(f"/engineers/{engineer}.json")).json()
        listed = {each["conversation"] for each in data["conversations"]}
        assert listed == {each.id for each in known if each.owner == engineer}


async def test_a_csv_of_decisions_holds_both(client: httpx.AsyncClient, desk: Desk) -> None:
    table = list(csv.DictReader(io.StringIO((await client.get("/decisions.csv")).text)))
    found = sorted(
        (int(row["engineer"]), int(row["instead"]), int(row["instead_load"]) - int(row["engineer_load_then"]))
        for row in table
        if row["outcome"] == "compared"
    )
    assert found == sorted((winner, instead, less) for winner, instead, less, _ in await compared(desk))


# What would have been better


async def test_the_numbers_are_the_ledgers(client: httpx.AsyncClient, desk: Desk) -> None:
    facts = await compared(desk)
    data = (await client.get("/shadow.json")).json()
    others = [less for winner, instead, less, _ in facts if winner != instead]
    lighter = [each for each in others if each > 0]
    total = data["total"]
    assert total["compared"] == len(facts) == 44
    assert total["same"] == len(facts) - len(others) > 0
    assert (total["lighter"], total["most"]) == (len(lighter), max(lighter))
    assert total["mean"] == pytest.approx(sum(lighter) / len(lighter))
    assert (total["equal"], total["heavier"]) == (others.count(0), sum(each < 0 for each in others))
    assert total["unavailable"] == sum(excluded != 0 for *_, excluded in facts) == 1
    assert sum(each["times"] for each in data["columns"]) == len(others)
    for each in data["columns"]:
        assert each["times"] == sum(each["first"] <= less <= each["last"] for less in others)
    sums = {name: sum(each[name] for each in data["teams"]) for name in ("compared", "same", "lighter", "unavailable")}
    assert sums == {name: total[name] for name in sums}
    shown = [each["compared"] for each in data["largest"]]
    largest = [(bool(each["reason"]), each["load"] - each["winner_load"]) for each in shown]
    assert (
        largest
        == sorted(
            ((excluded != 0, less) for winner, instead, less, excluded in facts if winner != instead), reverse=True
        )[:20]
    )
    assert data["open"] == 4
    page = (await client.get("/shadow")).text
    assert "It is no replay of a whole day" in page
    assert "was not in the team" in page


async def test_how_long_nobody_had_it(client: httpx.AsyncClient, desk: Desk) -> None:
    total = (await client.get("/shadow.json")).json()["total"]
    delays = sorted(20 + number * 7 % 200 for number in range(48) if number % 10 != 9)
    assert total["longest"] == pytest.approx(delays[-1], abs=1)
    assert total["seconds"] == pytest.approx((delays[21] + delays[22]) / 2, abs=1)


async def test_a_span_holds_what_was_compared_in_it(client: httpx.AsyncClient, desk: Desk, clock: object) -> None:
    for days, counts in ((0, [44, 44, 44]), (2, [0, 44, 44]), (8, [0, 0, 44])):
        clock.now = desk.now.replace(day=22 + days)  # type: ignore[attr-defined]
        for span, count in zip(("day", "week", "all"), counts, strict=True):
            assert (await client.get("/shadow.json", params={"span": span})).json()["total"]["compared"] == count
    assert "Nothing was given to anybody in this span" in (await client.get("/shadow?span=day")).text
    assert 'href="/shadow?span=all"' in (await client.get("/shadow?span=day")).text


async def test_the_csv_has_a_row_for_each_team(client: httpx.AsyncClient, desk: Desk) -> None:
    table = list(csv.DictReader(io.StringIO((await client.get("/shadow.csv")).text)))
    assert {row["team"]: int(row["compared"]) for row in table} == {"all": 44, "6": 34, "8": 7, "0": 3}


async def test_an_empty_page_says_why(
    client: httpx.AsyncClient, database: Database, make_workspace: MakeWorkspace
) -> None:
    desk = Desk(database, await make_workspace())
    await desk.adopt()
    await desk.person(1, "Ana")
    assert "Steelyard assigns for all teams" in (await client.get("/shadow")).text
    await switch(desk, Switch(()))
    await desk.ask(5000, "DNS", "nameservers")
    page = (await client.get("/shadow")).text
    assert "A line stands here for each conversation" in page
    assert "1 conversation is decided and waits for somebody in Intercom." in page
    await give(desk, 5000, 1)
    assert "Each time, Steelyard would have chosen the same engineer." in (await client.get("/shadow")).text


# The switch


async def test_each_team_says_what_switching_it_on_does(client: httpx.AsyncClient, desk: Desk) -> None:
    data = (await client.get("/switch.json")).json()
    assert [(each["team"], each["on"], each["waiting"]) for each in data["teams"]] == [
        (SECURITY, False, 1),
        (SUPPORT, False, 2),
        (FRENCH, False, 1),
        (0, False, 1),
    ]
    page = (await client.get("/switch")).text
    assert "2 conversations that wait now will be given to somebody at once." in page
    assert "1 conversation waits now, and goes on waiting: nobody is available." in page
    assert page.count("Intercom assigns here, too") == 1
    assert "34 compared; for 28 a lighter engineer was there" in page
    assert page.index('value="pause"') < page.index('value="on-')


async def test_on_and_back_with_one_press_each(client: httpx.AsyncClient, desk: Desk) -> None:
    answer = await press(client, f"on-{SUPPORT}")
    assert (answer.status_code, await in_force(desk)) == (303, ([SUPPORT], False))
    page = (await client.get(answer.headers["location"])).text
    assert "On for Support. What waits is being given to somebody." in page
    assert f'value="back-none-from-{SUPPORT}"' in page
    await press(client, "on-0")
    assert await in_force(desk) == ([0, SUPPORT], False)
    answer = await press(client, f"shadow-{SUPPORT}")
    assert await in_force(desk) == ([0], False)
    assert "Support is back in the shadow" in (await client.get(answer.headers["location"])).text
    await press(client, f"back-0.{SUPPORT}-from-0")
    assert await in_force(desk) == ([0, SUPPORT], False)


async def test_all_teams_and_one_of_them_back(client: httpx.AsyncClient, desk: Desk) -> None:
    await press(client, "on-all")
    assert await in_force(desk) == (None, False)
    assert "A team that is new in Intercom is on from its first conversation." in (await client.get("/switch")).text
    await press(client, f"shadow-{SECURITY}")
    assert await in_force(desk) == ([0, SUPPORT, FRENCH], False)
    await press(client, "shadow-all")
    assert await in_force(desk) == ([], False)


async def test_pause_and_resume_keep_what_is_on(client: httpx.AsyncClient, desk: Desk) -> None:
    await press(client, f"on-{SUPPORT}")
    answer = await press(client, "pause")
    assert await in_force(desk) == ([SUPPORT], True)
    page = (await client.get(answer.headers["location"])).text
    assert "Paused. From now on nothing is written to Intercom" in page
    assert "on, but paused" in page
    assert "Paused since <time" in page
    assert 'value="resume">Resume' in page
    await press(client, "resume")
    assert await in_force(desk) == ([SUPPORT], False)
    assert "Paused since" not in (await client.get("/switch")).text


async def test_the_pause_is_as_old_as_its_first_press(client: httpx.AsyncClient, desk: Desk, clock: object) -> None:
    await press(client, "pause")
    since = (await client.get("/switch.json")).json()["reach"]["paused_at"]
    clock.now = clock.now.replace(hour=20)  # type: ignore[attr-defined]
    await press(client, "on-all")
    assert (await client.get("/switch.json")).json()["reach"]["paused_at"] == since


async def test_a_notice_that_no_longer_holds_is_not_told(client: httpx.AsyncClient, desk: Desk) -> None:
    answer = await press(client, f"on-{SUPPORT}")
    await press(client, "shadow-all")
    assert "Undo" not in (await client.get(answer.headers["location"])).text
    for made_up in (
        "done=on-all&was=none",
        "done=pause",
        "done=%3Cb%3E&was=all",
        "done=back-all-from-none&was=none-paused",
    ):
        assert "Undo" not in (await client.get(f"/switch?{made_up}")).text


async def test_an_old_undo_takes_nothing_of_others_back(client: httpx.AsyncClient, desk: Desk) -> None:
    await press(client, "on-all")
    old = (await client.get((await press(client, "pause")).headers["location"])).text
    assert 'value="back-all-from-all-paused"' in old
    await press(client, f"shadow-{SECURITY}")
    answer = await press(client, "back-all-from-all-paused")
    assert await in_force(desk) == ([0, SUPPORT, FRENCH], True)
    page = (await client.get(answer.headers["location"])).text
    assert "It was changed since, so nothing was undone. How it stands now is below." in page
    assert "Paused since" in page
    assert "Undone" not in page
    assert 'value="back-' not in page
    french = (await client.get(answer.headers["location"], headers={"accept-language": "fr"})).text
    assert "Des changements ont eu lieu depuis" in french


async def test_an_undo_is_undone(client: httpx.AsyncClient, desk: Desk) -> None:
    await press(client, "on-all")
    answer = await press(client, "back-none-from-all")
    assert await in_force(desk) == ([], False)
    page = (await client.get(answer.headers["location"])).text
    assert "Undone: it is as it was before." in page
    assert 'value="back-all-from-none"' in page


async def test_the_router_is_told_of_each_change_once(client: httpx.AsyncClient, desk: Desk) -> None:
    for change in ("pause", "pause", "resume", "pause"):
        await press(client, change)
    async with desk.database.transaction(desk.workspace) as conn:
        found = await conn.execute(
            "SELECT convert_from(body, 'UTF8')::jsonb -> 'paused' FROM inbox"
            " WHERE topic = 'steelyard.switch' ORDER BY seq"
        )
        assert [paused for (paused,) in await found.fetchall()] == [True, False, True]


@pytest.mark.parametrize("change", ["", "on", "on-x", "off-7", "shadow-", "back-", "back-7.", "on-٧", "on-" + "9" * 30])
async def test_what_is_no_change_is_refused(client: httpx.AsyncClient, desk: Desk, change: str) -> None:
    assert (await press(client, change)).status_code == 400
    assert await in_force(desk) == ([], False)


async def test_another_site_cannot_switch(client: httpx.AsyncClient, desk: Desk) -> None:
    headers = {"sec-fetch-site": "cross-site", "origin": "https://elsewhere.example"}
    assert (await press(client, "on-all", **headers)).status_code == 403
    assert await in_force(desk) == ([], False)


async def test_french_is_spoken(client: httpx.AsyncClient, desk: Desk) -> None:
    assert "Dans l’ombre" in (await client.get("/desk?lang=fr")).text
    assert "Ce qui aurait été mieux" in (await client.get("/shadow?lang=fr")).text
    assert "Activer pour Support" in (await client.get("/switch?lang=fr")).text
