"""What the tests of the pure core share: notifications of a small Intercom in which people act, and the core with the
memory that the router keeps around it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, NamedTuple

from hypothesis import strategies as st

from steelyard.kit.facts import Fact, Recorded
from steelyard.kit.ids import ConversationId, Position
from steelyard.kit.instants import SECOND, Micros
from steelyard.routing import codec
from steelyard.routing.decide import Changes, Scale, apply, decide
from steelyard.routing.model import Conversation, Decision, Exclusion, Phase
from steelyard.routing.policy import parse
from steelyard.routing.receive import AskFor, receive
from steelyard.routing.router import scale
from steelyard.routing.seen import Gone, Ignored, SeenConversation, SeenMove, Settled
from steelyard.routing.shown import Reader
from steelyard.routing.state import State

BEGAN = 1_700_000_000
POLICY = parse(files("steelyard.routing").joinpath("policy.toml").read_text("utf-8"))
SCALE: Scale = scale(POLICY)
READER = Reader("steelyard-app", POLICY.heaviest)
BODIES = ("Our nameservers do not answer", "nginx as a reverse proxy gives 502", "Hello?")
TEAMS = {7: (1, 2), 8: (2, 3)}
ENGINEERS = (1, 2, 3, 4)
URGENCIES = ("none", "low", "medium", "high", "urgent")


# Payloads


def notification(topic: str, item: dict[str, Any], id: str, at: int) -> bytes:
    """The body of a webhook."""
    return json.dumps({"topic": topic, "id": id, "created_at": at, "data": {"item": item}}).encode()


def read_back(item: dict[str, Any], at: int, id: str = "") -> bytes:
    """What reading a conversation puts into the inbox."""
    return notification("steelyard.read_back", item, id or f"read {item['id']} {at}", at)


def receipt(decision: int, conversation: int, outcome: str, answer: dict[str, Any], at: int) -> bytes:
    """What a delivery puts into the inbox."""
    whole = {"topic": "steelyard.receipt", "id": f"receipt {decision}", "created_at": at, "at": at * SECOND}
    whole |= {"decision": decision, "conversation": conversation, "outcome": outcome, "reason": "", "answer": answer}
    return json.dumps(whole).encode()


def moved(
    move: int, conversation: int, engineer: int, outcome: str, answer: dict[str, Any], at: int, reason: str = ""
) -> bytes:
    """What the job of a person's move puts into the inbox."""
    whole = {"topic": "steelyard.moved", "id": f"moved {move}", "created_at": at, "at": at * SECOND, "move": move}
    whole |= {"conversation": conversation, "engineer": engineer, "outcome": outcome, "reason": reason}
    return json.dumps(whole | {"answer": answer}).encode()


def rotation(engineer: int, resting: bool, at: int, id: str = "", person: int | None = 5) -> bytes:
    """What taking somebody off rotation, or putting them back, puts into the inbox."""
    whole = {"topic": "steelyard.rotation", "id": f"rotation {at} {id}", "created_at": at, "engineer": engineer}
    return json.dumps(whole | {"resting": resting, "person": person}).encode()


def away_refused(asked: int, engineer: int, away: bool, reason: str, at: int) -> bytes:
    """What a job puts into the inbox that could set nobody away or back."""
    whole = {"topic": "steelyard.away_refused", "id": f"away {asked}", "created_at": at, "asked": asked}
    return json.dumps(whole | {"engineer": engineer, "away": away, "reason": reason}).encode()


def admin(id: int, **changes: Any) -> dict[str, Any]:
    """A teammate as Intercom shows them."""
    return {"type": "admin", "id": str(id), "away_mode_enabled": False, "has_inbox_seat": True} | changes


def roster(admins: list[dict[str, Any]], teams: dict[int, tuple[int, ...]] = TEAMS, at: int = BEGAN) -> bytes:
    """What reading the roster puts into the inbox."""
    listed = [{"type": "team", "id": str(id), "admin_ids": list(members)} for id, members in teams.items()]
    whole = {"topic": "steelyard.roster", "id": f"roster {at}", "created_at": at, "admins": admins, "teams": listed}
    return json.dumps(whole).encode()


EVERYBODY = roster([admin(id) for id in ENGINEERS])


# A small Intercom


class Act(NamedTuple):
    """Something a person does to a conversation, `wait` seconds after what was done before."""

    kind: str
    conversation: int
    value: int
    """Whom, what weight, what priority: each kind takes what it needs of it."""
    wait: int
    salt: int
    """The start of the notification's id: ids are in no order."""


@dataclass
class Shown:
    """A conversation as Intercom shows it now."""

    id: int
    created_at: int
    body: str
    updated_at: int = 0
    state: str = "open"
    assignee: int | None = None
    team: int | None = None
    priority: str = "none"
    tag: tuple[int, int] | None = None
    """Weight, and when it was applied."""
    notes: list[tuple[int, int, str]] = field(default_factory=list)
    """Id, when, and what."""
    deleted: bool = False
    ours: bool = False
    """Whether the newest part is of an app's making."""

    def item(self, notes: list[tuple[int, int, str]] | None = None) -> dict[str, Any]:
        """The conversation in JSON, with all its notes or those given. Unassigned is null, 0 or "0"."""
        parts: list[dict[str, Any]] = [
            {"id": str(id), "part_type": "note", "created_at": at, "body": body}
            for id, at, body in (self.notes if notes is None else notes)
        ]
        if self.ours:
            parts.append({"id": "9", "part_type": "assignment", "app_package_code": "steelyard-app"})
        nobody = (None, 0, "0")[self.updated_at % 3]
        tags = [{"name": f"weight:{self.tag[0]}", "applied_at": self.tag[1]}] if self.tag else []
        return {
            "type": "conversation",
            "id": str(self.id),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "state": self.state,
            "open": self.state == "open",
            "admin_assignee_id": nobody if self.assignee is None else self.assignee,
            "team_assignee_id": nobody if self.team is None else str(self.team),
            "priority": self.priority,
            "tags": {"tags": tags},
            "source": {"subject": "", "body": self.body},
            "conversation_parts": {"conversation_parts": parts},
        }

    def values(self) -> tuple[Any, ...]:
        """What a mirror must show of it, but for notes."""
        if self.deleted:
            return ("deleted",)
        return (self.state, self.assignee, self.team, URGENCIES.index(self.priority), self.tag)


class Sent(NamedTuple):
    """A notification, and what Intercom showed when it was made."""

    conversation: int
    body: bytes
    key: tuple[int, int, int]
    """What orders it: updated_at, rank, created_at."""
    values: tuple[Any, ...]
    note: tuple[int, int, str] | None


@dataclass
class Intercom:
    """A workspace's conversations, on which people act. Each act that Intercom tells of is in `sent`, in order."""

    now: int = BEGAN
    conversations: dict[int, Shown] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)

    def act(self, act: Act) -> None:
        """Does what can be done: nothing happens to what is not there."""
        self.now += act.wait
        shown = self.conversations.get(act.conversation)
        if shown is None:
            body = BODIES[act.value % len(BODIES)]
            shown = self.conversations[act.conversation] = Shown(act.conversation, self.now, body)
            team = (None, 7, 8)[act.value % 3] if act.kind == "team" else None
            shown.team = team
            return self._tell("conversation.user.created", shown, act, rank=0)
        if shown.deleted:
            return
        note = None
        topic, touches = getattr(self, f"_{act.kind}")(shown, act.value)
        if act.kind == "note":
            note = shown.notes[-1]
        self._tell(topic, shown, act, note=note, touches=touches)

    def _tell(
        self,
        topic: str,
        shown: Shown,
        act: Act,
        rank: int = 1,
        note: tuple[int, int, str] | None = None,
        touches: bool = True,
    ) -> None:
        if touches:
            shown.updated_at = self.now
        shown.ours = False
        id = f"{act.salt} {len(self.sent)}"
        item = {"id": str(shown.id)} if shown.deleted else shown.item([note] if note else [])
        body = notification(topic, item, id, self.now)
        self.sent.append(Sent(shown.id, body, (shown.updated_at, rank, self.now), shown.values(), note))

    def _create(self, shown: Shown, value: int) -> tuple[str, bool]:
        return self._reply(shown, value)

    def _reply(self, shown: Shown, value: int) -> tuple[str, bool]:
        shown.state = "open"
        return "conversation.user.replied", True

    def _answer(self, shown: Shown, value: int) -> tuple[str, bool]:
        return "conversation.admin.replied", True

    def _assign(self, shown: Shown, value: int) -> tuple[str, bool]:
        shown.assignee, shown.state = ENGINEERS[value % len(ENGINEERS)], "open"
        return "conversation.admin.assigned", True

    def _unassign(self, shown: Shown, value: int) -> tuple[str, bool]:
        shown.assignee = None
        return "conversation.admin.assigned", True

    def _team(self, shown: Shown, value: int) -> tuple[str, bool]:
        shown.team, shown.assignee = (None, 7, 8)[value % 3], None
        return "conversation.admin.assigned", True

    def _close(self, shown: Shown, value: int) -> tuple[str, bool]:
        shown.state = "closed"
        return "conversation.admin.closed", True

    def _open(self, shown: Shown, value: int) -> tuple[str, bool]:
        shown.state = "open"
        return "conversation.admin.opened", True

    def _snooze(self, shown: Shown, value: int) -> tuple[str, bool]:
        shown.state = "snoozed"
        return "conversation.admin.snoozed", True

    def _priority(self, shown: Shown, value: int) -> tuple[str, bool]:
        shown.priority = URGENCIES[value % len(URGENCIES)]
        return "conversation.priority.updated", value % 2 == 0

    def _tag(self, shown: Shown, value: int) -> tuple[str, bool]:
        shown.tag = (value + 1, self.now)
        return "conversation_part.tag.created", value % 2 == 0

    def _untag(self, shown: Shown, value: int) -> tuple[str, bool]:
        shown.tag = None
        return "conversation.admin.replied", True

    def _note(self, shown: Shown, value: int) -> tuple[str, bool]:
        said = ("/weight auto", f"/weight {value + 1}", "/weight 5000", "seen this before")[value % 4]
        shown.notes.append((len(shown.notes) + 1, self.now, said))
        return "conversation.admin.noted", value % 2 == 0

    def _delete(self, shown: Shown, value: int) -> tuple[str, bool]:
        shown.deleted = True
        return "conversation.deleted", True


KINDS = (
    *("create", "reply", "answer", "assign", "unassign", "team", "close", "open", "snooze"),
    *("priority", "tag", "untag", "note", "delete"),
)


def acts(conversations: int = 2, kinds: tuple[str, ...] = KINDS) -> st.SearchStrategy[Act]:
    """What a person may do next. Two acts often fall into the same second."""
    return st.builds(
        Act,
        st.sampled_from(kinds),
        st.integers(10, 9 + conversations),
        st.integers(0, 11),
        st.sampled_from((0, 0, 1, 7)),
        st.integers(0, 9),
    )


@st.composite
def histories(draw: st.DrawFn, most: int = 8) -> Intercom:
    """An Intercom after some acts, with everything it sent."""
    intercom = Intercom()
    for act in draw(st.lists(acts(), min_size=1, max_size=most)):
        intercom.act(act)
    return intercom


@st.composite
def arrivals(draw: st.DrawFn, sent: list[Any]) -> list[Any]:
    """`sent` in any order, some of it more than once."""
    again = draw(st.lists(st.sampled_from(sent), max_size=3))
    return draw(st.permutations(sent + again))


# The core, and what the router remembers for it


class Core:
    """`receive` and `decide` as the router calls them: with the recorded conversations, a ledger and a clock."""

    def __init__(self, ignored: Exclusion = Exclusion.NONE) -> None:
        self.state = State(ignored)
        self.recorded: dict[ConversationId, Conversation] = {}
        self.ledger: list[Recorded] = []
        self.decisions: list[tuple[Position, Decision]] = []
        self.unsure: set[int] = set()
        """Conversations to be read back."""
        self.now = Micros(BEGAN * SECOND)

    def take(self, body: bytes) -> Changes | None:
        """Takes one payload in; None where it becomes no fact."""
        self.now = Micros(self.now + 1)
        seen = receive(body, BEGAN, READER)
        if isinstance(seen, AskFor):
            self.unsure.add(seen.conversation)
            return None
        if isinstance(seen, Ignored):
            return None
        id = seen.id if isinstance(seen, SeenConversation | Gone) else None
        if isinstance(seen, Settled | SeenMove):
            id = seen.conversation
        before, state = self.state, self.state.fork()
        changes = decide(state, seen, self.recorded.get(id) if id else None, SCALE, self.now)
        assert state.position == before.position + len(changes.facts)
        if changes.unsure and id is not None:
            self.unsure.add(id)
        self.recorded |= state.changed_conversations
        self.ledger += [Recorded(Position(before.position + at), fact) for at, fact in enumerate(changes.facts, 1)]
        self.decisions += changes.decisions
        self.state = state
        return changes

    def append(self, fact: Fact) -> Position:
        """A fact that a page appends beside the router's; its position."""
        state = self.state.fork()
        state.position = Position(state.position + 1)
        self.ledger.append(Recorded(state.position, fact))
        self.state = state
        return state.position

    def take_all(self, bodies: list[bytes]) -> Core:
        for body in bodies:
            self.take(body)
        return self

    def mirrored(self, id: int) -> tuple[Any, ...] | None:
        """What Intercom shows of a conversation as far as is known; None where it is not known at all."""
        known = self.recorded.get(ConversationId(id))
        if known is None:
            return None
        if known.deleted:
            assert known.phase is Phase.CLOSED
            return ("deleted",)
        tag = (known.tag.weight, known.tag.at) if known.tag else None
        return (known.phase, known.assignee, known.team, known.urgency, tag)

    def weighs(self, id: int) -> tuple[Any, ...] | None:
        """The note that was last seen and the weight of a conversation that is not deleted."""
        known = self.recorded.get(ConversationId(id))
        if known is None or known.deleted:
            return None
        return (known.note, known.weight, known.topic, known.topic_weight, known.since)

    def replayed(self) -> State:
        """The state that the ledger amounts to."""
        state = State(self.state.ignored)
        for recorded in self.ledger:
            apply(state, recorded.position, recorded.fact)
        return state


def frozen(state: State) -> bytes:
    """What a snapshot keeps of `state`: the rows that its tables have."""
    engineers = [[each.id, codec.engineer_data(each)] for each in state.engineers.values()]
    rows = [state.position, state.version, engineers, [*state.teams.values()], [*state.conversations.values()]]
    return codec.dump(rows).encode()


def contents(state: State) -> tuple[Any, ...]:
    """Everything that decides in a state."""
    public = (state.switch, state.engineers, state.teams, state.conversations, state.waiting, state.standings)
    return (*public, *(bytes(state.records(team)) for team in (None, *sorted(state.teams), 99)))


def check(state: State) -> None:
    """What holds of every state."""
    open = state.conversations.values()
    assert all(each.counts for each in open)
    for engineer in state.engineers.values():
        assert engineer.load == sum(each.weight for each in open if each.owner == engineer.id)
    free = [each for each in state.engineers.values() if not state.exclusions(each)]
    ranked = [(each.load * 1_000_000 // each.capacity, each.last_assigned, each.id) for each in free]
    assert state.standings == sorted(ranked)
    waits = [each for each in open if each.owner is None and not each.ticket and each.failed is None]
    assert state.waiting == {each.id: each.since for each in waits}
