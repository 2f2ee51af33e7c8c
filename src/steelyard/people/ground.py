"""What the pages of people stand on, and what they all ask of it."""

from __future__ import annotations

from typing import NamedTuple

from starlette.requests import Request

from steelyard.kit.ids import PersonId
from steelyard.people.gate import identity_of
from steelyard.people.members import Teammates
from steelyard.store.database import Database
from steelyard.store.ledger import Ledger
from steelyard.web.console import Clock
from steelyard.web.pages import Pages


class Ground(NamedTuple):
    """The database and what else these pages are given."""

    database: Database
    ledger: Ledger
    pages: Pages
    teammates: Teammates
    clock: Clock
    secure: bool = False
    """Whether the console is reached by https."""
    open_to_loopback: bool = False
    """Whether this machine may do all without signing in, as in the demo."""


def actor_of(request: Request) -> PersonId | None:
    """Who does something; None for this machine."""
    identity = identity_of(request)
    return identity.person if identity is not None else None
