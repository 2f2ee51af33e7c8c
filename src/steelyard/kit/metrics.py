"""Metrics: what is counted and measured, whose it is, and plain numbers that are cheap to add to.

A room declares its metrics as values and gives samples of them; how they are written down is the web's.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from steelyard.kit.scopes import Scope


class Kind(StrEnum):
    """What a metric's numbers do: only grow, go up and down, or fall into buckets."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. Labels are ids and codes, never names."""

    name: str
    kind: Kind
    scope: Scope
    help: str
    labels: tuple[str, ...] = ()


class Histogram:
    """Observed values in buckets. Adding one is a search in a short list and three additions."""

    __slots__ = ("bounds", "buckets", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        """`bounds`: the upper bounds of the buckets, rising; what is above the last has a bucket of its own."""
        self.bounds = tuple(bounds)
        self.buckets = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Adds one value; a bound belongs to the bucket below it."""
        self.buckets[bisect_left(self.bounds, value)] += 1
        self.sum += value

    @property
    def count(self) -> int:
        """How many values there are."""
        return sum(self.buckets)

    @property
    def cumulative(self) -> list[int]:
        """How many values are at most each bound, then how many there are."""
        below = 0
        return [below := below + each for each in self.buckets]


class Sample(NamedTuple):
    """One number, or one histogram, of a metric, under the values of its labels."""

    metric: Metric
    labels: tuple[str, ...]
    value: float | Histogram
