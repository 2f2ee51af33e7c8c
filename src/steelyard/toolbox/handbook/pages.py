"""The routes of the handbook."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

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


def routes(ground: HandbookGround) -> list[PageRoute]:
    """All of them: reading, writing, importing, and what there is for a conversation."""
    reads, writes, takes, offers = ReadingPages(ground), WritingPages(ground), ImportPages(ground), ForPages(ground)
    one, numbered, most = "/handbook/{slug}", "/handbook/pages/{page:int}", writing_pages.MOST_BYTES

    def read(path: str, endpoint: Endpoint) -> PageRoute:
        return PageRoute(path, endpoint, Scope.WORKSPACE, P.SEE_TOOLBOX, methods=["GET"])

    def form(path: str, endpoint: Endpoint) -> PageRoute:
        return PageRoute(path, endpoint, Scope.WORKSPACE, P.CHANGE_HANDBOOK, methods=["GET"])

    def post(path: str, endpoint: Endpoint, most: int | None = None) -> PageRoute:
        needs = P.CHANGE_HANDBOOK
        return PageRoute(path, endpoint, Scope.WORKSPACE, needs, methods=["POST"], max_body_size=most)

    return [
        *data_routes("/handbook", reads.list, Scope.WORKSPACE, P.SEE_TOOLBOX),
        read("/handbook/search", reads.search),
        read("/handbook/search.json", reads.search),
        form("/handbook/new", writes.new),
        post("/handbook/new", writes.create, most),
        form("/handbook/import", takes.show),
        post("/handbook/import", takes.take, import_pages.MOST_BYTES),
        post("/handbook/import.json", takes.take, import_pages.MOST_BYTES),
        read(f"{one}.json", reads.data),
        read(f"{one}.md", reads.markdown),
        read(one, reads.page),
        read(f"{one}/draft", reads.draft),
        read(f"{one}/draft.json", reads.draft_data),
        read(f"{one}/draft.zip", reads.draft_data),
        form(f"{one}/edit", writes.edit),
        post(f"{one}/edit", writes.change, most),
        post(f"{one}/checked", writes.check),
        post(f"{one}/remove", writes.remove),
        post(f"{one}/as-shipped", writes.as_shipped),
        post(f"{numbered}/undo", writes.undo),
        post(f"{numbered}/unchecked", writes.unchecked),
        post(f"{numbered}/back", writes.put_back),
        read("/toolbox/for/{conversation:int}", offers.show),
        read("/toolbox/for/{conversation:int}.json", offers.data),
    ]
