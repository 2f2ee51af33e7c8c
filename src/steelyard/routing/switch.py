"""Switching teams on and off, and pausing: what the workspace's row says, told to the router through the inbox."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

from steelyard.kit.errors import ConfigError
from steelyard.kit.ids import TeamId, WorkspaceId
from steelyard.kit.instants import SECOND, Micros
from steelyard.routing import store
from steelyard.routing.model import Switch
from steelyard.routing.receive import SWITCH


async def read_switch(conn: AsyncConnection[Any], workspace: WorkspaceId) -> Switch:
    """For which teams Steelyard assigns. Raises ConfigError for a workspace that is not there."""
    row = await (
        await conn.execute("SELECT routed, paused FROM workspace WHERE workspace = %s", (workspace,))
    ).fetchone()
    if row is None:
        raise ConfigError(f"there is no workspace {workspace}: connect it with `steelyard connect intercom`")
    return Switch(tuple(TeamId(each) for each in row[0]) if row[0] is not None else None, row[1])


async def write_switch(conn: AsyncConnection[Any], workspace: WorkspaceId, switch: Switch, at: Micros) -> None:
    """Puts `switch` in force: deliveries heed it as soon as this transaction is committed, decisions right after."""
    routed = sorted(set(switch.routed)) if switch.routed is not None else None
    await conn.execute(
        "UPDATE workspace SET routed = %s, paused = %s WHERE workspace = %s", (routed, switch.paused, workspace)
    )
    told = {"created_at": at // SECOND, "routed": routed, "paused": switch.paused}
    await store.put_in_inbox(conn, workspace, SWITCH, [(f"switch {at}", told)])
