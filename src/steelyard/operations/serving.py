"""Serving: web and worker, as this process or as children that are started again when they die."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import structlog

from steelyard.config import Settings, to_environment
from steelyard.jobs.processes import keep_running, run
from steelyard.kit.errors import StoreError
from steelyard.operations.database import OwnServer, ready_database
from steelyard.operations.people import links_for_first

_LOOK_AT_DATABASE_EVERY = 1.0

log = structlog.get_logger()


def serve(settings: Settings, role: str) -> None:
    """Serves until SIGINT or SIGTERM: `web`, `worker`, or `all` with both as children, started again when they die."""
    with ready_database(settings) as (url, server):
        # A role imports what it is made of; who looks after both roles imports neither.
        if role == "web":
            from steelyard.main import web

            return run(web.run_web(settings, url))
        if role == "worker":
            from steelyard.main import worker

            return run(worker.run_worker_process(settings, url))
        run(_all(settings, to_environment(settings) | {"DATABASE_URL": url}, server))


async def _all(settings: Settings, environment: Mapping[str, str], server: OwnServer | None) -> None:
    sys.stderr.write(f"Steelyard serves cell {settings.cell} on http://{settings.host}:{settings.port}/\n")
    # On a terminal alone: what goes to a log stays there, and a link in it would open to whoever reads logs.
    if sys.stderr.isatty():
        for workspace, link in (await links_for_first(environment["DATABASE_URL"], settings)).items():
            sys.stderr.write(f"Nobody administers {workspace} yet. Open this link within the hour to do so: {link}\n")
    async with processes(environment):
        if server is None:
            await asyncio.Event().wait()
        else:
            await _keep_alive(server)


async def _keep_alive(server: OwnServer) -> None:
    while True:
        await asyncio.sleep(_LOOK_AT_DATABASE_EVERY)
        if await asyncio.to_thread(server.alive):
            continue
        log.warning("database.died", advice="it is started again")
        try:
            await asyncio.to_thread(server.start)
        except StoreError as error:
            # Right after a kill its last processes may still hold the data: the next look tries again.
            log.warning("database.not_started", error=str(error))


@asynccontextmanager
async def processes(environment: Mapping[str, str]) -> AsyncGenerator[None]:
    """Web and worker run inside. When one of them cannot, the block is cancelled and raises it in a group."""
    async with asyncio.TaskGroup() as group:
        children = [
            group.create_task(keep_running(name, ["serve", "--role", name], environment)) for name in ("web", "worker")
        ]
        yield
        for child in children:
            child.cancel()
