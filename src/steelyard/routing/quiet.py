"""Quiet hours: whether now is one of them, and when they end. Pure; the zone is an argument."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo

_MINUTE = timedelta(minutes=1)


def quiet(now: datetime, begins: time | None, ends: time | None, zone: tzinfo) -> bool:
    """Whether the clock on a wall in `zone` is at or past `begins` and before `ends`, which may be on the next day.

    Without both, or with the same time twice, it is never quiet.
    """
    if begins is None or ends is None:
        return False
    wall = now.astimezone(zone).time()
    return begins <= wall < ends if begins <= ends else wall >= begins or wall < ends


def quiet_until(now: datetime, begins: time | None, ends: time | None, zone: tzinfo) -> datetime:
    """The first whole minute from `now` on, in UTC, at which it is not quiet; `now` where it is not.

    It looks minute by minute, a day of them at most, so it is right also where a clock is put forward or back.
    """
    if not quiet(now, begins, ends, zone):
        return now
    at = now.astimezone(UTC).replace(second=0, microsecond=0) + _MINUTE
    while quiet(at, begins, ends, zone):
        at += _MINUTE
    return at
