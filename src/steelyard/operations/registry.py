"""What commands about hosts and sites share: the workspace, its registry, and the way to its hosts."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from steelyard.config import Settings
from steelyard.kit.ids import WorkspaceId
from steelyard.main import ground
from steelyard.main.hosts import Hosts
from steelyard.operations.database import named, opened
from steelyard.store.database import Database
from steelyard.store.keys import WORKER, Keys, key_file
from steelyard.toolbox.changes import By, Changes
from steelyard.toolbox.looking import Looking
from steelyard.toolbox.registry import host_named, read_hosts, read_sites, site_named
from steelyard.toolbox.registry_rows import HostRow, SiteRow


class Room(NamedTuple):
    """One workspace's registry, for the length of a command."""

    settings: Settings
    database: Database
    workspace: WorkspaceId

    @property
    def changes(self) -> Changes:
        """What can be done to it."""
        return Changes(self.database, ground.ledger())

    @property
    def by(self) -> By:
        """The command line, now."""
        return By(self.workspace, None, datetime.now(UTC))

    @property
    def keys(self) -> Keys:
        """The worker's, which this machine may not hold: then opening and sealing raise KeyFileError."""
        return Keys(key_file(self.settings.keys, WORKER))

    @property
    def looking(self) -> Looking:
        """What looks at its hosts."""
        hosts = Hosts(self.database, self.workspace, self.settings.keys)
        return Looking(self.database, self.workspace, hosts, lambda: datetime.now(UTC))

    async def host(self, name: str) -> HostRow:
        """A host by its name. Raises RegistryError."""
        async with self.database.transaction(self.workspace) as conn:
            return await host_named(conn, name)

    async def hosts(self) -> list[HostRow]:
        """All hosts."""
        async with self.database.transaction(self.workspace) as conn:
            return await read_hosts(conn)

    async def site(self, name: str) -> SiteRow:
        """A site by its name. Raises RegistryError."""
        async with self.database.transaction(self.workspace) as conn:
            return await site_named(conn, name)

    async def sites(self) -> list[SiteRow]:
        """All sites."""
        async with self.database.transaction(self.workspace) as conn:
            return await read_sites(conn)


@asynccontextmanager
async def room(settings: Settings, wanted: str | None, name: str) -> AsyncGenerator[Room]:
    """The registry of the workspace that was asked for, or of the only one. Raises ConfigError."""
    async with opened(settings, name) as database:
        yield Room(settings, database, await named(database, settings.cell, wanted))
