"""Time as the core sees it: integer microseconds since 1970 UTC, always an argument, never read here."""

from datetime import UTC, datetime, timedelta
from typing import NewType

Micros = NewType("Micros", int)

SECOND = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(moment: datetime) -> Micros:
    """The aware `moment` in microseconds since 1970 UTC. Raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone says nothing: pass an aware datetime")
    return Micros((moment - _EPOCH) // timedelta(microseconds=1))


def moment(at: Micros) -> datetime:
    """The aware UTC datetime of `at`."""
    return _EPOCH + timedelta(microseconds=at)
