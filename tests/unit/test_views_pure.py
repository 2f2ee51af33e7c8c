"""The pure parts of pages: geometry, marks, data, times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.routing.asked import Segment, segments
from steelyard.routing.desk import MOST_SINGLE, Carried, gather
from steelyard.routing.labels import Family, Label
from steelyard.web.charts import Weight, lay, scale_for
from steelyard.web.data import csv_text, plain
from steelyard.web.language import age, negotiate
from steelyard.web.moving import with_times


def percent(text: str) -> float:
    return float(text.removesuffix("%"))


@given(st.lists(st.integers(0, 5000), max_size=50))
def test_a_scale_holds_all_loads_with_few_round_ticks(loads: list[int]) -> None:
    scale = scale_for(loads)
    assert scale.end >= max([10, *loads])
    assert 3 <= len(scale.ticks) <= 8
    assert str(scale.step)[0] in "125"
    assert int(str(scale.step)[1:] or 0) == 0


@given(st.lists(st.integers(1, 50), max_size=200))
def test_blocks_stand_end_to_end_and_nothing_is_lost(numbers: list[int]) -> None:
    weights = [Weight("DNS", "DNS", number, "domains") for number in numbers]
    scale = scale_for([sum(numbers)])
    blocks = lay(weights, scale)
    assert [each.weight for each in blocks] == numbers
    at = 0.0
    for block in blocks:
        assert percent(block.x) == pytest.approx(at, abs=0.2)
        at += 100 * block.weight / scale.end


@given(st.lists(st.tuples(st.sampled_from(get_args(Family)), st.integers(1, 50)), max_size=200))
def test_a_rail_is_few_blocks_and_nothing_is_lost(held: list[tuple[Family, int]]) -> None:
    carried = [
        Carried(number, Label("topic", family, {}, {}, 1), weight) for number, (family, weight) in enumerate(held)
    ]
    blocks = gather(carried)
    assert len(blocks) <= MOST_SINGLE
    assert sum(each.conversations for each in blocks) == len(held)
    for family in get_args(Family):
        assert sum(each.weight for each in blocks if each.family == family) == sum(
            weight for known, weight in held if known == family
        )
    if len(held) <= MOST_SINGLE:
        assert [each.conversation for each in blocks] == list(range(len(held)))
    else:
        assert len(blocks) == len({family for family, _ in held})


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_a_scale_is_kept_while_it_fits(before: int, after: int) -> None:
    kept, fresh = scale_for([before]), scale_for([after])
    scale = scale_for([after], kept=kept)
    assert scale in (kept, fresh)
    assert scale.end >= after
    assert scale.end <= fresh.end * 1.5
    assert scale_for([before], kept=kept) == kept


def test_times_that_go_by_are_written_as_they_are_now() -> None:
    now = datetime(2026, 11, 22, 15, 42, tzinfo=UTC)
    since, zone = "2026-11-22T15:40:55+00:00", "Asia/Kolkata"
    html = f'<p><time data-age="{since}"></time> <time data-local="{zone}"></time> <time>x</time></p>'
    assert with_times(html, now) == (
        '<p><time data-age="2026-11-22T15:40:55+00:00">1:05</time>'
        ' <time data-local="Asia/Kolkata">21:12</time> <time>x</time></p>'
    )


def test_length_is_weight_and_names_show_where_they_fit() -> None:
    scale = scale_for([20])
    short, long = lay([Weight("Reverse proxy", "", 1, "edge"), Weight("Reverse proxy", "", 10, "edge")], scale)
    assert percent(long.width) == 10 * percent(short.width)
    assert short.fits == 0
    assert long.fits == 16


@given(st.text(max_size=40), st.lists(st.tuples(st.integers(-5, 60), st.integers(-5, 60)), max_size=6))
def test_segments_are_the_text_again(text: str, spans: list[tuple[int, int]]) -> None:
    found = segments(text, spans)
    assert "".join(each.text for each in found) == text
    assert all(each.text for each in found)


def test_overlapping_and_touching_spans_are_one_mark() -> None:
    assert segments("mx record gone", [(0, 9), (3, 9), (9, 10)]) == (
        Segment("mx record ", marked=True),
        Segment("gone", marked=False),
    )


def test_plain_data_and_formulas_in_csv() -> None:
    class Point(NamedTuple):
        at: datetime
        names: dict[str, str]

    assert plain(Point(datetime(2026, 1, 1, tzinfo=UTC), {"en": "x"})) == {
        "at": "2026-01-01T00:00:00+00:00",
        "names": {"en": "x"},
    }
    assert csv_text(["a", "b"], [("=1+1", None), (-3, "ok")]) == "a,b\r\n'=1+1,\r\n-3,ok\r\n"


@pytest.mark.parametrize(
    ("seconds", "written"), [(0, "0:00"), (6.9, "0:06"), (520, "8:40"), (3730, "1:02:10"), (-3, "0:00")]
)
def test_age(seconds: float, written: str) -> None:
    assert age(seconds) == written


@pytest.mark.parametrize(
    ("asked", "remembered", "accepted", "expected"),
    [
        (None, None, "", "en"),
        (None, None, "fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        (None, None, "de, fr;q=0.3, en;q=0.4", "en"),
        (None, None, "fr;q=0, en;q=0.1", "en"),
        (None, None, "fr;q=x", "en"),
        (None, "fr", "en", "fr"),
        ("en", "fr", "fr", "en"),
        ("xx", None, "fr", "fr"),
    ],
)
def test_negotiate(asked: str | None, remembered: str | None, accepted: str, expected: str) -> None:
    assert negotiate(asked, remembered, accepted) == expected
