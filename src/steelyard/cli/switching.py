"""Commands that switch teams on, back to the shadow, and pause."""

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
from steelyard.kit.errors import ConfigError
from steelyard.operations import switching
from steelyard.operations.checking import shown
from steelyard.operations.switching import Shown, name_of
from steelyard.routing.shadow import Tally
from steelyard.routing.switch import Reach, way_of
from steelyard.routing.switch_page import TeamRow
from steelyard.routing.switching import Verb
from steelyard.web.data import plain

switch_app = typer.Typer(help="For which teams Steelyard assigns; all others are in the shadow.", no_args_is_help=True)
app.add_typer(switch_app, name="switch")

_TEAM_HELP = f"A team by its name in Intercom, or its id; 0: {switching.WITHOUT_TEAM}. Can be given several times."
OfTeams = Annotated[list[str] | None, typer.Option("--team", help=_TEAM_HELP)]
OfAll = Annotated[bool, typer.Option("--all", help="All teams; switched on, also those to come.")]


@switch_app.command("show")
def switch_show(workspace: InWorkspace = None, as_json: AsJson = False) -> None:
    """Show each team: whether it is on, who is in it, and what was compared in the shadow."""
    _say(run(switching.show(config.load(), workspace)), as_json)


@switch_app.command("on")
def switch_on(
    team: OfTeams = None, all_teams: OfAll = False, workspace: InWorkspace = None, as_json: AsJson = False
) -> None:
    """Switch teams on: what waits for them is given to somebody at once."""
    _change(Verb.ON, team, all_teams, workspace, as_json)


@switch_app.command("shadow")
def switch_shadow(
    team: OfTeams = None, all_teams: OfAll = False, workspace: InWorkspace = None, as_json: AsJson = False
) -> None:
    """Put teams back into the shadow: nothing more is written to Intercom for them."""
    _change(Verb.SHADOW, team, all_teams, workspace, as_json)


@switch_app.command("pause")
def switch_pause(workspace: InWorkspace = None, as_json: AsJson = False) -> None:
    """Write nothing more to Intercom, for any team, until it is resumed."""
    _say(run(switching.change(config.load(), workspace, Verb.PAUSE, None)), as_json)


@switch_app.command("resume")
def switch_resume(workspace: InWorkspace = None, as_json: AsJson = False) -> None:
    """End the pause: what waits for teams that are on is given to somebody at once."""
    _say(run(switching.change(config.load(), workspace, Verb.RESUME, None)), as_json)


def _change(verb: Verb, teams: list[str] | None, all_teams: bool, workspace: str | None, as_json: bool) -> None:
    if bool(teams) == all_teams:
        raise ConfigError(f"say which teams: `steelyard switch {verb} --team NAME`, several times perhaps, or `--all`")
    _say(run(switching.change(config.load(), workspace, verb, teams or None)), as_json)


def _say(state: Shown, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(plain(state)) + "\n")
        return
    out.print(f"{state.workspace}: {_in_a_sentence(state.reach)}")
    table = Table("Team", "Id", "", "Engineers", "Waiting", "Compared in 7 days")
    for each in state.teams:
        table.add_row(
            escape(name_of(each)),
            str(each.team),
            "on" if each.on else "in the shadow",
            f"{each.members}, {each.available} available",
            str(each.waiting),
            _compared(each.tally) if each.tally is not None else "",
        )
    out.print(table)
    for each in state.teams:
        if each.raced:
            out.print(_warning(each))


def _in_a_sentence(reach: Reach) -> str:
    if reach.paused:
        since = f" since {reach.paused_at:%Y-%m-%d %H:%M:%S} UTC" if reach.paused_at is not None else ""
        return f"paused{since}. Nothing is written to Intercom until `steelyard switch resume`."
    if reach.state == "shadow":
        return "in the shadow. Steelyard decides and compares, and writes nothing to Intercom."
    if reach.later:
        return "on for all teams, those to come too."
    also = f" and for {switching.WITHOUT_TEAM}" if reach.without else ""
    return f"on for {reach.on} of {reach.teams} teams{also}. All others are in the shadow."


def _compared(tally: Tally) -> str:
    by = f", by {tally.mean:.1f} on average" if tally.mean is not None else ""
    return f"{tally.compared}; for {tally.lighter} a lighter engineer was there{by}"


def _warning(team: TeamRow) -> str:
    way = shown(way_of(team.distribution))
    return (
        f"[bold]Intercom itself assigns in {escape(name_of(team))}[/bold] ({escape(way)}): in Intercom's"
        " settings for team inboxes, set the team to manual before you switch it on here."
    )
