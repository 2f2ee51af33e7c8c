"""Commands for a team's own runbooks: begin one, test it, put it where this machine finds it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from steelyard import config
from steelyard.cli.base import AsJson, out
from steelyard.cli.runbooks import runbook_app
from steelyard.cli.runs_shown import clean
from steelyard.operations.own_runbooks import Kind, Tested, examine, find_folder, install, make_new

Folder = Annotated[str, typer.Argument(help="A runbook's folder, or the name of one that this machine has.")]


@runbook_app.command("new")
def runbook_new(
    name: Annotated[str, typer.Argument(help="What it is called: a-z, 0-9 and _, such as purge_logs.")],
    python: Annotated[
        bool, typer.Option("--python", help="A plan in Python with its cases, instead of a script.")
    ] = False,
    into: Annotated[Path, typer.Option("--in", help="The folder in which its folder is made.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Make the folder of a new runbook, which works as it is."""
    kind: Kind = "python" if python else "script"
    folder = make_new(name, kind, into)
    if as_json:
        _print({"folder": str(folder), "kind": kind})
        return
    first, place = "runbook.py" if python else "run", escape(clean(str(folder)))
    out.print(f"{place} is there. Edit {first} and README.md, then: steelyard runbook test {place}", soft_wrap=True)


@runbook_app.command("test")
def runbook_test(
    folder: Folder,
    write: Annotated[
        bool, typer.Option("--write", help="Give cases that expect nothing yet what the runbook says now.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run a runbook's cases and read its documentation. Exit status 1 where something is wrong. No host is needed."""
    tested = examine(find_folder(config.load_anywhere(), folder), write=write)
    if as_json:
        _print(_data(tested))
    else:
        _show(tested)
    raise typer.Exit(0 if tested.ok else 1)


@runbook_app.command("install")
def runbook_install(
    folder: Annotated[Path, typer.Argument(help="A runbook's folder.")],
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of one that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Copy a runbook that passes its test to the folder of STEELYARD_RUNBOOKS. Do it on every machine."""
    place = install(config.load_anywhere(), folder, replace=replace)
    if as_json:
        _print({"folder": str(place)})
        return
    where = escape(clean(str(place)))
    out.print(f"{where} is installed. Web and workers of this machine have it within seconds.", soft_wrap=True)


def _show(tested: Tested) -> None:
    for case in tested.cases:
        out.print(f"[red]✗[/red] {escape(case.name)}" if case.differences else f"[green]✓[/green] {escape(case.name)}")
        for line in case.differences:
            out.print(f"    {escape(clean(line))}", soft_wrap=True)
    for each in tested.missing:
        out.print(f"[red]✗[/red] {escape(clean(each))}", soft_wrap=True)
    if tested.ok:
        cases = {0: "no case yet", 1: "1 case"}.get(len(tested.cases), f"{len(tested.cases)} cases")
        out.print(f"{tested.runbook.name} passes: {cases}, documented in both languages.")


def _data(tested: Tested) -> dict[str, Any]:
    cases = [{"name": each.name, "differences": list(each.differences)} for each in tested.cases]
    return {"runbook": tested.runbook.name, "ok": tested.ok, "cases": cases, "missing": list(tested.missing)}


def _print(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
