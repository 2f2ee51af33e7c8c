"""Where a workspace's alarms are told, as people chose it. Each address is sealed under the web's key for its row."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import AsyncConnection
from psycopg.rows import class_row

from steelyard.kit.errors import KeyFileError
from steelyard.kit.ids import WorkspaceId
from steelyard.routing.connections import Sealing, Unseal

MOST = 50
"""Addresses of a workspace: each alarm is told to every one of them."""

TEST_EVERY: Final = timedelta(minutes=1)
"""For how long a test message that is on its way keeps others from being sent."""

SERVICES: Final = {
    "discord": "Discord",
    "gchat": "Google Chat",
    "json": "JSON",
    "jsons": "JSON",
    "mailto": "e-mail",
    "mailtos": "e-mail",
    "matrix": "Matrix",
    "matrixs": "Matrix",
    "mmost": "Mattermost",
    "mmosts": "Mattermost",
    "ntfy": "ntfy",
    "ntfys": "ntfy",
    "opsgenie": "Opsgenie",
    "pagerduty": "PagerDuty",
    "rocket": "Rocket.Chat",
    "rockets": "Rocket.Chat",
    "slack": "Slack",
    "telegram": "Telegram",
    "tgram": "Telegram",
    "workflow": "Teams",
    "workflows": "Teams",
    "zulip": "Zulip",
}
"""What the services that teams use are called; any other goes by how its addresses begin."""


class Choice(NamedTuple):
    """What somebody chooses for an address. `kinds` None: every alarm, those of later releases too."""

    name: str
    kinds: tuple[str, ...] | None
    language: str
    quiet_from: time | None
    quiet_to: time | None
    zone: str


class Notification(NamedTuple):
    """An address with what was chosen for it, and what came of it. `address` is sealed."""

    notification: int
    name: str
    address: str
    kinds: list[str] | None
    language: str
    quiet_from: time | None
    quiet_to: time | None
    zone: str
    created_at: datetime
    tested_at: datetime | None
    told_at: datetime | None
    failed_at: datetime | None
    failure: str
    removed_at: datetime | None

    @property
    def choice(self) -> Choice:
        """What can be changed."""
        kinds = tuple(self.kinds) if self.kinds is not None else None
        return Choice(self.name, kinds, self.language, self.quiet_from, self.quiet_to, self.zone)


class Seen(NamedTuple):
    """What may be shown of an address: the service, and eight digits by which two can be told apart.

    Both are empty where its key is not here.
    """

    service: str
    fingerprint: str


def sealed_at(workspace: WorkspaceId, notification: int) -> str:
    """What the address is sealed for: its row."""
    return f"{workspace} notification.address {notification}"


def seen_of(workspace: WorkspaceId, notification: int, sealed: str, unseal: Unseal) -> Seen:
    """What may be shown of a sealed address."""
    try:
        address = unseal(sealed, sealed_at(workspace, notification))
    except KeyFileError:
        return Seen("", "")
    service = address.partition("://")[0].strip().lower()[:40]
    return Seen(SERVICES.get(service, service), hashlib.sha256(f"steelyard {address}".encode()).hexdigest()[:8])


async def read_notifications(conn: AsyncConnection[Any], workspace: WorkspaceId) -> list[Notification]:
    """Those that are not removed, the oldest first."""
    return await _read(
        conn,
        _SELECT + " WHERE workspace = %s AND removed_at IS NULL ORDER BY notification",
        (workspace,),
    )


async def read_notification(
    conn: AsyncConnection[Any], workspace: WorkspaceId, notification: int, *, hold: bool = False
) -> Notification | None:
    """One of them, also one that was removed. `hold`: nobody changes it until `conn`'s transaction ends."""
    query = _SELECT + " WHERE workspace = %s AND notification = %s"
    found = await _read(conn, _held(query, hold), (workspace, notification))
    return found[0] if found else None


async def add_notification(
    conn: AsyncConnection[Any], workspace: WorkspaceId, choice: Choice, address: str, keys: Sealing, now: datetime
) -> int:
    """Stores a fresh one, its address sealed; its number. Raises KeyFileError."""
    cursor = await conn.execute(
        """INSERT INTO notification (workspace, name, address, kinds, language, quiet_from, quiet_to, zone, created_at)
           VALUES (%s, %s, '', %s, %s, %s, %s, %s, %s) RETURNING notification""",
        (workspace, *_columns(choice), now),
    )
    row = await cursor.fetchone()
    number = int(row[0]) if row is not None else 0
    await put_address(conn, workspace, number, address, keys)
    return number


async def put_address(
    conn: AsyncConnection[Any], workspace: WorkspaceId, notification: int, address: str, keys: Sealing
) -> None:
    """Stores another address; what was said of the last one no longer holds. Raises KeyFileError."""
    await conn.execute(
        """UPDATE notification SET address = %s, told_at = NULL, failed_at = NULL, failure = '', tested_at = NULL
           WHERE workspace = %s AND notification = %s""",
        (keys.seal(address, sealed_at(workspace, notification)), workspace, notification),
    )


async def change_notification(
    conn: AsyncConnection[Any], workspace: WorkspaceId, notification: int, choice: Choice
) -> None:
    """Stores what was chosen anew."""
    await conn.execute(
        """UPDATE notification SET name = %s, kinds = %s, language = %s, quiet_from = %s, quiet_to = %s, zone = %s
           WHERE workspace = %s AND notification = %s""",
        (*_columns(choice), workspace, notification),
    )


async def remove_notification(
    conn: AsyncConnection[Any], workspace: WorkspaceId, notification: int, now: datetime | None
) -> bool:
    """Removes it, or puts it back where `now` is None; whether that changed anything."""
    cursor = await conn.execute(
        """UPDATE notification SET removed_at = %(now)s
           WHERE workspace = %(workspace)s AND notification = %(notification)s
                 AND (removed_at IS NULL) = (%(now)s::timestamptz IS NOT NULL)""",
        {"workspace": workspace, "notification": notification, "now": now},
    )
    return cursor.rowcount > 0


# What is sealed


async def read_addresses(conn: AsyncConnection[Any], workspace: WorkspaceId, *, hold: bool = False) -> dict[int, str]:
    """The sealed address of each, also of those that may be put back. `hold`: nobody changes them meanwhile."""
    query: LiteralString = "SELECT notification, address FROM notification WHERE workspace = %s ORDER BY notification"
    return {number: address async for number, address in await conn.execute(_held(query, hold), (workspace,))}


async def write_address(conn: AsyncConnection[Any], workspace: WorkspaceId, notification: int, sealed: str) -> None:
    """Stores the same address, sealed anew."""
    await conn.execute(
        "UPDATE notification SET address = %s WHERE workspace = %s AND notification = %s",
        (sealed, workspace, notification),
    )


# What came of telling


async def begin_test(conn: AsyncConnection[Any], workspace: WorkspaceId, notification: int, now: datetime) -> bool:
    """Notes that a test message is on its way; not where one has been so for less than TEST_EVERY."""
    cursor = await conn.execute(
        """UPDATE notification SET tested_at = %(now)s
           WHERE workspace = %(workspace)s AND notification = %(notification)s
                 AND (tested_at IS NULL OR tested_at <= %(now)s::timestamptz - %(every)s::interval)""",
        {"workspace": workspace, "notification": notification, "now": now, "every": TEST_EVERY},
    )
    return cursor.rowcount > 0


async def note_told(conn: AsyncConnection[Any], workspace: WorkspaceId, notification: int, now: datetime) -> None:
    """Something went through."""
    await conn.execute(
        """UPDATE notification SET told_at = %s, failed_at = NULL, failure = '', tested_at = NULL
           WHERE workspace = %s AND notification = %s""",
        (now, workspace, notification),
    )


async def note_failed(
    conn: AsyncConnection[Any], workspace: WorkspaceId, notification: int, code: str, now: datetime
) -> None:
    """Nothing goes through, for the reason `code`; since when stays as it was."""
    await conn.execute(
        """UPDATE notification SET failed_at = coalesce(failed_at, %s), failure = %s, tested_at = NULL
           WHERE workspace = %s AND notification = %s""",
        (now, code, workspace, notification),
    )


_SELECT: Final[
    LiteralString
] = """SELECT notification, name, address, kinds, language, quiet_from, quiet_to, zone, created_at,
       tested_at, told_at, failed_at, failure, removed_at FROM notification"""


def _held(query: LiteralString, hold: bool) -> LiteralString:
    return query + " FOR UPDATE" if hold else query


def _columns(choice: Choice) -> tuple[object, ...]:
    kinds = list(choice.kinds) if choice.kinds is not None else None
    return choice.name, kinds, choice.language, choice.quiet_from, choice.quiet_to, choice.zone


async def _read(conn: AsyncConnection[Any], query: LiteralString, values: Sequence[object]) -> list[Notification]:
    async with conn.cursor(row_factory=class_row(Notification)) as cursor:
        await cursor.execute(query, values)
        return await cursor.fetchall()
