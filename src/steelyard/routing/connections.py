"""How to reach a workspace's Intercom: the row of `connection`, its two secrets sealed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from psycopg import AsyncConnection

from steelyard.kit.errors import ConfigError
from steelyard.kit.ids import WorkspaceId

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


async def read_token(conn: AsyncConnection[Any], workspace: WorkspaceId, unseal: Unseal) -> tuple[str, str]:
    """The address of the workspace's API and its token. Raises ConfigError where it is not connected, KeyFileError."""
    row = await (
        await conn.execute("SELECT api_url, access_token FROM connection WHERE workspace = %s", (workspace,))
    ).fetchone()
    if row is None:
        raise ConfigError(f"{workspace} is not connected to an Intercom: run `steelyard connect intercom`")
    return row[0], unseal(row[1], token_place(workspace))
