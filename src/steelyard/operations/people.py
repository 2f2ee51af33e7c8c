"""What the command line does with people: links to come in by, and who is here."""

from __future__ import annotations

from datetime import UTC, datetime

from steelyard.config import Settings
from steelyard.kit.ids import WorkspaceId
from steelyard.operations.database import named, opened, workspaces
from steelyard.people.links import make_link
from steelyard.people.members import Member, has_administrator, member_of_address, members_of
from steelyard.store.database import Database


async def new_link(settings: Settings, wanted: str | None, address: str | None) -> str:
    """The address of a fresh one-time link: for somebody new to become an administrator, or to choose a password.

    Raises ConfigError for a workspace or an address that is not there.
    """
    async with opened(settings, "link") as database:
        workspace = await named(database, settings.cell, wanted)
        return await link_in(database, settings, workspace, address)


async def link_in(database: Database, settings: Settings, workspace: WorkspaceId, address: str | None = None) -> str:
    """The same, in a workspace that is known."""
    async with database.transaction(workspace) as conn:
        person = await member_of_address(conn, address) if address is not None else None
        token = await make_link(conn, workspace, person, None, datetime.now(UTC))
    return f"{console_of(settings)}/enter?token={token}"


def console_of(settings: Settings) -> str:
    """The address under which people open the console."""
    return settings.console_url or f"http://{settings.host}:{settings.port}"


async def who_is_here(settings: Settings, wanted: str | None) -> tuple[WorkspaceId, list[Member]]:
    """The members of a workspace. Raises ConfigError."""
    async with opened(settings, "people") as database:
        workspace = await named(database, settings.cell, wanted)
        async with database.transaction(workspace) as conn:
            return workspace, await members_of(conn, datetime.now(UTC))


async def link_for_first(database: Database, settings: Settings, workspace: WorkspaceId) -> str:
    """A link by which somebody becomes the workspace's first administrator; empty where it has one."""
    async with database.transaction(workspace) as conn:
        if await has_administrator(conn):
            return ""
    return await link_in(database, settings, workspace)


async def links_for_first(url: str, settings: Settings) -> dict[WorkspaceId, str]:
    """Those links, for each workspace of the cell that nobody can administer yet."""
    async with Database.open(url, size=2, name="steelyard serve") as database:
        made = {each: await link_for_first(database, settings, each) for each in await workspaces(database)}
    return {workspace: link for workspace, link in made.items() if link}
