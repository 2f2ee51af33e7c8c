"""Webhooks of the simulated Intercom: signed, told of every deed, retried as Intercom does, spoilt on purpose."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import spec
from simulator_calls import FAST, Api, Receiver, receiving, simulated, until, written

from steelyard.adapters.intercom.signature import verify
from steelyard.demo.intercom import people
from steelyard.demo.intercom.faults import FAULTS, Faults
from steelyard.demo.intercom.model import Conversation, Publish
from steelyard.demo.intercom.webhooks import Timing
from steelyard.demo.intercom.wire import Address


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def api(receiver: Receiver) -> AsyncIterator[Api]:
    async with simulated(webhook=receiver.url) as api:
        yield api


async def drained(api: Api) -> None:
    assert (await api.control("drain", {"seconds": 5})) == {"drained": True, "unsettled": 0}


async def done(api: Api, conversation: Conversation, deed: str, body: dict[str, Any]) -> None:
    await api.control(f"conversations/{conversation.id}/{deed}", body)


async def test_the_address_is_tried_with_head_then_signed_posts_come(api: Api, receiver: Receiver) -> None:
    written(api.simulator, "Ça ne marche pas 😬")
    await drained(api)
    (head, _, _), (post, headers, body) = receiver.requests
    assert (head, post) == ("HEAD", "POST")
    assert verify(api.simulator.config.client_secret.encode(), body, headers["x-hub-signature"])
    assert not verify(b"another secret", body, headers["x-hub-signature"])
    assert re.fullmatch("sha1=[0-9a-f]{40}", headers["x-hub-signature"])
    assert headers["user-agent"] == "intercom-parrot-service-client/1.0"
    assert headers["content-type"] == "application/json"


async def test_the_envelope_is_intercom_s(api: Api, receiver: Receiver) -> None:
    before = int(time.time())
    conversation = written(api.simulator, "Hello & <goodbye>", subject="DNS", language="fr", tags=("vip",))
    await drained(api)
    [told] = receiver.notifications
    item = told.pop("data")["item"]
    assert re.fullmatch(r"notif_[0-9a-f-]{36}", told.pop("id"))
    assert before <= told.pop("created_at") <= told.pop("first_sent_at")
    assert told == {
        "type": "notification_event",
        "topic": "conversation.user.created",
        "app_id": api.simulator.config.app_id,
        "delivery_attempts": 1,
        "links": {},
        "self": None,
    }
    assert (item["id"], item["type"]) == (str(conversation.id), "conversation")
    assert (item["source"]["subject"], item["source"]["body"]) == ("DNS", "Hello & <goodbye>")
    assert item["custom_attributes"] == {"Language": "French"}
    assert item["tags"]["tags"][0]["applied_at"] >= before
    assert item["conversation_parts"]["conversation_parts"] == []
    spec.check_response("GET", f"/conversations/{conversation.id}", 200, item)


DEEDS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("reply", {"body": "me again"}, ["conversation.user.replied"]),
    ("admin_reply", {"body": "yes?"}, ["conversation.admin.replied"]),
    ("note", {"body": "/weight 8"}, ["conversation.admin.noted"]),
    ("assign", {"to": 7310402}, ["conversation.admin.assigned", "conversation.admin.open.assigned"]),
    ("assign", {"team": 5017690}, ["conversation.admin.assigned", "conversation.admin.open.assigned"]),
    ("unassign", {}, ["conversation.admin.assigned", "conversation.admin.open.assigned"]),
    ("priority", {"priority": "urgent"}, ["conversation.priority.updated"]),
    ("tag", {"name": "weight:8"}, ["conversation_part.tag.created"]),
    ("untag", {"name": "weight:8"}, []),
    ("snooze", {}, ["conversation.admin.snoozed"]),
    ("unsnooze", {}, ["conversation.admin.unsnoozed"]),
    ("close", {}, ["conversation.admin.closed"]),
    ("open", {}, ["conversation.admin.opened"]),
    ("delete", {}, ["conversation.deleted"]),
]


async def test_every_deed_is_told_with_what_it_made(api: Api, receiver: Receiver) -> None:
    conversation = written(api.simulator)
    expected = ["conversation.user.created"]
    for deed, body, topics in DEEDS:
        await done(api, conversation, deed, body)
        await drained(api)
        expected += topics
    assert Counter(receiver.topics) == Counter(expected)
    assert {deed for deed, _, _ in DEEDS} == set(people.TO_CONVERSATIONS)
    for told in receiver.notifications:
        item = told["data"]["item"]
        if told["topic"] == "conversation.deleted":
            assert item == {"type": "conversation", "id": str(conversation.id)}
            continue
        spec.check_response("GET", f"/conversations/{conversation.id}", 200, item)
        made = {"conversation.user.created": 0, "conversation_part.tag.created": 0}.get(told["topic"], 1)
        assert len(item["conversation_parts"]["conversation_parts"]) == made
    told = {each["topic"]: each["data"]["item"] for each in receiver.notifications}
    assert told["conversation_part.tag.created"]["tags_added"]["tags"][0]["name"] == "weight:8"
    assert told["conversation.admin.noted"]["conversation_parts"]["conversation_parts"][0]["body"] == "/weight 8"
    assert told["conversation.priority.updated"]["priority"] == "urgent"
    assert told["conversation.admin.snoozed"]["state"] == "snoozed"
    assert told["conversation.admin.closed"]["open"] is False


async def test_what_the_api_does_is_told_too_and_marked(api: Api, receiver: Receiver) -> None:
    conversation = written(api.simulator)
    assignment = {"message_type": "assignment", "type": "admin", "admin_id": "7310402", "assignee_id": "7310403"}
    await api("POST", f"/conversations/{conversation.id}/parts", assignment)
    await drained(api)
    item = next(each for each in receiver.notifications if each["topic"] == "conversation.admin.assigned")["data"][
        "item"
    ]
    assert item["admin_assignee_id"] == 7310403
    assert item["conversation_parts"]["conversation_parts"][0]["app_package_code"] == "steelyard-demo"


async def test_admins_come_and_go(api: Api, receiver: Receiver) -> None:
    reason = next(iter(api.simulator.workspace.reasons))
    new = (await api.control("admins", {"name": "Zoé Perrin", "teams": [5017690]}))["id"]
    assert new in api.simulator.workspace.teams[5017690].members
    for deed, body in (("away", {"reason": reason}), ("back", {}), ("logout", {}), ("login", {}), ("remove", {})):
        await api.control(f"admins/{new}/{deed}", body)
        await drained(api)
    assert Counter(receiver.topics) == Counter(
        [
            "admin.added_to_workspace",
            "admin.away_mode_updated",
            "admin.away_mode_updated",
            "admin.logged_out",
            "admin.logged_in",
            "admin.removed_from_workspace",
        ]
    )
    away = next(each for each in receiver.notifications if each["topic"] == "admin.away_mode_updated")["data"]["item"]
    assert (away["away_mode_enabled"], away["away_status_reason"]) == (True, "🍔 On lunch")
    spec.check_response("GET", f"/admins/{new}", 200, away)
    assert new not in api.simulator.workspace.teams[5017690].members


async def test_an_absent_engineer_can_lose_what_customers_reply_to(api: Api, receiver: Receiver) -> None:
    conversation = written(api.simulator)
    await done(api, conversation, "assign", {"to": 7310402})
    await api.control("admins/7310402/away", {"reassign": True})
    await done(api, conversation, "reply", {"body": "hello?"})
    assert conversation.admin == 0


async def test_tickets_are_told_under_their_own_topics(api: Api, receiver: Receiver) -> None:
    conversation = written(api.simulator)
    workspace = api.simulator.workspace
    ticket_type = str(next(iter(workspace.ticket_types)))
    await api("POST", f"/conversations/{conversation.id}/convert", {"ticket_type_id": ticket_type})
    path, states = f"/tickets/{conversation.id}", list(workspace.ticket_states)
    await api("PUT", path, {"admin_id": 7310402, "assignee_id": "7310403"})
    await api("PUT", path, {"admin_id": 7310402, "assignee_id": "5017690"})
    await api("PUT", path, {"ticket_attributes": {"_default_title_": "Down"}})
    for deed, body in (("reply", {"body": "x"}), ("admin_reply", {"body": "x"}), ("snooze", {}), ("unsnooze", {})):
        await done(api, conversation, deed, body)
    await api("PUT", path, {"ticket_state_id": str(states[-1])})
    await done(api, conversation, "close", {})
    await drained(api)
    told = {each["topic"]: each["data"]["item"] for each in receiver.notifications}
    assert set(told) == {"conversation.user.created"} | {
        f"ticket.{name}"
        for name in (
            *("created", "admin.assigned", "team.assigned", "attribute.updated", "contact.replied", "admin.replied"),
            *("admin.snoozed", "admin.unsnoozed", "state.updated", "resolved", "closed"),
        )
    }
    assert told["ticket.closed"]["ticket"]["id"] == told["ticket.resolved"]["id"] == str(conversation.id)
    for topic, item in told.items():
        if topic.startswith("ticket."):
            spec.check_response("GET", path, 200, item.get("ticket", item))


@pytest.mark.parametrize("status", [500, 401, 302, None])
async def test_a_failure_is_repeated_once_with_the_same_id(api: Api, receiver: Receiver, status: int | None) -> None:
    receiver.statuses = [status]
    written(api.simulator)
    await drained(api)
    first, second = receiver.notifications
    assert (first["delivery_attempts"], second["delivery_attempts"]) == (1, 2)
    assert [second[name] for name in ("id", "data", "first_sent_at")] == [
        first[name] for name in ("id", "data", "first_sent_at")
    ]
    summary = await api.control("summary")
    assert summary["webhooks"]["by_status"] == {str(status or 0): 1, "200": 1}


async def test_two_failures_are_the_end(api: Api, receiver: Receiver) -> None:
    receiver.statuses = [500, 503]
    conversation = written(api.simulator)
    await drained(api)
    assert len(receiver.notifications) == 2
    assert (await api.control("summary"))["webhooks"]["failed"] == 1
    record = await api.control("record")
    history = record["conversations"][str(conversation.id)]
    assert (history["created_status"], history["accepted_at"], history["lost"]) == (503, None, False)


async def test_410_ends_the_subscription_until_it_is_made_again(api: Api, receiver: Receiver) -> None:
    receiver.statuses = [410]
    written(api.simulator)
    await drained(api)
    written(api.simulator)
    await drained(api)
    assert len(receiver.notifications) == 1
    assert (await api.control("summary"))["disabled"] is True
    assert await api.control("webhook", {"url": receiver.url}) == {"head": 200}
    written(api.simulator)
    await drained(api)
    assert len(receiver.notifications) == 2


async def test_429_slows_down_and_loses_nothing(api: Api, receiver: Receiver) -> None:
    receiver.statuses = [429, 429]
    written(api.simulator)
    began = time.monotonic()
    await drained(api)
    assert time.monotonic() - began > 2 * FAST.throttle
    assert [each["delivery_attempts"] for each in receiver.notifications] == [1, 2, 3]
    assert (await api.control("summary"))["webhooks"]["failed"] == 0


async def test_a_thousand_errors_on_end_silence_it(api: Api, receiver: Receiver) -> None:
    receiver.statuses = [500] * 3_000
    for _ in range(501):
        written(api.simulator)
    await drained(api)
    sent = len(receiver.notifications)
    assert sent == 1_002
    written(api.simulator)
    await drained(api)
    assert len(receiver.notifications) == sent
    assert (await api.control("summary"))["webhooks"]["dropped"] == 1


async def test_nobody_listening_is_no_answer(api: Api, receiver: Receiver) -> None:
    async with receiving() as gone:
        url = gone.url
    assert await api.control("webhook", {"url": url}) == {"head": 0}
    written(api.simulator)
    await drained(api)
    assert (await api.control("summary"))["webhooks"]["by_status"] == {"0": 2}


async def test_a_connection_that_was_closed_meanwhile_is_opened_again_at_once(receiver: Receiver) -> None:
    receiver.hangs_up = True
    async with simulated(webhook=receiver.url, timing=Timing(retry=60)) as api:
        for _ in range(20):
            written(api.simulator)
            await drained(api)
    assert [each["delivery_attempts"] for each in receiver.notifications] == [1] * 20


async def test_another_address_gets_what_comes_after_it_was_named(api: Api, receiver: Receiver) -> None:
    written(api.simulator)
    await drained(api)
    async with receiving() as second:
        assert await api.control("webhook", {"url": second.url}) == {"head": 200}
        written(api.simulator)
        await drained(api)
        assert (len(receiver.notifications), len(second.notifications)) == (1, 1)


@pytest.mark.parametrize("url", ["https://127.0.0.1/x", "http://example.test/", "http://10.0.0.1/", "x"])
async def test_it_speaks_to_this_machine_only(api: Api, url: str) -> None:
    with pytest.raises(ValueError, match=re.escape(url)):
        Address.of(url)
    assert "error" in await api.control("webhook", {"url": url}, status=400)


async def test_duplicates_have_one_id(api: Api, receiver: Receiver) -> None:
    await api.control("faults", {"duplicate": 1.0})
    written(api.simulator)
    await drained(api)
    assert len(receiver.notifications) == 2
    assert len({each["id"] for each in receiver.notifications}) == 1
    assert (await api.control("summary"))["webhooks"]["duplicates"] == 1


async def test_a_reordered_webhook_comes_after_later_ones(api: Api, receiver: Receiver) -> None:
    await api.control("faults", {"reorder": 1.0})
    late = written(api.simulator)
    await api.control("faults", {"reorder": 0.0})
    soon = [written(api.simulator) for _ in range(7)]
    await until(lambda: len(receiver.notifications) == 8)
    order = [int(each["data"]["item"]["id"]) for each in receiver.notifications]
    assert order.index(late.id) > order.index(soon[1].id)
    assert order != sorted(order)


async def test_draining_sends_what_is_held_back(api: Api, receiver: Receiver) -> None:
    await api.control("faults", {"reorder": 1.0})
    written(api.simulator)
    await asyncio.sleep(0.05)
    assert receiver.notifications == []
    await drained(api)
    assert len(receiver.notifications) == 1


async def test_dropped_webhooks_never_come_and_are_counted(api: Api, receiver: Receiver) -> None:
    await api.control("faults", {"drop": 1.0})
    conversation = written(api.simulator)
    await drained(api)
    assert receiver.notifications == []
    assert (await api.control("summary"))["webhooks"]["dropped"] == 1
    record = await api.control("record")
    assert record["conversations"][str(conversation.id)]["created_status"] is None


async def test_a_drain_ends_in_time_though_a_retry_waits(receiver: Receiver) -> None:
    async with simulated(webhook=receiver.url, timing=Timing(retry=60)) as api:
        receiver.statuses = [500]
        written(api.simulator)
        assert await api.control("drain", {"seconds": 0.3}) == {"drained": False, "unsettled": 1}


async def test_unknown_faults_and_odd_probabilities_are_refused(api: Api) -> None:
    assert set(await api.control("faults")) == set(FAULTS)
    for bad in ({"dup": 0.5}, {"drop": 2}, {"drop": -0.1}, {"drop": "often"}):
        await api.control("faults", bad, status=400)
    assert set((await api.control("faults")).values()) == {0.0}


def test_the_same_seed_draws_the_same_faults() -> None:
    def drawn(seed: int) -> list[Any]:
        faults = Faults(seed)
        faults.set({"duplicate": 0.3, "drop": 0.2, "reorder": 0.1})
        return [faults.fate("webhook") for _ in range(200)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert len(set(drawn(1))) == 4


def test_a_fault_strikes_at_its_own_place_only() -> None:
    faults = Faults(1)
    faults.set({"rate_limit": 1.0, "drop": 1.0})
    assert (faults.fate("webhook").copies, faults.fate("webhook").answer) == (0, 0)
    assert (faults.fate("call").copies, faults.fate("call").answer) == (1, 429)


async def test_ping_is_sent(api: Api, receiver: Receiver) -> None:
    api.simulator.sender.ping()
    await drained(api)
    assert receiver.topics == ["ping"]


async def test_without_an_address_nothing_is_sent() -> None:
    async with simulated() as api:
        api.simulator.sender.publish(Publish("ping", {}, None))
        assert (await api.control("drain", {}))["drained"] is True
        assert (await api.control("summary"))["webhooks"]["published"] == 0
