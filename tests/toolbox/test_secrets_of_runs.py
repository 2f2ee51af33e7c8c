"""What somebody typed for a run survives that the cell's keys are rotated before it is done."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from engine import Engine, engine_in

from steelyard import config
from steelyard.kit.ids import WorkspaceId
from steelyard.operations.secrets import key_files, rotate
from steelyard.store.database import Database
from steelyard.store.keys import WORKER, key_file, read_keys
from steelyard.toolbox.states import State


@pytest.fixture
async def engine(
    database: Database, make_workspace: Callable[..., Awaitable[WorkspaceId]], tmp_path: Path, keys: Path
) -> Engine:
    """One whose key files are this test's own."""
    own = Path(shutil.copytree(keys, tmp_path / "keys"))
    return await engine_in(database, await make_workspace(), tmp_path / "sites", own)


async def test_what_was_typed_opens_after_a_rotation(engine: Engine, app_url: str, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    before = await engine.planned("set_motto", text="new", key="open sesame")
    settings = config.load({"STEELYARD_CELL": "eu1", "DATABASE_URL": app_url, "STEELYARD_KEYS": str(keys)})
    assert (await key_files(engine.database, keys))[1].sealed[1] >= 1
    await rotate(settings, only_add=False, forget_old=True)
    assert set(read_keys(key_file(keys, WORKER))) == {2}
    await engine.acts.confirm(engine.here, before.run, before.plan_digest)
    await engine.work(before.run)
    assert (await engine.run(before.run)).state is State.DONE
    assert (engine.docroot() / "key").read_text() == "open sesame"
    await engine.done("set_motto", text="newer", key="open barley")  # typed after, under the new key
    assert (engine.docroot() / "key").read_text() == "open barley"
