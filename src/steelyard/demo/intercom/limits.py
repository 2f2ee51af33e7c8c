"""Intercom's rate limit: so many calls per window of ten seconds, told in headers on every answer."""

from typing import NamedTuple

WINDOW = 10
"""Seconds."""


class Allowance(NamedTuple):
    """What is left after a call, until `reset` (seconds since 1970). Not `allowed`: it was one too many."""

    allowed: bool
    limit: int
    remaining: int
    reset: int

    @property
    def headers(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }


class Limit:
    """Counts the calls of the current window, which begins at a whole multiple of so many seconds.

    `calls` may be changed at any time.
    """

    def __init__(self, calls: int = 1_666, seconds: int = WINDOW) -> None:
        self.calls = calls
        self._seconds = seconds
        self._window = -1
        self._used = 0

    def take(self, now: float) -> Allowance:
        """Counts one call at `now`, in seconds since 1970."""
        window = int(now) // self._seconds
        if window != self._window:
            self._window, self._used = window, 0
        self._used += 1
        remaining = max(0, self.calls - self._used)
        return Allowance(self._used <= self.calls, self.calls, remaining, (window + 1) * self._seconds)
