"""Reading the desk: what it reads of large tables, that others go on meanwhile, and who is next."""

from __future__ import annotations

import asyncio
import gc
import time
import warnings
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import LiteralString

import psycopg
import pytest

from desk_seed import ASKED, DNS, NOW, Desk, closed
from steelyard.kit.ids import EngineerId, TeamId, WorkspaceId
from steelyard.routing import desk_cache, desk_read
from steelyard.routing.desk import MOST_SINGLE, MOST_WAITING
from steelyard.routing.desk_cache import CachedDesk, Desks, read_desk
from steelyard.routing.desk_floor import Floor
from steelyard.routing.model import Switch
from steelyard.routing.seen import SeenSwitch
from steelyard.store.database import Database

MANY = 4_000
MOST_AT_ONCE = 0.05
"""Seconds that a desk may hold the loop at once, on a machine that others use, too."""

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]


@pytest.fixture
async def desk(database: Database, make_workspace: MakeWorkspace) -> Desk:
    """One engineer with one conversation."""
    desk = Desk(database, await make_workspace())
    await desk.adopt()
    await desk.person(1, "Ana")
    await desk.ask(5000, *DNS)
    return desk


async def explained(desk: Desk, query: LiteralString, values: list[object]) -> str:
    """How PostgreSQL would run it over large tables."""
    async with desk.database.transaction(desk.workspace) as conn:
        await conn.execute("SET LOCAL enable_seqscan = off")
        found = await conn.execute("EXPLAIN " + query, values)
        return "\n".join(line for (line,) in await found.fetchall())


async def test_decisions_of_today_are_found_by_their_time(desk: Desk, owner_url: str) -> None:
    async with desk.database.transaction(desk.workspace) as conn:
        await conn.execute(
            "INSERT INTO decision (workspace, decision, conversation, at, topic, weight, matches, winner, winner_load,"
            " policy, engine, digest)"
            " SELECT workspace, decision + number, conversation, at - number * interval '1 hour', topic, weight,"
            " matches, winner, winner_load, policy, engine, digest FROM decision, generate_series(1, 2000) AS number"
        )
    async with await psycopg.AsyncConnection.connect(owner_url, autocommit=True) as conn:
        await conn.execute("ANALYZE decision")
    plan = await explained(desk, desk_read.TODAY, [desk.workspace, NOW])
    assert "decision_age" in plan
    assert "(at >= " in plan.split("Index Cond:")[1].splitlines()[0]


async def test_what_steelyard_tells_itself_is_no_webhook(desk: Desk) -> None:
    async with desk.database.transaction(desk.workspace) as conn:
        for topic, ago in (("steelyard.receipt", 2), ("conversation.user.replied", 90), ("steelyard.roster", 5)):
            await conn.execute(
                "INSERT INTO inbox (workspace, notification, topic, body, received_at) VALUES (%s, %s, %s, '', %s)",
                (desk.workspace, topic, topic, NOW - timedelta(seconds=ago)),
            )
    view = await read_desk(desk.database, desk.workspace, NOW)
    assert view.figures.last_webhook == NOW - timedelta(seconds=90)


async def test_a_reading_that_is_given_up_twice_leaves_nothing_open(desk: Desk) -> None:
    await many_conversations(desk)

    async def read() -> None:
        async with desk.database.transaction(desk.workspace) as conn:
            for _ in range(50):
                await desk_read.fill(conn, desk.workspace, Floor())

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for tenth in range(30):
            reading = asyncio.create_task(read())
            await asyncio.sleep(0.005 + tenth / 3_000)
            reading.cancel()
            await asyncio.sleep(0.001 + tenth / 20_000)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
        gc.collect()
    assert [str(each.message) for each in warned] == []


async def many_conversations(desk: Desk) -> None:
    async with desk.database.transaction(desk.workspace) as conn:
        await conn.execute(
            "INSERT INTO conversation (workspace, conversation, value, open, since, topic, weight, version, owner)"
            " SELECT workspace, 10000 + number, jsonb_set(value, '{0}', to_jsonb(10000 + number)), open, since,"
            " topic, weight, version, owner"
            " FROM (SELECT * FROM conversation ORDER BY conversation DESC LIMIT 1) AS conversation,"
            " generate_series(1, %s::int) AS number",
            [MANY],
        )


async def test_others_go_on_while_a_large_desk_is_read(desk: Desk) -> None:
    await many_conversations(desk)
    await read_desk(desk.database, desk.workspace, NOW)  # connects, imports, prepares
    last, longest = time.perf_counter(), 0.0

    async def watch() -> None:
        nonlocal last, longest
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            last, longest = now, max(longest, now - last)

    watching = asyncio.create_task(watch())
    view = await asyncio.wait_for(read_desk(desk.database, desk.workspace, NOW), 60)
    watching.cancel()
    assert view.figures.open == MANY + 1
    assert longest < MOST_AT_ONCE


async def test_a_full_rail_is_few_blocks_in_the_page_and_in_its_data(desk: Desk) -> None:
    await many_conversations(desk)
    view = await read_desk(desk.database, desk.workspace, NOW)
    [row] = view.available
    assert row.open == MANY + 1
    assert len(row.blocks) <= MOST_SINGLE
    assert sum(each.conversations for each in row.blocks) == MANY + 1
    assert sum(each.weight for each in row.blocks) == row.load == view.figures.weight


async def test_a_later_look_reads_only_what_changed(desk: Desk) -> None:
    cached = CachedDesk(desk.database, desk.workspace)
    before = await cached.view(NOW)
    async with desk.database.transaction(desk.workspace) as conn:  # behind everybody's back: no fact tells of it
        await conn.execute("UPDATE conversation SET weight = 99")
    await desk.ask(5001, *DNS)
    after = await cached.view(NOW)
    assert after.figures.open == before.figures.open + 1
    assert after.figures.weight < 99


async def test_after_many_changes_everything_is_read_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_cache, "MOST_CHANGES", 3)
    cached = CachedDesk(desk.database, desk.workspace)
    await cached.view(NOW)
    for number in range(6):
        await desk.ask(6000 + number, *DNS)
    await desk.see(closed(desk, 5000))
    scale = (await cached.view(NOW)).scale
    assert (await cached.view(NOW)) == (await read_desk(desk.database, desk.workspace, NOW))._replace(scale=scale)


async def test_a_view_is_never_older_than_its_request(desk: Desk) -> None:
    """Those who ask at once share what is read, and only what is read after they asked."""
    cached = CachedDesk(desk.database, desk.workspace)
    await cached.view(NOW)
    early = [asyncio.create_task(cached.view(NOW)) for _ in range(3)]
    await asyncio.sleep(0)
    await desk.ask(5001, *DNS)
    late = await asyncio.gather(*(cached.view(NOW) for _ in range(5)))
    await asyncio.gather(*early)
    assert {each.figures.open for each in late} == {2}
    assert len({id(each) for each in late}) < 5


async def test_a_failure_is_forgotten(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = CachedDesk(desk.database, desk.workspace)
    await cached.view(NOW)
    await desk.ask(5001, *DNS)

    async def broken(*_: object) -> None:
        raise RuntimeError("in the middle of it")

    with monkeypatch.context() as patch:
        patch.setattr(desk_cache, "read_people", broken)
        with pytest.raises(RuntimeError):
            await cached.view(NOW)
    assert (await cached.view(NOW)).figures.open == 2


def test_few_desks_are_remembered(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_cache, "MOST_KEPT", 2)
    desks = Desks(database)
    first, second = desks.of(WorkspaceId("eu1.a")), desks.of(WorkspaceId("eu1.b"))
    assert desks.of(WorkspaceId("eu1.a")) is first
    desks.of(WorkspaceId("eu1.c"))
    assert desks.of(WorkspaceId("eu1.a")) is first
    assert desks.of(WorkspaceId("eu1.b")) is not second
    first.used_at -= desk_cache.KEPT + 1
    desks.of(WorkspaceId("eu1.b"))
    assert desks.of(WorkspaceId("eu1.a")) is not first


# Who is next


@pytest.fixture
async def two(database: Database, make_workspace: MakeWorkspace) -> Desk:
    """Two engineers: Ana with a light conversation in earnest, Ben with a heavy one in the shadow alone."""
    desk = Desk(database, await make_workspace())
    await desk.adopt()
    await desk.person(1, "Ana")
    await desk.person(2, "Ben")
    await desk.team(7, "Ana's", 1)
    await desk.team(8, "Ben's", 2)
    await switched(desk, Switch((TeamId(7),)))
    await desk.ask(5000, *DNS, assignee=EngineerId(1))
    await desk.ask(5001, *ASKED[1], team=TeamId(8))
    return desk


async def switched(desk: Desk, new: Switch) -> None:
    async with desk.database.transaction(desk.workspace) as conn:
        routed = list(new.routed) if new.routed is not None else None
        await conn.execute("UPDATE workspace SET routed = %s, paused = %s", [routed, new.paused])
    await desk.see(SeenSwitch(new, desk.second))


async def next_of(desk: Desk) -> str:
    view = await read_desk(desk.database, desk.workspace, NOW)
    [row] = [row for row in view.available if row.next]
    return row.person.name


async def test_in_the_shadow_its_own_choices_count(two: Desk) -> None:
    await switched(two, Switch(()))
    view = await read_desk(two.database, two.workspace, NOW)
    assert [row.load for row in view.available if row.person.name == "Ben"] == [0]
    assert await next_of(two) == "Ana"


async def test_in_earnest_only_what_somebody_has_counts(two: Desk) -> None:
    await switched(two, Switch((TeamId(0),)))
    assert await next_of(two) == "Ben"


async def test_where_some_teams_are_on_only_they_can_be_next(two: Desk) -> None:
    await switched(two, Switch((TeamId(7),)))
    assert await next_of(two) == "Ana"


async def test_one_team_alone(two: Desk) -> None:
    view = await read_desk(two.database, two.workspace, NOW, 8)
    assert [row.person.name for row in view.rows] == ["Ben"]
    assert [each.conversation for each in view.waiting] == [5001]
    assert (await read_desk(two.database, two.workspace, NOW, 7)).waiting == ()
    everybody = await read_desk(two.database, two.workspace, NOW, 999)
    assert everybody.team is None
    assert len(everybody.rows) == 2
    assert view.figures == everybody.figures


async def test_so_many_that_wait_are_shown(two: Desk) -> None:
    async with two.database.transaction(two.workspace) as conn:
        await conn.execute("UPDATE engineer SET value = jsonb_set(value, '{away}', 'true')")
    await many_conversations(two)
    view = await read_desk(two.database, two.workspace, NOW)
    assert len(view.waiting) == MOST_WAITING
    assert view.figures.waiting > MANY / 2
