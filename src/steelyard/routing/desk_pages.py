"""The desk's page: as it is now, as data, and as a stream that goes on by itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from steelyard.kit.ids import WorkspaceId
from steelyard.kit.scopes import Scope
from steelyard.people.gate import counted_as, standing_of
from steelyard.people.permissions import Permission
from steelyard.routing.acts_done import read_done
from steelyard.routing.desk import Desk
from steelyard.routing.desk_cache import Desks
from steelyard.routing.desk_parts import DeskParts
from steelyard.routing.mine import Mine
from steelyard.store.database import Database
from steelyard.web.console import Clock
from steelyard.web.data import plain
from steelyard.web.frames import Parts
from steelyard.web.moving import with_times
from steelyard.web.pages import Pages, language_of
from steelyard.web.routes import SIGNED_IN, PageRoute, ended_for
from steelyard.web.sse import Changes, EventStream, Hub, Manner
from steelyard.web.viewer import viewer_of

COME_AGAIN = 10
"""Seconds after which a stream for which there was no room may be asked for again."""

_MOST_DIGITS = 18


class Shown(NamedTuple):
    """What of a workspace's desk is shown: everybody, or one team."""

    workspace: WorkspaceId
    team: int | None
    reads: bool
    """Whether whoever looks may see what customers write and are called."""


class DeskPages:
    """What the desk's routes do."""

    def __init__(self, database: Database, desks: Desks, pages: Pages, changes: Changes, clock: Clock) -> None:
        self._database, self._pages, self._changes, self._clock = database, pages, changes, clock
        self._desks, self._parts = desks, DeskParts(pages)
        self.hub = Hub[Shown, Desk](self._load, self._parts.draw, self._changes_of, self._own)

    def home(self, request: Request) -> Response:
        """The desk is the first page."""
        return RedirectResponse(str(request.url.replace(path="/desk", scheme="", netloc="")), 303)

    async def desk(self, request: Request) -> Response:
        """The desk as it is now; it goes on by itself through `live`."""
        shown, manner = _shown(request), _manner(request)
        view, frame = await self.hub.frame(shown, manner)
        engineer = standing_of(request).engineer
        own: Parts = await self._own(shown, engineer, manner) if engineer is not None else {}
        asked = {"team": str(view.team.id)} if view.team is not None else {}
        page = self._pages.answer(
            request,
            "routing/desk.html",
            place=view.place,
            view=view,
            parts={**frame.parts, **own},
            frame=frame.id,
            stream=view.place.link("/desk/live", **asked),
            data=view.place.link("/desk.json", **asked),
            done=await read_done(self._database, request),
        )
        page.body = with_times(bytes(page.body).decode(), view.at).encode()
        page.headers["content-length"] = str(len(page.body))
        return page

    async def data(self, request: Request) -> Response:
        """The desk as JSON; with what is the asker's own, if they are an engineer."""
        shown = _shown(request)
        data = (await self._load(shown)).data
        engineer = standing_of(request).engineer
        mine = await self._mine(shown, engineer) if engineer is not None else None
        return JSONResponse(plain(data | {"mine": mine}))

    async def live(self, request: Request) -> Response:
        """The desk's parts, each time that something has changed."""
        viewer = counted_as(request)
        if self.hub.full(viewer):
            raise HTTPException(503, headers={"Retry-After": str(COME_AGAIN)})
        known = request.headers.get("last-event-id") or request.query_params.get("frame", "")
        engineer, until = standing_of(request).engineer, ended_for(request)
        packed = "gzip" in request.headers.get("accept-encoding", "")
        events = self.hub.stream(
            _shown(request), _manner(request), known, engineer, until, packed=packed, viewer=viewer
        )
        return EventStream(events, packed=packed)

    async def _load(self, shown: Shown) -> Desk:
        view = await self._desks.of(shown.workspace).view(self._clock(), shown.team)
        return view if shown.reads else view.without_contacts

    async def _own(self, shown: Shown, engineer: int, manner: Manner) -> Parts:
        desk = self._desks.of(shown.workspace)
        mine, place = await self._mine(shown, engineer), desk.place
        return await self._parts.own(mine, place, manner) if place is not None else {}

    async def _mine(self, shown: Shown, engineer: int) -> Mine | None:
        mine = await self._desks.of(shown.workspace).mine(engineer)
        return mine if shown.reads or mine is None else mine.without_contacts

    async def _changes_of(self, shown: Shown) -> AsyncGenerator[None]:
        async for _ in self._changes(shown.workspace):
            yield


def _shown(request: Request) -> Shown:
    """What an address asks for; everybody where it names no team, or none that could be one."""
    team = request.query_params.get("team", "")
    usable = team.isascii() and team.isdigit() and len(team) <= _MOST_DIGITS
    reads = viewer_of(request).may(Permission.READ_MESSAGES)
    return Shown(standing_of(request).workspace, int(team) if usable else None, reads)


def _manner(request: Request) -> Manner:
    return Manner(language_of(request), viewer_of(request).zone)


def routes(database: Database, desks: Desks, pages: Pages, changes: Changes, clock: Clock) -> list[PageRoute]:
    """The desk's routes. `changes` tells when a desk has to be drawn again."""
    room = DeskPages(database, desks, pages, changes, clock)
    return [
        PageRoute("/", room.home, Scope.CELL, SIGNED_IN),
        PageRoute("/desk", room.desk, Scope.WORKSPACE, Permission.SEE_DESK),
        PageRoute("/desk.json", room.data, Scope.WORKSPACE, Permission.SEE_DESK),
        PageRoute("/desk/live", room.live, Scope.WORKSPACE, Permission.SEE_DESK),
    ]
