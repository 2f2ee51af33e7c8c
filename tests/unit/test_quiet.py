"""Quiet hours by the clock on a wall: across midnight, and where a clock is put forward or back."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.routing.quiet import quiet, quiet_until

PARIS = ZoneInfo("Europe/Paris")
ZONES = ["UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]

times = st.builds(time, st.integers(0, 23), st.integers(0, 59))
zones = st.sampled_from([ZoneInfo(each) for each in ZONES])
instants = st.integers(946_684_800, 2_051_222_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def at(hour: int, minute: int = 0, *, day: int = 22, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=PARIS)


@pytest.mark.parametrize(
    ("now", "begins", "ends", "expected"),
    [
        (at(21, 59), time(22), time(7), False),
        (at(22), time(22), time(7), True),
        (at(0), time(22), time(7), True),
        (at(6, 59), time(22), time(7), True),
        (at(7), time(22), time(7), False),
        (at(12), time(12), time(13), True),
        (at(13), time(12), time(13), False),
        (at(12), time(12), time(12), False),
        (at(12), None, time(13), False),
        (at(12), time(12), None, False),
    ],
)
def test_it_begins_at_the_first_and_ends_before_the_second(
    now: datetime, begins: time | None, ends: time | None, expected: bool
) -> None:
    assert quiet(now, begins, ends, PARIS) is expected
    assert quiet(now.astimezone(UTC), begins, ends, PARIS) is expected


def test_they_end_in_the_morning_also_across_midnight() -> None:
    assert quiet_until(at(23, 30), time(22), time(7), PARIS) == at(7, day=23)
    assert quiet_until(at(3), time(22), time(7), PARIS) == at(7)
    assert quiet_until(at(12), time(22), time(7), PARIS) == at(12)


def test_the_night_is_an_hour_shorter_or_longer_when_the_clock_changes() -> None:
    spring = quiet_until(at(23, day=28, month=3), time(22), time(7), PARIS)
    assert spring - at(23, day=28, month=3).astimezone(UTC) == timedelta(hours=7)
    autumn = quiet_until(at(23, day=24, month=10), time(22), time(7), PARIS)
    assert autumn - at(23, day=24, month=10).astimezone(UTC) == timedelta(hours=9)


def test_an_end_that_the_clock_jumps_over_is_when_it_has_jumped() -> None:
    end = quiet_until(at(1, 30, day=29, month=3), time(22), time(2, 30), PARIS)
    assert end == datetime(2026, 3, 29, 1, 0, tzinfo=UTC), "03:00 in Paris, which comes right after 01:59"


@given(instants, times, times, zones)
def test_when_they_end_it_is_not_quiet_and_until_then_it_is(
    now: datetime, begins: time, ends: time, zone: ZoneInfo
) -> None:
    end = quiet_until(now, begins, ends, zone)
    assert end >= now
    assert not quiet(end, begins, ends, zone)
    if end != now:
        assert quiet(now, begins, ends, zone)
        assert quiet(end - timedelta(minutes=1), begins, ends, zone)
        assert end - now <= timedelta(days=2)


@given(instants, times, times, zones)
def test_all_hours_are_quiet_or_those_of_the_other_way_round(
    now: datetime, begins: time, ends: time, zone: ZoneInfo
) -> None:
    if begins == ends:
        assert not quiet(now, begins, ends, zone)
    else:
        assert quiet(now, begins, ends, zone) is not quiet(now, ends, begins, zone)
