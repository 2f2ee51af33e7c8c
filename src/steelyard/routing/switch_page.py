"""What the page of the switch shows: each team, whether it is on, and what switching it would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from psycopg import AsyncConnection

from steelyard.kit.ids import TeamId, WorkspaceId
from steelyard.routing import codec
from steelyard.routing.desk import group_of, policy_in_force, read_place
from steelyard.routing.model import NO_TEAM, Conversation, Switch
from steelyard.routing.rows import rows
from steelyard.routing.shadow import Tally, read_tallies
from steelyard.routing.switch import Reach, assigns_itself, read_reach, read_switch, read_teams
from steelyard.routing.switching import Change, Verb, change_of, changed, switch_of
from steelyard.store.database import Database
from steelyard.web.place import Place

_COMPARED_FOR = timedelta(days=7)


class TeamRow(NamedTuple):
    """One team, or, as 0, the conversations without one."""

    team: int
    name: str
    on: bool
    members: int
    available: int
    """How many of them could be given something now."""
    distribution: str
    """How Intercom itself assigns in it; empty where it does not."""
    waiting: int
    """Open conversations that nobody has: what is given to somebody when the team is switched on."""
    tally: Tally | None
    """What was compared in the last seven days, if anything was."""

    @property
    def raced(self) -> bool:
        """Whether Intercom would assign in it, too."""
        return assigns_itself(self.distribution)


class Done(NamedTuple):
    """What was just done to the switch, and what undoes it. Nothing was where an undo came too late."""

    verb: Verb
    team: str
    """The team's name; empty for conversations without a team, and where it was done to all."""
    all: bool
    undo: str
    """The code of the change that takes it back; empty where nothing was done."""


class SwitchPage(NamedTuple):
    """Everything the page shows."""

    place: Place
    at: datetime
    reach: Reach
    teams: tuple[TeamRow, ...]
    """By name; the conversations without a team last."""
    done: Done | None


async def read_switch_page(
    database: Database, workspace: WorkspaceId, now: datetime, query: Mapping[str, str]
) -> SwitchPage:
    """The page as it is `now`. `query` may name what was just done: it is told where it still holds."""
    async with database.transaction(workspace) as connection:
        switch = await read_switch(connection, workspace)
        reach = await read_reach(connection, workspace)
        teams = await read_rows(connection, workspace, now, switch)
        listed = await read_teams(connection)
        place = await read_place(connection, workspace)
    return SwitchPage(place, now, reach, teams, _done(query, switch, teams, listed))


async def read_rows(
    connection: AsyncConnection[Any], workspace: WorkspaceId, now: datetime, switch: Switch
) -> tuple[TeamRow, ...]:
    """Every team with people in it, then the conversations without a team."""
    policy = await policy_in_force(connection, workspace)
    engineers = [
        codec.engineer(row["engineer"], row["value"])
        for row in await rows(connection, "SELECT engineer, value FROM engineer")
    ]
    seated = frozenset(each.id for each in engineers if each.member and each.seat)
    free = frozenset(each.id for each in engineers if group_of(each, policy) == "available")
    waiting = await _waiting(connection)
    tallies = {each.team: each for each in await read_tallies(connection, now - _COMPARED_FOR, now)}

    def row(team: int, name: str, members: frozenset[int], distribution: str) -> TeamRow:
        on = switch.routed is None or team in switch.routed
        available = len(members & free)
        return TeamRow(team, name, on, len(members), available, distribution, waiting[team], tallies.get(team))

    found = await rows(
        connection,
        "SELECT team, members, coalesce(name, '') AS name, coalesce(distribution, '') AS distribution"
        " FROM team LEFT JOIN team_name USING (workspace, team) WHERE members != '{}' ORDER BY name, team",
    )
    listed = [row(each["team"], each["name"], frozenset(each["members"]), each["distribution"]) for each in found]
    return (*listed, row(NO_TEAM, "", seated, ""))


async def _waiting(connection: AsyncConnection[Any]) -> Counter[int]:
    """How many open conversations of each team nobody has, and Steelyard could give to somebody."""
    found = await rows(connection, "SELECT value FROM conversation WHERE open AND value ->> 3 IS NULL")
    values = [codec.conversation(row["value"]) for row in found]
    return Counter(int(each.team or NO_TEAM) for each in values if _can_be_given(each))


def _can_be_given(value: Conversation) -> bool:
    on_its_way = value.pending is not None and not value.pending.shadow
    return not value.ticket and value.failed is None and not on_its_way


def _done(query: Mapping[str, str], switch: Switch, teams: Sequence[TeamRow], listed: Sequence[TeamId]) -> Done | None:
    try:
        change, before = change_of(query.get("done", "")), switch_of(query.get("was", ""))
    except ValueError:
        return None
    if changed(before, change, listed) != switch:
        return None
    if before == switch:
        return Done(change.verb, "", all=True, undo="") if change.verb is Verb.BACK and change.was != switch else None
    names = {each.team: each.name or str(each.team) for each in teams if each.team != NO_TEAM}
    return Done(
        verb=change.verb,
        team=names.get(change.team or NO_TEAM, ""),
        all=change.team is None,
        undo=Change(Verb.BACK, was=before, after=switch).code,
    )
