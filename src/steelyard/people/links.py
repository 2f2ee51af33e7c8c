"""Links that work once, for an hour: to become the administrator of a workspace, or to choose a password.

A token names its workspace, and so its cell, before the secret part, of which only SHA-256 is stored.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from steelyard.kit.ids import PersonId, WorkspaceId, workspace_in
from steelyard.people.sessions import digest
from steelyard.store.database import Database

LINK_LIFE = timedelta(hours=1)
_SEPARATOR: Final = "~"
_LONGEST: Final = 200


class Invitation(NamedTuple):
    """What a link is for. Without `person`, whoever opens it becomes an administrator of `workspace`.

    `made_by` is nobody where the command line made it.
    """

    workspace: WorkspaceId
    person: PersonId | None
    name: str
    address: str
    made_by: PersonId | None = None


async def make_link(
    conn: AsyncConnection[Any],
    workspace: WorkspaceId,
    person: PersonId | None,
    made_by: PersonId | None,
    now: datetime,
) -> str:
    """The token of a fresh link, for the address `/enter?token=...`. Those made before for the same person end."""
    secret = secrets.token_urlsafe(32)
    await drop_links(conn, person)
    await conn.execute(
        "INSERT INTO link (workspace, token_hash, person, made_by, expires_at) VALUES (%s, %s, %s, %s, %s)",
        [workspace, digest(secret), person, made_by, now + LINK_LIFE],
    )
    return f"{workspace}{_SEPARATOR}{secret}"


async def drop_links(conn: AsyncConnection[Any], person: PersonId | None) -> None:
    """Ends the links that the transaction's workspace has for `person`."""
    await conn.execute("DELETE FROM link WHERE person IS NOT DISTINCT FROM %s::bigint", [person])


def _workspace_in(token: str) -> WorkspaceId | None:
    """The workspace that a token names; None for what is none."""
    return workspace_in(token.partition(_SEPARATOR)[0]) if len(token) <= _LONGEST else None


async def read_link(database: Database, token: str, now: datetime) -> Invitation | None:
    """What the link `token` is for; None where it is used, expired, none at all, or no longer its maker's to give.

    That is so where its maker, or the person that it is for, is elsewhere or something else than when it was made.
    """
    workspace = _workspace_in(token)
    if workspace is None:
        return None
    async with database.transaction(workspace) as conn:
        row = await (
            await conn.execute(
                "SELECT link.person, coalesce(person.name, ''), coalesce(person.address, ''), made_by"
                " FROM link LEFT JOIN person USING (person) WHERE token_hash = %s AND expires_at > %s"
                " AND (made_by IS NULL OR workspaces_beyond(made_by, link.person) = 0)",
                [_hash(token), now],
            )
        ).fetchone()
    return None if row is None else Invitation(workspace, row[0] and PersonId(row[0]), *row[1:])


async def use_link(conn: AsyncConnection[Any], token: str, now: datetime) -> bool:
    """Uses up the link, in `conn`'s transaction of its workspace; whether it was there to be used."""
    gone = await conn.execute(
        "DELETE FROM link WHERE token_hash = %s AND expires_at > %s"
        " AND (made_by IS NULL OR workspaces_beyond(made_by, person) = 0)",
        [_hash(token), now],
    )
    return gone.rowcount == 1


def _hash(token: str) -> bytes:
    return digest(token.partition(_SEPARATOR)[2])
