"""The lists of sites and hosts: their columns, and what stands in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from steelyard.toolbox.checks import findings_in, worst
from steelyard.toolbox.keys import fingerprint
from steelyard.toolbox.registry_rows import HostRow, SiteRow
from steelyard.web.language import N_
from steelyard.web.tables import Choice, Column, Holds, Is, Table

STATES: Final[Mapping[str, str]] = {
    "ok": N_("All there"),
    "odd": N_("Look at it"),
    "missing": N_("Something is missing"),
    "unchecked": N_("Not checked yet"),
}
"""What the last check found, in words."""
_STATE_CHOICES: Final = tuple(Choice(state, words) for state, words in STATES.items())


def state_of(row: SiteRow | HostRow) -> str:
    """What the last check of a site or a host found: a key of STATES."""
    return "unchecked" if row.checked_at is None else worst(findings_in(row.facts))


def fact_of(row: SiteRow, group: str, name: str) -> str:
    """What was found on a site, as a text; empty where it was not."""
    found = row.facts.get(group)
    return str(found.get(name) or "") if found else ""


SITES: Final = Table[SiteRow](
    "sites",
    (
        Column("name", N_("Site"), lambda row: row.site.name, sorts=True, filter=Holds(), heads=True),
        Column("host", N_("Host"), lambda row: row.site.host.name, sorts=True, filter=Is()),
        Column("docroot", N_("Docroot"), lambda row: row.site.docroot, filter=Holds()),
        Column("account", N_("User"), lambda row: row.site.account, sorts=True, filter=Holds()),
        Column("group", N_("Group"), lambda row: row.site.group, sorts=True, filter=Is()),
        Column("wordpress", N_("WordPress"), lambda row: fact_of(row, "wordpress", "version"), sorts=True),
        Column("php", N_("PHP"), lambda row: fact_of(row, "php", "version"), sorts=True),
        Column("state", N_("Last check"), state_of, filter=Is(_STATE_CHOICES)),
        Column("checked_at", N_("Checked"), lambda row: row.checked_at, sorts=True),
        Column("url", N_("Address"), lambda row: row.site.url, data_only=True),
        Column("site", N_("Id"), lambda row: row.site.id, data_only=True),
    ),
    sort="name",
)

HOSTS: Final = Table[HostRow](
    "hosts",
    (
        Column("name", N_("Host"), lambda row: row.host.name, sorts=True, filter=Holds(), heads=True),
        Column("address", N_("Address"), lambda row: row.host.address, sorts=True, filter=Holds()),
        Column("account", N_("Support account"), lambda row: row.host.account, sorts=True),
        Column("sites", N_("Sites"), lambda row: row.sites, sorts=True, number=True),
        Column("via", N_("Through"), lambda row: row.via_name),
        Column("key", N_("Key"), lambda row: row.key_name, filter=Holds()),
        Column("state", N_("Last check"), state_of, filter=Is(_STATE_CHOICES)),
        Column("checked_at", N_("Checked"), lambda row: row.checked_at, sorts=True),
        Column("port", N_("Port"), lambda row: row.host.port, data_only=True),
        Column("local", N_("Without SSH"), lambda row: row.local, data_only=True),
        Column("fingerprint", N_("Fingerprint"), lambda row: fingerprint_of(row), data_only=True),
        Column("host", N_("Id"), lambda row: row.host.id, data_only=True),
    ),
    sort="name",
)


def fingerprint_of(row: HostRow) -> str:
    """Of the pinned key; empty where there is none."""
    try:
        return fingerprint(row.host_key) if row.host_key else ""
    except (ValueError, IndexError):
        return ""
