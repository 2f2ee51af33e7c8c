"""How fast somebody may ask: so many at once, and then so many a minute. Of one process, and forgotten with it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

_MOST_ASKERS: Final = 10_000


class Pace:
    """What each asker has left. `clock`: seconds that only go forward."""

    def __init__(self, at_once: int, per_minute: float, clock: Callable[[], float]) -> None:
        self._most, self._rate, self._clock = float(at_once), per_minute / 60, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, asker: str) -> float:
        """Takes one of what `asker` has left: 0; else the seconds until there is one again, and takes nothing."""
        now = self._clock()
        left, since = self._left.pop(asker, (self._most, now))
        left = min(self._most, left + (now - since) * self._rate)
        wait = 0.0 if left >= 1 else (1 - left) / self._rate
        self._left[asker] = (left - 1 if wait == 0 else left, now)
        while len(self._left) > _MOST_ASKERS:
            self._left.popitem(last=False)
        return wait
