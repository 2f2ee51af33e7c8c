"""Who there is in Intercom, for other parts of the console: ids and names."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

from steelyard.kit.ids import EngineerId
from steelyard.people.members import Teammate


async def read_teammates(conn: AsyncConnection[Any]) -> list[Teammate]:
    """The Intercom teammates of the transaction's workspace, by name; those who left too, while their name is kept."""
    rows = await (
        await conn.execute(
            "SELECT engineer, coalesce(name, ''), coalesce((value ->> 'member')::boolean, false)"
            " FROM engineer FULL JOIN teammate_name USING (workspace, engineer) ORDER BY lower(name), engineer"
        )
    ).fetchall()
    return [Teammate(EngineerId(engineer), name or str(engineer), here) for engineer, name, here in rows]
