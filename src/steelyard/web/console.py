"""The console: pages behind one guard and one gate. `main` mounts it last, at the root."""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from steelyard.web.guard import LOOPBACK_NAMES, Guard
from steelyard.web.pages import Pages
from steelyard.web.routes import ENDED, GATE, PageRoute, Until
from steelyard.web.static import Static

_FILES = "/static/"
_COMPRESSED = 3
"""How hard pages are compressed: 1 to 9. Files are compressed when they are read, live streams by themselves."""

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)


class Gate(Protocol):
    """Who stands before every route."""

    async def identify(self, request: Request) -> None:
        """Leaves the viewer in the request's scope, for its frame, whatever becomes of it."""
        ...

    async def admit(self, request: Request, route: PageRoute) -> Response | None:
        """None where the viewer has what `route` needs, else the answer that says why not."""
        ...

    def ended(self, request: Request) -> Until:
        """To be asked later, by an answer without end: whether who was admitted is so no longer."""
        ...


def create_console(
    static: Static,
    pages: Pages,
    routes: Sequence[PageRoute],
    gate: Gate,
    *,
    hosts: Collection[str] = LOOPBACK_NAMES,
) -> ASGIApp:
    """All pages of `routes`, for those whom `gate` admits, under the names `hosts`."""

    async def refuse(request: Request, error: Exception) -> Response:
        return pages.refusal(request, error)

    app = Starlette(
        routes=[static.route(), *routes],
        exception_handlers={HTTPException: refuse, 500: refuse},
        max_body_size=64 * 1024,
    )
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=_COMPRESSED)
    app.add_middleware(_AtTheGate, gate=gate)
    return Guard(app, hosts)


class _AtTheGate:
    """Every request but those for files is identified first, so that also an error knows whom it is told to."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app, self._gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[GATE], scope[ENDED] = self._gate.admit, self._gate.ended
        if scope["type"] == "http" and not scope["path"].startswith(_FILES):
            await self._gate.identify(Request(scope, receive))
        await self._app(scope, receive, send)
