"""The pages on the way from the shadow to being on: what would have been better, and the switch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from steelyard.kit.ids import WorkspaceId
from steelyard.kit.scopes import Scope
from steelyard.people.gate import standing_of
from steelyard.people.permissions import Permission
from steelyard.routing.acts import Acts
from steelyard.routing.desk import read_place
from steelyard.routing.shadow import HEADER, Shadow, read_shadow, span_of
from steelyard.routing.switch_page import SwitchPage, read_switch_page
from steelyard.routing.switching import Change, change_of, code_of
from steelyard.store.database import Database
from steelyard.web.console import Clock
from steelyard.web.data import csv_text, plain
from steelyard.web.forms import sent_of
from steelyard.web.pages import Pages
from steelyard.web.routes import PageRoute

WorkspaceOf = Callable[[Request], Awaitable[WorkspaceId]]


class ShadowPages:
    """What these routes do."""

    def __init__(self, database: Database, pages: Pages, acts: Acts, workspace_of: WorkspaceOf, clock: Clock) -> None:
        self._database, self._pages, self._acts = database, pages, acts
        self._workspace_of, self._clock = workspace_of, clock

    async def shadow(self, request: Request) -> Response:
        """What would have been better."""
        view = await self._shadow(request)
        return self._pages.answer(request, "routing/shadow.html", place=view.place, view=view)

    async def shadow_data(self, request: Request) -> Response:
        """The same as JSON."""
        return JSONResponse(plain(await self._shadow(request)))

    async def shadow_csv(self, request: Request) -> Response:
        """Its numbers as CSV, one team a row; ids and numbers only."""
        view = await self._shadow(request)
        headers = {"Content-Disposition": 'attachment; filename="shadow.csv"'}
        cells = (each.cells for each in (view.total, *view.teams))
        return Response(csv_text(HEADER, cells), media_type="text/csv", headers=headers)

    async def switch(self, request: Request) -> Response:
        """For which teams Steelyard assigns; after a change, what was done, with the way back."""
        view = await self._switch(request)
        return self._pages.answer(request, "routing/switch.html", place=view.place, view=view)

    async def switch_data(self, request: Request) -> Response:
        """The same as JSON."""
        return JSONResponse(plain(await self._switch(request)))

    async def change(self, request: Request) -> Response:
        """Does what the pressed button says."""
        workspace = await self._workspace_of(request)
        change = await _pressed(request)
        before, _ = await self._acts.change_switch(workspace, change, standing_of(request).person)
        async with self._database.transaction(workspace) as connection:
            place = await read_place(connection, workspace)
        return RedirectResponse(place.link("/switch", done=change.code, was=code_of(before)), 303)

    async def _shadow(self, request: Request) -> Shadow:
        workspace = await self._workspace_of(request)
        return await read_shadow(self._database, workspace, self._clock(), span_of(request.query_params.get("span")))

    async def _switch(self, request: Request) -> SwitchPage:
        workspace = await self._workspace_of(request)
        return await read_switch_page(self._database, workspace, self._clock(), request.query_params)


async def _pressed(request: Request) -> Change:
    async with request.form() as form:
        code = sent_of(form, "change")
    try:
        return change_of(code)
    except ValueError:
        raise HTTPException(400) from None


def routes(database: Database, pages: Pages, acts: Acts, workspace_of: WorkspaceOf, clock: Clock) -> list[PageRoute]:
    """The routes of these pages. `workspace_of` says which workspace a request is about."""
    room = ShadowPages(database, pages, acts, workspace_of, clock)
    return [
        PageRoute("/shadow", room.shadow, Scope.WORKSPACE, Permission.SEE_DESK),
        PageRoute("/shadow.json", room.shadow_data, Scope.WORKSPACE, Permission.SEE_DESK),
        PageRoute("/shadow.csv", room.shadow_csv, Scope.WORKSPACE, Permission.SEE_DESK),
        PageRoute("/switch", room.switch, Scope.WORKSPACE, Permission.SEE_DESK, methods=["GET"]),
        PageRoute("/switch", room.change, Scope.WORKSPACE, Permission.SWITCH, methods=["POST"]),
        PageRoute("/switch.json", room.switch_data, Scope.WORKSPACE, Permission.SEE_DESK),
    ]
