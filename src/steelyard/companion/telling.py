"""What people do to the companion: every kind of fact, and how it is told in the audit."""

from __future__ import annotations

from typing import Final

from steelyard.people.audit import Telling
from steelyard.web.language import N_

KINDS: Final = {
    "companion.domain_proposed": "Somebody proposed that a domain be trusted, or a decision on it was taken back.",
    "companion.domain_trusted": "Somebody had a domain trusted.",
    "companion.domain_declined": "Somebody said no to a proposal.",
    "companion.domain_removed": "Somebody had a domain trusted no longer.",
    "companion.rules_changed": "Somebody put host rules in force: `version`, how many `rules` (0: those built in).",
}
"""What each kind says, for the reference."""

TELLING: Final = Telling(
    "companion/told.html",
    {
        "companion.domain_proposed": N_("Domain proposed"),
        "companion.domain_trusted": N_("Domain trusted"),
        "companion.domain_declined": N_("Domain declined"),
        "companion.domain_removed": N_("Domain no longer trusted"),
        "companion.rules_changed": N_("Host rules changed"),
    },
)
