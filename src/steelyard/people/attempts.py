"""Failed sign-ins slow down the next one: counted by the address tried and by the place it is tried from.

An attempt counts as failed before its password is looked at, so that many at once gain nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, NamedTuple

from steelyard.store.database import Connection, Database

FREE_PER_ADDRESS, FREE_PER_PLACE = 5, 50
"""So many failures cost no waiting."""

_FIRST, _LONGEST = timedelta(seconds=15), timedelta(minutes=15)
_FORGET: Final = timedelta(hours=24)


class Held(NamedTuple):
    """Nobody may try before `until`."""

    until: datetime


def wait_after(failures: int, free: int) -> timedelta:
    """How long nobody may try after so many failures in a row: nothing at first, then twice as long each time."""
    if failures <= free:
        return timedelta(0)
    return min(_LONGEST, _FIRST * 2 ** min(20, failures - free - 1))


async def attempt(database: Database, address: str, place: str, now: datetime) -> Held | None:
    """Counts an attempt; None where it may be made."""
    async with database.cell() as conn:
        counted = [(_of_address(address), FREE_PER_ADDRESS), (_hash("place", place), FREE_PER_PLACE)]
        for what, free in counted:
            failures, last_at = await _hold(conn, what, now)
            until = last_at + wait_after(failures, free)
            if last_at > now - _FORGET and until > now:
                return Held(until)
        await conn.execute(
            "UPDATE attempt SET failures = CASE WHEN last_at <= %s THEN 1 ELSE failures + 1 END, last_at = %s"
            " WHERE what = ANY(%s)",
            [now - _FORGET, now, [what for what, _ in counted]],
        )
    return None


async def failures_of(database: Database, address: str) -> int:
    """How often in a row nobody could sign in with `address`."""
    async with database.cell() as conn:
        row = await (
            await conn.execute("SELECT failures FROM attempt WHERE what = %s", [_of_address(address)])
        ).fetchone()
    return int(row[0]) if row is not None else 0


async def forget(database: Database, address: str) -> None:
    """Nobody has to wait any more who signs in with `address`."""
    async with database.cell() as conn:
        await conn.execute("DELETE FROM attempt WHERE what = %s", [_of_address(address)])


async def succeeded(database: Database, address: str, place: str) -> None:
    """The attempt was none to count, and forgets those before it with this address."""
    await forget(database, address)
    async with database.cell() as conn:
        await conn.execute(
            "UPDATE attempt SET failures = failures - 1 WHERE what = %s AND failures > 0", [_hash("place", place)]
        )


async def _hold(conn: Connection, what: bytes, now: datetime) -> tuple[int, datetime]:
    """Failures, and when the last one was. The row is held also where there was none: many at once wait for each other.

    Whoever holds two holds them in the same order, so that none waits for another that waits for it.
    """
    row = await (
        await conn.execute(
            "INSERT INTO attempt VALUES (%s, 0, %s) ON CONFLICT (what) DO UPDATE SET failures = attempt.failures"
            " RETURNING failures, last_at",
            [what, now],
        )
    ).fetchone()
    assert row is not None  # noqa: S101 - one of both happens
    return int(row[0]), row[1]


def _of_address(address: str) -> bytes:
    return _hash("address", address.strip().lower())


def _hash(kind: str, value: str) -> bytes:
    return sha256(f"{kind} {value}".encode(errors="replace")).digest()
