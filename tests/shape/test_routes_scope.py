"""Every route of the console says whose data it shows."""

from typing import Any, cast

from steelyard.kit.scopes import Scope
from steelyard.main import ROOMS
from steelyard.routing.pages import routes
from steelyard.web.console import create_console
from steelyard.web.pages import Pages
from steelyard.web.routes import PageRoute
from steelyard.web.static import read_static

NO_DATABASE = cast(Any, None)


def test_every_route_says_whose_data_it_shows() -> None:
    static = read_static()
    pages = Pages(static, ROOMS)
    guard: Any = create_console(NO_DATABASE, static, pages, routes(NO_DATABASE, pages))
    found: list[Any] = guard._app.routes
    assert len(found) > 10
    assert [route.path for route in found if not isinstance(route, PageRoute)] == []
    shown = {route.path: route.shows for route in found}
    assert shown["/desk"] is Scope.WORKSPACE
    assert shown["/enter"] is Scope.CELL
    assert {path for path, scope in shown.items() if scope is Scope.GLOBAL} == {"/static/{version}/{name:path}"}
