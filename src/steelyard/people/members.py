"""Who is a member of a workspace, as what."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

from steelyard.kit.errors import ConfigError
from steelyard.kit.ids import PersonId


async def member_of_address(conn: AsyncConnection[Any], address: str) -> PersonId:
    """The member who signs in with `address`. Raises ConfigError where nobody here does."""
    row = await (
        await conn.execute(
            "SELECT person FROM person JOIN membership USING (person) WHERE address = lower(%s) AND ended_at IS NULL",
            [address.strip()],
        )
    ).fetchone()
    if row is None:
        raise ConfigError(f"nobody signs in here with {address}: invite them on the page of people first")
    return PersonId(row[0])
