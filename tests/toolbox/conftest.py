"""What tests of the toolbox share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from importlib import resources
from itertools import count
from pathlib import Path

import pytest
from engine import Engine, engine_in
from resetting import HostSlot, make_slot, remove

from steelyard.demo.hosting import Hosting
from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Database
from steelyard.toolbox import slots_template
from steelyard.toolbox.hosted.here import Here, Place

HOSTED = resources.files("steelyard.toolbox.hosted")


@pytest.fixture
def here(tmp_path: Path) -> Callable[..., Here]:
    """Makes what one call of a verb is given, on this machine as who runs the tests. The run's token may be chosen."""
    tokens = count(0x10000000)
    scripts = {f"php/{each.name}": each.read_bytes() for each in HOSTED.joinpath("php").iterdir()}

    def make(token: str | None = None) -> Here:
        base = str(tmp_path / "runs")
        return Here(Place("tester", str(tmp_path), base, token or f"{next(tokens):08x}", scripts), lambda _: None)

    return make


@pytest.fixture(scope="session")
def slot(hosting: Hosting, hosting_folder: Path) -> Iterator[HostSlot]:
    """A WordPress that lies ready on the host, with a template of its tables."""
    folder = hosting_folder / "slots"
    yield make_slot(hosting, folder, slots_template.make(hosting.template.wordpress.core, "en_US"))
    remove(folder)


@pytest.fixture
async def engine(
    database: Database, make_workspace: Callable[..., Awaitable[WorkspaceId]], tmp_path: Path, keys: Path
) -> Engine:
    """Runs on this machine, worked off when a test says so."""
    return await engine_in(database, await make_workspace(), tmp_path / "sites", keys)
