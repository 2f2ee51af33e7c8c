"""What an operator does from the command line: serve, show the demo, migrate, open the desk, adopt a policy."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import structlog

from steelyard import main
from steelyard.adapters.intercom.client import Intercom
from steelyard.config import Settings, to_environment
from steelyard.demo import run as demonstration
from steelyard.demo.intercom import Simulator
from steelyard.jobs.processes import keep_running, run, uninterrupted
from steelyard.kit.errors import ConfigError, PolicyError, StoreError
from steelyard.kit.ids import CellId, WorkspaceId, workspace_id
from steelyard.routing.policy import Policy, parse
from steelyard.store.database import Database
from steelyard.store.embedded import APP, Embedded
from steelyard.store.migrate import prepare
from steelyard.store.roles import role_of
from steelyard.web.sessions import new_link

_LOOK_AT_DATABASE_EVERY = 1.0
_ATTRIBUTES: tuple[tuple[str, Literal["string", "integer"]], ...] = (
    ("weight", "integer"),
    ("topic", "string"),
    ("decision", "integer"),
)

log = structlog.get_logger()


# Serving


def serve(settings: Settings, role: str) -> None:
    """Serves until SIGINT or SIGTERM: `web`, `worker`, or `all` with both as children, started again when they die."""
    with _ready_database(settings) as (url, server):
        if role == "web":
            return run(main.run_web(settings, url))
        if role == "worker":
            return run(main.run_worker_process(settings, url))
        run(_all(settings, to_environment(settings) | {"DATABASE_URL": url}, server))


async def _all(settings: Settings, environment: Mapping[str, str], server: OwnServer | None) -> None:
    sys.stderr.write(f"Steelyard serves cell {settings.cell} on http://{settings.host}:{settings.port}/\n")
    async with _processes(environment):
        if server is None:
            await asyncio.Event().wait()
        else:
            await _keep_alive(server)


async def _keep_alive(server: OwnServer) -> None:
    while True:
        await asyncio.sleep(_LOOK_AT_DATABASE_EVERY)
        if await asyncio.to_thread(server.alive):
            continue
        log.warning("database.died", advice="it is started again")
        try:
            await asyncio.to_thread(server.start)
        except StoreError as error:
            # Right after a kill its last processes may still hold the data: the next look tries again.
            log.warning("database.not_started", error=str(error))


@asynccontextmanager
async def _processes(environment: Mapping[str, str]) -> AsyncGenerator[None]:
    """Web and worker run inside. When one of them cannot, the block is cancelled and raises it in a group."""
    async with asyncio.TaskGroup() as group:
        children = [
            group.create_task(keep_running(name, ["serve", "--role", name], environment)) for name in ("web", "worker")
        ]
        yield
        for child in children:
            child.cancel()


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
def _own_server(data: Path) -> Generator[tuple[Embedded, OwnServer]]:
    server = OwnServer(data)
    try:
        yield server.start(), server
    finally:
        server.stop()


@contextmanager
def _ready_database(settings: Settings) -> Generator[tuple[str, OwnServer | None]]:
    """The application's URL, migrated where the owner's is known; the server too, where it is Steelyard's own."""
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
        if settings.database_owner_url is not None:
            prepare(settings.database_owner_url.get_secret_value(), role_of(url))
        yield url, None
        return
    with _own_server(settings.data) as (embedded, server):
        prepare(embedded.owner_url, APP)
        yield embedded.app_url, server


def migrate(settings: Settings) -> list[str]:
    """Brings the database to this release's schema; the steps that were applied."""
    if settings.database_url is None:
        with _own_server(settings.data) as (embedded, _):
            return prepare(embedded.owner_url, APP)
    if settings.database_owner_url is None:
        raise ConfigError("DATABASE_OWNER_URL is not set: the tables' owner migrates, which DATABASE_URL's role is not")
    return prepare(settings.database_owner_url.get_secret_value(), role_of(settings.database_url.get_secret_value()))


# The desk and the policy


async def new_desk_link(settings: Settings) -> str:
    """The token of a fresh one-time link to the desk."""
    with _ready_database(settings) as (url, _):
        async with Database.open(url, size=2, name="steelyard link") as database:
            return await new_link(database, datetime.now(UTC))


def read_policy(file: Path) -> Policy:
    """The policy in `file`. Raises PolicyError where there is none."""
    return parse(_policy_text(file))


async def adopt_policy_file(settings: Settings, file: Path, wanted: str | None) -> tuple[WorkspaceId, Policy]:
    """Puts the policy in `file` in force; in which workspace. Raises PolicyError, or ConfigError for the workspace."""
    text = _policy_text(file)
    with _ready_database(settings) as (url, _):
        async with Database.open(url, size=2, name="steelyard policy") as database:
            workspace = await _named(database, settings.cell, wanted)
            async with database.transaction(workspace) as conn:
                return workspace, await main.adopt_policy(conn, workspace, text)


async def _named(database: Database, cell: str, wanted: str | None) -> WorkspaceId:
    async with database.cell() as conn:
        rows = await (await conn.execute("SELECT workspaces_of_cell()")).fetchall()
    known = [WorkspaceId(name) for (name,) in rows]
    if wanted is None and len(known) != 1:
        raise ConfigError(f"cell {cell} has {len(known)} workspaces: name one with --workspace")
    workspace = WorkspaceId(wanted) if wanted is not None else known[0]
    if workspace not in known:
        raise ConfigError(f"{workspace} is not in cell {cell}, which has {', '.join(known) or 'none yet'}")
    return workspace


def _policy_text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{file} cannot be read: {error}. Name a UTF-8 file") from None


# The demo


class DemoOptions(NamedTuple):
    """What the demo was asked for."""

    rate: float
    seed: int
    duration: float | None
    messages: Path | None


def demo(data: Path, port: int, options: DemoOptions, ready: Callable[[str], None]) -> dict[str, Any]:
    """Shows Steelyard at work on a server and data of its own in `data`; the figures of what happened."""
    with _own_server(data) as (embedded, _):
        prepare(embedded.owner_url, APP)
        settings = Settings(cell="demo", data=data, port=port, open_to_loopback=True, log_level="warning")
        return run(_demo(settings, embedded.app_url, options, ready))


async def _demo(settings: Settings, url: str, options: DemoOptions, ready: Callable[[str], None]) -> dict[str, Any]:
    desk = f"http://{settings.host}:{settings.port}"
    environment = to_environment(settings) | {"DATABASE_URL": url}
    async with Database.open(url, size=4, name="steelyard demo") as database:

        async def connect(simulator: Simulator) -> WorkspaceId:
            return await _connect(database, settings, simulator)

        stage = demonstration.Stage(database, connect, _processes(environment))
        return await demonstration.show(stage, demonstration.Options(settings.cell, desk, *options), ready)


async def _connect(database: Database, settings: Settings, simulator: Simulator) -> WorkspaceId:
    """Makes the simulated Intercom's workspace in this cell, with the shipped policy, and has its roster read."""
    async with Intercom(simulator.base_url, simulator.config.token) as intercom:
        me = await intercom.me()
        for name, data_type in _ATTRIBUTES:
            await intercom.create_conversation_attribute(name, data_type)
    workspace = workspace_id(CellId(settings.cell), me.app.id)
    async with database.transaction(workspace) as conn:
        await conn.execute("INSERT INTO workspace (workspace) VALUES (%s)", (workspace,))
        await conn.execute(
            """INSERT INTO connection (workspace, app_id, name, region, api_url, client_secret, access_token, actor,
                                       package_code)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            (
                workspace,
                me.app.id,
                me.app.name,
                me.app.region.lower(),
                simulator.base_url,
                simulator.config.client_secret,
                simulator.config.token,
                me.id,
                simulator.config.package_code,
            ),
        )
        await main.adopt_policy(conn, workspace, main.shipped_policy())
    return workspace
