"""What the pages of settings stand on, their tabs, and what they all ask of a request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from psycopg import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from steelyard.kit.ids import WorkspaceId
from steelyard.people.gate import standing_of
from steelyard.routing.connections import Unseal
from steelyard.store.database import Database
from steelyard.store.ledger import Ledger
from steelyard.web.console import Clock
from steelyard.web.language import N_
from steelyard.web.pages import Pages
from steelyard.web.viewer import place_of, viewer_of

TABS: Final = (
    ("/settings", N_("Intercom"), "settings.see"),
    ("/settings/notifications", N_("Notifications"), "settings.see"),
    ("/settings/retention", N_("Retention"), "settings.see"),
    ("/settings/general", N_("General"), "settings.see"),
    ("/tokens", N_("API tokens"), "tokens.own"),
    ("/people", N_("People"), "people.see"),
    ("/audit", N_("Audit"), "audit.see"),
)
"""The tabs: where each leads, what it is called, and the permission that opens it."""


class WebKeys(Protocol):
    """The web's key file."""

    def seal(self, value: str, place: str) -> str:
        """`value`, sealed for `place`. Raises KeyFileError."""
        ...

    def unseal(self, sealed: str, place: str) -> str:
        """What was sealed for `place`. Raises KeyFileError."""
        ...


class SettingsJobs(Protocol):
    """What the pages ask to have done, each in the transaction that asks for it."""

    async def read_everything(self, conn: AsyncConnection[Any], workspace: WorkspaceId) -> None:
        """Reads Intercom back."""
        ...

    async def tell_test(self, conn: AsyncConnection[Any], workspace: WorkspaceId, notification: int) -> None:
        """Sends a test message."""
        ...


@dataclass(frozen=True, slots=True)
class SettingsGround:
    """The database and what else these pages are given."""

    database: Database
    ledger: Ledger
    jobs: SettingsJobs
    keys: WebKeys
    usable: Callable[[str], Awaitable[bool]]
    """Whether an address can be told something."""
    pages: Pages
    clock: Clock

    @property
    def unseal(self) -> Unseal:
        """Opens addresses."""
        return self.keys.unseal

    def answer(self, request: Request, template: str, status: int = 200, **context: Any) -> Response:
        """A page with the tabs."""
        return self.pages.answer(request, template, status=status, tabs=tabs_of(request), **context)


class Tab(NamedTuple):
    """A tab as it is drawn."""

    href: str
    title: str
    here: bool


def tabs_of(request: Request) -> tuple[Tab, ...]:
    """The tabs that the viewer may open; the one whose page this is, or is below, is marked."""
    viewer, path, place = viewer_of(request), request.url.path, place_of(request)
    under = max((each for each, _, _ in TABS if path == each or path.startswith(f"{each}/")), key=len, default="")
    return tuple(Tab(place.link(each), title, each == under) for each, title, needs in TABS if viewer.may(needs))


def workspace_of(request: Request) -> WorkspaceId:
    """The workspace that a request is about, as the gate found it."""
    return standing_of(request).workspace
