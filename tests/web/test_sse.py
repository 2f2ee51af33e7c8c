"""Live pages: one drawing for all, what differs for each, the newest for the slow, an end for who may not see it."""

from __future__ import annotations

import asyncio
import gzip
import re
import time
import zlib
from collections.abc import AsyncGenerator, AsyncIterator

import pytest
from starlette.requests import Request

from steelyard.kit.ids import WorkspaceId
from steelyard.web import frames, sse
from steelyard.web.frames import Frame, History, Parts, differing
from steelyard.web.sse import EventStream, Hub, Manner

HERE = WorkspaceId("eu1.here")
EN, FR = Manner("en"), Manner("fr")


class Place:
    """Something that changes when a test says so: a number, and a part that never changes."""

    def __init__(self) -> None:
        self.number = 0
        self.loads = 0
        self.drawn: list[tuple[int, str]] = []
        self.owned: list[tuple[int, str]] = []
        self.broken = False
        self._changed = asyncio.Event()
        self.closed = 0
        self.hub = Hub[WorkspaceId, int](self.load, self.draw, self.changes, self.own)

    async def load(self, workspace: WorkspaceId) -> int:
        self.loads += 1
        if self.broken:
            raise RuntimeError("no database")
        return self.number

    async def draw(self, view: int, manner: Manner) -> Parts:
        self.drawn.append((view, manner.language))
        return {"title": f"<h1>{manner.language}</h1>", "number": f"<p>{manner.language}\n{view}</p>"}

    async def own(self, workspace: WorkspaceId, engineer: int, manner: Manner) -> Parts:
        self.owned.append((engineer, manner.language))
        return {"mine": f"<b>{engineer} has {self.number // 2}</b>"}

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


def frame_of(number: int, language: str = "en") -> Frame:
    return Frame.of({"title": f"<h1>{language}</h1>", "number": f"<p>{language}\n{number}</p>"})


async def test_a_viewer_gets_the_state_at_once_and_then_what_differs(place: Place) -> None:
    stream = place.hub.stream(HERE, EN)
    hello, first = await events(stream, 2)
    assert hello.startswith(b"retry: 3000\nevent: beat\n")
    assert first == f"id: {frame_of(0).id}\ndata: <h1>en</h1><p>en\ndata: 0</p>\n\n".encode()
    place.change(1)
    assert await events(stream, 1) == [f"id: {frame_of(1).id}\ndata: <p>en\ndata: 1</p>\n\n".encode()]


async def test_all_viewers_share_one_drawing_per_language(place: Place) -> None:
    streams = [place.hub.stream(HERE, manner) for manner in (EN, FR, EN, EN)]
    await asyncio.gather(*(events(stream, 2) for stream in streams))
    place.change(1)
    await asyncio.gather(*(events(stream, 1) for stream in streams))
    assert place.loads == 2
    assert sorted(place.drawn) == [(0, "en"), (0, "fr"), (1, "en"), (1, "fr")]


async def test_a_slow_viewer_gets_only_the_newest(place: Place) -> None:
    slow, quick = place.hub.stream(HERE, EN), place.hub.stream(HERE, EN)
    await events(slow, 2)
    await events(quick, 2)
    for number in range(1, 6):
        place.change(number)
        await events(quick, 1)
    [late] = await events(slow, 1)
    assert b"data: 5</p>" in late
    assert b"<h1>" not in late


async def test_who_comes_back_gets_what_changed_meanwhile(place: Place) -> None:
    first = place.hub.stream(HERE, EN)
    await events(first, 2)
    place.change(1)
    await events(first, 1)
    again = place.hub.stream(HERE, EN, frame_of(0).id)
    _, found = await events(again, 2)
    assert found == f"id: {frame_of(1).id}\ndata: <p>en\ndata: 1</p>\n\n".encode()


async def test_who_comes_from_a_page_goes_on_from_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "BEAT_SECONDS", 0.05)
    view, frame = await place.hub.frame(HERE, EN)
    assert view == 0
    stream = place.hub.stream(HERE, EN, frame.id)
    assert (await events(stream, 2))[1] == b"event: beat\ndata:\n\n"
    place.change(1)
    found = b"".join(await events(stream, 2))
    assert b"data: 1</p>" in found
    assert b"<h1>" not in found


async def test_who_comes_with_an_unknown_frame_gets_everything(place: Place) -> None:
    _, found = await events(place.hub.stream(HERE, EN, "0123456789abcdef"), 2)
    assert b"<h1>" in found
    assert b"0</p>" in found


async def test_what_is_ones_own_is_sent_to_nobody_else_and_only_when_it_changes(place: Place) -> None:
    one, other = place.hub.stream(HERE, EN, focus=7), place.hub.stream(HERE, EN)
    assert b"7 has 0" in (await events(one, 2))[1]
    assert b"has" not in (await events(other, 2))[1]
    place.change(1)
    assert b"has" not in (await events(one, 1))[0]
    place.change(2)
    assert b"7 has 1" in (await events(one, 1))[0]


async def test_it_ends_when_its_viewer_may_no_longer_see_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "BEAT_SECONDS", 0.05)
    over = False

    async def until() -> bool:
        return over

    stream = place.hub.stream(HERE, EN, until=until)
    await events(stream, 3)
    over = True
    told = 0
    place.change(1)
    async for _ in stream:  # it ends also while there is something to tell all the time
        told += 1
        place.change(told)
        assert told < 100
    assert place.hub.watched == {}


async def test_frames_are_drawn_at_most_so_often(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MOST_FRAMES_PER_SECOND", 5)
    stream = place.hub.stream(HERE, EN)
    await events(stream, 2)
    for number in range(1, 40):
        place.change(number)
        await asyncio.sleep(0.01)
    assert place.loads <= 4


async def test_the_last_to_leave_ends_the_watching(place: Place) -> None:
    one, other = place.hub.stream(HERE, EN), place.hub.stream(HERE, FR)
    await events(one, 2)
    await events(other, 2)
    assert place.hub.watched == {HERE: 2}
    await one.aclose()
    assert place.hub.watched == {HERE: 1}
    await other.aclose()
    await asyncio.sleep(0.05)
    assert place.hub.watched == {}
    assert place.closed == 1


async def test_there_is_room_for_so_many(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MOST_VIEWERS", 2)
    streams = [place.hub.stream(HERE, EN) for _ in range(2)]
    await events(streams[0], 1)
    assert not place.hub.full()
    await events(streams[1], 1)
    assert place.hub.full()
    assert await events(place.hub.stream(HERE, EN), 1) == [b"retry: 3000\n\n"]
    assert place.hub.watched == {HERE: 2}


async def test_one_viewer_has_so_many_and_others_theirs(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MOST_OF_ONE", 2)
    streams = [place.hub.stream(HERE, EN, viewer="session 1") for _ in range(2)]
    for stream in streams:
        await events(stream, 1)
    assert place.hub.full("session 1")
    assert not place.hub.full("session 2")
    assert await events(place.hub.stream(HERE, EN, viewer="session 1"), 1) == [b"retry: 3000\n\n"]
    other = place.hub.stream(HERE, EN, viewer="session 2")
    await events(other, 1)
    assert place.hub.watched == {HERE: 3}
    await streams[0].aclose()
    assert not place.hub.full("session 1")


async def test_a_failure_ends_the_stream_and_the_next_one_starts_anew(place: Place) -> None:
    stream = place.hub.stream(HERE, EN)
    await events(stream, 2)
    place.broken = True
    place.change(1)
    with pytest.raises(StopAsyncIteration):
        await events(stream, 1)
    place.broken = False
    assert b"data: 1</p>" in (await events(place.hub.stream(HERE, EN), 2))[1]


async def test_others_go_on_while_many_viewers_are_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, what else the loop has to do comes in between."""
    monkeypatch.setattr(sse, "AT_ONCE", 4)
    streams = [place.hub.stream(HERE, EN) for _ in range(100)]
    for stream in streams:
        await events(stream, 2)
    told = 0

    async def watch(stream: AsyncIterator[bytes]) -> None:
        nonlocal told
        await anext(stream)
        told += 1

    watching = [asyncio.create_task(watch(stream)) for stream in streams]
    await asyncio.sleep(0.05)
    place.change(1)
    seen: set[int] = set()
    while told < 100:
        await asyncio.sleep(0)
        seen.add(told)
    await asyncio.gather(*watching)
    assert len(seen) > 10


async def test_who_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "PATIENCE", 0.1)
    closed: list[bool] = []

    async def source() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"data: x\n\n"
        finally:
            closed.append(True)

    async def receive() -> dict[str, str]:
        await asyncio.sleep(3600)
        return {}

    async def send(_: object) -> None:
        await asyncio.sleep(3600)

    scope = {"type": "http", "asgi": {"spec_version": "2.3"}, "method": "GET", "path": "/", "headers": []}
    began = time.monotonic()
    await asyncio.wait_for(EventStream(source())(Request(scope).scope, receive, send), 3)  # type: ignore[arg-type]
    assert time.monotonic() - began < 2


async def test_all_of_it_as_gzip_is_the_same(place: Place) -> None:
    """However pieces follow each other, also to the end."""
    over = False

    async def until() -> bool:
        return over

    plain, packed = place.hub.stream(HERE, EN, focus=7), place.hub.stream(HERE, EN, focus=7, until=until, packed=True)
    unpack, told, came = zlib.decompressobj(zlib.MAX_WBITS | 16), b"", b""
    for number in range(1, 20):
        told += (await events(plain, 1))[0]
        [chunk] = await events(packed, 1)
        came += unpack.decompress(chunk)
        assert came == told  # nothing is held back
        place.change(number * 7)
    over = True
    sse_beat, sse.BEAT_SECONDS = sse.BEAT_SECONDS, 0.0
    try:
        other = place.hub.stream(HERE, EN, until=until, packed=True)
        whole = b"".join([each async for each in other])
    finally:
        sse.BEAT_SECONDS = sse_beat
    assert gzip.decompress(whole).startswith(b"retry: 3000")


def test_frames_are_forgotten() -> None:
    history = History()
    made = [Frame.of({"a": str(number)}) for number in range(frames.MOST_FRAMES + 5)]
    for frame in made:
        history.keep("page", frame)
    assert history.recall("page", made[4].id) is None
    assert history.recall("page", made[5].id) is made[5]
    for number in range(frames.MOST_PAGES):
        history.keep(number, made[0])
    assert history.recall("page", made[-1].id) is None


def test_only_what_differs_is_in_a_difference() -> None:
    assert differing({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "0"}) == "23"
    assert re.fullmatch(r"[0-9a-f]{16}", Frame.of({"a": "1"}).id)
