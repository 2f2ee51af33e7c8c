"""What the page of host rules shows: what a text would change, tried on pages that were pasted. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from steelyard.companion.hosts import BUILT_IN, Evidence, Verdict, verdict
from steelyard.companion.pasted import NO_ADDRESS, pages_in
from steelyard.companion.rules_text import Changes, RulesRead, changes
from steelyard.companion.ruleset import Rule
from steelyard.web.said import N_

STATES: Final = {"ours": N_("ours"), "not_ours": N_("not ours"), "unknown": N_("unknown")}
SIGNS: Final = {"ours": "✓", "not_ours": "✕", "unknown": "?"}
SURENESS: Final = {1: N_("a hint"), 2: N_("likely"), 3: N_("sure")}
DOUBTS: Final = {
    "conflict": N_("Several hosts are named."),
    "address": N_("Headers name one that has no such address."),
    "elsewhere": N_("Another host answers what should be ours."),
    "cdn": N_("The CDN answered by itself: headers of the host may be missing."),
    "cache": N_("The headers are as old as the copy."),
    "unseen": N_("No response was seen: only names and addresses count."),
}


class Tried(NamedTuple):
    """A page that was pasted, by the rules in force and by those of the text."""

    page: str
    before: Verdict
    after: Verdict

    @property
    def same(self) -> bool:
        """Whether the change changes nothing for it."""
        return self.before == self.after


class Preview(NamedTuple):
    """What a text would do, were it put in force."""

    rules: int
    from_built_in: Changes
    from_force: Changes
    tried: tuple[Tried, ...]
    unread: bool
    """Whether something was pasted in which there is no page."""


def preview(read: RulesRead, written: Sequence[Any], in_force: Sequence[Rule], pasted: str) -> Preview:
    """`written` and `in_force`: the rules that hold now, as JSON and ready."""
    pages = pages_in(pasted)
    tried = tuple(Tried(_called(each), verdict(in_force, each), verdict(read.rules, each)) for each in pages)
    return Preview(
        len(read.rules),
        changes(BUILT_IN["rules"], read.written),
        changes(written, read.written),
        tried,
        bool(pasted.strip()) and not pages,
    )


def _called(page: Evidence) -> str:
    return page.url if page.url != NO_ADDRESS else ""
