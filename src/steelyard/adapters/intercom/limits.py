"""Intercom's rate limit as its headers tell it, shared by all calls of one client.

Intercom counts calls in windows of ten seconds. `X-RateLimit-Remaining` says how many are left in this one and
`X-RateLimit-Reset` (seconds since 1970) when the next begins. Other apps of the workspace use up the same window.
"""

from collections.abc import Awaitable, Callable, Mapping
from math import inf

WINDOW = 10.0
"""Seconds. No wait is longer (but for the margin), whatever a header or a wrong clock says."""
_MARGIN = 0.05


class Window:
    """How many calls the current window still admits.

    `clock` tells seconds since 1970, `sleep` waits for seconds. Waits end a little late: Intercom's clock is not ours.
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
            await self._sleep(self._ends - self._clock() + _MARGIN)
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
            await self._sleep(self._ends - self._clock() + _MARGIN)

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
        if self._ends <= self._clock():
            self._ends = self._clock() + WINDOW

    @property
    def ends(self) -> float:
        """When the next window begins, in seconds since 1970."""
        return self._ends

    def _roll(self) -> None:
        now = self._clock()
        if now >= self._ends:
            self._remaining = max(1, self._limit - self._in_flight)
            self._ends = now + WINDOW


_HEADERS = ("limit", "remaining", "reset")


def number(headers: Mapping[str, str], name: str) -> int | None:
    """What the header `X-RateLimit-{name}` says, if it is there and a number."""
    text = headers.get(f"x-ratelimit-{name}")
    return int(text) if text and len(text) <= 12 and text.isascii() and text.isdigit() else None
