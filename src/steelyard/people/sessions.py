"""Browser sessions: opened by signing in, seen by the person they are of, ended by them or by time.

Only SHA-256 of the cookie is stored. A session ends twelve hours after it was last used, fourteen days after it began.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple, cast

from psycopg.rows import class_row

from steelyard.kit.ids import EngineerId, PersonId, WorkspaceId
from steelyard.people.permissions import Role, roles_in
from steelyard.store.database import Connection, Database
from steelyard.web.place import Place
from steelyard.web.viewer import THEMES, ZONES, Preferences

IDLE, LONGEST = timedelta(hours=12), timedelta(days=14)
COOKIE = "steelyard_session"
SECURE_COOKIE = f"__Host-{COOKIE}"
_NOTED_EVERY = timedelta(minutes=1)


class Membership(NamedTuple):
    """What somebody is in one workspace, and what its pages' frame says of it."""

    workspace: WorkspaceId
    place: Place
    zone: str
    roles: frozenset[Role]
    engineer: EngineerId | None


class Known(NamedTuple):
    """Whose session a cookie names. `session` is its number, which is no secret."""

    session: int
    person: PersonId
    name: str
    preferences: Preferences
    expires_at: datetime
    memberships: tuple[Membership, ...]


class Session(NamedTuple):
    """A session as its person sees it."""

    session: int
    started_at: datetime
    seen_at: datetime
    expires_at: datetime
    agent: str


async def open_session(database: Database, person: PersonId, agent: str, now: datetime) -> str:
    """Opens a session of `person` in the browser `agent`; what its cookie holds."""
    token = secrets.token_urlsafe(32)
    async with database.person(person) as conn:
        await conn.execute(
            "INSERT INTO session (token_hash, person, started_at, seen_at, expires_at, agent)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [digest(token), person, now, now, now + IDLE, agent[:200]],
        )
        await conn.execute("UPDATE person SET seen_at = %s WHERE person = %s", [now, person])
    return token


async def read_session(database: Database, token: str, now: datetime, noted: bool = True) -> Known | None:
    """Whose session the cookie `token` names at `now`; None where it names none, or one that ended.

    One that is `noted` to be in use stays open for longer.
    """
    async with database.cell() as conn:
        found = await (await conn.execute("SELECT * FROM person_of_session(%s, %s)", [digest(token), now])).fetchone()
    if found is None:
        return None
    session, person, name, language, theme, zone, single_keys, expires_at, seen_at, memberships = found
    if noted and seen_at <= now - _NOTED_EVERY:
        expires_at = await _note(database, PersonId(person), session, now)
    chosen = theme if theme != THEMES[0] else ""  # as the system: the foot of the page may say otherwise
    preferences = Preferences(language, chosen, zone if zone in ZONES else "browser", single_keys)
    return Known(session, PersonId(person), name, preferences, expires_at, memberships_in(memberships))


async def sessions_of(database: Database, person: PersonId, now: datetime) -> list[Session]:
    """The open sessions of `person`, the last used first."""
    async with database.person(person) as conn, conn.cursor(row_factory=class_row(Session)) as cursor:
        await cursor.execute(
            "SELECT session, started_at, seen_at, expires_at, agent FROM session"
            " WHERE expires_at > %s ORDER BY seen_at DESC, session",
            [now],
        )
        return await cursor.fetchall()


async def end_session(conn: Connection, session: int) -> int:
    """Ends one session of the person whose own `conn` sees; how many that were."""
    return (await conn.execute("DELETE FROM session WHERE session = %s", [session])).rowcount


async def end_sessions(conn: Connection, keep: int | None = None) -> int:
    """Ends all sessions of the person whose own `conn` sees, but `keep`; how many."""
    return (await conn.execute("DELETE FROM session WHERE session IS DISTINCT FROM %s::bigint", [keep])).rowcount


async def places_of_cell(database: Database) -> tuple[Membership, ...]:
    """All workspaces, as somebody sees them who may do everything: this machine, where the console is open to it."""
    async with database.cell() as conn:
        found = await (await conn.execute("SELECT to_jsonb(place) FROM places_of_cell() AS place")).fetchall()
    return memberships_in([{**place, "roles": [Role.ADMINISTRATOR], "engineer": None} for (place,) in found])


def memberships_in(found: Sequence[Mapping[str, Any]]) -> tuple[Membership, ...]:
    """Memberships as the database's functions give them."""
    return tuple(
        Membership(
            workspace=WorkspaceId(each["workspace"]),
            place=Place(each["name"], each["region"], "" if each["first"] else each["workspace"]),
            zone=each["zone"],
            roles=roles_in(cast("list[str]", each["roles"])),
            engineer=None if each["engineer"] is None else EngineerId(each["engineer"]),
        )
        for each in found
    )


def cookie_name(secure: bool) -> str:
    """What the cookie is called. The prefix makes browsers refuse one that another name or plain http has set."""
    return SECURE_COOKIE if secure else COOKIE


def digest(token: str) -> bytes:
    """What is stored of a secret that was made here, and so cannot be guessed."""
    return sha256(token.encode(errors="replace")).digest()


async def _note(database: Database, person: PersonId, session: int, now: datetime) -> datetime:
    """Notes that a session is in use, which keeps it open; until when."""
    async with database.person(person) as conn:
        await conn.execute("UPDATE person SET seen_at = %s WHERE person = %s", [now, person])
        row = await (
            await conn.execute(
                "UPDATE session SET seen_at = %(now)s, expires_at = least(started_at + %(longest)s, %(now)s + %(idle)s)"
                " WHERE session = %(session)s RETURNING expires_at",
                {"now": now, "longest": LONGEST, "idle": IDLE, "session": session},
            )
        ).fetchone()
    return cast("datetime", row[0]) if row is not None else now
