"""How what people did to the registry of sites and hosts is told in the audit."""

from __future__ import annotations

from typing import Final

from steelyard.people.audit import Telling
from steelyard.web.language import N_

TELLING: Final = Telling(
    "toolbox/sites_told.html",
    {
        "site.added": N_("Site added"),
        "site.changed": N_("Site changed"),
        "site.removed": N_("Site removed"),
        "host.added": N_("Host added"),
        "host.changed": N_("Host changed"),
        "host.removed": N_("Host removed"),
        "host.key_made": N_("Key for hosts made"),
        "host.key_certified": N_("Key for hosts certified"),
        "host.key_revoked": N_("Key for hosts revoked"),
        "host.secret_kept": N_("Secret of a host kept"),
        "host.secret_removed": N_("Secret of a host erased"),
    },
)
