"""The inbox of the cell: whose webhooks these are, and their storing."""

from __future__ import annotations

from collections.abc import Callable

from steelyard.kit.ids import WorkspaceId
from steelyard.kit.instants import SECOND, Micros
from steelyard.routing.ingest import Owner, Row
from steelyard.routing.store import INBOX
from steelyard.store.database import Database

_REMEMBERED = 10 * SECOND
_MOST_REMEMBERED = 10_000


class CellInbox:
    """Stores webhooks of every workspace of the cell through the functions that may cross workspaces."""

    def __init__(self, database: Database, clock: Callable[[], Micros]) -> None:
        self._database = database
        self._clock = clock
        self._owners: dict[str, tuple[Owner | None, int]] = {}

    async def owner(self, app_id: str) -> Owner | None:
        """Whose app it is, as of at most ten seconds ago."""
        now = self._clock()
        known = self._owners.get(app_id)
        if known is not None and known[1] > now:
            return known[0]
        async with self._database.cell() as conn:
            row = await (
                await conn.execute("SELECT workspace, client_secret FROM secret_of_app(%s)", (app_id,))
            ).fetchone()
        owner = Owner(WorkspaceId(row[0]), row[1].encode()) if row is not None else None
        if len(self._owners) >= _MOST_REMEMBERED:
            self._owners.clear()
        self._owners[app_id] = (owner, now + _REMEMBERED)
        return owner

    async def store(self, rows: list[Row]) -> None:
        """Stores `rows` in one commit. Copies within them are stored after the first, so that they are counted."""
        first = {(row.workspace, row.notification): row for row in reversed(rows)}
        copies = [row for row in rows if first[row.workspace, row.notification] is not row]
        async with self._database.cell() as conn:
            for some in (list(first.values()), *([copy] for copy in copies)):
                await conn.execute(
                    "SELECT store_batch(%s, %s, %s, %b::bytea[])",
                    (
                        [row.workspace for row in some],
                        [row.notification for row in some],
                        [row.topic for row in some],
                        [row.body for row in some],
                    ),
                )
        await self._database.notify(INBOX)
