"""The runbooks as people see them: what each is called in their language, what for, how long it takes here. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, NamedTuple

from steelyard.toolbox.model import Risk
from steelyard.toolbox.runbook import Runbook
from steelyard.web.said import N_

GROUPS: Final[Mapping[str, str]] = {
    "site": N_("Put a site in order"),
    "look": N_("Look at a site"),
    "security": N_("Security"),
    "own": N_("The team’s own"),
}
"""The groups of the shelf, in their order."""

Say = Callable[[object, str], str]
"""A text of the product's own in a language."""


class OnShelf(NamedTuple):
    """A runbook as the shelf shows it. `median_ms`: what it took here lately; None where it was not run."""

    name: str
    title: str
    summary: str
    risk: Risk
    minutes: int
    undoable: bool
    topics: tuple[str, ...]
    median_ms: int | None
    digest: str


def own_text(runbook: Runbook, text: str, language: str, say: Say) -> str:
    """A text of a runbook in a language: a team's own has its French with it, what ships is in the catalogs."""
    if language == "fr" and text in runbook.french:
        return runbook.french[text]
    return say(text, language) if text else ""


def title_of(runbook: Runbook, language: str, say: Say) -> str:
    """What a runbook is called in a language."""
    return own_text(runbook, runbook.title, language, say)


def on_shelf(runbook: Runbook, language: str, say: Say, median_ms: int | None) -> OnShelf:
    """A runbook as the shelf shows it."""
    return OnShelf(
        runbook.name,
        title_of(runbook, language, say),
        own_text(runbook, runbook.summary, language, say),
        runbook.risk,
        runbook.minutes,
        runbook.undo is not None,
        runbook.topics,
        median_ms,
        runbook.digest,
    )


def grouped(
    runbooks: Collection[Runbook], language: str, say: Say, medians: Mapping[str, int]
) -> list[tuple[str, Sequence[OnShelf]]]:
    """The shelf: each group that has runbooks, by their titles."""
    found: list[tuple[str, Sequence[OnShelf]]] = []
    for group, words in GROUPS.items():
        inside = [on_shelf(each, language, say, medians.get(each.name)) for each in runbooks if each.group == group]
        if inside:
            found.append((words, sorted(inside, key=lambda each: each.title)))
    return found
