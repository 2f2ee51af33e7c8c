"""The demo: a simulated Intercom, connected as a real one would be, and a stream of conversations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from steelyard.adapters.intercom.client import Intercom
from steelyard.config import Settings, to_environment
from steelyard.demo import run as demonstration
from steelyard.demo.intercom import Simulator
from steelyard.jobs.processes import run
from steelyard.kit.ids import WorkspaceId
from steelyard.operations.checking import make_attributes
from steelyard.operations.connecting import store_workspace
from steelyard.operations.database import own_server
from steelyard.operations.serving import processes
from steelyard.routing.connections import Link
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
    with own_server(data) as (embedded, _):
        prepare(embedded.owner_url, APP)
        settings = Settings(
            cell="demo", data=data, keys=data / "keys", port=port, open_to_loopback=True, log_level="warning"
        )
        return run(_demo(settings, embedded.app_url, options, ready))


async def _demo(settings: Settings, url: str, options: DemoOptions, ready: Callable[[str], None]) -> dict[str, Any]:
    desk = f"http://{settings.host}:{settings.port}"
    environment = to_environment(settings) | {"DATABASE_URL": url}
    async with Database.open(url, size=4, name="steelyard demo") as database:

        async def connect(simulator: Simulator) -> WorkspaceId:
            return await connect_simulated(database, settings, simulator)

        stage = demonstration.Stage(database, connect, processes(environment))
        return await demonstration.show(stage, demonstration.Options(settings.cell, desk, *options), ready)


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
