"""What the command line does with the handbook: taking pages in and out, finding them, saying that they are right."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from steelyard.config import Settings
from steelyard.kit.errors import ConfigError
from steelyard.kit.ids import WorkspaceId
from steelyard.main import ground, runs
from steelyard.operations.database import named, opened
from steelyard.toolbox.handbook.archives import read_path
from steelyard.toolbox.handbook.ground import Shelf
from steelyard.toolbox.handbook.import_pages import carry_out, plan_of
from steelyard.toolbox.handbook.imported import Line
from steelyard.toolbox.handbook.listing import Row, rows_of
from steelyard.toolbox.handbook.model import LANGUAGES, Language, write
from steelyard.toolbox.handbook.searching import Found, find
from steelyard.toolbox.handbook.store import Handbook, HandbookError, Page, read_pages


class Imported(NamedTuple):
    """What became of each file, and how many pages were written."""

    workspace: WorkspaceId
    lines: tuple[Line, ...]
    written: int


async def import_pages(
    settings: Settings, path: Path, wanted: str | None, language: Language, *, over: bool, dry: bool
) -> Imported:
    """Imports a folder, a zip or a file; `dry`: only says what it would do. Raises ConfigError."""
    sources = read_path(path)
    if not sources:
        raise ConfigError(f"{path} holds no Markdown and no HTML file: name the folder they are in")
    async with opened(settings, "handbook") as database:
        workspace = await named(database, settings.cell, wanted)
        async with database.transaction(workspace) as conn:
            lines = await plan_of(conn, workspace, sources, language, over)
            book = Handbook(conn, ground.ledger(), workspace, None, datetime.now(UTC))
            return Imported(workspace, lines, 0 if dry else await carry_out(book, lines))


async def export_pages(settings: Settings, folder: Path, wanted: str | None, *, all_pages: bool) -> int:
    """Writes the team's own pages, or `all_pages`, as `en/slug.md`, `fr/slug.md`; how many. Raises ConfigError."""
    pages = [page for page in await _pages(settings, wanted) if all_pages or page.own]
    try:
        for page in pages:
            file = folder / page.language / f"{page.slug}.md"
            file.parent.mkdir(parents=True, exist_ok=True)
            checked = page.checked_at.date() if page.checked_at is not None else None
            file.write_text(write(page.text, page.language, checked), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error.strerror}. Name a folder of yours") from None
    return len(pages)


async def list_pages(settings: Settings, wanted: str | None, after: timedelta) -> list[Row]:
    """Every page in each language, with whether it has to be checked again and which of its links lead nowhere."""
    pages = {page.key: page for page in await _pages(settings, wanted)}
    shelf = Shelf(pages, {}, runs.runbooks_of(settings.runbooks).all)
    rows = rows_of(shelf, LANGUAGES[0], datetime.now(UTC), after, {}, "all")
    return sorted(rows, key=lambda row: (row.page.slug, row.page.language))


async def search_pages(settings: Settings, wanted: str | None, words: str, language: Language) -> list[Found]:
    """The pages that hold all of `words`."""
    async with opened(settings, "handbook") as database:
        workspace = await named(database, settings.cell, wanted)
        async with database.transaction(workspace) as conn:
            return await find(conn, workspace, words, language)


async def check_pages(settings: Settings, wanted: str | None, slug: str, languages: Sequence[Language]) -> int:
    """Says that a page is right, in these languages as far as it is there; in how many. Raises ConfigError."""
    async with opened(settings, "handbook") as database:
        workspace = await named(database, settings.cell, wanted)
        async with database.transaction(workspace) as conn:
            book = Handbook(conn, ground.ledger(), workspace, None, datetime.now(UTC))
            pages = await read_pages(conn, workspace)
            found = [pages[slug, each] for each in languages if (slug, each) in pages]
            if not found:
                raise ConfigError(f"the handbook has no page {slug!r}: `steelyard handbook list` shows all")
            try:
                for page in found:
                    await book.check(page.key, page.version)
            except HandbookError as error:
                raise ConfigError(f"{slug} was not checked ({error.code}): run this again") from None
    return len(found)


async def _pages(settings: Settings, wanted: str | None) -> list[Page]:
    async with opened(settings, "handbook") as database:
        workspace = await named(database, settings.cell, wanted)
        async with database.transaction(workspace) as conn:
            return list((await read_pages(conn, workspace)).values())
