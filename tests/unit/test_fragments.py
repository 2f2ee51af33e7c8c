"""Fragments, logs and the zones that pages are written in."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.main.ground import ROOMS
from steelyard.web.fragments import Fragment, FragmentLink, Fragments
from steelyard.web.language import ZONE
from steelyard.web.logs import PER_PAGE, log_answer, one_line, part_of
from steelyard.web.pages import Pages, Shell
from steelyard.web.place import Place
from steelyard.web.static import read_static
from steelyard.web.viewer import Preferences, Viewer, Zone

WINTER = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
SUMMER = datetime(2026, 7, 22, 23, 30, tzinfo=UTC)


def even_only(id: int) -> str | None:
    return f"/handbook/for/{id}" if id % 2 == 0 else None


FRAGMENTS = Fragments(
    (
        Fragment("handbook", "conversation", "Handbook", even_only, "desk.see"),
        Fragment("site", "conversation", "Site", lambda id: f"/sites/of/{id}", "messages.read"),
        Fragment("shift", "engineer", "Shift", lambda id: f"/shifts/{id}", "desk.see"),
    )
)


def test_fragments_are_those_of_the_subject_that_the_viewer_may_open() -> None:
    place, may_see = Place("N", "eu", "eu1.n"), Viewer(granted=frozenset({"desk.see"}))
    link = FragmentLink("handbook", "Handbook", "/handbook/for/4?workspace=eu1.n")
    assert FRAGMENTS.of("conversation", 4, may_see, place) == (link,)
    assert FRAGMENTS.of("conversation", 5, may_see, place) == ()
    assert FRAGMENTS.of("nothing", 4, may_see, place) == ()
    reader = Viewer(granted=frozenset({"desk.see", "messages.read"}))
    assert [each.name for each in FRAGMENTS.of("conversation", 4, reader, place)] == ["handbook", "site"]


def test_two_fragments_of_one_name_are_refused() -> None:
    twice = Fragment("a", "x", "A", lambda id: None, "desk.see")
    with pytest.raises(ValueError, match="one name"):
        Fragments((twice, twice))


@given(st.integers(0, 1200), st.text() | st.integers(-5, 1300).map(str))
def test_every_line_of_a_log_is_on_a_part(total: int, asked: str) -> None:
    lines = [f"line {number}" for number in range(1, total + 1)]
    part = part_of(lines, {"line": asked})
    assert list(part.lines) == lines[part.first - 1 : part.first - 1 + PER_PAGE]
    assert 1 <= part.first <= max(1, total)
    reached: list[str] = []
    first: int | None = 1
    while first is not None:
        following = part_of(lines, {"line": str(first)})
        reached += following.lines
        first = following.after
    assert reached == lines


@given(st.lists(st.text(), max_size=20), st.text() | st.integers(0, 25).map(str))
def test_a_line_stays_one_line(lines: list[str], after: str) -> None:
    body = bytes(log_answer(lines, {"after": after}).body).decode()
    left = lines[int(after) :] if after.isascii() and after.isdigit() and len(after) < 10 else lines
    assert body.split("\n")[:-1] == [one_line(each) for each in left]
    assert len(body.splitlines()) == len(left)


# Zones

PAGES = Pages(read_static(), ROOMS)
TIME = "web/styleguide_fragment.html"


def drawn(zone: Zone, at: datetime, workspace_zone: str = "Europe/Paris") -> str:
    viewer = Viewer(preferences=Preferences(zone=zone), workspace_zone=workspace_zone)
    shell = Shell("/x", {}, "en", "system", None, viewer)
    return PAGES.draw(TIME, "en", zone=viewer.zone, shell=shell, at=at)


@pytest.mark.parametrize(
    ("zone", "at", "written", "title", "asked"),
    [
        ("utc", WINTER, "22 Nov 2026, 23:30:00", "22 November 2026, 23:30:00 UTC", "UTC"),
        ("browser", WINTER, "22 Nov 2026, 23:30:00", "22 November 2026, 23:30:00 UTC", "browser"),
        ("workspace", WINTER, "23 Nov 2026, 00:30:00", "23 November 2026, 00:30:00 CET", "Europe/Paris"),
        ("workspace", SUMMER, "23 Jul 2026, 01:30:00", "23 July 2026, 01:30:00 CEST", "Europe/Paris"),
    ],
)
def test_times_are_written_in_the_zone_of_the_viewer(
    zone: Zone, at: datetime, written: str, title: str, asked: str
) -> None:
    page = drawn(zone, at)
    assert f'<time datetime="{at.isoformat()}" data-show="moment" title="{title}">{written}</time>' in page
    assert f'data-times="{asked}"' in page


def test_a_zone_without_a_name_is_named_by_its_distance() -> None:
    assert "20:30:00 UTC-03" in drawn("workspace", WINTER, "America/Sao_Paulo")
    assert "23:30:00 UTC" in drawn("workspace", WINTER, "Nowhere/Land")


def test_one_page_does_not_leave_its_zone_to_the_next() -> None:
    first = drawn("workspace", WINTER, "Asia/Kolkata")
    assert "IST" in first
    assert ZONE.get() is UTC
    assert "IST" not in drawn("utc", WINTER)
    aware = WINTER.astimezone(ZoneInfo("Asia/Tokyo"))
    assert "22 Nov 2026, 23:30:00" in drawn("utc", aware), "the zone of the page, not of the value"
