"""API tokens: keys for programs, with part of what their owner may do, for a time.

A token reads `steelyard~<workspace>~<secret>`: it names its workspace and so its cell. Only SHA-256 of it is stored.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from steelyard.kit.errors import SteelyardError
from steelyard.kit.ids import CellId, EngineerId, PersonId, WorkspaceId, workspace_in
from steelyard.people.permissions import Permission, roles_in
from steelyard.people.sessions import Membership, digest
from steelyard.store.database import Database
from steelyard.web.place import Place

LIVES = (timedelta(days=7), timedelta(days=30), timedelta(days=90), timedelta(days=365))
"""For how long a token may be made."""

_PREFIX: Final = "steelyard"
_SEPARATOR: Final = "~"
_LONGEST: Final = 200
_NOTED_EVERY: Final = timedelta(minutes=1)


class TokenRefused(SteelyardError):
    """An API token that opens nothing here. `status` is the answer's."""

    def __init__(self, message: str, status: int = 401) -> None:
        super().__init__(message)
        self.status = status


class Token(NamedTuple):
    """Whose token it is, where, and what it allows of what they may do. `token` is its number."""

    token: int
    person: PersonId
    membership: Membership
    scopes: frozenset[Permission]


async def make_token(
    conn: AsyncConnection[Any],
    workspace: WorkspaceId,
    person: PersonId,
    name: str,
    scopes: Collection[Permission],
    life: timedelta,
    now: datetime,
) -> tuple[int, str]:
    """The number of a fresh token and the token itself, which is shown once and never stored."""
    secret = f"{_PREFIX}{_SEPARATOR}{workspace}{_SEPARATOR}{secrets.token_urlsafe(32)}"
    row = await (
        await conn.execute(
            "INSERT INTO api_token (workspace, token_hash, person, name, permissions, created_at, expires_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING token",
            [workspace, digest(secret), person, name, sorted(scopes), now, now + life],
        )
    ).fetchone()
    return (row[0] if row is not None else 0), secret


class Listed(NamedTuple):
    """An API token as its page lists it."""

    token: int
    person: PersonId
    owner: str
    name: str
    permissions: tuple[Permission, ...]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None

    def is_open(self, now: datetime) -> bool:
        """Whether it opens anything, as far as it goes by itself."""
        return self.revoked_at is None and self.expires_at > now


async def tokens_of(conn: AsyncConnection[Any], person: PersonId | None) -> list[Listed]:
    """The tokens of `person` in the transaction's workspace, or everybody's; the last made first."""
    rows = await (
        await conn.execute(
            "SELECT token, person, person.name, api_token.name, permissions, api_token.created_at, expires_at, used_at,"
            " revoked_at FROM api_token JOIN person USING (person)"
            " WHERE person = %(person)s OR %(person)s::bigint IS NULL ORDER BY token DESC",
            {"person": person},
        )
    ).fetchall()
    return [
        Listed(token, PersonId(owner), called, name, _permissions(names), *times)
        for token, owner, called, name, names, *times in rows
    ]


async def expires_at(conn: AsyncConnection[Any], token: int | None) -> datetime | None:
    """Until when a token of the transaction's workspace opens something; None where there is no such token."""
    row = await (await conn.execute("SELECT expires_at FROM api_token WHERE token = %s", [token])).fetchone()
    return row[0] if row is not None else None


async def revoke(conn: AsyncConnection[Any], token: int, person: PersonId | None, now: datetime) -> PersonId | None:
    """Ends a token, for good; whose it was. None where `person`, or for nobody anybody, has no such token."""
    row = await (
        await conn.execute(
            "UPDATE api_token SET revoked_at = %(now)s WHERE token = %(token)s AND revoked_at IS NULL"
            " AND (person = %(person)s OR %(person)s::bigint IS NULL) RETURNING person",
            {"now": now, "token": token, "person": person},
        )
    ).fetchone()
    return PersonId(row[0]) if row is not None else None


async def revoke_all(conn: AsyncConnection[Any], person: PersonId, now: datetime) -> list[int]:
    """Ends all tokens that `person` has in the transaction's workspace, for good; their numbers."""
    rows = await (
        await conn.execute(
            "UPDATE api_token SET revoked_at = %s WHERE person = %s AND revoked_at IS NULL RETURNING token",
            [now, person],
        )
    ).fetchall()
    return sorted(int(token) for (token,) in rows)


async def read_token(database: Database, cell: CellId, token: str, now: datetime) -> Token:
    """Whose token it is. Raises TokenRefused: 421 for one of another cell, 401 for one that opens nothing."""
    parts = token.split(_SEPARATOR)
    workspace = workspace_in(parts[1]) if len(parts) == 3 and parts[0] == _PREFIX and len(token) <= _LONGEST else None
    if workspace is None:
        raise TokenRefused("this is no API token of Steelyard: make one at /tokens")
    if workspace.partition(".")[0] != cell:
        raise TokenRefused("this API token is of another cell: send it there", 421)
    async with database.transaction(workspace) as conn:
        row = await (
            await conn.execute(
                "SELECT token, person, permissions, used_at, roles, engineer, workspace.zone,"
                " (SELECT coalesce(min(name), %(workspace)s) FROM connection),"
                " (SELECT coalesce(min(region), '') FROM connection)"
                " FROM api_token JOIN membership USING (workspace, person) JOIN workspace USING (workspace)"
                " WHERE token_hash = %(hash)s AND expires_at > %(now)s AND revoked_at IS NULL AND ended_at IS NULL",
                {"workspace": workspace, "hash": digest(token), "now": now},
            )
        ).fetchone()
        if row is None:
            raise TokenRefused("this API token is unknown, expired or revoked: make another one at /tokens")
        number, person, names, used_at, roles, engineer, zone, name, region = row
        if used_at is None or used_at <= now - _NOTED_EVERY:
            await conn.execute("UPDATE api_token SET used_at = %s WHERE token = %s", [now, number])
    membership = Membership(
        workspace, Place(name, region, workspace), zone, roles_in(roles), engineer and EngineerId(engineer)
    )
    return Token(number, PersonId(person), membership, frozenset(_permissions(names)))


def _permissions(names: Collection[str]) -> tuple[Permission, ...]:
    """The permissions of these names; those that this release does not know open nothing."""
    return tuple(each for each in Permission if each.value in names)
