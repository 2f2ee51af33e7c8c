"""How to reach a workspace's Intercom: the row of `connection`, its two secrets sealed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, LiteralString, NamedTuple, Protocol

from psycopg import AsyncConnection
from psycopg.rows import class_row

from steelyard.kit.errors import ConfigError
from steelyard.kit.ids import EngineerId, WorkspaceId
from steelyard.routing import codec

Unseal = Callable[[str, str], str]
"""Opens a sealed value (the first) for its place (the second). Raises KeyFileError."""


class Sealing(Protocol):
    """The keys of one key file."""

    def seal(self, value: str, place: str) -> str:
        """`value`, sealed for `place`."""
        ...


@dataclass(frozen=True, slots=True)
class Link:
    """A workspace's Intercom, with its secrets in the clear: never logged, never kept."""

    app_id: str
    name: str
    region: str
    api_url: str
    actor: int
    """The admin in whose name Steelyard acts."""
    client_secret: str = field(repr=False)
    """Signs webhooks. Only web processes open it."""
    access_token: str = field(repr=False)
    """Opens the API. Only workers open it."""
    package_code: str | None = None
    """Marks conversation parts that our calls made; None until the first of them tells."""


def secret_place(workspace: WorkspaceId) -> str:
    """Where the client secret lies."""
    return f"{workspace} connection.client_secret"


def token_place(workspace: WorkspaceId) -> str:
    """Where the access token lies."""
    return f"{workspace} connection.access_token"


async def write_link(
    conn: AsyncConnection[Any], workspace: WorkspaceId, link: Link, web: Sealing, worker: Sealing
) -> None:
    """Stores how to reach the workspace, or stores it anew: the client secret for the web, the token for workers."""
    await conn.execute(
        """INSERT INTO connection (workspace, app_id, name, region, api_url, actor, package_code, client_secret,
                                   access_token)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
           ON CONFLICT (workspace) DO UPDATE SET name = excluded.name, region = excluded.region,
               api_url = excluded.api_url, actor = excluded.actor, client_secret = excluded.client_secret,
               package_code = coalesce(excluded.package_code, connection.package_code),
               access_token = excluded.access_token, refused_at = NULL, rate_low_at = NULL""",
        (
            workspace,
            link.app_id,
            link.name,
            link.region,
            link.api_url,
            link.actor,
            link.package_code,
            web.seal(link.client_secret, secret_place(workspace)),
            worker.seal(link.access_token, token_place(workspace)),
        ),
    )


async def write_package_code(conn: AsyncConnection[Any], workspace: WorkspaceId, code: str) -> None:
    """Keeps what marks the conversation parts that our calls made."""
    await conn.execute("UPDATE connection SET package_code = %s WHERE workspace = %s", (code, workspace))


async def read_token(conn: AsyncConnection[Any], workspace: WorkspaceId, unseal: Unseal) -> tuple[str, str]:
    """The address of the workspace's API and its token. Raises ConfigError where it is not connected, KeyFileError."""
    row = await (
        await conn.execute("SELECT api_url, access_token FROM connection WHERE workspace = %s", (workspace,))
    ).fetchone()
    if row is None:
        raise ConfigError(f"{workspace} is not connected to an Intercom: run `steelyard connect intercom`")
    return row[0], unseal(row[1], token_place(workspace))


async def other_of_app(conn: AsyncConnection[Any], workspace: WorkspaceId, app_id: str) -> WorkspaceId | None:
    """The workspace under another name that is connected to the Intercom `app_id`."""
    row = await (await conn.execute("SELECT workspace FROM secret_of_app(%s)", (app_id,))).fetchone()
    return WorkspaceId(row[0]) if row is not None and row[0] != workspace else None


# What is sealed


class Sealed(NamedTuple):
    """The two stored secrets of a workspace, as they are stored."""

    client_secret: str
    access_token: str


async def read_sealed(conn: AsyncConnection[Any], workspace: WorkspaceId, *, hold: bool = False) -> Sealed | None:
    """What is stored; None where the workspace is not connected. `hold`: nobody changes it meanwhile."""
    query: LiteralString = "SELECT client_secret, access_token FROM connection WHERE workspace = %s"
    async with conn.cursor(row_factory=class_row(Sealed)) as cursor:
        await cursor.execute(query + (" FOR UPDATE" if hold else ""), (workspace,))
        return await cursor.fetchone()


async def write_sealed(conn: AsyncConnection[Any], workspace: WorkspaceId, sealed: Sealed) -> None:
    """Stores the same secrets, sealed anew."""
    await conn.execute(
        "UPDATE connection SET client_secret = %s, access_token = %s WHERE workspace = %s", (*sealed, workspace)
    )


# What is known of a workspace once it is connected


class Team(NamedTuple):
    """A team as people know it."""

    team: int
    name: str
    members: int
    distribution: str
    """How Intercom itself assigns in it: `round_robin`, `load_balanced`; empty where it does not say."""


class Overview(NamedTuple):
    """A workspace in numbers."""

    teammates: int
    with_inbox: int
    open: int
    weight: int
    """What the open conversations weigh together."""
    unassigned: int
    teams: tuple[Team, ...]


async def unhandled(conn: AsyncConnection[Any], workspace: WorkspaceId) -> int:
    """How many stored payloads nobody has handled yet."""
    row = await (
        await conn.execute("SELECT count(*) FROM inbox WHERE workspace = %s AND handled_at IS NULL", (workspace,))
    ).fetchone()
    return row[0] if row is not None else 0


async def overview(conn: AsyncConnection[Any], workspace: WorkspaceId) -> Overview:
    """What is known of the workspace now."""
    engineers = [
        codec.engineer(EngineerId(id), value)
        for id, value in await _rows(conn, "SELECT engineer, value FROM engineer WHERE workspace = %s", workspace)
    ]
    conversations = [
        codec.conversation(value)
        for (value,) in await _rows(conn, "SELECT value FROM conversation WHERE workspace = %s AND open", workspace)
    ]
    members = [each for each in engineers if each.member]
    return Overview(
        teammates=len(members),
        with_inbox=sum(each.seat for each in members),
        open=len(conversations),
        weight=sum(each.weight for each in conversations),
        unassigned=sum(each.assignee is None for each in conversations),
        teams=await _teams(conn, workspace),
    )


async def _teams(conn: AsyncConnection[Any], workspace: WorkspaceId) -> tuple[Team, ...]:
    async with conn.cursor(row_factory=class_row(Team)) as cursor:
        await cursor.execute(
            """SELECT team, coalesce(name, '') AS name, cardinality(members) AS members,
                      coalesce(distribution, '') AS distribution
               FROM team LEFT JOIN team_name USING (workspace, team) WHERE workspace = %s ORDER BY name, team""",
            (workspace,),
        )
        return tuple(await cursor.fetchall())


async def _rows(conn: AsyncConnection[Any], query: LiteralString, workspace: WorkspaceId) -> list[Any]:
    return await (await conn.execute(query, (workspace,))).fetchall()
