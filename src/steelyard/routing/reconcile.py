"""Reading Intercom back: the roster, one conversation, or all that are open, put into the inbox like webhooks.

What is read is newer than any webhook of the same second, so reading settles what their order left open.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

from steelyard.kit.errors import RemoteError
from steelyard.kit.ids import ConversationId, WorkspaceId, numeric_id
from steelyard.kit.instants import SECOND, Micros
from steelyard.routing import store
from steelyard.routing.model import Conversation
from steelyard.routing.receive import GONE, READ_BACK, ROSTER
from steelyard.routing.store import INBOX
from steelyard.store.database import Database

PAGE = 100
"""Conversations that are stored in one transaction."""

Json = dict[str, Any]


class Workspace(Protocol):
    """What reading back needs of a workspace's Intercom. Each call raises RemoteError."""

    async def conversation(self, conversation: int) -> Json:
        """The conversation as it is now."""
        ...

    def open_conversations(self) -> AsyncIterator[Json]:
        """All open conversations."""
        ...

    async def roster(self) -> Json:
        """`{"admins": […], "teams": […]}` as Intercom lists them."""
        ...


class Reconcile:
    """Reads any workspace back."""

    def __init__(
        self,
        database: Database,
        workspace: Callable[[WorkspaceId], Awaitable[Workspace]],
        clock: Callable[[], Micros],
    ) -> None:
        self._database = database
        self._workspace = workspace
        self._clock = clock

    async def roster(self, workspace: WorkspaceId) -> None:
        """Reads teammates and teams. Raises RemoteError."""
        read = await (await self._workspace(workspace)).roster()
        await self._put(workspace, ROSTER, [(f"roster {self._clock()}", read | {"created_at": self._now()})])

    async def conversation(self, workspace: WorkspaceId, conversation: ConversationId) -> None:
        """Reads one conversation; one that is gone is deleted here too. Raises RemoteError."""
        try:
            found = await (await self._workspace(workspace)).conversation(conversation)
        except RemoteError as error:
            if error.code not in ("not_found", "conversation_not_found"):
                raise
            gone = (f"gone {conversation} {self._clock()}", self._body({"id": conversation}))
            return await self._put(workspace, GONE, [gone])
        await self._put(workspace, READ_BACK, [self._row(found)])

    async def open_conversations(self, workspace: WorkspaceId) -> int:
        """Reads what is open in Intercom, or only here; how many are open there. Raises RemoteError.

        A list shows no parts, and may be older than what is known: what differs is read by itself, too.
        """
        listed: set[ConversationId] = set()
        different: list[ConversationId] = []
        async for page in _pages((await self._workspace(workspace)).open_conversations()):
            listed |= page.keys()
            different += await self._put_different(workspace, page)
        async with self._database.transaction(workspace) as conn:
            only_here = await store.open_conversations(conn, workspace) - listed
        for conversation in (*different, *sorted(only_here)):
            await self.conversation(workspace, conversation)
        return len(listed)

    async def _put_different(self, workspace: WorkspaceId, page: dict[ConversationId, Json]) -> list[ConversationId]:
        """Puts what is not known so; reading what is known once more would be nothing that happened."""
        async with self._database.transaction(workspace) as conn:
            known = await store.conversations(conn, workspace, page.keys())
        different = [id for id, found in page.items() if not _is_known(known.get(id), found)]
        await self._put(workspace, READ_BACK, [self._row(page[id]) for id in different])
        return different

    def _row(self, found: Json) -> tuple[str, Json]:
        return f"read {numeric_id(found.get('id'))} {self._clock()}", self._body(found)

    def _body(self, item: Json) -> Json:
        return {"created_at": self._now(), "data": {"item": item}}

    def _now(self) -> int:
        return self._clock() // SECOND

    async def _put(self, workspace: WorkspaceId, topic: str, rows: list[tuple[str, Json]]) -> None:
        if not rows:
            return
        async with self._database.transaction(workspace) as conn:
            await store.put_in_inbox(conn, workspace, topic, rows)
        await self._database.notify(INBOX)


async def _pages(found: AsyncIterator[Json]) -> AsyncIterator[dict[ConversationId, Json]]:
    """Conversations by their ids, so many at once."""
    page: dict[ConversationId, Json] = {}
    async for each in found:
        if (id := numeric_id(each.get("id"))) is not None:
            page[ConversationId(id)] = each
        if len(page) == PAGE:
            yield page
            page = {}
    if page:
        yield page


def _is_known(known: Conversation | None, found: Json) -> bool:
    if known is None or known.deleted or known.failed is not None:
        return False  # what Intercom refused may have been mended since: reading it has it decided again
    team, assignee = numeric_id(found.get("team_assignee_id")), numeric_id(found.get("admin_assignee_id"))
    shown = (found.get("updated_at"), found.get("state"), team, assignee)
    return shown == (known.order.updated_at, known.phase, known.team, known.assignee)
