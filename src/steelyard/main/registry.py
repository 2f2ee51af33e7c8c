"""The pages of sites and hosts put together for the console."""

from __future__ import annotations

from steelyard.jobs.app import deferring_app
from steelyard.main.ground import ledger
from steelyard.store.database import Database
from steelyard.toolbox import hosts_pages, sites_pages
from steelyard.toolbox.changes import Changes
from steelyard.toolbox.hosts_pages import HostsPages
from steelyard.toolbox.runbooks import Runbooks
from steelyard.toolbox.sites_pages import SitesPages
from steelyard.toolbox.tasks import RunJobs
from steelyard.web.console import Clock
from steelyard.web.pages import Pages
from steelyard.web.routes import PageRoute


def registry_routes(database: Database, runbooks: Runbooks, pages: Pages, clock: Clock) -> list[PageRoute]:
    """The routes of sites and hosts."""
    changes, jobs = Changes(database, ledger()), RunJobs(deferring_app())
    return [
        *sites_pages.routes(SitesPages(database, changes, runbooks, jobs, pages, clock)),
        *hosts_pages.routes(HostsPages(database, changes, jobs, pages, clock)),
    ]
