"""Whether this process can do its work: what a load balancer or a supervisor asks every few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import LiteralString

import psycopg

from steelyard.kit.errors import KeyFileError, SchemaError, StoreError, SuperuserError
from steelyard.kit.ids import WorkspaceId
from steelyard.routing.connections import Unseal, secret_place, token_place
from steelyard.routing.rows import one, rows
from steelyard.store.database import Database
from steelyard.store.migrate import check_connection

KNOWN = 1.0
"""Seconds for which an answer is given again without looking."""

LONGEST = 2.0
"""Seconds that a look may take."""

# The function that stores webhooks, given none: it fails where one could not be stored, and leaves no trace.
_STORE_NOTHING: LiteralString = "SELECT store_batch('{}', '{}', '{}', '{}')"
_SECRETS: LiteralString = "SELECT client_secret AS sealed FROM connection WHERE workspace = %s"
_TOKENS: LiteralString = "SELECT access_token AS sealed FROM connection WHERE workspace = %s"


class Ready:
    """The readiness of one process, as reasons why it is not ready: codes without any secret."""

    def __init__(self, database: Database, unseal: Unseal, *, worker: bool, also: Callable[[], str] = str) -> None:
        """`unseal` opens client secrets, or tokens where the process is a `worker`.

        `also` gives a further code, or an empty text.
        """
        self._database = database
        self._unseal = unseal
        self._worker = worker
        self._also = also
        self._asking = asyncio.Lock()
        self._known: tuple[float, tuple[str, ...]] = (float("-inf"), ())

    async def reasons(self) -> tuple[str, ...]:
        """`database_unreachable`, `schema`, `role`, `inbox_read_only`, `keys` or what `also` says."""
        loop = asyncio.get_running_loop()
        async with self._asking:
            at, reasons = self._known
            if loop.time() - at >= KNOWN:
                reasons = await self._look()
                self._known = loop.time(), reasons
        return reasons

    async def _look(self) -> tuple[str, ...]:
        also = self._also()
        found = (also,) if also else ()
        try:
            async with asyncio.timeout(LONGEST):
                return (*await self._of_database(), *found)
        except SuperuserError:
            return ("role", *found)
        except SchemaError:
            return ("schema", *found)
        except (psycopg.Error, OSError, StoreError):  # TimeoutError, too, is an OSError
            return ("database_unreachable", *found)

    async def _of_database(self) -> Sequence[str]:
        async with self._database.cell() as conn:
            await check_connection(conn)
            workspaces = await rows(conn, "SELECT workspaces_of_cell() AS workspace")
        reasons: list[str] = []
        try:
            async with self._database.cell() as conn:
                await conn.execute(_STORE_NOTHING)
        except (psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.InsufficientPrivilege):
            reasons.append("inbox_read_only")
        if workspaces and not await self._opens([WorkspaceId(row["workspace"]) for row in workspaces]):
            reasons.append("keys")
        return reasons

    async def _opens(self, workspaces: Sequence[WorkspaceId]) -> bool:
        """Whether the key file opens at least one stored secret, or there is none to open.

        One that is damaged by itself is not this process's fault: no other machine could open it either.
        """
        place = token_place if self._worker else secret_place
        any_stored = False
        for workspace in workspaces:
            async with self._database.transaction(workspace) as conn:
                found = await one(conn, _TOKENS if self._worker else _SECRETS, (workspace,))
            if found is None:
                continue
            any_stored = True
            try:
                self._unseal(found["sealed"], place(workspace))
            except KeyFileError:
                continue
            return True
        return not any_stored
