"""Who is a member of a workspace, as what: inviting, roles, links to choose a password, removing and the way back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from steelyard.kit.errors import ConfigError, SteelyardError
from steelyard.kit.ids import EngineerId, PersonId, WorkspaceId
from steelyard.people.links import drop_links, make_link
from steelyard.people.permissions import Role, roles_in
from steelyard.people.record import act, numbers_of, record
from steelyard.people.tokens import revoke_all
from steelyard.store.database import Connection, Database
from steelyard.store.ledger import Ledger


class Teammate(NamedTuple):
    """An Intercom teammate. `here`: they have not left."""

    engineer: EngineerId
    name: str
    here: bool


Teammates = Callable[[Connection], Awaitable[Sequence[Teammate]]]
"""The Intercom teammates of the transaction's workspace, by name. Routing knows them."""

CODES: Final = (
    "last_administrator",
    "no_roles",
    "engineer_taken",
    "engineer_unknown",
    "already_member",
    "no_member",
    "beyond",
    "stale",
)


class MemberError(SteelyardError):
    """What cannot be done to a member. `code` is one of CODES."""

    def __init__(self, code: str) -> None:
        super().__init__(f"this cannot be done to a member: {code}")
        self.code = code


class Member(NamedTuple):
    """Somebody in a workspace. `enters`: they have chosen a password. `sessions`: browsers they are signed in with."""

    person: PersonId
    name: str
    address: str
    roles: tuple[Role, ...]
    engineer: EngineerId | None
    since: datetime
    seen_at: datetime | None
    enters: bool
    sessions: int


class Handed(NamedTuple):
    """Who was invited or may choose a new password, and the token of the link to hand over.

    Empty where they have a password already and come in with it.
    """

    person: PersonId
    token: str


class Removed(NamedTuple):
    """Somebody who was a member until `ended_at`."""

    person: PersonId
    name: str
    ended_at: datetime


class Staff:
    """Changes of a workspace's members. Each is one transaction with its fact; each raises MemberError.

    `by` is who does it; None for this machine.
    """

    def __init__(self, database: Database, ledger: Ledger, teammates: Teammates) -> None:
        self._database, self._ledger, self._teammates = database, ledger, teammates

    async def invite(
        self,
        workspace: WorkspaceId,
        name: str,
        address: str,
        roles: Collection[Role],
        by: PersonId | None,
        now: datetime,
    ) -> Handed:
        """Makes somebody a member, and a link by which they choose their first password."""
        _some(roles)
        async with self._database.transaction(workspace) as conn:
            person = await person_of_address(conn, address, name)
            if await _roles_of(conn, person) is not None:
                raise MemberError("already_member")
            enters = await _enters(conn, workspace, person, roles, now)
            await record(
                self._ledger, conn, workspace, act("person.joined", by, now, of=person, roles=numbers_of(roles))
            )
            return Handed(person, "" if enters else await self._link(conn, workspace, person, by, now))

    async def change_roles(
        self,
        workspace: WorkspaceId,
        person: PersonId,
        seen: Collection[Role],
        roles: Collection[Role],
        by: PersonId | None,
        now: datetime,
    ) -> None:
        """Gives a member these roles instead of those that were `seen`."""
        _some(roles)
        async with self._database.transaction(workspace) as conn:
            before = await _held(conn, person)
            if before != frozenset(seen):
                raise MemberError("stale")
            if Role.ADMINISTRATOR in before and Role.ADMINISTRATOR not in roles:
                await _another_administrator(conn, person)
            await _write_roles(conn, self._ledger, workspace, person, before, roles, by, now)

    async def link_engineer(
        self,
        workspace: WorkspaceId,
        person: PersonId,
        engineer: EngineerId | None,
        by: PersonId | None,
        now: datetime,
    ) -> EngineerId | None:
        """Says which Intercom teammate a member is; whom they were before."""
        async with self._database.transaction(workspace) as conn:
            await _held(conn, person)
            if engineer is not None and all(each.engineer != engineer for each in await self._teammates(conn)):
                raise MemberError("engineer_unknown")
            rows = await (
                await conn.execute("SELECT person, engineer FROM membership WHERE ended_at IS NULL")
            ).fetchall()
            of = {PersonId(each): held for each, held in rows}
            if engineer is not None and any(held == engineer and each != person for each, held in of.items()):
                raise MemberError("engineer_taken")
            await conn.execute("UPDATE membership SET engineer = %s WHERE person = %s", [engineer, person])
            fact = act("person.engineer_changed", by, now, engineer, of=person, was=of[person] or 0)
            await record(self._ledger, conn, workspace, fact)
            return of[person]

    async def link(self, workspace: WorkspaceId, person: PersonId, by: PersonId | None, now: datetime) -> Handed:
        """A link by which a member chooses a new password."""
        async with self._database.transaction(workspace) as conn:
            await _held(conn, person)
            return Handed(person, await self._link(conn, workspace, person, by, now))

    async def remove(self, workspace: WorkspaceId, person: PersonId, by: PersonId | None, now: datetime) -> None:
        """Ends a membership, and its API tokens for good. Its roles are kept, for taking it back."""
        async with self._database.transaction(workspace) as conn:
            if Role.ADMINISTRATOR in await _held(conn, person):
                await _another_administrator(conn, person)
            await conn.execute("UPDATE membership SET ended_at = %s WHERE person = %s", [now, person])
            await drop_links(conn, person)
            revoked = await revoke_all(conn, person, now)
            facts = [act("token.revoked", by, now, of=person, token=token) for token in revoked]
            await self._ledger.append(conn, workspace, [act("person.removed", by, now, of=person), *facts])

    async def take_back(self, workspace: WorkspaceId, person: PersonId, by: PersonId | None, now: datetime) -> None:
        """Makes somebody who was removed a member again, as before; without their teammate where that is taken.

        Their API tokens stay revoked.
        """
        async with self._database.transaction(workspace) as conn:
            await _one_at_a_time(conn)
            back = await conn.execute(
                "UPDATE membership SET ended_at = NULL, engineer = CASE WHEN EXISTS ("
                " SELECT FROM membership AS each WHERE each.engineer = membership.engineer AND each.ended_at IS NULL)"
                " THEN NULL ELSE engineer END WHERE person = %s AND ended_at IS NOT NULL RETURNING roles",
                [person],
            )
            row = await back.fetchone()
            if row is None:
                raise MemberError("already_member" if await _roles_of(conn, person) is not None else "no_member")
            fact = act("person.joined", by, now, of=person, roles=numbers_of(roles_in(row[0])))
            await record(self._ledger, conn, workspace, fact)

    async def _link(
        self, conn: Connection, workspace: WorkspaceId, person: PersonId, by: PersonId | None, now: datetime
    ) -> str:
        """This machine opens to everything, and so gives what the command line gives."""
        if by is not None and await beyond(conn, by, person):
            raise MemberError("beyond")
        token = await make_link(conn, workspace, person, by, now)
        await record(self._ledger, conn, workspace, act("person.link_made", by, now, of=person))
        return token


async def members_of(conn: AsyncConnection[Any], now: datetime) -> list[Member]:
    """The members of the transaction's workspace, by name."""
    rows = await (
        await conn.execute(
            "SELECT person, name, address, roles, engineer, since, seen_at, enters, coalesce(sessions, 0)"
            " FROM membership JOIN person USING (person) LEFT JOIN sessions_of_members(%s) USING (person)"
            " WHERE ended_at IS NULL ORDER BY lower(name), person",
            [now],
        )
    ).fetchall()
    return [
        Member(PersonId(person), name, address, in_order(roles_in(roles)), engineer and EngineerId(engineer), *rest)
        for person, name, address, roles, engineer, *rest in rows
    ]


async def removed_of(conn: AsyncConnection[Any], person: int) -> Removed | None:
    """Somebody who is no member of the transaction's workspace any more; None where they are, or never were."""
    row = await (
        await conn.execute(
            "SELECT person, name, ended_at FROM membership JOIN person USING (person)"
            " WHERE person = %s AND ended_at IS NOT NULL",
            [person],
        )
    ).fetchone()
    return Removed(*row) if row is not None else None


async def names_of(conn: AsyncConnection[Any]) -> dict[PersonId, str]:
    """What everybody is called who is or was a member of the transaction's workspace."""
    rows = await (await conn.execute("SELECT person, name FROM person JOIN membership USING (person)")).fetchall()
    return {PersonId(person): name for person, name in rows}


async def member_of_address(conn: AsyncConnection[Any], address: str) -> PersonId:
    """The member who signs in with `address`. Raises ConfigError where nobody here does."""
    row = await (
        await conn.execute(
            "SELECT person FROM person JOIN membership USING (person) WHERE address = lower(%s) AND ended_at IS NULL",
            [address.strip()],
        )
    ).fetchone()
    if row is None:
        raise ConfigError(f"nobody signs in here with {address}: invite them on the page of people first")
    return PersonId(row[0])


async def has_administrator(conn: AsyncConnection[Any]) -> bool:
    """Whether somebody can sign in who administers the transaction's workspace."""
    return bool(await _administrators(conn))


async def join(
    conn: Connection,
    ledger: Ledger,
    workspace: WorkspaceId,
    person: PersonId,
    roles: Collection[Role],
    now: datetime,
) -> None:
    """Makes somebody a member who opened a link of the command line; who is one already has these roles besides."""
    await _one_at_a_time(conn)
    before = await _roles_of(conn, person)
    if before is None:
        await _enters(conn, workspace, person, roles, now)
        await record(ledger, conn, workspace, act("person.joined", None, now, of=person, roles=numbers_of(roles)))
    elif not before.issuperset(roles):
        await _write_roles(conn, ledger, workspace, person, before, before.union(roles), None, now)


async def person_of_address(conn: AsyncConnection[Any], address: str, name: str) -> PersonId:
    """The person who signs in with `address`, made and called `name` where there is none."""
    row = await (await conn.execute("SELECT person_of_address(%s, %s)", [address.strip(), name])).fetchone()
    assert row is not None  # noqa: S101 - the function returns one row
    return PersonId(row[0])


async def beyond(conn: AsyncConnection[Any], actor: PersonId, person: PersonId) -> bool:
    """Whether `person` is a member of a workspace that `actor` does not administer."""
    row = await (await conn.execute("SELECT workspaces_beyond(%s, %s)", [actor, person])).fetchone()
    return row is None or row[0] > 0


def in_order(roles: Collection[Role]) -> tuple[Role, ...]:
    """Roles in the order in which they are always shown."""
    return tuple(role for role in Role if role in roles)


async def _enters(
    conn: AsyncConnection[Any], workspace: WorkspaceId, person: PersonId, roles: Collection[Role], now: datetime
) -> bool:
    """Writes the membership; whether the person has a password already."""
    await conn.execute(
        "INSERT INTO membership (workspace, person, roles, since)"
        " VALUES (%(workspace)s, %(person)s, %(roles)s, %(now)s)"
        " ON CONFLICT (workspace, person) DO UPDATE SET roles = excluded.roles, since = excluded.since,"
        " engineer = CASE WHEN membership.ended_at IS NULL THEN membership.engineer END, ended_at = NULL",
        {"workspace": workspace, "person": person, "roles": _sorted(roles), "now": now},
    )
    row = await (await conn.execute("SELECT enters FROM person WHERE person = %s", [person])).fetchone()
    return row is not None and bool(row[0])


async def _held(conn: AsyncConnection[Any], person: PersonId) -> frozenset[Role]:
    """A member's roles, which nobody changes until the transaction ends. Raises MemberError where they are none."""
    await _one_at_a_time(conn)
    roles = await _roles_of(conn, person)
    if roles is None:
        raise MemberError("no_member")
    return roles


async def _roles_of(conn: AsyncConnection[Any], person: PersonId) -> frozenset[Role] | None:
    row = await (
        await conn.execute("SELECT roles FROM membership WHERE person = %s AND ended_at IS NULL", [person])
    ).fetchone()
    return roles_in(row[0]) if row is not None else None


async def _write_roles(
    conn: Connection,
    ledger: Ledger,
    workspace: WorkspaceId,
    person: PersonId,
    before: Collection[Role],
    roles: Collection[Role],
    by: PersonId | None,
    now: datetime,
) -> None:
    await conn.execute("UPDATE membership SET roles = %s WHERE person = %s", [_sorted(roles), person])
    was, given = numbers_of(before), numbers_of(roles)
    await record(ledger, conn, workspace, act("person.roles_changed", by, now, of=person, was=was, roles=given))


async def _one_at_a_time(conn: AsyncConnection[Any]) -> None:
    """Two who remove each other would otherwise both be the last but one."""
    await conn.execute("SELECT FROM workspace FOR NO KEY UPDATE")


async def _another_administrator(conn: AsyncConnection[Any], person: PersonId) -> None:
    if await _administrators(conn) == {person}:
        raise MemberError("last_administrator")


async def _administrators(conn: AsyncConnection[Any]) -> set[PersonId]:
    """Those who can sign in: an invitation that nobody followed administers nothing."""
    rows = await (
        await conn.execute(
            "SELECT person FROM membership JOIN person USING (person)"
            " WHERE ended_at IS NULL AND enters AND %s = ANY (roles)",
            [Role.ADMINISTRATOR],
        )
    ).fetchall()
    return {PersonId(person) for (person,) in rows}


def _some(roles: Collection[Role]) -> None:
    if not roles:
        raise MemberError("no_roles")


def _sorted(roles: Collection[Role]) -> Sequence[str]:
    return [role.value for role in in_order(roles)]
