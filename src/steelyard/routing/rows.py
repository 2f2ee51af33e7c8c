"""Rows by the names of their columns."""

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import dict_row


async def rows(
    connection: AsyncConnection[Any], query: LiteralString, values: Sequence[object] | Mapping[str, object] = ()
) -> list[dict[str, Any]]:
    """All rows of `query`."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, values)
        return await cursor.fetchall()


async def one(
    connection: AsyncConnection[Any], query: LiteralString, values: Sequence[object] | Mapping[str, object]
) -> dict[str, Any] | None:
    """The first row of `query`, if there is one."""
    found = await rows(connection, query, values)
    return found[0] if found else None
