"""Until people can sign in: one-time links that the command line prints, and the browser sessions they open.

Only SHA-256 of a token is stored. A link lives ten minutes and works once; a session lives twelve hours.
"""

import secrets
from datetime import datetime, timedelta
from hashlib import sha256

from steelyard.store.database import Database

LINK_LIFE = timedelta(minutes=10)
SESSION_LIFE = timedelta(hours=12)
COOKIE = "steelyard_session"


async def new_link(db: Database, now: datetime) -> str:
    """The token of a fresh one-time link: `/enter?token=...`. Clears away what has expired."""
    token = secrets.token_urlsafe(32)
    async with db.cell() as connection:
        await connection.execute("DELETE FROM desk_link WHERE expires_at <= %s", [now])
        await connection.execute("DELETE FROM desk_session WHERE expires_at <= %s", [now])
        await connection.execute("INSERT INTO desk_link VALUES (%s, %s)", [_hash(token), now + LINK_LIFE])
    return token


async def open_session(db: Database, token: str, now: datetime) -> str | None:
    """The cookie's value for the holder of a link's `token`, which is used up by this; None for any other token."""
    session = secrets.token_urlsafe(32)
    async with db.cell() as connection:
        used = await connection.execute(
            "WITH used AS (DELETE FROM desk_link WHERE token_hash = %s RETURNING expires_at)"
            " SELECT 1 FROM used WHERE expires_at > %s",
            [_hash(token), now],
        )
        if await used.fetchone() is None:
            return None
        await connection.execute("INSERT INTO desk_session VALUES (%s, %s)", [_hash(session), now + SESSION_LIFE])
    return session


async def is_open(db: Database, session: str, now: datetime) -> bool:
    """Whether the cookie's value `session` belongs to a session that has not expired."""
    async with db.cell() as connection:
        found = await connection.execute(
            "SELECT 1 FROM desk_session WHERE token_hash = %s AND expires_at > %s", [_hash(session), now]
        )
        return await found.fetchone() is not None


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()
