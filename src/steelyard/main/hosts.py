"""The way to hosts, for processes that hold the worker's keys."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from steelyard.adapters.local import LocalReach
from steelyard.adapters.ssh import SshReach
from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Database
from steelyard.store.keys import WORKER, Keys, key_file
from steelyard.toolbox.access import Keyring
from steelyard.toolbox.model import Host
from steelyard.toolbox.reach import Errand, Reached
from steelyard.web.console import utc_now


class Hosts:
    """The way to a workspace's hosts (see reach.Reach): by SSH, and without it to the worker's own machine."""

    def __init__(self, database: Database, workspace: WorkspaceId, keys: Path) -> None:
        """`keys`: the folder of the key files."""
        self._keyring = Keyring(database, workspace, Keys(key_file(keys, WORKER)), utc_now)
        self._ssh, self._local = SshReach(self._keyring), LocalReach()

    @asynccontextmanager
    async def open(self, host: Host, errand: Errand) -> AsyncGenerator[Reached]:
        """See reach.Reach."""
        way = self._local if await self._keyring.is_local(host) else self._ssh
        async with way.open(host, errand) as reached:
            yield reached
