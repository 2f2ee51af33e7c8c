"""Desks that a web process remembers: each is read once, then kept up by what changed; in doubt it is read again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from time import monotonic

from steelyard.kit.errors import ConfigError
from steelyard.kit.ids import WorkspaceId
from steelyard.routing.desk import MOST_ENTRIES, Crew, Desk, Figures, Row, place_named
from steelyard.routing.desk_floor import Floor, Roster
from steelyard.routing.desk_read import (
    MOST_CHANGES,
    Head,
    Today,
    catch_up,
    fill,
    read_contacts,
    read_head,
    read_people,
    read_policy,
    read_today,
)
from steelyard.routing.entries import Entry, read_entries
from steelyard.routing.mine import DETAILS_KEPT, Details, Mine, mine_of, read_details
from steelyard.store.database import Connection, Database
from steelyard.web.place import Place

KEPT = 600.0
"""Seconds for which a desk is remembered after it was last asked for."""

MOST_KEPT = 32
"""Desks that one process remembers: about ten megabytes each with 20,000 conversations."""

MOST_DETAILS = 400
"""Engineers whose own conversations are remembered with each desk."""


MOST_OLD = 10
"""Of these so many are read again at once because they are old."""


class CachedDesk:
    """The desk of one workspace. Many may ask at once: they wait for each other, and share what they can."""

    def __init__(self, database: Database, workspace: WorkspaceId) -> None:
        self._database, self._workspace = database, workspace
        self._lock = asyncio.Lock()
        self._began = self.used_at = monotonic()
        self._forget()

    def _forget(self) -> None:
        self._floor, self._known = Floor(), None
        self._desk: Desk | None = None
        self._today: Today | None = None
        self._entries: tuple[Entry, ...] = ()
        self._details: dict[int, Details] = {}

    @property
    def place(self) -> Place | None:
        """Where the desk is; None before it was ever read."""
        return self._desk.place if self._desk is not None else None

    async def view(self, now: datetime, team: int | None = None) -> Desk:
        """The desk as it is when this is called or later; its queue and rows are of `team` alone if there is one."""
        self.used_at = asked = monotonic()
        async with self._lock:
            if self._desk is not None and self._began > asked and team is None:
                return self._desk
            self._began = monotonic()
            try:
                async with self._reading() as connection:
                    return await self._read(connection, now, team)
            except BaseException:
                self._forget()  # it may be half of one moment and half of another
                raise

    def all_of(self, engineer: int) -> frozenset[int] | None:
        """What `engineer` has or would have in the shadow, by the last view; None where there is none any more."""
        return self._floor.all_of(engineer) if self._desk is not None else None

    async def mine(self, engineer: int) -> Mine | None:
        """What of the last view is `engineer`'s own; None for somebody who is not in the workspace."""
        async with self._lock:
            if self._desk is None:
                return None
            if engineer not in self._details:
                async with self._reading() as connection:
                    await self._read_details(connection, [engineer], self._desk.at)
            return mine_of(self._desk, self._floor, engineer, self._details[engineer])

    async def _read_details(self, connection: Connection, engineers: Sequence[int], now: datetime) -> None:
        self._details |= await read_details(connection, self._workspace, engineers, now, self._floor)
        while len(self._details) > MOST_DETAILS:
            del self._details[next(each for each in self._details if each not in engineers)]

    def _outdated(self) -> list[int]:
        """The engineers whose details have to be read again: of those that are merely old, a few at a time."""
        touched, old = self._floor.touched, monotonic() - DETAILS_KEPT
        changed = [id for id, known in self._details.items() if known.touched != touched[id]]
        return changed + [id for id, known in self._details.items() if known.read_at < old][:MOST_OLD]

    @asynccontextmanager
    async def _reading(self) -> AsyncGenerator[Connection]:
        """All of one moment."""
        async with self._database.transaction(self._workspace) as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield connection

    async def _read(self, connection: Connection, now: datetime, team: int | None) -> Desk:
        head = await read_head(connection, self._workspace)
        if head is None:
            raise ConfigError(f"there is no workspace {self._workspace}")
        today = await self._keep_up(connection, head, now)
        crew = self._floor.crews.get(team) if team is not None else None
        first = {each.id for of in (None, crew) for each in self._floor.first_waiting(of)}
        contacts = await read_contacts(connection, self._workspace, sorted(first))
        if outdated := self._outdated():
            await self._read_details(connection, outdated, now)
        desk = self._desk = self._lay_out(head, today, contacts, now)
        return desk if crew is None else self._narrow(desk, contacts, crew)

    async def _keep_up(self, connection: Connection, head: Head, now: datetime) -> Today:
        """Brings the floor to `head`, from the facts since if they are few."""
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        known, today = self._known, self._today
        moved = known is None or known.position != head.position
        if known is None or not 0 <= head.position - known.position <= MOST_CHANGES:
            today, known = await self._start_again(connection), None
        elif moved and today is not None:
            after, until = known.position, head.position
            if not await catch_up(connection, self._workspace, self._floor, today, after, until):
                today, known = await self._start_again(connection), None
        if today is None or today.since != midnight:
            today = await read_today(connection, self._workspace, midnight)
        if known is None or known.policy != head.policy:
            await read_policy(connection, self._floor, head.policy)
            self._details = {}
        renamed = await read_people(connection, self._workspace, self._floor, known.version if known else -1)
        self._floor.switched = head.switched
        if moved or renamed or known is None:
            self._entries = await read_entries(connection, MOST_ENTRIES)
        self._known, self._today = head, today
        return today

    async def _start_again(self, connection: Connection) -> None:
        scale = self._floor.scale
        self._forget()
        self._floor.scale = scale
        await fill(connection, self._workspace, self._floor)

    def _lay_out(self, head: Head, today: Today, contacts: dict[int, str], now: datetime) -> Desk:
        floor = self._floor
        roster = floor.roster()
        return Desk(
            place_named(self._workspace, head.name, head.region, first=head.first),
            now,
            head.switched.reach(floor.crews, head.paused_at),
            _figures(floor, roster, today, head),
            roster.available,
            roster.resting,
            roster.away,
            roster.gone,
            floor.queue(contacts, _ids(roster.available), None),
            self._entries,
            head.aside,
            head.drift,
            tuple(each for each in floor.crews.values() if each.members),
            None,
            floor.scale,
        )

    def _narrow(self, desk: Desk, contacts: dict[int, str], crew: Crew) -> Desk:
        """The desk with the rows and the queue of one team."""

        def of_crew(rows: tuple[Row, ...]) -> tuple[Row, ...]:
            return tuple(row for row in rows if row.person.id in crew.members)

        return desk._replace(
            available=of_crew(desk.available),
            resting=of_crew(desk.resting),
            away=of_crew(desk.away),
            gone=of_crew(desk.gone),
            waiting=self._floor.queue(contacts, _ids(desk.available), crew),
            team=crew,
        )


def _ids(rows: tuple[Row, ...]) -> frozenset[int]:
    return frozenset(row.person.id for row in rows)


def _figures(floor: Floor, roster: Roster, today: Today, head: Head) -> Figures:
    heaviest = max(roster.available, key=lambda row: row.score, default=None)
    return Figures(
        waiting=floor.waiting,
        oldest=floor.oldest,
        open=len(floor.opened),
        weight=floor.weight,
        carriers=floor.carriers,
        mean=roster.mean,
        heaviest=heaviest.person if heaviest else None,
        heaviest_score=heaviest.score if heaviest else 0.0,
        decisions_today=today.decisions,
        delivery_seconds=today.median,
        last_webhook=head.webhook,
    )


class Desks:
    """The desks of a process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[WorkspaceId, CachedDesk] = {}

    def of(self, workspace: WorkspaceId) -> CachedDesk:
        """The desk of `workspace`; those that nobody has asked for lately are forgotten."""
        found = self._kept.pop(workspace, None) or CachedDesk(self._database, workspace)
        self._kept[workspace] = found
        for each, desk in list(self._kept.items()):
            old = monotonic() - desk.used_at > KEPT
            if each != workspace and (old or len(self._kept) > MOST_KEPT):
                del self._kept[each]
        return found


async def read_desk(database: Database, workspace: WorkspaceId, now: datetime, team: int | None = None) -> Desk:
    """The desk of `workspace` at `now`, read from the tables alone."""
    return await CachedDesk(database, workspace).view(now, team)
