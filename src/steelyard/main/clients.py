"""The Intercom of each workspace, as the worker reaches it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from steelyard.adapters.intercom.client import Intercom
from steelyard.kit.ids import WorkspaceId
from steelyard.main.ground import unseal_with
from steelyard.routing import store
from steelyard.routing.calls import Calls
from steelyard.routing.connections import Unseal, read_token
from steelyard.routing.policy import parse
from steelyard.store.database import Database
from steelyard.store.keys import WORKER

CONNECTION_KNOWN = 30.0
"""Seconds in which a stored token is used without looking again."""


class Clients:
    """The Intercom of each workspace, opened when first asked for and kept while the process lives."""

    def __init__(self, database: Database, unseal: Unseal, calls: Calls | None = None) -> None:
        """`unseal` opens the tokens; `calls` is told of every call."""
        self._calls = calls
        self._database = database
        self._unseal = unseal
        self._open: dict[tuple[str, str], Intercom] = {}
        self._known: dict[WorkspaceId, tuple[Intercom, float]] = {}
        self._notes: dict[tuple[WorkspaceId, str], bool] = {}

    async def of(self, workspace: WorkspaceId) -> Intercom:
        """The workspace's Intercom, by what was stored of it at most half a minute ago, so that a new token is used.

        Raises ConfigError for a workspace that is not connected, KeyFileError where its token cannot be opened.
        """
        known = self._known.get(workspace)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        async with self._database.transaction(workspace) as conn:
            reached = await read_token(conn, workspace, self._unseal)
        client = self._open.get(reached)
        if client is None:
            observe = self._calls.of(workspace) if self._calls is not None else None
            client = self._open[reached] = Intercom(*reached, observe=observe)
        self._known[workspace] = client, time.monotonic() + CONNECTION_KNOWN
        return client

    async def writes_notes(self, workspace: WorkspaceId, policy: str) -> bool:
        """Whether the policy of that digest wants a note with the reason on each assignment."""
        found = self._notes.get((workspace, policy))
        if found is None:
            async with self._database.transaction(workspace) as conn:
                found = parse(await store.policy_text(conn, workspace, policy)).note
            self._notes[workspace, policy] = found
        return found

    async def close(self) -> None:
        """Closes every connection."""
        for client in self._open.values():
            await client.aclose()


@asynccontextmanager
async def clients_of(database: Database, keys: Path, calls: Calls | None = None) -> AsyncGenerator[Clients]:
    """The clients of a process, closed at its end. `keys`: the folder of the key files."""
    clients = Clients(database, unseal_with(keys, WORKER), calls)
    try:
        yield clients
    finally:
        await clients.close()
