"""The companion put together for the console: its pages, and what browsers ask of it."""

from __future__ import annotations

import time

from steelyard.adapters.dns import Resolver
from steelyard.companion import api, rules_pages
from steelyard.companion import pages as companion_pages
from steelyard.companion.ground import CompanionGround
from steelyard.companion.lookup import Known
from steelyard.companion.pace import Pace
from steelyard.kit.ids import CellId
from steelyard.main.ground import ledger
from steelyard.store.database import Database
from steelyard.web.console import Clock
from steelyard.web.pages import Pages
from steelyard.web.routes import PageRoute

AT_ONCE, PER_MINUTE = 30, 60
"""Questions to the DNS of one token or session, in one process."""


def companion_routes(database: Database, pages: Pages, cell: CellId, url: str | None, clock: Clock) -> list[PageRoute]:
    """The routes of the companion. `url`: the https address of the console, where it has one."""
    names, pace = Known(Resolver(), time.monotonic), Pace(AT_ONCE, PER_MINUTE, time.monotonic)
    ground = CompanionGround(database, ledger(), pages, clock, cell, names, pace, url)
    return [*api.routes(ground), *rules_pages.routes(ground), *companion_pages.routes(ground)]
