"""The console as a browser asks for it: on a port of this machine."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from desk_seed import NOW, Desk
from steelyard.kit.ids import CellId
from steelyard.main.console import Site
from steelyard.main.console import console as create
from steelyard.store.database import Database
from steelyard.web.static import read_static

ROOT = Path(__file__).parents[2]


class Served:
    """The console of a database on a port of its own, which it keeps when it starts again."""

    def __init__(self, database: Database, keys: Path, *, open_to_loopback: bool = True) -> None:
        site = Site(CellId("eu1"), keys, open_to_loopback=open_to_loopback, clock=lambda: NOW)
        self._app = create(database, read_static(), site)
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        listening = socket.create_server(("127.0.0.1", self._port))
        self._port = listening.getsockname()[1]
        options = {"log_level": "critical", "lifespan": "off", "timeout_graceful_shutdown": 1, "ws": "none"}
        self._server = uvicorn.Server(uvicorn.Config(self._app, **options))
        self._task = asyncio.create_task(self._server.serve([listening]))

    async def stop(self) -> None:
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task


@dataclass
class Console:
    """A served desk, and the workspace behind it."""

    served: Served
    desk: Desk

    @property
    def url(self) -> str:
        return self.served.url
