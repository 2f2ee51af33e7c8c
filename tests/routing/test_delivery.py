"""Delivery and reading back, against the simulated Intercom over a real port, with the real client and database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from payloads import notification
from procrastinate.jobs import Job

from steelyard.adapters.intercom.client import Intercom
from steelyard.adapters.intercom.errors import RateLimited
from steelyard.demo.intercom import Config, Simulator, conversations, people, running, staff
from steelyard.demo.intercom.conversations import Actor
from steelyard.demo.intercom.model import Admin, Conversation, Publish
from steelyard.demo.intercom.seed import Seed
from steelyard.jobs.app import job_app, run_worker
from steelyard.jobs.retry import Retry
from steelyard.kit.errors import ConfigError, StoreError
from steelyard.kit.ids import ConversationId, Position
from steelyard.kit.instants import SECOND, Micros
from steelyard.main.clients import clients_of
from steelyard.main.ground import adopt_policy, shipped_policy
from steelyard.routing import router as routers
from steelyard.routing.codec import thaw
from steelyard.routing.connections import token_place
from steelyard.routing.deeds import Deeds
from steelyard.routing.deliver import Delivery
from steelyard.routing.reconcile import Reconcile
from steelyard.routing.router import Router
from steelyard.routing.tasks import QUEUES, RoutingJobs
from steelyard.store.keys import WORKER, Keys, key_file

BEGAN = 1_760_000_000


class Killed(BaseException):
    """The process died here."""


class Dying:
    """An Intercom whose caller dies right after the call of that name went through."""

    def __init__(self, intercom: Intercom, after: str) -> None:
        self._intercom, self._after = intercom, after

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._intercom, name)

        async def and_die(*arguments: Any) -> Any:
            answer = await call(*arguments)
            if name == self._after:
                raise Killed
            return answer

        return and_die


class Stage:
    """A workspace whose Intercom is simulated. Time passes by `later`; webhooks arrive by `hear`."""

    def __init__(self, bench: Any, simulator: Simulator, keys: Path) -> None:
        self.bench, self.simulator, self.world, self.keys = bench, simulator, simulator.workspace, keys
        self.seconds = float(BEGAN)
        self.slept: list[float] = []
        self.webhooks: list[bytes] = []
        self._sent = 0
        self.world._now = lambda: self.seconds
        self.world.publish = self._publish
        bench.clock = bench.router._clock = self.now
        self.intercom = Intercom(
            simulator.base_url,
            simulator.config.token,
            clock=lambda: self.seconds,
            ticks=lambda: self.seconds,
            sleep=self._sleep,
        )

    def now(self) -> Micros:
        self.seconds += 0.000_001
        return Micros(int(self.seconds * SECOND))

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += max(seconds, 0)

    def _publish(self, what: Publish) -> None:
        self._sent += 1
        self.webhooks.append(
            notification(what.topic, what.item, id=f"notif {self._sent:06}", created_at=self.world.now())
        )

    async def hear(self) -> None:
        """Routes the webhooks that were not heard yet."""
        heard, self.webhooks = self.webhooks, []
        await self.bench.route(*heard)

    def later(self, seconds: float = 2) -> None:
        self.seconds += seconds

    # People

    def writes(self, body: str = "Our nameservers", **more: Any) -> Conversation:
        customer = people.customer(self.world, "Alba Moreno", "alba@example.test")
        return people.write_in(self.world, customer, "", body, **more)

    @property
    def lead(self) -> Actor:
        return Actor(self.world.admins[self.world.owner])

    def engineers(self) -> list[Admin]:
        return [each for each in self.world.admins.values() if each.seat]

    # Steelyard

    def delivery(self, intercom: Any = None) -> Delivery:
        async def of(_: Any) -> Any:
            return intercom or self.intercom

        return Delivery(self.bench.database, of, self.writes_notes, self.now)

    def deeds(self, intercom: Any = None) -> Deeds:
        async def of(_: Any) -> Any:
            return intercom or self.intercom

        return Deeds(self.bench.database, of, self.now)

    async def writes_notes(self, workspace: Any, policy: str) -> bool:
        async with clients_of(self.bench.database, self.keys) as clients:
            return await clients.writes_notes(workspace, policy)

    @property
    def reconcile(self) -> Reconcile:
        async def of(_: Any) -> Any:
            return self.intercom

        return Reconcile(self.bench.database, of, self.now)

    async def deliver(self, decision: Position | None = None, *, intercom: Any = None) -> None:
        """Delivers that decision, else the latest, a moment after it was made, and routes the receipt."""
        self.later()
        which = decision if decision is not None else self.bench.asked.delivered[-1][0]
        await self.delivery(intercom).deliver(self.bench.workspace, which)
        await self.bench.route()

    async def decided(self, body: str = "Our nameservers", **more: Any) -> Conversation:
        """A conversation that was just decided and is not yet delivered."""
        conversation = self.writes(body, **more)
        await self.hear()
        assert self.bench.asked.delivered[-1][1] == conversation.id
        return conversation

    async def decision(self, decision: Position | None = None) -> tuple[str, str | None, int]:
        """Outcome, reason and winner of that decision, else of the latest."""
        which = decision if decision is not None else self.bench.asked.delivered[-1][0]
        [found] = await self.bench.rows("SELECT outcome, reason, winner FROM decision WHERE decision = %s", which)
        return found

    async def known(self, conversation: Conversation) -> tuple[bool, int | None, int]:
        """Open, owner and weight of it in our own table."""
        rows = await self.bench.rows(
            "SELECT open, owner, weight FROM conversation WHERE conversation = %s", conversation.id
        )
        return rows[0]


def assigned(stage: Stage, conversation: Conversation) -> list[tuple[str, int]]:
    """Who assigned it to whom, in order."""
    return [(each.by, each.admin) for each in stage.world.record.histories[conversation.id].assignments]


def notes(conversation: Conversation) -> list[str]:
    return [part.body.html for part in conversation.parts if part.kind == "note" and part.body is not None]


@pytest.fixture
async def stage(bench: Any, keys: Path) -> AsyncIterator[Stage]:
    async with running(Config(app_id="a86dr8yl", seed=Seed(away=0))) as simulator:
        config = simulator.config
        async with bench.database.transaction(bench.workspace) as conn:
            await conn.execute(
                "UPDATE connection SET actor = %s, package_code = %s, api_url = %s, access_token = %s",
                (
                    simulator.workspace.owner,
                    config.package_code,
                    simulator.base_url,
                    Keys(key_file(keys, WORKER)).seal(config.token, token_place(bench.workspace)),
                ),
            )
        stage = Stage(bench, simulator, keys)
        async with stage.intercom as intercom:
            for name, data_type in (("weight", "integer"), ("topic", "string"), ("decision", "integer")):
                await intercom.create_conversation_attribute(name, data_type)
            await stage.reconcile.roster(bench.workspace)
            await bench.route()
            stage.later()
            yield stage


async def with_notes(stage: Stage) -> None:
    async with stage.bench.database.transaction(stage.bench.workspace) as conn:
        await adopt_policy(conn, stage.bench.workspace, shipped_policy().replace("note = false", "note = true"))


# What is told


async def test_attributes_and_assignment_are_told(stage: Stage) -> None:
    conversation = await stage.decided("Our nginx reverse proxy answers 502")
    await stage.deliver()
    outcome, reason, winner = await stage.decision()
    assert (outcome, reason) == ("delivered", None)
    assert conversation.attributes == {
        "weight": 8,
        "topic": "reverse-proxy",
        "decision": stage.bench.asked.delivered[-1][0],
    }
    assert assigned(stage, conversation) == [("api", winner)]
    assert notes(conversation) == []
    assert await stage.known(conversation) == (True, winner, 8)
    await stage.hear()
    assert await stage.known(conversation) == (True, winner, 8)
    assert len(stage.bench.asked.delivered) == 1


async def test_the_reason_is_noted_once_where_the_policy_says_so(stage: Stage) -> None:
    await with_notes(stage)
    conversation = await stage.decided()
    decision = stage.bench.asked.delivered[-1][0]
    for _ in range(3):
        stage.later()
        await stage.delivery().deliver(stage.bench.workspace, decision)
    assert notes(conversation) == [
        f"<p>Weight 1 (dns): given to the engineer who carried the least, 0; next best 0. [d-{decision}]</p>"
    ]
    _, _, winner = await stage.decision()
    assert assigned(stage, conversation) == [("api", winner)]
    await stage.bench.route()
    assert (await stage.decision())[0] == "delivered"
    assert await stage.bench.rows("SELECT count(*) FROM inbox WHERE topic = 'steelyard.receipt'") == [(1,)]


@pytest.mark.parametrize("echoed", [False, True])
@pytest.mark.parametrize("after", ["update_conversation", "assign", "note"])
async def test_killed_in_the_middle_it_is_told_once(stage: Stage, after: str, echoed: bool) -> None:
    await with_notes(stage)
    conversation = await stage.decided()
    with pytest.raises(Killed):
        await stage.deliver(intercom=Dying(stage.intercom, after))
    if echoed:
        await stage.hear()
    await stage.deliver()
    outcome, _, winner = await stage.decision()
    assert outcome == "delivered"
    assert assigned(stage, conversation) == [("api", winner)]
    assert len(notes(conversation)) == 1
    await stage.hear()
    assert await stage.known(conversation) == (True, winner, 1)
    assert len(stage.bench.asked.delivered) == 1


async def test_what_was_settled_is_not_told_again(stage: Stage) -> None:
    conversation = await stage.decided()
    await stage.deliver()
    conversations.assign(stage.world, conversation, stage.lead, admin=0)
    calls = stage.world.record.counts["calls"]
    await stage.deliver()
    assert stage.world.record.counts["calls"] == calls
    assert conversation.admin == 0


# People were faster


async def test_whom_a_person_gave_it_to_keeps_it(stage: Stage) -> None:
    conversation = await stage.decided()
    _, _, winner = await stage.decision()
    other = next(each.id for each in stage.engineers() if each.id != winner)
    stage.later()
    conversations.assign(stage.world, conversation, stage.lead, admin=other)
    await stage.deliver()
    assert await stage.decision() == ("overtaken", "assigned by a person", winner)
    assert assigned(stage, conversation) == [("person", other)]
    assert await stage.known(conversation) == (True, other, 1)
    await stage.hear()
    assert await stage.known(conversation) == (True, other, 1)
    assert len(stage.bench.asked.delivered) == 1


@pytest.mark.parametrize("deed", ["close", "snooze"])
async def test_what_a_person_closed_is_not_opened_again(stage: Stage, deed: str) -> None:
    conversation = await stage.decided()
    stage.later()
    people.TO_CONVERSATIONS[deed](stage.world, conversation, stage.lead, {})
    state = conversation.state
    await stage.deliver()
    assert (await stage.decision())[:2] == ("overtaken", "no longer open")
    assert (conversation.state, assigned(stage, conversation)) == (state, [])
    assert (await stage.known(conversation))[:2] == (False, None)
    stage.later()
    conversations.reply_as_customer(stage.world, conversation, people.typed("Still broken"))
    await stage.hear()
    assert len(stage.bench.asked.delivered) == 2
    await stage.deliver()
    assert (await stage.decision())[0] == "delivered"
    assert conversation.admin == (await stage.decision())[2]


async def test_the_webhook_of_a_persons_deed_overtakes_without_a_call(stage: Stage) -> None:
    """Assigned by hand and taken back: the old decision is no longer wanted, the new one is."""
    conversation = await stage.decided()
    old = stage.bench.asked.delivered[-1][0]
    other = next(each.id for each in stage.engineers())
    for admin in (other, 0):
        stage.later()
        conversations.assign(stage.world, conversation, stage.lead, admin=admin)
    await stage.hear()
    assert len(stage.bench.asked.delivered) == 2
    calls = stage.world.record.counts["calls"]
    await stage.deliver(old)
    assert (await stage.decision(old))[:2] == ("overtaken", "no longer wanted")
    assert stage.world.record.counts["calls"] == calls
    await stage.deliver()
    outcome, _, winner = await stage.decision()
    assert outcome == "delivered"
    assert assigned(stage, conversation) == [("person", other), ("person", 0), ("api", winner)]
    assert conversation.attributes["decision"] == stage.bench.asked.delivered[-1][0]


async def test_what_happens_in_the_second_of_the_receipt_is_read_back(stage: Stage) -> None:
    """Closed in the very second of the assignment, and heard of first: which came last, only Intercom knows."""
    conversation = await stage.decided()
    stage.later()
    await stage.delivery().deliver(stage.bench.workspace, stage.bench.asked.delivered[-1][0])
    conversations.close(stage.world, conversation, stage.lead)
    [*_, closed] = stage.webhooks
    stage.webhooks = []
    await stage.bench.put(closed)
    await stage.bench.rows("UPDATE inbox SET handled_at = now() WHERE notification LIKE 'receipt %%' RETURNING seq")
    await stage.bench.route()
    await stage.bench.rows("UPDATE inbox SET handled_at = NULL WHERE notification LIKE 'receipt %%' RETURNING seq")
    await stage.bench.route()
    assert conversation.id in stage.bench.asked.read
    stage.later()
    await stage.reconcile.conversation(stage.bench.workspace, ConversationId(conversation.id))
    await stage.bench.route()
    assert (await stage.known(conversation))[0] is False


# Intercom refuses


async def test_too_many_calls_wait_and_go_through(stage: Stage) -> None:
    conversation = await stage.decided()
    stage.simulator.faults.set({"rate_limit": 1.0})
    with pytest.raises(RateLimited) as caught:
        await stage.deliver()
    assert caught.value.retry_at is not None
    assert caught.value.retry_at > stage.seconds
    assert max(stage.slept) <= 10.1
    assert (await stage.decision())[0] == "pending"
    stage.simulator.faults.set({"rate_limit": 0.0})
    await stage.deliver()
    assert assigned(stage, conversation) == [("api", (await stage.decision())[2])]
    assert (await stage.decision())[0] == "delivered"


async def test_it_is_never_given_up_while_another_try_may_help(stage: Stage) -> None:
    conversation = await stage.decided()
    stage.simulator.faults.set({"rate_limit": 1.0})
    for _ in range(3):
        with pytest.raises(RateLimited):
            await stage.deliver()
    assert (await stage.decision())[0] == "pending"
    job = Job(id=1, queue="deliver", lock=None, queueing_lock=None, task_name="routing.deliver", attempts=10_000)
    assert Retry().get_retry_decision(exception=OSError(), job=job) is not None
    assert Retry(10).get_retry_decision(exception=OSError(), job=job) is None
    stage.simulator.faults.set({"rate_limit": 0.0})
    await stage.deliver()
    assert assigned(stage, conversation) == [("api", (await stage.decision())[2])]


async def test_attributes_that_are_refused_keep_nobody_waiting(stage: Stage) -> None:
    conversation = await stage.decided()
    stage.world.attributes.clear()
    await stage.deliver()
    assert (await stage.decision())[0] == "delivered"
    assert assigned(stage, conversation) == [("api", (await stage.decision())[2])]


async def test_a_conversation_that_was_moved_to_another_team_is_decided_again(stage: Stage) -> None:
    conversation = await stage.decided()
    _, _, winner = await stage.decision()
    first = stage.bench.asked.delivered[-1][0]
    team = next(each for each in stage.world.teams.values() if winner not in each.members)
    stage.later()
    conversations.assign(stage.world, conversation, stage.lead, team=team.id)
    await stage.deliver(first)  # the webhook is not heard yet
    assert (await stage.decision(first))[:2] == ("overtaken", "moved to another team")
    await stage.hear()
    await stage.deliver()
    assert conversation.admin in team.members


async def test_a_workspace_that_is_not_connected_keeps_its_decisions(stage: Stage) -> None:
    await stage.decided()
    assert await stage.bench.rows("DELETE FROM connection RETURNING app_id")
    with pytest.raises(ConfigError):
        await stage.deliver()
    assert (await stage.decision())[0] == "pending"


async def test_the_first_assignment_tells_how_intercom_marks_our_own(stage: Stage) -> None:
    await stage.bench.rows("UPDATE connection SET package_code = NULL RETURNING 1")
    await stage.decided()
    await stage.deliver()
    assert await stage.bench.rows("SELECT package_code FROM connection") == [(stage.simulator.config.package_code,)]
    await stage.hear()
    echoes = await stage.bench.rows("SELECT data -> 'ours' FROM ledger WHERE kind = 'conversation.assigned'")
    assert {ours for (ours,) in echoes} == {True}


async def test_a_new_token_is_used(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steelyard.main.clients.CONNECTION_KNOWN", 0)
    async with clients_of(stage.bench.database, stage.keys) as clients:
        before = await clients.of(stage.bench.workspace)
        assert await clients.of(stage.bench.workspace) is before
        another = Keys(key_file(stage.keys, WORKER)).seal("another", token_place(stage.bench.workspace))
        await stage.bench.rows("UPDATE connection SET access_token = %s RETURNING 1", another)
        assert await clients.of(stage.bench.workspace) is not before


async def test_an_engineer_who_left_is_not_asked_for_ever(stage: Stage) -> None:
    conversation = await stage.decided()
    _, _, winner = await stage.decision()
    staff.remove(stage.world, stage.world.admins[winner])
    await stage.deliver()
    assert (await stage.decision())[:2] == ("failed", "assignee_not_found")
    assert await stage.known(conversation) == (True, None, 1)
    await stage.hear()
    assert len(stage.bench.asked.delivered) == 1
    stage.later()
    conversations.reply_as_customer(stage.world, conversation, people.typed("Anybody?"))
    await stage.hear()
    assert len(stage.bench.asked.delivered) == 2
    await stage.deliver()
    outcome, _, second = await stage.decision()
    assert outcome == "delivered"
    assert second != winner
    assert conversation.admin == second


async def test_what_was_refused_is_tried_again_with_the_next_reading(stage: Stage) -> None:
    conversation = await stage.decided()
    _, _, winner = await stage.decision()
    staff.remove(stage.world, stage.world.admins[winner])
    await stage.deliver()
    await stage.hear()
    stage.later(300)
    await stage.reconcile.open_conversations(stage.bench.workspace)
    await stage.bench.route()
    await stage.deliver()
    assert (await stage.decision())[0] == "delivered"
    assert conversation.admin not in (0, winner)


async def test_a_conversation_that_is_gone_is_no_longer_asked_for(stage: Stage) -> None:
    conversation = await stage.decided()
    conversations.delete(stage.world, conversation)
    await stage.deliver()
    outcome, reason, _ = await stage.decision()
    assert (outcome, reason) == ("failed", "not_found")
    await stage.hear()
    assert (await stage.known(conversation))[:2] == (False, None)
    assert await stage.bench.rows("SELECT count(*) FROM inbox WHERE handled_at IS NULL") == [(0,)]


# As jobs


async def test_jobs_deliver_in_order_per_conversation(stage: Stage, app_url: str) -> None:
    async with working(stage, app_url) as (router, app):
        made = [stage.writes(f"Our nameservers {n}") for n in range(12)]
        await route(stage, router)
        for admin in (stage.engineers()[0].id, 0):
            stage.later()
            for conversation in made[:6]:
                conversations.assign(stage.world, conversation, stage.lead, admin=admin)
        await route(stage, router)
        assert await stage.bench.rows("SELECT count(*) FROM decision") == [(18,)]
        jobs = "SELECT count(*), count(DISTINCT lock) FROM procrastinate_jobs"
        assert await stage.bench.rows(jobs) == [(18, 12)], "jobs of one lock run one after the other"
        worker = asyncio.create_task(run_worker(app, QUEUES, 8))
        await until_delivered(stage, router)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
    receipts = await stage.bench.rows(
        "SELECT conversation, decision, decision.outcome FROM inbox"
        " JOIN decision ON notification = 'receipt ' || decision ORDER BY seq"
    )
    for conversation in made:
        of_it = [(decision, outcome) for id, decision, outcome in receipts if id == conversation.id]
        assert of_it == sorted(of_it)
        assert [outcome for _, outcome in of_it] == ["overtaken"] * (len(of_it) - 1) + ["delivered"]
        assert [by for by, _ in assigned(stage, conversation)].count("api") == 1
    assert {conversation.admin for conversation in made} == {
        owner for (owner,) in await stage.bench.rows("SELECT owner FROM conversation WHERE open")
    }


async def test_a_snapshot_kept_by_a_job_is_what_the_router_remembers(
    stage: Stage, app_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routers, "SNAPSHOT_EVERY", 5)
    async with working(stage, app_url) as (router, app):
        made = [stage.writes(f"Our nameservers {n}") for n in range(8)]
        await route(stage, router)
        conversations.close(stage.world, made[0], stage.lead)
        await route(stage, router)
        worker = asyncio.create_task(run_worker(app, ["read"], 1))
        async with asyncio.timeout(30):
            while await stage.bench.rows("SELECT FROM procrastinate_jobs WHERE queue_name = 'read'"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
        remembered = router._cache[stage.bench.workspace].state
    [(position, kept)] = await stage.bench.rows("SELECT position, state FROM snapshot")
    thawed = thaw(kept, remembered.ignored)
    assert position == thawed.position == remembered.position
    for each in ("version", "engineers", "teams", "conversations", "waiting", "standings"):
        assert getattr(thawed, each) == getattr(remembered, each), each


async def test_no_job_without_its_decision(stage: Stage, app_url: str) -> None:
    """What is decided and then rolled back has deferred nothing; the same decided again defers it once."""
    async with working(stage, app_url) as (router, _):
        first = stage.writes()
        torn = [Publish("conversation_part.redacted", {"conversation_id": str(first.id)}, None)]
        for each in torn:
            stage.world.publish(each)

        async def fail(*_: Any) -> None:
            raise ZeroDivisionError

        read_back, router._jobs.read_back = router._jobs.read_back, fail
        await stage.bench.put(*stage.webhooks)
        with pytest.raises(ZeroDivisionError):
            await router.route(stage.bench.workspace)
        jobs = "SELECT task_name FROM procrastinate_jobs ORDER BY id"
        assert await stage.bench.rows(jobs) == []
        router._jobs.read_back = read_back
        await router.route(stage.bench.workspace)
        assert await stage.bench.rows(jobs) == [("routing.deliver",), ("routing.read_conversation",)]


class working:
    """A router whose jobs are real, and their app."""

    def __init__(self, stage: Stage, url: str) -> None:
        self._stage, self._app = stage, job_app(url, size=4)

    async def __aenter__(self) -> tuple[Router, Any]:
        stage = self._stage
        jobs = RoutingJobs(self._app, stage.bench.database, stage.delivery(), stage.reconcile, stage.deeds())
        await self._app.open_async()
        return Router(stage.bench.database, stage.bench.router._ledger, jobs, stage.now), self._app

    async def __aexit__(self, *_: Any) -> None:
        await self._app.close_async()


async def route(stage: Stage, router: Router) -> None:
    heard, stage.webhooks = stage.webhooks, []
    await stage.bench.put(*heard)
    while await router.route(stage.bench.workspace):
        pass


async def until_delivered(stage: Stage, router: Router) -> None:
    async with asyncio.timeout(30):
        while await stage.bench.rows("SELECT FROM decision WHERE outcome = 'pending'"):
            await asyncio.sleep(0.1)
            await route(stage, router)


# Reading back


async def test_the_roster_brings_teams_and_their_changes(stage: Stage) -> None:
    """Intercom has no webhook for who is in a team."""
    team = next(iter(stage.world.teams.values()))
    only = stage.engineers()[-1]
    staff.set_members(team, [only.id])
    stage.later()
    await stage.reconcile.roster(stage.bench.workspace)
    await stage.bench.route()
    first = await stage.decided(team=team.id)
    assert (await stage.known(first))[1] == only.id
    staff.set_members(team, [stage.engineers()[0].id])
    only.away = True
    hired = people.hire(stage.world, "Zoé Martin")
    stage.webhooks = []
    stage.later()
    await stage.reconcile.roster(stage.bench.workspace)
    await stage.bench.route()
    assert (await stage.known(await stage.decided(team=team.id)))[1] == stage.engineers()[0].id
    engineers = dict(await stage.bench.rows("SELECT engineer, (value ->> 'away')::bool FROM engineer"))
    assert engineers[only.id] is True
    assert engineers[hired.id] is False
    before = await stage.bench.rows("SELECT count(*) FROM ledger")
    await stage.reconcile.roster(stage.bench.workspace)
    await stage.bench.route()
    assert await stage.bench.rows("SELECT count(*) FROM ledger") == before


async def test_who_left_is_missed_in_the_roster_and_given_nothing_more(stage: Stage) -> None:
    for each in stage.engineers()[1:]:
        staff.remove(stage.world, each)
    stage.webhooks = []
    await stage.reconcile.roster(stage.bench.workspace)
    await stage.bench.route()
    for _ in range(3):
        assert (await stage.known(await stage.decided()))[1] == stage.engineers()[0].id


async def test_one_conversation_is_read(stage: Stage) -> None:
    conversation = await stage.decided()
    await stage.deliver()
    other = stage.engineers()[7].id
    stage.later()
    conversations.assign(stage.world, conversation, stage.lead, admin=other)
    conversations.note(stage.world, conversation, stage.lead, people.typed("/weight 13"))
    stage.webhooks = []
    stage.later()
    await stage.reconcile.conversation(stage.bench.workspace, ConversationId(conversation.id))
    await stage.bench.route()
    assert await stage.known(conversation) == (True, other, 13)
    conversations.delete(stage.world, conversation)
    stage.later()
    await stage.reconcile.conversation(stage.bench.workspace, ConversationId(conversation.id))
    await stage.bench.route()
    assert (await stage.known(conversation))[0] is False


async def test_everything_that_is_open_is_read_page_by_page(stage: Stage) -> None:
    written = [stage.writes(f"Our nameservers {n}") for n in range(170)]
    for conversation in written[:10]:
        conversations.close(stage.world, conversation, stage.lead)
    stage.webhooks = []
    stage.later()
    reading = await stage.reconcile.open_conversations(stage.bench.workspace)
    assert reading.listed == 160
    await stage.bench.route()
    owners = await stage.bench.owners()
    assert owners.keys() == {each.id for each in written[10:]}
    assert None not in owners.values()
    loads = [list(owners.values()).count(each.id) for each in stage.engineers()]
    assert max(loads) - min(loads) <= 1


async def test_what_never_came_is_made_up_for(stage: Stage) -> None:
    """Webhooks of every kind are lost; reading what is open ends in Intercom's own state."""
    written = [await stage.decided(f"Our nameservers {n}") for n in range(8)]
    for decision, _ in list(stage.bench.asked.delivered):
        await stage.deliver(decision)
    await stage.hear()
    other = stage.engineers()[9].id
    stage.later()
    closed, snoozed, moved, freed, noted, tagged, gone, left_alone = written
    conversations.close(stage.world, closed, stage.lead)
    conversations.snooze(stage.world, snoozed, stage.lead, stage.world.now() + 3600)
    conversations.assign(stage.world, moved, stage.lead, admin=other)
    conversations.assign(stage.world, freed, stage.lead, admin=0)
    conversations.note(stage.world, noted, stage.lead, people.typed("/weight 9"))
    conversations.tag(stage.world, tagged, stage.lead, stage.world.tag_named("weight:7"))
    conversations.delete(stage.world, gone)
    new = stage.writes("Our nameservers, again")
    stage.webhooks = []
    stage.later()
    await stage.reconcile.open_conversations(stage.bench.workspace)
    await stage.bench.route()
    assert [(await stage.known(each))[0] for each in (closed, snoozed, gone)] == [False, False, False]
    assert await stage.known(moved) == (True, other, 1)
    assert (await stage.known(noted))[2] == 9
    assert (await stage.known(tagged))[2] == 7
    assert {each for _, each in stage.bench.asked.delivered[8:]} == {freed.id, new.id}
    for decision, _ in stage.bench.asked.delivered[8:]:
        await stage.deliver(decision)
    assert freed.admin
    assert new.admin
    assert (await stage.known(left_alone))[1] == left_alone.admin
    stage.later()
    before = await stage.bench.rows("SELECT count(*) FROM ledger")
    await stage.reconcile.open_conversations(stage.bench.workspace)
    await stage.bench.route()
    assert await stage.bench.rows("SELECT count(*) FROM ledger") == before


async def test_a_ticket_is_not_taken_for_deleted(stage: Stage) -> None:
    """Intercom's list of conversations knows nothing of it, nor can it be read as one."""
    ticket = {
        "type": "ticket",
        "id": "99",
        "open": True,
        "admin_assignee_id": 0,
        "ticket_state": {"category": "submitted"},
    }
    await stage.bench.route(notification("ticket.created", ticket, id="t", created_at=BEGAN + 1))
    await stage.reconcile.open_conversations(stage.bench.workspace)
    await stage.bench.route()
    assert await stage.bench.rows("SELECT open FROM conversation WHERE conversation = 99") == [(True,)]


@pytest.mark.parametrize("look", [1, 2], ids=["before the attributes", "before the assignment"])
async def test_a_delivery_that_waited_for_the_database_leaves_it_to_another_try(stage: Stage, look: int) -> None:
    """What it had read is not so any more: another worker delivered meanwhile."""
    conversation = await stage.decided()
    delivery, looks = stage.delivery(), iter(range(1, 3))
    is_on = delivery._is_on

    async def waited(*of: Any) -> bool:
        on = await is_on(*of)
        if next(looks) == look:
            await stage.delivery().deliver(stage.bench.workspace, stage.bench.asked.delivered[-1][0])
            stage.later(5)
        return on

    delivery._is_on = waited  # pyright: ignore
    with pytest.raises(StoreError, match="it is tried again"):
        await delivery.deliver(stage.bench.workspace, stage.bench.asked.delivered[-1][0])
    assert [by for by, _ in assigned(stage, conversation)] == ["api"]
