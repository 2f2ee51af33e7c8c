"""Rows by the names of their columns. Many are taken in portions, between which others are answered."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, LiteralString, TypeVar

from psycopg import AsyncConnection
from psycopg.rows import dict_row

PORTION: Final = 250
"""Rows that are read at a time: a few milliseconds of work."""

Row = TypeVar("Row")
Made = TypeVar("Made")


async def rows(
    connection: AsyncConnection[Any], query: LiteralString, values: Sequence[object] | Mapping[str, object] = ()
) -> list[dict[str, Any]]:
    """All rows of `query`."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, values)
        found = await cursor.fetchmany(PORTION)
        while len(found) < cursor.rowcount:
            await asyncio.sleep(0)
            found += await cursor.fetchmany(PORTION)
        return found


async def one(
    connection: AsyncConnection[Any], query: LiteralString, values: Sequence[object] | Mapping[str, object]
) -> dict[str, Any] | None:
    """The first row of `query`, if there is one."""
    found = await rows(connection, query, values)
    return found[0] if found else None


async def made_of(found: Sequence[Row], make: Callable[[Row], Made]) -> list[Made]:
    """What `make` makes of each."""
    made: list[Made] = []
    for start in range(0, len(found), PORTION):
        if start:
            await asyncio.sleep(0)
        made += map(make, found[start : start + PORTION])
    return made
