"""429, 5xx, time-outs, cut connections and death after accepting, at every call: each decision is told exactly once.

Counted at the simulated Intercom's own record.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from stage import Ground, Stage, assigned, notes, staged
from test_live import until

from steelyard.demo.intercom import conversations, people
from steelyard.demo.intercom.conversations import Actor
from steelyard.demo.intercom.model import Conversation
from steelyard.store.database import Database

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FAULTS = ("rate_limit", "error", "unavailable", "slow", "refuse", "die")
"""What another try mends."""

PAIRS = (("rate_limit", "error"), ("unavailable", "slow"), ("refuse", "die"))
"""The same, so many on end as the client survives by itself."""

REFUSALS = ("bad_request", "forbidden", "not_found")
"""What no other try mends."""

COUNTED = ("calls_429", "calls_500", "calls_503", "calls_slow", "calls_cut", "calls_died")
DELIVERING = ("update_conversation", "assign", "conversation", "note")


@pytest.fixture
def ground(
    app_url: str, database: Database, keys: Path, unseal: Callable[[str, str], str], make_workspace: Any
) -> Ground:
    return Ground(app_url, database, keys, unseal, make_workspace)


@pytest.fixture
async def stage(ground: Ground) -> AsyncIterator[Stage]:
    async with staged(ground) as stage:
        yield stage


def check_struck(stage: Stage, times: int = 1) -> None:
    """Every planned fault struck."""
    assert stage.simulator.faults.planned == {}
    counts = stage.simulator.record.counts
    assert {name: counts[name] for name in COUNTED} == dict.fromkeys(COUNTED, times)


# Delivery


async def test_every_fault_at_every_call_of_delivery(stage: Stage) -> None:
    """Six conversations at once: their first calls meet one fault each."""
    for times, call in enumerate(DELIVERING, start=1):
        stage.simulator.faults.plan(call, random.Random(call).sample(FAULTS, len(FAULTS)))
        written = [stage.write() for _ in FAULTS]
        await stage.settle()
        check_struck(stage, times)
        await stage.check_told(written)


async def test_one_fault_after_another(stage: Stage) -> None:
    faults = stage.simulator.faults
    faults.plan("update_conversation", ["error", "die"])
    faults.plan("assign", ["refuse", "die"])
    faults.plan("conversation", ["die", "rate_limit", "refuse"])
    conversation = stage.write()
    await stage.settle()
    assert faults.planned == {}
    await stage.check_told([conversation])


# Reading back


async def test_every_fault_while_the_roster_is_read(stage: Stage) -> None:
    world = stage.simulator.workspace
    for plan in PAIRS:
        stage.simulator.faults.plan("admins", plan)
        stage.simulator.faults.plan("teams", plan[::-1])
        with stage.unheard():
            hired = people.hire(world, "Zoé Martin", teams=tuple(world.teams))
        await stage.read_everything()
        await stage.settle()
        known = await stage.rows("SELECT (value ->> 'away')::bool FROM engineer WHERE engineer = %s", hired.id)
        assert known == [(False,)]
        assert dict(await stage.rows("SELECT team, members FROM team")) == {
            each.id: sorted(each.members) for each in world.teams.values()
        }
    check_struck(stage, 2)


async def test_a_reading_whose_client_gives_up_is_tried_again(stage: Stage) -> None:
    before = stage.simulator.record.operations["admins"]
    stage.simulator.faults.plan("admins", ["die", "refuse", "error"])
    with stage.unheard():
        hired = people.hire(stage.simulator.workspace, "Zoé Martin")
    await stage.read_everything()
    await stage.settle()
    assert await stage.rows("SELECT 1 FROM engineer WHERE engineer = %s", hired.id) == [(1,)]
    assert stage.simulator.record.operations["admins"] == before + 4


async def test_every_fault_while_open_conversations_are_read(stage: Stage) -> None:
    """Counted, then listed on two pages: what nobody told of is found, decided once, assigned once, noted once."""
    with stage.unheard():
        old = taken(stage, 155)
    await stage.read_everything()
    await stage.settle()
    for number, plan in enumerate(PAIRS):
        counting, first, second = plan, PAIRS[number - 1], PAIRS[number - 2]
        stage.simulator.faults.plan("search_conversations", [*counting, "fine", *first, "fine", *second])
        with stage.unheard():
            missed = [stage.write(), old[number]]
            conversations.assign(stage.simulator.workspace, old[number], lead(stage), admin=0)
        await stage.read_everything()
        await stage.settle()
        await stage.check_told(missed)
    check_struck(stage, len(PAIRS))
    assert stage.simulator.record.operations["assign"] == 2 * len(PAIRS)


async def test_every_fault_while_single_conversations_are_read(stage: Stage) -> None:
    with stage.unheard():
        missed = [stage.write() for _ in FAULTS]
    stage.simulator.faults.plan("conversation", FAULTS)
    await stage.read_everything()
    await stage.settle()
    check_struck(stage)
    await stage.check_told(missed)


def taken(stage: Stage, count: int) -> list[Conversation]:
    """Conversations that a person gave to engineers."""
    world = stage.simulator.workspace
    engineers = [each.id for each in world.admins.values() if each.seat]
    written = [stage.write() for _ in range(count)]
    for number, each in enumerate(written):
        conversations.assign(world, each, lead(stage), admin=engineers[number % len(engineers)])
    return written


def lead(stage: Stage) -> Actor:
    return Actor(stage.simulator.workspace.admins[stage.simulator.workspace.owner])


# What no other try mends


async def test_refused_attributes_keep_nobody_waiting(stage: Stage) -> None:
    stage.simulator.faults.plan("update_conversation", REFUSALS)
    written = [stage.write() for _ in REFUSALS]
    await stage.settle()
    assert stage.simulator.record.operations["update_conversation"] == len(REFUSALS)
    for each in written:
        assert each.attributes == {}
        assert len(assigned(stage.simulator, each)) == len(notes(each)) == 1
    assert await stage.rows("SELECT DISTINCT outcome FROM decision") == [("delivered",)]


async def test_a_refused_assignment_fails_once_and_is_tried_with_the_next_reading(stage: Stage) -> None:
    stage.simulator.faults.plan("assign", REFUSALS)
    written = [stage.write() for _ in REFUSALS]
    await stage.settle()
    assert stage.simulator.record.operations["assign"] == len(REFUSALS)
    assert set(await stage.rows("SELECT outcome, reason FROM decision")) == {
        ("failed", code) for code in ("parameter_invalid", "api_plan_restricted", "not_found")
    }
    for each in written:
        assert (assigned(stage.simulator, each), notes(each)) == ([], [])
    await stage.read_everything()
    await stage.settle()
    assert stage.simulator.record.operations["assign"] == 2 * len(REFUSALS)
    for each in written:
        assert len(assigned(stage.simulator, each)) == len(notes(each)) == 1
    outcomes = await stage.rows("SELECT outcome, count(*) FROM decision GROUP BY outcome ORDER BY outcome")
    assert outcomes == [("delivered", len(REFUSALS)), ("failed", len(REFUSALS))]


async def test_a_refused_note_undoes_no_delivery(stage: Stage) -> None:
    for call in ("conversation", "note"):
        stage.simulator.faults.plan(call, REFUSALS)
        written = [stage.write() for _ in REFUSALS]
        await stage.settle()
        assert stage.simulator.faults.planned == {}
        for each in written:
            [(outcome, winner)] = await stage.rows(
                "SELECT outcome, winner FROM decision WHERE conversation = %s", each.id
            )
            assert outcome == "delivered"
            assert assigned(stage.simulator, each) == [winner]
            assert notes(each) == []
    assert stage.simulator.record.operations["note"] == len(REFUSALS)


async def test_a_refused_reading_is_left_to_the_next(stage: Stage) -> None:
    operations = stage.simulator.record.operations
    for call, refusal in product(("admins", "teams", "search_conversations"), REFUSALS):
        stage.simulator.faults.plan(call, [refusal])
        before = operations[call]
        await stage.read_everything()
        await stage.settle()
        assert operations[call] == before + 1
    with stage.unheard():
        missed = stage.write()
        hired = people.hire(stage.simulator.workspace, "Zoé Martin")
    await stage.read_everything()
    await stage.settle()
    await stage.check_told([missed])
    assert await stage.rows("SELECT 1 FROM engineer WHERE engineer = %s", hired.id) == [(1,)]


async def test_a_refused_token_is_waited_out(stage: Stage) -> None:
    """Ever more slowly: two conversations are tried twice each at most in the first three seconds."""
    stage.simulator.faults.set({"unauthorized": 1.0})
    written = [stage.write() for _ in range(2)]

    async def were_tried() -> bool:
        begun = await tries(stage)
        return len(begun) == len(written) and min(map(len, begun)) >= 3

    await until(were_tried)
    begun = await tries(stage)
    assert min(second - first for first, second, *_ in begun) > 0.95
    assert min(third - second for _, second, third, *_ in begun) > 1.95
    calls = stage.simulator.record.operations["update_conversation"]
    assert 2 * len(written) <= calls <= sum(map(len, begun))
    assert await stage.rows("SELECT DISTINCT outcome FROM decision") == [("pending",)]
    stage.simulator.faults.set({"unauthorized": 0.0})
    await stage.settle()
    await stage.check_told(written)


async def tries(stage: Stage) -> list[list[float]]:
    """When each delivery that is still to be made was tried, in seconds by the database's clock."""
    found = await stage.rows(
        """SELECT array_agg(extract(epoch FROM at)::float8 ORDER BY at)
           FROM procrastinate_events AS event JOIN procrastinate_jobs AS job ON job.id = event.job_id
           WHERE type = 'started' AND task_name = 'routing.deliver' GROUP BY job.id"""
    )
    return [times for (times,) in found]


# Everything at once


async def test_a_mix_of_everything_loses_and_repeats_nothing(stage: Stage) -> None:
    faults, chance = stage.simulator.faults, random.Random(11)
    faults.set(dict.fromkeys(("rate_limit", "error", "slow", "refuse", "die"), 0.05))
    faults.set(dict.fromkeys(("late", "reorder", "duplicate", "cut", "hang_up"), 0.05))
    written: list[Conversation] = []
    for _ in range(200):
        written.append(stage.write(chance.choice(("Our nameservers", "nginx answers 502", "Please cancel it"))))
        await asyncio.sleep(chance.expovariate(40))
    async with asyncio.timeout(120):
        while await stage.rows("SELECT 1 FROM decision WHERE outcome = 'pending' OFFSET 80"):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    faults.set(dict.fromkeys(faults.rates, 0.0))  # each 429 closes a window to all: the rest would take long
    await stage.settle(120)
    counts = stage.simulator.record.counts
    for struck in ("calls_429", "calls_500", "calls_slow", "calls_cut", "calls_died"):
        assert counts[struck] >= 5, struck
    for struck in ("late", "reordered", "duplicates", "cut", "hung_up"):
        assert counts[struck] >= 5, struck
    await stage.check_told(written)
