"""What would have been better: decisions in the shadow, compared with what Intercom did. Views know no language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, LiteralString, NamedTuple

from psycopg import AsyncConnection

from steelyard.kit.ids import WorkspaceId
from steelyard.routing.desk import read_place
from steelyard.routing.entries import Entry, read_largest
from steelyard.routing.rows import one, rows
from steelyard.routing.switch import Reach, read_reach
from steelyard.store.database import Database
from steelyard.web.charts import Column, histogram
from steelyard.web.place import Place

MOST_SHOWN = 20


class Span(StrEnum):
    """How far back the page looks."""

    DAY = "day"
    WEEK = "week"
    ALL = "all"


_DAYS: Mapping[Span, int | None] = {Span.DAY: 1, Span.WEEK: 7, Span.ALL: None}

HEADER = ("team", "compared", "same", "lighter", "as_heavy", "heavier", "unavailable", "mean", "most", "median_seconds")


class Tally(NamedTuple):
    """What the comparisons of one team, or of all, amount to.

    Those that went to another engineer are `lighter`, `equal` or `heavier`, by what Steelyard's choice carried then.
    """

    team: int | None
    """0: conversations without a team. None: all teams together."""
    name: str
    compared: int
    same: int
    lighter: int
    equal: int
    heavier: int
    unavailable: int
    """Given to somebody who was away, logged out, without a seat or not in the team."""
    mean: float | None
    """By how much Steelyard's choice was lighter, where it was."""
    most: int | None
    seconds: float | None
    """The median of how long nobody had it, after Steelyard had decided."""
    longest: float | None

    @property
    def cells(self) -> tuple[object, ...]:
        """As a row under HEADER."""
        team = "all" if self.team is None else self.team
        numbers = (self.compared, self.same, self.lighter, self.equal, self.heavier, self.unavailable)
        return (team, *numbers, self.mean, self.most, self.seconds)


class Shadow(NamedTuple):
    """Everything the page shows, of one span until `at`."""

    place: Place
    at: datetime
    span: Span
    reach: Reach
    total: Tally
    teams: tuple[Tally, ...]
    columns: tuple[Column, ...]
    """How much lighter Steelyard's choice was, where Intercom shows another engineer; none where it never does."""
    largest: tuple[Entry, ...]
    open: int
    """Decided in the shadow, and nobody was given it yet."""
    ever: bool
    """Whether anything was compared in any span."""


def span_of(wanted: str | None) -> Span:
    """The span that an address asks for; a week where it asks for none that there is."""
    return next((each for each in Span if each == wanted), Span.WEEK)


async def read_shadow(database: Database, workspace: WorkspaceId, now: datetime, span: Span) -> Shadow:
    """The comparisons of the span that ends `now`."""
    days = _DAYS[span]
    since = now - timedelta(days=days) if days is not None else None
    async with database.transaction(workspace) as connection:
        tallies = await read_tallies(connection, since, now)
        counts = await rows(connection, _COMPARED + _DIFFERENCES, [since, now])
        largest = await read_largest(connection, MOST_SHOWN, since, now)
        waiting = await one(
            connection,
            "SELECT count(*) AS number, EXISTS (SELECT FROM decision WHERE outcome = 'compared') AS ever"
            " FROM conversation WHERE open AND (value #>> '{12,3}')::bool AND value ->> 3 IS NULL",
            [],
        )
        place = await read_place(connection, workspace)
        reach = await read_reach(connection, workspace)
    total = next(each for each in tallies if each.team is None)
    columns = histogram({row["difference"]: row["number"] for row in counts}) if counts else ()
    number, ever = (waiting["number"], waiting["ever"]) if waiting else (0, False)
    teams = tuple(each for each in tallies if each.team is not None)
    return Shadow(place, now, span, reach, total, teams, columns, largest, number, ever)


async def read_tallies(connection: AsyncConnection[Any], since: datetime | None, until: datetime) -> tuple[Tally, ...]:
    """All teams together first, then each that something was compared for, the most compared first."""
    return tuple(Tally(**row) for row in await rows(connection, _COMPARED + _TALLIES, [since, until]))


_COMPARED: LiteralString = """
    WITH compared AS (
        SELECT coalesce(team, 0) AS team, winner = instead AS same, instead_load - winner_load_then AS difference,
               instead_exclusions != 0 AS excluded,
               greatest(0, extract(epoch FROM settled_at - at))::float8 AS seconds
        FROM decision
        WHERE outcome = 'compared' AND settled_at >= coalesce(%s, '-infinity'::timestamptz) AND settled_at <= %s
    )
"""

_TALLIES: LiteralString = """
    SELECT tally.*, coalesce(team_name.name, '') AS name FROM (
        SELECT team, count(*) AS compared, count(*) FILTER (WHERE same) AS same,
               count(*) FILTER (WHERE NOT same AND difference > 0) AS lighter,
               count(*) FILTER (WHERE NOT same AND difference = 0) AS equal,
               count(*) FILTER (WHERE NOT same AND difference < 0) AS heavier,
               count(*) FILTER (WHERE excluded) AS unavailable,
               avg(difference) FILTER (WHERE NOT same AND difference > 0)::float8 AS mean,
               max(difference) FILTER (WHERE NOT same AND difference > 0) AS most,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS seconds, max(seconds) AS longest
        FROM compared GROUP BY GROUPING SETS ((), (team))
    ) AS tally LEFT JOIN team_name USING (team)
    ORDER BY team IS NOT NULL, compared DESC, team
"""

_DIFFERENCES: LiteralString = """
    SELECT difference, count(*) AS number FROM compared WHERE NOT same GROUP BY difference
"""
