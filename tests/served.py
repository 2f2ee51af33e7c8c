"""Serving an application as a web process does, on a port of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from steelyard.main.web import uvicorn_config


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[int]:
    """Serves `app` while the block runs; the port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        server = uvicorn.Server(uvicorn_config(app, "127.0.0.1", port))
        server.capture_signals = contextlib.nullcontext
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:  # noqa: ASYNC110 - uvicorn offers nothing to wait for
                await asyncio.sleep(0.01)
            yield port
        finally:
            server.should_exit = True
            await task
