"""When a failed job is tried again: soon at first, then more and more slowly, or when the other system says."""

from __future__ import annotations

from datetime import UTC, datetime

from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job

from steelyard.kit.errors import RemoteError

LONGEST_PAUSE = 60
"""Seconds."""


class Retry(BaseRetryStrategy):
    """`attempts` tries in all (None: no end), with pauses of 1, 2, 4 … 60 seconds, or until a RemoteError says."""

    def __init__(self, attempts: int | None = None) -> None:
        self._attempts = attempts

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """The next try; None when there was the last one, or when another would fail the same way."""
        if self._attempts is not None and job.attempts + 1 >= self._attempts:
            return None
        if isinstance(exception, RemoteError):
            if exception.permanent:
                return None
            if exception.retry_at is not None:
                return RetryDecision(retry_at=datetime.fromtimestamp(exception.retry_at, UTC))
        return RetryDecision(retry_in={"seconds": min(2 ** min(job.attempts, 10), LONGEST_PAUSE)})
