"""The toolbox in numbers: runs by state, and how long those that ended took."""

from __future__ import annotations

import asyncio
from typing import Final, LiteralString

import psycopg

from steelyard.kit.ids import WorkspaceId
from steelyard.kit.metrics import Kind, Metric, Sample
from steelyard.kit.scopes import Scope
from steelyard.store.database import Connection, Database
from steelyard.toolbox import store

RUNS: Final = Metric(
    "steelyard_runs", Kind.GAUGE, Scope.WORKSPACE, "Runs by the state they are in.", ("workspace", "state")
)
SECONDS: Final = Metric(
    "steelyard_run_seconds_total",
    Kind.COUNTER,
    Scope.WORKSPACE,
    "Seconds that confirmed runs took from their beginning to their end.",
    ("workspace",),
)
METRICS: Final = (RUNS, SECONDS)

# Plans that nobody confirmed are forgotten in time: a counter does not go back.
_BY_STATE: Final[LiteralString] = """
SELECT state, count(*) AS runs, coalesce(sum(took_ms) FILTER (WHERE confirmed_at IS NOT NULL), 0) AS ms
FROM run GROUP BY state
"""

LONGEST = 5.0
"""Seconds that reading the tables may take."""


async def samples(database: Database) -> list[Sample]:
    """The numbers of every workspace of the cell; none while the database cannot be asked."""
    try:
        async with asyncio.timeout(LONGEST):
            return await _read(database)
    except (psycopg.Error, OSError):
        return []


async def _read(database: Database) -> list[Sample]:
    found: list[Sample] = []
    async with database.cell() as conn:
        rows = await (await conn.execute("SELECT workspaces_of_cell()")).fetchall()
    for (workspace,) in rows:
        async with database.transaction(WorkspaceId(workspace)) as conn:
            found += await _of(conn, workspace)
    return found


async def _of(conn: Connection, workspace: str) -> list[Sample]:
    rows = await store.rows(conn, _BY_STATE, {})
    counted = [Sample(RUNS, (workspace, row["state"]), row["runs"]) for row in rows]
    return [*counted, Sample(SECONDS, (workspace,), sum(float(row["ms"]) for row in rows) / 1000)]
