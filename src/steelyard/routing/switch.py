"""Switching teams on and off, and pausing: what the workspace's row says, told to the router through the inbox."""

from __future__ import annotations

from datetime import datetime
from secrets import token_hex
from typing import Any, Literal, NamedTuple

from psycopg import AsyncConnection

from steelyard.kit.errors import ConfigError
from steelyard.kit.ids import PersonId, TeamId, WorkspaceId
from steelyard.kit.instants import SECOND, Micros, moment
from steelyard.routing import store
from steelyard.routing.model import NO_TEAM, Switch
from steelyard.routing.rows import rows
from steelyard.routing.switching import Change, changed
from steelyard.routing.told import SWITCH
from steelyard.store.database import Database


class Reach(NamedTuple):
    """How much of a workspace Steelyard assigns for."""

    on: int
    """So many teams are on, whether or not it is paused."""
    teams: int
    without: bool
    """Whether conversations without a team are on, too."""
    later: bool
    """Whether teams that do not exist yet will be on."""
    paused: bool
    paused_at: datetime | None

    @property
    def state(self) -> Literal["paused", "shadow", "part", "on"]:
        """What there is to say of it in a word."""
        if self.paused:
            return "paused"
        if not self.on and not self.without:
            return "shadow"
        return "on" if self.without and self.on == self.teams else "part"


_BY_HAND = ("", "manual")
_WAYS = {"round_robin": "round robin", "load_balanced": "balanced"}


def assigns_itself(distribution: str) -> bool:
    """Whether Intercom itself assigns in a team that has this distribution. One that is not known here does, too."""
    return distribution not in _BY_HAND


def way_of(distribution: str) -> str:
    """A team's distribution in Intercom's own words for people; as it is where it is not known here."""
    return _WAYS.get(distribution, distribution)


async def read_switch(conn: AsyncConnection[Any], workspace: WorkspaceId) -> Switch:
    """For which teams Steelyard assigns. Raises ConfigError for a workspace that is not there."""
    row = await (
        await conn.execute("SELECT routed, paused FROM workspace WHERE workspace = %s", (workspace,))
    ).fetchone()
    if row is None:
        raise ConfigError(f"there is no workspace {workspace}: connect it with `steelyard connect intercom`")
    return Switch(tuple(TeamId(each) for each in row[0]) if row[0] is not None else None, row[1])


async def write_switch(
    conn: AsyncConnection[Any], workspace: WorkspaceId, switch: Switch, at: Micros, person: PersonId | None
) -> None:
    """Puts `switch` in force: deliveries heed it as soon as this transaction is committed, decisions right after.

    `person` pressed it; None for the command line, and for this machine where the console is open to it.
    """
    routed = sorted(set(switch.routed)) if switch.routed is not None else None
    await conn.execute(
        "UPDATE workspace SET routed = %s, paused = %s, paused_at = CASE WHEN %s THEN coalesce(paused_at, %s) END"
        " WHERE workspace = %s",
        (routed, switch.paused, switch.paused, moment(at), workspace),
    )
    told = {"created_at": at // SECOND, "routed": routed, "paused": switch.paused, "person": person}
    await store.put_in_inbox(conn, workspace, SWITCH, [(f"switch {at} {token_hex(4)}", told)])


async def read_reach(conn: AsyncConnection[Any], workspace: WorkspaceId) -> Reach:
    """How much of the workspace is on. Raises ConfigError for one that is not there."""
    switch = await read_switch(conn, workspace)
    teams = await read_teams(conn)
    on = [each for each in teams if switch.routed is None or each in switch.routed]
    [row] = await rows(conn, "SELECT paused_at FROM workspace WHERE workspace = %s", [workspace])
    without = switch.routed is None or NO_TEAM in switch.routed
    return Reach(len(on), len(teams), without, switch.routed is None, switch.paused, row["paused_at"])


async def read_teams(conn: AsyncConnection[Any]) -> list[TeamId]:
    """The teams there are, by their ids. One that was deleted in Intercom has nobody in it, and is none any more."""
    return [TeamId(row["team"]) for row in await rows(conn, "SELECT team FROM team WHERE members != '{}' ORDER BY 1")]


async def change_switch(
    database: Database, workspace: WorkspaceId, change: Change, at: Micros, person: PersonId | None = None
) -> tuple[Switch, Switch]:
    """Makes `change`; what was in force before, and what is now. Raises ConfigError for a workspace that is not there.

    Deliveries heed it from now on; the router is told, and gives what waits for a team that is on now to somebody.
    """
    async with database.transaction(workspace) as conn:
        await conn.execute("SELECT FROM workspace WHERE workspace = %s FOR UPDATE", (workspace,))
        before = await read_switch(conn, workspace)
        after = changed(before, change, await read_teams(conn))
        if after != before:
            await write_switch(conn, workspace, after, at, person)
    await database.notify(store.INBOX)
    await database.notify(store.DESK)
    return before, after
