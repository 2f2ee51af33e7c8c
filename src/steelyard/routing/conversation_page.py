"""One conversation: what was asked, what it weighs, who has it and why, and what happened to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, get_args
from urllib.parse import urlsplit

from psycopg import AsyncConnection

from steelyard.kit.ids import ConversationId, WorkspaceId
from steelyard.kit.instants import SECOND, Micros, moment
from steelyard.people.members import names_of
from steelyard.routing import store
from steelyard.routing.asked import Asked, read_asked
from steelyard.routing.conversations import Crowd, State, Waits, read_waits, state_of, wait_of
from steelyard.routing.desk import Desk, Group, Row, Wait, policy_in_force
from steelyard.routing.entries import Entry, read_of_conversation
from steelyard.routing.history import Change, Happened, Move, Told, happened, last_move, people_in
from steelyard.routing.labels import Label, Person, label_of
from steelyard.routing.model import Conversation
from steelyard.routing.policy import Policy
from steelyard.routing.rows import one, rows
from steelyard.store.database import Database

MOST_FACTS: Final = 300
"""Facts that are read of a conversation, the newest."""

MOST_DECISIONS: Final = 50

_INBOXES: Final = {
    "api.intercom.io": "app.intercom.com",
    "api.eu.intercom.io": "app.eu.intercom.com",
    "api.au.intercom.io": "app.au.intercom.com",
}
"""Where people read what each of Intercom's APIs answers for."""


class Weighing(NamedTuple):
    """What it weighs, and why: its topic's weight, unless a tag or an internal note says otherwise."""

    weight: int
    by: Literal["topic", "tag", "note"]
    at: datetime | None
    """When the tag or the note was written."""
    topic_weight: int


class Altered(NamedTuple):
    """One thing that a fact changed; see history.Change."""

    what: str
    number: int
    engineer: Person | None
    team: Crowd | None
    label: Label | None
    phase: str


class Event(NamedTuple):
    """One fact of its history. `who` did it in the console; empty where that was nobody there, or is not known."""

    position: int
    kind: str
    at: datetime
    engineer: Person | None
    who: str
    number: int
    entry: Entry | None
    """The decision that it is about."""
    reason: str
    ours: bool
    altered: tuple[Altered, ...]


class Moving(NamedTuple):
    """The last move, while it is under way or when it did not succeed."""

    to: Person | None
    at: datetime
    who: str
    outcome: Literal["", "move_overtaken", "move_refused"]
    reason: str


Kind = Literal["asked", "others", "absent"]
"""Those of its team who are available, others who are, and those who are not."""

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


class Candidate(NamedTuple):
    """Somebody whom it can be given to: what they carry, and what they would carry then."""

    person: Person
    load: int
    then: int
    group: Group
    in_team: bool

    @property
    def kind(self) -> Kind:
        """How near it is to give it to them."""
        if self.group != "available":
            return "absent"
        return "asked" if self.in_team else "others"


class ConversationPage(NamedTuple):
    """Everything the page shows. `candidates` is None where the reader may not move it, or it cannot be moved."""

    at: datetime
    conversation: int
    label: Label
    weighing: Weighing
    asked: Asked
    state: State
    why: Wait | None
    team: Crowd | None
    owner: Person | None
    since: datetime
    changed: datetime
    urgency: int
    ticket: bool
    entries: tuple[Entry, ...]
    """Its decisions, the newest first."""
    events: tuple[Event, ...]
    """The newest last."""
    cut: bool
    """Whether older facts are left out."""
    moving: Moving | None
    candidates: tuple[Candidate, ...] | None
    intercom: str
    """Its address in Intercom's inbox; empty where that is not known, as with a simulated Intercom."""

    @property
    def to_whom(self) -> tuple[tuple[Kind, tuple[Candidate, ...]], ...]:
        """The candidates by their kind, each kind with its least loaded first."""
        found: dict[Kind, tuple[Candidate, ...]] = {
            kind: tuple(each for each in self.candidates or () if each.kind == kind) for kind in KINDS
        }
        return tuple((kind, those) for kind, those in found.items() if those)

    @property
    def expected(self) -> int:
        """Whom the reader sees it with, which a move has to name; 0: nobody."""
        moving = self.moving if self.moving is not None and not self.moving.outcome else None
        seen = self.owner if moving is None else moving.to
        return seen.id if seen is not None and (moving is not None or self.state is not State.SHADOW) else 0


class Known(NamedTuple):
    """What of a conversation is read before its page is put together."""

    value: Conversation
    facts: tuple[Told, ...]
    policy: Policy | None
    names: Names


class Names(NamedTuple):
    """What ids are called."""

    engineers: Mapping[int, str]
    teams: Mapping[int, str]
    persons: Mapping[int, str]

    def engineer(self, id: int | None) -> Person | None:
        """The engineer of that id; None for nobody."""
        return Person(id, self.engineers.get(id, "")) if id else None

    def team(self, id: int | None) -> Crowd | None:
        """The team of that id; None for none."""
        return Crowd(id, self.teams.get(id, "")) if id else None

    def person(self, id: int | None) -> str:
        """Who did something in the console; empty for nobody in particular."""
        return self.persons.get(id, "") if id else ""


async def read_conversation(
    database: Database, workspace: WorkspaceId, conversation: int, now: datetime, *, reads: bool
) -> ConversationPage | None:
    """The conversation; None where this workspace has heard of none such. `reads`: as in `read_asked`."""
    async with database.transaction(workspace) as connection:
        id = ConversationId(conversation)
        value = (await store.conversations(connection, workspace, [id])).get(id)
        if value is None:
            return None
        facts = await read_facts(connection, workspace, conversation)
        policy = await policy_in_force(connection, workspace)
        asked = await read_asked(connection, conversation, (value.topic, value.matches, policy), reads=reads)
        entries = await read_of_conversation(connection, conversation, MOST_DECISIONS)
        names = await _names(connection, workspace, value, facts)
        waiting = state_of(value) is State.WAITING
        waits = await read_waits(connection, workspace, policy) if waiting else Waits({}, frozenset())
        intercom = await _address(connection, workspace, conversation)
    return _page(Known(value, facts, policy, names), asked, entries, waits, now)._replace(intercom=intercom)


def _page(known: Known, asked: Asked, entries: tuple[Entry, ...], waits: Waits, now: datetime) -> ConversationPage:
    value, names = known.value, known.names
    numbered = {each.number: each for each in entries}
    return ConversationPage(
        at=now,
        conversation=value.id,
        label=label_of(value.topic, known.policy),
        weighing=weighing_of(value),
        asked=asked,
        state=state_of(value),
        why=wait_of(value, waits),
        team=names.team(value.team),
        owner=names.engineer(value.owner),
        since=_moment(value.since),
        changed=_moment(value.order.updated_at),
        urgency=value.urgency,
        ticket=value.ticket,
        entries=entries,
        events=tuple(_event(each, names, numbered, known.policy) for each in happened(known.facts)),
        cut=len(known.facts) == MOST_FACTS,
        moving=_moving(last_move(known.facts), names),
        candidates=None,
        intercom="",
    )


def weighing_of(known: Conversation) -> Weighing:
    """What it weighs, and what says so."""
    marks: tuple[Literal["tag", "note"], ...] = ("tag", "note")
    for by, override in zip(marks, (known.tag, known.note), strict=True):
        rest = known._replace(**{by: None})
        if override is not None and override.weight is not None and rest.weight != known.weight:
            return Weighing(known.weight, by, _moment(override.at), known.topic_weight)
    return Weighing(known.weight, "topic", None, known.topic_weight)


def candidates_of(desk: Desk, page: ConversationPage) -> tuple[Candidate, ...]:
    """Whom it can be given to, the least loaded first; who is not available comes after them."""
    crew = next((each for each in desk.teams if page.team is not None and each.id == page.team.id), None)
    groups: tuple[tuple[Group, Sequence[Row]], ...] = (
        ("available", desk.available),
        ("resting", desk.resting),
        ("away", desk.away),
    )
    weight = page.weighing.weight

    def candidate(row: Row, group: Group) -> Candidate:
        in_team = crew is None or row.person.id in crew.members
        return Candidate(row.person, row.load, row.load + weight, group, in_team)

    return tuple(
        candidate(row, group)
        for group, found in groups
        for row in sorted(found, key=lambda row: (row.score, row.person.name))
        if row.person.id != page.expected
    )


async def read_seen_with(connection: AsyncConnection[Any], workspace: WorkspaceId, conversation: int) -> Person | None:
    """Whom who looks now sees it with, also by a move under way; of id 0: nobody. None where it is not known."""
    id = ConversationId(conversation)
    value = (await store.conversations(connection, workspace, [id])).get(id)
    if value is None:
        return None
    move = last_move(await read_facts(connection, workspace, conversation))
    owner = value.owner if state_of(value) is not State.SHADOW else None
    seen = (move.engineer if move is not None and not move.outcome else owner) or 0
    row = await one(
        connection, "SELECT name FROM teammate_name WHERE workspace = %s AND engineer = %s", [workspace, seen]
    )
    return Person(seen, row["name"] if row is not None else "")


async def read_facts(connection: AsyncConnection[Any], workspace: WorkspaceId, conversation: int) -> tuple[Told, ...]:
    """The newest facts of a conversation, in their order."""
    found = await rows(
        connection,
        "SELECT position, kind, (extract(epoch FROM at) * 1000000)::bigint AS at, engineer, person, data::text AS data"
        " FROM ledger WHERE workspace = %s AND conversation = %s ORDER BY position DESC LIMIT %s",
        [workspace, conversation, MOST_FACTS],
    )
    return tuple(Told(**{**row, "data": json.loads(row["data"])}) for row in reversed(found))


def _event(each: Happened, names: Names, entries: Mapping[int, Entry], policy: Policy | None) -> Event:
    return Event(
        position=each.position,
        kind=each.kind,
        at=moment(each.at),
        engineer=names.engineer(each.engineer),
        who=names.person(each.person),
        number=each.number,
        entry=entries.get(each.number) if each.kind.startswith("decision.") else None,
        reason=each.reason,
        ours=each.ours,
        altered=tuple(_altered(change, names, policy) for change in each.changes),
    )


def _altered(change: Change, names: Names, policy: Policy | None) -> Altered:
    of = change.what
    return Altered(
        what=of,
        number=change.number,
        engineer=names.engineer(change.number) if of == "assignee" else None,
        team=names.team(change.number) if of == "team" else None,
        label=label_of(change.word, policy) if of == "topic" else None,
        phase=change.word if of == "phase" else "",
    )


def _moving(move: Move | None, names: Names) -> Moving | None:
    if move is None or move.outcome == "moved":
        return None
    return Moving(names.engineer(move.engineer), moment(move.at), names.person(move.person), move.outcome, move.reason)


async def _names(
    connection: AsyncConnection[Any], workspace: WorkspaceId, value: Conversation, facts: Sequence[Told]
) -> Names:
    engineers, teams, persons = people_in(happened(facts))
    engineers |= {each.engineer for each in facts if each.engineer is not None} | {value.owner or 0}
    teams |= {value.team or 0}
    engineer = await rows(
        connection,
        "SELECT engineer AS id, name FROM teammate_name WHERE workspace = %s AND engineer = ANY(%s)",
        [workspace, list(engineers)],
    )
    team = await rows(
        connection,
        "SELECT team AS id, name FROM team_name WHERE workspace = %s AND team = ANY(%s)",
        [workspace, list(teams)],
    )
    known = {row["id"]: row["name"] for row in engineer}, {row["id"]: row["name"] for row in team}
    persons_known = {int(id): name for id, name in (await names_of(connection)).items()} if persons else {}
    return Names(*known, persons_known)


async def _address(connection: AsyncConnection[Any], workspace: WorkspaceId, conversation: int) -> str:
    row = await one(connection, "SELECT app_id, api_url FROM connection WHERE workspace = %s", [workspace])
    if row is None:
        return ""
    url: str = row["api_url"]
    host = _INBOXES.get(urlsplit(url).hostname or "")
    return f"https://{host}/a/inbox/{row['app_id']}/inbox/conversation/{conversation}" if host else ""


def _moment(seconds: int) -> datetime:
    return moment(Micros(seconds * SECOND))
