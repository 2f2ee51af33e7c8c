"""Columns of whole numbers: each number in exactly one, 0 by itself, no more columns than are drawn."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from steelyard.web.charts import MOST_COLUMNS, histogram

COUNTS = st.dictionaries(st.integers(-3000, 3000), st.integers(1, 50), max_size=40)


@given(COUNTS)
def test_every_number_is_in_the_column_that_says_so(counts: dict[int, int]) -> None:
    columns = histogram(counts)
    for each in columns:
        assert each.times == sum(times for number, times in counts.items() if each.first <= number <= each.last)
    assert sum(each.times for each in columns) == sum(counts.values())


@given(COUNTS)
def test_columns_follow_each_other_and_zero_stands_alone(counts: dict[int, int]) -> None:
    columns = histogram(counts)
    assert len(columns) <= MOST_COLUMNS + 2
    assert [(each.first, each.last) for each in columns if each.first <= 0 <= each.last] == [(0, 0)]
    for one, next_one in pairwise(columns):
        assert next_one.first == one.last + 1


@given(COUNTS.filter(bool))
def test_the_tallest_is_as_high_as_the_plot_and_all_stand_on_the_ground(counts: dict[int, int]) -> None:
    columns = histogram(counts)
    heights = [float(each.height.rstrip("%")) for each in columns]
    assert max(heights) == 100
    for each, height in zip(columns, heights, strict=True):
        assert abs(float(each.top.rstrip("%")) + height - 100) < 0.2
