"""Reading the handbook: the list, the search, a page, the draft of a runbook that its steps make."""

from __future__ import annotations

from asyncio import to_thread
from functools import partial
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from steelyard.people.members import names_of
from steelyard.toolbox.handbook.draft import Draft, draft_of, packed
from steelyard.toolbox.handbook.ground import (
    HandbookGround,
    Shelf,
    link_to,
    may_change,
    page_href,
    read_shelf,
    reads_in,
    slug_in,
    workspace_of,
)
from steelyard.toolbox.handbook.listing import HANDBOOK, days_in, rows_of
from steelyard.toolbox.handbook.model import Part, other_than, write
from steelyard.toolbox.handbook.page_view import PageView, data_of, drawn, view_of
from steelyard.toolbox.handbook.searching import find
from steelyard.toolbox.handbook.store import Page, removed_page
from steelyard.web.data import answer_table, plain, wants_rows
from steelyard.web.pages import language_of
from steelyard.web.said import N_
from steelyard.web.tables import Choice
from steelyard.web.toasts import Undo, done_of
from steelyard.web.viewer import viewer_of

DONE: Final = frozenset({"changed", "checked", "created", "put_back", "undone", "as_shipped", "unchecked", "unchanged"})
_LONG: Final = 4
"""Headings from which on a page has a table of contents."""

Connection = AsyncConnection[Any]


class Hit(NamedTuple):
    """A page that a search found."""

    slug: str
    language: str
    title: str
    href: str
    elsewhere: bool
    automated: bool
    snippet: tuple[Part, ...]


class Told(NamedTuple):
    """What was just done to a page, and the way back."""

    what: str
    undo: Undo | None = None
    title: str = ""
    pages: int = 0


class ReadingPages:
    """What these routes do."""

    def __init__(self, ground: HandbookGround) -> None:
        self._ground = ground

    async def list(self, request: Request) -> Response:
        """All pages, by topic and by what they need."""
        asked = dict(request.query_params)
        if asked.get("stale") == "":
            asked["stale"] = "yes"
        if asked.get("broken") == "":
            asked["broken"] = "yes"
        ground, language, after = self._ground, language_of(request), days_in(asked.get("days", ""))
        async with ground.database.transaction(workspace_of(request)) as conn:
            shelf, names = await read_shelf(ground, conn, workspace_of(request)), await names_of(conn)
            told = await self._removed(conn, request)
        topics = [Choice(each.id, each.name(language)) for each in shelf.topics.values()]
        table = HANDBOOK.with_choices("topic", topics)
        query = table.read(asked, everything=wants_rows(request))
        wanted = query.filters.get("language", "")
        # Links of hundreds of pages take a while to be read at first, in which others go on.
        rows = await to_thread(rows_of, shelf, language, ground.clock(), after, names, wanted)
        shown = table.of_rows(rows, query, viewer_of(request).zone)
        index = [(topic, len(shelf.about(topic.id, reads_in(request)))) for topic in shelf.topics.values()]
        return answer_table(
            ground.pages,
            request,
            "toolbox/handbook.html",
            shown,
            shelf=shelf,
            index=[(topic, count) for topic, count in index if count],
            days=after.days,
            stale=sum(row.stale for row in rows),
            broken=sum(bool(row.broken) for row in rows),
            told=told,
            href=partial(page_href, request),
        )

    async def search(self, request: Request) -> Response:
        """What holds some words, in the reader's language first."""
        ground, language = self._ground, reads_in(request)
        query = "".join(each for each in request.query_params.get("q", "") if each.isprintable())[:200].strip()
        async with ground.database.transaction(workspace_of(request)) as conn:
            await conn.execute("SET LOCAL statement_timeout = 2000")
            found = await find(conn, workspace_of(request), query, language)
        runbooks = ground.runbooks()
        hits = [
            Hit(
                each.page.slug,
                each.page.language,
                each.page.text.title,
                page_href(request, each.page),
                each.elsewhere,
                any(name in runbooks for name in each.page.text.runbooks),
                each.snippet,
            )
            for each in found
        ]
        if request.url.path.endswith(".json"):
            return JSONResponse({"query": query, "language": language, "hits": plain(hits)})
        return ground.answer(request, "handbook_search.html", query=query, hits=hits)

    async def page(self, request: Request) -> Response:
        """One page."""
        ground = self._ground
        async with ground.database.transaction(workspace_of(request)) as conn:
            shelf, view = await self._read(conn, request)
        html = await to_thread(drawn, ground, request, shelf, view.page.text.body)
        at, here = f"/handbook/{view.page.slug}", {"in": view.page.language}
        return ground.answer(
            request,
            "handbook_page.html",
            view=view,
            html=html.html,
            headings=html.headings if len(html.headings) >= _LONG else (),
            told=told_of(request, view.page),
            changes=may_change(request),
            kept=here,
            there=link_to(request, at, **{"in": other_than(view.page.language)}),
            draft=link_to(request, f"{at}/draft", **here),
            edit=link_to(request, f"{at}/edit", **here),
            acts={each: link_to(request, f"{at}/{each}", **here) for each in ("checked", "remove", "as-shipped")},
        )

    async def data(self, request: Request) -> Response:
        """The same as JSON."""
        async with self._ground.database.transaction(workspace_of(request)) as conn:
            _, view = await self._read(conn, request)
        return JSONResponse(data_of(view))

    async def markdown(self, request: Request) -> Response:
        """The same as the file it would be."""
        async with self._ground.database.transaction(workspace_of(request)) as conn:
            _, view = await self._read(conn, request)
        page = view.page
        checked = page.checked_at.date() if page.checked_at is not None else None
        return PlainTextResponse(write(page.text, page.language, checked), media_type="text/markdown")

    async def draft(self, request: Request) -> Response:
        """The folder of a runbook that the page's steps make, to be finished by an author."""
        view, draft = await self._draft(request)
        here = {"in": view.page.language}
        archive = link_to(request, f"/handbook/{view.page.slug}/draft.zip", **here)
        read = link_to(request, f"/handbook/{view.page.slug}", **here)
        return self._ground.answer(request, "handbook_draft.html", view=view, draft=draft, archive=archive, read=read)

    async def draft_data(self, request: Request) -> Response:
        """The same as JSON, or as a zip to unpack."""
        _, draft = await self._draft(request)
        if draft is None:
            raise HTTPException(404, N_("This page has no numbered steps with commands."))
        if request.url.path.endswith(".zip"):
            headers = {"Content-Disposition": f'attachment; filename="{draft.name}.zip"'}
            return Response(packed(draft), media_type="application/zip", headers=headers)
        return JSONResponse(plain(draft))

    async def _draft(self, request: Request) -> tuple[PageView, Draft | None]:
        async with self._ground.database.transaction(workspace_of(request)) as conn:
            shelf, view = await self._read(conn, request)
        french = shelf.pages.get((view.page.slug, "fr"))
        return view, draft_of(view.page.slug, view.page.text, french.text.title if french is not None else "")

    async def _read(self, conn: Connection, request: Request) -> tuple[Shelf, PageView]:
        """The page that is asked for, in the other language where it is not there in the reader's. Raises 404."""
        shelf = await read_shelf(self._ground, conn, workspace_of(request))
        page = shelf.page(slug_in(request), reads_in(request))
        if page is None:
            raise HTTPException(404, N_("The handbook has no page of this name. Search for its words, or write it."))
        return shelf, view_of(self._ground, request, shelf, page, await names_of(conn))

    async def _removed(self, conn: Connection, request: Request) -> Told | None:
        """What the list tells: a page that was removed, while it is, or what was imported."""
        done = done_of(request.query_params, {"removed", "imported"})
        if done is None or not done.ids:
            return None
        if done.what == "imported":
            return Told("imported", pages=done.ids[0])
        page = await removed_page(conn, workspace_of(request), done.ids[0])
        if page is None:
            return None
        return Told("removed", Undo(link_to(request, f"/handbook/pages/{page.number}/back")), title=page.text.title)


def told_of(request: Request, page: Page) -> Told | None:
    """What was just done to a page, where that still holds."""
    done = done_of(request.query_params, DONE)
    if done is None or (done.ids and done.ids[0] != page.number):
        return None
    at = f"/handbook/pages/{page.number}"
    if done.what == "checked":
        return Told("checked", Undo(link_to(request, f"{at}/unchecked")))
    if done.what in ("changed", "created", "as_shipped"):
        undo = Undo(link_to(request, f"{at}/undo"), (("seen", page.version),)) if page.before else None
        return Told(done.what, undo)
    return Told(done.what)
