"""Live viewers, in a process of their own: each holds a stream open and notes when it saw which decision.

python bench/_viewers.py PORT SECONDS FILE < cookies, one a line: an empty line is nobody in particular
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
import zlib
from contextlib import suppress
from pathlib import Path

import uvloop

DECISION = re.compile(rb'id="decision-(\d+)"')
ACCEPTED = "Accept: text/event-stream\r\nAccept-Encoding: gzip\r\n"
AT_ONCE = 25
"""Viewers that come at the same time."""


class Viewer:
    """One stream: what came, and when."""

    def __init__(self, port: int, cookie: str) -> None:
        self._port, self._cookie = port, cookie
        self.newest = 0
        self.seen: list[tuple[float, int]] = []
        self.bytes = 0
        self.greeted = asyncio.Event()

    async def watch(self) -> None:
        """Reads for ever."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**20)
        cookie = f"Cookie: steelyard_session={self._cookie}\r\n" if self._cookie else ""
        asked = f"GET /desk/live HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n{ACCEPTED}{cookie}\r\n"
        writer.write(asked.encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise SystemExit(f"a viewer was answered {head[:200]!r}")
        if b"content-encoding: gzip" not in head:
            raise SystemExit("a stream is not compressed")
        unpack, rest = zlib.decompressobj(zlib.MAX_WBITS | 16), b""
        while size := int(await reader.readline(), 16):  # one chunk after the other
            chunk = (await reader.readexactly(size + 2))[:-2]
            self.bytes += size
            plain = unpack.decompress(chunk)
            self._take(rest + plain)
            rest = plain[-40:]
        raise SystemExit("a stream ended")

    def _take(self, chunk: bytes) -> None:
        found = max((int(each) for each in DECISION.findall(chunk)), default=0)
        if b"event: beat" in chunk or found:
            self.greeted.set()
        if found > self.newest:
            self.newest = found
            self.seen.append((time.monotonic(), found))


async def run(port: int, seconds: float, file: Path, cookies: list[str]) -> None:
    """Opens all streams, says so, watches, and writes down what was seen."""
    viewers = [Viewer(port, cookie) for cookie in cookies]
    watching: list[asyncio.Task[None]] = []
    for start in range(0, len(viewers), AT_ONCE):
        these = viewers[start : start + AT_ONCE]
        watching += [asyncio.create_task(each.watch()) for each in these]
        await asyncio.gather(*(each.greeted.wait() for each in these))
    sys.stdout.write("watching\n")
    sys.stdout.flush()
    before = sum(each.bytes for each in viewers)
    done, _ = await asyncio.wait(watching, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    for each in done:
        each.result()
    seen = [each.seen for each in viewers]
    noted = json.dumps({"seen": seen, "bytes": sum(each.bytes for each in viewers) - before})
    await asyncio.to_thread(file.write_text, noted)
    for each in watching:
        each.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*watching)


if __name__ == "__main__":
    lines = sys.stdin.read().split("\n")[:-1]
    uvloop.run(run(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]), lines))
