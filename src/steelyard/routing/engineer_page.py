"""One engineer: what they carry, whether they can be given something, and why; and what was decided for them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from steelyard.kit.ids import EngineerId, PersonId, WorkspaceId
from steelyard.kit.instants import moment
from steelyard.people.members import names_of
from steelyard.routing import codec
from steelyard.routing.desk import Desk, Group, Row, group_of, policy_in_force
from steelyard.routing.entries import Entry, read_of_engineer
from steelyard.routing.history import Told
from steelyard.routing.labels import Person
from steelyard.routing.model import Engineer
from steelyard.routing.rows import one, rows
from steelyard.store.database import Database
from steelyard.web.charts import Scale, scale_for

MOST_FACTS: Final = 30
MOST_DECISIONS: Final = 20

PATIENCE: Final = timedelta(minutes=5)
"""How long it is waited to hear that somebody was set away, or back. Then it is no longer called under way."""


class Away(NamedTuple):
    """Whether somebody is away in Intercom. `asked`: what was asked for and is under way; None where nothing is."""

    now: bool
    asked: bool | None
    refused: str
    """Why Intercom refused what was last asked for, as a code; empty where it did not."""


class Turned(NamedTuple):
    """One thing that changed about an engineer. `who` did it in the console, where somebody did."""

    position: int
    kind: str
    at: datetime
    who: str
    console: bool
    """Whether it was done in the console, by somebody or on this machine."""
    on: bool
    """What it is then: away, logged in, in the workspace, off rotation."""
    reason: str


class EngineerPage(NamedTuple):
    """Everything the page shows. `row` is None for somebody without a seat who carries nothing."""

    at: datetime
    person: Person
    group: Group
    away: Away
    logged_in: bool
    member: bool
    seat: bool
    resting: bool
    capacity: float
    row: Row | None
    mean: float | None
    ahead: int
    """How many available engineers come before them, where they are available."""
    entries: tuple[Entry, ...]
    turned: tuple[Turned, ...]
    """The newest first."""

    @property
    def scale(self) -> Scale:
        """Of their rail, with room for the mean and for the next conversation."""
        return scale_for([self.row.end + 2 if self.row is not None else 0, self.mean or 0])


async def read_engineer(
    database: Database, workspace: WorkspaceId, engineer: int, desk: Desk, now: datetime
) -> EngineerPage | None:
    """The engineer; None where this workspace has nobody of that id."""
    async with database.transaction(workspace) as connection:
        known = await _known(connection, workspace, engineer)
        if known is None:
            return None
        policy = await policy_in_force(connection, workspace)
        facts = await _facts(connection, workspace, engineer)
        entries = await read_of_engineer(connection, engineer, MOST_DECISIONS)
        names = await names_of(connection)
        name = await one(
            connection, "SELECT name FROM teammate_name WHERE workspace = %s AND engineer = %s", [workspace, engineer]
        )
    place = next((n for n, row in enumerate(desk.available) if row.person.id == engineer), 0)
    return EngineerPage(
        at=now,
        person=Person(engineer, name["name"] if name is not None else ""),
        group=group_of(known, policy),
        away=away_of(known.away, facts, now),
        logged_in=known.logged_in,
        member=known.member,
        seat=known.seat,
        resting=known.resting,
        capacity=known.capacity / 1000,
        row=next((row for row in desk.rows if row.person.id == engineer), None),
        mean=desk.figures.mean,
        ahead=place,
        entries=entries,
        turned=tuple(_turned(each, names) for each in facts if _shows(each)),
    )


async def read_away(
    connection: AsyncConnection[Any], workspace: WorkspaceId, engineer: int, now: datetime
) -> Away | None:
    """Whether `engineer` is away, and what is under way; None where this workspace has nobody of that id."""
    known = await _known(connection, workspace, engineer)
    if known is None:
        return None
    return away_of(known.away, await _facts(connection, workspace, engineer), now)


def away_of(away: bool, facts: Sequence[Told], now: datetime) -> Away:
    """What the newest facts of an engineer, the newest first, say of being set away."""
    asked = next((each for each in facts if each.kind == "engineer.away_asked"), None)
    if asked is None:
        return Away(away, None, "")
    wanted = bool(asked.data["away"])
    for each in facts:
        if each.kind == "engineer.away_refused" and each.data.get("asked") == asked.position:
            return Away(away, None, str(each.data.get("reason", "")))
        shown = each.data.get("e")
        if each.position > asked.position and shown is not None and shown["away"] == wanted:
            return Away(away, None, "")
    under_way = away != wanted and now - moment(asked.at) < PATIENCE
    return Away(away, wanted if under_way else None, "")


async def _known(connection: AsyncConnection[Any], workspace: WorkspaceId, engineer: int) -> Engineer | None:
    row = await one(
        connection, "SELECT value FROM engineer WHERE workspace = %s AND engineer = %s", [workspace, engineer]
    )
    return codec.engineer(EngineerId(engineer), row["value"]) if row is not None else None


async def _facts(connection: AsyncConnection[Any], workspace: WorkspaceId, engineer: int) -> list[Told]:
    found = await rows(
        connection,
        "SELECT position, kind, (extract(epoch FROM at) * 1000000)::bigint AS at, engineer, person, data::text AS data"
        " FROM ledger WHERE workspace = %s AND engineer = %s AND conversation IS NULL ORDER BY position DESC LIMIT %s",
        [workspace, engineer, MOST_FACTS],
    )
    return [Told(**{**row, "data": json.loads(row["data"])}) for row in found]


_ON = {
    "engineer.away_changed": "away",
    "engineer.logged_in": "logged_in",
    "engineer.logged_out": "logged_in",
    "engineer.added": "member",
    "engineer.removed": "member",
    "engineer.left": "member",
    "engineer.rotation_changed": "resting",
}
"""What each kind is about."""


def _shows(fact: Told) -> bool:
    about = fact.kind in _ON and "e" in fact.data
    return about or fact.kind in ("engineer.away_asked", "engineer.away_refused")


def _turned(fact: Told, names: Mapping[PersonId, str]) -> Turned:
    who = names.get(fact.person, "") if fact.person is not None else ""
    shown = fact.data.get("e", fact.data)
    on = bool(shown.get(_ON.get(fact.kind, "away"), False))
    console = fact.kind in ("engineer.away_asked", "engineer.rotation_changed")
    return Turned(fact.position, fact.kind, moment(fact.at), who, console, on, str(fact.data.get("reason", "")))
