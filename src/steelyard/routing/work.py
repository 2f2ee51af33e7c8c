"""The loop of a worker: every workspace with something to route is routed, several at once, until nothing is left."""

from __future__ import annotations

import asyncio

import psycopg
from structlog import get_logger

from steelyard.kit.ids import WorkspaceId
from steelyard.routing.router import Router
from steelyard.routing.store import DESK, INBOX
from steelyard.store.database import Database, advice_on, end_if_cancelled

POLL = 1.0
"""Seconds between two looks where no hint came."""

_AT_ONCE = 8

log = get_logger()


async def work(database: Database, router: Router) -> None:
    """Routes until it is cancelled. A workspace that fails is logged and tried again with the next look."""
    async for _ in database.listen(INBOX, POLL):
        try:
            while await route_all(database, router):
                await database.notify(DESK)
        except (psycopg.Error, OSError) as error:
            end_if_cancelled()
            log.warning("routing.paused", error=type(error).__name__, advice=advice_on(error))


async def route_all(database: Database, router: Router) -> int:
    """One batch of every workspace that has something; how many payloads were handled."""
    async with database.cell() as conn:
        rows = await (await conn.execute("SELECT workspaces_with_work()")).fetchall()
    places = asyncio.Semaphore(_AT_ONCE)

    async def route(workspace: WorkspaceId) -> int:
        async with places:
            try:
                return await router.route(workspace)
            except (psycopg.OperationalError, psycopg.InternalError):
                raise
            except Exception:
                log.exception("routing.failed", workspace=workspace)
                return 0

    return sum(await asyncio.gather(*(route(WorkspaceId(name)) for (name,) in rows)))
