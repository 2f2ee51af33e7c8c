"""One prepared statement on a connection of its own, straight through libpq.

For the hot path alone: a cursor finds types, formats and prepared statements anew for each execution, which costs
as much again as sending thirty rows does. Everything else goes through psycopg.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import AsyncConnection, pq
from psycopg.pq.abc import PGresult

_NAME = b"steelyard_hot"
_GOOD = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)


class Statement:
    """A statement whose parameters are all sent in PostgreSQL's binary format, and whose rows nobody reads."""

    def __init__(self, conn: AsyncConnection[Any], query: str, types: Sequence[int]) -> None:
        """On `conn`, which nothing else may use. `query` numbers its parameters ($1); `types` are their oids."""
        self._conn = conn
        self._query = query.encode()
        self._types = list(types)
        self._formats = [pq.Format.BINARY] * len(types)
        self._prepared = False

    async def execute(self, parameters: Sequence[bytes]) -> None:
        """Runs it, in a transaction of its own. Raises psycopg.OperationalError where the connection broke."""
        pgconn = self._conn.pgconn
        if not self._prepared:
            pgconn.send_prepare(_NAME, self._query, self._types)
            await self._finish()
            self._prepared = True
        pgconn.send_query_prepared(_NAME, parameters, self._formats)
        await self._finish()

    async def close(self) -> None:
        """Closes the connection."""
        await self._conn.close()

    async def _finish(self) -> None:
        """Until all is sent and all results are in; raises what the server said."""
        pgconn = self._conn.pgconn
        while pgconn.flush():
            await self._ready(to_write=True)
        failed: PGresult | None = None
        while True:
            while pgconn.is_busy():
                await self._ready()
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is None:
                break
            if result.status not in _GOOD:
                failed = result
        if failed is not None:
            raise psycopg.errors.error_from_result(failed)

    async def _ready(self, to_write: bool = False) -> None:
        """Until the server's answer, or room for what is to be sent, is there."""
        loop = asyncio.get_running_loop()
        socket = self._conn.pgconn.socket
        came: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not came.done():
                came.set_result(None)

        loop.add_reader(socket, wake)
        if to_write:
            loop.add_writer(socket, wake)
        try:
            await came
        finally:
            loop.remove_reader(socket)
            if to_write:
                loop.remove_writer(socket)
        if to_write:
            self._conn.pgconn.consume_input()
