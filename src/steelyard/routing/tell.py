"""Telling people of an alarm: one job for each address, so that each is told once, whatever befalls the others.

Addresses are the operator's (STEELYARD_ALARMS), and those that people chose for a workspace on its settings page.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple, Protocol

from procrastinate import App
from psycopg import AsyncConnection
from structlog import get_logger

from steelyard.jobs.app import defer_all
from steelyard.jobs.retry import Retry
from steelyard.kit.errors import KeyFileError, RemoteError
from steelyard.kit.ids import WorkspaceId
from steelyard.kit.instants import Micros, moment
from steelyard.routing import alarms
from steelyard.routing.connections import Unseal
from steelyard.routing.notifications import Notification, note_failed, note_told, read_notification, sealed_at
from steelyard.routing.quiet import quiet, quiet_until
from steelyard.routing.rows import one, rows
from steelyard.store.database import Database
from steelyard.web.viewer import zone_named

TELL = "tell"
QUEUES = (TELL,)

TELL_TEST: Final = "routing.tell_test"
"""The job that sends a test message."""

ATTEMPTS = 40
"""Tries of one message: half an hour of them."""

SEALED: Final = "sealed"
"""The code of an address that cannot be opened where it was tried."""

log = get_logger()


class Notify(Protocol):
    """Where people are told. Addresses of operators are numbers: what they are is a secret."""

    @property
    def addresses(self) -> int:
        """How many of them there are."""
        ...

    async def send(self, address: int, title: str, body: str, over: bool) -> None:
        """Sends a plain text to one of them. Raises RemoteError."""
        ...

    async def send_to(self, address: str, where: str, title: str, body: str, over: bool) -> None:
        """Sends a plain text to any address, which errors call `where`. Raises RemoteError."""
        ...


class _Message(NamedTuple):
    """An alarm in words, and whether it holds."""

    title: str
    body: str
    holds: bool


class TellJobs:
    """The tasks that tell, on one Procrastinate app, and the watch's way to them."""

    def __init__(
        self, app: App, database: Database, notify: Notify, language: str, unseal: Unseal, clock: Callable[[], Micros]
    ) -> None:
        """`language` is that of the operator's addresses; `unseal` opens those that people chose."""
        self._database = database
        self._notify = notify
        self._language = language
        self._unseal = unseal
        self._clock = clock
        self._said_sealed = False

        @app.task(name="routing.tell", queue=TELL, retry=Retry(ATTEMPTS))
        async def tell(workspace: str, alarm: int, over: int, address: int) -> None:
            await self.tell(WorkspaceId(workspace), alarm, bool(over), address)

        @app.task(name="routing.tell_notification", queue=TELL, retry=Retry(ATTEMPTS))
        async def tell_notification(workspace: str, alarm: int, over: int, notification: int, waited: int) -> None:
            await self.tell_notification(WorkspaceId(workspace), alarm, bool(over), notification, bool(waited))

        @app.task(name=TELL_TEST, queue=TELL)
        async def tell_test(workspace: str, notification: int) -> None:
            await self.test(WorkspaceId(workspace), notification)

        self._task, self._of_notification = tell, tell_notification

    async def defer(self, conn: AsyncConnection[Any], workspace: WorkspaceId, alarm: int, over: bool) -> None:
        """Has every address told, in `conn`'s transaction; that it is over only after that it began."""
        jobs = [
            (
                f"{workspace} alarm {alarm} {address}",
                {"workspace": str(workspace), "alarm": alarm, "over": int(over), "address": address},
            )
            for address in range(self._notify.addresses)
        ]
        await defer_all(conn, self._task, jobs)
        wanting = await rows(conn, _WANTING, {"workspace": workspace, "alarm": alarm})
        await defer_all(
            conn,
            self._of_notification,
            [_job(workspace, alarm, over, row["notification"], waited=False) for row in wanting],
        )

    async def tell(self, workspace: WorkspaceId, alarm: int, over: bool, address: int) -> None:
        """Tells one of the operator's addresses of one alarm, with its latest numbers. Raises RemoteError."""
        async with self._database.transaction(workspace) as conn:
            message = await _message(conn, workspace, alarm, over, self._language)
        if message is not None:
            await self._notify.send(address, message.title, message.body, over)

    async def tell_notification(
        self, workspace: WorkspaceId, alarm: int, over: bool, notification: int, waited: bool
    ) -> None:
        """Tells an address that people chose; in its quiet hours, has it told when they are over.

        What began in them is told only if it still holds (`waited`), and what is over only where it was told that it
        began. Raises RemoteError, KeyFileError.
        """
        async with self._database.transaction(workspace) as conn:
            to = await read_notification(conn, workspace, notification)
            message = to and await _message(conn, workspace, alarm, over, to.language)
            if to is None or to.removed_at is not None or message is None:
                return
            if await _is_told(conn, workspace, alarm, over, notification) or (
                waited and not over and not message.holds
            ):
                return
            if self._is_quiet(to):
                await self._wait(conn, workspace, alarm, over, to)
                return
        await self._send(workspace, to, message.title, message.body, over)
        async with self._database.transaction(workspace) as conn:
            values = {"workspace": workspace, "alarm": alarm, "notification": notification, "now": self._now()}
            await conn.execute(_OVER if over else _BEGAN, values)

    async def test(self, workspace: WorkspaceId, notification: int) -> None:
        """Sends a test message, at any hour. What came of it stands with the address."""
        async with self._database.transaction(workspace) as conn:
            to = await read_notification(conn, workspace, notification)
        if to is None or to.removed_at is not None:
            return
        said = alarms.test_words(to.language)
        try:
            await self._send(workspace, to, f"Steelyard {workspace}: {said.title}", said.means, over=True)
        except (RemoteError, KeyFileError):
            return  # noted, and shown to whoever asked for it

    async def _send(self, workspace: WorkspaceId, to: Notification, title: str, body: str, over: bool) -> None:
        """Sends, and notes with the address what came of it. Raises RemoteError, KeyFileError."""
        try:
            address = self._unseal(to.address, sealed_at(workspace, to.notification))
            await self._notify.send_to(address, f"notification {to.notification}", title, body, over)
        except (RemoteError, KeyFileError) as error:
            sealed = isinstance(error, KeyFileError)
            async with self._database.transaction(workspace) as conn:
                code = SEALED if sealed else getattr(error, "code", "") or "refused"
                await note_failed(conn, workspace, to.notification, code, self._now())
            if sealed and not self._said_sealed:
                self._said_sealed = True
                log.error("tell.sealed", workspace=workspace, notification=to.notification, advice=str(error))
            raise
        async with self._database.transaction(workspace) as conn:
            await note_told(conn, workspace, to.notification, self._now())

    def _now(self) -> datetime:
        return moment(self._clock())

    def _is_quiet(self, to: Notification) -> bool:
        return quiet(self._now(), to.quiet_from, to.quiet_to, zone_named(to.zone))

    async def _wait(
        self, conn: AsyncConnection[Any], workspace: WorkspaceId, alarm: int, over: bool, to: Notification
    ) -> None:
        """Has the same told when its quiet hours are over."""
        at = quiet_until(self._now(), to.quiet_from, to.quiet_to, zone_named(to.zone))
        lock, arguments = _job(workspace, alarm, over, to.notification, waited=True)
        pause = max(1, round((at - self._now()).total_seconds()))
        later = self._of_notification.configure(connection=conn, lock=lock, schedule_in={"seconds": pause})
        await later.defer_async(**arguments)


def _job(
    workspace: WorkspaceId, alarm: int, over: bool, notification: int, *, waited: bool
) -> tuple[str, dict[str, int | str]]:
    """The lock, one for both messages of an alarm, and the arguments."""
    return f"{workspace} alarm {alarm} notification {notification}", {
        "workspace": str(workspace),
        "alarm": alarm,
        "over": int(over),
        "notification": notification,
        "waited": int(waited),
    }


async def _message(
    conn: AsyncConnection[Any], workspace: WorkspaceId, alarm: int, over: bool, language: str
) -> _Message | None:
    """What is said of an alarm; None for one that is not kept any more."""
    found = await one(
        conn,
        """SELECT kind, figures, extract(epoch FROM ended_at - since)::float8 AS seconds
           FROM alarm WHERE workspace = %s AND alarm = %s""",
        (workspace, alarm),
    )
    if found is None:
        return None
    said = alarms.words(found["kind"], found["figures"], language)
    title = alarms.over(found["seconds"] or 0.0, said.title, language) if over else said.title
    body = said.title if over else f"{said.means}\n\n{said.advice}"
    return _Message(f"Steelyard {workspace}: {title}", body, found["seconds"] is None)


async def _is_told(
    conn: AsyncConnection[Any], workspace: WorkspaceId, alarm: int, over: bool, notification: int
) -> bool:
    """Whether there is nothing to say: it was told already, or nobody heard that it began."""
    found = await one(
        conn,
        "SELECT began_at, ended_at FROM telling WHERE workspace = %s AND alarm = %s AND notification = %s",
        (workspace, alarm, notification),
    )
    if not over:
        return found is not None
    return found is None or found["ended_at"] is not None


_WANTING: LiteralString = """
SELECT notification FROM notification JOIN alarm USING (workspace)
WHERE workspace = %(workspace)s AND alarm = %(alarm)s AND removed_at IS NULL AND (
    kinds IS NULL OR alarm.kind = ANY(kinds) OR EXISTS (
        SELECT FROM telling WHERE telling.workspace = alarm.workspace AND telling.alarm = alarm.alarm
               AND telling.notification = notification.notification))
ORDER BY notification
"""

_BEGAN: LiteralString = """
INSERT INTO telling (workspace, alarm, notification, began_at)
VALUES (%(workspace)s, %(alarm)s, %(notification)s, %(now)s)
ON CONFLICT DO NOTHING
"""

_OVER: LiteralString = """
UPDATE telling SET ended_at = %(now)s
WHERE workspace = %(workspace)s AND alarm = %(alarm)s AND notification = %(notification)s
"""
