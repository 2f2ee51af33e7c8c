"""Runs in numbers: each workspace's own, by ids and codes alone; what is counted never goes back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from engine import Engine, engine_in

from steelyard.kit.ids import WorkspaceId
from steelyard.kit.metrics import Sample
from steelyard.store.database import Database
from steelyard.toolbox.metrics import RUNS, SECONDS, samples


async def test_each_workspace_has_its_own_and_no_name_is_told(
    database: Database, make_workspace: Callable[..., Awaitable[WorkspaceId]], tmp_path: Path, keys: Path
) -> None:
    first, second = await make_workspace("first"), await make_workspace("second")
    busy = await engine_in(database, first, tmp_path / "sites", keys)
    await busy.done("set_motto", text="a customer’s")
    await engine_in(database, second, tmp_path / "others", keys)
    found = await samples(database)
    assert Sample(RUNS, (first, "done"), 1) in found
    assert {labels for _, labels, _ in found} == {(first, "done"), (first,), (second,)}
    assert [value for metric, labels, value in found if (metric, labels) == (SECONDS, (second,))] == [0]


async def test_seconds_are_counted_of_what_is_kept(engine: Engine) -> None:
    run = (await engine.done("set_motto", text="new")).run
    plan = (await engine.planned("set_motto", text="other")).run
    await engine.rows("UPDATE run SET took_ms = 1500 WHERE run = ANY(%s) RETURNING 1", [run, plan])
    before = [value for metric, _, value in await samples(engine.database) if metric == SECONDS]
    await engine.rows("DELETE FROM run WHERE run = %s RETURNING 1", plan)
    assert [value for metric, _, value in await samples(engine.database) if metric == SECONDS] == before == [1.5]
