"""What the pages of the handbook stand on, and what they all ask of a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol, cast

from psycopg import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from steelyard.kit.ids import WorkspaceId
from steelyard.people.gate import standing_of
from steelyard.store.database import Database
from steelyard.store.ledger import Ledger
from steelyard.toolbox.handbook.model import LANGUAGES, Language, language_in, other_than
from steelyard.toolbox.handbook.shipped import Key
from steelyard.toolbox.handbook.store import Handbook, Page, read_pages
from steelyard.toolbox.runbook import Runbook
from steelyard.web.console import Clock
from steelyard.web.pages import Pages, language_of
from steelyard.web.place import Place
from steelyard.web.viewer import place_of, viewer_of

LARGEST: Final = 2**63 - 1

TITLES: Final[Mapping[str, str]] = {"en": "English", "fr": "Français"}


class Topic(NamedTuple):
    """A topic of the policy in force, as pages name it."""

    id: str
    names: Mapping[str, str]
    family: str

    def name(self, language: str) -> str:
        """Its name in `language`, else in English, else its id."""
        return self.names.get(language) or self.names.get("en") or self.id


class Topics(Protocol):
    """What conversations are about: routing knows."""

    async def all(self, conn: AsyncConnection[Any], workspace: WorkspaceId) -> tuple[Topic, ...]:
        """The topics of the policy in force, in its order."""
        ...

    async def of(self, conn: AsyncConnection[Any], workspace: WorkspaceId, conversation: int) -> Topic | None:
        """The topic of a conversation; None for one that is not known."""
        ...


@dataclass(frozen=True, slots=True)
class HandbookGround:
    """The database and what else these pages are given."""

    database: Database
    ledger: Ledger
    pages: Pages
    clock: Clock
    topics: Topics
    runbooks: Callable[[], Mapping[str, Runbook]]
    """All runbooks of this machine, by name."""

    def answer(self, request: Request, template: str, status: int = 200, **context: Any) -> Response:
        """A page."""
        return self.pages.answer(request, f"toolbox/{template}", status=status, **context)

    def changes(self, conn: AsyncConnection[Any], request: Request) -> Handbook:
        """What the asker changes of the handbook."""
        standing = standing_of(request)
        return Handbook(conn, self.ledger, standing.workspace, standing.person, self.clock())


class Shelf(NamedTuple):
    """The whole handbook of a workspace, as pages look things up in it."""

    pages: Mapping[Key, Page]
    topics: Mapping[str, Topic]
    runbooks: Mapping[str, Runbook]

    @property
    def slugs(self) -> frozenset[str]:
        """Of all pages, in either language."""
        return frozenset(slug for slug, _ in self.pages)

    def page(self, slug: str, language: Language) -> Page | None:
        """A page in `language`, else in the other one."""
        return self.pages.get((slug, language)) or self.pages.get((slug, other_than(language)))

    def about(self, topic: str, language: Language) -> list[Page]:
        """The pages of a topic, each in `language` where it is there: first the topic's own, then by title."""
        slugs = {page.slug for page in self.pages.values() if topic in page.text.topics}
        found = [page for page in (self.page(slug, language) for slug in slugs) if page is not None]
        return sorted(found, key=lambda page: (page.slug != topic, page.text.title.casefold()))


async def read_shelf(ground: HandbookGround, conn: AsyncConnection[Any], workspace: WorkspaceId) -> Shelf:
    """The handbook with what it is tied to."""
    pages = await read_pages(conn, workspace)
    topics = await ground.topics.all(conn, workspace)
    return Shelf(pages, {each.id: each for each in topics}, ground.runbooks())


def reads_in(request: Request) -> Language:
    """The language that pages are read in: `?in=`, else the reader's."""
    return language_in(request.query_params.get("in", "")) or language_in(language_of(request)) or LANGUAGES[0]


def slug_in(request: Request) -> str:
    """The slug in an address."""
    return cast("str", request.path_params["slug"])


def link_to(request: Request, path: str, **query: str) -> str:
    """The address of `path` in the same workspace; the conversation that somebody comes from goes along."""
    conversation = conversation_in(request)
    carried = {"conversation": conversation} if conversation else {}
    return place_of(request).link(path, **carried, **{key: text for key, text in query.items() if text})


def conversation_in(request: Request) -> str:
    """The number of the conversation that somebody comes from; empty without one."""
    asked = request.query_params.get("conversation", "")
    return asked if asked.isascii() and asked.isdigit() and len(asked) <= 19 else ""


def page_href(request: Request, page: Page) -> str:
    """Where a page is read; it says the language where that is not the reader's."""
    own = page.language == language_of(request)
    return link_to(request, f"/handbook/{page.slug}", **({} if own else {"in": page.language}))


def workspace_of(request: Request) -> WorkspaceId:
    """The workspace that a request is about, as the gate found it."""
    return standing_of(request).workspace


def may_change(request: Request) -> bool:
    """Whether the asker may write pages."""
    return viewer_of(request).may("handbook.change")


def placed(request: Request) -> Place:
    """Where the asker is."""
    return place_of(request)


def number_in(request: Request) -> int:
    """The number of a page in an address. Raises 404 for one that no page can have."""
    number = cast("int", request.path_params["page"])
    if number > LARGEST:
        raise HTTPException(404)
    return number
