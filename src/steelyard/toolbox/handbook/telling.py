"""How what people did to the handbook is told in the audit."""

from __future__ import annotations

from typing import Final

from steelyard.people.audit import Telling
from steelyard.web.language import N_

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
