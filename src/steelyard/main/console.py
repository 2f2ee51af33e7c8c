"""The console put together: the routes of all rooms behind one gate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.types import ASGIApp

from steelyard.adapters.notify import usable
from steelyard.companion.telling import TELLING as COMPANION_TELLING
from steelyard.jobs.app import deferring_app
from steelyard.kit.ids import CellId
from steelyard.main.companion import companion_routes
from steelyard.main.ground import ROOMS, acts, ledger
from steelyard.main.handbook import handbook_routes
from steelyard.main.registry import registry_routes
from steelyard.main.runs import runbooks_of
from steelyard.main.toolbox_console import toolbox_routes
from steelyard.people import pages as people_pages
from steelyard.people.gate import Gate, standing_of
from steelyard.people.ground import Ground
from steelyard.routing import notifications_pages, settings_pages
from steelyard.routing import pages as routing_pages
from steelyard.routing.search import searchers
from steelyard.routing.settings_ground import SettingsGround
from steelyard.routing.tasks import ActJobs
from steelyard.routing.teammates import read_teammates
from steelyard.routing.telling import SETTINGS, TELLING
from steelyard.store.database import Database
from steelyard.store.keys import WEB, Keys, key_file
from steelyard.toolbox.handbook.for_pages import FRAGMENT as TOOLBOX_OF_CONVERSATION
from steelyard.toolbox.handbook.searching import searcher as handbook_searcher
from steelyard.toolbox.handbook.telling import TELLING as HANDBOOK_TELLING
from steelyard.toolbox.search import searcher as registry_searcher
from steelyard.toolbox.sites_telling import TELLING as SITES_TELLING
from steelyard.toolbox.telling import TELLING as RUNS_TELLING
from steelyard.web import search, styleguide
from steelyard.web.console import Clock, create_console, utc_now
from steelyard.web.fragments import Fragments
from steelyard.web.guard import LOOPBACK_NAMES
from steelyard.web.pages import Pages
from steelyard.web.routes import PageRoute
from steelyard.web.sse import Changes, polled
from steelyard.web.static import Static

TELLINGS = (TELLING, SETTINGS, HANDBOOK_TELLING, SITES_TELLING, RUNS_TELLING, COMPANION_TELLING)
"""How the deeds of each room are told in the audit."""


FRAGMENTS = Fragments((TOOLBOX_OF_CONVERSATION,))
"""What rooms draw of each other's subjects."""


class Site(NamedTuple):
    """Where a console stands, and what it is given besides its database."""

    cell: CellId
    keys: Path
    """The folder of the key files."""
    url: str | None = None
    """The https address under which people open it; None where only this machine does."""
    open_to_loopback: bool = False
    changes: Changes = polled
    clock: Clock = utc_now
    runbooks: Path | None = None
    """The operator's folder of runbooks."""


def console_routes(database: Database, pages: Pages, site: Site) -> list[PageRoute]:
    """Every route of the console: what a test walks is what is served."""
    return [
        *people_pages.routes(
            Ground(
                database,
                ledger(),
                pages,
                read_teammates,
                site.clock,
                secure=site.url is not None,
                open_to_loopback=site.open_to_loopback,
            ),
            TELLINGS,
        ),
        *routing_pages.routes(database, pages, acts(database), site.changes, site.clock, FRAGMENTS),
        *handbook_routes(database, pages, site.runbooks, site.clock),
        *toolbox_routes(database, pages, site.runbooks, site.clock),
        *registry_routes(database, runbooks_of(site.runbooks), pages, site.clock),
        *settings_routes(database, pages, site),
        *companion_routes(database, pages, site.cell, site.url, site.clock),
        *search.routes(
            pages,
            (*searchers(database), handbook_searcher(database), registry_searcher(database)),
            lambda request: standing_of(request).workspace,
        ),
        *styleguide.routes(pages),
    ]


def settings_routes(database: Database, pages: Pages, site: Site) -> list[PageRoute]:
    """The pages of settings, which seal what they are given under the web's key."""
    keys, jobs = Keys(key_file(site.keys, WEB)), ActJobs(deferring_app())
    ground = SettingsGround(database, ledger(), jobs, keys, usable, pages, site.clock)
    return [*settings_pages.routes(ground), *notifications_pages.routes(ground)]


def console(database: Database, static: Static, site: Site, more: Sequence[PageRoute] = ()) -> ASGIApp:
    """All pages, and `more` routes, under this machine's names and the one in `site.url`."""
    pages = Pages(static, ROOMS)
    gate = Gate(
        database,
        pages,
        site.cell,
        secure=site.url is not None,
        open_to_loopback=site.open_to_loopback,
        clock=site.clock,
    )
    names = frozenset[str]() if site.url is None else frozenset({urlsplit(site.url).hostname or ""})
    return create_console(
        static, pages, [*console_routes(database, pages, site), *more], gate, hosts=LOOPBACK_NAMES | names
    )
