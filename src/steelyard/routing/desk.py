"""The desk: what a workspace looks like now, read in one transaction. Views know no language; templates do."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, LiteralString, NamedTuple
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection

from steelyard.kit.ids import EngineerId, WorkspaceId
from steelyard.routing import codec
from steelyard.routing.entries import Entry, read_entries
from steelyard.routing.labels import Label, Person, label_of, read_policies
from steelyard.routing.model import Conversation, Engineer
from steelyard.routing.policy import Policy
from steelyard.routing.rows import one, rows
from steelyard.routing.switch import Reach, read_reach
from steelyard.store.database import Database
from steelyard.web.charts import Scale, Weight, scale_for
from steelyard.web.pages import Place

MOST_WAITING = 30
MOST_ENTRIES = 14

TODAY: LiteralString = (
    "SELECT count(*) AS decisions, percentile_cont(0.5) WITHIN GROUP"
    " (ORDER BY extract(epoch FROM settled_at - at)) FILTER (WHERE outcome = 'delivered') AS delivery"
    " FROM decision WHERE workspace = %s AND at >= date_trunc('day', %s::timestamptz, 'UTC')"
)
"""Decisions since midnight UTC, and the median of seconds until Intercom had them."""

_LAST_WEBHOOK: LiteralString = (
    "SELECT received_at FROM inbox WHERE workspace = %s AND topic NOT LIKE 'steelyard.%%'"
    " ORDER BY received_at DESC LIMIT 1"
)
"""What Steelyard tells itself goes through the inbox, too."""


class Carried(NamedTuple):
    """An open conversation on somebody's rail."""

    conversation: int
    label: Label
    weight: int


class Row(NamedTuple):
    """An engineer and what they carry. `score` is what their load counts as: load ÷ capacity.

    `shadowed` are conversations that nobody has yet and that Steelyard would give them. They count for further
    decisions in the shadow only.
    """

    person: Person
    local: datetime | None
    load: int
    capacity: float
    score: float
    carried: tuple[Carried, ...]
    shadowed: tuple[Carried, ...]
    next: bool

    def weights(self, language: str) -> list[Weight]:
        """Their rail, the oldest conversation first."""
        return weights(self.carried, language)

    def hollow(self, language: str) -> list[Weight]:
        """What follows on their rail without counting."""
        return weights(self.shadowed, language)

    @property
    def end(self) -> int:
        """Where their rail's last block ends."""
        return self.load + sum(each.weight for each in self.shadowed)


class Wait(StrEnum):
    """Why a conversation has nobody."""

    TEAM_AWAY = "team_away"
    TEAM_EMPTY = "team_empty"
    TEAM_UNKNOWN = "team_unknown"
    ALL_AWAY = "all_away"
    REFUSED = "refused"
    TICKET = "ticket"
    SHADOW = "shadow"
    SOON = "soon"


class Waiting(NamedTuple):
    """A conversation in the queue."""

    conversation: int
    since: datetime
    label: Label
    weight: int
    contact: str
    why: Wait
    team: str
    shadow: Person | None
    """Whom Steelyard would give it to, where it does not assign."""


class Figures(NamedTuple):
    """The numbers that matter. Loads are of the available engineers, as the policy counts them."""

    waiting: int
    oldest: datetime | None
    open: int
    weight: int
    carriers: int
    mean: float | None
    heaviest: Person | None
    heaviest_score: float
    decisions_today: int
    delivery_seconds: float | None
    last_webhook: datetime | None

    @property
    def imbalance(self) -> float | None:
        """How far the heaviest is above the mean; None while nobody is available."""
        return None if self.mean is None else self.heaviest_score - self.mean


class Desk(NamedTuple):
    """Everything the desk shows."""

    place: Place
    at: datetime
    reach: Reach
    figures: Figures
    available: tuple[Row, ...]
    away: tuple[Row, ...]
    gone: tuple[Row, ...]
    """Without a seat or no longer in the workspace, and still carrying something."""
    waiting: tuple[Waiting, ...]
    entries: tuple[Entry, ...]
    aside: int
    """How much could not be handled: see aside.py."""

    @property
    def families(self) -> frozenset[str]:
        """The families of topics on the rails, for the legend."""
        rows = (*self.available, *self.away, *self.gone)
        return frozenset(each.label.family for row in rows for each in (*row.carried, *row.shadowed))

    @property
    def hollow(self) -> bool:
        """Whether anything on the rails does not count, for the legend."""
        return any(row.shadowed for row in (*self.available, *self.away, *self.gone))

    @property
    def scale(self) -> Scale:
        """The one scale of all rails, with room for the next conversation."""
        return scale_for([row.end + 2 for row in (*self.available, *self.away, *self.gone)])


class _Team(NamedTuple):
    name: str
    members: frozenset[int]


class _Open(NamedTuple):
    value: Conversation
    since: datetime
    contact: str

    @property
    def shadow(self) -> int | None:
        """Whom Steelyard would give it to, where it only compares and nobody has it yet."""
        pending = self.value.pending
        return pending.engineer if pending is not None and pending.shadow and self.value.assignee is None else None

    @property
    def owner(self) -> int | None:
        """Who has it, or is being given it."""
        return None if self.shadow is not None else self.value.owner


def weights(carried: Sequence[Carried], language: str) -> list[Weight]:
    """Conversations as weights on a rail, named in `language`."""
    return [
        Weight(each.label.short_name(language), each.label.name(language), each.weight, each.label.family)
        for each in carried
    ]


async def read_place(connection: AsyncConnection[Any], workspace: WorkspaceId) -> Place:
    """Where the reader is. A workspace without a connection goes by its id."""
    found = await one(
        connection,
        "SELECT (SELECT min(each) FROM workspaces_of_cell() AS each) = %(workspace)s AS first,"
        " (SELECT name FROM connection WHERE workspace = %(workspace)s) AS name,"
        " (SELECT region FROM connection WHERE workspace = %(workspace)s) AS region",
        {"workspace": workspace},
    )
    known = found or {"first": True, "name": None, "region": None}
    return Place(known["name"] or workspace, known["region"] or "", "" if known["first"] else workspace)


async def read_desk(database: Database, workspace: WorkspaceId, now: datetime) -> Desk:
    """The desk of `workspace` at `now`."""
    async with database.transaction(workspace) as connection:
        policy = await policy_in_force(connection, workspace)
        people = await _engineers(connection)
        texts = await _texts(connection)
        teams = await _teams(connection)
        place = await read_place(connection, workspace)
        reach = await read_reach(connection, workspace)
        entries = await read_entries(connection, MOST_ENTRIES)
        today = await one(connection, TODAY, [workspace, now]) or {"decisions": 0, "delivery": None}
        webhook = await one(connection, _LAST_WEBHOOK, [workspace])
        aside = await one(connection, "SELECT count(*) AS number FROM inbox WHERE outcome = 'aside'", [])

    def lay_out() -> Desk:
        opened = [_opened(*each) for each in texts]
        available, away, gone = _roster(people, opened, policy, now)
        waiting = [each for each in opened if each.owner is None]
        free = frozenset(row.person.id for row in available)
        figures = _figures(available, opened, waiting, today, webhook["received_at"] if webhook else None)
        names = {engineer.id: name for engineer, name, _ in people}
        queue = tuple(_waiting(each, policy, teams, free, names) for each in waiting[:MOST_WAITING])
        return Desk(place, now, reach, figures, available, away, gone, queue, entries, aside["number"] if aside else 0)

    # Thousands of conversations take a while: what runs in the same loop, webhooks above all, goes on meanwhile.
    return await asyncio.to_thread(lay_out)


def _roster(
    people: Sequence[tuple[Engineer, str, str]], opened: Sequence[_Open], policy: Policy | None, now: datetime
) -> tuple[tuple[Row, ...], tuple[Row, ...], tuple[Row, ...]]:
    """Who is available, who is away, and who is gone but still carries something; the next one first."""
    carried: dict[int, list[Carried]] = defaultdict(list)
    shadowed: dict[int, list[Carried]] = defaultdict(list)
    for each in opened:
        value = each.value
        if each.owner is not None:
            carried[each.owner].append(Carried(value.id, label_of(value.topic, policy), value.weight))
        elif each.shadow is not None:
            shadowed[each.shadow].append(Carried(value.id, label_of(value.topic, policy), value.weight))
    groups: dict[str, list[tuple[tuple[int, int, int], Row]]] = {"available": [], "away": [], "gone": []}
    for engineer, name, zone in people:
        hollow = tuple(shadowed.get(engineer.id, ()))
        row = _row(engineer, Person(engineer.id, name), tuple(carried.get(engineer.id, ())), hollow, zone, now)
        group = group_of(engineer, policy)
        if group != "gone" or row.carried:
            order = (row.end * 1_000_000 // engineer.capacity, engineer.last_assigned, engineer.id)
            groups[group].append((order, row))
    available, away, gone = (
        tuple(row for _, row in sorted(groups[group], key=lambda each: each[0])) for group in groups
    )
    return (*(row._replace(next=True) for row in available[:1]), *available[1:]), away, gone


def _row(
    engineer: Engineer,
    person: Person,
    carried: tuple[Carried, ...],
    shadowed: tuple[Carried, ...],
    zone: str,
    now: datetime,
) -> Row:
    load = sum(each.weight for each in carried)
    capacity = engineer.capacity / 1000
    return Row(person, _local(now, zone), load, capacity, load / capacity, carried, shadowed, next=False)


def group_of(engineer: Engineer, policy: Policy | None) -> Literal["available", "away", "gone"]:
    """Whether they can be given something under `policy`, cannot right now, or no longer can."""
    if not engineer.member or not engineer.seat:
        return "gone"
    absent = not engineer.logged_in and (policy is None or policy.logged_out_counts_as_away)
    return "away" if engineer.away or absent else "available"


def _local(now: datetime, zone: str) -> datetime | None:
    """The time in Intercom's name of a zone; None for one that is not known here."""
    try:
        return now.astimezone(ZoneInfo(zone)) if zone else None
    except (OSError, ValueError, KeyError):
        return None


def _waiting(
    opened: _Open,
    policy: Policy | None,
    teams: Mapping[int, _Team],
    free: frozenset[int],
    names: Mapping[EngineerId, str],
) -> Waiting:
    value = opened.value
    team = teams.get(value.team) if value.team is not None else None
    name = team.name if team is not None and team.name else str(value.team or "")
    label = label_of(value.topic, policy)
    shadow = opened.shadow
    why = _why(value, team, free) if shadow is None else Wait.SHADOW
    person = Person(shadow, names.get(EngineerId(shadow), "")) if shadow is not None else None
    return Waiting(value.id, opened.since, label, value.weight, opened.contact, why, name, person)


def _why(value: Conversation, team: _Team | None, free: frozenset[int]) -> Wait:
    if value.failed is not None:
        return Wait.REFUSED
    if value.ticket:
        return Wait.TICKET
    if value.team is None:
        return Wait.SOON if free else Wait.ALL_AWAY
    if team is None:
        return Wait.TEAM_UNKNOWN
    if not team.members:
        return Wait.TEAM_EMPTY
    return Wait.SOON if team.members & free else Wait.TEAM_AWAY


def _figures(
    available: Sequence[Row],
    opened: Sequence[_Open],
    waiting: Sequence[_Open],
    today: Mapping[str, Any],
    last_webhook: datetime | None,
) -> Figures:
    heaviest = max(available, key=lambda row: row.score, default=None)
    return Figures(
        waiting=len(waiting),
        oldest=waiting[0].since if waiting else None,
        open=len(opened),
        weight=sum(each.value.weight for each in opened),
        carriers=len({each.owner for each in opened} - {None}),
        mean=sum(row.score for row in available) / len(available) if available else None,
        heaviest=heaviest.person if heaviest else None,
        heaviest_score=heaviest.score if heaviest else 0.0,
        decisions_today=today["decisions"],
        delivery_seconds=today["delivery"],
        last_webhook=last_webhook,
    )


async def policy_in_force(connection: AsyncConnection[Any], workspace: WorkspaceId) -> Policy | None:
    """The policy that decides now; None where there is none that this release can read."""
    found = await one(connection, "SELECT policy FROM workspace WHERE workspace = %s", [workspace])
    digest = found["policy"] if found else None
    return (await read_policies(connection, [digest])).get(digest) if digest else None


async def _engineers(connection: AsyncConnection[Any]) -> list[tuple[Engineer, str, str]]:
    """Every engineer, with name and zone where they are known."""
    found = await rows(
        connection,
        "SELECT engineer, value, coalesce(name, '') AS name, coalesce(zone, '') AS zone"
        " FROM engineer LEFT JOIN teammate_name USING (workspace, engineer)",
    )
    return [(codec.engineer(row["engineer"], row["value"]), row["name"], row["zone"]) for row in found]


async def _texts(connection: AsyncConnection[Any]) -> list[tuple[str, datetime, str]]:
    """Every open conversation, the oldest first: still as text, since when, the contact's name while it is kept."""
    found = await connection.execute(
        "SELECT conversation.value::text, since, coalesce(contact, '')"
        " FROM conversation LEFT JOIN conversation_text USING (workspace, conversation)"
        " WHERE open ORDER BY since, conversation"
    )
    return await found.fetchall()


def _opened(text: str, since: datetime, contact: str) -> _Open:
    return _Open(codec.conversation(json.loads(text)), since, contact)


async def _teams(connection: AsyncConnection[Any]) -> dict[int, _Team]:
    found = await rows(
        connection,
        "SELECT team, members, coalesce(name, '') AS name FROM team LEFT JOIN team_name USING (workspace, team)",
    )
    return {row["team"]: _Team(row["name"], frozenset(row["members"])) for row in found}
