"""Commands for core slots: a WordPress of each version and language, held ahead of need."""

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
from steelyard.operations import core_slots
from steelyard.operations.core_slots import Listed, Pins
from steelyard.web.data import plain

core_app = typer.Typer(help="WordPress, held ahead of need: what sites are reset to.", no_args_is_help=True)
app.add_typer(core_app, name="core")


@core_app.command("key")
def core_key() -> None:
    """Make the key that signs what is added, on this machine alone, and print its public line.

    Put that line into `slot-keys` in the folder of the keys on every machine with workers.
    """
    out.print(core_slots.key(config.load()), markup=False, soft_wrap=True)


@core_app.command("add")
def core_add(
    archive: Annotated[Path | None, typer.Argument(help="A zip or tar.gz of WordPress.")] = None,
    version: Annotated[str, typer.Option("--version", help="Fetch this version from wordpress.org instead.")] = "",
    locale: Annotated[str, typer.Option("--locale", help="In this language.")] = "en_US",
    sha256: Annotated[str, typer.Option("--sha256", help="What the archive has to hash to.")] = "",
    sha1: Annotated[str, typer.Option("--sha1", help="The same, as wordpress.org publishes it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Add a WordPress: its archive is checked, unpacked and signed, and a template is made of its tables."""
    if (archive is None) == (not version):
        raise ConfigError("give an archive, or --version to fetch one")
    settings = config.load()
    if archive is not None:
        added = run(core_slots.add(settings, archive, Pins(sha256, sha1), _say(as_json)))
    else:
        added = run(core_slots.fetch(settings, version, locale, _say(as_json)))
    _show([added], as_json)


@core_app.command("refresh")
def core_refresh(as_json: AsJson = False) -> None:
    """Fetch the newest WordPress in every language that is held, where it is not there yet."""
    _show(run(core_slots.refresh(config.load(), _say(as_json))), as_json)


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
    done = run(core_slots.copy(config.load(), workspace, hosts or (), sites or (), _say(as_json)))
    failed = [each for each in done if each.failed]
    if as_json:
        sys.stdout.write(json.dumps([plain(each) for each in done]) + "\n")
    for each in failed:
        sys.stderr.write(f"{each.host}: {each.failed}\n")
    if failed:
        raise typer.Exit(1)


def _say(as_json: bool) -> core_slots.Say:
    def say(text: str) -> None:
        if not as_json:
            out.print(escape(text), soft_wrap=True)

    return say


def _show(slots: Sequence[Listed], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps([plain(each) for each in slots]) + "\n")
        return
    table = Table("version", "language", "files", "MB", "SHA-256 of the archive", "")
    for each in slots:
        notes = [
            *(() if each.trusted else ("not signed by a trusted key",)),
            *(() if each.template else ("no template",)),
            *(() if each.here else ("not on this machine",)),
        ]
        size = f"{each.bytes / 1e6:.0f}"
        table.add_row(each.version, each.locale, str(each.files), size, each.archive, ", ".join(notes))
    out.print(table)
