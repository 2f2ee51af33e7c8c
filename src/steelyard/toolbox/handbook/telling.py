"""What people do to the handbook: every kind of fact, and how it is told in the audit."""

from __future__ import annotations

from typing import Final

from steelyard.people.audit import Telling
from steelyard.web.language import N_

KINDS: Final = {
    "handbook.changed": "Somebody wrote a page of the handbook, or put back its text from before (`undone`).",
    "handbook.checked": "Somebody said that a page is right, or took that back (`undone`).",
    "handbook.removed": "Somebody removed a page.",
    "handbook.returned": "Somebody put a removed page back.",
    "handbook.imported": "Somebody imported pages.",
}
"""What each kind says, for the reference."""

TELLING: Final = Telling(
    "toolbox/handbook_told.html",
    {
        "handbook.changed": N_("Handbook changed"),
        "handbook.checked": N_("Handbook checked"),
        "handbook.removed": N_("Handbook page removed"),
        "handbook.returned": N_("Handbook page put back"),
        "handbook.imported": N_("Handbook imported"),
    },
)
