"""How a workspace's hosts are signed in on: their keys, opened in a worker for the length of one connection."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, LiteralString, NamedTuple

from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Connection, Database
from steelyard.store.keys import Keys
from steelyard.toolbox.keys import place_of
from steelyard.toolbox.model import Host, HostId
from steelyard.toolbox.reach import HostError, Login

_MOST_JUMPS: Final = 8
_LOGIN: Final[LiteralString] = """
SELECT host.name, host.address, host.port, host.account, host.host_key, host.via, host.local, host.removed_at,
       ssh_key.ssh_key, ssh_key.name, ssh_key.private, ssh_key.certificate, ssh_key.certified_until
FROM host LEFT JOIN ssh_key ON ssh_key.workspace = host.workspace AND ssh_key.ssh_key = host.ssh_key
WHERE host.host = %s
"""


class _Stored(NamedTuple):
    name: str
    address: str
    port: int
    account: str
    host_key: str
    via: int | None
    local: bool
    removed_at: datetime | None
    key: int | None
    key_name: str
    private: str
    certificate: str
    certified_until: datetime | None


class Keyring:
    """The keys of one workspace's hosts (see reach.Access). What it opens is in no table, log or message."""

    def __init__(self, database: Database, workspace: WorkspaceId, keys: Keys, clock: Callable[[], datetime]) -> None:
        """`keys`: the worker's; a process that holds the web's only opens nothing with it."""
        self._database, self._workspace, self._keys, self._clock = database, workspace, keys, clock

    async def of(self, host: Host) -> Login:
        """How to sign in on a host. Raises HostError where it may not be, KeyFileError where this process cannot."""
        async with self._database.transaction(self._workspace) as conn:
            return await self._login(conn, host.id, 0)

    async def is_local(self, host: Host) -> bool:
        """Whether it is the worker's own machine. Raises HostError where it is not in the registry any more."""
        async with self._database.transaction(self._workspace) as conn:
            return (await _read(conn, host.id)).local

    async def _login(self, conn: Connection, host: HostId, jumps: int) -> Login:
        stored = await _read(conn, host)
        if jumps > _MOST_JUMPS:
            raise HostError("unreachable", f"The way to {stored.name} leads in a circle: change `via` of a host on it")
        via = None if stored.via is None else await self._login(conn, HostId(stored.via), jumps + 1)
        return Login(
            stored.address,
            stored.port,
            stored.account,
            stored.host_key,
            self._private(stored),
            self._certificate(stored),
            via,
        )

    def _private(self, stored: _Stored) -> str:
        if stored.key is None or not stored.private:
            raise HostError(
                "revoked",
                f"The key “{stored.key_name}” of {stored.name} was revoked: make another one with `steelyard host key"
                f" make`, and name it with `steelyard host change {stored.name} --key KEY`",
            )
        return self._keys.unseal(stored.private, place_of(self._workspace, stored.key))

    def _certificate(self, stored: _Stored) -> str:
        if stored.certified_until is not None and stored.certified_until <= self._clock():
            raise HostError(
                "refused",
                f"The certificate of the key “{stored.key_name}” ended at {stored.certified_until:%Y-%m-%d %H:%M} UTC,"
                f" so {stored.name} was not asked: have the key signed anew, then `steelyard host key certify"
                f" {stored.key_name} FILE`",
            )
        return stored.certificate


async def _read(conn: Connection, host: HostId) -> _Stored:
    row = await (await conn.execute(_LOGIN, [host])).fetchone()
    if row is None or row[7] is not None:
        raise HostError("unreachable", f"Host {host} is not in the registry any more: add it again")
    return _Stored(*row)
