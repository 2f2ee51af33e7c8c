"""One page of the handbook as it is read: its text, its buttons, when it was checked and by whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from starlette.requests import Request

from steelyard.kit.ids import PersonId
from steelyard.toolbox.handbook.ground import HandbookGround, Shelf, Topic, link_to
from steelyard.toolbox.handbook.markdown import SHELLS as SHELLS
from steelyard.toolbox.handbook.markdown import Drawn, Words, broken_in, draw, resolver, steps_of
from steelyard.toolbox.handbook.model import Language, other_than
from steelyard.toolbox.handbook.store import NOBODY, Page
from steelyard.toolbox.runbook import Runbook
from steelyard.toolbox.shelf import own_text, title_of
from steelyard.web.language import N_
from steelyard.web.pages import Pages, language_of


class Button(NamedTuple):
    """A runbook as a page offers it."""

    name: str
    title: str
    summary: str
    minutes: int
    """What it takes by hand."""
    risk: str
    href: str


class PageView(NamedTuple):
    """A page, with what is shown around it."""

    page: Page
    topics: tuple[Topic, ...]
    buttons: tuple[Button, ...]
    missing: tuple[str, ...]
    """Runbooks that it names and that are not there."""
    broken: tuple[str, ...]
    stale: bool
    checked_by: str
    changed_by: str
    elsewhere: Language | None
    """The other language, where the page is there in it, too."""
    steps: int
    drafts: bool
    """Whether its steps hold commands, so that they can become a runbook."""


def view_of(
    ground: HandbookGround, request: Request, shelf: Shelf, page: Page, names: Mapping[PersonId, str]
) -> PageView:
    """What is shown of `page`."""
    text, other = page.text, other_than(page.language)
    steps = steps_of(text.body)
    return PageView(
        page,
        tuple(shelf.topics.get(each) or Topic(each, {}, "other") for each in text.topics),
        buttons_of(ground, request, [shelf.runbooks[each] for each in text.runbooks if each in shelf.runbooks]),
        tuple(each for each in text.runbooks if each not in shelf.runbooks),
        broken_in(text.body, shelf.slugs, frozenset(shelf.runbooks)),
        page.is_stale(ground.clock()),
        names.get(page.checked_by or NOBODY, ""),
        names.get(page.changed_by or NOBODY, ""),
        other if (page.slug, other) in shelf.pages else None,
        len(steps),
        any(code.language in SHELLS for step in steps for code in step.codes),
    )


def buttons_of(ground: HandbookGround, request: Request, runbooks: Iterable[Runbook]) -> tuple[Button, ...]:
    """Runbooks in the reader's language, with where each is planned."""
    language, say = language_of(request), ground.pages.say
    return tuple(
        Button(
            each.name,
            title_of(each, language, say),
            own_text(each, each.summary, language, say),
            each.minutes,
            each.risk.value,
            link_to(request, f"/runbooks/{each.name}"),
        )
        for each in runbooks
    )


def data_of(view: PageView) -> dict[str, Any]:
    """The same for programs, with the text as it was written."""
    page = view.page
    return {
        "slug": page.slug,
        "language": page.language,
        "title": page.text.title,
        "topics": list(page.text.topics),
        "runbooks": list(page.text.runbooks),
        "body": page.text.body,
        "automated": bool(view.buttons),
        "missing_runbooks": list(view.missing),
        "broken_links": list(view.broken),
        "checked_at": page.checked_at.isoformat() if page.checked_at is not None else None,
        "checked_by": view.checked_by or None,
        "stale": view.stale,
        "changed_at": page.changed_at.isoformat() if page.changed_at is not None else None,
        "changed_by": view.changed_by or None,
        "own": page.own,
        "ships": page.ships,
        "source": page.source or None,
        "version": page.version,
        "steps": view.steps,
    }


_WORDS = Words(
    N_("Copy this step"),
    N_("Copy"),
    N_("Copied"),
    N_("Link to this section"),
    N_("Table"),
    N_("Image"),
)


def words_in(pages: Pages, language: str) -> Words:
    """What the text around the page's own says, in the reader's language."""
    return Words(*(pages.say(each, language) for each in _WORDS))


def drawn(ground: HandbookGround, request: Request, shelf: Shelf, body: str) -> Drawn:
    """A page's Markdown as HTML."""
    resolve = resolver(shelf.slugs, frozenset(shelf.runbooks), lambda path: link_to(request, path))
    return draw(body, resolve, words_in(ground.pages, language_of(request)))
