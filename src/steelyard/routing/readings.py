"""The record of readings: when Intercom was read back, how much of it, and what drift was found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from steelyard.kit.ids import WorkspaceId
from steelyard.kit.instants import SECOND, Micros, moment
from steelyard.routing.drift import DRIFT, UNDER_WAY, Difference

Asked = Literal["start", "schedule", "asked"]

DEEP_EVERY = 3600 * SECOND
"""How old the last deep reading may be. A deep one also reads what changed since, with its parts."""

ENOUGH: dict[Asked, int] = {"start": 30 * SECOND, "schedule": 200 * SECOND, "asked": 0}
"""A reading is left out where one was made so recently: by another worker, or by this one before it started again."""


@dataclass
class Reading:
    """One reading of what is open in Intercom."""

    number: int
    started_at: Micros
    deep: bool
    first: bool
    """Whether nothing was ever read of this workspace: then what is unknown is no drift."""
    since: int
    """Seconds since 1970: what changed later has not been read with its parts."""
    listed: int = 0
    found: Counter[Difference] = field(default_factory=Counter[Difference])
    """How many of each kind of difference; those that may still be told of are not among them."""

    @property
    def drift(self) -> int:
        """How many conversations were not known as they are."""
        return 0 if self.first else sum(count for kind, count in self.found.items() if kind in DRIFT)


async def begin(conn: AsyncConnection[Any], workspace: WorkspaceId, asked: Asked, now: Micros) -> Reading | None:
    """Records that a reading begins; None where it is not needed."""
    rows = await (
        await conn.execute(
            """SELECT max(started_at), max(started_at) FILTER (WHERE deep) FROM reading
               WHERE workspace = %s AND ended_at IS NOT NULL""",
            (workspace,),
        )
    ).fetchall()
    last, last_deep = (_micros(each) for each in rows[0])
    if last is not None and 0 <= now - last < ENOUGH[asked]:
        return None
    deep = asked != "schedule" or last_deep is None or not 0 <= now - last_deep < DEEP_EVERY
    inserted = await conn.execute(
        "INSERT INTO reading (workspace, asked, started_at, deep) VALUES (%s, %s, %s, %s) RETURNING reading",
        (workspace, asked, moment(now), deep),
    )
    row = await inserted.fetchone()
    number = int(row[0]) if row is not None else 0
    return Reading(number, now, deep, last is None, (last_deep or 0) // SECOND - UNDER_WAY)


async def note(conn: AsyncConnection[Any], workspace: WorkspaceId, reading: Reading, done: int, steps: int) -> None:
    """Records how far a reading is."""
    await conn.execute(
        """UPDATE reading SET done = %s, steps = %s, moved_at = clock_timestamp()
           WHERE workspace = %s AND reading = %s""",
        (done, steps, workspace, reading.number),
    )


async def end(conn: AsyncConnection[Any], workspace: WorkspaceId, reading: Reading, now: Micros) -> None:
    """Records what a reading came to."""
    await conn.execute(
        """UPDATE reading SET ended_at = %s, deep = %s, listed = %s, drift = %s, kinds = %s
           WHERE workspace = %s AND reading = %s""",
        (moment(now), reading.deep, reading.listed, reading.drift, Jsonb(reading.found), workspace, reading.number),
    )


def _micros(at: Any) -> Micros | None:
    return Micros(int(at.timestamp() * SECOND)) if at is not None else None
