"""Processes that tests wait for: one that does not end is killed, by its own id, and named."""

from __future__ import annotations

import asyncio
import subprocess
from typing import AnyStr

import pytest

PATIENCE = 20.0
"""Seconds: what is told to end has 15 itself."""


async def ended(process: asyncio.subprocess.Process, what: str, seconds: float = PATIENCE) -> tuple[bytes, bytes]:
    """What `process` said, once it has ended; the test fails where it does not. `what`: what it is called then."""
    saying = asyncio.ensure_future(process.communicate())
    done, _ = await asyncio.wait([saying], timeout=seconds)
    if done:
        return saying.result()
    process.kill()
    await asyncio.wait([saying], timeout=5)  # a child of it may hold what it wrote to
    saying.cancel()
    pytest.fail(f"{what}, process {process.pid}, did not end within {seconds:.0f} s and was killed")


def ended_here(process: subprocess.Popen[AnyStr], what: str, seconds: float = PATIENCE) -> tuple[AnyStr, AnyStr]:
    """The same of a process that no loop watches."""
    try:
        return process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
        pytest.fail(f"{what}, process {process.pid}, did not end within {seconds:.0f} s and was killed")
