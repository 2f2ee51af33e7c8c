"""The stream of decisions: one sentence each, newest first."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, LiteralString, NamedTuple

from psycopg import AsyncConnection

from steelyard.routing.labels import Label, Person, Reason, label_of, read_policies, reason_of
from steelyard.routing.model import Exclusion
from steelyard.routing.policy import Policy
from steelyard.routing.rows import made_of, rows

Outcome = Literal["pending", "delivered", "overtaken", "failed", "shadow", "compared"]

HEADER = (
    "decision",
    "at",
    "conversation",
    "topic",
    "weight",
    "engineer",
    "load",
    "runner_up",
    "runner_up_load",
    "outcome",
    "settled_at",
    "instead",
    "instead_load",
    "engineer_load_then",
    "instead_reason",
)


_PICKED: LiteralString = (
    "WITH picked AS MATERIALIZED (SELECT *, row_number() OVER () AS place FROM (SELECT * FROM decision "
)
_WAITING: LiteralString = """
    ) AS decision)
    SELECT picked.*, coalesce((conversation.value #>> '{12,0}')::bigint = decision, false) AS waits
    FROM picked LEFT JOIN conversation USING (workspace, conversation) ORDER BY place
"""
"""Conversations are looked up for what was picked alone: joined first, every one of them would be read."""

_NAMES: LiteralString = "SELECT engineer, name FROM teammate_name WHERE engineer = ANY(%s::bigint[])"


class Compared(NamedTuple):
    """What became of a decision in the shadow: whom Intercom shows with the conversation, and how both stood then."""

    instead: Person
    load: int
    """Of `instead`, just before; so is `winner_load`, of whom Steelyard would have chosen."""
    winner_load: int
    reason: Reason | None
    """Why Steelyard would not have given them anything, if so."""
    seconds: float
    """Between Steelyard's decision and the assignment; 0 where that came first."""

    @property
    def lighter(self) -> int:
        """How much less the one whom Steelyard would have chosen carried; below 0: how much more, by then."""
        return self.load - self.winner_load


class Entry(NamedTuple):
    """A decision, as a sentence needs it."""

    number: int
    at: datetime
    conversation: int
    label: Label
    weight: int
    winner: Person
    winner_load: int
    runner_up: Person | None
    runner_up_load: int | None
    outcome: Outcome
    reason: str
    settled_at: datetime | None
    compared: Compared | None
    waits: bool
    """Whether it was decided in the shadow, and nobody was given the conversation yet."""

    @property
    def same(self) -> bool:
        """Whether Intercom shows whom Steelyard would have chosen."""
        return self.compared is not None and self.compared.instead.id == self.winner.id

    @property
    def cells(self) -> tuple[object, ...]:
        """As a row under HEADER."""
        runner_up = self.runner_up.id if self.runner_up else None
        return (
            *(self.number, self.at, self.conversation, self.label.topic, self.weight, self.winner.id),
            *(self.winner_load, runner_up, self.runner_up_load, self.outcome, self.settled_at),
            *(_cells(self.compared) if self.compared else (None,) * 4),
        )


def _cells(compared: Compared) -> tuple[object, ...]:
    return compared.instead.id, compared.load, compared.winner_load, compared.reason


async def read_entries(connection: AsyncConnection[Any], most: int, before: int | None = None) -> tuple[Entry, ...]:
    """At most `most` decisions, the newest first, older than the one numbered `before`."""
    newest: LiteralString = "WHERE decision < coalesce(%s, 9223372036854775807) ORDER BY decision DESC LIMIT %s"
    return await _read(connection, newest, [before, most])


async def read_largest(
    connection: AsyncConnection[Any], most: int, since: datetime | None, until: datetime
) -> tuple[Entry, ...]:
    """Of the decisions compared from `since` (None: ever) to `until`, at most `most`.

    Those first that were given to somebody who was not available, then the largest differences.
    """
    largest: LiteralString = (
        "WHERE outcome = 'compared' AND settled_at >= coalesce(%s, '-infinity'::timestamptz) AND settled_at <= %s"
        " AND (instead != winner OR instead_exclusions != 0)"
        " ORDER BY instead_exclusions != 0 DESC, instead_load - winner_load_then DESC, decision DESC LIMIT %s"
    )
    return await _read(connection, largest, [since, until, most])


async def read_of_conversation(connection: AsyncConnection[Any], conversation: int, most: int) -> tuple[Entry, ...]:
    """At most `most` decisions of a conversation, the newest first."""
    newest: LiteralString = "WHERE conversation = %s ORDER BY decision DESC LIMIT %s"
    return await _read(connection, newest, [conversation, most])


async def read_of_engineer(connection: AsyncConnection[Any], engineer: int, most: int) -> tuple[Entry, ...]:
    """At most `most` decisions for an engineer, the newest first."""
    newest: LiteralString = "WHERE winner = %s ORDER BY decision DESC LIMIT %s"
    return await _read(connection, newest, [engineer, most])


async def _read(connection: AsyncConnection[Any], which: LiteralString, values: Sequence[object]) -> tuple[Entry, ...]:
    found = await rows(connection, _PICKED + which + _WAITING, values)
    people = {row[who] for row in found for who in ("winner", "runner_up", "instead")} - {None}
    names = {row["engineer"]: row["name"] for row in await rows(connection, _NAMES, [list(people)])}
    policies = await read_policies(connection, {row["policy"] for row in found})
    return tuple(await made_of(found, lambda row: _entry(row, names, policies.get(row["policy"]))))


def _entry(row: dict[str, Any], names: Mapping[int, str], policy: Policy | None) -> Entry:
    def person(id: int) -> Person:
        return Person(id, names.get(id, ""))

    return Entry(
        number=row["decision"],
        at=row["at"],
        conversation=row["conversation"],
        label=label_of(row["topic"], policy),
        weight=row["weight"],
        winner=person(row["winner"]),
        winner_load=row["winner_load"],
        runner_up=person(row["runner_up"]) if row["runner_up"] else None,
        runner_up_load=row["runner_up_load"],
        outcome=row["outcome"],
        reason=row["reason"] or "",
        settled_at=row["settled_at"],
        compared=_compared(row, person(row["instead"])) if row["outcome"] == "compared" else None,
        waits=row["outcome"] == "shadow" and row["waits"],
    )


def _compared(row: dict[str, Any], instead: Person) -> Compared:
    return Compared(
        instead=instead,
        load=row["instead_load"],
        winner_load=row["winner_load_then"],
        reason=reason_of(Exclusion(row["instead_exclusions"])),
        seconds=max(0.0, (row["settled_at"] - row["at"]).total_seconds()),
    )
