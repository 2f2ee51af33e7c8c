"""Scanner processes beside the worker, one for each processor it may use, which end with it.

They are given rules and files over a pipe and have nothing else: see scanner.py and sandbox.py.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, cast

from steelyard.kit.errors import SteelyardError
from steelyard.toolbox.hosted.scanner.looking import Pack
from steelyard.toolbox.scanning.model import Hit, Layout

PROCESSES: Final = 2
_LONGEST: Final = 400_000_000
"""Bytes of one line: a batch is far shorter."""
_TO_START: Final = 120.0
_TO_ANSWER: Final = 600.0
_MODULE: Final = "steelyard.toolbox.scanning.scanner"


class ScannerError(SteelyardError):
    """The scanner ended, or did not answer: what it was given may be what ended it."""


class Looked(NamedTuple):
    """What a file is, and what was said of it. `problem`: a word where it could not be looked at whole."""

    sha256: str
    hits: tuple[Hit, ...]
    problem: str
    unread: str = ""
    """Why it could not be read."""


@dataclass(slots=True)
class _Running:
    process: asyncio.subprocess.Process
    locks: tuple[str, ...]


class Scanners:
    """Processes that look at batches. One that ends is started again when it is needed."""

    def __init__(self, packs: Sequence[Pack], layout: Layout, count: int) -> None:
        self._first = json.dumps({"packs": packs, "layout": layout}).encode() + b"\n"
        self._idle: asyncio.Queue[_Running | None] = asyncio.Queue()
        for _ in range(count):
            self._idle.put_nowait(None)
        self._all: list[_Running] = []
        self.count = count
        self.locks: tuple[str, ...] = ()
        """What holds of the sandbox on this machine, once a scanner was started."""

    async def look(self, batch: dict[str, Any]) -> list[Looked]:
        """What is in a batch as `scan.read` answered it, with `names`. Raises ScannerError where the scanner ended."""
        running = await self._idle.get()
        try:
            if running is None:
                running = await self._start()
            answer = await self._ask(running, json.dumps(batch).encode() + b"\n", _TO_ANSWER)
        except BaseException as error:
            await self._end(running)
            running = None
            if isinstance(error, OSError | ValueError | TimeoutError):
                raise ScannerError("the scanner ended") from error
            raise
        finally:
            self._idle.put_nowait(running)
        if "refused" in answer:
            raise ScannerError(f"the scanner could not read what the host sent: {answer['refused']}")
        return [
            Looked(digest, tuple(Hit(*each) for each in hits), problem) for digest, hits, problem in answer["files"]
        ]

    async def close(self) -> None:
        """Ends all."""
        for each in self._all.copy():
            await self._end(each)

    async def _start(self) -> _Running:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-I", "-m", _MODULE),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_LONGEST,
            env={"PATH": "/usr/bin:/bin"},
            cwd="/",
            start_new_session=True,
        )
        running = _Running(process, ())
        self._all.append(running)
        try:
            answer = await self._ask(running, self._first, _TO_START)
        except BaseException:
            await self._end(running)
            raise
        running.locks = self.locks = tuple(answer["locks"])
        return running

    async def _ask(self, running: _Running, line: bytes, most: float) -> dict[str, Any]:
        process = running.process
        if process.stdin is None or process.stdout is None:
            raise ScannerError("the scanner has no pipes")
        async with asyncio.timeout(most):
            process.stdin.write(line)
            await process.stdin.drain()
            return cast("dict[str, Any]", json.loads(await process.stdout.readline()))

    async def _end(self, running: _Running | None) -> None:
        if running is None:
            return
        if running in self._all:
            self._all.remove(running)
        with suppress(ProcessLookupError):
            running.process.kill()
        await running.process.wait()


@asynccontextmanager
async def scanners(packs: Sequence[Pack], layout: Layout) -> AsyncGenerator[Scanners]:
    """Scanners that know these rules, while the block runs."""
    running = Scanners(packs, layout, min(PROCESSES, os.cpu_count() or 1))
    try:
        yield running
    finally:
        await running.close()
