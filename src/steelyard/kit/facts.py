"""A fact: one thing that happened, immutable, with ids and numbers only."""

from dataclasses import dataclass

from steelyard.kit.ids import ConversationId, EngineerId, PersonId, Position
from steelyard.kit.instants import Micros


@dataclass(frozen=True, slots=True)
class Fact:
    """What happened (`kind`, such as `conversation.closed`), when, to which conversation, by or to whom.

    `data` is a JSON text of ids and numbers: never a body, a name or an address. `person` is who did it in the console.
    """

    kind: str
    at: Micros
    conversation: ConversationId | None
    engineer: EngineerId | None
    data: str = "{}"
    person: PersonId | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A fact with its place in its workspace's ledger."""

    position: Position
    fact: Fact
