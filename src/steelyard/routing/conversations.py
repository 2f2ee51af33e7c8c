"""The list of conversations: its columns, and reading one page of it. Filtered, sorted and paged in the database."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import AsyncConnection

from steelyard.kit.ids import EngineerId, WorkspaceId
from steelyard.kit.instants import SECOND, Micros, micros, moment
from steelyard.routing import codec
from steelyard.routing.desk import Crew, Wait, group_of, policy_in_force
from steelyard.routing.desk_floor import Open, why_waiting
from steelyard.routing.labels import Label, Person, label_of
from steelyard.routing.model import Conversation
from steelyard.routing.policy import Policy
from steelyard.routing.rows import made_of, one, rows
from steelyard.store.database import Database
from steelyard.web.language import N_
from steelyard.web.tables import Choice, Column, Days, Is, Numbered, Query, Shown, Table

RECENT: Final = timedelta(days=7)
"""How long a closed conversation stands in the list."""

NONE: Final = 0
"""The engineer of a conversation that nobody has; the team of one without a team."""


class State(StrEnum):
    """Where a conversation stands."""

    WITH = "with"
    """Somebody has it in Intercom."""
    ON_ITS_WAY = "on_its_way"
    """It was decided, and Intercom has not shown it yet."""
    SHADOW = "shadow"
    """Nobody has it; it was only decided whom Steelyard would give it to."""
    WAITING = "waiting"
    SNOOZED = "snoozed"
    CLOSED = "closed"
    DELETED = "deleted"


class Crowd(NamedTuple):
    """A team by id and name; the name is empty where it is not known."""

    id: int
    name: str


class Listed(NamedTuple):
    """A conversation in the list. `engineer` is who has it, or is to have it, or would have it in the shadow."""

    conversation: int
    label: Label
    weight: int
    since: datetime
    changed: datetime
    """When it last changed in Intercom."""
    team: Crowd | None
    engineer: Person | None
    state: State
    why: Wait | None
    """What it waits for, where it does."""
    contact: str
    """Who asked; empty where the reader may not see it, or it is not kept."""


_STATES: Final = (
    Choice(State.WITH, N_("with somebody")),
    Choice(State.WAITING, N_("waiting")),
    Choice(State.ON_ITS_WAY, N_("on its way")),
    Choice(State.SHADOW, N_("in the shadow")),
    Choice(State.SNOOZED, N_("snoozed")),
    Choice(State.CLOSED, N_("closed")),
)

_STATE: LiteralString = """
    CASE WHEN NOT open THEN phase WHEN owner IS NULL THEN 'waiting' WHEN value ->> 3 IS NOT NULL THEN 'with'
         WHEN (value #>> '{12,3}')::boolean THEN 'shadow' ELSE 'on_its_way' END
"""

TABLE: Final = Table[Listed](
    "conversations",
    (
        Column(
            "conversation",
            N_("Conversation"),
            lambda row: row.conversation,
            filter=Numbered(),
            heads=True,
            sql="conversation",
        ),
        Column("contact", N_("Customer"), lambda row: row.contact, data_only=True),
        Column(
            "topic",
            N_("Topic"),
            lambda row: row.label.topic,
            sorts=True,
            filter=Is(),
            sql="array_position(%(topics)s::text[], topic)",
            where="topic",
        ),
        Column("weight", N_("Weight"), lambda row: row.weight, sorts=True, number=True, sql="weight"),
        Column(
            "engineer",
            N_("Engineer"),
            lambda row: row.engineer and row.engineer.name,
            sorts=True,
            filter=Is(),
            sql="named.name",
            where="coalesce(owner, 0)",
        ),
        Column("engineer_id", N_("Engineer"), lambda row: row.engineer and row.engineer.id, data_only=True),
        Column(
            "team",
            N_("Team"),
            lambda row: row.team and row.team.name,
            sorts=True,
            filter=Is(),
            sql="crowd.name",
            where="coalesce(each.team, 0)",
        ),
        Column("team_id", N_("Team"), lambda row: row.team and row.team.id, data_only=True),
        Column("state", N_("State"), lambda row: row.state, filter=Is(_STATES), sql=_STATE),
        Column("waits_for", N_("State"), lambda row: row.why, data_only=True),
        Column("since", N_("Began"), lambda row: row.since, sorts=True, filter=Days(), sql="since"),
        Column(
            "changed",
            N_("Last change"),
            lambda row: row.changed,
            sorts=True,
            sql="coalesce(rested_at, (value #>> '{1,0}')::bigint)",
        ),
    ),
    sort="since",
    tie="conversation",
)


class Reader(NamedTuple):
    """Who reads the list: in which language and zone, and whether they may see who asked."""

    language: str
    zone: tzinfo
    reads: bool


class Opened(NamedTuple):
    """The table as it is offered at one moment, with what it can be filtered by."""

    table: Table[Listed]
    policy: Policy | None
    topics: tuple[str, ...]
    """All topics, in the order of their names."""


async def read_table(
    connection: AsyncConnection[Any], workspace: WorkspaceId, asked: Mapping[str, str], language: str
) -> Opened:
    """The table with its choices. What is closed or snoozed begins with what changed last."""
    policy = await policy_in_force(connection, workspace)
    topics = [label_of(each, policy) for each in policy.topics] if policy is not None else []
    topics.sort(key=lambda each: each.name(language).casefold())
    table = TABLE.with_choices("topic", [Choice(each.topic, each.name(language)) for each in topics])
    table = table.with_choices("team", await _teams(connection, workspace))
    table = table.with_choices("engineer", await _engineers(connection, workspace))
    if asked.get("state") in (State.CLOSED, State.SNOOZED):
        table = replace(table, sort="-changed")
    return Opened(table, policy, tuple(each.topic for each in topics))


async def read_conversations(
    database: Database,
    workspace: WorkspaceId,
    now: datetime,
    asked: tuple[Mapping[str, str], bool],
    reader: Reader,
    among: Collection[int] | None = None,
) -> Shown[Listed]:
    """What an address asks of the list: its query, and whether it wants all pages at once.

    `among`: conversations of which it can only be; so that these few are looked at, and not every one.
    """
    query_of, everything = asked
    async with database.transaction(workspace) as connection:
        opened = await read_table(connection, workspace, query_of, reader.language)
        query = opened.table.read(query_of, everything=everything)
        clauses = opened.table.clauses(query, reader.zone)
        values = clauses.values | {
            "workspace": workspace,
            "topics": list(opened.topics),
            "recent": micros(now - RECENT) // SECOND,
            "reads": reader.reads,
            "among": list(among or ()),
        }
        some = _some(query) + (_AMONG if among is not None else "") + clauses.where
        total = await _count(connection, some, values)
        page = _PICKED + _FROM + some + " " + clauses.order + " " + clauses.limit + _SHOWN
        found = await rows(connection, page, values) if total else []
        waits = await _read_waits(connection, workspace, opened.policy, found)
    items = await made_of(found, lambda row: _listed(row, opened.policy, waits))
    return opened.table.of_page(items, query, total)


def _some(query: Query) -> LiteralString:
    """Which conversations are looked at before any filter: those that are open, unless the query asks for others."""
    match query.filters.get("state"):
        case State.SNOOZED:
            return "NOT open AND phase = 'snoozed'"
        case State.CLOSED:
            return "NOT open AND phase = 'closed' AND rested_at > %(recent)s"
        case None if "conversation" in query.filters:
            return "coalesce(phase, '') != 'deleted'"
        case _:
            return "open"


_AMONG: LiteralString = " AND conversation = ANY(%(among)s::bigint[])"

# Without the joins: with them, even left out, it could not be counted in the index alone.
_COUNT: LiteralString = "SELECT count(*) AS number FROM conversation AS each WHERE workspace = %(workspace)s AND "

# Where nothing is sorted by a name, PostgreSQL leaves its join out.
_FROM: LiteralString = """
    FROM conversation AS each
         LEFT JOIN teammate_name AS named ON named.workspace = %(workspace)s AND named.engineer = owner
         LEFT JOIN team_name AS crowd ON crowd.workspace = %(workspace)s AND crowd.team = each.team
    WHERE each.workspace = %(workspace)s AND """

_PICKED: LiteralString = "WITH picked AS MATERIALIZED (SELECT *, row_number() OVER () AS place FROM (SELECT each.*"

# Names are looked up for one page alone: joined first, every conversation would be.
_SHOWN: LiteralString = """) AS each)
    SELECT picked.*, named.name AS engineer_name, team_name.name AS team_name, coalesce(contact, '') AS contact
    FROM picked
         LEFT JOIN teammate_name AS named ON named.workspace = %(workspace)s AND named.engineer = picked.owner
         LEFT JOIN team_name ON team_name.workspace = %(workspace)s AND team_name.team = picked.team
         LEFT JOIN conversation_text AS texts
         ON %(reads)s AND texts.workspace = %(workspace)s AND texts.conversation = picked.conversation
    ORDER BY place
"""


async def _count(connection: AsyncConnection[Any], some: LiteralString, values: Mapping[str, object]) -> int:
    found = await one(connection, _COUNT + some, values)
    return found["number"] if found is not None else 0


class Waits(NamedTuple):
    """What says why a conversation waits: the teams, and who is available."""

    crews: Mapping[int, Crew]
    free: frozenset[int]


async def _read_waits(
    connection: AsyncConnection[Any], workspace: WorkspaceId, policy: Policy | None, found: list[dict[str, Any]]
) -> Waits:
    if not any(row["open"] and row["owner"] is None for row in found):
        return Waits({}, frozenset())
    return await read_waits(connection, workspace, policy)


async def read_waits(connection: AsyncConnection[Any], workspace: WorkspaceId, policy: Policy | None) -> Waits:
    """Everybody who is available, and every team."""
    teams = await rows(connection, "SELECT team, members FROM team WHERE workspace = %s", [workspace])
    engineers = await rows(connection, "SELECT engineer, value FROM engineer WHERE workspace = %s", [workspace])
    known = [codec.engineer(EngineerId(row["engineer"]), row["value"]) for row in engineers]
    free = frozenset(each.id for each in known if group_of(each, policy) == "available")
    return Waits({row["team"]: Crew(row["team"], "", frozenset(row["members"])) for row in teams}, free)


def state_of(known: Conversation) -> State:
    """Where a conversation stands."""
    if known.deleted:
        return State.DELETED
    if not known.counts:
        return State(known.phase.value)
    if known.assignee is not None:
        return State.WITH
    if known.pending is None:
        return State.WAITING
    return State.SHADOW if known.pending.shadow else State.ON_ITS_WAY


def wait_of(known: Conversation, waits: Waits) -> Wait | None:
    """What it waits for; None where it does not wait."""
    if state_of(known) is not State.WAITING:
        return None
    seen = (known.id, None, None, known.topic, known.weight, known.since, known.team)
    opened = Open(*seen, ticket=known.ticket, refused=known.failed is not None)
    return why_waiting(opened, waits.crews.get(known.team or NONE), waits.free)


def _listed(row: Mapping[str, Any], policy: Policy | None, waits: Waits) -> Listed:
    known = codec.conversation(row["value"])
    return Listed(
        conversation=known.id,
        label=label_of(known.topic, policy),
        weight=known.weight,
        since=row["since"],
        changed=moment(Micros(known.order.updated_at * SECOND)),
        team=Crowd(known.team, row["team_name"] or "") if known.team is not None else None,
        engineer=Person(known.owner, row["engineer_name"] or "") if known.owner is not None else None,
        state=state_of(known),
        why=wait_of(known, waits),
        contact=row["contact"],
    )


async def _teams(connection: AsyncConnection[Any], workspace: WorkspaceId) -> list[Choice]:
    found = await rows(
        connection,
        "SELECT team AS id, coalesce(nullif(name, ''), team::text) AS name"
        " FROM team LEFT JOIN team_name USING (workspace, team)"
        " WHERE workspace = %s AND members != '{}' ORDER BY 2, 1",
        [workspace],
    )
    return [Choice(str(NONE), N_("without a team")), *(Choice(str(row["id"]), row["name"]) for row in found)]


async def _engineers(connection: AsyncConnection[Any], workspace: WorkspaceId) -> list[Choice]:
    found = await rows(
        connection,
        "SELECT engineer AS id, coalesce(nullif(name, ''), engineer::text) AS name"
        " FROM engineer LEFT JOIN teammate_name USING (workspace, engineer) WHERE workspace = %s ORDER BY 2, 1",
        [workspace],
    )
    return [Choice(str(NONE), N_("nobody")), *(Choice(str(row["id"]), row["name"]) for row in found)]
