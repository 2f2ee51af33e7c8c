"""The pages of the handbook draw whatever their types allow, in every language: names defined, text escaped."""

from __future__ import annotations

from random import Random

import pytest
from drawing import HOSTILE, PAGES, SEEDS, a_form, a_shell, check, some
from markupsafe import Markup

from steelyard.people.audit import Deed
from steelyard.toolbox.handbook.draft import Draft
from steelyard.toolbox.handbook.for_pages import ForConversation
from steelyard.toolbox.handbook.ground import TITLES, Shelf, Topic
from steelyard.toolbox.handbook.imported import Line
from steelyard.toolbox.handbook.listing import HANDBOOK, Row
from steelyard.toolbox.handbook.markdown import Heading
from steelyard.toolbox.handbook.page_view import PageView
from steelyard.toolbox.handbook.reading_pages import Hit, Told
from steelyard.toolbox.handbook.store import Page
from steelyard.toolbox.handbook.telling import TELLING
from steelyard.toolbox.handbook.words import REASONS, WHAT
from steelyard.toolbox.handbook.writing_pages import BODY, TITLE
from steelyard.web.forms import Form

LINKS = {"archive": "/x", "read": "/y"}
TOLD = ("created", "changed", "checked", "unchecked", "as_shipped", "put_back", "undone", "unchanged", HOSTILE)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_list(seed: int) -> None:
    shell = a_shell(random := Random(seed))
    rows = [some(Row, random) for _ in range(seed % 4)]
    table = HANDBOOK.of_page(rows, HANDBOOK.read({}), len(rows) * (seed % 2))
    topics = {each: some(Topic, random) for each in ("Ana", HOSTILE)}
    about = {
        "shelf": Shelf({}, topics, {}),
        "index": [(topic, random.randrange(9)) for topic in topics.values()][: seed % 3],
        "told": some(Told, random)._replace(what=random.choice(["removed", "imported", HOSTILE])) if seed % 2 else None,
        "href": lambda page: f"/handbook/{page.slug}",
        "days": 180,
        "stale": seed % 3,
        "broken": seed % 2,
    }
    check(lambda language: PAGES.draw("toolbox/handbook.html", language, shell=shell, table=table, **about))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_page(seed: int) -> None:
    shell = a_shell(random := Random(seed))
    about = {
        "view": some(PageView, random),
        "html": Markup("<p>x</p>"),
        "headings": tuple(some(Heading, random) for _ in range(seed % 3)),
        "told": some(Told, random)._replace(what=random.choice(TOLD)) if seed % 2 else None,
        "changes": seed % 3 > 0,
        "kept": {"in": "fr"},
        **dict.fromkeys(("there", "draft", "edit"), "/x"),
        "acts": dict.fromkeys(("checked", "remove", "as-shipped"), "/x"),
    }
    check(lambda language: PAGES.draw("toolbox/handbook_page.html", language, shell=shell, **about))


@pytest.mark.parametrize("seed", SEEDS)
def test_writing(seed: int) -> None:
    shell, form = a_shell(random := Random(seed)), a_form(Form((TITLE, BODY)), Random(seed))
    about = {
        "form": form,
        "page": some(Page, random) if seed % 2 else None,
        "html": Markup("<p>x</p>") if seed % 3 else None,
        "action": "/x",
        "leave": "/y",
        "languages_named": TITLES,
    }
    check(lambda language: PAGES.draw("toolbox/handbook_edit.html", language, shell=shell, **about))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_other_pages(seed: int) -> None:
    shell = a_shell(random := Random(seed))
    hits = [some(Hit, random) for _ in range(seed % 3)]
    query = random.choice(["", HOSTILE])
    found = {"query": query, "hits": hits}
    check(lambda language: PAGES.draw("toolbox/handbook_search.html", language, shell=shell, **found))
    draft = {"view": some(PageView, random), "draft": some(Draft, random) if seed % 3 else None}
    check(
        lambda language: PAGES.draw(
            "toolbox/handbook_draft.html", language, shell=shell, archive="/x", read="/y", **draft
        )
    )
    view, write = some(ForConversation, random), "/x" if seed % 2 else None
    check(lambda language: PAGES.draw("toolbox/handbook_for.html", language, shell=shell, view=view, write=write))
    lines = tuple(some(Line, random)._replace(reason=random.choice(["", "large", HOSTILE])) for _ in range(seed % 4))
    counts = {what: random.randrange(3) for what in WHAT}
    about = {
        "lines": lines if seed % 3 else None, "counts": counts, "problem": HOSTILE if seed % 2 else "",
        "stale": seed % 2, "chosen": "fr", "over": seed % 2, "carried": HOSTILE, "agreed": HOSTILE,
        "reasons": REASONS, "whats": WHAT,
        "languages_named": TITLES,
    }  # fmt: skip
    check(lambda language: PAGES.draw("toolbox/handbook_import.html", language, shell=shell, **about))


@pytest.mark.parametrize("kind", TELLING.kinds)
def test_the_audit_tells_each_kind(kind: str) -> None:
    random = Random(1)
    for data in ({}, {"page": 3}, {"page": HOSTILE, "undone": True}, {"count": 1}):
        deed = some(Deed, random)._replace(kind=kind, data=data)
        for language in ("en", "fr"):
            told = str(PAGES.macros(TELLING.template, language).told(a_shell(random), deed, [], {}))
            assert told.strip()
            assert "<b onclick" not in told
