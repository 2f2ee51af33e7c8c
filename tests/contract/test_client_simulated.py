"""The client against the simulated Intercom, over a real port: a conversation's whole life, and real windows."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from steelyard.adapters.intercom.client import Intercom
from steelyard.adapters.intercom.errors import Invalid, NotFound, Unauthorized
from steelyard.adapters.intercom.search import where
from steelyard.demo.intercom import Config, Simulator, people, running


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with running(Config()) as simulator:
        yield simulator


def opened(simulator: Simulator) -> Intercom:
    """A client of that simulation."""
    return Intercom(simulator.base_url, simulator.config.token)


def written(simulator: Simulator) -> int:
    """A conversation that a customer has just begun."""
    contact = people.customer(simulator.workspace, "Alba Moreno", "alba@example.test")
    return int(people.write_in(simulator.workspace, contact, "DNS", "My domain points nowhere").id)


async def test_a_conversation_is_weighed_assigned_explained_and_taken_back(simulator: Simulator):
    number = written(simulator)
    async with opened(simulator) as intercom:
        assert (await intercom.me()).app.id == simulator.config.app_id
        admins = await intercom.admins()
        actor, winner = admins[0].id, next(admin.id for admin in reversed(admins) if admin.seat)

        for name, data_type in (("weight", "integer"), ("topic", "string")):
            if name not in {attribute.name for attribute in await intercom.conversation_attributes()}:
                await intercom.create_conversation_attribute(name, data_type)
        updated = await intercom.update_conversation(number, {"weight": 8, "topic": "dns"})
        assert updated["custom_attributes"]["weight"] == 8
        assert (await intercom.assign(number, actor, winner))["admin_assignee_id"] == winner
        await intercom.note(number, actor, "<p>Why: [d-17]</p>")
        parts = (await intercom.conversation(number))["conversation_parts"]["conversation_parts"]
        assert any("[d-17]" in (part["body"] or "") for part in parts)

        found = [each["id"] async for each in intercom.search_conversations(where("admin_assignee_id", "=", winner))]
        assert found == [str(number)]
        assert (await intercom.assign(number, actor, 0))["admin_assignee_id"] in (0, None)
        assert (await intercom.close(number, actor))["state"] == "closed"
        assert [each async for each in intercom.open_conversations()] == []
        assert (await intercom.open(number, actor))["state"] == "open"
        assert (await intercom.snooze(number, actor, int(time.time()) + 3_600))["state"] == "snoozed"


async def test_tags_people_and_teams(simulator: Simulator):
    number = written(simulator)
    async with opened(simulator) as intercom:
        roster = await intercom.roster()
        admins, teams = await intercom.admins(), await intercom.teams()
        assert [int(admin["id"]) for admin in roster["admins"]] == [admin.id for admin in admins]
        assert [int(team["id"]) for team in roster["teams"]] == [team.id for team in teams]
        assert await intercom.team(teams[0].id) == teams[0]
        actor = admins[0].id

        tag = await intercom.create_tag("weight:8")
        assert await intercom.create_tag("Weight:8") == tag
        await intercom.tag(number, actor, tag.id)
        assert [each["name"] for each in (await intercom.conversation(number))["tags"]["tags"]] == ["weight:8"]
        await intercom.untag(number, actor, tag.id)
        assert (await intercom.conversation(number))["tags"]["tags"] == []

        assert (await intercom.set_away(actor, True)).away
        assert (await intercom.admin(actor)).away
        assert not (await intercom.set_away(actor, False)).away


async def test_all_pages_are_read_once(simulator: Simulator):
    written_ids = sorted(str(written(simulator)) for _ in range(320))
    async with opened(simulator) as intercom:
        assert sorted([each["id"] async for each in intercom.open_conversations()]) == written_ids
        assert sorted([each["id"] async for each in intercom.conversations()]) == written_ids


async def test_attributes_must_be_there_before_they_are_written(simulator: Simulator):
    number = written(simulator)
    async with opened(simulator) as intercom:
        with pytest.raises(Invalid) as caught:
            await intercom.update_conversation(number, {"gravity": 8})
        assert caught.value.permanent
        made = await intercom.create_conversation_attribute("gravity", "integer")
        assert made in await intercom.conversation_attributes()
        assert (await intercom.update_conversation(number, {"gravity": 8}))["custom_attributes"]["gravity"] == 8


async def test_refusals_are_told_apart(simulator: Simulator):
    async with opened(simulator) as intercom:
        with pytest.raises(NotFound) as caught:
            await intercom.conversation(1)
        assert caught.value.code in ("not_found", "conversation_not_found")
    async with Intercom(simulator.base_url, "wrong") as intercom:
        with pytest.raises(Unauthorized):
            await intercom.me()


@pytest.mark.slow
async def test_a_crowd_of_calls_is_never_refused():
    async with running(Config(calls_per_window=40)) as simulator:
        number = written(simulator)
        async with opened(simulator) as intercom:
            await intercom.conversation(number)
            await asyncio.gather(*(intercom.conversation(number) for _ in range(100)))
        assert simulator.record.counts["calls"] == 101
        assert simulator.record.counts["calls_429"] == 0
