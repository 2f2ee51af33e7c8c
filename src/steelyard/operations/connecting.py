"""Connecting a workspace: what Intercom must have, what Steelyard must know of it."""

from __future__ import annotations

from typing import Literal

from steelyard import main
from steelyard.adapters.intercom.client import Intercom
from steelyard.config import Settings
from steelyard.kit.ids import CellId, WorkspaceId, workspace_id
from steelyard.routing.connections import Link, write_link
from steelyard.store.database import Database
from steelyard.store.keys import WEB, WORKER, Keys, key_file

ATTRIBUTES: tuple[tuple[str, Literal["string", "integer"]], ...] = (
    ("weight", "integer"),
    ("topic", "string"),
    ("decision", "integer"),
)
"""The conversation attributes that Steelyard writes, and of which type they are."""


async def make_attributes(intercom: Intercom) -> None:
    """Makes the attributes that are not there yet."""
    known = {each.name for each in await intercom.conversation_attributes()}
    for name, data_type in ATTRIBUTES:
        if name not in known:
            await intercom.create_conversation_attribute(name, data_type)


async def store_workspace(
    database: Database, settings: Settings, link: Link, routed: tuple[int, ...] | None
) -> WorkspaceId:
    """Makes the workspace in this cell with the shipped policy, or renews how a known one is reached.

    `routed`: the teams that a new one assigns for; all of them where it is None.
    """
    workspace = workspace_id(CellId(settings.cell), link.app_id)
    web, worker = (Keys(key_file(settings.keys, name)) for name in (WEB, WORKER))
    async with database.transaction(workspace) as conn:
        made = await conn.execute(
            "INSERT INTO workspace (workspace, routed) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (workspace, list(routed) if routed is not None else None),
        )
        await write_link(conn, workspace, link, web, worker)
        if made.rowcount:
            await main.adopt_policy(conn, workspace, main.shipped_policy())
    return workspace
