"""The routes of conversations: their list, the page of each, and having one read from Intercom."""

from __future__ import annotations

from typing import Final, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from steelyard.kit.ids import ConversationId
from steelyard.kit.scopes import Scope
from steelyard.people.gate import standing_of
from steelyard.people.permissions import Permission as P
from steelyard.routing.acts import Acts
from steelyard.routing.acts_done import Refusal, read_done
from steelyard.routing.conversation_page import ConversationPage, candidates_of, read_conversation
from steelyard.routing.conversations import Reader, State, read_conversations
from steelyard.routing.desk_cache import Desks
from steelyard.store.database import Database
from steelyard.web.console import Clock
from steelyard.web.data import answer_table, data_routes, plain, wants_rows
from steelyard.web.fragments import Fragments
from steelyard.web.pages import Pages, language_of
from steelyard.web.routes import PageRoute
from steelyard.web.toasts import Done, told
from steelyard.web.viewer import viewer_of

_LARGEST: Final = 2**63 - 1
_MOVABLE: Final = (State.WITH, State.ON_ITS_WAY, State.SHADOW, State.WAITING)


class ConversationsPages:
    """What these routes do."""

    def __init__(
        self, database: Database, pages: Pages, acts: Acts, desks: Desks, fragments: Fragments, clock: Clock
    ) -> None:
        self._database, self._pages, self._clock = database, pages, clock
        self._acts, self._desks, self._fragments = acts, desks, fragments

    async def list(self, request: Request) -> Response:
        """The conversations that are open, and those that were closed lately."""
        viewer = viewer_of(request)
        reader = Reader(language_of(request), viewer.zone, viewer.may(P.READ_MESSAGES))
        asked = request.query_params, wants_rows(request)
        workspace, now = standing_of(request).workspace, self._clock()
        shown = await read_conversations(self._database, workspace, now, asked, reader)
        return answer_table(self._pages, request, "routing/conversations.html", shown, at=now)

    async def page(self, request: Request) -> Response:
        """One conversation."""
        return await self.answer(request, cast("int", request.path_params["conversation"]))

    async def data(self, request: Request) -> Response:
        """The same as JSON."""
        view = await self._read(request, cast("int", request.path_params["conversation"]))
        if view is None:
            raise HTTPException(404)
        return JSONResponse(plain(view._asdict() | {"expected": view.expected}))

    async def answer(self, request: Request, conversation: int, refusal: Refusal | None = None) -> Response:
        """The page of a conversation; of one that is not known, what that may mean. `refusal`: of a move."""
        view = await self._read(request, conversation)
        done = await read_done(self._database, request) if refusal is None else None
        if view is None:
            possible = 0 < conversation <= _LARGEST
            return self._pages.answer(
                request,
                "routing/conversation_unknown.html",
                status=404,
                number=conversation,
                possible=possible,
                done=done,
            )
        status = refusal.status if refusal is not None else 200
        viewer = viewer_of(request)
        place = viewer.place
        links = self._fragments.of("conversation", conversation, viewer, place) if place is not None else ()
        return self._pages.answer(
            request, "routing/conversation.html", status=status, view=view, done=done, refusal=refusal, links=links
        )

    async def read(self, request: Request) -> Response:
        """Has one read from Intercom, known or not."""
        conversation, standing = cast("int", request.path_params["conversation"]), standing_of(request)
        place = viewer_of(request).place
        if place is None or not 0 < conversation <= _LARGEST:
            raise HTTPException(404)
        await self._acts.read(standing.workspace, ConversationId(conversation), standing.person)
        return told(place, f"/conversations/{conversation}", Done("read", (conversation,)))

    async def _read(self, request: Request, conversation: int) -> ConversationPage | None:
        if conversation > _LARGEST:
            return None
        viewer, workspace, now = viewer_of(request), standing_of(request).workspace, self._clock()
        view = await read_conversation(self._database, workspace, conversation, now, reads=viewer.may(P.READ_MESSAGES))
        if view is None or not viewer.may(P.MOVE) or view.state not in _MOVABLE or view.ticket:
            return view
        desk = await self._desks.of(workspace).view(now)
        return view._replace(candidates=candidates_of(desk, view))


def routes(room: ConversationsPages) -> list[PageRoute]:
    """The routes of conversations."""
    page, read = "/conversations/{conversation:int}", "/conversations/{conversation:int}/read"
    return [
        *data_routes("/conversations", room.list, Scope.WORKSPACE, P.SEE_DESK),
        PageRoute(page, room.page, Scope.WORKSPACE, P.SEE_DESK, methods=["GET"]),
        PageRoute(page + ".json", room.data, Scope.WORKSPACE, P.SEE_DESK, methods=["GET"]),
        PageRoute(read, room.read, Scope.WORKSPACE, P.RETRY, methods=["POST"]),
    ]
