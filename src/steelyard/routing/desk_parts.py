"""The desk as parts: each is drawn when its value changes, and its HTML kept for all who see it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import get_args

from steelyard.routing.desk import Desk, Group, Row
from steelyard.routing.mine import Mine
from steelyard.web.language import ZONE
from steelyard.web.pages import Pages
from steelyard.web.place import Place
from steelyard.web.sse import Manner

MOST_KEPT = 32
"""Workspaces, each drawn in one manner, of whose parts the HTML is kept: some 400 kB with 200 engineers."""

_AT_ONCE = 8
"""Parts that are drawn before others may go on."""

_Kept = dict[object, tuple[object, str]]


@dataclass(slots=True)
class _Drawing:
    """One drawing: parts in their order, from what is kept where the value is the same."""

    kept: _Kept
    zone: tzinfo
    parts: dict[str, str] = field(default_factory=dict[str, str])
    drawn: int = 0

    async def add(
        self, id: str, value: tuple[object, ...], macro: Callable[..., object], variant: object = None
    ) -> None:
        """The part `id`: what `macro` makes of `value`. Parts of another `variant` are kept beside it."""
        found = self.kept.get((id, variant))
        if found is None or found[0] != value:
            found = self.kept[id, variant] = value, self._html(macro, value)
            self.drawn += 1
            if self.drawn % _AT_ONCE == 0:
                await asyncio.sleep(0)
        self.parts[id] = found[1]

    def _html(self, macro: Callable[..., object], value: tuple[object, ...]) -> str:
        before = ZONE.set(self.zone)
        try:
            return str(macro(*value)).strip()
        finally:
            ZONE.reset(before)


class DeskParts:
    """Draws desks."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._kept: OrderedDict[tuple[Place, Manner], _Kept] = OrderedDict()

    async def draw(self, view: Desk, manner: Manner) -> dict[str, str]:
        """All parts of `view` but those that are somebody's own, by the ids of their elements."""
        macros = self._pages.macros("routing/live.html", manner.language)
        drawing = _Drawing(self._kept_of(view.place, manner), manner.zone)
        figures, place, team = view.figures, view.place, view.team
        await drawing.add("reach", (view.reach, place), macros.band)
        await drawing.add("figures", (figures,), macros.figures)
        await drawing.add("aside", (view.aside, view.drift, place), macros.notice)
        await drawing.add("queue", (view.waiting, figures.waiting, place, team), macros.queue, team)
        await drawing.add("marks", (view.scale, figures.mean), macros.scale_and_mean)
        await drawing.add("heads", (view.scale,), macros.heads)
        for group in get_args(Group):
            rows: tuple[Row, ...] = getattr(view, group)
            known = bool(view.rows)
            await drawing.add(f"{group}-head", (group, len(rows), known), macros.head, team)
            drawing.parts[group] = _order(group, rows)
            for row in rows:
                value = row, view.scale, group, place
                await drawing.add(f"engineer-{row.person.id}", value, macros.row)
        await drawing.add("fulcrum", (view.scale, figures.mean), macros.fulcrum)
        legend = (view.families, view.grouped, view.hollow, view.reach.state)
        await drawing.add("legend", legend, macros.legend, team)
        await drawing.add("stream", (view.entries, place), macros.stream)
        return drawing.parts

    async def own(self, mine: Mine | None, place: Place, manner: Manner) -> dict[str, str]:
        """The parts that are one engineer's own."""
        if mine is None:
            return {}
        macros = self._pages.macros("routing/mine.html", manner.language)
        drawing = _Drawing(self._kept_of(place, manner), manner.zone)
        engineer = mine.person.id
        await drawing.add("turn", (mine._replace(conversations=()), place), macros.turn, engineer)
        await drawing.add("mine", (mine.conversations, mine.open, mine.person.id, place), macros.own, engineer)
        return drawing.parts

    def _kept_of(self, place: Place, manner: Manner) -> _Kept:
        kept = self._kept.setdefault((place, manner), {})
        self._kept.move_to_end((place, manner))
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return kept


def _order(group: str, rows: tuple[Row, ...]) -> str:
    order = " ".join(str(row.person.id) for row in rows)
    return f'<ol id="{group}" data-order="{order}"></ol>'
