"""The worker process: what it does side by side, and how it ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from steelyard.config import Settings
from steelyard.jobs.app import job_app
from steelyard.kit.ids import Position, WorkspaceId
from steelyard.main import worker
from steelyard.routing.deliver import Delivery
from steelyard.routing.reconcile import Reconcile
from steelyard.store.database import Database


async def test_deliveries_that_wait_keep_nothing_else_from_being_done(
    database: Database,
    app_url: str,
    keys: Path,
    make_workspace: Callable[..., Awaitable[WorkspaceId]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    delivering: list[int] = []
    full, answered, delivered, read = asyncio.Event(), asyncio.Event(), list[int](), asyncio.Event()

    async def deliver(_: Delivery, workspace: WorkspaceId, decision: Position) -> None:
        delivering.append(decision)
        if len(delivering) == 3:
            full.set()
        await answered.wait()
        delivered.append(decision)

    async def roster(_: Reconcile, workspace: WorkspaceId) -> None:
        read.set()

    monkeypatch.setattr(Delivery, "deliver", deliver)
    monkeypatch.setattr(Reconcile, "roster", roster)
    workspace = await make_workspace()
    app = job_app(app_url, size=1)
    async with app.open_async():
        for decision in range(1, 41):
            task = app.configure_task("routing.deliver", queue="deliver")
            await task.defer_async(workspace=workspace, decision=decision)
    settings = Settings(cell="eu1", data=keys, keys=keys, deliveries=3, metrics_port=0)
    process = asyncio.create_task(worker.run_worker_process(settings, app_url))
    try:
        await asyncio.wait_for(read.wait(), 20)
        await asyncio.wait_for(full.wait(), 20)
        process.cancel()
        await asyncio.sleep(0.5)
        assert not process.done(), "it does not wait for what it does"
    finally:
        answered.set()
        if not process.cancelling():
            process.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait_for(process, 20)
    assert sorted(delivered) == sorted(delivering)
    async with database.cell() as conn:
        left = await (await conn.execute("SELECT id FROM procrastinate_workers")).fetchall()
        doing = await (await conn.execute("SELECT id FROM procrastinate_jobs WHERE status = 'doing'")).fetchall()
    assert left == doing == []
    assert [thread for thread in threading.enumerate() if thread.name == "heartbeat"] == []


@pytest.mark.parametrize(
    "part", ["steelyard.routing.work.route_all", "steelyard.main.worker.expire", "steelyard.main.worker.tidy_toolbox"]
)
async def test_a_worker_ends_although_its_connection_breaks_then(
    app_url: str, keys: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """psycopg may answer a cancellation with the error of the connection: no part takes that for a pause."""
    working = asyncio.Event()

    async def breaks(*_: object) -> None:
        working.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise psycopg.OperationalError("the connection is lost") from None

    monkeypatch.setattr(part, breaks)
    settings = Settings(cell="eu1", data=keys, keys=keys, metrics_port=0)
    process = asyncio.create_task(worker.run_worker_process(settings, app_url))
    await asyncio.wait_for(working.wait(), 20)
    process.cancel()
    done, _ = await asyncio.wait([process], timeout=10)
    process.cancel()
    if not done:
        print([t for t in asyncio.all_tasks()])
    assert done
    with pytest.raises(asyncio.CancelledError):
        await process
