"""How long is waited for what has to come: a machine may be slow, and none of these waits says how fast anything is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

PATIENCE = 30
"""Seconds."""


async def until(read: Callable[[], Awaitable[Any]], holds: Callable[[Any], object], what: str = "not so") -> Any:
    """What is read, once that holds of it; fails with what is read instead."""
    end = monotonic() + PATIENCE
    while not holds(found := await read()):
        if monotonic() > end:
            raise AssertionError(f"{what} after {PATIENCE} seconds: {found!r}")
        await asyncio.sleep(0.025)
    return found
