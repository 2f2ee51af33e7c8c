"""A browser is connected by a link that works once, for ten minutes: an API token for the code that is in it.

A code reads `<workspace>~<secret>`: it names its workspace and so its cell. Only SHA-256 of the secret is stored.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, TypeVar

from psycopg import AsyncConnection

from steelyard.companion.ground import CompanionGround, CompanionRefused
from steelyard.kit.ids import PersonId, WorkspaceId, workspace_in
from steelyard.people.attempts import Held, attempt, succeeded
from steelyard.people.permissions import Permission, Standing, judge, roles_in
from steelyard.people.record import act, record
from steelyard.people.sessions import digest
from steelyard.people.tokens import Listed, make_token, tokens_of

CODE_LIFE, TOKEN_LIFE = timedelta(minutes=10), timedelta(days=90)
SCOPES: Final = ("desk.see", "toolbox.see", "runbooks.read", "runbooks.plan", "away.own")
"""What a connected browser may do, as far as its owner may: it reads, plans and goes away. It never confirms a run."""
_SEPARATOR: Final = "~"
T = TypeVar("T")
Act = Callable[[WorkspaceId, bytes, datetime], Awaitable[T]]
"""What is done with a code of a workspace, by its digest."""
_LONGEST: Final = 200
_LONGEST_BROWSER: Final = 60
_MOST: Final = 50
"""Open tokens of one person in one workspace; see people/tokens_pages.py."""


class Connected(NamedTuple):
    """What a browser is given: the token is shown this once."""

    token: str
    workspace: WorkspaceId
    name: str
    """What the workspace is called."""
    expires_at: datetime


class Whom(NamedTuple):
    """Whom a code connects, and with what."""

    workspace: WorkspaceId
    called: str
    """What the workspace is called."""
    name: str
    address: str
    """The person's, which none but they have here: a name is anybody's to choose."""


class Browser(NamedTuple):
    """A connected browser, with its token."""

    browser: str
    token: Listed


async def make_code(conn: AsyncConnection[Any], workspace: WorkspaceId, person: PersonId, now: datetime) -> str:
    """A fresh code for `person`. Those made before for them end."""
    secret = secrets.token_urlsafe(32)
    await conn.execute("DELETE FROM companion_code WHERE person = %s", [person])
    await conn.execute(
        "INSERT INTO companion_code (workspace, code_hash, person, expires_at) VALUES (%s, %s, %s, %s)",
        [workspace, digest(secret), person, now + CODE_LIFE],
    )
    return f"{workspace}{_SEPARATOR}{secret}"


async def connect(ground: CompanionGround, code: str, browser: str, machine: str) -> Connected:
    """The token for a code, which is used up with it in one transaction. Raises CompanionRefused.

    `browser`: what it calls itself. `machine`: where it asks from; many attempts from there have to wait.
    """

    async def exchange(workspace: WorkspaceId, code_hash: bytes, now: datetime) -> Connected:
        return await _exchange(ground, workspace, code_hash, _called(browser), now)

    return await _by(ground, code, machine, exchange)


async def look(ground: CompanionGround, code: str, machine: str) -> Whom:
    """Whom a code would connect, which goes on waiting. Attempts count as those of `connect` do. Raises as it does."""

    async def read(workspace: WorkspaceId, code_hash: bytes, now: datetime) -> Whom:
        async with ground.database.transaction(workspace) as conn:
            row = await (
                await conn.execute(
                    "SELECT person, name, address FROM companion_code JOIN person USING (person)"
                    " WHERE code_hash = %s AND expires_at > %s",
                    [code_hash, now],
                )
            ).fetchone()
            if row is None:
                raise CompanionRefused("code")
            await _scopes_of(conn, workspace, PersonId(row[0]))
            return Whom(workspace, await name_of(conn, workspace), *row[1:])

    return await _by(ground, code, machine, read)


async def _by(ground: CompanionGround, code: str, machine: str, act: Act[T]) -> T:
    """What `act` makes of a code, where it may be tried from `machine`."""
    now = ground.clock()
    tried, place = f"companion {digest(code[:_LONGEST]).hex()}", f"companion {machine}"
    held = await attempt(ground.database, tried, place, now)
    if isinstance(held, Held):
        raise CompanionRefused("held", wait=(held.until - now).total_seconds())
    workspace = workspace_in(code.partition(_SEPARATOR)[0]) if len(code) <= _LONGEST else None
    if workspace is None:
        raise CompanionRefused("code")
    if workspace.partition(".")[0] != ground.cell:
        raise CompanionRefused("elsewhere")
    made = await act(workspace, digest(code.partition(_SEPARATOR)[2]), now)
    await succeeded(ground.database, tried, place)
    return made


async def browsers_of(conn: AsyncConnection[Any], person: PersonId | None) -> list[Browser]:
    """The browsers of `person` that are connected to the transaction's workspace, or everybody's; the last first."""
    rows = await (await conn.execute("SELECT token, browser FROM companion_browser")).fetchall()
    called = {token: browser for token, browser in rows}
    return [Browser(called[each.token], each) for each in await tokens_of(conn, person) if each.token in called]


async def _exchange(
    ground: CompanionGround, workspace: WorkspaceId, code_hash: bytes, browser: str, now: datetime
) -> Connected:
    async with ground.database.transaction(workspace) as conn:
        row = await (
            await conn.execute(
                "DELETE FROM companion_code WHERE code_hash = %s AND expires_at > %s RETURNING person", [code_hash, now]
            )
        ).fetchone()
        if row is None:
            raise CompanionRefused("code")
        person = PersonId(row[0])
        scopes = await _scopes_of(conn, workspace, person)
        await conn.execute("SELECT FROM workspace FOR NO KEY UPDATE")
        if sum(each.is_open(now) for each in await tokens_of(conn, person)) >= _MOST:
            raise CompanionRefused("tokens")
        name = f"Companion ({browser})"
        number, token = await make_token(conn, workspace, person, name, scopes, TOKEN_LIFE, now)
        await conn.execute("INSERT INTO companion_browser VALUES (%s, %s, %s)", [workspace, number, browser])
        fact = act("token.made", person, now, of=person, token=number, companion=True)
        await record(ground.ledger, conn, workspace, fact)
        return Connected(token, workspace, await name_of(conn, workspace), now + TOKEN_LIFE)


async def name_of(conn: AsyncConnection[Any], workspace: WorkspaceId) -> str:
    """What the transaction's workspace is called."""
    row = await (await conn.execute("SELECT coalesce(min(name), %s) FROM connection", [workspace])).fetchone()
    return str(row[0]) if row is not None else workspace


async def _scopes_of(conn: AsyncConnection[Any], workspace: WorkspaceId, person: PersonId) -> list[Permission]:
    """What their companion may do now. Raises CompanionRefused for who is no member any more, or may make no tokens."""
    row = await (
        await conn.execute("SELECT roles FROM membership WHERE person = %s AND ended_at IS NULL FOR SHARE", [person])
    ).fetchone()
    standing = Standing(workspace, person, roles_in(row[0] if row is not None else ()))
    if not judge(standing, Permission.USE_TOKENS).allowed:
        raise CompanionRefused("code")
    return [each for each in Permission if each.value in SCOPES and judge(standing, each).allowed]


def _called(browser: str) -> str:
    """The browser's name as it is kept: on one line, and not for ever."""
    kept = "".join(each for each in browser if each.isprintable()).strip()[:_LONGEST_BROWSER].strip()
    return kept or "?"
