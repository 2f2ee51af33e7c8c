"""Numbers to geometry: weights as blocks on a rail, all rails on one scale. Pure; shares of the width in percent."""

from collections.abc import Sequence
from typing import NamedTuple

MOST_BLOCKS = 40
"""Blocks drawn on one rail; what is beyond stands together in a last one."""

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
    """One thing on a rail: its name in short and in full, how heavy it is, and its family's hue."""

    name: str
    title: str
    weight: int
    family: str


class Block(NamedTuple):
    """A weight's place. `weights` above 1: that many weights stand together, without a name or hue of their own."""

    x: str
    width: str
    name: str
    title: str
    family: str
    weight: int
    weights: int
    fits: int
    """The rail's width in rem from which the name fits, as one of FITS; 0: none."""


FITS = (16, 24, 32, 44, 60)
"""Widths of a rail, in rem, that the style sheet tells apart."""


def scale_for(loads: Sequence[float], least: int = 10) -> Scale:
    """A scale that holds all of `loads` with 3 to 7 steps of 1, 2 or 5 times a power of ten."""
    top = max([least, *loads])
    step = 1
    for step in (unit * 10**power for power in range(12) for unit in _STEPS):
        if top / step <= 6:
            break
    return Scale(int(-(-top // step) * step), step)


def lay(weights: Sequence[Weight], scale: Scale) -> tuple[Block, ...]:
    """The blocks of `weights` from left to right, each as long as it weighs."""
    shown, rest = weights, weights[:0]
    if len(weights) > MOST_BLOCKS:
        shown, rest = weights[: MOST_BLOCKS - 1], weights[MOST_BLOCKS - 1 :]
    blocks: list[Block] = []
    at = 0
    for each in shown:
        blocks.append(_block(at, each, 1, scale))
        at += each.weight
    if rest:
        together = Weight(f"+{len(rest)}", "", sum(each.weight for each in rest), "")
        blocks.append(_block(at, together, len(rest), scale))
    return tuple(blocks)


def _block(at: int, weight: Weight, weights: int, scale: Scale) -> Block:
    needed = (len(weight.name) * _LETTER + _PADDING) * scale.end / max(1, weight.weight)
    fits = next((width for width in FITS if width >= needed), 0)
    place = scale.share(at), scale.share(weight.weight)
    return Block(*place, weight.name, weight.title, weight.family, weight.weight, weights, fits)
