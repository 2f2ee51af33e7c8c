"""What a desk is read from: everything once, in small portions, then what the ledger says has changed since."""

from __future__ import annotations

from bisect import insort
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, LiteralString, NamedTuple

from psycopg import AsyncConnection

from steelyard.kit.ids import EngineerId, WorkspaceId
from steelyard.routing import codec
from steelyard.routing.desk import Crew, Drift
from steelyard.routing.desk_floor import Floor, Known, Open, Switched
from steelyard.routing.labels import read_policies
from steelyard.routing.rows import one

MOST_CHANGES = 5_000
"""Facts that are read one by one. After more, everything is read again."""

_FETCH: LiteralString = "FETCH FORWARD 250 FROM portions"
"""So many rows are taken from the database at once: what runs in the same loop goes on in between."""

Connection = AsyncConnection[Any]

HEAD: LiteralString = """
    SELECT workspace.position, workspace.version, workspace.policy, routed, paused, paused_at, name, region,
           (SELECT min(each) FROM workspaces_of_cell() AS each) = workspace AS first,
           (SELECT count(*) FROM inbox WHERE inbox.workspace = %(workspace)s AND outcome = 'aside') AS aside,
           (SELECT received_at FROM inbox
            WHERE inbox.workspace = %(workspace)s AND topic NOT LIKE 'steelyard.%%'
            ORDER BY received_at DESC LIMIT 1) AS webhook,
           reading.drift, reading.ended_at
    FROM workspace LEFT JOIN connection USING (workspace)
         LEFT JOIN LATERAL (
             SELECT drift, ended_at FROM reading
             WHERE reading.workspace = %(workspace)s AND ended_at IS NOT NULL ORDER BY reading.reading DESC LIMIT 1
         ) AS reading ON true
    WHERE workspace = %(workspace)s
"""
"""What Steelyard tells itself goes through the inbox, too: it is no webhook."""

_OPEN: LiteralString = """
    SELECT conversation, owner, coalesce(value ->> 3 IS NULL AND (value #>> '{12,3}')::bool, false), topic, weight,
           extract(epoch FROM since)::bigint, team, coalesce((value ->> 14)::bool, false), value ->> 15 IS NOT NULL
    FROM conversation
"""

_ENGINEERS: LiteralString = "SELECT engineer, value FROM engineer WHERE workspace = %s AND version > %s"

_NAMES: LiteralString = "SELECT engineer, name, zone FROM teammate_name WHERE workspace = %s"

_TEAMS: LiteralString = (
    "SELECT team, coalesce(name, ''), members FROM team LEFT JOIN team_name USING (workspace, team)"
    " WHERE workspace = %s ORDER BY 2, 1"
)

_OF_ENGINEERS = ("engineer.away_asked", "engineer.away_refused")
"""Facts that change nothing on the floor, but what an engineer sees of their own."""

_FACTS: LiteralString = """
    SELECT kind, conversation, at, engineer,
           CASE WHEN kind = 'decision.delivered' THEN (data ->> 'decision')::bigint END
    FROM ledger WHERE workspace = %s AND position > %s AND position <= %s
"""

TODAY: LiteralString = """
    SELECT CASE WHEN outcome = 'delivered' THEN extract(epoch FROM settled_at - at)::float8 END
    FROM decision WHERE workspace = %s AND at >= %s
"""

_DELIVERED: LiteralString = """
    SELECT extract(epoch FROM settled_at - at)::float8 FROM decision
    WHERE workspace = %s AND decision = ANY(%s::bigint[]) AND outcome = 'delivered' AND at >= %s
"""

CONTACTS: LiteralString = (
    "SELECT conversation, contact FROM conversation_text WHERE workspace = %s AND conversation = ANY(%s::bigint[])"
)


class Head(NamedTuple):
    """What a workspace's own row and single figures say."""

    position: int
    version: int
    policy: str | None
    switched: Switched
    paused_at: datetime | None
    name: str | None
    region: str | None
    first: bool
    aside: int
    webhook: datetime | None
    drift: Drift | None


@dataclass
class Today:
    """The decisions since midnight UTC, and how long each that was delivered took until Intercom had it."""

    since: datetime
    decisions: int = 0
    seconds: list[float] = field(default_factory=list[float])

    def deliver(self, seconds: float) -> None:
        """One more is delivered."""
        insort(self.seconds, seconds)

    @property
    def median(self) -> float | None:
        """Of the seconds; None while nothing is delivered."""
        if not self.seconds:
            return None
        middle = len(self.seconds) // 2
        if len(self.seconds) % 2:
            return self.seconds[middle]
        return (self.seconds[middle - 1] + self.seconds[middle]) / 2


async def read_head(connection: Connection, workspace: WorkspaceId) -> Head | None:
    """The head of `workspace`; None where there is no such workspace."""
    row = await one(connection, HEAD, {"workspace": workspace})
    if row is None:
        return None
    return Head(
        position=row["position"],
        version=row["version"],
        policy=row["policy"],
        switched=Switched(frozenset(row["routed"]) if row["routed"] is not None else None, row["paused"]),
        paused_at=row["paused_at"],
        name=row["name"],
        region=row["region"],
        first=row["first"],
        aside=row["aside"],
        webhook=row["webhook"],
        drift=Drift(row["drift"], row["ended_at"]) if row["ended_at"] is not None else None,
    )


async def fill(connection: Connection, workspace: WorkspaceId, floor: Floor) -> None:
    """Puts every open conversation on an empty floor."""
    async for row in _portions(connection, _OPEN + "WHERE workspace = %s AND open", [workspace]):
        floor.put(_opened(row))


async def read_today(connection: Connection, workspace: WorkspaceId, since: datetime) -> Today:
    """The decisions since `since`."""
    today = Today(since)
    async for (seconds,) in _portions(connection, TODAY, [workspace, since]):
        today.decisions += 1
        if seconds is not None:
            today.seconds.append(seconds)
    today.seconds.sort()
    return today


async def catch_up(
    connection: Connection, workspace: WorkspaceId, floor: Floor, today: Today, after: int, until: int
) -> bool:
    """Takes what the facts between two positions changed; False where everything had better be read again."""
    found = await (await connection.execute(_FACTS, [workspace, after, until])).fetchall()
    if any(kind == "routing.switched" for kind, *_ in found):
        return False  # it can free any number of conversations from the shadow, without a fact for each
    changed = sorted({conversation for _, conversation, *_ in found if conversation is not None})
    if changed:
        await _put_again(connection, workspace, floor, changed)
    for kind, _, _, engineer, _ in found:
        if kind in _OF_ENGINEERS and engineer is not None:
            floor.touched[engineer] += 1
    today.decisions += sum(kind == "decision.made" and at >= today.since for kind, _, at, *_ in found)
    delivered = [decision for *_, decision in found if decision is not None]
    if delivered:
        for (seconds,) in await _all(connection, _DELIVERED, [workspace, delivered, today.since]):
            today.deliver(seconds)
    return True


async def _put_again(connection: Connection, workspace: WorkspaceId, floor: Floor, changed: Sequence[int]) -> None:
    query: LiteralString = _OPEN + "WHERE workspace = %s AND conversation = ANY(%s::bigint[]) AND open"
    found = {row[0]: _opened(row) for row in await _all(connection, query, [workspace, changed])}
    for id in changed:
        if id in found:
            floor.put(found[id])
        else:
            floor.remove(id)


async def read_people(connection: Connection, workspace: WorkspaceId, floor: Floor, after: int) -> bool:
    """Takes engineers whose version is above `after`, all names and the teams; whether a name is another now."""
    engineers = {id: each.engineer for id, each in floor.people.items()}
    for id, value in await _all(connection, _ENGINEERS, [workspace, after]):
        engineers[id] = codec.engineer(EngineerId(id), value)
    names = {id: (name, zone) for id, name, zone in await _all(connection, _NAMES, [workspace])}
    teams = await _all(connection, _TEAMS, [workspace])
    crews = {id: Crew(id, name, frozenset(members)) for id, name, members in teams}
    people = {id: Known(each, *names.get(id, ("", ""))) for id, each in engineers.items()}
    renamed = any(each.name != people[id].name for id, each in floor.people.items())
    floor.put_people(people.values())
    floor.put_crews(crews)
    return renamed


async def read_contacts(connection: Connection, workspace: WorkspaceId, wanted: Sequence[int]) -> dict[int, str]:
    """What the customers of conversations are called, while that is kept."""
    return dict(await _all(connection, CONTACTS, [workspace, list(wanted)])) if wanted else {}


async def read_policy(connection: Connection, floor: Floor, digest: str | None) -> None:
    """Takes the policy in force."""
    policies = await read_policies(connection, [digest]) if digest is not None else {}
    floor.put_policy(policies.get(digest) if digest is not None else None)


def _opened(row: tuple[Any, ...]) -> Open:
    id, owner, shadow, *rest = row
    return Open(id, None if shadow else owner, owner if shadow else None, *rest)


async def _all(connection: Connection, query: LiteralString, values: Sequence[object]) -> list[tuple[Any, ...]]:
    return await (await connection.execute(query, values, binary=True)).fetchall()


async def _portions(
    connection: Connection, query: LiteralString, values: Sequence[object]
) -> AsyncGenerator[tuple[Any, ...]]:
    # psycopg's own server cursor stays open, and warns, where its closing is cancelled, too; this one ends with its
    # transaction. What a FETCH answers depends on the cursor: it must not be prepared.
    await connection.execute("DECLARE portions NO SCROLL CURSOR FOR " + query, values)
    while portion := await (await connection.execute(_FETCH, prepare=False, binary=True)).fetchall():
        for row in portion:
            yield row
    await connection.execute("CLOSE portions")
