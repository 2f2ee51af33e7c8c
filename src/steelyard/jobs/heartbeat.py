"""A worker's signs of life, from a thread of its own: while the event loop computes, others leave its jobs alone.

The same thread knows when the process as a whole stood still, as one does that was stopped or that got no processor:
others have its jobs by then, so it ends before it does a second time what they did.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import asynccontextmanager
from typing import LiteralString

import psycopg
from procrastinate import App

from steelyard.jobs.app import CONNECTING, HEARTBEAT, workers_of
from steelyard.jobs.rescue import STALE
from steelyard.store.database import Connection, end_if_cancelled

LIMIT = STALE - HEARTBEAT
"""Seconds that a process may stand still: with those since its last heartbeat it is not stale yet."""

_LOOK_EVERY = 0.25
_LEFT_BEHIND = 75
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while the machine sleeps, and when its time is set."""

ALIVE: LiteralString = """
SELECT ceil(count(*) / 3.0)::integer AS count FROM procrastinate_workers
WHERE last_heartbeat > clock_timestamp() - interval '10 seconds'
"""
"""Counts the worker processes that live. Each shows itself as three: one delivers, one reads and tells, one runs."""

_BEAT = "UPDATE procrastinate_workers SET last_heartbeat = now() WHERE id = ANY(%s)"
_log = logging.getLogger(__name__)


@asynccontextmanager
async def beating(url: str, app: App) -> AsyncGenerator[None]:
    """While the block runs, the database knows that `app`'s workers live, whatever the event loop does.

    Ends this process at once, with status 75, when it stood still for LIMIT seconds. That the loop computes is no
    standing still, nor is a database that cannot be reached.
    """
    heart = _Heart(url, lambda: workers_of(app))
    thread = threading.Thread(target=heart.run, name="heartbeat", daemon=True)
    loop = asyncio.get_running_loop()

    def look() -> None:
        nonlocal timer
        heart.judge()
        timer = loop.call_later(_LOOK_EVERY, look)

    # The loop may go on before the thread does. A timer looks, since timers come before tasks: one that waits for
    # Intercom's answer would act on what is not so any more.
    timer = loop.call_later(_LOOK_EVERY, look)
    thread.start()
    try:
        yield
    finally:
        timer.cancel()
        heart.stop()
        await asyncio.to_thread(thread.join, LIMIT)


class _Heart:
    """What the thread does. It has an event loop for the sake of waits that end."""

    def __init__(self, url: str, workers: Callable[[], Collection[int]]) -> None:
        self._url = url
        self._workers = workers
        self._ended = threading.Event()
        self._looked = time.clock_gettime(_CLOCK)

    def run(self) -> None:
        asyncio.run(self._run())

    def stop(self) -> None:
        """Ends `run` soon; from any thread."""
        self._ended.set()

    def judge(self) -> float:
        """Ends this process if its thread stood still for too long; returns the time. From any thread."""
        now = time.clock_gettime(_CLOCK)
        still = now - self._looked
        if still > LIMIT:
            _log.error("this process stood still for %.1f s and others do its work: it ends", still)
            os._exit(_LEFT_BEHIND)
        return now

    async def _run(self) -> None:
        beats = asyncio.create_task(self._beat_on())
        while not self._ended.is_set():
            self._looked = self.judge()
            await asyncio.sleep(_LOOK_EVERY)
        beats.cancel()
        await asyncio.wait([beats])

    async def _beat_on(self) -> None:
        """Beats until cancelled. Where the database cannot be reached, those who wait for it say so."""
        while True:
            try:
                async with await self._connect() as conn:
                    while True:
                        async with asyncio.timeout(LIMIT):
                            await conn.execute(_BEAT, [list(self._workers())])
                        await asyncio.sleep(HEARTBEAT)
            except (psycopg.Error, OSError):
                end_if_cancelled()
            await asyncio.sleep(HEARTBEAT)

    async def _connect(self) -> Connection:
        async with asyncio.timeout(LIMIT):
            return await Connection.connect(
                self._url, autocommit=True, **CONNECTING, application_name="steelyard heartbeat"
            )
