"""Live pages: one task per page that is being watched draws it once per manner, for all viewers.

A viewer holds no queue: when it is ready for more it is sent what differs from what it has, so a slow one skips what
is past, and costs no more than one message.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Hashable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from time import monotonic
from typing import Generic, NamedTuple, TypeVar

import structlog
from starlette.responses import StreamingResponse
from starlette.types import Message, Send

from steelyard.kit.ids import WorkspaceId
from steelyard.web.frames import Frame, History, Parts, Piece, Wire, differing, lines
from steelyard.web.routes import Until

_log = structlog.get_logger()

MOST_FRAMES_PER_SECOND = 3
BEAT_SECONDS = 15.0
RETRY_MILLISECONDS = 3000

MOST_VIEWERS = 1000
"""Streams of one process. Who comes after is told to come again; their page stays as it is meanwhile."""

MOST_OF_ONE = 20
"""Streams of one viewer in one process, so that nobody takes the room of all. Each tab of a browser has one."""

PATIENCE = 30.0
"""Seconds in which a viewer has to take what it was sent."""

AT_ONCE = 4
"""Viewers that are woken at once: webhooks that come meanwhile go in between."""


class Manner(NamedTuple):
    """How a page is drawn: in which language, with its times in which zone."""

    language: str
    zone: tzinfo = UTC


Key = TypeVar("Key", bound=Hashable)
View = TypeVar("View")

Changes = Callable[[WorkspaceId], AsyncGenerator[None, None]]
"""Something to wait for: yields at once, then after each change of a workspace. Closed when nobody watches."""

_BEAT = Piece(b"event: beat\ndata:\n\n")
_END = Piece(b"\n")


async def polled(workspace: WorkspaceId) -> AsyncGenerator[None, None]:
    """The changes of a workspace that nobody reports: every second counts as one."""
    while True:
        yield
        await asyncio.sleep(1)


class EventStream(StreamingResponse):
    """Server-sent events, for as long as they are taken."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes], *, packed: bool = False) -> None:
        """`packed`: they come as gzip."""
        headers = {"X-Accel-Buffering": "no", "Cache-Control": "no-store", "Vary": "Accept-Encoding"}
        super().__init__(events, headers=headers | ({"Content-Encoding": "gzip"} if packed else {}))

    async def stream_response(self, send: Send) -> None:
        """Sends, and gives up on a viewer that takes nothing."""

        async def patient(each: Message) -> None:
            async with asyncio.timeout(PATIENCE):
                await send(each)

        with suppress(TimeoutError):
            await super().stream_response(patient)


@dataclass(slots=True)
class _Channel(Generic[View]):
    """A page that somebody watches: its newest view, drawn in each manner that is asked for."""

    view: View | None = None
    serial: int = 0
    frames: dict[Manner, Frame] = field(default_factory=dict[Manner, Frame])
    deltas: dict[tuple[str, str], Piece] = field(default_factory=dict[tuple[str, str], Piece])
    """What brings a viewer from one frame to another: the same for all who are there."""
    own: dict[tuple[int, Manner], Parts] = field(default_factory=dict[tuple[int, Manner], Parts])
    manners: Counter[Manner] = field(default_factory=Counter[Manner])
    waiting: list[asyncio.Future[None]] = field(default_factory=list[asyncio.Future[None]])
    drawing: asyncio.Lock = field(default_factory=asyncio.Lock)
    task: asyncio.Task[None] | None = None

    @property
    def ended(self) -> bool:
        return self.task is None or self.task.done()


class Hub(Generic[Key, View]):
    """The viewers of one kind of page. A page is named by a key: what is told apart by it is loaded for itself.

    `load` fetches what a page shows, `draw` turns it into parts, and `own` into the parts of one
    engineer, which others do not see.
    """

    def __init__(
        self,
        load: Callable[[Key], Awaitable[View]],
        draw: Callable[[View, Manner], Awaitable[Parts]],
        changes: Callable[[Key], AsyncGenerator[None, None]],
        own: Callable[[Key, int, Manner], Awaitable[Parts]] | None = None,
    ) -> None:
        self._load, self._draw, self._changes, self._own_parts = load, draw, changes, own
        self._channels: dict[Key, _Channel[View]] = {}
        self._history = History()
        self._viewers: Counter[str] = Counter()

    @property
    def watched(self) -> dict[Key, int]:
        """How many viewers each watched page has."""
        return {key: channel.manners.total() for key, channel in self._channels.items()}

    def full(self, viewer: str = "") -> bool:
        """Whether there are as many streams as one process can have, or as many of `viewer` as one may have."""
        return self._viewers.total() >= MOST_VIEWERS or (viewer != "" and self._viewers[viewer] >= MOST_OF_ONE)

    async def frame(self, key: Key, manner: Manner) -> tuple[View, Frame]:
        """A page as it is now. Its stream goes on from the frame's id."""
        view = await self._load(key)
        return view, self._history.keep((key, manner), Frame.of(await self._draw(view, manner)))

    async def stream(
        self,
        key: Key,
        manner: Manner,
        last_id: str = "",
        focus: int | None = None,
        until: Until | None = None,
        *,
        packed: bool = False,
        viewer: str = "",
    ) -> AsyncIterator[bytes]:
        """Server-sent events: what differs from the frame `last_id`, now and from then on; a `beat` every 15 seconds.

        `focus` adds what is one engineer's own; `packed`: as gzip; `viewer`: by whom it is counted. Ends when `until`
        says so, and when loading or drawing fails: the browser says so and comes back.
        """
        retry, wire = Piece(f"retry: {RETRY_MILLISECONDS}\n".encode()), Wire(packed)
        if self.full(viewer):
            yield wire.send(retry, _END) + wire.end()
            return
        channel = self._join(key, manner)
        self._viewers[viewer] += 1
        try:
            yield wire.send(retry, _BEAT)
            async for pieces in self._events(channel, key, manner, last_id, focus, until):
                yield wire.send(*pieces)
            if last := wire.end():
                yield last
        finally:
            self._leave(key, channel, manner)
            self._viewers -= Counter([viewer])  # forgets whom it has counted down to nothing

    async def close(self) -> None:
        """Ends all streams."""
        tasks = [channel.task for channel in self._channels.values() if channel.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # One viewer

    async def _events(
        self, channel: _Channel[View], key: Key, manner: Manner, last_id: str, focus: int | None, until: Until | None
    ) -> AsyncIterator[tuple[Piece, ...]]:
        known, own = self._history.recall((key, manner), last_id), _NOTHING
        seen, beat_at = 0, monotonic() + BEAT_SECONDS
        while not channel.ended:
            if channel.serial != seen:
                seen = channel.serial
                frame = await self._drawn(channel, key, manner)
                mine = await self._own(channel, key, focus, manner)
                more = differing(mine, own)
                if more or known is not frame:
                    yield _between(channel, known, frame), Piece(lines(more) + b"\n") if more else _END
                known, own = frame, mine
            if monotonic() >= beat_at:
                if until is not None and await until():
                    return
                yield (_BEAT,)
                beat_at = monotonic() + BEAT_SECONDS
            await _news(channel, seen, beat_at)

    async def _drawn(self, channel: _Channel[View], key: Key, manner: Manner) -> Frame:
        """The newest frame, drawn by the first who asks in a manner that nobody has asked for."""
        async with channel.drawing:
            if manner not in channel.frames and channel.view is not None:
                channel.frames[manner] = await self._frame(key, channel.view, manner)
            return channel.frames[manner]

    async def _own(self, channel: _Channel[View], key: Key, focus: int | None, manner: Manner) -> Parts:
        if focus is None or self._own_parts is None:
            return _NOTHING
        if (focus, manner) not in channel.own:
            own = channel.own  # a newer one may stand there when this is drawn
            own[focus, manner] = await self._own_parts(key, focus, manner)
            return own[focus, manner]
        return channel.own[focus, manner]

    async def _frame(self, key: Key, view: View, manner: Manner) -> Frame:
        return self._history.keep((key, manner), Frame.of(await self._draw(view, manner)))

    # All viewers of one page

    def _join(self, key: Key, manner: Manner) -> _Channel[View]:
        channel = self._channels.get(key)
        if channel is None or channel.ended:
            channel = self._channels[key] = _Channel[View]()
            channel.task = asyncio.create_task(self._follow(key, channel), name=f"live {key}")
        channel.manners[manner] += 1
        return channel

    def _leave(self, key: Key, channel: _Channel[View], manner: Manner) -> None:
        channel.manners[manner] -= 1
        if not channel.manners.total() and channel.task is not None:
            channel.task.cancel()
            if self._channels.get(key) is channel:
                del self._channels[key]

    async def _follow(self, key: Key, channel: _Channel[View]) -> None:
        try:
            async with aclosing(self._changes(key)) as changes:
                async for _ in changes:
                    began = monotonic()
                    await self._refresh(key, channel)
                    await asyncio.sleep(max(0.0, began + 1 / MOST_FRAMES_PER_SECOND - monotonic()))
        except Exception:
            _log.exception("live.failed", page=str(key))
        finally:
            await _wake(channel)

    async def _refresh(self, key: Key, channel: _Channel[View]) -> None:
        view = await self._load(key)
        async with channel.drawing:
            spoken = [manner for manner, viewers in channel.manners.items() if viewers]
            channel.frames = {manner: await self._frame(key, view, manner) for manner in spoken}
            channel.view, channel.deltas, channel.own = view, {}, {}
            channel.serial += 1
        await _wake(channel)


_NOTHING: Parts = {}


def _between(channel: _Channel[View], known: Frame | None, frame: Frame) -> Piece:
    """The event that brings a viewer from one frame to another, without its end."""
    path = known.id if known is not None else "", frame.id
    found = channel.deltas.get(path)
    if found is None:
        found = channel.deltas[path] = Piece(f"id: {frame.id}\n".encode() + lines(frame.since(known)))
    return found


async def _wake(channel: _Channel[View]) -> None:
    waiting, channel.waiting = channel.waiting, []
    for number, each in enumerate(waiting, start=1):
        if not each.done():
            each.set_result(None)
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)


async def _news(channel: _Channel[View], seen: int, until: float) -> None:
    """Waits until there is something newer than `seen`, or until it is time for a beat."""
    if channel.serial != seen or channel.ended:
        return
    told = asyncio.get_running_loop().create_future()
    channel.waiting.append(told)
    with suppress(TimeoutError):
        async with asyncio.timeout(until - monotonic()):
            await told
