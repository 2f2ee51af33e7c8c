"""The handbook as a table: every page with its topics, whether a button does it, and whether it is still right."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from steelyard.kit.ids import PersonId
from steelyard.toolbox.handbook.ground import TITLES, Shelf
from steelyard.toolbox.handbook.markdown import broken_in
from steelyard.toolbox.handbook.model import LANGUAGES, Language
from steelyard.toolbox.handbook.store import NOBODY, STALE_AFTER, Page
from steelyard.web.language import N_
from steelyard.web.tables import Choice, Column, Holds, Is, Table

_YES_NO: Final = Is((Choice("yes", N_("yes")), Choice("no", N_("no"))))
_MOST_DAYS: Final = 3650


class Row(NamedTuple):
    """A page in the list."""

    page: Page
    automated: bool
    """Whether a runbook of it is there."""
    stale: bool
    broken: tuple[str, ...]
    """Links of it that lead nowhere."""
    checked_by: str


def _yes(value: bool) -> str:
    return "yes" if value else "no"


HANDBOOK: Final = Table[Row](
    "handbook",
    (
        Column("title", N_("Page"), lambda row: row.page.text.title, sorts=True, filter=Holds(), heads=True),
        Column("topic", N_("Topics"), lambda row: row.page.text.topics, filter=Is()),
        Column(
            "automated",
            N_("Automated"),
            lambda row: row.automated,
            filter=_YES_NO,
            matches=lambda row: _yes(row.automated),
        ),
        Column(
            "language",
            N_("Language"),
            lambda row: row.page.language,
            filter=Is(
                (*(Choice(each, TITLES[each]) for each in LANGUAGES), Choice("all", N_("both, each"))),
            ),
            matches=lambda row: (row.page.language, "all"),
        ),
        Column("checked_at", N_("Checked"), lambda row: row.page.checked_at, sorts=True),
        Column(
            "stale", N_("To be checked"), lambda row: row.stale, filter=_YES_NO, matches=lambda row: _yes(row.stale)
        ),
        Column(
            "broken",
            N_("Broken links"),
            lambda row: row.broken,
            filter=_YES_NO,
            matches=lambda row: _yes(bool(row.broken)),
        ),
        Column("slug", N_("Address"), lambda row: row.page.slug, data_only=True),
        Column("runbooks", N_("Runbooks"), lambda row: row.page.text.runbooks, data_only=True),
        Column("own", N_("Written here"), lambda row: row.page.own, data_only=True),
        Column("source", N_("Imported from"), lambda row: row.page.source, data_only=True),
        Column("changed_at", N_("Changed"), lambda row: row.page.changed_at, data_only=True),
        Column("checked_by", N_("Checked by"), lambda row: row.checked_by, data_only=True),
    ),
    sort="title",
    also=frozenset({"days", "conversation"}),
)


def rows_of(
    shelf: Shelf, language: str, now: datetime, after: timedelta, names: Mapping[PersonId, str], wanted: str = ""
) -> list[Row]:
    """Each page once, in `language` where it is there; in the language `wanted` alone, or in `all`, where asked."""
    runbooks, slugs = frozenset(shelf.runbooks), shelf.slugs
    pages = [page for page in shelf.pages.values() if wanted or page is shelf.page(page.slug, _language(language))]
    return [
        Row(
            page,
            any(each in runbooks for each in page.text.runbooks),
            page.is_stale(now, after),
            broken_in(page.text.body, slugs, runbooks),
            names.get(page.checked_by or NOBODY, ""),
        )
        for page in pages
    ]


def _language(text: str) -> Language:
    return "fr" if text == "fr" else "en"


def days_in(asked: str) -> timedelta:
    """After how many days a page has to be checked again: `?days=`, else 180."""
    days = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 6 else 0
    return timedelta(days=days) if 0 < days <= _MOST_DAYS else STALE_AFTER
