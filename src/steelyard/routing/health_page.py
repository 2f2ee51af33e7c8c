"""What the page about health shows: what is wrong and was, what waits, and what the last readings found."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import AsyncConnection

from steelyard.jobs.heartbeat import ALIVE
from steelyard.kit.ids import WorkspaceId
from steelyard.kit.instants import micros, moment
from steelyard.routing.desk import read_place
from steelyard.routing.health import Thresholds
from steelyard.routing.rows import one, rows
from steelyard.routing.watch import read_figures
from steelyard.store.database import Database
from steelyard.web.charts import Bar, bars
from steelyard.web.place import Place

MOST_READINGS = 96
"""Readings that are drawn: eight hours of them."""

MOST_PAST = 30
"""Alarms that are over and still listed."""


class AlarmLine(NamedTuple):
    """An alarm; its words follow from kind and figures."""

    kind: str
    figures: Mapping[str, int]
    since: datetime
    ended_at: datetime | None

    def seconds(self, now: datetime) -> float:
        """How long it lasted, or has lasted."""
        return ((self.ended_at or now) - self.since).total_seconds()


class ReadingLine(NamedTuple):
    """One reading of Intercom."""

    ended_at: datetime
    asked: str
    """`start`, `schedule` or `asked`."""
    listed: int
    drift: int


class Health(NamedTuple):
    """Everything the page shows; alarms and readings the newest first."""

    place: Place
    at: datetime
    workers: int
    """Workers that are alive: without any, nothing is watched either."""
    open: tuple[AlarmLine, ...]
    past: tuple[AlarmLine, ...]
    readings: tuple[ReadingLine, ...]
    unhandled: int
    unhandled_since: datetime | None
    pending: int
    pending_since: datetime | None
    set_aside: int
    last_webhook: datetime | None

    @property
    def bars(self) -> tuple[Bar, ...]:
        """The drift of the readings, the oldest at the left."""
        return bars([each.drift for each in reversed(self.readings)])

    @property
    def most(self) -> int:
        """The greatest drift that is drawn."""
        return max((each.drift for each in self.readings), default=0)


async def read_health(database: Database, workspace: WorkspaceId, now: datetime) -> Health:
    """The health of `workspace` at `now`."""
    async with database.transaction(workspace) as conn:
        figures = await read_figures(conn, workspace, Thresholds(), micros(now))
        webhook = await one(
            conn,
            """SELECT received_at FROM inbox WHERE workspace = %s AND topic NOT LIKE 'steelyard.%%'
               ORDER BY received_at DESC LIMIT 1""",
            (workspace,),
        )
        alive = await one(conn, ALIVE, ())
        return Health(
            place=await read_place(conn, workspace),
            at=now,
            workers=alive["count"] if alive is not None else 0,
            open=await _alarms(conn, workspace, over=False),
            past=await _alarms(conn, workspace, over=True),
            readings=await _readings(conn, workspace),
            unhandled=figures.unhandled,
            unhandled_since=moment(figures.unhandled_since) if figures.unhandled_since is not None else None,
            pending=figures.pending,
            pending_since=moment(figures.pending_since) if figures.pending_since is not None else None,
            set_aside=figures.set_aside,
            last_webhook=webhook["received_at"] if webhook is not None else None,
        )


async def _alarms(conn: AsyncConnection[Any], workspace: WorkspaceId, *, over: bool) -> tuple[AlarmLine, ...]:
    found = await rows(
        conn,
        """SELECT kind, figures, since, ended_at FROM alarm
           WHERE workspace = %s AND (ended_at IS NOT NULL) = %s ORDER BY alarm DESC LIMIT %s""",
        (workspace, over, MOST_PAST),
    )
    return tuple(AlarmLine(**row) for row in found)


async def _readings(conn: AsyncConnection[Any], workspace: WorkspaceId) -> tuple[ReadingLine, ...]:
    found = await rows(
        conn,
        """SELECT ended_at, asked, listed, drift FROM reading
           WHERE workspace = %s AND ended_at IS NOT NULL ORDER BY reading DESC LIMIT %s""",
        (workspace, MOST_READINGS),
    )
    return tuple(ReadingLine(**row) for row in found)
