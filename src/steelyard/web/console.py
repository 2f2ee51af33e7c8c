"""The console: pages behind one guard. `main` mounts it last, at the root."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from steelyard.kit import scopes
from steelyard.store.database import Database
from steelyard.web.guard import LOOPBACK_NAMES, Guard
from steelyard.web.pages import Pages
from steelyard.web.routes import PageRoute
from steelyard.web.sessions import COOKIE, SESSION_LIFE, is_open, open_session
from steelyard.web.static import Static

_OPEN_TO_ALL = ("/enter", "/static/")
_LOOPBACK = ("127.0.0.1", "::1")

Clock = Callable[[], datetime]
Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def utc_now() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)


def create_console(
    database: Database,
    static: Static,
    pages: Pages,
    routes: Sequence[PageRoute],
    *,
    open_to_loopback: bool = False,
    hosts: Collection[str] = LOOPBACK_NAMES,
    clock: Clock = utc_now,
) -> ASGIApp:
    """All pages of `routes`, for those who came by a one-time link, or for this machine if `open_to_loopback`."""

    async def refuse(request: Request, error: Exception) -> Response:
        return pages.refusal(request, error)

    app = Starlette(
        routes=[static.route(), *_entrance(database, pages, clock), *routes],
        exception_handlers={HTTPException: refuse, 500: refuse},
        max_body_size=64 * 1024,
    )
    app.add_middleware(_Sessions, database=database, pages=pages, open_to_loopback=open_to_loopback, clock=clock)
    return Guard(app, hosts)


def _entrance(database: Database, pages: Pages, clock: Clock) -> list[PageRoute]:
    """One button between link and session, so that a preview of the link does not use it up."""

    def show(request: Request) -> Response:
        return pages.answer(request, "web/enter.html", token=request.query_params.get("token", ""))

    async def enter(request: Request) -> Response:
        async with request.form() as form:
            token = form.get("token")
        session = await open_session(database, token, clock()) if isinstance(token, str) else None
        if session is None:
            raise HTTPException(401)
        response = RedirectResponse("/", 303)
        life = int(SESSION_LIFE.total_seconds())
        response.set_cookie(COOKIE, session, max_age=life, path="/", httponly=True, samesite="strict")
        return response

    return [
        PageRoute("/enter", show, scopes.Scope.CELL, methods=["GET"]),
        PageRoute("/enter", enter, scopes.Scope.CELL, methods=["POST"]),
    ]


class _Sessions:
    """Lets through who has a session; all others get a page that says how to come by one."""

    def __init__(self, app: ASGIApp, database: Database, pages: Pages, open_to_loopback: bool, clock: Clock) -> None:
        self._app, self._database, self._pages = app, database, pages
        self._open_to_loopback, self._clock = open_to_loopback, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not await self._may_pass(request := Request(scope)):
            await self._pages.refusal(request, HTTPException(401))(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _may_pass(self, request: Request) -> bool:
        if request.url.path.startswith(_OPEN_TO_ALL):
            return True
        if self._open_to_loopback and request.client is not None and request.client.host in _LOOPBACK:
            return True
        session = request.cookies.get(COOKIE)
        return session is not None and await is_open(self._database, session, self._clock())
