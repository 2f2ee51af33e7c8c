"""One request for several sites: so many at once, and none any more after a failure."""

from __future__ import annotations

import pytest
from engine import Engine

from steelyard.people.permissions import Role
from steelyard.toolbox.acts import Request, RunRefused
from steelyard.toolbox.registry import RegistryError
from steelyard.toolbox.runs_read import read_batch
from steelyard.toolbox.runs_seen import BatchSeen
from steelyard.toolbox.states import State

NAMES = ("shop.example", "a.example", "b.example", "c.example")


async def asked(engine: Engine, runbook: str = "set_motto", **given: str) -> int:
    for name in NAMES[1:]:
        await engine.add_site(name)
    request = Request(runbook, [engine.sites[name] for name in NAMES], given)
    batch = await engine.batches.ask(engine.person(1, Role.LEAD), request)
    await engine.settle()
    return batch


async def batch_of(engine: Engine, batch: int) -> BatchSeen:
    async with engine.database.transaction(engine.workspace) as conn:
        seen = await read_batch(conn, batch)
    assert seen is not None
    return seen


def states(seen: BatchSeen) -> list[State]:
    return [run.state for run in seen.runs]


async def test_so_many_at_once_and_the_next_as_one_ends(engine: Engine) -> None:
    await engine.rows("UPDATE workspace SET runs_at_once = 2 RETURNING 1")
    batch = await asked(engine, text="new")
    assert await engine.batches.confirm(engine.here, batch) == 4
    assert states(await batch_of(engine, batch)) == [State.QUEUED] * 2 + [State.PLANNED] * 2
    first = (await batch_of(engine, batch)).runs[0].run
    await engine.work(first)
    assert states(await batch_of(engine, batch)) == [State.DONE, State.QUEUED, State.QUEUED, State.PLANNED]
    await engine.settle()
    assert states(await batch_of(engine, batch)) == [State.DONE] * 4
    assert [engine.motto(name) for name in NAMES] == ["new"] * 4


async def test_after_a_failure_the_rest_is_left_and_said_so(engine: Engine) -> None:
    await engine.rows("UPDATE workspace SET runs_at_once = 1 RETURNING 1")
    batch = await asked(engine, text="new", wrong="on")
    await engine.batches.confirm(engine.here, batch)
    await engine.settle()
    seen = await batch_of(engine, batch)
    assert states(seen) == [State.PUT_BACK] + [State.CANCELLED] * 3
    assert {run.reason and run.reason.code for run in seen.runs[1:]} == {"batch_stopped"}
    assert seen.stopped_at is not None
    assert [engine.motto(name) for name in NAMES] == ["old"] * 4


async def test_a_site_that_changed_counts_as_a_failure(engine: Engine) -> None:
    await engine.rows("UPDATE workspace SET runs_at_once = 1 RETURNING 1")
    batch = await asked(engine, text="new")
    (engine.docroot() / "motto").write_text("other")
    await engine.batches.confirm(engine.here, batch)
    await engine.settle()
    assert states(await batch_of(engine, batch)) == [State.PLANNED] + [State.CANCELLED] * 3


async def test_what_destroys_takes_their_number_and_perhaps_a_second_person(engine: Engine) -> None:
    await engine.rows("UPDATE workspace SET approve_destroys = true RETURNING 1")
    batch = await asked(engine, "wipe_motto")
    with pytest.raises(RunRefused) as refused:
        await engine.batches.confirm(engine.person(1, Role.LEAD), batch, "shop.example")
    assert refused.value.code == "not_counted"
    await engine.batches.confirm(engine.person(3, Role.LEAD), batch, "4")
    await engine.settle()
    assert states(await batch_of(engine, batch)) == [State.PLANNED] * 4
    for first in (1, 3):  # who asked, and who confirmed
        with pytest.raises(RunRefused, match="Somebody else"):
            await engine.batches.approve(engine.person(first, Role.LEAD), batch)
    await engine.batches.approve(engine.person(2, Role.LEAD), batch)
    await engine.settle()
    assert states(await batch_of(engine, batch)) == [State.DONE] * 4
    assert (await engine.run((await batch_of(engine, batch)).runs[0].run)).approver == 2


async def test_a_request_is_called_off_whole(engine: Engine) -> None:
    await engine.rows("UPDATE workspace SET runs_at_once = 1 RETURNING 1")
    batch = await asked(engine, text="new")
    await engine.batches.confirm(engine.here, batch)
    await engine.batches.cancel(engine.here, batch)
    await engine.settle()
    assert states(await batch_of(engine, batch)) == [State.CANCELLED] * 4


async def test_a_run_of_a_waiting_request_is_not_confirmed_past_its_approval(engine: Engine) -> None:
    await engine.rows("UPDATE workspace SET approve_destroys = true RETURNING 1")
    batch = await asked(engine, "wipe_motto")
    run = await engine.run((await batch_of(engine, batch)).runs[0].run)
    state = await engine.acts.confirm(engine.person(1, Role.LEAD), run.run, run.plan_digest, "shop.example")
    assert state is State.WAITS


async def test_a_worker_that_was_lost_while_it_planned_costs_no_site_its_turn(engine: Engine) -> None:
    for name in NAMES[1:]:
        await engine.add_site(name)
    request = Request("set_motto", [engine.sites[name] for name in NAMES], {"text": "new"})
    batch = await engine.batches.ask(engine.person(1, Role.LEAD), request)
    await engine.rows("UPDATE run SET attempt = attempt + 1 RETURNING 1")
    await engine.settle()
    await engine.batches.confirm(engine.here, batch)
    await engine.settle()
    assert states(await batch_of(engine, batch)) == [State.DONE] * 4


async def test_a_request_is_called_off_though_a_site_of_it_was_removed(engine: Engine) -> None:
    batch = await asked(engine, text="new")
    run = (await batch_of(engine, batch)).runs[1].run
    await engine.rows("UPDATE site SET removed_at = now() WHERE name = 'a.example' RETURNING 1")
    with pytest.raises(RegistryError, match="not in the registry"):
        await engine.batches.confirm(engine.here, batch)
    await engine.acts.cancel(engine.here, run)
    await engine.batches.cancel(engine.here, batch)
    assert states(await batch_of(engine, batch)) == [State.CANCELLED] * 4


async def test_a_run_that_is_called_off_gives_its_turn_to_the_next(engine: Engine) -> None:
    await engine.rows("UPDATE workspace SET runs_at_once = 1 RETURNING 1")
    batch = await asked(engine, text="new")
    await engine.batches.confirm(engine.here, batch)
    await engine.batches.cancel_run(engine.here, (await batch_of(engine, batch)).runs[0].run)
    await engine.settle()
    assert states(await batch_of(engine, batch)) == [State.CANCELLED] + [State.DONE] * 3
