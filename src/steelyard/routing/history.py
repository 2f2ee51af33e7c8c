"""What happened to a conversation: its facts, each with what it changed. Pure; templates say it in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

from steelyard.kit.ids import EngineerId, PersonId, Position, TeamId
from steelyard.kit.instants import Micros
from steelyard.routing import codec
from steelyard.routing.model import Conversation

What = Literal["assignee", "team", "phase", "weight", "topic", "urgency"]


class Change(NamedTuple):
    """One thing that is different since the fact before. `number` is an id, a weight or an urgency; 0: none."""

    what: What
    number: int = 0
    word: str = ""
    """The topic, or the phase."""


class Told(NamedTuple):
    """A fact of the conversation, as it is recorded. `data` is its JSON, read."""

    position: Position
    kind: str
    at: Micros
    engineer: EngineerId | None
    person: PersonId | None
    data: dict[str, Any]


class Happened(NamedTuple):
    """A fact that told something new. `number` is the decision or the move that it is about."""

    position: Position
    kind: str
    at: Micros
    engineer: EngineerId | None
    person: PersonId | None
    number: int
    reason: str
    ours: bool
    """Whether it is the echo of a call that Steelyard made."""
    changes: tuple[Change, ...]


class Move(NamedTuple):
    """The last move that a person asked for. `outcome` is empty while nothing is known of how it ended."""

    position: Position
    at: Micros
    engineer: EngineerId | None
    """To whom; None: to nobody."""
    person: PersonId | None
    outcome: Literal["", "moved", "move_overtaken", "move_refused"]
    reason: str


_SAYS_SO = {
    "phase": ("closed", "opened", "snoozed", "unsnoozed", "deleted", "resolved"),
    "assignee": ("moved",),
}
"""Kinds that say by themselves what changed."""


def happened(facts: Iterable[Told]) -> tuple[Happened, ...]:
    """The facts that told something new, in their order; what only repeated what was known is left out."""
    found: list[Happened] = []
    known: Conversation | None = None
    for each in facts:
        if each.data.get("late"):
            continue
        shown = codec.conversation(each.data["c"]) if "c" in each.data else known
        changes = _changes(known, shown, each.kind) if known is not None and shown is not None else ()
        found.append(_happened(each, changes))
        known = shown
    return tuple(found)


def _happened(fact: Told, changes: tuple[Change, ...]) -> Happened:
    data = fact.data
    number = fact.position if fact.kind == "decision.made" else data.get("decision") or data.get("move") or 0
    reason = str(data.get("reason", ""))
    about = (fact.position, fact.kind, fact.at, fact.engineer, fact.person, number, reason)
    return Happened(*about, ours=bool(data.get("ours")), changes=changes)


def _changes(before: Conversation, after: Conversation, kind: str) -> tuple[Change, ...]:
    silent = [what for what, kinds in _SAYS_SO.items() if kind.rpartition(".")[2] in kinds]
    found: list[Change] = []
    if before.assignee != after.assignee:
        found.append(Change("assignee", after.assignee or 0))
    if before.team != after.team:
        found.append(Change("team", after.team or 0))
    if before.phase != after.phase:
        found.append(Change("phase", word=after.phase.value))
    if before.topic != after.topic:
        found.append(Change("topic", word=after.topic))
    if before.weight != after.weight:
        found.append(Change("weight", after.weight))
    if before.urgency != after.urgency:
        found.append(Change("urgency", after.urgency))
    return tuple(each for each in found if each.what not in silent)


def last_move(facts: Sequence[Told]) -> Move | None:
    """The last move that was asked for, and how it ended; None where there was none."""
    asked = next((each for each in reversed(facts) if each.kind == "conversation.move_asked"), None)
    if asked is None:
        return None
    about = (asked.position, asked.at, asked.engineer, asked.person)
    for each in facts:
        if each.data.get("move") == asked.position:
            return Move(*about, _outcome(each.kind), str(each.data.get("reason", "")))
    return Move(*about, "", "")


def _outcome(kind: str) -> Literal["moved", "move_overtaken", "move_refused"]:
    match kind.rpartition(".")[2]:
        case "moved":
            return "moved"
        case "move_overtaken":
            return "move_overtaken"
        case _:
            return "move_refused"


def people_in(all: Iterable[Happened]) -> tuple[set[int], set[int], set[int]]:
    """The ids of the engineers, the teams and the persons that are named."""
    engineers: set[int] = set()
    teams: set[int] = set()
    persons: set[int] = set()
    for each in all:
        engineers |= {each.engineer} if each.engineer is not None else set()
        persons |= {each.person} if each.person is not None else set()
        for change in each.changes:
            if change.number and change.what in ("assignee", "team"):
                (engineers if change.what == "assignee" else teams).add(change.number)
    return engineers, {TeamId(each) for each in teams}, persons
