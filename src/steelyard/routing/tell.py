"""Telling operators of an alarm: one job for each address, so that each is told once, whatever befalls the others."""

from __future__ import annotations

from typing import Any, Protocol

from procrastinate import App
from psycopg import AsyncConnection

from steelyard.jobs.app import defer_all
from steelyard.jobs.retry import Retry
from steelyard.kit.ids import WorkspaceId
from steelyard.routing import alarms
from steelyard.routing.rows import one
from steelyard.store.database import Database

TELL = "tell"
QUEUES = (TELL,)

ATTEMPTS = 40
"""Tries of one message: half an hour of them."""


class Notify(Protocol):
    """Where operators are told. Addresses are numbers: what they are is a secret."""

    @property
    def addresses(self) -> int:
        """How many there are."""
        ...

    async def send(self, address: int, title: str, body: str, over: bool) -> None:
        """Sends a plain text to one of them. Raises RemoteError."""
        ...


class TellJobs:
    """The task that tells, on one Procrastinate app, and the watch's way to it."""

    def __init__(self, app: App, database: Database, notify: Notify, language: str) -> None:
        self._database = database
        self._notify = notify
        self._language = language

        @app.task(name="routing.tell", queue=TELL, retry=Retry(ATTEMPTS))
        async def tell(workspace: str, alarm: int, over: int, address: int) -> None:
            await self.tell(WorkspaceId(workspace), alarm, bool(over), address)

        self._task = tell

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

    async def tell(self, workspace: WorkspaceId, alarm: int, over: bool, address: int) -> None:
        """Tells one address of one alarm, with its latest numbers. Raises RemoteError."""
        async with self._database.transaction(workspace) as conn:
            found = await one(
                conn,
                """SELECT kind, figures, extract(epoch FROM ended_at - since)::float8 AS seconds
                   FROM alarm WHERE workspace = %s AND alarm = %s""",
                (workspace, alarm),
            )
        if found is None:
            return
        said = alarms.words(found["kind"], found["figures"], self._language)
        title = alarms.over(found["seconds"] or 0.0, said.title, self._language) if over else said.title
        body = said.title if over else f"{said.means}\n\n{said.advice}"
        await self._notify.send(address, f"Steelyard {workspace}: {title}", body, over)
