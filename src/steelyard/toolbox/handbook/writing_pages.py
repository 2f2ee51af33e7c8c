"""Writing the handbook: a new page, a change with its preview, a check, a removal, and the way back from each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, cast

from psycopg import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from steelyard.toolbox.handbook.ground import (
    TITLES,
    HandbookGround,
    Shelf,
    link_to,
    number_in,
    placed,
    read_shelf,
    reads_in,
    slug_in,
    workspace_of,
)
from steelyard.toolbox.handbook.model import (
    LANGUAGES,
    LONGEST_BODY,
    LONGEST_TITLE,
    BadPage,
    Language,
    Text,
    is_slug,
    names_in,
)
from steelyard.toolbox.handbook.page_view import drawn
from steelyard.toolbox.handbook.shipped import Key
from steelyard.toolbox.handbook.store import Handbook, HandbookError, Page, version_of
from steelyard.web.forms import Field, Filled, Form, Wrong, sent_of
from steelyard.web.language import N_
from steelyard.web.pages import language_of
from steelyard.web.tables import Choice
from steelyard.web.toasts import Done, told

MOST_BYTES: Final = 1_500_000
"""Of a form: the page as it was and as it is, each letter with an accent six characters."""

Connection = AsyncConnection[Any]


def _names(text: str) -> str:
    try:
        return ", ".join(names_in(text))
    except BadPage as error:
        message = N_("Name runbooks as their folders are called, such as set_up_redis: %(why)s.")
        raise Wrong(message, why=str(error)) from None


def _slug(text: str) -> str:
    if not is_slug(text):
        raise Wrong(N_("“%(text)s” is no address: lower-case letters, digits and single dashes."), text=text[:60])
    return text


TITLE: Final = Field("title", N_("Title"), most=LONGEST_TITLE)
BODY: Final = Field(
    "body",
    N_("Text, in Markdown"),
    "lines",
    most=LONGEST_BODY,
    help=N_("Number the steps (1. 2. 3.) and put commands between ``` lines: each gets a button that copies it."),
)
_RUNBOOKS: Final = Field(
    "runbooks",
    N_("Runbooks that do it"),
    required=False,
    read=_names,
    help=N_("Their names with commas between, such as set_up_redis."),
)
_SLUG: Final = Field("slug", N_("Address"), most=80, read=_slug, help=N_("It stays. Such as renew-a-certificate."))
_LANGUAGE: Final = Field(
    "language", N_("Language"), "choice", choices=tuple(Choice(each, TITLES[each]) for each in LANGUAGES)
)


class WritingPages:
    """What these routes do."""

    def __init__(self, ground: HandbookGround) -> None:
        self._ground = ground

    async def new(self, request: Request) -> Response:
        """The form of a page to be."""
        async with self._ground.database.transaction(workspace_of(request)) as conn:
            shelf = await read_shelf(self._ground, conn, workspace_of(request))
        asked = request.query_params
        about = [asked["topic"]] if asked.get("topic") in shelf.topics else []
        slug = asked.get("slug", "") if is_slug(asked.get("slug", "")) else ""
        values = {"language": reads_in(request), "topics": about, "slug": slug}
        return self._show(request, shelf, _form(shelf, request, new=True).empty(values))

    async def create(self, request: Request) -> Response:
        """Makes a page."""
        pairs = await _pairs(request)
        preview = ("preview", "yes") in pairs
        async with self._ground.database.transaction(workspace_of(request)) as conn:
            shelf = await read_shelf(self._ground, conn, workspace_of(request))
            filled = _form(shelf, request, new=True).read(pairs)
            if preview or not filled.ok:
                return self._show(request, shelf, filled, preview=preview)
            key = str(filled.values["slug"]), cast("Language", filled.values["language"])
            try:
                number = await self._ground.changes(conn, request).create(key, _text(filled.values))
            except HandbookError:
                message = N_(
                    "There is a page at “%(slug)s” in this language already: open it, or choose another address."
                )
                return self._show(request, shelf, filled.wrong("slug", message, slug=key[0]))
        return _to_page(request, key, Done("created", (number,)))

    async def edit(self, request: Request) -> Response:
        """The form of a page that is there."""
        async with self._ground.database.transaction(workspace_of(request)) as conn:
            shelf, page = await self._read(conn, request)
        return self._show(request, shelf, _form(shelf, request, page=page).loaded(_values(page)), page)

    async def change(self, request: Request) -> Response:
        """Changes a page, unless somebody else did meanwhile; or only shows what it would look like."""
        pairs = await _pairs(request)
        preview = ("preview", "yes") in pairs
        async with self._ground.database.transaction(workspace_of(request)) as conn:
            shelf, page = await self._read(conn, request)
            form = _form(shelf, request, page=page)
            filled = form.read(pairs)
            if not preview and filled.ok:
                filled = filled.against(form.texts(_values(page)))
            if preview or not filled.ok:
                return self._show(request, shelf, filled, page, preview=preview)
            text = _text(filled.values)
            if version_of(text) == page.version:
                return _to_page(request, page.key, Done("unchanged"))
            number = await self._ground.changes(conn, request).change(page.key, text, page.version)
        return _to_page(request, page.key, Done("changed", (number,)))

    async def check(self, request: Request) -> Response:
        """Somebody says that a page is right, as they saw it."""
        return await self._do(request, "checked", lambda book, key, seen: book.check(key, seen))

    async def remove(self, request: Request) -> Response:
        """Removes a page in one language."""
        return await self._do(request, "removed", lambda book, key, seen: book.remove(key, seen))

    async def as_shipped(self, request: Request) -> Response:
        """Goes back to the page that comes with the release."""
        return await self._do(request, "as_shipped", lambda book, key, seen: book.use_shipped(key, seen))

    async def undo(self, request: Request) -> Response:
        """Puts back the text before the last change; a page that was new is removed again."""
        async with request.form() as form:
            seen = sent_of(form, "seen")

        async def back(book: Handbook) -> tuple[Key, Done]:
            return await book.undo_change(number_in(request), seen), Done("undone")

        return await self._back(request, back)

    async def unchecked(self, request: Request) -> Response:
        """Takes one's own check back."""

        async def back(book: Handbook) -> tuple[Key, Done]:
            return await book.undo_check(number_in(request)), Done("unchecked")

        return await self._back(request, back)

    async def put_back(self, request: Request) -> Response:
        """Puts a removed page back."""

        async def back(book: Handbook) -> tuple[Key, Done]:
            return await book.put_back(number_in(request)), Done("put_back")

        return await self._back(request, back)

    async def _do(self, request: Request, what: str, act: Callable[[Handbook, Key, str], Awaitable[int]]) -> Response:
        async with request.form() as form:
            seen = sent_of(form, "seen")
        async with self._ground.database.transaction(workspace_of(request)) as conn:
            _, page = await self._read(conn, request)
            try:
                number = await act(self._ground.changes(conn, request), page.key, seen)
            except HandbookError as error:
                raise _refused(error) from None
        if what == "removed":
            return told(placed(request), "/handbook", Done(what, (number,)))
        return _to_page(request, page.key, Done(what, (number,)))

    async def _back(self, request: Request, back: Callable[[Handbook], Awaitable[tuple[Key, Done]]]) -> Response:
        async with self._ground.database.transaction(workspace_of(request)) as conn:
            book = self._ground.changes(conn, request)
            try:
                key, done = await back(book)
            except HandbookError as error:
                raise _refused(error) from None
            shelf = await read_shelf(self._ground, conn, workspace_of(request))
        if key not in shelf.pages:  # it was new, and is gone again
            return told(placed(request), "/handbook", Done("undone"))
        return _to_page(request, key, done)

    async def _read(self, conn: Connection, request: Request) -> tuple[Shelf, Page]:
        shelf = await read_shelf(self._ground, conn, workspace_of(request))
        page = shelf.page(slug_in(request), reads_in(request))
        if page is None:
            raise HTTPException(404, N_("The handbook has no page of this name."))
        return shelf, page

    def _show(
        self, request: Request, shelf: Shelf, filled: Filled, page: Page | None = None, *, preview: bool = False
    ) -> Response:
        body = filled.input("body").text
        html = drawn(self._ground, request, shelf, body).html if preview and len(body) <= LONGEST_BODY else None
        status = 200 if preview and not filled.errors else filled.status
        action = "/handbook/new" if page is None else f"/handbook/{page.slug}/edit"
        query = {} if page is None else {"in": page.language}
        return self._ground.answer(
            request,
            "handbook_edit.html",
            status,
            form=filled,
            page=page,
            html=html,
            action=link_to(request, action, **query),
            leave=link_to(request, "/handbook" if page is None else f"/handbook/{page.slug}", **query),
            languages_named=TITLES,
        )


def _form(shelf: Shelf, request: Request, *, new: bool = False, page: Page | None = None) -> Form:
    """`page`: topics that it has and the policy does not know any more can be kept."""
    language = language_of(request)
    known = {each.id: each.name(language) for each in shelf.topics.values()}
    known |= {each: each for each in (page.text.topics if page is not None else ()) if each not in known}
    choices = tuple(Choice(id, name) for id, name in known.items())
    topics = Field("topics", N_("Topics"), "choices", required=False, choices=choices)
    return Form((TITLE, *((_SLUG, _LANGUAGE) if new else ()), BODY, topics, _RUNBOOKS))


async def _pairs(request: Request) -> list[tuple[str, str]]:
    """What was sent, read before anything is held in the database."""
    async with request.form() as sent:
        return [(name, text) for name, text in sent.multi_items() if isinstance(text, str)]


def _values(page: Page) -> Mapping[str, object]:
    return page.text._asdict() | {"runbooks": ", ".join(page.text.runbooks)}


def _text(values: Mapping[str, object]) -> Text:
    topics = cast("tuple[str, ...]", values["topics"])
    return Text(str(values["title"]), str(values["body"]), topics, names_in(str(values["runbooks"] or "")))


def _to_page(request: Request, key: Key, done: Done) -> Response:
    slug, language = key
    query = {} if language == language_of(request) else {"in": language}
    return told(placed(request), f"/handbook/{slug}", done, **query)


def _refused(error: HandbookError) -> HTTPException:
    if error.code == "missing":
        return HTTPException(404, N_("The handbook has no such page any more."))
    return HTTPException(409, "Somebody changed the page meanwhile, so nothing was done. Look at it as it is now.")
