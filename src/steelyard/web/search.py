"""Search: what rooms registered is asked all at once, each in a short time, and shown group by group."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from steelyard.kit.ids import WorkspaceId
from steelyard.kit.scopes import Scope
from steelyard.web.data import plain
from steelyard.web.language import N_
from steelyard.web.navigation import NAVIGATION
from steelyard.web.pages import Pages, language_of
from steelyard.web.place import Place
from steelyard.web.routes import PageRoute
from steelyard.web.viewer import Viewer, viewer_of

MOST: Final = 8
"""Hits of one kind."""
_SECONDS: Final = 2.0
_LONGEST: Final = 200
_WORDS: Final = 8
_NEEDS: Final = "desk.see"

log = structlog.get_logger()


class Hit(NamedTuple):
    """One thing that was found: what it is called, where it is, and what tells it from others."""

    title: str
    href: str
    note: str = ""


class Asked(NamedTuple):
    """What is searched for, where, and by whom. `words` are in lower case; a hit holds all of them."""

    workspace: WorkspaceId
    place: Place
    viewer: Viewer
    language: str
    words: tuple[str, ...]


class Searcher(NamedTuple):
    """Finds things of one kind, MOST at most; asked only for those who have the permission `needs`."""

    kind: str
    label: str
    find: Callable[[Asked], Awaitable[Sequence[Hit]]]
    needs: str


class Group(NamedTuple):
    """The hits of one kind; none and `failed` where it could not be searched."""

    kind: str
    label: str
    hits: tuple[Hit, ...]
    failed: bool = False


class Search:
    """The page, and the same as data."""

    def __init__(
        self, pages: Pages, searchers: Sequence[Searcher], workspace_of: Callable[[Request], WorkspaceId]
    ) -> None:
        """`workspace_of`: the workspace that a request is about, as the gate found it."""
        self._pages, self._searchers, self._workspace_of = pages, tuple(searchers), workspace_of

    async def show(self, request: Request) -> Response:
        """`/search?q=`."""
        query, groups = await self._ask(request)
        found = tuple(each for each in groups if each.hits)
        failed = tuple(each for each in groups if each.failed)
        return self._pages.answer(request, "web/search.html", query=query, groups=found, failed=failed)

    async def data(self, request: Request) -> Response:
        """The same as JSON."""
        query, groups = await self._ask(request)
        return JSONResponse({"query": query, "groups": plain(groups)})

    async def _ask(self, request: Request) -> tuple[str, tuple[Group, ...]]:
        query = "".join(each for each in request.query_params.get("q", "") if each.isprintable())[:_LONGEST].strip()
        words = tuple(dict.fromkeys(re.findall(r"\S+", query.lower())))[:_WORDS]
        if not words:
            return query, ()
        viewer, language = viewer_of(request), language_of(request)
        workspace = self._workspace_of(request)
        place = viewer.place or Place("", "")
        asked = Asked(workspace, place, viewer, language, words)
        able = [each for each in self._searchers if viewer.may(each.needs)]
        found = await asyncio.gather(*(_found(each, asked) for each in able))
        return query, (self._pages_found(asked), *found)

    def _pages_found(self, asked: Asked) -> Group:
        """The pages of the bar are found, too, by what they are called."""
        open_to = [each for each in NAVIGATION if asked.viewer.may(each.needs)]
        named = [(self._pages.say(each.title, asked.language), each.path) for each in open_to]
        hits = [Hit(title, asked.place.link(path)) for title, path in named if holds(title, asked.words)]
        return Group("pages", N_("Pages"), tuple(hits))


def holds(text: str, words: Sequence[str]) -> bool:
    """Whether `text` holds every one of `words`."""
    lower = text.lower()
    return all(word in lower for word in words)


def routes(
    pages: Pages, searchers: Sequence[Searcher], workspace_of: Callable[[Request], WorkspaceId]
) -> list[PageRoute]:
    """`/search` and `/search.json`. What a searcher needs beyond seeing the desk is asked for each of them."""
    search = Search(pages, searchers, workspace_of)
    return [
        PageRoute("/search", search.show, Scope.WORKSPACE, _NEEDS, methods=["GET"]),
        PageRoute("/search.json", search.data, Scope.WORKSPACE, _NEEDS, methods=["GET"]),
    ]


async def _found(searcher: Searcher, asked: Asked) -> Group:
    """One that fails or takes too long says so, and the others stand."""
    try:
        async with asyncio.timeout(_SECONDS):
            hits = await searcher.find(asked)
    except Exception as error:
        log.warning("search.failed", what=searcher.kind, error=type(error).__name__)
        return Group(searcher.kind, searcher.label, (), failed=True)
    return Group(searcher.kind, searcher.label, tuple(hits[:MOST]))
