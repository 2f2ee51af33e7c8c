"""What a host's services ask for, such as the password of Redis' administrator: sealed under the worker's key."""

from __future__ import annotations

import re
from datetime import datetime
from typing import LiteralString

from steelyard.kit.ids import WorkspaceId
from steelyard.store.keys import Keys
from steelyard.toolbox.model import HostId
from steelyard.toolbox.registry import Conn, RegistryError
from steelyard.web.said import N_, Said

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def secret_at(workspace: WorkspaceId, host: HostId, name: str) -> str:
    """What a secret is bound to when it is sealed."""
    return f"{workspace} host_secret {host} {name}"


async def write_host_secret(
    conn: Conn, workspace: WorkspaceId, host: HostId, name: str, value: str, keys: Keys, now: datetime
) -> None:
    """Keeps a secret, in the place of one of the same name. `keys`: the worker's. Raises RegistryError."""
    if not _NAME.fullmatch(name):
        message = N_("“%(name)s” cannot name a secret: use small letters, digits and _, such as redis_password.")
        raise RegistryError("name", Said(message, {"name": name[:60]}))
    sealed = keys.seal(value, secret_at(workspace, host, name))
    await conn.execute(
        "INSERT INTO host_secret (workspace, host, name, sealed, set_at) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (workspace, host, name) DO UPDATE SET sealed = excluded.sealed, set_at = excluded.set_at",
        [workspace, host, name, sealed, now],
    )


async def remove_host_secret(conn: Conn, host: HostId, name: str) -> bool:
    """Erases a secret; whether it was there."""
    done = await conn.execute("DELETE FROM host_secret WHERE host = %s AND name = %s", [host, name])
    return done.rowcount == 1


async def host_secret_names(conn: Conn, host: HostId) -> dict[str, datetime]:
    """Which secrets of a host are kept, and since when."""
    rows = await (
        await conn.execute("SELECT name, set_at FROM host_secret WHERE host = %s ORDER BY name", [host])
    ).fetchall()
    return dict(rows)


async def read_host_secrets(conn: Conn, workspace: WorkspaceId, host: HostId, keys: Keys) -> dict[str, str]:
    """The secrets of a host, opened, by name. `keys`: the worker's. Raises KeyFileError."""
    rows = await (await conn.execute("SELECT name, sealed FROM host_secret WHERE host = %s", [host])).fetchall()
    return {name: keys.unseal(sealed, secret_at(workspace, host, name)) for name, sealed in rows}


async def read_sealed_secrets(conn: Conn, *, hold: bool = False) -> dict[tuple[HostId, str], str]:
    """All of the transaction's workspace as they are stored. `hold`: nobody changes them meanwhile."""
    query: LiteralString = "SELECT host, name, sealed FROM host_secret"
    rows = await (await conn.execute(query + (" FOR UPDATE" if hold else ""))).fetchall()
    return {(HostId(host), name): sealed for host, name, sealed in rows}


async def write_sealed_secret(conn: Conn, host: HostId, name: str, sealed: str) -> None:
    """Stores the same secret, sealed anew."""
    await conn.execute("UPDATE host_secret SET sealed = %s WHERE host = %s AND name = %s", [sealed, host, name])
