"""The stream of decisions: one sentence each, newest first."""

from datetime import datetime
from typing import Any, Literal, NamedTuple

from psycopg import AsyncConnection

from steelyard.routing.labels import Label, Person, label_of, read_policies
from steelyard.routing.policy import Policy
from steelyard.routing.rows import rows

Outcome = Literal["pending", "delivered", "overtaken", "failed"]

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
)


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

    @property
    def cells(self) -> tuple[object, ...]:
        """As a row under HEADER."""
        runner_up = self.runner_up.id if self.runner_up else None
        return (
            *(self.number, self.at, self.conversation, self.label.topic, self.weight, self.winner.id),
            *(self.winner_load, runner_up, self.runner_up_load, self.outcome, self.settled_at),
        )


async def read_entries(connection: AsyncConnection[Any], most: int, before: int | None = None) -> tuple[Entry, ...]:
    """At most `most` decisions, the newest first, older than the one numbered `before`."""
    found = await rows(
        connection,
        "SELECT decision.*, winner.name AS winner_name, runner_up.name AS runner_up_name FROM decision"
        " LEFT JOIN teammate_name AS winner"
        "  ON winner.workspace = decision.workspace AND winner.engineer = decision.winner"
        " LEFT JOIN teammate_name AS runner_up"
        "  ON runner_up.workspace = decision.workspace AND runner_up.engineer = decision.runner_up"
        " WHERE decision < coalesce(%s, 9223372036854775807) ORDER BY decision DESC LIMIT %s",
        [before, most],
    )
    policies = await read_policies(connection, {row["policy"] for row in found})
    return tuple(_entry(row, policies.get(row["policy"])) for row in found)


def _entry(row: dict[str, Any], policy: Policy | None) -> Entry:
    runner_up = Person(row["runner_up"], row["runner_up_name"] or "") if row["runner_up"] else None
    return Entry(
        number=row["decision"],
        at=row["at"],
        conversation=row["conversation"],
        label=label_of(row["topic"], policy),
        weight=row["weight"],
        winner=Person(row["winner"], row["winner_name"] or ""),
        winner_load=row["winner_load"],
        runner_up=runner_up,
        runner_up_load=row["runner_up_load"],
        outcome=row["outcome"],
        reason=row["reason"] or "",
        settled_at=row["settled_at"],
    )
