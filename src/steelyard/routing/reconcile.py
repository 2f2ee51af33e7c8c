"""Reading Intercom back: the roster, one conversation, or all that are open, put into the inbox like webhooks.

What is read is newer than any webhook of the same second, so reading settles what their order left open.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from structlog import get_logger

from steelyard.kit.errors import RemoteError
from steelyard.kit.ids import ConversationId, WorkspaceId, numeric_id
from steelyard.kit.instants import SECOND, Micros
from steelyard.routing import codec, payload, store
from steelyard.routing.drift import Difference, difference, hidden, under_way
from steelyard.routing.policy import parse
from steelyard.routing.readings import Asked, Reading, begin, end, note
from steelyard.routing.receive import receive
from steelyard.routing.seen import SeenConversation
from steelyard.routing.shown import Reader
from steelyard.routing.store import INBOX
from steelyard.routing.told import GONE, READ_BACK, ROSTER
from steelyard.store.database import Database, end_if_cancelled

PAGE = 100
"""Conversations that are compared and stored in one transaction."""

_LOOK_AGAIN = 0.5
"""Seconds between two looks for a conversation that is said not to be there."""

AT_ONCE = 8
"""Conversations that are read by themselves at the same time."""

log = get_logger()

Json = dict[str, Any]


Progress = Callable[[int, int], None]
"""Is told how many steps of how many are done."""


def _unseen(done: int, total: int) -> None:
    """Nobody looks."""


class Workspace(Protocol):
    """What reading back needs of a workspace's Intercom. Each call raises RemoteError."""

    async def conversation(self, conversation: int) -> Json:
        """The conversation as it is now."""
        ...

    def open_conversations(self) -> AsyncIterator[Json]:
        """All open conversations."""
        ...

    async def count_open_conversations(self) -> int | None:
        """How many are open; None where Intercom does not say."""
        ...

    def open_tickets(self) -> AsyncIterator[Json]:
        """All open tickets."""
        ...

    async def leave_room(self) -> None:
        """Waits until at least half of the rate limit's window is left: deliveries go first."""
        ...

    async def roster(self) -> Json:
        """`{"admins": […], "teams": […]}` as Intercom lists them."""
        ...

    async def now(self) -> float:
        """The time by Intercom's clock, in seconds since 1970: by it what is read takes its place among webhooks."""
        ...


class _Read(NamedTuple):
    """One conversation that was read, as it goes into the inbox."""

    topic: str
    row: tuple[str, Json]
    found: Json


@dataclass
class _Round:
    """One reading while it goes on."""

    intercom: Workspace
    reading: Reading
    progress: Progress
    total: int
    done: int = 0
    listed: set[ConversationId] = field(default_factory=set[ConversationId])
    only_here: set[ConversationId] = field(default_factory=set[ConversationId])
    different: list[ConversationId] = field(default_factory=list[ConversationId])
    tickets: set[ConversationId] | None = None
    touched: list[ConversationId] = field(default_factory=list[ConversationId])

    def step(self, steps: int) -> None:
        self.done += steps
        self.progress(self.done, max(self.done, self.total))


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
        intercom = await self._workspace(workspace)
        asked_at = await _now(intercom)
        read = await intercom.roster()
        await self._put(workspace, ROSTER, [(f"roster {self._clock()}", read | {"created_at": asked_at})])

    async def conversation(self, workspace: WorkspaceId, conversation: ConversationId) -> None:
        """Reads one conversation; one that is gone is deleted here too. Raises RemoteError."""
        intercom = await self._workspace(workspace)
        read = await self._look(workspace, intercom, conversation)
        if read is not None:
            await self._put(workspace, read.topic, [read.row])

    async def open_conversations(
        self, workspace: WorkspaceId, asked: Asked = "asked", progress: Progress = _unseen
    ) -> Reading | None:
        """Reads what is open in Intercom, or only here, and puts what differs; None where it was read just now.

        A list shows no parts: what differs is read by itself, and where something was missed, all that changed since
        the last deep reading. `progress` is told how many of how many steps are done. Raises RemoteError.
        """
        intercom = await self._workspace(workspace)
        began = await _now(intercom)
        async with self._database.transaction(workspace) as conn:
            reading = await begin(conn, workspace, asked, Micros(began * SECOND))
        if reading is None:
            return None
        round = _Round(intercom, reading, progress, await intercom.count_open_conversations() or 0)
        async for page in _pages(intercom.open_conversations()):
            end_if_cancelled()
            await self._compare(workspace, round, page)
        async with self._database.transaction(workspace) as conn:
            round.only_here = await store.open_conversations(conn, workspace) - round.listed
        await self._read_by_themselves(workspace, round)
        ended = await _now(intercom)
        async with self._database.transaction(workspace) as conn:
            await end(conn, workspace, reading, Micros(ended * SECOND))
        if reading.drift:
            log.warning("reading.drift", workspace=workspace, drift=reading.drift, **reading.found)
        return reading

    async def _compare(self, workspace: WorkspaceId, round: _Round, page: dict[ConversationId, Json]) -> None:
        """Compares one page of the list with what is known: what is known so is nothing that happened."""
        reading = round.reading
        async with self._database.transaction(workspace) as conn:
            known = await store.conversations(conn, workspace, page.keys())
        now = await _now(round.intercom)
        taken: list[ConversationId] = []
        unknown = page.keys() - known.keys()
        tickets = await self._tickets(workspace, round) if unknown else set[ConversationId]()
        for id, found in page.items():
            if id in tickets or (id in known and known[id].ticket):
                continue
            kind = difference(known.get(id), found)
            if kind is Difference.REFUSED and not reading.deep:
                continue  # tried again, but not every few minutes
            if kind is not None and not under_way(found.get("updated_at"), now):
                reading.found[kind] += 1
            if kind is Difference.UNKNOWN and reading.first:
                taken.append(id)  # nobody has set a weight by hand yet: the list shows all there is
            elif kind is not None:
                round.different.append(id)
            elif payload.seconds(found.get("updated_at"), 0) >= reading.since:
                round.touched.append(id)
        await self._put(workspace, READ_BACK, [self._row(page[id], reading.started_at // SECOND) for id in taken])
        round.listed |= page.keys()
        reading.listed = len(round.listed)
        await self._step(workspace, round, len(page))

    async def _tickets(self, workspace: WorkspaceId, round: _Round) -> set[ConversationId]:
        """The open tickets: lists of conversations hold them too, and do not tell them apart. Read when it matters."""
        if round.tickets is None:
            round.tickets = set()
            try:
                async for page in _pages(round.intercom.open_tickets()):
                    round.tickets |= page.keys()
            except RemoteError as error:
                if not error.permanent:
                    raise
                log.warning("reading.no_tickets", workspace=workspace, code=error.code)
        return round.tickets

    async def _read_by_themselves(self, workspace: WorkspaceId, round: _Round) -> None:
        reading = round.reading
        reading.deep |= reading.drift > 0
        touched = round.touched if reading.deep else []
        wanted = [*round.different, *sorted(round.only_here), *touched]
        round.total = len(round.listed) + len(wanted)
        heaviest = await self._heaviest(workspace) if touched else 0
        for start in range(0, len(wanted), AT_ONCE):
            await round.intercom.leave_room()
            chunk = wanted[start : start + AT_ONCE]
            reads = (
                self._look_behind(workspace, round, id, heaviest)
                if start + place >= len(wanted) - len(touched)
                else self._read(workspace, round, id)
                for place, id in enumerate(chunk)
            )
            await asyncio.gather(*reads)
            await self._step(workspace, round, len(chunk))

    async def _step(self, workspace: WorkspaceId, round: _Round, steps: int) -> None:
        """So many steps more are done: who waits for it here, or on the page of settings, is told."""
        round.step(steps)
        async with self._database.transaction(workspace) as conn:
            await note(conn, workspace, round.reading, round.done, max(round.done, round.total))

    async def _read(self, workspace: WorkspaceId, round: _Round, id: ConversationId) -> None:
        """Reads one that differs, and puts it."""
        read = await self._look(workspace, round.intercom, id)
        if read is None:
            return
        told = under_way(read.found.get("updated_at"), await _now(round.intercom))
        if id in round.only_here and read.found.get("state") != "open" and not told:
            round.reading.found[Difference.STATE] += 1
        await self._put(workspace, read.topic, [read.row])

    async def _look_behind(self, workspace: WorkspaceId, round: _Round, id: ConversationId, heaviest: int) -> None:
        """Reads one that looks as it is known, and puts it where its parts show otherwise."""
        read = await self._look(workspace, round.intercom, id)
        if read is None:
            return
        async with self._database.transaction(workspace) as conn:
            known = await store.conversations(conn, workspace, [id])
        body = codec.dump({"topic": read.topic, "id": read.row[0]} | read.row[1]).encode()
        shown = receive(body, 0, Reader(None, heaviest))
        kind = hidden(known.get(id), shown) if isinstance(shown, SeenConversation) else Difference.STATE
        if kind is None:
            return
        if not under_way(read.found.get("updated_at"), await _now(round.intercom)):
            round.reading.found[kind] += 1
        await self._put(workspace, read.topic, [read.row])

    async def _look(self, workspace: WorkspaceId, intercom: Workspace, id: ConversationId) -> _Read | None:
        """The conversation as Intercom has it, or that it is gone. None for one that may not be read: it holds up no
        other. Raises RemoteError.

        Deleting is for good: so Intercom is asked a second time before it is believed.
        """
        asked_at = await _now(intercom)
        for pause in (_LOOK_AGAIN, 0.0):
            try:
                found = await intercom.conversation(id)
            except RemoteError as error:
                if not error.permanent:
                    raise
                if error.code not in ("not_found", "conversation_not_found"):
                    log.warning("reading.refused", workspace=workspace, conversation=id, code=error.code)
                    return None
            else:
                return _Read(READ_BACK, self._row(found, asked_at), found)
            await asyncio.sleep(pause)
        gone = (f"gone {id} {self._clock()}", _body({"id": id}, await _now(intercom)))
        return _Read(GONE, gone, {"state": "deleted", "updated_at": 0})

    async def _heaviest(self, workspace: WorkspaceId) -> int:
        """The largest weight that the policy in force lets a person set."""
        async with self._database.transaction(workspace) as conn:
            digest = await store.policy_in_force(conn, workspace)
            return parse(await store.policy_text(conn, workspace, digest)).heaviest

    def _row(self, found: Json, asked_at: int) -> tuple[str, Json]:
        """What is put of a conversation. It is as old as the question: its answer may have been long on its way."""
        return f"read {numeric_id(found.get('id'))} {self._clock()}", _body(found, asked_at)

    async def _put(self, workspace: WorkspaceId, topic: str, rows: list[tuple[str, Json]]) -> None:
        if not rows:
            return
        async with self._database.transaction(workspace) as conn:
            await store.put_in_inbox(conn, workspace, topic, rows)
        await self._database.notify(INBOX)


async def _now(intercom: Workspace) -> int:
    return int(await intercom.now())


def _body(item: Json, at: int) -> Json:
    return {"created_at": at, "data": {"item": item}}


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
