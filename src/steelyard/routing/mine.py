"""What of a desk is somebody's own: their conversations, how their load compares, and what would come to them next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Literal, LiteralString, NamedTuple

from psycopg import AsyncConnection

from steelyard.kit.ids import WorkspaceId
from steelyard.routing.desk import Desk, Row
from steelyard.routing.desk_floor import Floor, Open
from steelyard.routing.engineer_page import Away, read_away
from steelyard.routing.labels import Label, Person

MOST_OWN = 40
"""Conversations that are listed; of more it is said how many."""

Turn = Literal["next", "behind", "resting", "away", "gone"]

Writer = Literal["customer", "us", ""]

_DETAILS: LiteralString = """
    SELECT wanted.conversation, coalesce(contact, ''),
           (SELECT kind FROM ledger
            WHERE ledger.workspace = %(workspace)s AND ledger.conversation = wanted.conversation
                  AND kind = ANY(%(wrote)s)
            ORDER BY position DESC LIMIT 1)
    FROM unnest(%(wanted)s::bigint[]) AS wanted (conversation)
         LEFT JOIN conversation_text
         ON conversation_text.workspace = %(workspace)s AND conversation_text.conversation = wanted.conversation
"""

_ASKED: LiteralString = """
    SELECT engineer FROM unnest(%s::bigint[]) AS wanted (engineer)
    WHERE EXISTS (
        SELECT FROM ledger
        WHERE workspace = %s AND ledger.engineer = wanted.engineer AND conversation IS NULL
              AND kind = 'engineer.away_asked'
    )
"""
"""Of some engineers those who were ever set away or back in the console."""

_WROTE: dict[str, Writer] = {
    "conversation.created": "customer",
    "conversation.customer_replied": "customer",
    "ticket.customer_replied": "customer",
    "conversation.engineer_replied": "us",
    "ticket.engineer_replied": "us",
}


class Own(NamedTuple):
    """One of their open conversations."""

    conversation: int
    label: Label
    weight: int
    since: datetime
    contact: str
    last: Writer
    """Who wrote last, so that the other is waited for; empty where that was not heard."""


class Mine(NamedTuple):
    """What is somebody's own. `score` is what their load counts as; `mean` is of those who are available."""

    person: Person
    load: int
    score: float
    mean: float | None
    open: int
    conversations: tuple[Own, ...]
    """The oldest first, MOST_OWN at most."""
    turn: Turn
    ahead: int
    """How many available engineers come before them, where they are behind."""
    first: Person | None
    """Whom the next conversation goes to instead of them."""
    lighter: float
    """By how much less the load of `first` counts."""
    away: Away

    @property
    def without_contacts(self) -> Mine:
        """The same for somebody who may not see what customers are called."""
        return self._replace(conversations=tuple(each._replace(contact="") for each in self.conversations))

    @property
    def above(self) -> float | None:
        """How far their load is above the mean; below 0: under it."""
        return None if self.mean is None else self.score - self.mean


DETAILS_KEPT = 60.0
"""Seconds. What a customer is called is forgotten here about when its retention ends."""


class Details(NamedTuple):
    """Somebody's conversations, with what a floor does not know of them."""

    touched: int
    """How often anything about them had changed when this was read."""
    read_at: float
    """In seconds of a clock that nobody sets."""
    load: int
    open: int
    conversations: tuple[Own, ...]
    """The oldest first, MOST_OWN at most."""
    away: Away


async def read_details(
    connection: AsyncConnection[Any], workspace: WorkspaceId, engineers: Sequence[int], now: datetime, floor: Floor
) -> dict[int, Details]:
    """For each of `engineers` the details of their conversations, and whether they are going away or coming back."""
    held = {engineer: floor.held_by(engineer) for engineer in engineers}
    wanted = [each.id for these in held.values() for each in these[:MOST_OWN]]
    values = {"workspace": workspace, "wanted": wanted, "wrote": list(_WROTE)}
    found = await (await connection.execute(_DETAILS, values)).fetchall() if wanted else []
    known: dict[int, tuple[str, Writer]] = {id: (contact, _WROTE.get(kind, "")) for id, contact, kind in found}
    asked = await (await connection.execute(_ASKED, [list(engineers), workspace])).fetchall()
    away = {engineer: await read_away(connection, workspace, engineer, now) for (engineer,) in asked}
    return {
        engineer: Details(
            floor.touched[engineer],
            monotonic(),
            sum(each.weight for each in these),
            len(these),
            tuple(_own(each, floor, *known.get(each.id, ("", ""))) for each in these[:MOST_OWN]),
            away.get(engineer) or Away(floor.is_away(engineer), asked=None, refused=""),
        )
        for engineer, these in held.items()
    }


def mine_of(desk: Desk, floor: Floor, engineer: int, details: Details) -> Mine | None:
    """What of `desk` is `engineer`'s own; None for somebody who is not in the workspace."""
    known = floor.people.get(engineer)
    if known is None:
        return None
    return Mine(
        Person(engineer, known.name),
        details.load,
        details.load * 1000 / known.engineer.capacity,
        desk.figures.mean,
        details.open,
        details.conversations,
        *_turn(desk, engineer),
        details.away,
    )


def _own(each: Open, floor: Floor, contact: str, last: Writer) -> Own:
    since = datetime.fromtimestamp(each.since, UTC)
    return Own(each.id, floor.label(each.topic), each.weight, since, contact, last)


def _turn(desk: Desk, engineer: int) -> tuple[Turn, int, Person | None, float]:
    place = next((n for n, row in enumerate(desk.available) if row.person.id == engineer), None)
    if place is None:
        return _absence(desk, engineer), 0, None, 0.0
    row = desk.available[place]
    first = next((each for each in desk.available if each.next), row)
    if row.next or first is row:
        return "next", 0, None, 0.0
    return "behind", place, first.person, row.score - first.score


def _absence(desk: Desk, engineer: int) -> Turn:
    def among(rows: Sequence[Row]) -> bool:
        return any(row.person.id == engineer for row in rows)

    return "resting" if among(desk.resting) else "away" if among(desk.away) else "gone"
