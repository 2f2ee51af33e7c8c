"""What people do in the console reaches Intercom once, beside the fact that says who did it; a person comes first."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import psycopg
import pytest
from test_delivery import Dying, Killed, Stage, assigned, route, stage, until_delivered, working

from steelyard.adapters.intercom.errors import Unauthorized
from steelyard.demo.intercom import conversations, people, staff
from steelyard.demo.intercom.model import Conversation, Publish
from steelyard.jobs.app import deferring_app, run_worker
from steelyard.kit.errors import ActError
from steelyard.kit.ids import ConversationId, EngineerId, PersonId, Position, WorkspaceId
from steelyard.main.ground import ledger
from steelyard.routing.acts import REFUSALS, Acts
from steelyard.routing.deeds import GOOD_FOR
from steelyard.routing.model import NOBODY
from steelyard.routing.switching import Change, Verb
from steelyard.routing.tasks import QUEUES, ActJobs

__all__ = ["stage"]

NORA = PersonId(41)
JOBS = "SELECT task_name, args, lock, priority FROM procrastinate_jobs ORDER BY id"


class Desk:
    """What a lead does in the console, and the jobs that follow from it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.acts = Acts(stage.bench.database, ledger(), ActJobs(deferring_app()), stage.now)

    async def move(self, conversation: Conversation, to: int, seen: int) -> Position:
        where = self.stage.bench.workspace
        return await self.acts.move(where, ConversationId(conversation.id), EngineerId(to), EngineerId(seen), NORA)

    async def does(self, asked: Position, *, intercom: Any = None) -> int | None:
        """The job of that move, and what the router makes of it; which conversation is to be read then."""
        self.stage.later()
        unread = await self.stage.deeds(intercom).move(self.stage.bench.workspace, asked)
        await self.stage.bench.route()
        return unread

    async def set_away(self, engineer: int, away: bool) -> Position:
        return await self.acts.set_away(self.stage.bench.workspace, EngineerId(engineer), away, NORA)

    async def outcomes(self) -> list[tuple[str, str]]:
        """Kind and reason of what became of moves, in order."""
        return await self.facts("kind, data ->> 'reason'", "conversation.move%", "data ? 'move'")

    async def facts(self, wanted: str, kind: str, where: str = "true") -> list[Any]:
        query = f"SELECT {wanted} FROM ledger WHERE kind LIKE %s AND {where} ORDER BY position"
        return await self.stage.bench.rows(query, kind)

    def another(self, *but: int) -> int:
        return next(each.id for each in self.stage.engineers() if each.id not in but)


@pytest.fixture
def desk(stage: Stage) -> Desk:
    return Desk(stage)


async def given(stage: Stage) -> tuple[Conversation, int]:
    """A conversation that was delivered and heard of, and whose it is."""
    conversation = await stage.decided()
    await stage.deliver()
    await stage.hear()
    return conversation, conversation.admin


# Moving


async def test_a_move_reaches_intercom_and_the_desk(desk: Desk) -> None:
    conversation, owner = await given(desk.stage)
    to = desk.another(owner)
    asked = await desk.move(conversation, to, owner)
    fact = await desk.facts("position, engineer, conversation, person, data", "conversation.move_asked")
    assert fact == [(asked, to, conversation.id, NORA, {"from": owner})]
    workspace = desk.stage.bench.workspace
    job = ("routing.move", {"workspace": workspace, "asked": asked}, f"{workspace} {conversation.id}", 1)
    assert await desk.stage.bench.rows(JOBS) == [job]
    assert await desk.does(asked) is None
    assert assigned(desk.stage, conversation)[1:] == [("api", to)]
    assert await desk.stage.known(conversation) == (True, to, 1)
    assert await desk.outcomes() == [("conversation.moved", "")]
    assert await desk.facts("engineer, (data ->> 'move')::int", "conversation.moved") == [(to, asked)]
    before = await desk.stage.known(conversation)
    await desk.stage.hear()
    assert await desk.stage.known(conversation) == before
    assert len(desk.stage.bench.asked.delivered) == 1


async def test_the_same_job_twice_moves_once(desk: Desk) -> None:
    conversation, owner = await given(desk.stage)
    asked = await desk.move(conversation, desk.another(owner), owner)
    for _ in range(3):
        await desk.does(asked)
    assert len(assigned(desk.stage, conversation)) == 2
    assert await desk.outcomes() == [("conversation.moved", "")]


@pytest.mark.parametrize("call", ["conversation", "assign"])
async def test_a_worker_that_dies_loses_nothing_and_repeats_nothing(desk: Desk, call: str) -> None:
    conversation, owner = await given(desk.stage)
    to = desk.another(owner)
    asked = await desk.move(conversation, to, owner)
    with pytest.raises(Killed):
        await desk.does(asked, intercom=Dying(desk.stage.intercom, call))
    await desk.does(asked)
    assert assigned(desk.stage, conversation)[1:] == [("api", to)]
    assert await desk.outcomes() == [("conversation.moved", "")]


async def test_what_somebody_else_did_meanwhile_stands(desk: Desk) -> None:
    conversation, owner = await given(desk.stage)
    to, other = desk.another(owner), desk.another(owner, desk.another(owner))
    asked = await desk.move(conversation, to, owner)
    desk.stage.later()
    conversations.assign(desk.stage.world, conversation, desk.stage.lead, admin=other)
    await desk.does(asked)
    assert conversation.admin == other
    assert await desk.outcomes() == [("conversation.move_overtaken", "assigned by a person")]
    assert (await desk.stage.known(conversation))[1] == other


async def test_what_was_closed_meanwhile_stays_closed(desk: Desk) -> None:
    conversation, owner = await given(desk.stage)
    asked = await desk.move(conversation, desk.another(owner), owner)
    desk.stage.later()
    conversations.close(desk.stage.world, conversation, desk.stage.lead)
    await desk.does(asked)
    assert (conversation.state, conversation.admin) == ("closed", owner)
    assert await desk.outcomes() == [("conversation.move_overtaken", "no longer open")]


async def test_undone_at_once_it_is_where_it_was(desk: Desk, app_url: str) -> None:
    """The way back is asked for before the way there is known to have succeeded."""
    stage = desk.stage
    conversation, owner = await given(stage)
    to = desk.another(owner)
    await desk.move(conversation, to, owner)
    await desk.move(conversation, owner, to)
    await work_off(stage, app_url)
    assert assigned(stage, conversation)[1:] == [("api", to), ("api", owner)]
    assert await desk.outcomes() == [("conversation.moved", "")] * 2
    assert (await stage.known(conversation))[1] == owner


async def test_given_to_nobody_it_is_decided_again(desk: Desk) -> None:
    conversation, owner = await given(desk.stage)
    await desk.does(await desk.move(conversation, NOBODY, owner))
    assert await desk.facts("engineer, person", "conversation.move_asked") == [(None, NORA)]
    assert conversation.admin == 0
    assert len(desk.stage.bench.asked.delivered) == 2
    await desk.stage.deliver()
    assert conversation.admin != 0


async def test_a_deleted_conversation_is_read_back(desk: Desk, app_url: str) -> None:
    conversation, owner = await given(desk.stage)
    desk.stage.webhooks = []
    await desk.move(conversation, desk.another(owner), owner)
    conversations.delete(desk.stage.world, conversation)
    desk.stage.webhooks = []
    await work_off(desk.stage, app_url)
    assert await desk.outcomes() == [("conversation.move_refused", "not_found")]
    assert (await desk.stage.known(conversation))[0] is False


async def test_who_left_meanwhile_is_given_nothing(desk: Desk) -> None:
    conversation, owner = await given(desk.stage)
    to = desk.another(owner)
    asked = await desk.move(conversation, to, owner)
    staff.remove(desk.stage.world, desk.stage.world.admins[to])
    assert await desk.does(asked) == conversation.id
    assert await desk.outcomes() == [("conversation.move_refused", "assignee_not_found")]
    assert (conversation.admin, (await desk.stage.known(conversation))[1]) == (owner, owner)


async def test_a_move_that_was_made_counts_though_it_ends_as_refused_and_its_webhook_is_lost(
    desk: Desk, app_url: str
) -> None:
    conversation, owner = await given(desk.stage)
    to = desk.another(owner)
    asked = await desk.move(conversation, to, owner)
    with pytest.raises(Killed):
        await desk.does(asked, intercom=Dying(desk.stage.intercom, "assign"))
    desk.stage.webhooks = []
    desk.stage.later(GOOD_FOR / 1_000_000)
    await work_off(desk.stage, app_url)
    assert await desk.outcomes() == [("conversation.move_refused", "too_late")]
    assert conversation.admin == to
    assert await desk.stage.known(conversation) == (True, to, 1)


async def test_nothing_is_done_behind_somebodys_back_later(desk: Desk) -> None:
    conversation, owner = await given(desk.stage)
    asked = await desk.move(conversation, desk.another(owner), owner)
    desk.stage.simulator.faults.set({"unauthorized": 1.0})
    with pytest.raises(Unauthorized):
        await desk.does(asked)
    assert await desk.outcomes() == []
    desk.stage.simulator.faults.set({"unauthorized": 0.0})
    desk.stage.later(GOOD_FOR / 1_000_000)
    await desk.does(asked)
    assert await desk.outcomes() == [("conversation.move_refused", "too_late")]
    assert conversation.admin == owner


class PausedMeanwhile:
    """An Intercom that is slow: the pause is pressed while it answers."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._intercom = desk, desk.stage.intercom

    def __getattr__(self, name: str) -> Any:
        return getattr(self._intercom, name)

    async def conversation(self, conversation: int) -> Any:
        shown = await self._intercom.conversation(conversation)
        await self._desk.acts.change_switch(self._desk.stage.bench.workspace, Change(Verb.PAUSE), NORA)
        return shown


@pytest.mark.parametrize("late", [False, True])
async def test_paused_meanwhile_nothing_is_written(desk: Desk, late: bool) -> None:
    conversation, owner = await given(desk.stage)
    asked = await desk.move(conversation, desk.another(owner), owner)
    if not late:
        await desk.acts.change_switch(desk.stage.bench.workspace, Change(Verb.PAUSE), NORA)
    await desk.does(asked, intercom=PausedMeanwhile(desk))
    assert conversation.admin == owner
    assert await desk.outcomes() == [("conversation.move_refused", "paused")]
    assert await desk.facts("person", "routing.switched") == [(NORA,)]


# A decision on its way


async def test_a_person_comes_before_a_decision_on_its_way(desk: Desk, app_url: str) -> None:
    """Whoever it was for is never given it: the move stands before the delivery in the line of the conversation."""
    stage = desk.stage
    async with working(stage, app_url) as (router, app):
        conversation = stage.writes()
        await route(stage, router)
        [(winner,)] = await stage.bench.rows("SELECT winner FROM decision")
        to = desk.another(winner)
        await desk.move(conversation, to, winner)
        assert [name for name, *_ in await stage.bench.rows(JOBS)] == ["routing.deliver", "routing.move"]
        await run_jobs(stage, router, app)
    assert assigned(stage, conversation) == [("api", to)]
    assert await desk.outcomes() == [("conversation.moved", "")]
    assert [outcome for (outcome,) in await stage.bench.rows("SELECT outcome FROM decision")] == ["overtaken"]
    assert await stage.known(conversation) == (True, to, 1)


@pytest.mark.parametrize("seen_with", ["winner", "nobody"])
@pytest.mark.parametrize("heard", [False, True])
async def test_a_decision_delivered_meanwhile_does_not_stop_a_person(desk: Desk, seen_with: str, heard: bool) -> None:
    stage = desk.stage
    conversation = await stage.decided()
    _, _, winner = await stage.decision()
    to = desk.another(winner)
    asked = await desk.move(conversation, to, winner if seen_with == "winner" else NOBODY)
    await stage.delivery().deliver(stage.bench.workspace, stage.bench.asked.delivered[-1][0])
    if heard:
        await stage.hear()
    assert conversation.admin == winner
    await desk.does(asked)
    await stage.hear()
    assert conversation.admin == to
    assert await desk.outcomes() == [("conversation.moved", "")]
    assert (await stage.known(conversation))[1] == to
    assert len(stage.bench.asked.delivered) == 1


async def test_a_decision_after_the_move_was_asked_for_is_not_delivered_over_it(desk: Desk) -> None:
    stage = desk.stage
    for each in stage.engineers():
        staff.go_away(stage.world, each)
    conversation = stage.writes()
    await stage.hear()
    to, back = stage.engineers()[:2]
    asked = await desk.move(conversation, to.id, NOBODY)
    stage.later()
    staff.come_back(stage.world, back)
    await stage.hear()
    [(decision, _)] = stage.bench.asked.delivered
    await desk.does(asked)
    await stage.deliver(decision)
    assert assigned(stage, conversation) == [("api", to.id)]
    assert (await stage.decision(decision))[0] == "overtaken"
    assert (await stage.known(conversation))[1] == to.id


async def test_a_refused_move_leaves_the_decision_on_its_way(desk: Desk) -> None:
    stage = desk.stage
    conversation = await stage.decided()
    _, _, winner = await stage.decision()
    asked = await desk.move(conversation, to := desk.another(winner), winner)
    staff.remove(stage.world, stage.world.admins[to])
    await desk.does(asked)
    await stage.deliver()
    assert (await stage.decision())[0] == "delivered"
    assert conversation.admin == winner


# Refused at once


async def test_what_cannot_be_moved_is_refused_with_what_to_do(desk: Desk) -> None:
    stage = desk.stage
    conversation, owner = await given(stage)
    to, gone, unseated = [each.id for each in stage.engineers() if each.id != owner][:3]
    staff.remove(stage.world, stage.world.admins[gone])
    stage.world.admins[unseated].seat = False
    await stage.reconcile.roster(stage.bench.workspace)
    await stage.bench.route()
    closed = await stage.decided()
    conversations.close(stage.world, closed, stage.lead)
    await stage.hear()
    unknown = people.write_in(stage.world, people.customer(stage.world, "Ann", "ann@example.test"), "", "Hello?")
    stage.webhooks = []
    tried = [
        ("same", conversation, owner, owner),
        ("left", conversation, gone, owner),
        ("no_seat", conversation, unseated, owner),
        ("unknown_engineer", conversation, 987_654, owner),
        ("unknown_conversation", unknown, to, NOBODY),
        ("not_open", closed, to, closed.admin),
    ]
    for code, which, engineer, seen in tried:
        await refused(code, desk.move(which, engineer, seen))
    waiting = await stage.decided()
    await refused("waits", desk.move(waiting, NOBODY, waiting.admin + 1))
    await stage.bench.rows("UPDATE conversation SET value = jsonb_set(value, '{14}', 'true') RETURNING 1")
    await refused("ticket", desk.move(conversation, to, owner))
    await refused("unknown_engineer", desk.set_away(987_654, True))
    await refused("left", desk.acts.set_rotation(stage.bench.workspace, EngineerId(gone), True, NORA))
    await desk.acts.change_switch(stage.bench.workspace, Change(Verb.PAUSE), NORA)
    await refused("paused", desk.move(conversation, to, owner))
    await refused("paused", desk.set_away(to, True))
    await stage.bench.rows("DELETE FROM connection RETURNING 1")
    await refused("not_connected", desk.move(conversation, to, owner))
    assert await desk.facts("kind", "%_asked") == []
    assert await stage.bench.rows(JOBS) == []


async def refused(code: str, act: Any) -> None:
    with pytest.raises(ActError) as raised:
        await act
    assert (raised.value.code, str(raised.value)) == (code, REFUSALS[code])


async def test_another_workspaces_conversation_is_not_there(desk: Desk, make_workspace: Any) -> None:
    conversation, owner = await given(desk.stage)
    other = await make_workspace("other")
    await refused(
        "unknown_engineer",
        desk.acts.move(
            other, ConversationId(conversation.id), EngineerId(desk.another(owner)), EngineerId(owner), NORA
        ),
    )


# Neither without the other


class Torn(ActJobs):
    """Jobs that are deferred right before the process is killed."""

    async def _defer(self, conn: Any, task: str, lock: str, workspace: WorkspaceId, asked: Position) -> None:
        await super()._defer(conn, task, lock, workspace, asked)
        raise Killed


async def test_no_fact_without_its_job_and_no_job_without_its_fact(desk: Desk) -> None:
    conversation, owner = await given(desk.stage)
    desk.acts = Acts(desk.stage.bench.database, ledger(), Torn(deferring_app()), desk.stage.now)
    for act in (desk.move(conversation, desk.another(owner), owner), desk.set_away(owner, True)):
        with pytest.raises(Killed):
            await act
    assert await desk.facts("kind", "%_asked") == []
    assert await desk.stage.bench.rows(JOBS) == []
    position = "SELECT position = (SELECT max(position) FROM ledger) FROM workspace"
    assert await desk.stage.bench.rows(position) == [(True,)]


async def test_what_cannot_be_deferred_is_not_recorded(desk: Desk, superuser_url: str) -> None:
    conversation, owner = await given(desk.stage)
    with psycopg.connect(superuser_url, autocommit=True) as conn:
        conn.execute("ALTER TABLE procrastinate_jobs ADD CHECK (task_name NOT LIKE 'routing.%') NOT VALID")
    with pytest.raises(psycopg.errors.CheckViolation):
        await desk.move(conversation, desk.another(owner), owner)
    assert await desk.facts("kind", "%_asked") == []


# Away


async def test_away_here_is_away_in_intercom(desk: Desk, app_url: str) -> None:
    stage = desk.stage
    engineer = stage.engineers()[0]
    asked = await desk.set_away(engineer.id, True)
    assert await desk.facts("position, engineer, person, data", "engineer.away_asked") == [
        (asked, engineer.id, NORA, {"away": True})
    ]
    await work_off(stage, app_url)
    assert engineer.away
    assert await away(stage) == {engineer.id}
    await desk.set_away(engineer.id, False)
    await work_off(stage, app_url)
    assert not engineer.away
    assert await away(stage) == set()


async def test_it_is_read_back_where_no_webhook_tells(desk: Desk, app_url: str) -> None:
    stage = desk.stage
    stage.world.publish = nobody_hears
    engineer = stage.engineers()[0]
    await desk.set_away(engineer.id, True)
    await work_off(stage, app_url)
    assert await away(stage) == {engineer.id}


async def test_away_and_back_go_out_in_order(desk: Desk, app_url: str) -> None:
    stage = desk.stage
    engineer = stage.engineers()[0]
    stage.simulator.faults.plan("set_away", ["rate_limit"] * 3)
    for turn in (True, False, True):
        await desk.set_away(engineer.id, turn)
    told: list[bool] = []
    publish = stage.world.publish

    def tell(what: Publish) -> None:
        told.append(engineer.away)
        publish(what)

    stage.world.publish = tell
    await work_off(stage, app_url)
    assert told == [True, False, True]
    assert await away(stage) == {engineer.id}


async def test_a_refusal_can_be_seen(desk: Desk) -> None:
    """As of a workspace that wants a reason for being away."""
    stage = desk.stage
    engineer = stage.engineers()[0]
    stage.simulator.faults.plan("set_away", ["bad_request"] * 2)
    asked = await desk.set_away(engineer.id, True)
    for _ in range(2):
        await stage.deeds().set_away(stage.bench.workspace, asked)
        await stage.bench.route()
    expected = {"asked": asked, "away": True, "reason": "parameter_invalid"}
    assert await desk.facts("engineer, person, data", "engineer.away_refused") == [(engineer.id, None, expected)]
    assert await away(stage) == set()


async def test_paused_or_too_late_nobody_is_set_away(desk: Desk) -> None:
    stage = desk.stage
    engineer = stage.engineers()[0]
    late = await desk.set_away(engineer.id, True)
    stage.later(GOOD_FOR / 1_000_000 + 1)
    paused = await desk.set_away(engineer.id, True)
    await stage.deeds().set_away(stage.bench.workspace, late)
    await desk.acts.change_switch(stage.bench.workspace, Change(Verb.PAUSE), NORA)
    await stage.deeds().set_away(stage.bench.workspace, paused)
    await stage.bench.route()
    reasons = await desk.facts("(data ->> 'asked')::int, data ->> 'reason'", "engineer.away_refused")
    assert reasons == [(late, "too_late"), (paused, "paused")]
    assert not engineer.away


# Rotation, the switch


async def test_off_rotation_and_back(desk: Desk) -> None:
    stage, where = desk.stage, desk.stage.bench.workspace
    mine, owner = await given(stage)
    for each in stage.engineers():
        await desk.acts.set_rotation(where, EngineerId(each.id), True, NORA)
    await stage.bench.route()
    facts = await desk.facts("engineer, person", "engineer.rotation_changed")
    assert facts == [(each.id, NORA) for each in stage.engineers()]
    waiting = stage.writes()
    await stage.hear()
    assert await stage.known(waiting) == (True, None, 1)
    assert mine.admin == owner
    assert not any(each.away for each in stage.engineers()), "Intercom knows nothing of it"
    await desk.acts.set_rotation(where, EngineerId(owner), False, NORA)
    await stage.bench.route()
    assert await stage.known(waiting) == (True, owner, 1)


async def test_rotation_is_a_matter_of_steelyards_own(desk: Desk) -> None:
    """So it works while it is paused, and outlives a worker that starts anew."""
    stage, where = desk.stage, desk.stage.bench.workspace
    await desk.acts.change_switch(where, Change(Verb.PAUSE), NORA)
    for each in stage.engineers()[1:]:
        await desk.acts.set_rotation(where, EngineerId(each.id), True, None)
    await stage.bench.route()
    stage.bench.router = stage.bench.another_router()
    await desk.acts.change_switch(where, Change(Verb.RESUME), None)
    for _ in range(2):
        await stage.decided()
    winners = await stage.bench.rows("SELECT DISTINCT winner FROM decision")
    assert winners == [(stage.engineers()[0].id,)]
    assert await desk.facts("person", "routing.switched") == [(NORA,), (None,)]
    written = await stage.bench.rows("SELECT body FROM inbox WHERE topic = 'steelyard.rotation'")
    assert {*json.loads(written[0][0])} == {"topic", "id", "created_at", "engineer", "resting", "person"}


# Jobs


def nobody_hears(what: Publish) -> None:
    """Every webhook is lost."""


async def away(stage: Stage) -> set[int]:
    found = await stage.bench.rows("SELECT engineer FROM engineer WHERE (value ->> 'away')::bool")
    return {id for (id,) in found}


async def work_off(stage: Stage, app_url: str) -> None:
    async with working(stage, app_url) as (router, app):
        await run_jobs(stage, router, app)


async def run_jobs(stage: Stage, router: Any, app: Any) -> None:
    """A worker works everything off, and the router hears of it."""
    worker = asyncio.create_task(run_worker(app, QUEUES, 8))
    async with asyncio.timeout(60):
        while await stage.bench.rows("SELECT FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"):
            await asyncio.sleep(0.05)
            await route(stage, router)
    await route(stage, router)
    await until_delivered(stage, router)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
