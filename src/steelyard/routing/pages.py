"""The pages of routing: the desk, the decisions, and why each was made. Each is also data, under the same address."""

from asyncio import to_thread
from typing import cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from steelyard.kit.ids import WorkspaceId
from steelyard.kit.instants import micros
from steelyard.kit.scopes import Scope
from steelyard.people.gate import standing_of
from steelyard.people.permissions import Permission as P
from steelyard.routing import acts_pages, conversations_pages, desk_pages, health_pages, shadow_pages
from steelyard.routing.acts import Acts
from steelyard.routing.aside import Aside, read_aside, seqs_in, tried_in
from steelyard.routing.conversations_pages import ConversationsPages
from steelyard.routing.desk import read_place
from steelyard.routing.desk_cache import Desks
from steelyard.routing.entries import HEADER, Entry, read_entries
from steelyard.routing.replayed import Replayed, read_replay
from steelyard.routing.why import Why, read_why
from steelyard.store.database import Database
from steelyard.web.console import Clock, utc_now
from steelyard.web.data import csv_answer, plain
from steelyard.web.fragments import Fragments
from steelyard.web.pages import Pages
from steelyard.web.place import Place
from steelyard.web.routes import PageRoute
from steelyard.web.sse import Changes, polled
from steelyard.web.viewer import viewer_of

PER_PAGE = 50
MOST_IN_CSV = 10_000
_LARGEST = 2**63 - 2


class RoutingPages:
    """What the routes of this room do."""

    def __init__(self, database: Database, pages: Pages, acts: Acts, clock: Clock) -> None:
        self._database, self._pages, self._acts, self._clock = database, pages, acts, clock

    async def decisions(self, request: Request) -> Response:
        """Decisions, newest first, a page at a time."""
        workspace = await self.required(request)
        place, entries = await self._entries(request, workspace, PER_PAGE + 1)
        more = len(entries) > PER_PAGE
        first = "before" not in request.query_params
        return self._pages.answer(
            request, "routing/decisions.html", place=place, entries=entries[:PER_PAGE], more=more, first=first
        )

    async def decisions_data(self, request: Request) -> Response:
        """The same page as JSON; `next` is the `before` of the page after it."""
        _, entries = await self._entries(request, await self.required(request), PER_PAGE + 1)
        page = entries[:PER_PAGE]
        return JSONResponse({"decisions": plain(page), "next": page[-1].number if len(entries) > PER_PAGE else None})

    async def decisions_csv(self, request: Request) -> Response:
        """The newest 10,000 decisions as CSV; ids and numbers only."""
        _, entries = await self._entries(request, await self.required(request), MOST_IN_CSV)
        return csv_answer("decisions", HEADER, (each.cells for each in entries))

    async def why(self, request: Request) -> Response:
        """Why this engineer?"""
        view = await self._why(request)
        return self._pages.answer(request, "routing/why.html", place=view.place, view=view)

    async def why_data(self, request: Request) -> Response:
        """What was recorded of the decision as JSON."""
        return JSONResponse(plain(await self._why(request)))

    async def replay(self, request: Request) -> Response:
        """The decision made again: who could take it, who could not, and whether that is what was recorded."""
        view = await self._replay(request)
        # With hundreds of engineers this takes a while, in which others go on.
        return await to_thread(self._pages.answer, request, "routing/replay.html", place=view.place, view=view)

    async def replay_data(self, request: Request) -> Response:
        """The same as JSON: the whole explanation."""
        return JSONResponse(await to_thread(plain, await self._replay(request)))

    async def aside(self, request: Request) -> Response:
        """What could not be handled, and why; after trying again, what became of it."""
        view = await self._aside(request)
        return self._pages.answer(request, "routing/aside.html", place=view.place, view=view)

    async def aside_data(self, request: Request) -> Response:
        """The same as JSON."""
        return JSONResponse(plain(await self._aside(request)))

    async def again(self, request: Request) -> Response:
        """Tries one payload again, or all of them."""
        standing = standing_of(request)
        workspace = standing.workspace
        async with request.form() as form:
            chosen = form.get("seq")
        try:
            seqs = seqs_in(chosen)
        except ValueError:
            raise HTTPException(400) from None
        now = self._clock()
        await self._acts.try_again(workspace, seqs, standing.person, now)
        async with self._database.transaction(workspace) as connection:
            place = await read_place(connection, workspace)
        return RedirectResponse(place.link("/aside", tried=str(micros(now))), 303)

    async def _aside(self, request: Request) -> Aside:
        workspace = await self.required(request)
        return await read_aside(self._database, workspace, self._clock(), tried_in(request.query_params))

    async def _why(self, request: Request) -> Why:
        number = cast("int", request.path_params["number"])
        workspace = await self.required(request)
        reads = viewer_of(request).may(P.READ_MESSAGES)
        view = await read_why(self._database, workspace, number, reads=reads) if number <= _LARGEST else None
        if view is None:
            raise HTTPException(404)
        return view

    async def _replay(self, request: Request) -> Replayed:
        number, workspace = cast("int", request.path_params["number"]), await self.required(request)
        view = await read_replay(self._database, workspace, number) if number <= _LARGEST else None
        if view is None:
            raise HTTPException(404)
        return view

    async def _entries(self, request: Request, workspace: WorkspaceId, most: int) -> tuple[Place, tuple[Entry, ...]]:
        before = request.query_params.get("before", "")
        limit = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
        async with self._database.transaction(workspace) as connection:
            return await read_place(connection, workspace), await read_entries(connection, most, limit)

    async def required(self, request: Request) -> WorkspaceId:
        """The workspace that a request is about, as the gate found it."""
        return standing_of(request).workspace


_NO_FRAGMENTS = Fragments()


def routes(
    database: Database,
    pages: Pages,
    acts: Acts,
    changes: Changes = polled,
    clock: Clock = utc_now,
    fragments: Fragments = _NO_FRAGMENTS,
) -> list[PageRoute]:
    """The routes of this room, for `create_console`. `changes` tells when a desk has to be drawn again.

    `fragments` are the parts of a conversation's page that other rooms draw.
    """
    room, desks = RoutingPages(database, pages, acts, clock), Desks(database)
    conversations = ConversationsPages(database, pages, acts, desks, fragments, clock)
    return [
        *desk_pages.routes(database, desks, pages, changes, clock),
        *conversations_pages.routes(conversations),
        *acts_pages.routes(database, pages, acts, conversations, desks, clock),
        PageRoute("/decisions", room.decisions, Scope.WORKSPACE, P.SEE_DESK),
        PageRoute("/decisions.json", room.decisions_data, Scope.WORKSPACE, P.SEE_DESK),
        PageRoute("/decisions.csv", room.decisions_csv, Scope.WORKSPACE, P.SEE_DESK),
        PageRoute("/decisions/{number:int}", room.why, Scope.WORKSPACE, P.SEE_DESK),
        PageRoute("/decisions/{number:int}.json", room.why_data, Scope.WORKSPACE, P.SEE_DESK),
        PageRoute("/decisions/{number:int}/replay", room.replay, Scope.WORKSPACE, P.SEE_DESK),
        PageRoute("/decisions/{number:int}/replay.json", room.replay_data, Scope.WORKSPACE, P.SEE_DESK),
        PageRoute("/aside", room.aside, Scope.WORKSPACE, P.SEE_DESK, methods=["GET"]),
        PageRoute("/aside", room.again, Scope.WORKSPACE, P.RETRY, methods=["POST"]),
        PageRoute("/aside.json", room.aside_data, Scope.WORKSPACE, P.SEE_DESK),
        *health_pages.routes(database, pages, room.required, clock),
        *shadow_pages.routes(database, pages, acts, room.required, clock),
    ]
