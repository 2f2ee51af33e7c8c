"""Intercom's clock and rate limit as its headers tell them, shared by all calls of one client.

Intercom counts calls in windows of ten seconds. `X-RateLimit-Remaining` says how many are left in this one and
`X-RateLimit-Reset` (seconds since 1970) when the next begins. Other apps of the workspace use up the same window.
"""

from collections.abc import Awaitable, Callable, Mapping
from email.utils import parsedate_to_datetime
from math import inf

WINDOW = 10.0
"""Seconds. No wait is longer (but for the margin), whatever a header or a wrong clock says."""
_MARGIN = 0.05


class Clock:
    """Intercom's clock, in seconds since 1970, by the `Date` of its answers: ours may be wrong, or be set meanwhile.

    A date is in whole seconds, and its answer was on its way for a while: so it tells between which bounds the time is.
    `ticks` counts seconds and is never set; `wall`, our own clock, stands in until an answer has told the time.
    """

    def __init__(self, ticks: Callable[[], float], wall: Callable[[], float]) -> None:
        self._ticks = ticks
        self._wall = wall
        self._ahead: float | None = None

    def __call__(self) -> float:
        return self._wall() if self._ahead is None else self._ticks() + self._ahead

    @property
    def known(self) -> bool:
        """Whether an answer has told the time."""
        return self._ahead is not None

    def learn(self, headers: Mapping[str, str], asked: float) -> None:
        """Takes over what an answer that has just come says; it was asked for at `asked`, in ticks."""
        try:
            told = parsedate_to_datetime(headers["date"]).timestamp()
        except (KeyError, ValueError, OverflowError):
            return
        least, most = told - self._ticks(), told + 1 - asked
        self._ahead = least if self._ahead is None else min(max(self._ahead, least), most)


class Window:
    """How many calls the current window still admits.

    `clock` tells seconds since 1970 as Intercom does, and may be set; `sleep` waits for seconds, a little longer than
    the clock says.
    """

    def __init__(self, clock: Callable[[], float], sleep: Callable[[float], Awaitable[object]]) -> None:
        self._clock = clock
        self._sleep = sleep
        self._limit = inf
        self._remaining = inf
        self._reset = 0
        self._ends = 0.0
        self._in_flight = 0

    async def enter(self) -> bool:
        """Counts a call, if need be in the next window; `leave` must follow. False: others have filled that one too."""
        self._roll()
        if self._remaining <= 0:
            await self._sleep(self.left + _MARGIN)
            self._roll()
        if self._remaining <= 0:
            return False
        self._remaining -= 1
        self._in_flight += 1
        return True

    async def leave_room(self) -> None:
        """Waits, at most for the next window, while less than half of this one is left: what can wait goes last."""
        self._roll()
        if self._limit < inf and self._remaining < self._limit / 2:
            await self._sleep(self.left + _MARGIN)

    def leave(self) -> None:
        """A call that was counted has ended."""
        self._in_flight -= 1

    def learn(self, headers: Mapping[str, str]) -> None:
        """Takes over what an answer says. Answers may come out of order: an older window's is ignored."""
        limit, remaining, reset = (number(headers, name) for name in _HEADERS)
        if remaining is None or reset is None or reset < self._reset:
            return
        if reset > self._reset:
            others = self._in_flight - 1
            self._remaining = remaining - max(0, others)
            self._reset = reset
            self._ends = min(float(reset), self._clock() + WINDOW)
        else:
            self._remaining = min(self._remaining, remaining)
        self._limit = limit or self._limit

    def close(self) -> None:
        """No more calls in this window: Intercom answered 429. To be told after its headers were learnt."""
        self._remaining = 0
        if not self.left:
            self._ends = self._clock() + WINDOW

    @property
    def left(self) -> float:
        """Seconds until the next window begins; 0 for one that is over, or that only a clock set back seems to hold."""
        left = self._ends - self._clock()
        return min(left, WINDOW) if 0 < left <= WINDOW + 1 else 0.0

    def _roll(self) -> None:
        if not self.left:
            self._remaining = max(1, self._limit - self._in_flight)
            self._ends = self._clock() + WINDOW


_HEADERS = ("limit", "remaining", "reset")


def number(headers: Mapping[str, str], name: str) -> int | None:
    """What the header `X-RateLimit-{name}` says, if it is there and a number."""
    text = headers.get(f"x-ratelimit-{name}")
    return int(text) if text and len(text) <= 12 and text.isascii() and text.isdigit() else None
