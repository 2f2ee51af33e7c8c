"""The inbox of the cell: whose webhooks these are, and their storing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from operator import itemgetter

import psycopg

from steelyard.kit.ids import WorkspaceId
from steelyard.routing.connections import Unseal, secret_place
from steelyard.routing.ingest import Owner, Row
from steelyard.routing.store import INBOX
from steelyard.store.arrays import BYTEA_ARRAY, TEXT_ARRAY, bytea_array, text_array
from steelyard.store.database import Database
from steelyard.store.statement import Statement

_STORE = "SELECT store_batch($1, $2, $3, $4)"
_STORE_TYPES = (TEXT_ARRAY, TEXT_ARRAY, TEXT_ARRAY, BYTEA_ARRAY)
_KEY = itemgetter(0, 1)
_REMEMBERED = 10.0
_PATIENCE = 3.0
"""Seconds to wait for a database that may be coming back: Intercom waits for five in all."""
_MOST_REMEMBERED = 10_000


class CellInbox:
    """Stores webhooks of every workspace of the cell through the functions that may cross workspaces."""

    def __init__(self, database: Database, clock: Callable[[], float], unseal: Unseal) -> None:
        """`clock` counts seconds and is never set; `unseal` opens the client secrets."""
        self._database = database
        self._unseal = unseal
        self._clock = clock
        self._storing: Statement | None = None
        self._owners: dict[str, tuple[Owner | None, float]] = {}

    async def owner(self, app_id: str) -> Owner | None:
        """Whose app it is, as of at most ten seconds ago.

        Raises KeyFileError where its secret cannot be opened, TimeoutError where the database has not answered soon.
        """
        now = self._clock()
        known = self._owners.get(app_id)
        if known is not None and known[1] > now:
            return known[0]
        async with asyncio.timeout(_PATIENCE), self._database.cell() as conn:
            row = await (
                await conn.execute("SELECT workspace, client_secret FROM secret_of_app(%s)", (app_id,))
            ).fetchone()
        owner = None
        if row is not None:
            workspace = WorkspaceId(row[0])
            owner = Owner(workspace, self._unseal(row[1], secret_place(workspace)).encode())
        if len(self._owners) >= _MOST_REMEMBERED:
            self._owners.clear()
        self._owners[app_id] = (owner, now + _REMEMBERED)
        return owner

    async def store(self, rows: list[Row]) -> None:
        """Stores `rows` in one commit; a copy of a stored one, or of another of them, is counted."""
        # All processes in one order: two that store the same copies would otherwise lock each other out.
        await self._commit(sorted(rows, key=_KEY))
        await self._database.notify(INBOX)

    async def aclose(self) -> None:
        """Closes the connection that stores."""
        if self._storing is not None:
            await self._storing.close()

    async def _commit(self, rows: list[Row]) -> None:
        """One statement, which is its own transaction. Storing again what may have been stored is harmless."""
        workspaces, notifications, topics, bodies = zip(*rows, strict=True)
        arrays = text_array(workspaces), text_array(notifications), text_array(topics), bytea_array(bodies)
        for last_try in (False, True):
            storing = self._storing or await self._connect()
            try:
                await storing.execute(arrays)
            except psycopg.errors.DiskFull:
                raise  # which another connection would hear, too
            except psycopg.OperationalError:
                self._storing = None
                await storing.close()
                if last_try:
                    raise
            else:
                return

    async def _connect(self) -> Statement:
        storing = self._storing = Statement(await self._database.connect(), _STORE, _STORE_TYPES)
        return storing
