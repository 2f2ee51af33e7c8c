"""What a host says while a run works: kept in portions, bounded in number and in size, told live."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import monotonic
from typing import Final

from steelyard.toolbox.journal import MOST_LINES, Scrub
from steelyard.toolbox.model import Json
from steelyard.toolbox.reach import Line, Progress, Tell
from steelyard.toolbox.store import SaidLine

PORTION: Final = 200
"""Lines that are written at a time."""
EVERY: Final = 0.2
"""Seconds between two portions."""
_MOST_WAITING: Final = 1000
_LEVELS: Final = frozenset({"info", "warning", "error"})

Keep = Callable[[Sequence[SaidLine], Mapping[int, Json]], Awaitable[None]]
"""Writes a portion down."""


class Saying:
    """Collects what is said, and has it written down a portion at a time while `keeping` runs."""

    def __init__(self, scrub: Scrub, began: float) -> None:
        """`began`: when the run did, as `monotonic` counts."""
        self._scrub, self._began = scrub, began
        self._lines: list[SaidLine] = []
        self._progress: dict[int, Json] = {}
        self._heard = asyncio.Event()
        self._said = self._left_out = 0

    def of(self, step: int) -> Tell:
        """Where what is said in `step` goes."""

        def tell(told: Line | Progress) -> None:
            if isinstance(told, Progress):
                at = {"done": told.done, "total": told.total, "what": self._scrub.text(told.what, 60)}
                self._progress[step] = at
                self._heard.set()
            else:
                self.say(step, told.level, told.said)

        return tell

    def say(self, step: int, level: str, said: str) -> None:
        """One line. Beyond MOST_LINES of a run, and beyond what can be written in time, lines are counted only."""
        if self._said >= MOST_LINES or len(self._lines) >= _MOST_WAITING:
            self._left_out += 1
            return
        self._said += 1
        at = round((monotonic() - self._began) * 1000)
        self._lines.append(SaidLine(step, at, level if level in _LEVELS else "info", self._scrub.text(said)))
        self._heard.set()

    def taken(self) -> tuple[list[SaidLine], dict[int, Json]]:
        """What is to be written now; it is the caller's from then on."""
        lines, self._lines = self._lines[:PORTION], self._lines[PORTION:]
        progress, self._progress = self._progress, {}
        if not self._lines:
            self._heard.clear()
            if self._left_out:
                step, at = (lines[-1].step, lines[-1].at_ms) if lines else (0, 0)
                lines.append(SaidLine(step, at, "warning", f"… {self._left_out} lines left out"))
                self._left_out = 0
        return lines, progress

    async def keeping(self, keep: Keep) -> None:
        """Writes portions until it is cancelled."""
        while True:
            await self._heard.wait()
            await keep(*self.taken())
            await asyncio.sleep(EVERY)
