"""What people do on pages: moving a conversation, going away, taking somebody off rotation; and an engineer's page.

Each is a plain form. A script that sends it asks with `HX-Request` and is answered with the toast alone; a program that
asks for JSON is answered with that.
"""

from __future__ import annotations

from typing import Final, cast

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from steelyard.kit.errors import ActError
from steelyard.kit.ids import ConversationId, EngineerId, numeric_id
from steelyard.kit.scopes import Scope
from steelyard.people.gate import standing_of, wants_data
from steelyard.people.permissions import Permission as P
from steelyard.routing.acts import Acts
from steelyard.routing.acts_done import Refusal, act_done, read_done
from steelyard.routing.conversation_page import read_seen_with
from steelyard.routing.conversations import Listed, Reader, read_conversations
from steelyard.routing.conversations_pages import ConversationsPages
from steelyard.routing.desk_cache import Desks
from steelyard.routing.engineer_page import EngineerPage, read_engineer
from steelyard.store.database import Database
from steelyard.web.console import Clock
from steelyard.web.data import plain
from steelyard.web.forms import sent_json, sent_of
from steelyard.web.pages import Pages, language_of
from steelyard.web.routes import PageRoute
from steelyard.web.tables import Shown
from steelyard.web.toasts import Done, told
from steelyard.web.viewer import viewer_of

_LARGEST: Final = 2**63 - 1
_BACK: Final = {"desk": "/desk"}
"""Where an act may have been asked for, besides the page of what it is done to."""


class ActsPages:
    """What these routes do."""

    def __init__(
        self, database: Database, pages: Pages, acts: Acts, shown: ConversationsPages, desks: Desks, clock: Clock
    ) -> None:
        """`shown` draws a conversation's page, also where a move of it was refused."""
        self._database, self._pages, self._acts, self._clock = database, pages, acts, clock
        self._shown, self._desks = shown, desks

    async def move(self, request: Request) -> Response:
        """Has a conversation given to somebody else, or to nobody."""
        async with request.form() as form:
            conversation, expected, back = _id(form, "conversation"), _id(form, "expected"), sent_of(form, "from")
            engineer = _id(form, "engineer") if sent_of(form, "engineer") else None
        if engineer is None:
            refusal = Refusal("nobody_chosen", "nobody is chosen: name an engineer, or 0 for nobody")
        else:
            refusal = await self._move(request, conversation, engineer, expected)
        if refusal is None:
            done = Done("moved", (conversation, engineer or 0, expected))
            return await self._told(request, done, _BACK.get(back, f"/conversations/{conversation}"), back)
        return self._refused(request, refusal) or await self._shown.answer(request, conversation, refusal)

    async def rotation(self, request: Request) -> Response:
        """Takes somebody off rotation, or puts them back."""
        async with request.form() as form:
            resting = "off" in form
            engineer, back = _id(form, "off" if resting else "back"), sent_of(form, "from")
        standing = standing_of(request)
        try:
            await self._acts.set_rotation(standing.workspace, EngineerId(engineer), resting, standing.person)
        except ActError as error:
            refusal = Refusal(error.code, str(error))
            return self._refused(request, refusal) or await self._engineer(request, engineer, refusal)
        done = Done("resting" if resting else "rotating", (engineer,))
        return await self._told(request, done, _BACK.get(back, f"/engineers/{engineer}"), back)

    async def away(self, request: Request) -> Response:
        """Has the asker set away in Intercom, or back."""
        away, back = await _away_in(request)
        standing = standing_of(request)
        if away not in ("yes", "no"):
            raise HTTPException(400, "Say away as yes or no.")
        if standing.engineer is None:
            raise HTTPException(409, "You are linked to nobody in Intercom. An administrator links you under People.")
        try:
            await self._acts.set_away(standing.workspace, standing.engineer, away == "yes", standing.person)
        except ActError as error:
            refusal = Refusal(error.code, str(error))
            return self._refused(request, refusal) or await self._engineer(request, standing.engineer, refusal)
        path = _BACK.get(back, f"/engineers/{standing.engineer}")
        return await self._told(request, Done("away" if away == "yes" else "back"), path, back)

    async def engineer(self, request: Request) -> Response:
        """One engineer's page."""
        return await self._engineer(request, cast("int", request.path_params["engineer"]))

    async def engineer_data(self, request: Request) -> Response:
        """The same as JSON."""
        engineer = cast("int", request.path_params["engineer"])
        view = await self._read_engineer(request, engineer)
        carried = await self._carried(request, engineer)
        return JSONResponse(plain(view._asdict() | {"conversations": carried.rows}))

    async def _engineer(self, request: Request, engineer: int, refusal: Refusal | None = None) -> Response:
        view = await self._read_engineer(request, engineer)
        return self._pages.answer(
            request,
            "routing/acts_engineer.html",
            status=refusal.status if refusal is not None else 200,
            view=view,
            carried=await self._carried(request, engineer),
            own=standing_of(request).engineer == engineer,
            done=await read_done(self._database, request) if refusal is None else None,
            refusal=refusal,
        )

    async def _read_engineer(self, request: Request, engineer: int) -> EngineerPage:
        workspace, now = standing_of(request).workspace, self._clock()
        desk = await self._desks.of(workspace).view(now)
        view = await read_engineer(self._database, workspace, engineer, desk, now) if engineer <= _LARGEST else None
        if view is None:
            raise HTTPException(404)
        return view

    async def _carried(self, request: Request, engineer: int) -> Shown[Listed]:
        viewer = viewer_of(request)
        reader = Reader(language_of(request), viewer.zone, viewer.may(P.READ_MESSAGES))
        asked, workspace = ({"engineer": str(engineer)}, False), standing_of(request).workspace
        among = self._desks.of(workspace).all_of(engineer)
        return await read_conversations(self._database, workspace, self._clock(), asked, reader, among)

    async def _move(self, request: Request, conversation: int, engineer: int, expected: int) -> Refusal | None:
        """None where it was asked for, else why not: also where somebody else has it by now than the asker saw."""
        standing = standing_of(request)
        async with self._database.transaction(standing.workspace) as connection:
            now = await read_seen_with(connection, standing.workspace, conversation)
        if now is not None and now.id != expected:
            return Refusal("stale", "it is with somebody else by now", now, engineer)
        try:
            ids = ConversationId(conversation), EngineerId(engineer), EngineerId(expected)
            await self._acts.move(standing.workspace, *ids, standing.person)
        except ActError as error:
            return Refusal(error.code, str(error), chosen=engineer)
        return None

    async def _told(self, request: Request, done: Done, path: str, back: str) -> Response:
        """Says what was done: on the page at `path`, as a toast, or as data."""
        standing, place = standing_of(request), viewer_of(request).place
        if place is None:
            raise HTTPException(404)
        if not _is_script(request) and not wants_data(request):
            return told(place, path, done)
        async with self._database.transaction(standing.workspace) as connection:
            act = await act_done(connection, done, place, back, request)
        if wants_data(request):
            return JSONResponse({"done": plain(act)})
        return self._pages.answer(request, "routing/acts_toast.html", done=act, refusal=None)

    def _refused(self, request: Request, refusal: Refusal) -> Response | None:
        """What a script or a program is told; None for a form, whose page says it."""
        if wants_data(request):
            about = {"status": refusal.status, "code": refusal.code, "message": refusal.message}
            return JSONResponse({"error": about}, refusal.status)
        if _is_script(request):
            return self._pages.answer(
                request, "routing/acts_toast.html", status=refusal.status, done=None, refusal=refusal
            )
        return None


def _is_script(request: Request) -> bool:
    return request.headers.get("hx-request") == "true"


async def _away_in(request: Request) -> tuple[str, str]:
    """Whether to be away, and where that was asked: from a form, or from JSON, where it is a truth value or a word."""
    if (sent := await sent_json(request)) is not None:
        away: object = sent.get("away")
        return ("yes" if away else "no") if isinstance(away, bool) else str(away), ""
    async with request.form() as form:
        return sent_of(form, "away"), sent_of(form, "from")


def _id(form: FormData, name: str) -> int:
    """An id, or 0 for nobody. Raises HTTPException for what is neither."""
    value = sent_of(form, name)
    id = 0 if value == "0" else numeric_id(value)
    if id is None:
        raise HTTPException(400)
    return id


def routes(
    database: Database, pages: Pages, acts: Acts, shown: ConversationsPages, desks: Desks, clock: Clock
) -> list[PageRoute]:
    """The routes of acts and of engineers."""
    room = ActsPages(database, pages, acts, shown, desks, clock)
    return [
        PageRoute("/move", room.move, Scope.WORKSPACE, P.MOVE, methods=["POST"]),
        PageRoute("/rotation", room.rotation, Scope.WORKSPACE, P.CHANGE_ROTATION, methods=["POST"]),
        PageRoute("/away", room.away, Scope.WORKSPACE, P.SET_OWN_AWAY, methods=["POST"]),
        PageRoute("/engineers/{engineer:int}", room.engineer, Scope.WORKSPACE, P.SEE_DESK, methods=["GET"]),
        PageRoute("/engineers/{engineer:int}.json", room.engineer_data, Scope.WORKSPACE, P.SEE_DESK, methods=["GET"]),
    ]
