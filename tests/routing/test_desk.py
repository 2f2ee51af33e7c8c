"""Reading the desk: what it reads of large tables, and that others go on meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from desk_seed import DNS, NOW, Desk
from steelyard.kit.ids import WorkspaceId
from steelyard.routing import desk as desk_module
from steelyard.routing.desk import read_desk
from steelyard.store.database import Database

MANY = 4_000


@pytest.fixture
async def desk(database: Database, make_workspace: Callable[..., Awaitable[WorkspaceId]]) -> Desk:
    """One engineer with one conversation."""
    desk = Desk(database, await make_workspace())
    await desk.adopt()
    await desk.person(1, "Ana")
    await desk.ask(5000, *DNS)
    return desk


async def test_decisions_of_today_are_found_by_their_time(desk: Desk) -> None:
    async with desk.database.transaction(desk.workspace) as conn:
        await conn.execute("SET LOCAL enable_seqscan = off")
        found = await conn.execute("EXPLAIN " + desk_module.TODAY, [desk.workspace, NOW])
        plan = "\n".join(line for (line,) in await found.fetchall())
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


async def test_others_go_on_while_a_large_desk_is_read(desk: Desk) -> None:
    """The loop's own share of the work is small: nearly all of it is done beside it."""
    async with desk.database.transaction(desk.workspace) as conn:
        await conn.execute(
            "INSERT INTO conversation (workspace, conversation, value, open, since, topic, weight, version)"
            " SELECT workspace, 10000 + number, jsonb_set(value, '{0}', to_jsonb(10000 + number)), open, since,"
            " topic, weight, version"
            " FROM conversation, generate_series(1, %s::int) AS number",
            [MANY],
        )
    await read_desk(desk.database, desk.workspace, NOW)  # connects, imports, prepares
    on_the_loop, at_all = time.thread_time(), time.process_time()
    view = await asyncio.wait_for(read_desk(desk.database, desk.workspace, NOW), 60)
    on_the_loop, at_all = time.thread_time() - on_the_loop, time.process_time() - at_all
    assert view.figures.open == MANY + 1
    assert on_the_loop < at_all / 2
