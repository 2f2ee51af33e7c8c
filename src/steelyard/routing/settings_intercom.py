"""What the page about the connection shows: how Intercom is reached, how that goes, and what to do if not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from steelyard.jobs.heartbeat import ALIVE
from steelyard.kit.ids import WorkspaceId
from steelyard.kit.instants import micros
from steelyard.routing.health import RATE_KNOWN
from steelyard.routing.receive import TOPICS
from steelyard.routing.rows import one, rows
from steelyard.routing.switch import assigns_itself
from steelyard.routing.tasks import READ_OPEN
from steelyard.store.database import Database

CUT_OFF: Final = timedelta(minutes=1)
"""A reading that has not gone on for so long was cut off: its worker is gone."""

LATELY: Final = 5_000
"""Webhooks in which topics are looked for."""


class Reading(NamedTuple):
    """A reading of what is open in Intercom. Its times are Intercom's; `steps` is 0 where that is not known yet."""

    asked: str
    started_at: datetime
    ended_at: datetime | None
    listed: int
    drift: int
    done: int
    steps: int

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.ended_at - self.started_at).total_seconds() if self.ended_at is not None else 0.0


class Balanced(NamedTuple):
    """A team in which Intercom itself assigns, and how."""

    name: str
    way: str


class Heard(NamedTuple):
    """A topic to tick in the Developer Hub, and how many of the last webhooks were of it."""

    topic: str
    webhooks: int


class Reached(NamedTuple):
    """How a workspace's Intercom is reached, and how that goes. What has no time has not happened."""

    workspace: str
    name: str
    app_id: str
    region: str
    api_url: str
    actor: int
    actor_name: str
    connected_at: datetime
    refused_at: datetime | None
    rate_low_at: datetime | None
    """Since when calls have to wait; None where there is room enough now."""
    workers: int
    last_webhook: datetime | None
    last: Reading | None
    running: Reading | None
    waiting: bool
    """Whether a reading that somebody asked for has not begun."""
    balanced: tuple[Balanced, ...]
    topics: tuple[Heard, ...]
    webhook: str
    """Where Intercom sends webhooks, and where the inbox app is: paths under the cell's address."""
    canvas: str

    @property
    def well(self) -> bool:
        """Whether there is nothing to do."""
        heard = self.last_webhook is not None and self.workers > 0
        return heard and self.refused_at is None and self.rate_low_at is None and not self.balanced


async def read_reached(database: Database, workspace: WorkspaceId, now: datetime) -> Reached | None:
    """How `workspace` is reached at `now`; None where it is connected to no Intercom."""
    values = {"workspace": workspace}
    async with database.transaction(workspace) as conn:
        link = await one(conn, _LINK, values)
        if link is None:
            return None
        alive = await one(conn, ALIVE, ())
        low = link.pop("rate_low_at")
        is_low = low is not None and (micros(now) - micros(low)) < RATE_KNOWN * 1_000_000
        last, running = await _readings(conn, values)
        cell = workspace.partition(".")[0]
        return Reached(
            **link,
            rate_low_at=low if is_low else None,
            workers=alive["count"] if alive is not None else 0,
            last=last,
            running=running,
            waiting=await _is_asked(conn, workspace),
            balanced=await _balanced(conn, values),
            topics=await _heard(conn, values),
            webhook=f"/hooks/intercom/{cell}",
            canvas=f"/canvas/{cell}",
        )


_LINK: Final = """
SELECT connection.workspace, connection.name, app_id, region, api_url, actor,
       coalesce(teammate_name.name, '') AS actor_name, connected_at, refused_at, rate_low_at,
       (SELECT received_at FROM inbox WHERE inbox.workspace = %(workspace)s AND topic NOT LIKE 'steelyard.%%'
        ORDER BY received_at DESC LIMIT 1) AS last_webhook
FROM connection LEFT JOIN teammate_name ON teammate_name.workspace = connection.workspace AND engineer = actor
WHERE connection.workspace = %(workspace)s
"""


async def _readings(conn: AsyncConnection[Any], values: Mapping[str, object]) -> tuple[Reading | None, Reading | None]:
    """The last one that ended, and the one that goes on now."""
    ended = await one(
        conn,
        """SELECT asked, started_at, ended_at, listed, drift, done, steps FROM reading
           WHERE workspace = %(workspace)s AND ended_at IS NOT NULL ORDER BY reading DESC LIMIT 1""",
        values,
    )
    running = await one(
        conn,
        """SELECT asked, started_at, ended_at, listed, drift, done, steps FROM reading
           WHERE workspace = %(workspace)s AND ended_at IS NULL AND moved_at > clock_timestamp() - %(cut_off)s
           ORDER BY reading DESC LIMIT 1""",
        {**values, "cut_off": CUT_OFF},
    )
    return Reading(**ended) if ended is not None else None, Reading(**running) if running is not None else None


async def _is_asked(conn: AsyncConnection[Any], workspace: WorkspaceId) -> bool:
    found = await one(
        conn,
        """SELECT count(*) AS jobs FROM procrastinate_jobs
           WHERE task_name = %s AND status = 'todo'
                 AND args @> jsonb_build_object('workspace', %s::text, 'asked', 1)""",
        (READ_OPEN, workspace),
    )
    return found is not None and found["jobs"] > 0


async def _balanced(conn: AsyncConnection[Any], values: Mapping[str, object]) -> tuple[Balanced, ...]:
    found = await rows(
        conn,
        """SELECT coalesce(nullif(name, ''), team::text) AS name, distribution AS way
           FROM team JOIN team_name USING (workspace, team) WHERE workspace = %(workspace)s ORDER BY name, team""",
        values,
    )
    return tuple(Balanced(**row) for row in found if assigns_itself(row["way"]))


async def _heard(conn: AsyncConnection[Any], values: Mapping[str, object]) -> tuple[Heard, ...]:
    found = await rows(
        conn,
        """SELECT topic, count(*) AS webhooks FROM (
               SELECT topic FROM inbox WHERE workspace = %(workspace)s ORDER BY seq DESC LIMIT %(lately)s) AS last
           GROUP BY topic""",
        {**values, "lately": LATELY},
    )
    counts = {row["topic"]: row["webhooks"] for row in found}
    return tuple(Heard(topic, counts.get(topic, 0)) for topic in sorted(TOPICS) if _is_ticked(topic))


def _is_ticked(topic: str) -> bool:
    return topic.partition(".")[0].partition("_")[0] in ("conversation", "ticket", "admin")


async def ask_to_read(conn: AsyncConnection[Any], workspace: WorkspaceId) -> bool:
    """Whether a reading may be asked for now: none waits, and none that was asked for goes on. Holds the workspace."""
    await conn.execute("SELECT FROM workspace WHERE workspace = %s FOR NO KEY UPDATE", (workspace,))
    _, running = await _readings(conn, {"workspace": workspace})
    asked_is_running = running is not None and running.asked == "asked"
    return not asked_is_running and not await _is_asked(conn, workspace)
