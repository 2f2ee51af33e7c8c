"""The routes of the handbook."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from steelyard.kit.scopes import Scope
from steelyard.people.permissions import Permission as P
from steelyard.toolbox.handbook import import_pages, writing_pages
from steelyard.toolbox.handbook.for_pages import ForPages
from steelyard.toolbox.handbook.ground import HandbookGround
from steelyard.toolbox.handbook.import_pages import ImportPages
from steelyard.toolbox.handbook.reading_pages import ReadingPages
from steelyard.toolbox.handbook.writing_pages import WritingPages
from steelyard.web.data import data_routes
from steelyard.web.routes import PageRoute

Endpoint = Callable[[Request], Awaitable[Response]]

_ONE: Final = "/handbook/{slug}"


def routes(ground: HandbookGround) -> list[PageRoute]:
    """All of them: reading, writing, importing, and what there is for a conversation."""
    writing, offers = WritingPages(ground), ForPages(ground)
    # First those with a word of their own, which no page can have for its slug.
    return [
        *_import_routes(ImportPages(ground)),
        _form("/handbook/new", writing.new),
        _post("/handbook/new", writing.create, writing_pages.MOST_BYTES),
        *_reading_routes(ReadingPages(ground)),
        *_writing_routes(writing),
        _read("/toolbox/for/{conversation:int}", offers.show),
        _read("/toolbox/for/{conversation:int}.json", offers.data),
    ]


def _reading_routes(pages: ReadingPages) -> list[PageRoute]:
    return [
        *data_routes("/handbook", pages.list, Scope.WORKSPACE, P.SEE_TOOLBOX),
        _read("/handbook/search", pages.search),
        _read("/handbook/search.json", pages.search),
        _read(f"{_ONE}.json", pages.data),
        _read(f"{_ONE}.md", pages.markdown),
        _read(_ONE, pages.page),
        _read(f"{_ONE}/draft", pages.draft),
        _read(f"{_ONE}/draft.json", pages.draft_data),
        _read(f"{_ONE}/draft.zip", pages.draft_data),
    ]


def _writing_routes(pages: WritingPages) -> list[PageRoute]:
    numbered = "/handbook/pages/{page:int}"
    return [
        _form(f"{_ONE}/edit", pages.edit),
        _post(f"{_ONE}/edit", pages.change, writing_pages.MOST_BYTES),
        _post(f"{_ONE}/checked", pages.check),
        _post(f"{_ONE}/remove", pages.remove),
        _post(f"{_ONE}/as-shipped", pages.as_shipped),
        _post(f"{numbered}/undo", pages.undo),
        _post(f"{numbered}/unchecked", pages.unchecked),
        _post(f"{numbered}/back", pages.put_back),
    ]


def _import_routes(pages: ImportPages) -> list[PageRoute]:
    return [
        _form("/handbook/import", pages.show),
        _post("/handbook/import", pages.take, import_pages.MOST_BYTES),
        _post("/handbook/import.json", pages.take, import_pages.MOST_BYTES),
    ]


def _read(path: str, endpoint: Endpoint) -> PageRoute:
    return PageRoute(path, endpoint, Scope.WORKSPACE, P.SEE_TOOLBOX, methods=["GET"])


def _form(path: str, endpoint: Endpoint) -> PageRoute:
    return PageRoute(path, endpoint, Scope.WORKSPACE, P.CHANGE_HANDBOOK, methods=["GET"])


def _post(path: str, endpoint: Endpoint, most: int | None = None) -> PageRoute:
    return PageRoute(path, endpoint, Scope.WORKSPACE, P.CHANGE_HANDBOOK, methods=["POST"], max_body_size=most)
