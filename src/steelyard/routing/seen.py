"""What one payload of Intercom's shows: the values between `receive` and `decide`. Text and names go into no fact."""

from __future__ import annotations

from typing import NamedTuple

from steelyard.kit.ids import ConversationId, EngineerId, PersonId, Position, TeamId
from steelyard.kit.instants import Micros
from steelyard.routing.model import Order, Override, Phase, Switch, Team, Text


class Ignored(NamedTuple):
    """A payload that changes no load, and why."""

    reason: str


class SeenConversation(NamedTuple):
    """A conversation as one payload shows it."""

    kind: str
    """The fact it becomes, such as `conversation.closed`."""
    id: ConversationId
    at: int
    """When it happened, in seconds since 1970: the payload's own time."""
    order: Order
    phase: Phase
    assignee: EngineerId | None
    team: TeamId | None
    urgency: int
    since: int
    text: Text
    """What is weighed."""
    contact: str
    """A name the desk may show. Like the text, it goes into no fact."""
    tag: Override | None = None
    note: Override | None = None
    by: EngineerId | None = None
    """The engineer who did it, where the payload says."""
    ours: bool = False
    """Whether it is the echo of a call that Steelyard made."""
    deleted: bool = False
    ticket: bool = False


class Gone(NamedTuple):
    """A conversation that was deleted: its payload holds only its id."""

    id: ConversationId
    at: int
    order: Order


class SeenEngineer(NamedTuple):
    """What one payload says of an engineer; None where it says nothing."""

    kind: str
    id: EngineerId
    at: int
    order: Order
    away: bool | None = None
    logged_in: bool | None = None
    member: bool | None = None
    seat: bool | None = None
    name: str = ""
    resting: bool | None = None
    """Whether they are off rotation. Intercom does not know it: a person in the console says so."""
    person: PersonId | None = None
    """Who did it in the console."""


class SeenTeam(NamedTuple):
    """A team as Intercom has it."""

    team: Team
    at: int
    name: str = ""
    distribution: str = ""
    """How Intercom itself assigns in it: `round_robin`, `load_balanced`; empty where it does not say."""


class Settled(NamedTuple):
    """How the delivery of a decision ended, and the conversation as Intercom answered it."""

    decision: Position
    conversation: ConversationId
    outcome: str
    """`delivered`, `overtaken` or `failed`."""
    reason: str
    """A code, never a text of Intercom's."""
    at: Micros
    """By our own clock: it is how long a delivery took."""
    seen: SeenConversation | None


class SeenMove(NamedTuple):
    """How a move ended that a person asked for, and the conversation as Intercom answered it."""

    move: Position
    """Of the fact that it was asked for."""
    conversation: ConversationId
    engineer: EngineerId | None
    """Whom it was to be given to; None: nobody."""
    outcome: str
    """`moved`, `move_overtaken` or `move_refused`."""
    reason: str
    """A code, never a text of Intercom's."""
    at: Micros
    """By our own clock."""
    seen: SeenConversation | None


class SeenRefusal(NamedTuple):
    """Somebody could not be set away, or back, as a person had asked."""

    asked: Position
    """Of the fact that it was asked for."""
    engineer: EngineerId
    away: bool
    reason: str
    """A code, never a text of Intercom's."""
    at: int


class SeenRoster(NamedTuple):
    """All teammates and teams, read from Intercom at once: who is not among them has left."""

    engineers: tuple[SeenEngineer, ...]
    teams: tuple[SeenTeam, ...]
    at: int
    order: Order


class SeenSwitch(NamedTuple):
    """Teams were switched on or off."""

    switch: Switch
    at: int
    person: PersonId | None = None
    """Who pressed it in the console."""


class SeenPolicy(NamedTuple):
    """A policy was put in force: who waits may be given to somebody now."""

    policy: str
    at: int


class SeenWaiting(NamedTuple):
    """More conversations waited than one transaction decides: it goes on with the rest."""


Seen = (
    SeenConversation
    | Gone
    | SeenEngineer
    | SeenTeam
    | SeenRoster
    | SeenPolicy
    | SeenSwitch
    | SeenWaiting
    | Settled
    | SeenMove
    | SeenRefusal
)
