"""Links that work once, for an hour: to become the administrator of a workspace, or to choose a password.

A token names its workspace, and so its cell, before the secret part, of which only SHA-256 is stored.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from steelyard.kit.ids import PersonId, WorkspaceId
from steelyard.people.sessions import digest
from steelyard.store.database import Database

LINK_LIFE = timedelta(hours=1)
_SEPARATOR: Final = "~"
_LONGEST: Final = 200


class Invitation(NamedTuple):
    """What a link is for. Without `person`, whoever opens it becomes an administrator of `workspace`."""

    workspace: WorkspaceId
    person: PersonId | None
    name: str
    address: str


async def make_link(
    conn: AsyncConnection[Any],
    workspace: WorkspaceId,
    person: PersonId | None,
    made_by: PersonId | None,
    now: datetime,
) -> str:
    """The token of a fresh link, for the address `/enter?token=...`. Those made before for the same person end."""
    secret = secrets.token_urlsafe(32)
    await conn.execute(
        "DELETE FROM link WHERE workspace = %s AND person IS NOT DISTINCT FROM %s::bigint", [workspace, person]
    )
    await conn.execute(
        "INSERT INTO link (workspace, token_hash, person, made_by, expires_at) VALUES (%s, %s, %s, %s, %s)",
        [workspace, digest(secret), person, made_by, now + LINK_LIFE],
    )
    return f"{workspace}{_SEPARATOR}{secret}"


def workspace_of(token: str) -> WorkspaceId:
    """The workspace that a token names; empty for what is none."""
    workspace, separator, _ = token.partition(_SEPARATOR)
    return WorkspaceId(workspace if separator and len(token) <= _LONGEST else "")


async def read_link(database: Database, token: str, now: datetime) -> Invitation | None:
    """What the link `token` is for; None where it is used, expired or none at all."""
    workspace = workspace_of(token)
    async with database.transaction(workspace) as conn:
        row = await (
            await conn.execute(
                "SELECT link.person, coalesce(person.name, ''), coalesce(person.address, '')"
                " FROM link LEFT JOIN person USING (person) WHERE token_hash = %s AND expires_at > %s",
                [_hash(token), now],
            )
        ).fetchone()
    return None if row is None else Invitation(workspace, row[0] and PersonId(row[0]), row[1], row[2])


async def use_link(conn: AsyncConnection[Any], token: str, now: datetime) -> bool:
    """Uses up the link, in `conn`'s transaction of its workspace; whether it was there to be used."""
    gone = await conn.execute("DELETE FROM link WHERE token_hash = %s AND expires_at > %s", [_hash(token), now])
    return gone.rowcount == 1


def _hash(token: str) -> bytes:
    return digest(token.partition(_SEPARATOR)[2])
