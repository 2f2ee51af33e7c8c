"""Commands about the rules that scans judge files by."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from steelyard import config
from steelyard.cli.base import AsJson, app, out
from steelyard.jobs.processes import run
from steelyard.operations import scan_rules
from steelyard.operations.checking import shown
from steelyard.toolbox.scanning.model import Severity
from steelyard.web.data import plain

rules_app = typer.Typer(help="The rules by which scans judge files: the packs that are loaded.", no_args_is_help=True)
app.add_typer(rules_app, name="rules")

OfFile = Annotated[Path, typer.Argument(help="A file of YARA rules, as text.")]
OfHash = Annotated[str, typer.Option("--sha256", help="What the file has to hash to, as its author says.")]


@rules_app.command("load")
def rules_load(
    file: OfFile,
    name: Annotated[str, typer.Option("--name", help="What to call the pack: a-z, 0-9, - and _.")],
    licence: Annotated[str, typer.Option("--licence", help="The licence of the rules, such as MIT.")],
    sha256: OfHash = "",
    severity: Annotated[
        Severity, typer.Option("--severity", help="What its hits are worth where a rule does not say.")
    ] = Severity.SUSPICIOUS,
    as_json: AsJson = False,
) -> None:
    """Load a file of rules as a pack: the next scan of every site judges by it too."""
    kept = run(scan_rules.load(config.load(), file, name, licence, sha256, severity))
    if as_json:
        sys.stdout.write(json.dumps(plain(kept)) + "\n")
        return
    word = "in the place of the one before" if kept.replaced else "new"
    out.print(f"{escape(kept.pack.name)}: {kept.pack.rules} rules, {word}. SHA-256 {kept.pack.sha256}")
    _warn(kept.warnings)


@rules_app.command("list")
def rules_list(as_json: AsJson = False) -> None:
    """List the packs, with licence, hash and number of rules."""
    packs = run(scan_rules.listed(config.load()))
    if as_json:
        sys.stdout.write(json.dumps(plain(packs)) + "\n")
        return
    table = Table("Pack", "Rules", "Severity", "Licence", "SHA-256", "Loaded")
    for each in packs:
        at = f"{each.loaded_at:%Y-%m-%d %H:%M} UTC" if each.loaded_at is not None else "ships with Steelyard"
        table.add_row(
            escape(each.name), str(each.rules), each.severity, escape(shown(each.licence)), each.sha256[:16], at
        )
    out.print(table)


@rules_app.command("remove")
def rules_remove(name: Annotated[str, typer.Argument(help="The name of the pack.")], as_json: AsJson = False) -> None:
    """Take a pack out: scans judge by it no more. Findings that it made stay."""
    run(scan_rules.remove(config.load(), name))
    if as_json:
        sys.stdout.write(json.dumps({"removed": name}) + "\n")
        return
    out.print(f"{escape(name)} is removed. `steelyard rules load` loads it again.")


@rules_app.command("check")
def rules_check(file: OfFile, sha256: OfHash = "", as_json: AsJson = False) -> None:
    """Compile a file of rules as a scan would, and load nothing."""
    found = scan_rules.checked(file, sha256)
    if as_json:
        sys.stdout.write(json.dumps(plain(found)) + "\n")
        return
    out.print(f"{found.rules} rules. SHA-256 {found.sha256}")
    _warn(found.warnings)


def _warn(warnings: tuple[str, ...]) -> None:
    for each in warnings[:50]:
        out.print(f"warning: {escape(shown(each))}")
