"""What an operator has done again: reading Intercom back, and handling what was set aside."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from steelyard.config import Settings
from steelyard.kit.errors import ConfigError
from steelyard.kit.ids import WorkspaceId
from steelyard.main import ground, worker
from steelyard.operations.database import named, ready_database
from steelyard.routing.aside import try_again
from steelyard.routing.readings import Reading
from steelyard.store.database import Database


async def reconcile(
    settings: Settings, wanted: str | None, progress: Callable[[int, int], None]
) -> tuple[WorkspaceId, Reading]:
    """Reads one workspace back, whole and deep: what differs is in the inbox then, for a worker. Raises RemoteError."""
    with ready_database(settings) as (url, _):
        async with Database.open(url, size=4, name="steelyard reconcile") as database:
            workspace = await named(database, settings.cell, wanted)
            async with worker.routing(database, url, settings.keys) as parts:
                await parts.reconcile.roster(workspace)
                reading = await parts.reconcile.open_conversations(workspace, "asked", progress)
    if reading is None:
        raise ConfigError(f"{workspace} was not read: run this again")
    return workspace, reading


async def retry(settings: Settings, wanted: str | None) -> tuple[WorkspaceId, int]:
    """Has everything that is set aside in one workspace handled again; how many payloads."""
    with ready_database(settings) as (url, _):
        async with Database.open(url, size=2, name="steelyard retry") as database:
            workspace = await named(database, settings.cell, wanted)
            return workspace, await try_again(database, ground.ledger(), workspace, datetime.now(UTC))
