"""Runs that meet at one site: what stopped, what was done since, what is to be erased, who decided what."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from engine import Engine

from steelyard.people.permissions import Role
from steelyard.toolbox.acts import RunRefused
from steelyard.toolbox.erasing import erase
from steelyard.toolbox.runbooks import Runbooks
from steelyard.toolbox.states import State


async def test_what_is_half_put_back_is_not_erased(engine: Engine) -> None:
    seen = await engine.done("set_motto", text="new")
    stage = engine.docroot() / f".stage-{seen.token}"
    undo = await engine.acts.undo(engine.here, seen.run)
    await engine.rows("UPDATE run SET state = 'stopped' WHERE run = %s RETURNING 1", undo)
    engine.clock.ahead = timedelta(days=8)
    assert await engine.tidy() == 0
    await erase(engine.ground, engine.workspace, seen.run)
    assert stage.read_text() == "old", "what was about to be put back is gone"
    await engine.acts.resume(engine.here, undo)
    await engine.settle()
    assert engine.motto() == "old"
    assert await engine.tidy() == 1


async def test_an_earlier_run_is_not_put_back_under_a_later_one_that_destroyed(engine: Engine) -> None:
    first = await engine.done("set_motto", text="new")
    later = await engine.done("wipe_motto")
    assert later.state is State.DONE
    with pytest.raises(RunRefused) as refused:
        await engine.acts.undo(engine.here, first.run)
    assert (refused.value.code, refused.value.says.values) == ("done_since", {"run": later.run})
    await engine.acts.undo(engine.here, later.run)
    await engine.settle()
    await engine.acts.undo(engine.here, first.run)
    await engine.settle()
    assert engine.motto() == "old"


async def test_a_run_that_waited_does_not_build_upon_one_that_stopped(engine: Engine) -> None:
    first, second = [await engine.planned("set_motto", text=text) for text in ("one", "two")]
    for seen in (first, second):
        await engine.acts.confirm(engine.here, seen.run, seen.plan_digest)
    await engine.rows("UPDATE run SET state = 'stopped' WHERE run = %s RETURNING 1", first.run)
    await engine.work(second.run)
    after = await engine.run(second.run)
    assert (after.state, after.reason and after.reason.code) == (State.REFUSED, "site_stopped")
    assert engine.motto() == "old"


async def test_a_later_run_is_not_put_back_where_another_stopped(engine: Engine) -> None:
    done = await engine.done("set_motto", text="new")
    other = await engine.planned("set_motto", text="other")
    await engine.rows("UPDATE run SET state = 'stopped' WHERE run = %s RETURNING 1", other.run)
    with pytest.raises(RunRefused, match="stopped in the middle"):
        await engine.acts.undo(engine.here, done.run)


async def test_what_has_no_way_back_keeps_its_site_from_nothing_when_it_stopped(engine: Engine) -> None:
    first, second = [await engine.planned("set_motto", text=text) for text in ("one", "two")]
    await engine.rows(
        "UPDATE run SET state = 'stopped', plan = jsonb_set(plan, '{undoable}', 'false') WHERE run = %s RETURNING 1",
        first.run,
    )
    assert await engine.acts.confirm(engine.here, second.run, second.plan_digest) is State.QUEUED


async def test_who_confirmed_it_cannot_approve_it(engine: Engine) -> None:
    await engine.rows("UPDATE workspace SET approve_destroys = true RETURNING 1")
    asker, lead = engine.person(1, Role.LEAD), engine.person(2, Role.LEAD)
    seen = await engine.planned("wipe_motto", asker)
    await engine.acts.confirm(lead, seen.run, seen.plan_digest, "shop.example")
    with pytest.raises(RunRefused) as refused:
        await engine.acts.approve(lead, seen.run)
    assert refused.value.code == "own_run"
    assert await engine.acts.approve(engine.person(3, Role.LEAD), seen.run) is State.QUEUED


@pytest.mark.parametrize("when", ["before it is planned", "before it is done"])
async def test_a_runbook_that_changed_meanwhile_is_not_run_under_the_old_digest(engine: Engine, when: str) -> None:
    run = await engine.ask("set_motto", text="new")
    if when == "before it is done":
        await engine.work(run)
        await engine.acts.confirm(engine.here, run, (await engine.run(run)).plan_digest)
    known = engine.ground.runbooks
    other = replace(known.of("set_motto"), digest="f" * 64)
    changed = replace(engine.ground, runbooks=Runbooks({**known.all, "set_motto": other}))
    await replace(engine, ground=changed).work(run)
    after = await engine.run(run)
    assert (after.state, after.reason and after.reason.code) == (State.REFUSED, "other_runbook")
    assert engine.motto() == "old"
