"""Looking at the files that no manifest knows. A host that has yara-x itself judges them where they lie; else, and for
what it leaves, what is in them goes, in batches, from the host into the scanners beside the worker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from steelyard.toolbox.hosted.places import WHOLE, is_read
from steelyard.toolbox.hosted.scan import LARGEST, pack, unpack
from steelyard.toolbox.hosted.scanner.looking import Pack
from steelyard.toolbox.model import Json
from steelyard.toolbox.reach import HostError, Line, Progress, Reached, Tell
from steelyard.toolbox.scanning.model import Entry, Judged, Layout, Memory
from steelyard.toolbox.scanning.on_host import BYTES, FILES, LEAST, PROCESSES, OnHost
from steelyard.toolbox.scanning.sandbox import LOCKS
from steelyard.toolbox.scanning.scanners import Looked, ScannerError, Scanners, scanners
from steelyard.toolbox.tools import scan as asking

_FILES, _BYTES = 200, 3_000_000
"""Of a batch."""
_THROUGH: Final = 2000
"""Files that are looked through for PHP at a time."""
_KEEP_EVERY: Final = 10.0
_MOST_SKIPPED: Final = 500
Keep = Callable[[], Awaitable[None]]
Look = Callable[[Sequence[Entry]], Awaitable[None]]


class Search:
    """One search of a site. What it judges goes into `memory`."""

    def __init__(
        self,
        reached: Reached,
        tell: Tell,
        layout: Layout,
        packs: Sequence[Pack],
        memory: Memory,
        host: OnHost | None = None,
    ) -> None:
        """`host`: its own yara-x, where it has one."""
        self._reached, self._tell, self._layout, self._packs, self._memory = reached, tell, layout, packs, memory
        self._host = host
        self._skipped: dict[str, str] = {}
        self._read = self._bytes = self._through = self._unchanged = self._known = self._total = 0
        self._there: set[str] = set()
        self._locks: tuple[str, ...] = ()
        self._kept = monotonic()

    async def all(self, entries: Sequence[Entry], keep: Keep) -> None:
        """Judges every entry that is not remembered; `keep` is called now and then, so that a kill loses little."""
        unknown = [each for each in entries if self._is_new(each)]
        programs = [each for each in unknown if is_read(each.name)]
        others = [each for each in unknown if not is_read(each.name)]
        holding = await self._look_through(others)
        self._total = len(programs) + len(holding)
        if not self._total:
            return
        left = await self._on_host([*programs, *holding], keep)
        if left:
            await self._beside_the_worker(left, keep)

    async def _on_host(self, entries: Sequence[Entry], keep: Keep) -> Sequence[Entry]:
        """Has the host's own yara-x judge them, and says what it leaves."""
        host = self._host
        if host is None:
            return entries
        self._tell(Line("info", f"{_files(len(entries))} scanned on {host.name} by its own yara-x {host.version}"))

        async def look(batch: Sequence[Entry]) -> None:
            looked = await host.look(batch)
            self._there |= {entry.name for entry, _ in looked}
            await self._judge(looked)

        portions = batched(entries, min(FILES, max(LEAST, -(-len(entries) // PROCESSES))), BYTES)
        await _together([self._take(portions, look, keep) for _ in range(PROCESSES)])
        left = [each for each in entries if each.name not in self._there]
        if host.gave_up:
            self._tell(
                Line("warning", f"the yara-x of {host.name} is not asked any more ({host.gave_up}): {host.said}")
            )
        return left

    async def _beside_the_worker(self, entries: Sequence[Entry], keep: Keep) -> None:
        self._tell(Line("info", f"{_files(len(entries))} scanned beside the worker"))
        batches = batched(entries)
        async with scanners(self._packs, self._layout) as running:

            async def look(batch: Sequence[Entry]) -> None:
                await self._look(batch, running)

            await _together([self._take(batches, look, keep) for _ in range(running.count + 1)])
            self._locks = running.locks
        lacking = [each for each in LOCKS if each not in self._locks]
        if lacking:
            self._tell(Line("warning", f"this worker's machine locks its scanner in without: {', '.join(lacking)}"))

    def told(self) -> dict[str, Json]:
        """What was looked at, and what not and why, for the report."""
        return {
            "known": self._known,
            "unchanged": self._unchanged,
            "read": self._read,
            "on_host": len(self._there),
            "gave_up": self._host.gave_up if self._host is not None else "",
            "bytes": self._bytes,
            "looked_through": self._through,
            "skipped": [[name, why] for name, why in sorted(self._skipped.items())[:_MOST_SKIPPED]],
            "skipped_count": len(self._skipped),
            "locks": list(self._locks),
            "lacking": [each for each in LOCKS if each not in self._locks] if self._locks else [],
        }

    def _is_new(self, entry: Entry) -> bool:
        judged = self._memory.of(entry)
        if judged is None:
            return True
        self._known += judged.known
        self._unchanged += not judged.known
        return False

    async def _look_through(self, entries: Sequence[Entry]) -> list[Entry]:
        """Those of these files, which are no programs, that hold PHP."""
        small = [each for each in entries if each.size <= LARGEST]
        self._skipped |= {each.name: "too_large" for each in entries if each.size > LARGEST}
        found: list[Entry] = []
        for start in range(0, len(small), _THROUGH):
            part = {each.name: each for each in small[start : start + _THROUGH]}
            answer = await self._reached.call(asking.holding(pack(list(part))), self._tell)
            unread = _texts(answer["unread"], part)
            self._skipped |= unread
            holding = {name for name in map(str, answer["holding"]) if name in part}
            found += [part[name] for name in holding]
            for name, each in part.items():
                if name not in holding and name not in unread:
                    self._memory.files[name] = Judged(each.identity, "", False)
            self._through += len(part)
        return found

    async def _take(self, batches: Iterator[list[Entry]], look: Look, keep: Keep) -> None:
        for batch in batches:
            await look(batch)
            self._tell(Progress(self._read, self._total, "files"))
            if monotonic() - self._kept > _KEEP_EVERY:
                self._kept = monotonic()
                await keep()

    async def _look(self, batch: Sequence[Entry], running: Scanners, *, again: bool = False) -> None:
        """One batch. Where the scanner ends over it, its halves: what ends it is found, told, and left out.

        One file is tried twice: a scanner may have ended for something else.
        """
        names = [each.name for each in batch]
        answer = await self._reached.call(asking.read(names), self._tell)
        try:
            looked = await running.look({"names": names, "sizes": answer["sizes"], "data": answer["data"]})
        except ScannerError:
            await self._look_closer(batch, running, again=again)
            return
        unread = _texts(answer["unread"], set(names))
        told = [
            (entry, each._replace(unread=unread.get(entry.name, ""))) for entry, each in zip(batch, looked, strict=True)
        ]
        await self._judge(told)

    async def _look_closer(self, batch: Sequence[Entry], running: Scanners, *, again: bool) -> None:
        if len(batch) > 1:
            half = len(batch) // 2
            await self._look(batch[:half], running)
            await self._look(batch[half:], running)
        elif not again:
            await self._look(batch, running, again=True)
        else:
            self._skipped[batch[0].name] = "scanner_ended"
            self._read += 1

    async def _judge(self, told: Sequence[tuple[Entry, Looked]]) -> None:
        self._skipped |= {entry.name: each.unread for entry, each in told if each.unread}
        looked = [(entry, each) for entry, each in told if not each.unread]
        self._read += len(told)
        self._bytes += sum(min(entry.size, WHOLE) for entry, _ in looked)
        cut = [entry for entry, _ in looked if entry.size >= WHOLE]
        self._skipped |= {each.name: "cut" for each in cut}
        digests: dict[str, Any] = {}
        if cut:
            answer = await self._reached.call(asking.digests(pack([each.name for each in cut])), self._tell)
            digests = _digests(answer["digests"])
        for entry, each in looked:
            if each.problem:
                self._skipped[entry.name] = each.problem
                if not each.hits:
                    continue
            digest = str(digests.get(entry.name, "")) if entry.size >= WHOLE else each.sha256
            self._memory.files[entry.name] = Judged(entry.identity, digest, False, each.hits)


def batched(entries: Iterable[Entry], files: int = _FILES, most: int = _BYTES) -> Iterator[list[Entry]]:
    """Batches of bounded number and size, in the order of `entries`; each entry once."""
    batch: list[Entry] = []
    size = 0
    for each in entries:
        takes = min(each.size, WHOLE)
        if batch and (len(batch) >= files or size + takes > most):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += takes
    if batch:
        yield batch


async def _together(all: Sequence[Awaitable[None]]) -> None:
    """Does all side by side; the first failure ends the others, and is raised as it is."""
    tasks = [asyncio.ensure_future(each) for each in all]
    try:
        await asyncio.gather(*tasks)
    finally:
        for each in tasks:
            each.cancel()
        for each in tasks:
            with suppress(asyncio.CancelledError, Exception):
                await each


def _files(count: int) -> str:
    return "1 unknown file is" if count == 1 else f"{count:,} unknown files are"


def _texts(said: Json, names: Iterable[str]) -> dict[str, str]:
    """Why files could not be read, as the host said it: of those asked for alone."""
    known = set(names)
    return {str(name): str(why)[:40] for name, why in dict(said).items() if name in known}


def _digests(text: str) -> dict[str, Any]:
    try:
        return dict(unpack(text))
    except (ValueError, TypeError) as error:
        raise HostError("bad_output", f"the host's digests cannot be read: {error}") from None
