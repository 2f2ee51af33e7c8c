"""The addresses that machines ask: is this process alive, is it ready, and its metrics. No session, no page."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn
from structlog import get_logger

from steelyard.kit.metrics import Metric, Sample
from steelyard.web.exposition import CONTENT_TYPE, exposition
from steelyard.web.guard import Guard

LIVE, READY, METRICS = "/health/live", "/health/ready", "/metrics"

_TEXT = "text/plain; charset=utf-8"

log = get_logger()


class Vitals:
    """An ASGI application for LIVE, READY and METRICS; everything else is not found."""

    def __init__(
        self,
        reasons: Callable[[], Awaitable[Sequence[str]]],
        metrics: Sequence[Metric],
        samples: Callable[[], Awaitable[Iterable[Sample]]],
    ) -> None:
        """`reasons`: codes that say why the process is not ready; none where it is."""
        self._reasons = reasons
        self._metrics = metrics
        self._samples = samples

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers one request."""
        path = scope["path"]
        if path == LIVE:
            await _answer(send, 200, _TEXT, b"ok")
        elif path == READY:
            reasons = await self._reasons()
            body = json.dumps({"ready": not reasons, "reasons": list(reasons)}).encode()
            await _answer(send, 503 if reasons else 200, "application/json", body)
        elif path == METRICS:
            await _answer(send, 200, CONTENT_TYPE, exposition(self._metrics, await self._samples()))
        else:
            await _answer(send, 404, _TEXT, f"{LIVE}, {READY} or {METRICS}".encode())


async def _answer(send: Any, status: int, content_type: str, body: bytes) -> None:
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class _Quiet(uvicorn.Server):
    """A server beside other work: signals are the process's."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def serve_vitals(vitals: Vitals, port: int, again: float = 10.0) -> None:
    """Answers on 127.0.0.1 until cancelled. A port that is taken is tried `again` seconds later: the work goes on."""
    while True:
        try:
            listening = socket.create_server(("127.0.0.1", port))
        except OSError as error:
            log.warning("vitals.not_shown", port=port, error=error.strerror, advice="is it another process's?")
            await asyncio.sleep(again)
            continue
        config = uvicorn.Config(
            Guard(vitals), lifespan="off", ws="none", access_log=False, log_level="warning", server_header=False
        )
        with listening:
            await _Quiet(config).serve([listening])
