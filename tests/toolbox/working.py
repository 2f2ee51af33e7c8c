"""A worker as a process of its own, which can be killed; and the command line beside it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RUNBOOKS = Path(__file__).parent / "runbooks"


@dataclass
class Installation:
    """What processes of one installation have in common."""

    url: str
    keys: Path
    log: Path
    runbooks: Path = RUNBOOKS
    workers: list[asyncio.subprocess.Process] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "DATABASE_URL": self.url,
            "STEELYARD_CELL": "eu1",
            "STEELYARD_KEYS": str(self.keys),
            "STEELYARD_RUNBOOKS": str(self.runbooks),
        }

    async def start(self) -> asyncio.subprocess.Process:
        with self.log.open("ab") as log:
            worker = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "steelyard", "serve", "--role", "worker",
                env=self.environment, stdout=log, stderr=log,
            )  # fmt: skip
        self.workers.append(worker)
        return worker

    async def kill(self) -> None:
        """As a machine that loses its power would: every worker at once."""
        for worker in self.workers:
            if worker.returncode is None:
                worker.send_signal(signal.SIGKILL)
                await worker.wait()
        self.workers.clear()

    async def command(self, *arguments: str, given: bytes = b"") -> tuple[int, str, str]:
        """A `steelyard` command: its status, what it said, and what it complained of."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "steelyard", *arguments,
            env=self.environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await asyncio.wait_for(process.communicate(given), 60)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def asked(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """A command that answers with JSON."""
        status, out, err = await self.command(*arguments, "--json")
        assert out, err
        return status, json.loads(out)


@asynccontextmanager
async def installed(url: str, keys: Path, folder: Path) -> AsyncIterator[Installation]:
    """An installation without a worker; those that are started end with the block."""
    made = Installation(url, keys, folder / "worker.log")
    try:
        yield made
    finally:
        await made.kill()
