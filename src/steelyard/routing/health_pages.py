"""The page about health, and the same as data."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from steelyard.kit.ids import WorkspaceId
from steelyard.kit.scopes import Scope
from steelyard.people.permissions import Permission
from steelyard.routing import alarms
from steelyard.routing.health_page import read_health
from steelyard.store.database import Database
from steelyard.web.console import Clock
from steelyard.web.data import plain
from steelyard.web.pages import Pages
from steelyard.web.routes import PageRoute


def routes(
    database: Database, pages: Pages, workspace_of: Callable[[Request], Awaitable[WorkspaceId]], clock: Clock
) -> list[PageRoute]:
    """`/health` and `/health.json`."""

    async def health(request: Request) -> Response:
        view = await read_health(database, await workspace_of(request), clock())
        return pages.answer(request, "routing/health.html", place=view.place, view=view, words=alarms.words)

    async def health_data(request: Request) -> Response:
        return JSONResponse(plain(await read_health(database, await workspace_of(request), clock())))

    return [
        PageRoute("/health", health, Scope.WORKSPACE, Permission.SEE_DESK),
        PageRoute("/health.json", health_data, Scope.WORKSPACE, Permission.SEE_DESK),
    ]
