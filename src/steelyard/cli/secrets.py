"""Commands for the keys under which the stored secrets are sealed."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich.table import Table

from steelyard import config
from steelyard.cli.base import AsJson, app, out
from steelyard.jobs.processes import run
from steelyard.operations import secrets
from steelyard.operations.secrets import KeyFile, Rotation

secrets_app = typer.Typer(
    help="The keys that the stored tokens and client secrets are sealed under.", no_args_is_help=True
)
app.add_typer(secrets_app, name="secrets")


@secrets_app.command("show")
def secrets_show(as_json: AsJson = False) -> None:
    """Show which keys there are and how many secrets are sealed under each; never a key or a secret.

    The same key has the same fingerprint on every machine.
    """
    files = run(secrets.show(config.load()))
    if as_json:
        sys.stdout.write(json.dumps([_plain(each) for each in files]) + "\n")
        return
    table = Table("key file", "key", "fingerprint", "secrets sealed", "")
    for each in files:
        if each.known is None:
            table.add_row(str(each.file), "", "", "", "not on this machine")
        for number in sorted({*(each.known or ()), *each.sealed}):
            mark, count = (each.known or {}).get(number, ""), each.sealed.get(number, 0)
            table.add_row(str(each.file), str(number or "–"), mark, str(count), _said(each, number))
    out.print(table)


@secrets_app.command("rotate")
def secrets_rotate(
    only_add: Annotated[
        bool, typer.Option("--only-add", help="Add the keys and stop: copy both files to every machine, then rotate.")
    ] = False,
    forget_old: Annotated[
        bool, typer.Option("--forget-old", help="Remove the keys that nothing is sealed under any more.")
    ] = False,
) -> None:
    """Seal every stored secret anew under fresh keys.

    Web and worker go on meanwhile. Where it was killed, run it again: it goes on from there.
    """
    if only_add and forget_old:
        raise typer.BadParameter("--only-add adds and stops: there is nothing to forget yet")
    rotation = run(secrets.rotate(config.load(), only_add=only_add, forget_old=forget_old))
    for line in _told(rotation, only_add):
        out.print(line, markup=False, soft_wrap=True)


def _told(rotation: Rotation, only_add: bool) -> list[str]:
    lines = [f"{name}: key {number} was added." for name, number in rotation.added.items()]
    if only_add:
        return [*lines, "Copy both files to every machine, then run `steelyard secrets rotate` on one of them."]
    lines.append(f"{rotation.sealed} secrets were sealed anew.")
    forgotten = [(name, numbers) for name, numbers in rotation.forgotten.items() if numbers]
    return lines + [f"{name}: forgotten {', '.join(map(str, numbers))}." for name, numbers in forgotten]


def _plain(each: KeyFile) -> dict[str, object]:
    return {
        "file": str(each.file),
        "keys": None if each.known is None else sorted(each.known),
        "fingerprints": {str(number): mark for number, mark in sorted((each.known or {}).items())},
        "newest": each.newest or None,
        "sealed": {str(number): count for number, count in sorted(each.sealed.items())},
        "missing": each.missing,
        "other": sorted(each.other),
    }


def _said(each: KeyFile, number: int) -> str:
    if number == 0:
        return "not sealed: connect again"
    if number in each.missing:
        return "missing: restore the file, or connect again"
    if number in each.other:
        return "another key sealed these: copy the file from the machine that has it"
    return "seals" if number == each.newest else ""
