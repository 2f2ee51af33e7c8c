"""Programs on a host that are to end: told to, and waited for, so that none is left behind unnoticed."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from steelyard.toolbox.reach import HostError
from steelyard.toolbox.way import Program

LEAVING = 8.0
"""Seconds that a program has to end what it does."""
_KILLED = 1.0
"""Seconds for one that is not asked: one behind a connection may go on there, where nothing can be done about it."""


async def ended(program: Program) -> None:
    """Ends a program, and waits a little until it has gone."""
    program.end()
    await left(program, _KILLED)


async def left(program: Program, within: float = LEAVING) -> None:
    """Waits until a program has gone that was told to, as long as it may take: `within` seconds."""
    with suppress(HostError, TimeoutError):
        async with asyncio.timeout(within):
            await program.gone()
