"""Transactions, recovery and hints."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import psycopg
import pytest

from steelyard.kit.errors import StoreError
from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Database
from steelyard.store.embedded import APP, Embedded
from steelyard.store.migrate import prepare

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]


async def test_an_exception_rolls_back(database: Database, make_workspace: MakeWorkspace) -> None:
    workspace = await make_workspace()
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - what the block does is the subject
        async with database.transaction(workspace) as conn:
            await conn.execute("UPDATE workspace SET version = 7")
            raise ZeroDivisionError
    async with database.transaction(workspace) as conn:
        assert await (await conn.execute("SELECT version FROM workspace")).fetchone() == (0,)


async def test_an_ignored_error_is_not_a_silent_rollback(database: Database, make_workspace: MakeWorkspace) -> None:
    workspace = await make_workspace()
    with pytest.raises(StoreError, match="nothing of it is stored"):  # noqa: PT012 - what the block does is the subject
        async with database.transaction(workspace) as conn:
            await conn.execute("UPDATE workspace SET version = 7")
            with pytest.raises(psycopg.errors.DivisionByZero):
                await conn.execute("SELECT 1 / 0")
    async with database.transaction(workspace) as conn:
        assert await (await conn.execute("SELECT version FROM workspace")).fetchone() == (0,)


async def test_a_savepoint_inside_a_transaction(database: Database, make_workspace: MakeWorkspace) -> None:
    workspace = await make_workspace()
    async with database.transaction(workspace) as conn:
        await conn.execute("UPDATE workspace SET version = 7")
        with pytest.raises(psycopg.errors.DivisionByZero):
            async with conn.transaction():
                await conn.execute("SELECT 1 / 0")
    async with database.transaction(workspace) as conn:
        assert await (await conn.execute("SELECT version FROM workspace")).fetchone() == (7,)


@pytest.mark.slow
async def test_after_a_long_outage_the_database_is_met_at_once(open_folder: Path) -> None:
    """The pool alone pauses for longer and longer between two attempts."""
    data = open_folder / f"outage-{time.monotonic_ns()}"
    server = Embedded.start(data, durable=False)
    try:
        prepare(server.owner_url, APP)
        async with Database.open(server.app_url, size=2) as database:
            server.stop()
            asking = asyncio.create_task(asked(database))
            await asyncio.sleep(9)  # by itself the pool would try again 15 seconds after its first attempt
            Embedded.start(data, durable=False)
            back = time.monotonic()
            await asyncio.wait_for(asking, 30)
            assert time.monotonic() - back < 4
    finally:
        server.stop()


async def asked(database: Database) -> None:
    """Returns once a question was answered."""
    while True:
        try:
            async with database.cell() as conn:
                await conn.execute("SELECT 1")
                return
        except psycopg.Error:
            await asyncio.sleep(0.1)


async def test_cut_connections_are_replaced_unnoticed(
    database: Database, make_workspace: MakeWorkspace, superuser_url: str
) -> None:
    workspace = await make_workspace()
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'steelyard'"

    async def look() -> None:
        async with database.transaction(workspace) as conn:
            assert await (await conn.execute("SELECT count(*), pg_sleep(0.1) FROM workspace")).fetchone() == (1, "")

    with psycopg.connect(superuser_url, autocommit=True) as conn:
        for _ in range(3):
            await asyncio.gather(*(look() for _ in range(8)))
            assert len(conn.execute(cut).fetchall()) >= 5
            await asyncio.sleep(0.05)
            started = time.monotonic()
            await look()
            assert time.monotonic() - started < 1


async def test_settings_keep_a_silent_peer_from_holding_locks(database: Database) -> None:
    wanted = {"statement_timeout": "30s", "idle_in_transaction_session_timeout": "10s", "jit": "off"}
    async with database.cell() as conn:
        for name, value in wanted.items():
            cursor = await conn.execute("SELECT current_setting(%s)", [name])
            assert await cursor.fetchone() == (value,)


async def test_an_unreachable_database_says_so() -> None:
    with pytest.raises(StoreError, match="cannot be reached"):
        async with Database.open("postgresql://steelyard_app@/steelyard?host=/nowhere"):
            pass


async def test_a_hint_wakes_who_listens(database: Database, app_url: str) -> None:
    async with (
        Database.open(app_url, name="other process") as other,
        aclosing(database.listen("inbox", poll=30)) as hints,
    ):
        await anext(hints)
        await anext(hints)  # once more when it is really listening
        await other.notify("inbox")
        await asyncio.wait_for(anext(hints), 5)


async def test_hints_go_to_their_channel_only(database: Database) -> None:
    async with aclosing(database.listen("inbox", poll=30)) as inbox, aclosing(database.listen("desk", poll=30)) as desk:
        await anext(desk)
        await anext(inbox)
        await anext(inbox)  # once more when it is really listening
        await database.notify("desk")
        await asyncio.wait_for(anext(desk), 5)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(inbox), 0.3)


async def test_a_thousand_hints_are_few(database: Database, superuser_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(superuser_url, autocommit=True) as conn:
        await conn.execute("LISTEN steelyard")
        for _ in range(1000):
            await database.notify("inbox")
        for _ in range(10):
            await database.notify("desk")
            await asyncio.sleep(0.005)
        heard = [hint.payload async for hint in conn.notifies(timeout=0.5)]
    assert heard.count("inbox") == 1
    assert 1 <= heard.count("desk") <= 5


async def test_without_hints_polling_goes_on_and_hints_come_back(database: Database, superuser_url: str) -> None:
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'steelyard hints'"
    async with aclosing(database.listen("inbox", poll=0.1)) as hints:
        await anext(hints)
        await anext(hints)
        with psycopg.connect(superuser_url, autocommit=True) as conn:
            await asyncio.sleep(0.1)
            assert len(conn.execute(cut).fetchall()) == 1
        for _ in range(5):
            await asyncio.wait_for(anext(hints), 1)
    await asyncio.sleep(0.3)
    async with aclosing(database.listen("inbox", poll=30)) as hints:
        await anext(hints)
        await database.notify("inbox")
        await asyncio.wait_for(anext(hints), 5)


@pytest.mark.parametrize("steps", range(6))
async def test_who_listens_ends_when_told_to_although_a_hint_comes_too(database: Database, steps: int) -> None:
    rounds = 0

    async def listen() -> None:
        nonlocal rounds
        async for _ in database.listen("inbox", poll=30):
            rounds += 1

    listening = asyncio.create_task(listen())
    async with asyncio.timeout(5):
        while rounds < 2:  # noqa: ASYNC110 - until it is really listening
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.01)
    for heard in database._listeners["inbox"]:  # pyright: ignore[reportPrivateUsage]
        heard.set()
    for _ in range(steps):
        await asyncio.sleep(0)
    listening.cancel()
    await asyncio.wait([listening], timeout=5)
    assert listening.cancelled()


@pytest.mark.parametrize("steps", range(8))
async def test_who_waits_for_a_connection_ends_when_told_to_although_one_comes_too(app_url: str, steps: int) -> None:
    async with Database.open(app_url, size=1) as database:

        async def wait() -> None:
            async with database.cell():
                pass
            await asyncio.sleep(60)

        async with database.cell():
            waiting = asyncio.create_task(wait())
            await asyncio.sleep(0.05)
        for _ in range(steps):
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting], timeout=5)
        assert waiting.cancelled()
        async with asyncio.timeout(5), database.cell() as conn:
            await conn.execute("SELECT 1")
