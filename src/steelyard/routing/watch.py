"""Watching: every worker looks at every workspace, opens and ends alarms, and defers the telling of each.

Any number of workers may watch at once: the table admits one open alarm of a kind, and who stored it tells.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, LiteralString, Protocol

import psycopg
from psycopg import AsyncConnection
from structlog import get_logger

from steelyard.kit.ids import WorkspaceId
from steelyard.kit.instants import Micros, micros, moment
from steelyard.routing.calls import Calls
from steelyard.routing.health import ENDS_AFTER, Alarm, Figures, Thresholds, judge
from steelyard.routing.rows import one, rows
from steelyard.store.database import Database, end_if_cancelled

EVERY = 10.0
"""Seconds between two looks."""

MOST_COUNTED = 10_000
"""Rows that are counted: beyond them, more or fewer is the same alarm."""

log = get_logger()


class Tell(Protocol):
    """Where alarms go to be told."""

    async def defer(self, conn: AsyncConnection[Any], workspace: WorkspaceId, alarm: int, over: bool) -> None:
        """Has it told that the alarm began, or that it is over, once `conn`'s transaction is committed."""
        ...


_FIGURES: LiteralString = """
WITH waiting AS (
    SELECT greatest(received_at, tried_at) AS since FROM inbox
    WHERE workspace = %(workspace)s AND handled_at IS NULL ORDER BY seq LIMIT %(most)s
), aside AS (
    SELECT FROM inbox WHERE workspace = %(workspace)s AND outcome = 'aside' LIMIT %(most)s
), late AS (
    SELECT at FROM decision WHERE workspace = %(workspace)s AND outcome = 'pending' ORDER BY at LIMIT %(most)s
)
SELECT (SELECT count(*) FROM waiting) AS unhandled,
       (SELECT min(since) FROM waiting) AS unhandled_since,
       (SELECT count(*) FROM aside) AS set_aside,
       (SELECT count(*) FROM late) AS pending,
       (SELECT min(at) FROM late) AS pending_since,
       (SELECT drift FROM reading WHERE workspace = %(workspace)s AND ended_at IS NOT NULL
        ORDER BY reading DESC LIMIT 1) AS drift,
       refused_at, rate_low_at,
       EXISTS (
           SELECT FROM inbox WHERE workspace = %(workspace)s AND received_at > %(now)s - %(silence)s
                  AND received_at <= %(now)s AND topic NOT LIKE 'steelyard.%%') AS heard
FROM workspace LEFT JOIN connection USING (workspace) WHERE workspace = %(workspace)s
"""

# Only asked in silence. The inbox keeps thirty days: four weeks and one span.
_WEEKS: LiteralString = """
SELECT count(*) AS weeks_known, count(*) FILTER (WHERE EXISTS (
           SELECT FROM inbox WHERE workspace = %(workspace)s AND received_at > until - %(silence)s
                  AND received_at <= until AND topic NOT LIKE 'steelyard.%%')) AS weeks_heard
FROM connection CROSS JOIN LATERAL (
    SELECT %(now)s - week * interval '7 days' AS until FROM generate_series(1, 4) AS week) AS weeks
WHERE workspace = %(workspace)s AND connected_at <= until - %(silence)s
"""


async def read_figures(
    conn: AsyncConnection[Any], workspace: WorkspaceId, thresholds: Thresholds, now: Micros
) -> Figures:
    """The workspace as it is at `now`, in `conn`'s transaction."""
    values: Mapping[str, object] = {
        "workspace": workspace,
        "now": moment(now),
        "silence": timedelta(minutes=thresholds.silence),
        "most": MOST_COUNTED,
    }
    found = await one(conn, _FIGURES, values)
    if found is None:
        return Figures()
    if not found["heard"]:
        found |= await one(conn, _WEEKS, values) or {}
    for name in ("unhandled_since", "pending_since", "refused_at", "rate_low_at"):
        found[name] = micros(found[name]) if found[name] is not None else None
    return Figures(**found)


class Watch:
    """Looks after every workspace of the cell."""

    def __init__(
        self, database: Database, thresholds: Thresholds, calls: Calls, tell: Tell, clock: Callable[[], Micros]
    ) -> None:
        """`calls`: what this worker saw of its calls, which it writes down with each look."""
        self._database = database
        self._thresholds = thresholds
        self._calls = calls
        self._tell = tell
        self._clock = clock

    async def run(self) -> None:
        """Looks until it is cancelled. What a look could not do, the next one does."""
        while True:
            try:
                await self._calls.write(self._database)
                async with self._database.cell() as conn:
                    found = await rows(conn, "SELECT workspaces_of_cell() AS workspace")
                for row in found:
                    await self.look(WorkspaceId(row["workspace"]))
            except (psycopg.Error, OSError) as error:
                end_if_cancelled()
                log.warning("watch.left_out", error=type(error).__name__, advice="is the database up?")
            await asyncio.sleep(EVERY)

    async def look(self, workspace: WorkspaceId) -> None:
        """Opens the alarms that hold and ends those that no longer do, in one transaction with their telling."""
        now = self._clock()
        async with self._database.transaction(workspace) as conn:
            figures = await read_figures(conn, workspace, self._thresholds, now)
            holding = judge(figures, self._thresholds, now)
            for alarm in await _opened(conn, workspace, holding, now):
                await self._tell.defer(conn, workspace, alarm, over=False)
            for alarm in await _ended(conn, workspace, now):
                await self._tell.defer(conn, workspace, alarm, over=True)


async def _opened(
    conn: AsyncConnection[Any], workspace: WorkspaceId, holding: Sequence[Alarm], now: Micros
) -> list[int]:
    """Marks the open alarms of `holding` as seen, and stores the others; the numbers of these."""
    if not holding:
        return []
    kinds = {alarm.kind: json.dumps(alarm.figures) for alarm in holding}
    values = {"workspace": workspace, "now": moment(now), "kinds": list(kinds), "figures": list(kinds.values())}
    # One that another worker marks or stores at this moment is left to it.
    await conn.execute(
        """UPDATE alarm SET seen_at = greatest(seen_at, %(now)s), figures = held.figures::jsonb
           FROM unnest(%(kinds)s::text[], %(figures)s::text[]) AS held (kind, figures)
           WHERE workspace = %(workspace)s AND alarm.kind = held.kind AND alarm.alarm IN (
               SELECT alarm FROM alarm WHERE workspace = %(workspace)s AND ended_at IS NULL FOR UPDATE SKIP LOCKED)""",
        values,
    )
    found = await rows(
        conn,
        """INSERT INTO alarm (workspace, kind, since, seen_at, figures)
           SELECT %(workspace)s, kind, %(now)s, %(now)s, figures::jsonb
           FROM unnest(%(kinds)s::text[], %(figures)s::text[]) AS held (kind, figures)
           WHERE NOT EXISTS (
               SELECT FROM alarm WHERE workspace = %(workspace)s AND kind = held.kind AND ended_at IS NULL)
           ORDER BY kind ON CONFLICT (workspace, kind) WHERE ended_at IS NULL DO NOTHING RETURNING alarm""",
        values,
    )
    return [row["alarm"] for row in found]


async def _ended(conn: AsyncConnection[Any], workspace: WorkspaceId, now: Micros) -> list[int]:
    """Ends the alarms that have not held for a minute; their numbers."""
    found = await rows(
        conn,
        """UPDATE alarm SET ended_at = %(now)s
           WHERE workspace = %(workspace)s AND ended_at IS NULL AND seen_at <= %(before)s RETURNING alarm""",
        {"workspace": workspace, "now": moment(now), "before": moment(now) - timedelta(seconds=ENDS_AFTER)},
    )
    return [row["alarm"] for row in found]
