"""Routing's jobs: their names, queues, locks and retries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from procrastinate import App
from psycopg import AsyncConnection

from steelyard.jobs.app import defer_all
from steelyard.jobs.retry import Retry
from steelyard.kit.ids import ConversationId, EngineerId, Position, WorkspaceId
from steelyard.routing import store
from steelyard.routing.deeds import Deeds
from steelyard.routing.deliver import Delivery
from steelyard.routing.readings import Asked
from steelyard.routing.reconcile import Reconcile
from steelyard.routing.tell import TELL, TELL_TEST
from steelyard.store.database import Database

DELIVER, READ = "deliver", "read"
QUEUES = (DELIVER, READ)

_MOVE, _SET_AWAY, _READ_ONE = "routing.move", "routing.set_away", "routing.read_conversation"
READ_ROSTER, READ_OPEN = "routing.read_roster", "routing.read_open_conversations"
_PEOPLE_FIRST = 1
"""The priority of what a person waits for. So a move also comes before the delivery of a decision on its way."""

SETTLED = timedelta(seconds=2)
"""How long after a contradiction a conversation is read: the second in which two things happened is over then."""


class ActJobs:
    """The way of people's acts to their jobs. The app need not be open: it is done in the acts' own transactions."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def move(
        self, conn: AsyncConnection[Any], workspace: WorkspaceId, conversation: ConversationId, asked: Position
    ) -> None:
        """Defers a move, in order with the deliveries of its conversation, in `conn`'s transaction."""
        await self._defer(conn, _MOVE, _lock(workspace, conversation), workspace, asked)

    async def set_away(
        self, conn: AsyncConnection[Any], workspace: WorkspaceId, engineer: EngineerId, asked: Position
    ) -> None:
        """Defers setting an engineer away or back, in order for each of them, in `conn`'s transaction."""
        await self._defer(conn, _SET_AWAY, f"{workspace} engineer {engineer}", workspace, asked)

    async def read(self, conn: AsyncConnection[Any], workspace: WorkspaceId, conversation: ConversationId) -> None:
        """Defers the reading of a conversation, in `conn`'s transaction."""
        job = self._app.configure_task(_READ_ONE, queue=READ, priority=_PEOPLE_FIRST, connection=conn)
        await job.defer_async(workspace=str(workspace), conversation=int(conversation))

    async def read_everything(self, conn: AsyncConnection[Any], workspace: WorkspaceId) -> None:
        """Defers a deep reading of teammates, teams and all that is open, in `conn`'s transaction."""
        place = str(workspace)
        roster = self._app.configure_task(READ_ROSTER, queue=READ, lock=f"{place} roster", connection=conn)
        await roster.defer_async(workspace=place)
        conversations = self._app.configure_task(READ_OPEN, queue=READ, lock=f"{place} open", connection=conn)
        await conversations.defer_async(workspace=place, asked=1)

    async def tell_test(self, conn: AsyncConnection[Any], workspace: WorkspaceId, notification: int) -> None:
        """Defers a test message to an address, in `conn`'s transaction."""
        job = self._app.configure_task(TELL_TEST, queue=TELL, connection=conn)
        await job.defer_async(workspace=str(workspace), notification=notification)

    async def _defer(
        self, conn: AsyncConnection[Any], task: str, lock: str, workspace: WorkspaceId, asked: Position
    ) -> None:
        job = self._app.configure_task(task, queue=DELIVER, lock=lock, priority=_PEOPLE_FIRST, connection=conn)
        await job.defer_async(workspace=str(workspace), asked=int(asked))


class RoutingJobs:
    """Routing's tasks on one Procrastinate app, and the router's way to them."""

    def __init__(self, app: App, database: Database, delivery: Delivery, reconcile: Reconcile, deeds: Deeds) -> None:
        @app.task(name="routing.deliver", queue=DELIVER, retry=Retry())
        async def deliver(workspace: str, decision: int) -> None:
            await delivery.deliver(WorkspaceId(workspace), Position(decision))

        @app.task(name=_MOVE, queue=DELIVER, retry=Retry())
        async def move(workspace: str, asked: int) -> None:
            unread = await deeds.move(WorkspaceId(workspace), Position(asked))
            if unread is not None:
                async with database.transaction(WorkspaceId(workspace)) as conn:
                    await self.read_back(conn, WorkspaceId(workspace), [unread])

        @app.task(name=_SET_AWAY, queue=DELIVER, retry=Retry())
        async def set_away(workspace: str, asked: int) -> None:
            await deeds.set_away(WorkspaceId(workspace), Position(asked))
            async with database.transaction(WorkspaceId(workspace)) as conn:
                await self.read_roster(conn, WorkspaceId(workspace))

        @app.task(name=_READ_ONE, queue=READ, retry=Retry(10))
        async def read_conversation(workspace: str, conversation: int) -> None:
            await reconcile.conversation(WorkspaceId(workspace), ConversationId(conversation))

        @app.task(name=READ_ROSTER, queue=READ, retry=Retry(10))
        async def read_roster(workspace: str) -> None:
            await reconcile.roster(WorkspaceId(workspace))

        @app.task(name=READ_OPEN, queue=READ, retry=Retry(10))
        async def read_open_conversations(workspace: str, at_start: int = 0, asked: int = 0) -> None:
            why: Asked = "asked" if asked else "start" if at_start else "schedule"
            await reconcile.open_conversations(WorkspaceId(workspace), why)

        @app.task(name="routing.keep_snapshot", queue=READ, retry=Retry(10))
        async def keep_snapshot(workspace: str) -> None:
            async with database.transaction(WorkspaceId(workspace)) as conn:
                await store.write_snapshot(conn, WorkspaceId(workspace))

        self._deliver, self._read, self._snapshot = deliver, read_conversation, keep_snapshot
        self._roster, self._open_conversations = read_roster, read_open_conversations

    async def deliver(
        self, conn: AsyncConnection[Any], workspace: WorkspaceId, decisions: Sequence[tuple[Position, ConversationId]]
    ) -> None:
        """Defers the delivery of decisions, in order per conversation, in `conn`'s transaction."""
        jobs = [
            (_lock(workspace, conversation), {"workspace": str(workspace), "decision": int(decision)})
            for decision, conversation in decisions
        ]
        await defer_all(conn, self._deliver, jobs)

    async def read_back(
        self, conn: AsyncConnection[Any], workspace: WorkspaceId, conversations: Sequence[ConversationId]
    ) -> None:
        """Defers the reading of conversations, a little later, in `conn`'s transaction."""
        task = self._read.configure(connection=conn, schedule_in={"seconds": int(SETTLED.total_seconds())})
        for conversation in conversations:
            await task.defer_async(workspace=str(workspace), conversation=int(conversation))

    async def read_roster(self, conn: AsyncConnection[Any], workspace: WorkspaceId) -> None:
        """Defers the reading of teammates and teams, a little later, in `conn`'s transaction."""
        later = self._roster.configure(connection=conn, schedule_in={"seconds": int(SETTLED.total_seconds())})
        await later.defer_async(workspace=str(workspace))

    async def keep_snapshot(self, conn: AsyncConnection[Any], workspace: WorkspaceId) -> None:
        """Defers the keeping of a snapshot of the state, in `conn`'s transaction."""
        await defer_all(conn, self._snapshot, [(f"{workspace} snapshot", {"workspace": str(workspace)})])

    async def read_everything(self, conn: AsyncConnection[Any], workspace: WorkspaceId, at_start: bool) -> None:
        """Defers the reading of roster and open conversations, deep `at_start` of a worker, in `conn`'s transaction."""
        await defer_all(conn, self._roster, [(f"{workspace} roster", {"workspace": str(workspace)})])
        arguments = {"workspace": str(workspace), "at_start": int(at_start)}
        await defer_all(conn, self._open_conversations, [(f"{workspace} open", arguments)])


def _lock(workspace: WorkspaceId, conversation: ConversationId) -> str:
    """What Intercom is told of one conversation is told in order."""
    return f"{workspace} {conversation}"
