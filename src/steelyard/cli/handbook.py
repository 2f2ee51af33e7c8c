"""Commands about the handbook: taking pages in and out, finding them, saying that they are right."""

from __future__ import annotations

import json
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from steelyard import config
from steelyard.cli.base import AsJson, InWorkspace, app, out
from steelyard.jobs.processes import run
from steelyard.kit.errors import ConfigError
from steelyard.operations import handbook as operations
from steelyard.toolbox.handbook.imported import Line
from steelyard.toolbox.handbook.listing import Row
from steelyard.toolbox.handbook.model import LANGUAGES, Language, language_in
from steelyard.toolbox.handbook.words import REASONS, WHAT

handbook = typer.Typer(
    name="handbook", help="What the team knows, beside the buttons that do it.", no_args_is_help=True
)
app.add_typer(handbook)

InLanguage = Annotated[str, typer.Option("--language", help="`en` or `fr`.")]


@handbook.command("import")
def import_pages(
    path: Annotated[Path, typer.Argument(help="A folder or zip of Markdown, or of HTML that a wiki exported.")],
    apply: Annotated[
        bool, typer.Option("--apply", help="Do it. Without this, only what it would do is shown.")
    ] = False,
    language: InLanguage = "en",
    over: Annotated[bool, typer.Option("--over", help="Also replace pages that were edited or written here.")] = False,
    workspace: InWorkspace = None,
    as_json: AsJson = False,
) -> None:
    """Import pages; the same files again change nothing. `--language` is that of files that do not say theirs."""
    done = run(operations.import_pages(config.load(), path, workspace, _language(language), over=over, dry=not apply))
    counts = Counter(each.what for each in done.lines)
    if as_json:
        files = [_line(each) for each in done.lines]
        _print_json({"workspace": done.workspace, "written": done.written, "counts": counts, "files": files})
        return
    table = Table(title=f"{done.workspace}: " + ("imported" if apply else "what it would do"))
    for heading in ("File", "What becomes of it", "Page", "Why"):
        table.add_column(heading)
    for each in done.lines:
        if each.what != "unchanged":
            page = f"{each.language}/{each.slug}" if each.slug else ""
            table.add_row(*map(escape, (each.source, WHAT[each.what], page, REASONS.get(each.reason, each.reason))))
    if table.row_count:
        out.print(table)
    take = counts["new"] + counts["changed"]
    said = f"{done.written} pages are imported." if apply else f"{take} pages would be imported: add --apply to do it."
    out.print(said if take else "There is nothing to import.", markup=False)


@handbook.command("export")
def export_pages(
    folder: Annotated[Path, typer.Argument(help="Where the files go: `en/slug.md`, `fr/slug.md`.")],
    all_pages: Annotated[bool, typer.Option("--all", help="Also those that ship with Steelyard.")] = False,
    workspace: InWorkspace = None,
) -> None:
    """Write the team's own pages as Markdown files, which `import` takes in again."""
    count = run(operations.export_pages(config.load(), folder, workspace, all_pages=all_pages))
    out.print(f"{count} pages are in {folder}.", markup=False, soft_wrap=True)


@handbook.command("list")
def list_pages(
    stale: Annotated[bool, typer.Option("--stale", help="Only pages that have to be checked again.")] = False,
    broken: Annotated[bool, typer.Option("--broken", help="Only pages with links that lead nowhere.")] = False,
    days: Annotated[int, typer.Option(help="After how many days a page has to be checked again.")] = 180,
    workspace: InWorkspace = None,
    as_json: AsJson = False,
) -> None:
    """List the pages: topics, whether a runbook does it, when they were checked."""
    found = run(operations.list_pages(config.load(), workspace, timedelta(days=max(1, days))))
    rows = [row for row in found if (row.stale or not stale) and (row.broken or not broken)]
    if as_json:
        _print_json({"pages": [_row(row) for row in rows]})
        return
    table = Table(title="Handbook")
    for heading in ("Page", "Language", "Title", "Topics", "Automated", "Checked", "Broken links"):
        table.add_column(heading)
    for row in rows:
        shown = _row(row)
        checked = f"{str(shown['checked_at'] or 'never')[:10]}{' (due)' if row.stale else ''}"
        cells = (row.page.slug, row.page.language, row.page.text.title, ", ".join(row.page.text.topics))
        table.add_row(*map(escape, (*cells, "yes" if row.automated else "", checked, ", ".join(row.broken))))
    out.print(table)


@handbook.command("search")
def search_pages(
    words: Annotated[list[str], typer.Argument(help="All of them have to be in a page, accents or not.")],
    language: InLanguage = "en",
    workspace: InWorkspace = None,
    as_json: AsJson = False,
) -> None:
    """Find pages by their words, those in `--language` first."""
    found = run(operations.search_pages(config.load(), workspace, " ".join(words), _language(language)))
    hits = [(each.page, "".join(part.text for part in each.snippet)) for each in found]
    if as_json:
        _print_json(
            {
                "pages": [
                    {"slug": page.slug, "language": page.language, "title": page.text.title, "snippet": said}
                    for page, said in hits
                ]
            }
        )
        return
    for page, said in hits:
        out.print(f"[b]{escape(page.text.title)}[/b] ({page.language}/{page.slug})\n  {escape(said)}")
    if not hits:
        out.print("No page has all of these words.")


@handbook.command("check")
def check_page(
    slug: Annotated[str, typer.Argument(help="The page's address, such as set-up-redis.")],
    language: Annotated[str | None, typer.Option("--language", help="`en` or `fr`; else both.")] = None,
    workspace: InWorkspace = None,
) -> None:
    """Say that a page is right as it stands."""
    languages = LANGUAGES if language is None else (_language(language),)
    count = run(operations.check_pages(config.load(), workspace, slug, languages))
    out.print(f"{slug} is checked in {count} language{'s' if count > 1 else ''}.", markup=False)


def _language(text: str) -> Language:
    found = language_in(text)
    if found is None:
        raise ConfigError(f"the handbook is not written in {text[:20]!r}: choose {' or '.join(LANGUAGES)}")
    return found


def _line(line: Line) -> dict[str, object]:
    return {"file": line.source, "what": line.what, "slug": line.slug, "language": line.language, "why": line.reason}


def _row(row: Row) -> dict[str, object]:
    page = row.page
    return {
        "slug": page.slug,
        "language": page.language,
        "title": page.text.title,
        "topics": page.text.topics,
        "runbooks": page.text.runbooks,
        "automated": row.automated,
        "checked_at": page.checked_at.isoformat() if page.checked_at is not None else None,
        "stale": row.stale,
        "broken": row.broken,
        "own": page.own,
        "source": page.source,
    }


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
