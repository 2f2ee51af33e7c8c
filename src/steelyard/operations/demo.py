"""The demo: a simulated Intercom, connected as a real one would be, and a stream of conversations."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple

from steelyard.adapters.intercom.client import Intercom
from steelyard.config import Settings, to_environment
from steelyard.demo import run as demonstration
from steelyard.demo.hosting import Site
from steelyard.demo.intercom import Simulator
from steelyard.jobs.app import deferring_app
from steelyard.jobs.processes import run
from steelyard.kit.ids import WorkspaceId
from steelyard.main import ground
from steelyard.operations.checking import make_attributes
from steelyard.operations.connecting import store_workspace
from steelyard.operations.database import own_server
from steelyard.operations.demo_shop import hold_wordpress, register, shop
from steelyard.operations.serving import processes
from steelyard.people.accounts import write_password
from steelyard.people.members import Staff
from steelyard.people.passwords import hashed
from steelyard.people.permissions import Role
from steelyard.routing.connections import Link
from steelyard.routing.tasks import ActJobs
from steelyard.routing.teammates import read_teammates
from steelyard.store.database import Database
from steelyard.store.embedded import APP
from steelyard.store.keys import WEB, WORKER, key_file, make_first_key
from steelyard.store.migrate import prepare


class DemoOptions(NamedTuple):
    """What the demo was asked for."""

    rate: float
    seed: int
    duration: float | None
    messages: Path | None


def demo(data: Path, port: int, options: DemoOptions, ready: Callable[[str], None]) -> dict[str, Any]:
    """Shows Steelyard at work on a server and data of its own in `data`; the figures of what happened."""
    with own_server(data) as (embedded, _), shop(data) as site:
        prepare(embedded.owner_url, APP)
        settings = Settings(
            cell="demo",
            data=data,
            keys=data / "keys",
            slots=data / "slots",
            port=port,
            open_to_loopback=True,
            log_level="warning",
            **_own_runbooks(),
        )
        return run(_demo(settings, embedded.app_url, options, site, ready))


def _own_runbooks() -> dict[str, Any]:
    """The one setting that the demo takes over: a team looks at its own runbooks in it."""
    own = os.environ.get("STEELYARD_RUNBOOKS")
    return {"runbooks": Path(own).absolute()} if own else {}


async def _demo(
    settings: Settings, url: str, options: DemoOptions, site: Site | None, ready: Callable[[str], None]
) -> dict[str, Any]:
    desk = f"http://{settings.host}:{settings.port}"
    environment = to_environment(settings) | {"DATABASE_URL": url}
    async with Database.open(url, size=4, name="steelyard demo") as database, asyncio.TaskGroup() as group:
        beside: list[asyncio.Task[None]] = []

        async def connect(simulator: Simulator) -> WorkspaceId:
            return await connect_simulated(database, settings, simulator)

        async def settle(workspace: WorkspaceId) -> None:
            await let_people_in(database, workspace)
            if site is not None:
                async with database.transaction(workspace) as conn:
                    await register(conn, workspace, settings.keys, site, datetime.now(UTC))
                beside.append(group.create_task(hold_wordpress(settings, url, site)))

        async def read(workspace: WorkspaceId) -> None:
            async with database.transaction(workspace) as conn:
                await ActJobs(deferring_app()).read_everything(conn, workspace)

        stage = demonstration.Stage(database, connect, processes(environment), settle, read)
        try:
            return await demonstration.show(stage, demonstration.Options(settings.cell, desk, *options), ready)
        finally:
            for task in beside:
                task.cancel()


async def let_people_in(database: Database, workspace: WorkspaceId) -> None:
    """One of each role, and engineers who are teammates in Intercom. Nobody knows their passwords."""
    staff, now, stored = Staff(database, ground.ledger(), read_teammates), datetime.now(UTC), await hashed(token_hex())
    async with database.transaction(workspace) as conn:
        engineers = [each for each in await read_teammates(conn) if each.here]
    chosen = [(name, (role,), None) for name, role in _DEMO_PEOPLE] + [
        (each.name, (Role.ENGINEER,), each.engineer) for each in engineers[:_DEMO_ENGINEERS]
    ]
    for number, (name, roles, engineer) in enumerate(chosen, start=1):
        person = (await staff.invite(workspace, name, f"demo{number}@example.test", roles, None, now)).person
        async with database.person(person) as conn:
            await write_password(conn, person, stored)
        if engineer is not None:
            await staff.link_engineer(workspace, person, engineer, None, now)


_DEMO_PEOPLE = (
    ("Ada Quinn", Role.ADMINISTRATOR),
    ("Ludovic Marchand", Role.LEAD),
    ("Hana Mori", Role.AUTHOR),
    ("Oskar Lund", Role.OPERATOR),
)
_DEMO_ENGINEERS = 4


async def connect_simulated(database: Database, settings: Settings, simulator: Simulator) -> WorkspaceId:
    """Connects the simulated Intercom's workspace to this cell; all its teams are on from the start."""
    async with Intercom(simulator.base_url, simulator.config.token) as intercom:
        me = await intercom.me()
        await make_attributes(intercom)
    for name in (WEB, WORKER):
        make_first_key(key_file(settings.keys, name))
    link = Link(
        app_id=me.app.id,
        name=me.app.name,
        region=me.app.region.lower(),
        api_url=simulator.base_url,
        actor=me.id,
        client_secret=simulator.config.client_secret,
        access_token=simulator.config.token,
        package_code=simulator.config.package_code,
    )
    return await store_workspace(database, settings, link, None)
