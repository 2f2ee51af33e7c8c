"""Every route of the console says whose data it shows, and what opens it."""

from typing import Any, cast

from steelyard.kit.scopes import Scope
from steelyard.main import ROOMS, acts, ledger
from steelyard.people import pages as people_pages
from steelyard.people.permissions import Permission
from steelyard.routing.pages import routes
from steelyard.web.console import create_console
from steelyard.web.pages import Pages
from steelyard.web.routes import OPEN, SIGNED_IN, PageRoute
from steelyard.web.static import read_static

NO_DATABASE = cast(Any, None)


def all_routes() -> list[Any]:
    static = read_static()
    pages = Pages(static, ROOMS)
    shown = [*people_pages.routes(NO_DATABASE, ledger(), pages), *routes(NO_DATABASE, pages, acts(NO_DATABASE))]
    guard: Any = create_console(static, pages, shown, cast(Any, None))
    return guard._app.routes


def test_every_route_says_whose_data_it_shows() -> None:
    found = all_routes()
    assert len(found) > 10
    assert [route.path for route in found if not isinstance(route, PageRoute)] == []
    shown = {route.path: route.shows for route in found}
    assert shown["/desk"] is Scope.WORKSPACE
    assert shown["/enter"] is Scope.CELL
    assert {path for path, scope in shown.items() if scope is Scope.GLOBAL} == {"/static/{version}/{name:path}"}


def test_every_route_says_what_opens_it() -> None:
    found = all_routes()
    known = {OPEN, SIGNED_IN, *Permission}
    assert [route.path for route in found if route.needs not in known] == []
    opened = {route.path for route in found if route.needs == OPEN}
    assert opened == {"/static/{version}/{name:path}", "/sign-in", "/enter"}
    assert [route.path for route in found if route.shows is Scope.WORKSPACE and route.needs in (OPEN, SIGNED_IN)] == []
