"""What an operator does from the command line: serve, show the demo, migrate, open the desk, adopt a policy."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import structlog

from steelyard import main
from steelyard.adapters.intercom.client import Intercom
from steelyard.config import Settings, to_environment
from steelyard.demo import run as demonstration
from steelyard.demo.intercom import Simulator
from steelyard.jobs.processes import keep_running, run
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
    url, embedded = _ready_database(settings)
    if role == "web":
        return run(main.run_web(settings, url))
    if role == "worker":
        return run(main.run_worker_process(settings, url))
    environment = to_environment(settings) | {"DATABASE_URL": url}
    try:
        run(_all(settings, environment, embedded))
    finally:
        if embedded is not None:
            embedded.stop()


async def _all(settings: Settings, environment: Mapping[str, str], embedded: Embedded | None) -> None:
    sys.stderr.write(f"Steelyard serves cell {settings.cell} on http://{settings.host}:{settings.port}/\n")
    async with asyncio.TaskGroup() as group:
        group.create_task(keep_running("web", ["serve", "--role", "web"], environment))
        group.create_task(keep_running("worker", ["serve", "--role", "worker"], environment))
        if embedded is not None:
            group.create_task(_keep_alive(embedded, settings.data))


async def _keep_alive(embedded: Embedded, data: Path) -> None:
    while True:
        await asyncio.sleep(_LOOK_AT_DATABASE_EVERY)
        if await asyncio.to_thread(embedded.alive):
            continue
        log.warning("database.died", advice="it is started again")
        try:
            await asyncio.to_thread(Embedded.start, data)
        except StoreError as error:
            # Right after a kill its last processes may still hold the data: the next look tries again.
            log.warning("database.not_started", error=str(error))


def _ready_database(settings: Settings) -> tuple[str, Embedded | None]:
    """The application's URL, migrated where the owner's is known; the server too, where it is Steelyard's own."""
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
        if settings.database_owner_url is not None:
            prepare(settings.database_owner_url.get_secret_value(), role_of(url))
        return url, None
    embedded = Embedded.start(settings.data)
    prepare(embedded.owner_url, APP)
    return embedded.app_url, embedded


def migrate(settings: Settings) -> list[str]:
    """Brings the database to this release's schema; the steps that were applied."""
    if settings.database_url is None:
        return prepare(Embedded.start(settings.data).owner_url, APP)
    if settings.database_owner_url is None:
        raise ConfigError("DATABASE_OWNER_URL is not set: the tables' owner migrates, which DATABASE_URL's role is not")
    return prepare(settings.database_owner_url.get_secret_value(), role_of(settings.database_url.get_secret_value()))


# The desk and the policy


async def new_desk_link(settings: Settings) -> str:
    """The token of a fresh one-time link to the desk."""
    url, _ = _ready_database(settings)
    async with Database.open(url, size=2, name="steelyard link") as database:
        return await new_link(database, datetime.now(UTC))


def read_policy(file: Path) -> Policy:
    """The policy in `file`. Raises PolicyError where there is none."""
    return parse(_policy_text(file))


async def adopt_policy_file(settings: Settings, file: Path, wanted: str | None) -> tuple[WorkspaceId, Policy]:
    """Puts the policy in `file` in force; in which workspace. Raises PolicyError, or ConfigError for the workspace."""
    text = _policy_text(file)
    url, _ = _ready_database(settings)
    async with Database.open(url, size=2, name="steelyard policy") as database:
        async with database.cell() as conn:
            rows = await (await conn.execute("SELECT workspaces_of_cell()")).fetchall()
        known = [WorkspaceId(name) for (name,) in rows]
        if wanted is None and len(known) != 1:
            raise ConfigError(f"cell {settings.cell} has {len(known)} workspaces: name one with --workspace")
        workspace = WorkspaceId(wanted) if wanted is not None else known[0]
        if workspace not in known:
            raise ConfigError(f"{workspace} is not in cell {settings.cell}, which has {', '.join(known) or 'none yet'}")
        async with database.transaction(workspace) as conn:
            return workspace, await main.adopt_policy(conn, workspace, text)


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
    embedded = Embedded.start(data)
    try:
        prepare(embedded.owner_url, APP)
        settings = Settings(cell="demo", data=data, port=port, open_to_loopback=True, log_level="warning")
        return run(_demo(settings, embedded.app_url, options, ready))
    finally:
        embedded.stop()


async def _demo(settings: Settings, url: str, options: DemoOptions, ready: Callable[[str], None]) -> dict[str, Any]:
    desk = f"http://{settings.host}:{settings.port}"
    environment = to_environment(settings) | {"DATABASE_URL": url}
    async with Database.open(url, size=4, name="steelyard demo") as database:

        async def connect(simulator: Simulator) -> WorkspaceId:
            return await _connect(database, settings, simulator)

        stage = demonstration.Stage(database, connect, _processes(environment))
        return await demonstration.show(stage, demonstration.Options(settings.cell, desk, *options), ready)


@asynccontextmanager
async def _processes(environment: Mapping[str, str]) -> AsyncGenerator[None]:
    web = asyncio.create_task(keep_running("web", ["serve", "--role", "web"], environment))
    worker = asyncio.create_task(keep_running("worker", ["serve", "--role", "worker"], environment))
    try:
        yield
    finally:
        for task in (web, worker):
            task.cancel()
        await asyncio.wait({web, worker})


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
