"""Live pages: one drawing for all, the newest for the slow, the present for who comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from steelyard.kit.ids import WorkspaceId
from steelyard.web import sse
from steelyard.web.sse import Frame, Hub

HERE = WorkspaceId("eu1.here")


class Place:
    """Something that changes when a test says so."""

    def __init__(self) -> None:
        self.number = 0
        self.loads = 0
        self.drawn: list[tuple[int, str]] = []
        self.broken = False
        self._changed = asyncio.Event()
        self.closed = 0
        self.hub = Hub[int](self.load, self.draw, self.changes)

    async def load(self, workspace: WorkspaceId) -> int:
        self.loads += 1
        if self.broken:
            raise RuntimeError("no database")
        return self.number

    def draw(self, view: int, language: str) -> str:
        self.drawn.append((view, language))
        return f"<p>{language}\n{view}</p>"

    async def changes(self, workspace: WorkspaceId) -> AsyncGenerator[None, None]:
        try:
            while True:
                yield
                await self._changed.wait()
                self._changed.clear()
        finally:
            self.closed += 1

    def change(self, number: int) -> None:
        self.number = number
        self._changed.set()


@pytest.fixture
async def place(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    monkeypatch.setattr(sse, "MOST_FRAMES_PER_SECOND", 50)
    place = Place()
    yield place
    await place.hub.close()


async def events(stream: AsyncIterator[bytes], many: int) -> list[bytes]:
    return [await asyncio.wait_for(anext(stream), 3) for _ in range(many)]


async def test_a_viewer_gets_the_state_at_once_and_then_changes(place: Place) -> None:
    stream = place.hub.stream(HERE, "en")
    hello, first = await events(stream, 2)
    assert hello.startswith(b"retry: 3000\nevent: beat\n")
    frame = Frame.of("<p>en\n0</p>")
    assert first == f"id: {frame.id}\ndata: <p>en\ndata: 0</p>\n\n".encode()
    place.change(1)
    assert b"data: 1</p>" in (await events(stream, 1))[0]


async def test_all_viewers_share_one_drawing_per_language(place: Place) -> None:
    streams = [place.hub.stream(HERE, language) for language in ("en", "fr", "en", "en")]
    await asyncio.gather(*(events(stream, 2) for stream in streams))
    place.change(1)
    await asyncio.gather(*(events(stream, 1) for stream in streams))
    assert place.loads == 2
    assert sorted(place.drawn) == [(0, "en"), (0, "fr"), (1, "en"), (1, "fr")]


async def test_a_slow_viewer_gets_only_the_newest(place: Place) -> None:
    slow, quick = place.hub.stream(HERE, "en"), place.hub.stream(HERE, "en")
    await events(slow, 2)
    await events(quick, 2)
    for number in range(1, 6):
        place.change(number)
        await events(quick, 1)
    assert b"data: 5</p>" in (await events(slow, 1))[0]


async def test_who_comes_back_knowing_the_present_is_not_told_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "BEAT_SECONDS", 0.05)
    stream = place.hub.stream(HERE, "en", Frame.of("<p>en\n0</p>").id)
    _, second = await events(stream, 2)
    assert second == b"event: beat\ndata:\n\n"
    place.change(1)
    found = b"".join(await events(stream, 2))
    assert b"data: 1</p>" in found


async def test_frames_are_drawn_at_most_so_often(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MOST_FRAMES_PER_SECOND", 5)
    stream = place.hub.stream(HERE, "en")
    await events(stream, 2)
    for number in range(1, 40):
        place.change(number)
        await asyncio.sleep(0.01)
    assert place.loads <= 4


async def test_the_last_to_leave_ends_the_watching(place: Place) -> None:
    one, other = place.hub.stream(HERE, "en"), place.hub.stream(HERE, "en")
    await events(one, 2)
    await events(other, 2)
    assert place.hub.watched == {HERE: 2}
    await one.aclose()
    assert place.hub.watched == {HERE: 1}
    await other.aclose()
    await asyncio.sleep(0.05)
    assert place.hub.watched == {}
    assert place.closed == 1


async def test_a_failure_ends_the_stream_and_the_next_one_starts_anew(place: Place) -> None:
    stream = place.hub.stream(HERE, "en")
    await events(stream, 2)
    place.broken = True
    place.change(1)
    with pytest.raises(StopAsyncIteration):
        await events(stream, 1)
    place.broken = False
    assert b"data: 1</p>" in (await events(place.hub.stream(HERE, "en"), 2))[1]
