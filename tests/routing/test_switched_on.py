"""From the shadow to being on, against the simulated Intercom: its own record says what was written, and by whom."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from test_delivery import (
    Dying,
    Killed,
    Stage,
    assigned,
    notes,
    route,
    stage,
    until_delivered,
    with_notes,
    working,
)

from steelyard.demo.intercom import conversations
from steelyard.jobs.app import run_worker
from steelyard.kit.errors import RemoteError
from steelyard.kit.ids import TeamId
from steelyard.kit.instants import moment
from steelyard.routing.model import NO_TEAM, Switch
from steelyard.routing.shadow import read_tallies
from steelyard.routing.switch import change_switch, read_switch
from steelyard.routing.switch_page import read_rows
from steelyard.routing.switching import Change, Verb
from steelyard.routing.tasks import QUEUES
from stranger import READING

__all__ = ["stage"]


@pytest.fixture
async def shadow(stage: Stage) -> Stage:
    """A workspace of which nothing is on."""
    await press(stage, Change(Verb.SHADOW))
    return stage


async def press(stage: Stage, change: Change) -> None:
    await change_switch(stage.bench.database, stage.bench.workspace, change, stage.now())
    await stage.bench.route()


def written(stage: Stage) -> Counter[str]:
    """The calls that changed something, by what they asked for."""
    return Counter({name: n for name, n in stage.simulator.record.operations.items() if name not in READING})


async def gives(stage: Stage, conversation: Any, engineer: int) -> None:
    """Intercom, or a person in it, gives it to `engineer`."""
    stage.later(40)
    conversations.assign(stage.world, conversation, stage.lead, admin=engineer)
    await stage.hear()


async def outcomes(stage: Stage) -> Counter[str]:
    return Counter(dict(await stage.bench.rows("SELECT outcome, count(*) FROM decision GROUP BY outcome")))


async def waiting(stage: Stage) -> dict[int, int]:
    """What the page of the switch says would be given to somebody, by team."""
    async with stage.bench.database.transaction(stage.bench.workspace) as conn:
        switch = await read_switch(conn, stage.bench.workspace)
        rows = await read_rows(conn, stage.bench.workspace, moment(stage.now()), switch)
    return {each.team: each.waiting for each in rows}


async def test_in_the_shadow_not_one_call_writes(stage: Stage, app_url: str) -> None:
    before = written(stage)
    async with working(stage, app_url) as (router, app):
        await change_switch(stage.bench.database, stage.bench.workspace, Change(Verb.SHADOW), stage.now())
        await route(stage, router)
        made = [stage.writes(f"Our nameservers {n}", team=[0, *stage.world.teams][n % 3]) for n in range(24)]
        await route(stage, router)
        free = [each.id for each in stage.engineers()[:4]]
        for place, conversation in enumerate(made[:18]):
            stage.later(30)
            conversations.assign(stage.world, conversation, stage.lead, admin=free[place % 4])
        await route(stage, router)
        assert await stage.bench.rows("SELECT FROM procrastinate_jobs WHERE task_name = 'routing.deliver'") == []
        worker = asyncio.create_task(run_worker(app, QUEUES, 4))
        await asyncio.sleep(0.5)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
    assert written(stage) == before
    assert await outcomes(stage) == {"compared": 18, "shadow": 6}
    async with stage.bench.database.transaction(stage.bench.workspace) as conn:
        [total, *_] = await read_tallies(conn, None, moment(stage.now()))
    assert total.compared == 18
    assert total.same + total.lighter + total.equal + total.heavier == 18
    assert total.lighter > 0


async def test_switched_on_what_waits_is_given_at_once(shadow: Stage) -> None:
    stage = shadow
    made = []
    for n in range(8):
        made.append(stage.writes(f"Our nameservers {n}"))
        stage.later()
    await stage.hear()
    for conversation in made[:3]:
        await gives(stage, conversation, stage.engineers()[0].id)
    assert stage.bench.asked.delivered == []
    assert (await waiting(stage))[NO_TEAM] == 5
    await press(stage, Change(Verb.ON, NO_TEAM))
    assert [conversation for _, conversation in stage.bench.asked.delivered] == [each.id for each in made[3:]]
    for decision, _ in list(stage.bench.asked.delivered):
        await stage.deliver(decision)
    assert [[by for by, _ in assigned(stage, each)] for each in made] == [["person"]] * 3 + [["api"]] * 5
    assert await outcomes(stage) == {"compared": 3, "shadow": 5, "delivered": 5}
    assert (await waiting(stage))[NO_TEAM] == 0


async def test_only_the_team_that_is_on_is_given_anything(shadow: Stage) -> None:
    stage = shadow
    first, second, *_ = stage.world.teams
    await press(stage, Change(Verb.ON, TeamId(first)))
    made = {team: stage.writes("Our nameservers", team=team) for team in (0, first, second)}
    await stage.hear()
    assert [conversation for _, conversation in stage.bench.asked.delivered] == [made[first].id]
    assert await waiting(stage) == dict.fromkeys(stage.world.teams, 0) | {NO_TEAM: 1, second: 1}
    await press(stage, Change(Verb.ON))
    assert {conversation for _, conversation in stage.bench.asked.delivered} == {each.id for each in made.values()}


async def test_paused_what_is_on_its_way_is_not_sent_and_decided_anew_in_the_shadow(stage: Stage) -> None:
    conversation = await stage.decided()
    queued = stage.bench.asked.delivered[-1][0]
    before = written(stage)
    await press(stage, Change(Verb.PAUSE))
    await stage.deliver(queued)
    assert (await stage.decision(queued))[:2] == ("overtaken", "switched off")
    assert written(stage) == before
    again = await stage.bench.rows("SELECT decision, outcome FROM decision WHERE decision > %s", queued)
    assert [outcome for _, outcome in again] == ["shadow"]
    later = stage.writes("Another one about nameservers")
    await stage.hear()
    assert len(stage.bench.asked.delivered) == 1
    await press(stage, Change(Verb.RESUME))
    resumed = stage.bench.asked.delivered[1:]
    assert [each for _, each in resumed] == [conversation.id, later.id]
    for decision, _ in resumed:
        await stage.deliver(decision)
    assert [by for by, _ in assigned(stage, conversation)] == [by for by, _ in assigned(stage, later)] == ["api"]


@pytest.mark.parametrize("change", [Change(Verb.PAUSE), Change(Verb.SHADOW, NO_TEAM)])
async def test_switched_off_before_its_receipt_what_was_assigned_was_delivered(stage: Stage, change: Change) -> None:
    conversation = await stage.decided()
    queued = stage.bench.asked.delivered[-1][0]
    with pytest.raises(Killed):
        await stage.deliver(intercom=Dying(stage.intercom, "assign"))
    await press(stage, change)
    before = written(stage)
    await stage.deliver(queued)
    await stage.hear()
    assert await stage.decision(queued) == ("delivered", None, conversation.admin)
    assert written(stage) == before
    assert await outcomes(stage) == {"delivered": 1}, "nothing is decided in the shadow, to compare with our own"
    assert await stage.known(conversation) == (True, conversation.admin, 1)


@pytest.mark.parametrize("theirs", [True, False])
async def test_switched_off_an_assignment_that_is_not_ours_is_not_called_so(stage: Stage, theirs: bool) -> None:
    """The attributes were written and no more; or another decision was told since, of the same winner."""
    conversation = await stage.decided()
    queued = stage.bench.asked.delivered[-1][0]
    _, _, winner = await stage.decision(queued)
    with pytest.raises(Killed):
        await stage.deliver(intercom=Dying(stage.intercom, "update_conversation"))
    if theirs:
        conversations.assign(
            stage.world,
            conversation,
            stage.lead,
            admin=next(each.id for each in stage.engineers() if each.id != winner),
        )
    else:
        conversations.assign(stage.world, conversation, stage.lead, admin=winner)
        conversation.attributes["decision"] = queued + 1
    await press(stage, Change(Verb.PAUSE))
    await stage.deliver(queued)
    assert (await stage.decision(queued))[:2] == ("overtaken", "switched off")


async def test_switched_off_what_cannot_be_read_is_overtaken_and_an_outage_is_waited_for(stage: Stage) -> None:
    queued = [(await stage.decided(f"Our nameservers {n}")) and stage.bench.asked.delivered[-1][0] for n in range(2)]
    await press(stage, Change(Verb.PAUSE))
    conversations.delete(stage.world, stage.world.conversations[stage.bench.asked.delivered[0][1]])
    await stage.deliver(queued[0])
    stage.simulator.faults.plan("conversation", ["error"] * 9)
    with pytest.raises(RemoteError):
        await stage.deliver(queued[1])
    assert (await stage.decision(queued[1]))[0] == "pending"
    stage.simulator.faults.plan("conversation", ["forbidden"])
    await stage.deliver(queued[1])
    for each in queued:
        assert (await stage.decision(each))[:2] == ("overtaken", "switched off")


async def test_switched_off_while_its_attributes_wait_it_is_not_assigned(stage: Stage) -> None:
    await with_notes(stage)
    conversation = await stage.decided()
    queued = stage.bench.asked.delivered[-1][0]
    await stage.deliver(intercom=Slow(stage))
    assert (await stage.decision(queued))[:2] == ("overtaken", "switched off")
    assert (assigned(stage, conversation), notes(conversation)) == ([], [])
    assert await outcomes(stage) == {"overtaken": 1, "shadow": 1}


class Slow:
    """An Intercom where somebody pauses while the attributes are written."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stage.intercom, name)

    async def update_conversation(self, *arguments: Any) -> Any:
        answer = await self._stage.intercom.update_conversation(*arguments)
        await press(self._stage, Change(Verb.PAUSE))
        return answer


async def test_paused_jobs_write_nothing_and_lose_nothing(stage: Stage, app_url: str) -> None:
    async with working(stage, app_url) as (router, app):
        made = [stage.writes(f"Our nameservers {n}") for n in range(12)]
        await route(stage, router)
        before = written(stage)
        await change_switch(stage.bench.database, stage.bench.workspace, Change(Verb.PAUSE), stage.now())
        worker = asyncio.create_task(run_worker(app, QUEUES, 8))
        await until_delivered(stage, router)
        assert written(stage) == before
        assert await outcomes(stage) == {"overtaken": 12, "shadow": 12}
        await change_switch(stage.bench.database, stage.bench.workspace, Change(Verb.RESUME), stage.now())
        await route(stage, router)
        await until_delivered(stage, router)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
    assert [[by for by, _ in assigned(stage, each)] for each in made] == [["api"]] * 12


async def test_undone_it_is_as_it_was(shadow: Stage) -> None:
    stage = shadow
    first, *_ = stage.world.teams
    await press(stage, Change(Verb.ON, TeamId(first)))
    was = Switch((TeamId(first),))
    await press(stage, Change(Verb.ON))
    await press(stage, Change(Verb.BACK, was=was))
    stage.writes("Our nameservers")
    await stage.hear()
    assert stage.bench.asked.delivered == []
    kinds = await stage.bench.rows(
        "SELECT data -> 'switch' FROM ledger WHERE kind = 'routing.switched' ORDER BY position"
    )
    assert [switch for (switch,) in kinds] == [[[], False], [[first], False], [None, False], [[first], False]]
