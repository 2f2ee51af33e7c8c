"""Gives a dead worker's jobs to the living: a job of a worker without a heartbeat becomes ready again.

A killed worker is silent from its last heartbeat on, so its jobs run again after at most STALE + one round of this loop
+ one poll of another worker: about seven seconds. One that computes keeps beating, and one that only stood still ends
itself when it goes on (jobs/heartbeat.py), lest it do a second time what others have done by then.

The clock of the database may be set: then a heartbeat just written looks an hour old, or an hour too young. So who was
seen to live a moment ago, by a clock that is never set, is left alone, and a heartbeat from the future is none.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from math import inf

import psycopg

from steelyard.jobs.retry import LONGEST_PAUSE
from steelyard.store.database import Database, advice_on, end_if_cancelled
from steelyard.store.migrate import said

STALE = 4.0
"""Seconds without a heartbeat after which a worker counts as dead."""

_log = logging.getLogger(__name__)

# The comparison with the worker that was found dead is made on the locked row: where two of us rescue at once, the
# second finds the job ready, or with its next worker, and leaves it alone.
_RESCUE = """
WITH stalled AS (
    SELECT job.id, job.worker_id FROM procrastinate_jobs AS job
    LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
    WHERE job.status = 'doing'
      AND (worker.id IS NULL
           OR worker.id <> ALL(%(alive)s) AND abs(extract(epoch FROM now() - worker.last_heartbeat)) > %(stale)s)
)
UPDATE procrastinate_jobs AS job
SET status = 'todo', attempts = attempts + 1, scheduled_at = NULL, abort_requested = false
FROM stalled
WHERE job.id = stalled.id AND job.status = 'doing' AND job.worker_id IS NOT DISTINCT FROM stalled.worker_id
"""

# Later than the rescue, which needs to know them: a worker's row that is gone leaves its jobs without an owner.
_PRUNE = """
DELETE FROM procrastinate_workers
WHERE id <> ALL(%(alive)s) AND abs(extract(epoch FROM now() - last_heartbeat)) > %(stale)s
"""

# What is tried again waits for LONGEST_PAUSE at most: what is due later was put off before the clock was set back.
_HASTEN = """
UPDATE procrastinate_jobs SET scheduled_at = now()
WHERE status = 'todo' AND attempts > 0 AND scheduled_at > now() + make_interval(secs => %(pause)s)
"""


class Heartbeats:
    """What one process saw of the workers' heartbeats."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds and is never set."""
        self._clock = clock
        self._seen: dict[int, tuple[datetime, float]] = {}

    def see(self, heartbeats: Mapping[int, datetime]) -> None:
        """Takes over the workers' latest heartbeats."""
        now, seen = self._clock(), self._seen
        self._seen = {}
        for worker, beat in heartbeats.items():
            before, changed = seen.get(worker, (beat, -inf))
            self._seen[worker] = beat, changed if beat == before else now

    def alive(self, stale: float) -> list[int]:
        """The workers whose heartbeat was seen to change within `stale` seconds."""
        now = self._clock()
        return [worker for worker, (_, changed) in self._seen.items() if now - changed < stale]


async def rescue_once(database: Database, stale: float = STALE, heartbeats: Heartbeats | None = None) -> int:
    """Makes the jobs of workers silent for `stale` seconds ready again and returns how many; forgets those workers.

    `heartbeats`: what was seen in the rounds before.
    """
    async with database.cell() as conn:
        rows = await (await conn.execute("SELECT id, last_heartbeat FROM procrastinate_workers")).fetchall()
        alive: list[int] = []
        if heartbeats is not None:
            heartbeats.see(dict(rows))
            alive = heartbeats.alive(stale)
        rescued = (await conn.execute(_RESCUE, {"stale": stale, "alive": alive})).rowcount
        await conn.execute(_PRUNE, {"stale": stale * 10, "alive": alive})
        await conn.execute(_HASTEN, {"pause": 2 * LONGEST_PAUSE})
    return rescued


async def rescue(database: Database, *, every: float = 1.0, stale: float = STALE) -> None:
    """Rescues every `every` seconds until cancelled. Any number of processes may do so at once."""
    heartbeats = Heartbeats()
    while True:
        try:
            rescued = await rescue_once(database, stale, heartbeats)
            if rescued:
                _log.warning("%d jobs of dead workers are ready again", rescued)
        except psycopg.Error as error:
            end_if_cancelled()
            _log.warning("jobs of dead workers cannot be looked for now: %s. %s", said(error), advice_on(error))
        await asyncio.sleep(every)
