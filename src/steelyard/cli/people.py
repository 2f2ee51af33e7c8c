"""Commands about people: a link to come in by, and who is here."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from steelyard import config
from steelyard.cli.base import AsJson, InWorkspace, app, out
from steelyard.jobs.processes import run
from steelyard.operations import people as operations
from steelyard.operations.checking import shown
from steelyard.people.members import Member
from steelyard.web.data import plain


@app.command()
def link(
    address: Annotated[
        str | None, typer.Option("--for", help="Somebody's e-mail address: they choose a new password.")
    ] = None,
    workspace: InWorkspace = None,
) -> None:
    """Print a link that works once, for an hour: whoever opens it becomes an administrator, or chooses a password."""
    sys.stdout.write(f"{run(operations.new_link(config.load(), workspace, address))}\n")


@app.command()
def people(workspace: InWorkspace = None, as_json: AsJson = False) -> None:
    """List who may open a workspace in the console, as what, and when they were last there."""
    named, members = run(operations.who_is_here(config.load(), workspace))
    if as_json:
        rows = [plain(each) for each in members]
        sys.stdout.write(json.dumps({"workspace": named, "people": rows}) + "\n")
        return
    if not members:
        out.print(f"Nobody can sign in to {named} yet: `steelyard link` makes the first administrator.")
        return
    table = Table(title=f"People of {named}")
    for heading in ("Name", "Address", "Roles", "In Intercom", "Last here"):
        table.add_column(heading)
    for each in members:
        table.add_row(*(escape(shown(cell)) for cell in _cells(each)))
    out.print(table)


def _cells(member: Member) -> tuple[str, ...]:
    seen = member.seen_at.strftime("%Y-%m-%d %H:%M UTC") if member.seen_at is not None else "-"
    return (
        member.name,
        member.address,
        ", ".join(member.roles),
        str(member.engineer or "-"),
        seen if member.enters else "no password yet",
    )
