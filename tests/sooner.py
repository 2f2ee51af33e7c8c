"""What costs one process a moment costs thousands of tests minutes: it is done once, or waited for in smaller steps."""

from __future__ import annotations

import asyncio
import functools
import gc
from typing import Any

import uvicorn.server
from httpx._transports import default


class _OftenLooking:
    """asyncio for uvicorn, which looks ten times a second whether it is to end: here two hundred times."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 20)


uvicorn.server.asyncio = _OftenLooking()
# Every client reads all authorities of the system.
default.create_ssl_context = functools.cache(default.create_ssl_context)
# A sweep looks at what thousands of tests, their modules and rewritten sources hold: half of the time without this.
gc.set_threshold(20_000, 10, 10)


def pytest_collection_finish() -> None:
    """What was collected lives until the end: no sweep of the memory looks at it again."""
    gc.collect()
    gc.freeze()
