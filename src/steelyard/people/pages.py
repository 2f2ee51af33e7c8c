"""The routes of people: the way in and out, what everybody has for themselves, who may do what, who did what."""

from __future__ import annotations

from steelyard.people import entrance
from steelyard.store.database import Database
from steelyard.store.ledger import Ledger
from steelyard.web.console import Clock, utc_now
from steelyard.web.pages import Pages
from steelyard.web.routes import PageRoute


def routes(
    database: Database, ledger: Ledger, pages: Pages, *, secure: bool = False, clock: Clock = utc_now
) -> list[PageRoute]:
    """All routes of people. `secure`: the console is reached by https."""
    return [*entrance.routes(database, ledger, pages, secure=secure, clock=clock)]
