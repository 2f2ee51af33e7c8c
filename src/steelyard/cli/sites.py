"""Commands about sites: adding, importing and finding them, and looking whether everything that runs need is there."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from steelyard import config
from steelyard.cli.base import AsJson, InWorkspace, app, out
from steelyard.cli.found import print_checked, text_of
from steelyard.jobs.processes import run
from steelyard.kit.errors import ConfigError
from steelyard.operations import sites
from steelyard.operations.checking import shown
from steelyard.operations.sites import MOST_BYTES, Found, Wanted
from steelyard.toolbox.checks import findings_in, worst
from steelyard.toolbox.imports import Imported
from steelyard.toolbox.registry_rows import SiteRow
from steelyard.web.data import plain

site_app = typer.Typer(help="The customers' sites that runbooks work on.", no_args_is_help=True)
app.add_typer(site_app, name="site")

Docroot = Annotated[str | None, typer.Option(help="The folder that the web server serves.")]
Account = Annotated[str | None, typer.Option(help="The user whose files they are.")]
Url = Annotated[str | None, typer.Option(help="Where it is opened; https at its name without.")]
Group = Annotated[str | None, typer.Option(help="Sites of one group share who may do what.")]
Hints = Annotated[str | None, typer.Option(help="What cannot be found out, as JSON: see docs/reference/hints.md.")]


@site_app.command("add")
def site_add(
    name: str,
    host: Annotated[str, typer.Option(help="The host that it is on, by its name here.")],
    docroot: Docroot = None,
    account: Account = None,
    url: Url = None,
    group: Group = None,
    hints: Hints = None,
    workspace: InWorkspace = None,
    as_json: AsJson = False,
) -> None:
    """Add a site by its main domain. Without --docroot and --account it is looked for on its host."""
    wanted = Wanted(host, docroot, account, url, group, hints)
    row = run(sites.add(config.load(), workspace, name, wanted))
    _say(row, as_json, f"{row.site.name} is added. What it lacks: `steelyard site check {row.site.name}`")


@site_app.command("change")
def site_change(
    name: str,
    host: Annotated[str | None, typer.Option(help="The host that it is on.")] = None,
    docroot: Docroot = None,
    account: Account = None,
    url: Url = None,
    group: Group = None,
    hints: Hints = None,
    workspace: InWorkspace = None,
    as_json: AsJson = False,
) -> None:
    """Change what is given of a site."""
    wanted = Wanted(host, docroot, account, url, group, hints)
    _say(run(sites.change(config.load(), workspace, name, wanted)), as_json, f"{name} is changed.")


@site_app.command("list")
def site_list(group: Group = None, workspace: InWorkspace = None, as_json: AsJson = False) -> None:
    """List the sites, with what their last check found."""
    rows = run(sites.listed(config.load(), workspace, group))
    if as_json:
        sys.stdout.write(json.dumps([_plain(each) for each in rows]) + "\n")
        return
    if not rows:
        out.print(
            "No site is here: `steelyard site discover HOST` finds them, `steelyard site import FILE` takes a list."
        )
        return
    table = Table(_whole("Site"), "Host", _whole("Docroot"), "User", "Group", "WordPress", "Last check")
    for each in rows:
        site = each.site
        found: dict[str, Any] = each.facts.get("wordpress") or {}
        cells = (site.name, site.host.name, site.docroot, site.account, site.group, str(found.get("version", "")))
        table.add_row(*(escape(shown(cell)) for cell in (*cells, _checked(each))))
    out.print(table)


@site_app.command("show")
def site_show(name: str, workspace: InWorkspace = None, as_json: AsJson = False) -> None:
    """Show one site, with what its last check found."""
    row = run(sites.shown(config.load(), workspace, name))
    if as_json:
        sys.stdout.write(json.dumps(_plain(row)) + "\n")
        return
    for key, value in _plain(row).items():
        if key not in ("facts",) and value not in ("", {}, None):
            out.print(escape(f"{key:<11} {json.dumps(value) if isinstance(value, dict) else shown(str(value))}"))
    for each in findings_in(row.facts):
        out.print(escape(f"  {each.state:<8} {text_of(each.says)}"), soft_wrap=True)


@site_app.command("remove")
def site_remove(name: str, workspace: InWorkspace = None, as_json: AsJson = False) -> None:
    """Take a site out of the registry. Nothing on its host is touched, and what ran on it stays on record."""
    row = run(sites.remove(config.load(), workspace, name))
    _say(row, as_json, f"{name} is removed from the registry. Its page has the way back: /sites/{row.site.id}")


@site_app.command("group")
def site_group(
    group: Annotated[str, typer.Argument(help='Its name; "" for none.')],
    names: list[str],
    workspace: InWorkspace = None,
) -> None:
    """Put sites into a group, so that rules for it hold for them."""
    changed = run(sites.set_group(config.load(), workspace, group, names))
    out.print(escape(f"{changed} of {len(names)} sites were elsewhere and are in “{group}” now."))


@site_app.command("import")
def site_import(
    file: Annotated[Path, typer.Argument(help="CSV with headings, or JSON; - reads standard input.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    partly: Annotated[bool, typer.Option("--partly", help="Take in the good lines, leave out the others.")] = False,
    workspace: InWorkspace = None,
    as_json: AsJson = False,
) -> None:
    """Take in sites from a file. A site that is here by name is changed; the same file twice changes nothing."""
    imported, done = run(sites.take_in(config.load(), workspace, _text_of(file), partly=partly, dry=dry_run))
    _say_imported(imported, done, as_json)
    if imported.refused and not partly:
        raise typer.Exit(1)


@site_app.command("discover")
def site_discover(
    host: str,
    add: Annotated[list[str] | None, typer.Option(help="A site to add by its name; `all` for every one.")] = None,
    place: Annotated[list[str] | None, typer.Option(help="Where to look, instead of the usual folders.")] = None,
    workspace: InWorkspace = None,
    as_json: AsJson = False,
) -> None:
    """Find the sites that are on a host: by its web servers' settings, and where a WordPress lies. Changes nothing."""
    settings = config.load()
    found = run(sites.discover(settings, workspace, host, place or []))
    added = None
    if add:
        added = run(sites.add_found(settings, workspace, found, None if add == ["all"] else add))
    if as_json:
        rows = [dict(site) | {"known": known} for site, known in found.sites]
        sys.stdout.write(
            json.dumps({"host": host, "sites": rows, **found.about, "added": len(added.added) if added else 0})
        )
        sys.stdout.write("\n")
        return
    _say_found(found)
    if added is not None:
        _say_imported(added, True, False)


@site_app.command("check")
def site_check(
    names: Annotated[list[str] | None, typer.Argument(help="Sites by their names; all without.")] = None,
    workspace: InWorkspace = None,
    as_json: AsJson = False,
) -> None:
    """Look on hosts and sites for what runs need, and say what is missing and what to do about it."""
    raise typer.Exit(print_checked(run(sites.check(config.load(), workspace, names or [])), as_json))


# What is said


def _say(row: SiteRow, as_json: bool, words: str) -> None:
    if as_json:
        sys.stdout.write(json.dumps(_plain(row)) + "\n")
        return
    out.print(escape(words))


def _say_imported(imported: Imported, done: bool, as_json: bool) -> None:
    if as_json:
        refused = [{"line": each.line, "name": each.name, "why": text_of(each.says)} for each in imported.refused]
        names = {"added": [each.name for each in imported.added], "changed": [each.name for each in imported.changed]}
        sys.stdout.write(json.dumps({"done": done, **names, "same": imported.same, "refused": refused}) + "\n")
        return
    for each in imported.refused:
        out.print(escape(f"line {each.line}: {text_of(each.says)}"), soft_wrap=True)
    counts = f"{len(imported.added)} to add, {len(imported.changed)} to change, {imported.same} as they are"
    left = f", {len(imported.refused)} refused" if imported.refused else ""
    end = "Done." if done else "Nothing was changed."
    out.print(f"{counts}{left}. {end}")


def _whole(title: str) -> Column:
    """A column of what is typed again in other commands: broken where it must be, never cut."""
    return Column(title, overflow="fold")


def _say_found(found: Found) -> None:
    if not found.sites:
        out.print(f"No site was found on {escape(found.host)}: name the folder that they are in with --place.")
    titles = _whole("Site"), _whole("Docroot"), _whole("User"), "WordPress", _whole("Database"), "In the registry"
    table = Table(*titles, title=escape(f"On {found.host}"))
    for site, known in found.sites:
        wordpress: dict[str, Any] = site["wordpress"] or {}
        version = str(wordpress.get("version", "-")) + (" multisite" if wordpress.get("multisite") else "")
        database = f"{wordpress.get('database', '')} {wordpress.get('prefix', '')}"
        cells = (str(site["name"]) or "?", str(site["docroot"]), str(site["account"]), version, database)
        table.add_row(*(escape(shown(cell)) for cell in (*cells, "yes" if known else "no")))
    if found.sites:
        out.print(table)
    php = "; ".join(f"{each['version']} ({', '.join(each['pools']) or 'no pool'})" for each in found.about["php"])
    out.print(escape(shown(f"PHP: {php or 'none found'}")))
    out.print(escape(shown(f"Redis: {', '.join(found.about['redis']) or 'none found'}")))
    if found.about["closed"]:
        closed, count = ", ".join(map(shown, found.about["closed"][:5])), len(found.about["closed"])
        out.print(escape(f"Folders that may not be looked into: {count}, such as {closed}."), soft_wrap=True)
        out.print("Add what is in them: steelyard site add NAME --host HOST --docroot PATH --account USER")
    if found.about["cut"]:
        out.print("There is more than was looked at: name where with --place.")


def _plain(row: SiteRow) -> dict[str, Any]:
    site = row.site
    about = {"id": site.id, "name": site.name, "host": site.host.name, "docroot": site.docroot, "account": site.account}
    facts = {key: value for key, value in row.facts.items() if key != "findings"}
    checked = {"checked_at": plain(row.checked_at), "state": worst(findings_in(row.facts)) if row.checked_at else ""}
    return about | {"url": site.url, "group": site.group, "hints": dict(row.hints), "facts": facts} | checked


def _checked(row: SiteRow) -> str:
    if row.checked_at is None:
        return "not yet"
    words = {"ok": "all there", "odd": "look at it", "missing": "something is missing"}
    return f"{words[worst(findings_in(row.facts))]}, {row.checked_at:%Y-%m-%d %H:%M}"


def _text_of(file: Path) -> str:
    try:
        raw = sys.stdin.buffer.read(MOST_BYTES + 1) if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read ({type(error).__name__}): name a file of CSV or JSON") from None
    if len(raw) > MOST_BYTES:
        raise ConfigError(f"{file} is larger than {MOST_BYTES // 1_000_000} MB: import it in parts")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file} is not UTF-8 on line {line}: save it as CSV (UTF-8)") from None
