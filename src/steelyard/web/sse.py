"""Live pages: one task per place that is being watched draws its fragment once per language, for all viewers.

A viewer holds no queue: it takes the newest frame when it is ready for one, so a slow one skips what is past.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Generic, TypeVar

import structlog

from steelyard.kit.ids import WorkspaceId

_log = structlog.get_logger()

MOST_FRAMES_PER_SECOND = 3
BEAT_SECONDS = 15.0
RETRY_MILLISECONDS = 3000

View = TypeVar("View")

Changes = Callable[[WorkspaceId], AsyncGenerator[None, None]]
"""Something to wait for: yields at once, then after each change of a workspace. Closed when nobody watches."""


async def polled(workspace: WorkspaceId) -> AsyncGenerator[None, None]:
    """The changes of a workspace that nobody reports: every second counts as one."""
    while True:
        yield
        await asyncio.sleep(1)


@dataclass(frozen=True, slots=True)
class Frame:
    """What a place looks like, and the id a browser sends back when it reconnects."""

    id: str
    html: str

    @classmethod
    def of(cls, html: str) -> "Frame":
        """A frame whose id is of its content, so that it holds across processes."""
        return cls(sha256(html.encode()).hexdigest()[:16], html)


@dataclass(slots=True)
class _Channel(Generic[View]):
    """A workspace somebody watches: its newest view, drawn once for each language that is asked for."""

    view: View | None = None
    frames: dict[str, Frame] = field(default_factory=lambda: {})
    fresh: asyncio.Event = field(default_factory=asyncio.Event)
    viewers: int = 0
    task: asyncio.Task[None] | None = None


class Hub(Generic[View]):
    """The viewers of one kind of page.

    `load` fetches what a workspace's page shows; `draw` turns it into HTML in one language.
    """

    def __init__(
        self,
        load: Callable[[WorkspaceId], Awaitable[View]],
        draw: Callable[[View, str], str],
        changes: Changes = polled,
    ) -> None:
        self._load, self._draw, self._changes = load, draw, changes
        self._channels: dict[WorkspaceId, _Channel[View]] = {}

    async def stream(self, workspace: WorkspaceId, language: str, last_id: str = "") -> AsyncIterator[bytes]:
        """Server-sent events: the state now unless `last_id` is it, then each newer one; a `beat` when nothing happens.

        Ends when loading or drawing fails: the browser says so and comes back.
        """
        channel = self._join(workspace)
        try:
            yield f"retry: {RETRY_MILLISECONDS}\nevent: beat\ndata:\n\n".encode()
            while channel.task is not None and not channel.task.done():
                fresh = channel.fresh
                frame = self._frame(channel, language)
                if frame is not None and frame.id != last_id:
                    last_id = frame.id
                    yield _message(frame)
                    continue
                try:
                    await asyncio.wait_for(fresh.wait(), BEAT_SECONDS)
                except TimeoutError:
                    yield b"event: beat\ndata:\n\n"
        finally:
            self._leave(workspace, channel)

    async def close(self) -> None:
        """Ends all streams."""
        tasks = [channel.task for channel in self._channels.values() if channel.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def watched(self) -> dict[WorkspaceId, int]:
        """How many viewers each watched workspace has."""
        return {workspace: channel.viewers for workspace, channel in self._channels.items()}

    def _join(self, workspace: WorkspaceId) -> _Channel[View]:
        channel = self._channels.get(workspace)
        if channel is None or channel.task is None or channel.task.done():
            channel = self._channels[workspace] = _Channel[View]()
            channel.task = asyncio.create_task(self._follow(workspace, channel), name=f"live {workspace}")
        channel.viewers += 1
        return channel

    def _leave(self, workspace: WorkspaceId, channel: _Channel[View]) -> None:
        channel.viewers -= 1
        if channel.viewers == 0 and channel.task is not None:
            channel.task.cancel()
            if self._channels.get(workspace) is channel:
                del self._channels[workspace]

    def _frame(self, channel: _Channel[View], language: str) -> Frame | None:
        if channel.view is not None and language not in channel.frames:
            channel.frames[language] = Frame.of(self._draw(channel.view, language))
        return channel.frames.get(language)

    async def _follow(self, workspace: WorkspaceId, channel: _Channel[View]) -> None:
        try:
            async with aclosing(self._changes(workspace)) as changes:
                async for _ in changes:
                    await self._refresh(workspace, channel)
                    await asyncio.sleep(1 / MOST_FRAMES_PER_SECOND)
        except Exception:
            _log.exception("live page failed", workspace=workspace)
        finally:
            channel.fresh.set()

    async def _refresh(self, workspace: WorkspaceId, channel: _Channel[View]) -> None:
        channel.view = await self._load(workspace)
        channel.frames = {}
        channel.fresh.set()
        channel.fresh = asyncio.Event()


def _message(frame: Frame) -> bytes:
    lines = "".join(f"data: {line}\n" for line in frame.html.splitlines())
    return f"id: {frame.id}\n{lines}\n".encode()
