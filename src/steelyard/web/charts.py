"""Numbers to geometry: weights as blocks on a rail, all rails on one scale. Pure; shares of the width in percent."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import NamedTuple

_LETTER, _PADDING = 0.36, 0.75
"""Width of a letter and of both edges of a block, in rem."""

_STEPS = (1, 2, 5)


class Scale(NamedTuple):
    """From 0 to `end` units of weight, with a tick every `step`."""

    end: int
    step: int

    def share(self, value: float) -> str:
        """Where `value` lies on the rail: `12.5%`."""
        return f"{min(100.0, max(0.0, 100 * value / self.end)):.4g}%"

    @property
    def ticks(self) -> tuple[int, ...]:
        """The values that are written, the last at the end of the rail or just before it."""
        return tuple(range(0, self.end + 1, self.step))


class Weight(NamedTuple):
    """One thing on a rail: its name in short and in full, how heavy it is, its family's hue, and how many it is."""

    name: str
    title: str
    weight: int
    family: str
    number: int = 1
    id: int | None = None
    """What it is on its page, where it can be pointed at alone."""


class Block(NamedTuple):
    """A weight's place. `number` above 1: so many of a family stand together."""

    x: str
    width: str
    name: str
    title: str
    family: str
    weight: int
    number: int
    fits: int
    """The rail's width in rem from which the name fits, as one of FITS; 0: none."""
    id: int | None


FITS = (16, 24, 32, 44, 60)
"""Widths of a rail, in rem, that the style sheet tells apart."""


def scale_for(loads: Sequence[float], least: int = 10, kept: Scale | None = None) -> Scale:
    """A scale that holds all of `loads` with 3 to 7 steps of 1, 2 or 5 times a power of ten.

    The one that is `kept` stays while it holds them and is at most half as long again as it has to be: what hardly
    changes is not drawn again.
    """
    top = max([least, *loads])
    step = next(step for step in _steps() if top / step <= 6)
    fresh = Scale(int(-(-top // step) * step), step)
    return kept if kept is not None and top <= kept.end <= fresh.end * 1.5 else fresh


def _steps() -> Iterator[int]:
    """1, 2, 5, 10, 20, 50 and so on."""
    return (unit * 10**power for power in count() for unit in _STEPS)


def lay(weights: Sequence[Weight], scale: Scale, start: int = 0) -> tuple[Block, ...]:
    """The blocks of `weights` from left to right, each as long as it weighs, the first at `start`."""
    blocks: list[Block] = []
    at = start
    for each in weights:
        blocks.append(_block(at, each, scale))
        at += each.weight
    return tuple(blocks)


def _block(at: int, weight: Weight, scale: Scale) -> Block:
    needed = (len(weight.name) * _LETTER + _PADDING) * scale.end / max(1, weight.weight)
    fits = next((width for width in FITS if width >= needed), 0)
    place = scale.share(at), scale.share(weight.weight)
    return Block(*place, weight.name, weight.title, weight.family, weight.weight, weight.number, fits, weight.id)


class Bar(NamedTuple):
    """One value of a row of them: its place, as long from the ground as it is great."""

    x: str
    width: str
    top: str
    height: str


def bars(values: Sequence[int]) -> tuple[Bar, ...]:
    """The bars of `values` from left to right, with a gap after each; the greatest has the whole height."""
    tallest = max([1, *values])
    return tuple(
        Bar(
            _percent(place, len(values)),
            _percent(0.7, len(values)),
            _percent(tallest - value, tallest),
            _percent(value, tallest),
        )
        for place, value in enumerate(values)
    )


MOST_COLUMNS = 24
"""Columns of one histogram, about."""


class Column(NamedTuple):
    """The whole numbers from `first` to `last` in a histogram, and how often one of them came."""

    first: int
    last: int
    times: int
    x: str
    width: str
    middle: str
    top: str
    height: str
    labelled: bool
    """Whether its numbers are written: every one would not fit."""


def histogram(counts: Mapping[int, int]) -> tuple[Column, ...]:
    """The columns of `counts`, from the least number to the greatest; 0 has one of its own, which is always there."""
    least, most = min([0, *counts]), max([0, *counts])
    width = next(step for step in _steps() if (most - least) / step <= MOST_COLUMNS)
    first = _place(least, width)
    places = range(first, _place(most, width) + 1)
    heights: dict[int, int] = dict.fromkeys(places, 0)
    for number, times in counts.items():
        heights[_place(number, width)] += times
    tallest = max(1, *heights.values())
    every = -(-len(places) // 8)
    return tuple(
        Column(
            *_numbers(place, width),
            heights[place],
            _percent(place - first, len(places)),
            _percent(1, len(places)),
            _percent(place - first + 0.5, len(places)),
            _percent(tallest - heights[place], tallest),
            _percent(heights[place], tallest),
            place % every == 0,
        )
        for place in places
    )


def _place(number: int, width: int) -> int:
    """How many columns from that of 0, which holds nothing else."""
    return number // width if number < 0 else -(-number // width)


def _numbers(place: int, width: int) -> tuple[int, int]:
    if place == 0:
        return 0, 0
    far, near = abs(place) * width, (abs(place) - 1) * width + 1
    return (near, far) if place > 0 else (-far, -near)


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.4g}%"
