"""The web process: what Intercom posts before everything else, then the console."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import uvicorn

from steelyard.adapters.intercom.regions import region_of
from steelyard.adapters.intercom.signature import verify, verify_canvas
from steelyard.config import Settings
from steelyard.jobs.processes import end_with_parent
from steelyard.kit.ids import CellId, WorkspaceId
from steelyard.kit.metrics import Sample
from steelyard.main.console import Site, console
from steelyard.main.ground import now, unseal_with
from steelyard.routing import store
from steelyard.routing.canvas_app import PREFIX as CANVAS
from steelyard.routing.canvas_app import CanvasApp
from steelyard.routing.inbox import CellInbox
from steelyard.routing.ingest import Ingest
from steelyard.routing.metrics import METRICS as ROUTING_METRICS
from steelyard.routing.metrics import CellMetrics, ingest_samples
from steelyard.routing.ready import Ready
from steelyard.store.database import Database
from steelyard.store.keys import WEB
from steelyard.toolbox import metrics as runs_metrics
from steelyard.web.guard import Guard
from steelyard.web.static import read_static
from steelyard.web.vitals import LIVE, METRICS, READY, Vitals

Message = MutableMapping[str, Any]
Asgi = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


@asynccontextmanager
async def web_app(settings: Settings, url: str) -> AsyncGenerator[Asgi]:
    """What the web process serves: what Intercom posts before everything else, then the console."""
    async with (
        Database.open(url, size=10, name="steelyard web") as database,
        aclosing(CellInbox(database, time.monotonic, unseal_with(settings.keys, WEB))) as inbox,
    ):
        cell = CellId(settings.cell)
        hosts = {CellId(name): host for name, host in settings.cells.items()}
        ingest = Ingest(cell, hosts, inbox, verify)
        canvas = CanvasApp(cell, hosts, database, inbox, verify_canvas, region_of, settings.console_url or "")

        async def changes(workspace: WorkspaceId) -> AsyncGenerator[None, None]:
            async for _ in database.listen(store.DESK, 2.0):
                yield

        site = Site(
            cell,
            settings.keys,
            settings.console_url,
            settings.open_to_loopback,
            changes,
            runbooks=settings.runbooks,
        )
        pages = console(database, read_static(), site)
        yield _front(ingest, canvas, pages, _web_vitals(database, settings, ingest))


def _front(ingest: Any, canvas: Any, pages: Any, vitals: Vitals) -> Asgi:
    """What Intercom posts, which it signs, goes past everything that pages need."""
    metrics = Guard(vitals)

    def front(scope: Message, receive: Any, send: Any) -> Awaitable[None]:
        path: str = scope.get("path", "")
        if path.startswith("/hooks/") and scope["type"] == "http":
            return ingest(scope, receive, send)
        if path.startswith(CANVAS) and scope["type"] == "http":
            return canvas(scope, receive, send)
        if path in (LIVE, READY):
            return vitals(scope, receive, send)
        return (metrics if path == METRICS else pages)(scope, receive, send)

    return front


def _web_vitals(database: Database, settings: Settings, ingest: Ingest) -> Vitals:
    """A web process is ready when it can verify webhooks and store them."""
    cell_metrics = CellMetrics(database, now)

    async def samples() -> list[Sample]:
        told, runs = await asyncio.gather(cell_metrics.samples(), runs_metrics.samples(database))
        return [*ingest_samples(ingest), *told, *runs]

    ready = Ready(database, unseal_with(settings.keys, WEB), worker=False, also=ingest.trouble)
    return Vitals(ready.reasons, (*ROUTING_METRICS, *runs_metrics.METRICS), samples)


async def run_web(settings: Settings, url: str) -> None:
    """Serves until it is told to stop."""
    async with web_app(settings, url) as app:
        watching = asyncio.create_task(end_with_parent())
        await uvicorn.Server(uvicorn_config(app, settings.host, settings.port)).serve()
        watching.cancel()


def uvicorn_config(app: Any, host: str, port: int) -> uvicorn.Config:
    """How a web process serves `app`."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http="httptools",
        ws="none",
        interface="asgi3",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=3,
    )
