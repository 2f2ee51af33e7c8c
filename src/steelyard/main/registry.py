"""The pages of sites and hosts put together for the console."""

from __future__ import annotations

from steelyard.main.ground import ledger
from steelyard.store.database import Database
from steelyard.toolbox import hosts_pages, sites_pages
from steelyard.toolbox.changes import Changes
from steelyard.toolbox.hosts_pages import HostsPages
from steelyard.toolbox.sites_pages import SitesPages
from steelyard.web.console import Clock
from steelyard.web.pages import Pages
from steelyard.web.routes import PageRoute


def registry_routes(database: Database, pages: Pages, clock: Clock) -> list[PageRoute]:
    """The routes of sites and hosts."""
    changes = Changes(database, ledger())
    return [
        *sites_pages.routes(SitesPages(database, changes, pages, clock)),
        *hosts_pages.routes(HostsPages(database, changes, pages, clock)),
    ]
