"""Who looks at a page: what its frame shows of them, and what they may do there. The gate says who it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo

from starlette.requests import Request

from steelyard.web.place import Place

THEMES = ("system", "light", "dark")
ZONES = ("browser", "workspace", "utc")

Zone = Literal["browser", "workspace", "utc"]

KEY = "steelyard.viewer"
"""Where the gate leaves the viewer in a request's scope."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """What somebody chose for themselves. An empty `language`, `system` and `browser` leave it to the browser."""

    language: str = ""
    theme: str = ""
    zone: Zone = "browser"
    single_keys: bool = True


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks. `granted` are the permissions they have in the workspace that the page is about.

    `name` is empty for nobody in particular: a page that is open to all, or this machine. `place` is where the page is,
    `places` are all they may go to. `workspace_zone` is a name of the tz database.
    """

    name: str = ""
    granted: frozenset[str] = frozenset()
    preferences: Preferences = field(default_factory=Preferences)
    place: Place | None = None
    places: tuple[Place, ...] = ()
    workspace_zone: str = "UTC"
    signed_in: bool = False

    def may(self, permission: str) -> bool:
        """Whether they have a permission; for what a page offers. What a route needs is checked before it runs."""
        return permission in self.granted

    @property
    def zone(self) -> tzinfo:
        """The zone in which the server writes times for them. `browser` is rewritten there; until then it is UTC."""
        return zone_named(self.workspace_zone) if self.preferences.zone == "workspace" else UTC


NOBODY = Viewer()


def viewer_of(request: Request) -> Viewer:
    """Who looks; NOBODY where no gate stands before the route."""
    found = request.scope.get(KEY, NOBODY)
    return found if isinstance(found, Viewer) else NOBODY


def place_of(request: Request) -> Place:
    """Where the page is; nowhere in particular for who is no member of anything."""
    return viewer_of(request).place or Place("", "")


def zone_named(name: str) -> tzinfo:
    """The zone of the tz database called `name`; UTC for one that is not known here."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return UTC
