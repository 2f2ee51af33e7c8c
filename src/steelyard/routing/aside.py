"""What is set aside: payloads that could not be handled, why, and taking them up again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from steelyard.kit.facts import Fact
from steelyard.kit.ids import PersonId, WorkspaceId
from steelyard.kit.instants import Micros, micros, moment
from steelyard.routing import codec, store
from steelyard.routing.desk import read_place
from steelyard.routing.rows import one, rows
from steelyard.store.database import Database
from steelyard.store.ledger import Ledger
from steelyard.web.place import Place

MOST_SHOWN = 200
_LONGEST = 16
"""Digits of a time in microseconds, up to the year 2286."""


class SetAside(NamedTuple):
    """One payload that could not be handled. Nothing of what is in it is shown."""

    seq: int
    topic: str
    received_at: datetime
    copies: int
    """How often it was delivered."""
    reason: str
    """A code: what was raised, and where."""
    tried_at: datetime | None
    """When it was last tried again, without success."""


class Tried(NamedTuple):
    """What became of the payloads that were tried again at one time."""

    handled: int
    aside: int
    waiting: int

    @property
    def all(self) -> int:
        """How many there were."""
        return self.handled + self.aside + self.waiting


class Aside(NamedTuple):
    """Everything the page shows; the oldest first."""

    place: Place
    at: datetime
    number: int
    items: tuple[SetAside, ...]
    tried: Tried | None
    days: int
    """How long a payload is kept, tried again or not."""


async def read_aside(database: Database, workspace: WorkspaceId, now: datetime, tried_at: datetime | None) -> Aside:
    """What is set aside in `workspace` at `now`, and what became of what was tried again at `tried_at`."""
    async with database.transaction(workspace) as connection:
        found = await rows(
            connection,
            "SELECT seq, topic, received_at, copies, reason, tried_at, count(*) OVER () AS number FROM inbox"
            " WHERE workspace = %s AND outcome = 'aside' ORDER BY seq LIMIT %s",
            [workspace, MOST_SHOWN],
        )
        tried = await one(
            connection,
            "SELECT count(*) FILTER (WHERE handled_at IS NULL) AS waiting,"
            " count(*) FILTER (WHERE outcome = 'aside') AS aside,"
            " count(*) FILTER (WHERE handled_at IS NOT NULL AND outcome != 'aside') AS handled"
            " FROM inbox WHERE workspace = %s AND tried_at = %s",
            [workspace, tried_at],
        )
        kept = await one(connection, "SELECT keep_webhooks AS days FROM workspace WHERE workspace = %s", [workspace])
        place = await read_place(connection, workspace)
    number = found[0]["number"] if found else 0
    items = tuple(SetAside(**{name: row[name] for name in SetAside._fields}) for row in found)
    days = kept["days"] if kept is not None else 0
    return Aside(place, now, number, items, Tried(**tried) if tried and any(tried.values()) else None, days)


async def try_again(
    database: Database,
    ledger: Ledger,
    workspace: WorkspaceId,
    now: datetime,
    seqs: Sequence[int] | None = None,
    person: PersonId | None = None,
) -> int:
    """Has payloads that were set aside handled again, all of them where `seqs` is None; how many.

    The worker takes them up at once. Those that fail again are set aside again. `person` asked for it in the console.
    """
    async with database.transaction(workspace) as connection:
        number = await store.try_again(connection, workspace, seqs, now)
        if number:
            fact = Fact("aside.retried", micros(now), None, None, codec.dump({"count": number}), person)
            await ledger.append(connection, workspace, [fact])
    if number:
        await database.notify(store.INBOX)
    return number


def tried_in(query: Mapping[str, str]) -> datetime | None:
    """When what an address asks about was tried again: `tried`, in microseconds; None where it asks about none."""
    tried = query.get("tried", "")
    usable = tried.isascii() and tried.isdigit() and len(tried) <= _LONGEST
    return moment(Micros(int(tried))) if usable else None


def seqs_in(chosen: object) -> list[int] | None:
    """What the pressed button chose: one payload, or None for all. Raises ValueError for anything else."""
    if chosen is None:
        return None
    if isinstance(chosen, str) and chosen.isascii() and chosen.isdigit() and len(chosen) <= _LONGEST:
        return [int(chosen)]
    raise ValueError("no number of a payload")
