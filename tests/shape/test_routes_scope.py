"""Every route of the console says whose data it shows, and what opens it."""

from pathlib import Path
from typing import Any, cast

from steelyard.kit.ids import CellId
from steelyard.kit.scopes import Scope
from steelyard.main.console import Site, console
from steelyard.people.permissions import Permission
from steelyard.web.routes import OPEN, SIGNED_IN, PageRoute
from steelyard.web.static import read_static

GUIDE = {"/styleguide", "/styleguide.csv", "/styleguide.json", "/styleguide/fragment", "/styleguide/log"}
"""The parts of the console with made-up words in them: nobody's data."""
NO_DATABASE = cast(Any, None)


def all_routes() -> list[Any]:
    guard: Any = console(NO_DATABASE, read_static(), Site(CellId("eu1"), Path("nowhere")))
    return guard._app.routes


def test_every_route_says_whose_data_it_shows() -> None:
    found = all_routes()
    assert len(found) > 10
    assert [route.path for route in found if not isinstance(route, PageRoute)] == []
    shown = {route.path: route.shows for route in found}
    assert shown["/desk"] is Scope.WORKSPACE
    assert shown["/enter"] is Scope.CELL
    assert {path for path, scope in shown.items() if scope is Scope.GLOBAL} == GUIDE | {"/static/{version}/{name:path}"}


def test_every_route_says_what_opens_it() -> None:
    found = all_routes()
    known = {OPEN, SIGNED_IN, *Permission}
    assert [route.path for route in found if route.needs not in known] == []
    opened = {route.path for route in found if route.needs == OPEN}
    assert opened == GUIDE | {"/static/{version}/{name:path}", "/sign-in", "/sign-in/as", "/enter"} | {
        "/api/companion/connect",
        "/api/companion/connect/look",
    }
    # Members are told what they may do, and a token ends itself; all else of a workspace takes a permission.
    loose = {route.path for route in found if route.shows is Scope.WORKSPACE and route.needs in (OPEN, SIGNED_IN)}
    assert loose == {"/access", "/access.csv", "/access.json", "/api/companion/token"}
