"""The command that says what is wrong."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from steelyard import config
from steelyard.cli.base import AsJson, Role, app, out
from steelyard.jobs.processes import run
from steelyard.operations.doctor import examine
from steelyard.operations.findings import Finding, State

_SIGNS = {State.GOOD: "[green]✓[/green]", State.WARN: "[yellow]![/yellow]", State.BAD: "[red]✗[/red]"}


@app.command()
def doctor(
    role: Annotated[Role, typer.Option(help="What this machine is to run; `web` needs no worker's keys.")] = Role.ALL,
    try_alarm: Annotated[bool, typer.Option("--try-alarm", help="Send a message to every address of alarms.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with this installation, and how to mend it. Exit status 1 where something is."""
    findings = run(_examined(role, try_alarm, quiet=as_json))
    well = not any(each.is_bad for each in findings)
    if as_json:
        sys.stdout.write(json.dumps({"well": well, "findings": [each._asdict() for each in findings]}) + "\n")
    elif well:
        out.print("\nAll is well.")
    else:
        out.print(f"\nWrong: {sum(each.is_bad for each in findings)}. What to do stands below each.")
    if not well:
        raise typer.Exit(1)


async def _examined(role: Role, try_alarm: bool, *, quiet: bool) -> list[Finding]:
    findings: list[Finding] = []
    place = ""
    wanted = {"web": role is not Role.WORKER, "worker": role is not Role.WEB}
    async for each in examine(config.load, **wanted, try_alarm=try_alarm):
        findings.append(each)
        if quiet:
            continue
        if each.workspace != place:
            place = each.workspace
            out.print(f"\n{place}", markup=False)
        out.print(f"{_SIGNS[each.state]} ", end="")
        out.print(each.said, markup=False, soft_wrap=True)
        if each.mend:
            out.print(f"  {each.mend}", markup=False, soft_wrap=True)
    return findings
