"""A run on this machine, with real files: planned, looked at again, done, proved, put back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from engine import Engine

from steelyard.adapters.local import LocalReach
from steelyard.toolbox.acts import RunRefused
from steelyard.toolbox.erasing import erase
from steelyard.toolbox.model import Host, RunId
from steelyard.toolbox.reach import Errand, HostError, Reached
from steelyard.toolbox.states import State


async def test_a_plan_shows_what_it_would_do_and_does_nothing(engine: Engine) -> None:
    seen = await engine.planned("set_motto", text="new")
    assert seen.state is State.PLANNED
    assert [step.name for step in seen.steps] == ["stage", "swap", "mark", "check_3"]
    assert seen.plan is not None
    assert seen.plan.concerns[0].value == "old"
    assert engine.motto() == "old"
    assert sorted(path.name for path in engine.docroot().iterdir()) == ["motto"]


async def test_a_confirmed_run_is_done_and_proved_with_what_each_step_took(engine: Engine) -> None:
    seen = await engine.done("set_motto", text="new")
    assert (seen.state, seen.reason) == (State.DONE, None)
    assert engine.motto() == "new"
    assert [(step.outcome, step.took_ms is not None) for step in seen.steps] == [("done", True)] * 4
    assert seen.saved_s is not None
    assert 290 < seen.saved_s <= 300
    assert seen.undo_until is not None
    kinds = [kind for kind, _, _ in await engine.facts()]
    assert kinds == ["run.asked", "run.confirmed", "run.ended"]


async def test_a_site_that_changed_since_is_not_touched_and_its_new_plan_is_shown(engine: Engine) -> None:
    seen = await engine.planned("set_motto", text="new")
    await engine.acts.confirm(engine.here, seen.run, seen.plan_digest)
    (engine.docroot() / "motto").write_text("other")
    await engine.work(seen.run)
    again = await engine.run(seen.run)
    assert again.state is State.PLANNED
    assert again.reason is not None
    assert again.reason.code == "changed"
    assert again.plan_digest != seen.plan_digest
    assert (engine.motto(), again.confirmed_at) == ("other", None)
    with pytest.raises(RunRefused, match="changed since you looked"):
        await engine.acts.confirm(engine.here, seen.run, seen.plan_digest)
    await engine.acts.confirm(engine.here, seen.run, again.plan_digest)
    await engine.work(seen.run)
    assert (await engine.run(seen.run)).state is State.DONE


async def test_what_is_in_the_way_and_what_needs_nothing_is_said(engine: Engine) -> None:
    assert (await engine.planned("set_motto", text="old")).state is State.NOTHING
    (engine.docroot() / "motto").unlink()
    refused = await engine.planned("set_motto", text="new")
    assert refused.state is State.REFUSED
    assert refused.reason is not None
    assert refused.reason.code == "no_motto"


async def test_a_check_that_does_not_agree_puts_everything_back_by_itself(engine: Engine) -> None:
    seen = await engine.done("set_motto", text="new", wrong="on")
    assert seen.state is State.PUT_BACK
    assert seen.reason is not None
    assert seen.reason.code == "check"
    assert engine.motto() == "old"
    assert sorted(path.name for path in engine.docroot().iterdir()) == ["motto"]
    assert [step.name for step in seen.steps if step.phase == "undo"][:2] == ["swap_back", "clean"]


async def test_a_done_run_is_put_back_later_by_a_run_of_its_own(engine: Engine) -> None:
    seen = await engine.done("set_motto", text="new")
    undo = await engine.acts.undo(engine.here, seen.run)
    await engine.work(undo)
    undone = await engine.run(undo)
    assert (undone.state, undone.undoes) == (State.DONE, seen.run)
    assert engine.motto() == "old"
    assert (await engine.run(seen.run)).undone_by == undo
    with pytest.raises(RunRefused, match="already"):
        await engine.acts.undo(engine.here, seen.run)


async def test_the_way_back_ends_and_what_was_moved_aside_goes(engine: Engine) -> None:
    seen = await engine.done("set_motto", text="new")
    stage = engine.docroot() / f".stage-{seen.token}"
    await erase(engine.ground, engine.workspace, seen.run)
    assert stage.read_text() == "old", "it was erased before its time"
    engine.clock.ahead = timedelta(days=8)
    with pytest.raises(RunRefused, match="cannot be put back any more"):
        await engine.acts.undo(engine.here, seen.run)
    assert await engine.tidy() == 1
    await erase(engine.ground, engine.workspace, seen.run)
    assert not stage.exists()
    assert (await engine.run(seen.run)).erased_at is not None
    assert await engine.tidy() == 0
    assert (await engine.facts())[-1][0] == "run.erased"


async def test_a_plan_that_nobody_confirms_expires(engine: Engine) -> None:
    seen = await engine.planned("set_motto", text="new")
    engine.clock.ahead = timedelta(hours=2)
    with pytest.raises(RunRefused, match="too old"):
        await engine.acts.confirm(engine.here, seen.run, seen.plan_digest)
    await engine.tidy()
    assert (await engine.run(seen.run)).state is State.CANCELLED


async def test_what_only_reads_is_done_at_once_and_can_be_ended_in_a_step(engine: Engine) -> None:
    run = await engine.ask("read_motto", at_once=True)
    await engine.work(run)
    seen = await engine.run(run)
    assert (seen.state, seen.steps[0].result[1]["out"]) == (State.DONE, "old")
    with pytest.raises(RunRefused, match="planned first"):
        await engine.ask("set_motto", text="new", at_once=True)

    slow = await engine.ask("read_motto", at_once=True, seconds=30)
    work = asyncio.create_task(engine.work(slow))
    await until_at_step(engine, slow, 0)
    began = asyncio.get_running_loop().time()
    await engine.acts.cancel(engine.here, slow)
    await work
    assert asyncio.get_running_loop().time() - began < 5
    assert (await engine.run(slow)).state is State.CANCELLED


async def test_cancelling_what_changes_puts_back_what_was_begun(engine: Engine) -> None:
    seen = await engine.planned("set_motto", text="new", seconds=30)
    await engine.acts.confirm(engine.here, seen.run, seen.plan_digest)
    work = asyncio.create_task(engine.work(seen.run))
    await until_at_step(engine, seen.run, 0)
    await engine.acts.cancel(engine.here, seen.run)
    await work
    after = await engine.run(seen.run)
    assert after.state is State.PUT_BACK
    assert after.reason is not None
    assert after.reason.code == "cancelled"
    assert engine.motto() == "old"
    assert sorted(path.name for path in engine.docroot().iterdir()) == ["motto"]


async def test_cancelling_before_anything_is_begun_leaves_no_trace(engine: Engine) -> None:
    seen = await engine.planned("set_motto", text="new")
    await engine.acts.confirm(engine.here, seen.run, seen.plan_digest)
    await engine.acts.cancel(engine.here, seen.run)
    await engine.work(seen.run)  # its job is there still
    assert (await engine.run(seen.run)).state is State.CANCELLED
    assert engine.motto() == "old"


async def test_a_secret_stands_in_no_table_and_reaches_the_host(engine: Engine) -> None:
    seen = await engine.done("set_motto", text="new", key="sesame-open")
    assert (engine.docroot() / "key").read_text() == "sesame-open"
    assert seen.params["key"] == "given"
    rows: list[tuple[str]] = []
    for table in ("run", "run_step", "run_line", "ledger"):
        rows += await engine.rows(f"SELECT to_jsonb(each)::text FROM {table} AS each")
    assert not [text for (text,) in rows if "sesame" in text]
    assert await engine.rows("SELECT sealed FROM run") == [({},)]


async def test_a_host_that_says_a_secret_is_not_quoted(engine: Engine, tmp_path: Path) -> None:
    (engine.docroot() / "motto").write_text("sesame-open")
    seen = await engine.planned("set_motto", text="new", key="sesame-open")
    assert seen.plan is not None
    await engine.acts.confirm(engine.here, seen.run, seen.plan_digest)
    await engine.work(seen.run)
    after = await engine.run(seen.run)
    assert "sesame" not in str([step.result for step in after.steps]) + str(after.plan and after.plan.concerns)


async def test_another_worker_that_takes_a_run_fences_the_first_off(engine: Engine) -> None:
    seen = await engine.planned("set_motto", text="new", seconds=2)
    await engine.acts.confirm(engine.here, seen.run, seen.plan_digest)
    first = asyncio.create_task(engine.work(seen.run))
    await until_at_step(engine, seen.run, 0)
    await engine.rows("UPDATE run SET attempt = attempt + 1 WHERE run = %s RETURNING run", seen.run)
    await first
    left = await engine.run(seen.run)
    assert left.state is State.RUNNING
    assert [step.outcome for step in left.steps] == [""] * 4, "the first wrote on"
    assert engine.motto() == "old"
    await engine.work(seen.run)
    assert (await engine.run(seen.run)).state is State.DONE


async def until_at_step(engine: Engine, run: RunId, step: int) -> None:
    for _ in range(500):
        if (await engine.run(run)).steps[step:] and (await engine.run(run)).steps[step].intent_at is not None:
            await asyncio.sleep(0.1)
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the step was never begun")


class Busy:
    """A site that somebody holds for a while, as what a killed worker left behind does."""

    def __init__(self, times: int) -> None:
        self.left = times

    @asynccontextmanager
    async def open(self, host: Host, errand: Errand) -> AsyncIterator[Reached]:
        if errand.hold and self.left > 0:
            self.left -= 1
            raise HostError("busy", "another run holds the site", permanent=False)
        async with LocalReach().open(host, errand) as reached:
            yield reached


@pytest.mark.parametrize(("times", "state"), [(2, State.DONE), (3, State.FAILED)])
async def test_a_site_that_is_held_is_waited_for_and_then_left_alone(engine: Engine, times: int, state: State) -> None:
    seen = await engine.planned("set_motto", text="new")
    await engine.acts.confirm(engine.here, seen.run, seen.plan_digest)
    busy = Busy(times)
    engine.ground = replace(engine.ground, ways=lambda _: busy)
    await engine.work(seen.run)
    after = await engine.run(seen.run)
    assert after.state is state
    assert engine.motto() == ("new" if state is State.DONE else "old")
    assert not [step for step in after.steps if step.intent_at] or state is State.DONE
