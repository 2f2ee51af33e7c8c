"""Commands for slots: WordPress held ahead of need, and signed manifests of plugins and themes."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from steelyard import config
from steelyard.cli.base import AsJson, InWorkspace, app, out
from steelyard.jobs.processes import run
from steelyard.kit.errors import ConfigError
from steelyard.operations import core_copying, core_fetching, core_slots
from steelyard.operations.core_slots import Listed, Pins
from steelyard.toolbox.slots_release import Release
from steelyard.web.data import plain

Sha256 = Annotated[str, typer.Option("--sha256", help="What the archive has to hash to.")]

core_app = typer.Typer(
    help="Releases that are known: what sites are reset to, and what scans need not read.", no_args_is_help=True
)
app.add_typer(core_app, name="core")


@core_app.command("key")
def core_key() -> None:
    """Make the key that signs what is added, on this machine alone, and print its public line.

    Put that line into `slot-keys` in the folder of the keys on every machine with workers.
    """
    out.print(core_slots.key(config.load()), markup=False, soft_wrap=True)


@core_app.command("add")
def core_add(
    archive: Annotated[Path, typer.Argument(help="A zip or tar.gz of WordPress, of a plugin or of a theme.")],
    sha256: Sha256 = "",
    sha1: Annotated[str, typer.Option("--sha1", help="The same, as wordpress.org publishes it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Add what an archive holds: it is checked and signed, so that scans know its files.

    A WordPress is also kept for resets, with a template of its tables. A plugin is known by the header of a PHP file in
    its folder, a theme by that of its style.css; the folder in the archive has to be called as on sites.
    """
    _show([run(core_slots.add(config.load(), archive, Pins(sha256, sha1), _say(as_json)))], as_json)


@core_app.command("fetch")
def core_fetch(
    version: Annotated[str, typer.Argument(help="As 7.1.1. Left out: the newest.")] = "",
    plugin: Annotated[str, typer.Option("--plugin", help="This plugin, as in its address at wordpress.org.")] = "",
    theme: Annotated[str, typer.Option("--theme", help="This theme, as in its address at wordpress.org.")] = "",
    locale: Annotated[str, typer.Option("--locale", help="WordPress in this language.")] = "en_US",
    sha256: Sha256 = "",
    as_json: AsJson = False,
) -> None:
    """Fetch a WordPress, a plugin or a theme from wordpress.org and add it."""
    if plugin and theme:
        raise ConfigError("give --plugin or --theme, one at a time")
    release = Release("core", "wordpress", version, locale)
    if plugin or theme:
        release = Release("plugin" if plugin else "theme", plugin or theme, version, "")
    _show([run(core_fetching.fetch(config.load(), release, sha256, _say(as_json)))], as_json)


@core_app.command("refresh")
def core_refresh(as_json: AsJson = False) -> None:
    """Fetch the newest WordPress in every language that is held, and of each plugin and theme that was fetched.

    Plugins and themes that were added from an archive are left out: at wordpress.org, another may have the same name.
    """
    done = run(core_fetching.refresh(config.load(), _say(as_json)))
    _show(done.added, as_json)
    _fail(done.failed)


@core_app.command("list")
def core_list(as_json: AsJson = False) -> None:
    """List what is held."""
    _show(run(core_slots.listed(config.load())), as_json)


@core_app.command("copy")
def core_copy(
    hosts: Annotated[list[str] | None, typer.Argument(help="Names of hosts. None: all of them.")] = None,
    sites: Annotated[
        list[str] | None, typer.Option("--site", help="Also lay a copy beside this site, for its next reset.")
    ] = None,
    workspace: InWorkspace = None,
    as_json: AsJson = False,
) -> None:
    """Copy the newest WordPress to hosts ahead of need; each file is proved there by the signed manifest."""
    done = run(core_copying.copy(config.load(), workspace, hosts or (), sites or (), _say(as_json)))
    failed = [each for each in done if each.failed]
    if as_json:
        sys.stdout.write(json.dumps([plain(each) for each in done]) + "\n")
    _fail([f"{each.host}: {each.failed}" for each in failed])


def _say(as_json: bool) -> core_slots.Say:
    def say(text: str) -> None:
        if not as_json:
            out.print(escape(text), soft_wrap=True)

    return say


def _fail(failed: Sequence[str]) -> None:
    """Says what went wrong, where anything did, and ends so."""
    for each in failed:
        sys.stderr.write(f"{each}\n")
    if failed:
        raise typer.Exit(1)


def _show(slots: Sequence[Listed], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps([plain(each) for each in slots]) + "\n")
        return
    table = Table("kind", "name", "version", "language", "files", "MB", "SHA-256 of the archive", "")
    for each in slots:
        notes = [
            *(() if each.trusted else ("not signed by a trusted key",)),
            *(("no template",) if each.kind == "core" and not each.template else ()),
            *(() if each.here else ("not on this machine",)),
        ]
        size = f"{each.bytes / 1e6:.0f}"
        table.add_row(
            each.kind, each.slug, each.version, each.locale, str(each.files), size, each.archive, ", ".join(notes)
        )
    out.print(table)
