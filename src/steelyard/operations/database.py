"""The database that a command works on: DATABASE_URL's, or the server that Steelyard brings along."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from steelyard.config import Settings
from steelyard.jobs.processes import uninterrupted
from steelyard.kit.errors import ConfigError
from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Database
from steelyard.store.embedded import APP, Embedded
from steelyard.store.migrate import prepare
from steelyard.store.roles import role_of


class OwnServer:
    """The server that Steelyard brings along, as this process uses it: who started it stops it, nobody else does."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._server: Embedded | None = None

    def start(self) -> Embedded:
        """Starts the server, or attaches to the one that runs. Blocks. Raises as `Embedded.start` does."""
        with uninterrupted():
            self._server = Embedded.start(self._data)
        return self._server

    def alive(self) -> bool:
        """Whether it lets the application in. Blocks."""
        return self._server is not None and self._server.alive()

    def stop(self) -> None:
        """Ends it where this process was the last to start it. Blocks."""
        if self._server is not None and self._server.started:
            self._server.stop()


@contextmanager
def own_server(data: Path) -> Generator[tuple[Embedded, OwnServer]]:
    """The server that Steelyard brings along, with its data in `data`, while the block runs."""
    server = OwnServer(data)
    try:
        yield server.start(), server
    finally:
        server.stop()


@contextmanager
def ready_database(settings: Settings) -> Generator[tuple[str, OwnServer | None]]:
    """The application's URL, migrated where the owner's is known; the server too, where it is Steelyard's own."""
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
        if settings.database_owner_url is not None:
            prepare(settings.database_owner_url.get_secret_value(), role_of(url))
        yield url, None
        return
    with own_server(settings.data) as (embedded, server):
        prepare(embedded.owner_url, APP)
        yield embedded.app_url, server


def migrate(settings: Settings) -> list[str]:
    """Brings the database to this release's schema; the steps that were applied."""
    if settings.database_url is None:
        with own_server(settings.data) as (embedded, _):
            return prepare(embedded.owner_url, APP)
    if settings.database_owner_url is None:
        raise ConfigError("DATABASE_OWNER_URL is not set: the tables' owner migrates, which DATABASE_URL's role is not")
    return prepare(settings.database_owner_url.get_secret_value(), role_of(settings.database_url.get_secret_value()))


@asynccontextmanager
async def opened(settings: Settings, name: str) -> AsyncGenerator[Database]:
    """The database for one command; `name` is what the server calls its connections."""
    with ready_database(settings) as (url, _):
        async with Database.open(url, size=4, name=f"steelyard {name}") as database:
            yield database


async def workspaces(database: Database) -> list[WorkspaceId]:
    """All workspaces of the cell."""
    async with database.cell() as conn:
        rows = await (await conn.execute("SELECT workspaces_of_cell()")).fetchall()
    return [WorkspaceId(name) for (name,) in rows]


async def named(database: Database, cell: str, wanted: str | None) -> WorkspaceId:
    """The workspace that was asked for, or the only one. Raises ConfigError."""
    known = await workspaces(database)
    if wanted is None and len(known) != 1:
        raise ConfigError(f"cell {cell} has {len(known)} workspaces: name one with --workspace")
    workspace = WorkspaceId(wanted) if wanted is not None else known[0]
    if workspace not in known:
        raise ConfigError(f"{workspace} is not in cell {cell}, which has {', '.join(known) or 'none yet'}")
    return workspace
