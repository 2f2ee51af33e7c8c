"""Where one can go: the pages of the bar, in its order. Search finds them too. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

from steelyard.web.said import N_


class Entry(NamedTuple):
    """A page of the bar. `keys` lead to it; `under` are other paths whose pages are below it."""

    path: str
    title: str
    needs: str
    keys: str
    group: Literal["work", "keep"]
    """What everybody works with, or what keeps it working."""
    under: tuple[str, ...] = ()

    def holds(self, path: str) -> bool:
        """Whether the page at `path` is this one or below it."""
        return any(path == each or path.startswith(f"{each}/") for each in (self.path, *self.under))


NAVIGATION = (
    Entry("/desk", N_("Desk"), "desk.see", "g d", "work"),
    Entry("/conversations", N_("Conversations"), "desk.see", "g c", "work"),
    Entry("/decisions", N_("Decisions"), "desk.see", "g e", "work"),
    Entry("/runbooks", N_("Runbooks"), "toolbox.see", "g r", "work", ("/runs", "/batches")),
    Entry("/handbook", N_("Handbook"), "toolbox.see", "g k", "work"),
    Entry("/sites", N_("Sites"), "toolbox.see", "g t", "work", ("/hosts",)),
    Entry("/companion", N_("Companion"), "desk.see", "g b", "keep"),
    Entry("/switch", N_("Switch"), "desk.see", "g w", "keep", ("/shadow",)),
    Entry("/health", N_("Health"), "desk.see", "g h", "keep", ("/aside",)),
    Entry("/people", N_("People"), "people.see", "g p", "keep"),
    Entry("/audit", N_("Audit"), "audit.see", "g a", "keep"),
    Entry("/settings", N_("Settings"), "settings.see", "g s", "keep"),
)
