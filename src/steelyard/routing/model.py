"""The values of routing: what a conversation, an engineer and a decision are. Immutable, made of ids and numbers."""

from __future__ import annotations

from enum import IntFlag, StrEnum
from typing import NamedTuple

from steelyard.kit.ids import ConversationId, EngineerId, Position, TeamId, TopicId
from steelyard.kit.instants import Micros

ENGINE = 1
"""The version of the decision and of its digest's bytes. A change of either is a new number; old ones stay callable."""


class Text(NamedTuple):
    """What may be weighed. It goes no further than `weigh`."""

    subject: str
    body: str
    tags: tuple[str, ...]
    attributes: tuple[tuple[str, str], ...]
    language: str
    """ISO 639-1 code as Intercom tells it, or empty."""


class Match(NamedTuple):
    """A rule that matched: where, for how many points. `start` and `end` are offsets into that field's plain text."""

    topic: TopicId
    rule: str
    """The rule's id in the policy: `topic/number`."""
    field: str
    """`subject`, `body`, `tag`, `attribute` or `language`."""
    start: int
    end: int
    points: int


class Weighed(NamedTuple):
    """What a conversation is about and how heavy it is, with the rules that said so (most points first, 12 at most)."""

    topic: TopicId
    weight: int
    matches: tuple[Match, ...]


class Phase(StrEnum):
    """Intercom's three states of a conversation."""

    OPEN = "open"
    SNOOZED = "snoozed"
    CLOSED = "closed"


BEFORE, CREATED, WEBHOOK, READ = -1, 0, 1, 2
"""Ranks within one second of Intercom's: a creation is older, a later reading newer, than any other payload. What was
before the first payload is older than all of them."""


class Order(NamedTuple):
    """The one total order of what was seen of a conversation or an engineer: the greater is the newer.

    Times are Intercom's own, in whole seconds. Within one, a creation (`rank` 0) is older and a reading
    (2) newer than any other payload (1).
    """

    updated_at: int
    rank: int
    observed_at: int
    source: str
    """The notification's id: it breaks what ties remain."""


class Override(NamedTuple):
    """A weight set by a person, in a note or a tag; `weight` None takes it back."""

    at: int
    source: str
    weight: int | None


class Pending(NamedTuple):
    """A decision that Intercom has not been seen to follow yet."""

    decision: Position
    engineer: EngineerId
    after: Order
    """What was known of the conversation when it was decided: only something newer can answer it."""
    shadow: bool = False
    """Whether it is only compared with what Intercom does, and never delivered."""


NOBODY = EngineerId(0)
"""Stands for no engineer, where a person chooses one: who has a conversation that waits."""

NO_TEAM = TeamId(0)
"""Stands for conversations without a team, where teams are switched on."""


class Switch(NamedTuple):
    """For which teams Steelyard assigns. For all others it decides in the shadow: it compares and writes nothing."""

    routed: tuple[TeamId, ...] | None = None
    """The teams that are on, NO_TEAM among them perhaps; None: all of them, those to come too."""
    paused: bool = False
    """Whether it assigns for no team at all, whichever are on."""

    def routes(self, team: TeamId | None) -> bool:
        """Whether what is decided for `team` (None: for a conversation without one) is delivered."""
        return not self.paused and (self.routed is None or (team or NO_TEAM) in self.routed)


class Conversation(NamedTuple):
    """A conversation as Intercom has it, with what Steelyard decided on top."""

    id: ConversationId
    order: Order
    phase: Phase
    assignee: EngineerId | None
    """Whom Intercom shows; `owner` also knows a decision on its way."""
    team: TeamId | None
    urgency: int
    """Intercom's priority: 0 none, 1 low, 2 medium, 3 high, 4 urgent."""
    since: int
    """Seconds since 1970 when the customer began."""
    topic: TopicId
    topic_weight: int
    matches: tuple[Match, ...]
    tag: Override | None
    note: Override | None
    pending: Pending | None
    deleted: bool = False
    ticket: bool = False
    failed: Position | None = None
    """The decision Intercom refused for good: not decided again until something newer is seen."""

    @property
    def weight(self) -> int:
        """What it weighs now: the newest of tag and note, else its topic's weight."""
        overrides = [each for each in (self.tag, self.note) if each is not None and each.weight is not None]
        if self.note is not None and self.note.weight is None:
            overrides = [each for each in overrides if each.at > self.note.at]
        if not overrides:
            return self.topic_weight
        return max(overrides).weight or self.topic_weight

    @property
    def owner(self) -> EngineerId | None:
        """Who carries it: Intercom's assignee, else the engineer of a decision on its way."""
        if self.assignee is not None:
            return self.assignee
        return self.pending.engineer if self.pending is not None else None

    @property
    def counts(self) -> bool:
        """Whether it is open, and so weighs on its owner."""
        return self.phase is Phase.OPEN and not self.deleted


class Exclusion(IntFlag):
    """Why an engineer cannot be given a conversation. The bits are part of the digest: never renumber."""

    NONE = 0
    AWAY = 1
    LOGGED_OUT = 2
    NO_SEAT = 4
    LEFT = 8
    NOT_IN_TEAM = 16
    RESTING = 32


class Engineer(NamedTuple):
    """An engineer as Intercom has them. Each register keeps the order at which it was last seen."""

    id: EngineerId
    away: bool = False
    away_order: Order | None = None
    logged_in: bool = True
    login_order: Order | None = None
    member: bool = True
    member_order: Order | None = None
    seat: bool = True
    seat_order: Order | None = None
    last_assigned: Micros = Micros(0)
    capacity: int = 1000
    """In thousandths; the divisor of the load."""
    load: int = 0
    """Sum of the weights of the open conversations they own. Kept by the state, never recorded."""
    resting: bool = False
    """Whether a lead took them off rotation: they are given nothing new and keep what they have."""
    resting_order: Order | None = None


class Team(NamedTuple):
    """A team of the Intercom workspace and the engineers in it, in the order of their ids."""

    id: TeamId
    members: tuple[EngineerId, ...]


class Candidate(NamedTuple):
    """One engineer in one decision: the terms of the comparison."""

    engineer: EngineerId
    exclusions: Exclusion
    load: int
    capacity: int
    last_assigned: Micros


class Comparison(NamedTuple):
    """What became of a decision in the shadow: who was given the conversation instead, and how both stood then."""

    decision: Position
    engineer: EngineerId
    load: int
    """Of who was given it, without this conversation; so is the winner's."""
    exclusions: Exclusion
    """Why Steelyard would not have given them anything, if so."""
    winner_load: int


class Choice(NamedTuple):
    """Who gets a conversation, and who would have without them."""

    winner: Candidate
    runner_up: Candidate | None
    digest: bytes
    """SHA-256 over the candidates' records, the matched rules, the policy's digest and the engine's version."""


class Decision(NamedTuple):
    """One choice of an engineer, as it is recorded."""

    conversation: ConversationId
    at: Micros
    topic: TopicId
    weight: int
    team: TeamId | None
    matches: tuple[Match, ...]
    winner: EngineerId
    winner_load: int
    runner_up: EngineerId | None
    runner_up_load: int | None
    policy: str
    engine: int
    digest: str
