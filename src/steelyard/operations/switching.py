"""Switching teams on, back to the shadow, and pausing: by the names that Intercom has for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from steelyard.config import Settings
from steelyard.kit.errors import ConfigError
from steelyard.kit.ids import TeamId, WorkspaceId
from steelyard.kit.instants import moment
from steelyard.main import ground
from steelyard.operations.checking import shown
from steelyard.operations.database import named, opened
from steelyard.routing.switch import Reach, change_switch, read_reach, read_switch
from steelyard.routing.switch_page import TeamRow, read_rows
from steelyard.routing.switching import Change, Verb
from steelyard.store.database import Database

WITHOUT_TEAM = "conversations without a team"


class Shown(NamedTuple):
    """For which teams of a workspace Steelyard assigns."""

    workspace: WorkspaceId
    reach: Reach
    teams: tuple[TeamRow, ...]


async def show(settings: Settings, wanted: str | None) -> Shown:
    """The workspace as it is. Raises ConfigError where it is not known."""
    async with opened(settings, "switch") as database:
        return await _shown(database, await named(database, settings.cell, wanted))


async def change(settings: Settings, wanted: str | None, verb: Verb, teams: Sequence[str] | None) -> Shown:
    """Does `verb` to the teams of these names or ids, to all where `teams` is None; the workspace after that.

    Raises ConfigError for a name that no team or more than one has; then nothing is changed.
    """
    async with opened(settings, "switch") as database:
        workspace = await named(database, settings.cell, wanted)
        if teams is None:
            changes = [Change(verb)]
        else:
            known = (await _shown(database, workspace)).teams
            changes = [Change(verb, team_of(known, each)) for each in teams]
        for each in changes:
            await change_switch(database, workspace, each, ground.now())
        return await _shown(database, workspace)


def team_of(known: Sequence[TeamRow], wanted: str) -> TeamId:
    """The team that is called `wanted`, or has it as its id. Raises ConfigError with all there are."""
    found = [each for each in known if wanted and wanted.casefold() in _names(each)]
    if len(found) == 1:
        return TeamId(found[0].team)
    listed = "; ".join(f"{name_of(each)} ({each.team})" for each in known)
    if not found:
        raise ConfigError(f"no team is called {shown(wanted)}. Name one of these, by name or id: {listed}")
    raise ConfigError(f"{len(found)} teams are called {shown(wanted)}. Name the one you mean by its id: {listed}")


def name_of(team: TeamRow) -> str:
    """What people call it, for a terminal."""
    return (shown(team.name) or f"team {team.team}") if team.team else WITHOUT_TEAM


def _names(team: TeamRow) -> set[str]:
    """All that it can be called: also the name that Intercom has, where that is none for a terminal."""
    return {each.casefold() for each in (name_of(team), team.name, str(team.team))}


async def _shown(database: Database, workspace: WorkspaceId) -> Shown:
    now = moment(ground.now())
    async with database.transaction(workspace) as conn:
        switch = await read_switch(conn, workspace)
        return Shown(workspace, await read_reach(conn, workspace), await read_rows(conn, workspace, now, switch))
