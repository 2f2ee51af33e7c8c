"""A web server on loopback that answers as the query of each address asks it to."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, urlsplit

SERVICE_WORKER = """
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(clients.claim()));
self.addEventListener("fetch", (event) => {
  if (event.request.url.includes("through")) return;
  if (event.request.url.includes("asking")) return event.respondWith(fetch(event.request));
  event.respondWith(new Response("<title>own</title>", { headers: { "content-type": "text/html", "x-of": "worker" } }));
});
"""


@dataclass
class Origin:
    """Where every name of the browser leads to; each address says in its query what it is answered with.

    status=302&to=/other, header=Name:+value (any number), etag=x (revalidated), wait=name (until `let(name)`, before
    the head), half=name (the same, after half of the body), cut=1 (the connection ends there), drop=1 (without answer).
    """

    port: int = 0
    asked: list[str] = field(default_factory=list[str])
    #: Headers and bodies of some paths, which a test may change between two loads.
    replies: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    bodies: dict[str, str] = field(default_factory=dict[str, str])
    _gates: dict[str, asyncio.Event] = field(default_factory=dict[str, asyncio.Event])
    _number: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def at(self, path: str, host: str = "localhost", **query: str | list[str]) -> str:
        """An address here."""
        pairs = [
            (name, each) for name, value in query.items() for each in (value if isinstance(value, list) else [value])
        ]
        text = "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)
        return f"http://{host}:{self.port}{path}" + (f"?{text}" if text else "")

    def let(self, gate: str) -> None:
        """What waits for that goes on."""
        self._gate(gate).set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._answer((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"), writer):
                pass
        writer.close()

    def _gate(self, name: str) -> asyncio.Event:
        return self._gates.setdefault(name, asyncio.Event())

    async def _answer(self, request: str, writer: asyncio.StreamWriter) -> bool:
        """Answers one request; whether the connection goes on."""
        path = request.split(" ")[1]
        query = parse_qs(urlsplit(path).query)
        if path in self.replies:
            query = {**query, "header": self.replies[path]}
        self.asked.append(path)
        for gate in query.get("wait", []):
            await self._gate(gate).wait()
        if "drop" in query:
            return False
        head, body = self._page(path, query, request.lower())
        writer.write(head)
        if "half" in query or "cut" in query:
            writer.write(body[: len(body) // 2])
            await writer.drain()
            for gate in query.get("half", []):
                await self._gate(gate).wait()
            body = b"" if "cut" in query else body[len(body) // 2 :]
        writer.write(body)
        await writer.drain()
        return "cut" not in query

    def _page(self, path: str, query: dict[str, list[str]], request: str) -> tuple[bytes, bytes]:
        etag = query.get("etag", [""])[0]
        status = int(query.get("status", ["304" if etag and f'if-none-match: "{etag}"' in request else "200"])[0])
        body = (
            b"" if status in {204, 304} else f"<!doctype html><title>{urlsplit(path).path}</title>{'.' * 2000}".encode()
        )
        kind = "text/html"
        if path in self.bodies:
            body = self.bodies[path].encode()
        if path == "/worker.js":
            body, kind = SERVICE_WORKER.encode(), "text/javascript"
        lines = [f"HTTP/1.1 {status} As asked", f"X-Number: {next(self._number)}", f"X-Of: {urlsplit(path).path}"]
        lines += [f"Location: {query['to'][0]}"] if "to" in query else []
        lines += [f'ETag: "{etag}"'] if etag else []
        lines += query.get("header", [])
        if not any(line.lower().startswith("content-type:") for line in lines):
            lines.append(f"Content-Type: {kind}")
        lines += [] if status in {204, 304} else [f"Content-Length: {len(body)}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), body


@asynccontextmanager
async def serving() -> AsyncIterator[Origin]:
    """An origin that listens."""
    origin = Origin()
    server = await asyncio.start_server(origin.serve, "127.0.0.1", 0)
    origin.port = server.sockets[0].getsockname()[1]
    yield origin
    server.close()
