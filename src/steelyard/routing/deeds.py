"""Doing in Intercom what a person asked for in the console: one job for each fact that says so; see acts.py.

A job may run more than once, and somebody else may have been faster. So a conversation is moved only while it has the
engineer whom the person saw; it is read before. How it ended goes into the inbox: the router records it, once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from psycopg.rows import class_row
from structlog import get_logger

from steelyard.kit.errors import RemoteError, StoreError
from steelyard.kit.ids import ConversationId, EngineerId, Position, WorkspaceId, numeric_id
from steelyard.kit.instants import SECOND, Micros
from steelyard.routing import store
from steelyard.routing.deliver import LONGEST_PAUSE
from steelyard.routing.model import NOBODY
from steelyard.routing.switch import read_switch
from steelyard.routing.told import AWAY_REFUSED, MOVED
from steelyard.store.database import Connection, Database

GOOD_FOR = 120 * SECOND
"""What could not be done so long after it was asked for is not done behind that person's back later."""

log = get_logger()

Json = dict[str, Any]


class Intercom(Protocol):
    """What these jobs need of a workspace's Intercom. Each call raises RemoteError."""

    async def conversation(self, conversation: int) -> Json:
        """The conversation as it is now."""
        ...

    async def assign(self, conversation: int, actor: int, engineer: int) -> Json:
        """Assigns it, to nobody where `engineer` is 0; the whole conversation."""
        ...

    async def set_away(self, admin: int, away: bool) -> object:
        """Sets a teammate away, or back."""
        ...


@dataclass(frozen=True, slots=True)
class Move:
    """A move as it was asked for."""

    conversation: ConversationId
    engineer: EngineerId
    """NOBODY: it is to wait again."""
    asked_at: int
    seen_with: int
    """Whom the person saw it with, or NOBODY."""
    winner: int | None
    """Of a decision that was on its way then. Its delivery may have come first, or never have begun."""
    actor: int
    """0: the workspace is not connected."""
    paused: bool

    @property
    def expected(self) -> frozenset[int]:
        """Who may have it. A person comes before Steelyard's own decision, delivered or not."""
        return frozenset({self.seen_with} if self.winner is None else {NOBODY, self.winner})


@dataclass(frozen=True, slots=True)
class Wish:
    """Somebody to be set away, or back."""

    engineer: EngineerId
    away: bool
    asked_at: int
    actor: int
    paused: bool


class Deeds:
    """Does what people asked for, in any workspace."""

    def __init__(
        self,
        database: Database,
        intercom: Callable[[WorkspaceId], Awaitable[Intercom]],
        clock: Callable[[], Micros],
    ) -> None:
        self._database, self._intercom, self._clock = database, intercom, clock

    async def move(self, workspace: WorkspaceId, asked: Position) -> ConversationId | None:
        """Moves a conversation; which one has to be read from Intercom, where no answer showed how it is now.

        Raises RemoteError where another try may help, StoreError where it had to wait for the database.
        """
        async with self._database.transaction(workspace) as conn:
            move = await _read_move(conn, workspace, asked)
        if move is None:
            return None
        outcome, reason, answer = "move_refused", self._objection(move), {}
        if not reason:
            try:
                outcome, reason, answer = await self._give(workspace, asked, move)
            except RemoteError as error:
                if not error.permanent:
                    raise
                log.warning("move.refused", workspace=workspace, move=asked, code=error.code)
                reason = error.code or type(error).__name__
        told = {"move": asked, "conversation": move.conversation, "engineer": move.engineer}
        told |= {"outcome": outcome, "reason": reason, "answer": answer}
        await self._tell(workspace, MOVED, f"moved {asked}", told)
        return None if answer else move.conversation

    async def set_away(self, workspace: WorkspaceId, asked: Position) -> None:
        """Sets an engineer away, or back. Intercom then tells it like any other change. Raises RemoteError."""
        async with self._database.transaction(workspace) as conn:
            wish = await _read_wish(conn, workspace, asked)
        if wish is None:
            return
        reason = self._objection(wish)
        if not reason:
            try:
                await (await self._intercom(workspace)).set_away(wish.engineer, wish.away)
            except RemoteError as error:
                if not error.permanent:
                    raise
                log.warning("away.refused", workspace=workspace, asked=asked, code=error.code)
                reason = error.code or type(error).__name__
        if reason:
            told = {"asked": asked, "engineer": wish.engineer, "away": wish.away, "reason": reason}
            await self._tell(workspace, AWAY_REFUSED, f"away refused {asked}", told)

    async def _give(self, workspace: WorkspaceId, asked: Position, move: Move) -> tuple[str, str, Json]:
        intercom = await self._intercom(workspace)
        shown = await intercom.conversation(move.conversation)
        answered = self._clock()
        assignee = numeric_id(shown.get("admin_assignee_id")) or NOBODY
        if assignee == move.engineer:  # an earlier try has done it, or somebody else did the same
            return "moved", "", shown
        if assignee not in move.expected:
            return "move_overtaken", "assigned by a person", shown
        if shown.get("state") != "open":  # to assign it would open it
            return "move_overtaken", "no longer open", shown
        async with self._database.transaction(workspace) as conn:
            if (await read_switch(conn, workspace)).paused:  # the reading may have waited for long
                return "move_refused", "paused", shown
        if self._clock() - answered > LONGEST_PAUSE:
            raise StoreError(f"the database was away during the move {asked}: it is tried again")
        return "moved", "", await intercom.assign(move.conversation, move.actor, move.engineer)

    def _objection(self, deed: Move | Wish) -> str:
        """Why it is not even tried; empty where nothing speaks against it."""
        if deed.paused:
            return "paused"
        if not deed.actor:
            return "not_connected"
        return "too_late" if self._clock() - deed.asked_at > GOOD_FOR else ""

    async def _tell(self, workspace: WorkspaceId, topic: str, id: str, told: Json) -> None:
        now = self._clock()
        async with self._database.transaction(workspace) as conn:
            await store.put_in_inbox(conn, workspace, topic, [(id, {"created_at": now // SECOND, "at": now} | told)])
        await self._database.notify(store.INBOX)


async def _read_move(conn: Connection, workspace: WorkspaceId, asked: Position) -> Move | None:
    async with conn.cursor(row_factory=class_row(Move)) as cursor:
        await cursor.execute(
            """SELECT ledger.conversation, coalesce(ledger.engineer, 0) AS engineer,
                      (extract(epoch FROM ledger.at) * 1000000)::bigint AS asked_at,
                      (ledger.data ->> 'from')::bigint AS seen_with, decision.winner,
                      coalesce(connection.actor, 0) AS actor, workspace.paused
               FROM ledger JOIN workspace USING (workspace) LEFT JOIN connection USING (workspace)
                    LEFT JOIN decision ON decision.workspace = ledger.workspace
                                          AND decision.decision = (ledger.data ->> 'decision')::bigint
               WHERE ledger.workspace = %s AND ledger.position = %s AND ledger.kind = 'conversation.move_asked'""",
            (workspace, asked),
        )
        return await cursor.fetchone()


async def _read_wish(conn: Connection, workspace: WorkspaceId, asked: Position) -> Wish | None:
    async with conn.cursor(row_factory=class_row(Wish)) as cursor:
        await cursor.execute(
            """SELECT engineer, (data ->> 'away')::bool AS away,
                      (extract(epoch FROM at) * 1000000)::bigint AS asked_at,
                      coalesce(connection.actor, 0) AS actor, workspace.paused
               FROM ledger JOIN workspace USING (workspace) LEFT JOIN connection USING (workspace)
               WHERE ledger.workspace = %s AND ledger.position = %s AND kind = 'engineer.away_asked'""",
            (workspace, asked),
        )
        return await cursor.fetchone()
