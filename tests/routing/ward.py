"""One workspace that is watched, for the tests of alarms and of telling them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from steelyard.kit.ids import WorkspaceId
from steelyard.kit.instants import Micros, micros
from steelyard.routing.calls import Calls
from steelyard.routing.health import Thresholds
from steelyard.routing.watch import Watch
from steelyard.store.database import Database

START = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> Micros:
        return micros(self.now)

    def go_on(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Told:
    """Collects what is to be told; gives way to others in the middle, as a database does."""

    def __init__(self) -> None:
        self.said: list[tuple[int, bool]] = []

    async def defer(self, conn: Any, workspace: WorkspaceId, alarm: int, over: bool) -> None:
        await conn.execute("SELECT pg_sleep(0.05)")
        self.said.append((alarm, over))


class Ward:
    """One workspace that is watched."""

    def __init__(self, database: Database, workspace: WorkspaceId) -> None:
        self.database, self.workspace, self.clock, self.told = database, workspace, Clock(), Told()
        self.calls = Calls(self.clock)
        self.thresholds = Thresholds()

    def watch(self, tell: Any = None) -> Watch:
        return Watch(self.database, self.thresholds, self.calls, tell or self.told, self.clock)

    async def look(self) -> None:
        await self.watch().look(self.workspace)

    async def run(self, query: str, *values: object) -> list[Any]:
        async with self.database.transaction(self.workspace) as conn:
            cursor = await conn.execute(query, values)
            return await cursor.fetchall() if cursor.description else []

    async def come(self, at: datetime, topic: str = "conversation.user.created", handled: bool = True) -> None:
        await self.run(
            "INSERT INTO inbox (workspace, notification, topic, body, received_at, handled_at)"
            " VALUES (%s, gen_random_uuid()::text, %s, '', %s, %s)",
            *(self.workspace, topic, at, at if handled else None),
        )

    async def alarms(self) -> list[tuple[str, bool]]:
        return await self.run("SELECT kind, ended_at IS NULL FROM alarm ORDER BY alarm")
