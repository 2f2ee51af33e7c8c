"""Programs on a host that are to end: told to, and waited for, so that none is left behind unnoticed."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from steelyard.toolbox.reach import HostError
from steelyard.toolbox.way import Program

LEAVING = 8.0
"""Seconds that a program has to end what it does."""


async def ended(program: Program) -> None:
    """Ends a program and waits until it has gone, as long as it may take."""
    program.end()
    await left(program)


async def left(program: Program) -> None:
    """Waits until a program has gone that was told to, as long as it may take."""
    with suppress(HostError, TimeoutError):
        async with asyncio.timeout(LEAVING):
            await program.gone()
