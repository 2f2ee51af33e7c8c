"""Running the simulation: the team it begins with, the life that people lead in it, and what is counted."""

import itertools
import json
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
from simulator_calls import Api, answering, receiving, simulated, written

from steelyard.adapters.intercom.client import Intercom
from steelyard.demo.intercom import Config, Simulator, conversations
from steelyard.demo.intercom.conversations import Actor
from steelyard.demo.intercom.model import Publish, Workspace
from steelyard.demo.intercom.seed import Seed, settle
from steelyard.demo.intercom.traffic import People
from steelyard.demo.messages import messages


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with answering() as api:
        yield api


def test_the_team_is_24_engineers_in_three_zones_and_a_lead_without_a_seat() -> None:
    workspace = Simulator(Config(seed=Seed(7, away=4))).workspace
    engineers = [each for each in workspace.admins.values() if each.seat]
    assert len(engineers) == len({each.name for each in engineers}) == 24
    assert len({each.zone for each in engineers}) == 3
    assert sum(each.away for each in engineers) == 4
    assert [each.id for each in workspace.admins.values() if not each.seat] == [workspace.owner]
    support, french, premium = workspace.teams.values()
    assert all("fr" in workspace.admins[each].languages for each in french.members)
    assert {each.id for each in engineers} == {*support.members, *french.members}
    assert workspace.owner not in {*support.members, *french.members, *premium.members}


def test_the_same_seed_is_the_same_workspace() -> None:
    def seen(seed: int) -> list[Any]:
        workspace = Simulator(Config(seed=Seed(seed))).workspace
        return [*workspace.admins.values(), *workspace.teams.values()]

    assert seen(1) == seen(1) != seen(2)


class Life:
    """A workspace whose time is counted, not waited for, and where the lightest engineer gets every conversation."""

    def __init__(self, *, seed: int = 1, rate: float = 10.0, written: Any = None) -> None:
        self.now = 0.0
        self.told: list[tuple[str, int | None]] = []
        self.workspace = Workspace(app_id="a", package="p", publish=self._hear, now=lambda: 1_700_000_000 + self.now)
        settle(self.workspace, Seed(seed))
        endless = messages(Random(seed)) if written is None else written
        self.people = People(self.workspace, endless, seed=seed, rate=rate, clock=lambda: self.now)

    def _hear(self, what: Publish) -> None:
        self.told.append((what.topic, what.conversation))

    def live(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += 0.1
            self.people.advance(self.now)
            self._assign()

    def _assign(self) -> None:
        load = Counter(each.admin for each in self.workspace.conversations.values() if each.state == "open")
        for each in self.workspace.conversations.values():
            if each.state == "open" and not each.admin and (could := self.workspace.available(each)):
                lightest = min(could, key=lambda engineer: load[engineer.id])
                load[lightest.id] += 1
                lead = Actor(self.workspace.admins[self.workspace.owner], "p")
                conversations.assign(self.workspace, each, lead, admin=lightest.id)


def test_twenty_seconds_have_all_of_it() -> None:
    life = Life()
    life.live(20)
    wanted = {
        f"conversation.{name}"
        for name in (
            *("user.created", "user.replied", "admin.replied", "admin.noted", "admin.assigned", "admin.open.assigned"),
            *("admin.closed", "admin.snoozed", "admin.unsnoozed", "priority.updated", "deleted"),
        )
    } | {"conversation_part.tag.created", "admin.away_mode_updated", "admin.logged_out", "admin.logged_in"}
    assert {topic for topic, _ in life.told} >= wanted
    assert life.people.begun == pytest.approx(200, rel=0.3)
    by_hand = [
        each
        for history in life.workspace.record.histories.values()
        for each in history.assignments
        if each.by == "person"
    ]
    assert {bool(each.admin) for each in by_hand} == {True, False}


@pytest.mark.parametrize("rate", [1.0, 10.0])
def test_an_engineer_has_about_three_open_at_any_rate(rate: float) -> None:
    life = Life(rate=rate)
    life.live(200 / rate)
    counts: list[int] = []
    for _ in range(20):
        life.live(10 / rate)
        counts.append(sum(each.state == "open" for each in life.workspace.conversations.values()))
    assert 2 < sum(counts) / len(counts) / 24 < 4


def test_the_same_seed_is_the_same_life() -> None:
    def told(seed: int) -> list[tuple[str, int | None]]:
        life = Life(seed=seed)
        life.live(10)
        return life.told

    assert told(3) == told(3) != told(4)


def test_life_goes_on_when_the_messages_end() -> None:
    life = Life(written=[("DNS", "Help", "en"), ("", "Au secours", "fr")])
    life.live(60)
    assert (life.people.begun, life.people.finished) == (2, True)
    assert {each.state for each in life.workspace.conversations.values()} <= {"closed"}


async def test_people_live_by_the_clock_too() -> None:
    async with simulated() as api:
        life = People(api.simulator.workspace, itertools.repeat(("", "Help", "en")), rate=200)
        await life.run(0.5)
        assert 20 < len(api.simulator.workspace.conversations) <= life.begun < 400


async def test_lost_is_told_open_and_unassigned_though_somebody_is_there(api: Api) -> None:
    workspace = api.simulator.workspace
    engineers = [each.id for each in workspace.admins.values() if each.seat]
    one = written(api.simulator, team=5017692)
    assert (await api.control("summary"))["lost"] == 0  # nobody was told of it
    workspace.record.answered("conversation.user.created", one.id, 200)
    assert (await api.control("summary"))["lost_ids"] == [one.id]
    await api.control("teams/5017692/members", {"members": engineers[:2]})
    for engineer, deed in zip(engineers, ("away", "logout"), strict=False):
        await api.control(f"admins/{engineer}/{deed}", {})
    assert (await api.control("summary"))["lost"] == 0  # nobody of its team is there, it may wait
    await api.control(f"admins/{engineers[1]}/login", {})
    assert (await api.control("summary"))["lost"] == 1
    await api.control(f"conversations/{one.id}/assign", {"to": engineers[0]})
    summary = await api.control("summary")
    assert (summary["lost"], summary["unassigned"], summary["assigned_by_person"]) == (0, 0, 1)


async def test_the_record_has_every_assignment_and_how_long_it_took() -> None:
    async with receiving() as receiver, simulated(webhook=receiver.url) as api:
        conversation = written(api.simulator)
        await api.control("drain", {"seconds": 5})
        body = {"message_type": "assignment", "type": "admin", "admin_id": "7310401", "assignee_id": "7310402"}
        await api.control(f"conversations/{conversation.id}/assign", {"to": 7310403})
        await api("POST", f"/conversations/{conversation.id}/parts", body)
        history = (await api.control("record"))["conversations"][str(conversation.id)]
        assert [(each["by"], each["admin"]) for each in history["assignments"]] == [
            ("person", 7310403),
            ("api", 7310402),
        ]
        assert history["created_status"] == 200
        times = [history["created_at"], history["created_sent_at"], history["created_answered_at"]]
        times += [each["at"] for each in history["assignments"]]
        assert times == sorted(times)
        latency = (await api.control("summary"))["webhook_to_assigned_ms"]
        expected = (history["assignments"][1]["at"] - history["created_sent_at"]) * 1_000
        assert latency == {"count": 1} | dict.fromkeys(("p50", "p99", "max"), pytest.approx(expected, abs=0.1))


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("conversations", {}, 400),
        ("conversations", {"body": "x", "team": 3}, 404),
        ("conversations", {"body": "x", "priority": "extreme"}, 400),
        ("conversations/1/close", {}, 404),
        ("conversations/215470000001/dance", {}, 404),
        ("conversations/215470000001/assign", {"to": 3}, 404),
        ("conversations/215470000001/close", {"admin": 3}, 404),
        ("conversations/215470000001/priority", {"priority": "extreme"}, 400),
        ("admins/3/away", {}, 404),
        ("teams/5017690/members", {"members": [3]}, 404),
        ("conversations", [], 400),
    ],
)
async def test_a_wrong_order_is_refused_and_changes_nothing(api: Api, path: str, body: Any, status: int) -> None:
    conversation = written(api.simulator)
    assert "error" in await api.control(path, body, status=status)
    assert list(api.simulator.workspace.conversations) == [conversation.id]
    assert conversation.parts == []


async def test_a_conversation_begins_as_told(api: Api) -> None:
    body = {"subject": "DNS", "body": "Ça", "language": "fr", "team": 5017691, "tags": ["vip"], "priority": "high"}
    contact = {"name": "Léo", "email": "leo@example.test", "role": "lead"}
    number = (await api.control("conversations", body | {"contact": contact, "attributes": {"Plan": "Pro"}}))["id"]
    read = await api("GET", f"/conversations/{number}")
    assert (read["team_assignee_id"], read["priority"], read["source"]["type"]) == (5017691, "high", "email")
    assert read["custom_attributes"] == {"Language": "French", "Plan": "Pro"}
    assert read["source"]["author"] == {"type": "lead", "id": read["contacts"]["contacts"][0]["id"]} | {
        "name": "Léo",
        "email": "leo@example.test",
    }
    admins = (await api.control("admins"))["admins"]
    assert {each["zone"] for each in admins} == {"Europe/Paris", "America/Montreal", "Australia/Sydney"}


async def test_our_own_client_works_on_it() -> None:
    async with simulated() as api:
        conversation = written(api.simulator)
        async with Intercom(api.simulator.base_url, api.simulator.config.token) as intercom:
            me = await intercom.me()
            assert len((await intercom.roster())["admins"]) == 25
            await intercom.create_conversation_attribute("weight", "integer")
            await intercom.update_conversation(conversation.id, {"weight": 5})
            await intercom.assign(conversation.id, me.id, 7310402)
            await intercom.note(conversation.id, me.id, "<p>Why: <b>lightest</b></p>")
            [read] = [each async for each in intercom.open_conversations()]
            assert (read["admin_assignee_id"], read["custom_attributes"]["weight"]) == (7310402, 5)
        assert conversation.parts[-1].body is not None
        assert conversation.parts[-1].body.plain == "Why: lightest"


def test_it_runs_on_its_own_and_ends_when_told() -> None:
    command = [sys.executable, "-W", "error", "-m", "steelyard.demo.intercom", "--rate", "50", "--seed", "5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        summary: dict[str, Any] = {}
        for _ in range(200):
            with urllib.request.urlopen(f"{ready['url']}/_simulator/summary") as answer:
                summary = json.load(answer)
            if summary["conversations"]:
                break
        process.terminate()
        assert process.wait(10) == 0
    assert summary["conversations"] > 0
    assert ready["url"].startswith("http://127.0.0.1:")
