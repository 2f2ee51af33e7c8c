"""Readings: the drift they find, what they read of it, and the record they leave."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import pytest
from test_delivery import Stage, stage

from steelyard.demo.intercom import conversations, people, shapes, tickets
from steelyard.kit.ids import ConversationId
from steelyard.routing import store
from steelyard.routing.drift import Difference, difference
from steelyard.routing.readings import Asked
from steelyard.routing.reconcile import AT_ONCE

__all__ = ["stage"]

LATER = 120
"""Seconds: long enough for a change to be no longer under way."""


async def settled(stage: Stage, count: int = 4) -> list[Any]:
    """Conversations that are assigned, heard of and read."""
    written = [await stage.decided(f"Our nameservers {n}") for n in range(count)]
    for decision, _ in list(stage.bench.asked.delivered):
        await stage.deliver(decision)
    await stage.hear()
    stage.later(LATER)
    await read(stage)
    return written


async def read(stage: Stage, asked: Asked = "asked") -> Any:
    reading = await stage.reconcile.open_conversations(stage.bench.workspace, asked)
    await stage.bench.route()
    return reading


async def calls(stage: Stage, asked: Asked = "asked") -> list[int]:
    """The conversations that a reading reads by themselves."""
    read_by_themselves: list[int] = []
    conversation = stage.intercom.conversation

    async def watched(id: int) -> Any:
        read_by_themselves.append(id)
        return await conversation(id)

    stage.intercom.conversation = watched  # pyright: ignore
    try:
        await read(stage, asked)
    finally:
        stage.intercom.conversation = conversation  # pyright: ignore
    return sorted(read_by_themselves)


def lose_webhooks(stage: Stage) -> None:
    stage.webhooks = []
    stage.later(LATER)


async def test_a_note_nobody_told_of_is_found_behind_a_newer_webhook(stage: Stage) -> None:
    """The list shows the conversation as it is known: only its parts tell of the note."""
    noted, *others = await settled(stage)
    stage.later()
    conversations.note(stage.world, noted, stage.lead, people.typed("/weight 9"))
    stage.webhooks = []
    stage.later()
    conversations.reply_as_customer(stage.world, noted, people.typed("Any news?"))
    heard = stage.webhooks[-1:]
    stage.webhooks = [without_parts(each) for each in heard]
    await stage.hear()
    assert (await stage.known(noted))[2] != 9
    stage.later(LATER)
    reading = await read(stage)
    assert (await stage.known(noted))[2] == 9
    assert (reading.drift, dict(reading.found)) == (1, {"weight": 1})
    assert [(await stage.known(each))[2] for each in others] == [1] * len(others)


async def test_a_reading_whose_end_was_forgotten_below_ends_with_its_page(stage: Stage) -> None:
    await settled(stage, 2)

    async def reading() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        await read(stage)

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(reading())


async def test_how_far_a_reading_is_can_be_seen_while_it_goes_on(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await settled(stage, 5)
    monkeypatch.setattr("steelyard.routing.reconcile.PAGE", 2)
    seen: list[tuple[int, int]] = []
    listed = stage.intercom.open_conversations

    async def watched() -> Any:
        async for each in listed():
            [row] = await stage.bench.rows("SELECT done, steps FROM reading WHERE ended_at IS NULL")
            seen.append(row)
            yield each

    stage.intercom.open_conversations = watched  # pyright: ignore
    await read(stage)
    assert seen == [(0, 0), (0, 0), (2, 5), (2, 5), (4, 5)]
    [(done, steps)] = await stage.bench.rows("SELECT done, steps FROM reading ORDER BY reading DESC LIMIT 1")
    assert done == steps


def without_parts(body: bytes) -> bytes:
    """As Intercom may send it: the triggering part alone, if any."""
    whole = json.loads(body)
    parts = whole["data"]["item"].get("conversation_parts")
    if parts:
        parts["conversation_parts"] = parts["conversation_parts"][-1:]
    return json.dumps(whole).encode()


async def test_only_what_changed_since_the_last_deep_reading_is_read_by_itself(stage: Stage) -> None:
    written = await settled(stage, 5)
    stage.later(LATER)
    assert await calls(stage) == []
    conversations.reply_as_customer(stage.world, written[2], people.typed("Any news?"))
    await stage.hear()
    stage.later(LATER)
    assert await calls(stage) == [written[2].id]
    stage.later(LATER)
    assert await calls(stage) == []


async def test_a_scheduled_reading_goes_deep_where_something_was_missed_and_each_hour(stage: Stage) -> None:
    written = await settled(stage, 4)
    conversations.reply_as_customer(stage.world, written[0], people.typed("Any news?"))
    await stage.hear()
    stage.later(300)
    assert await calls(stage, "schedule") == []
    conversations.assign(stage.world, written[1], stage.lead, admin=stage.engineers()[7].id)
    lose_webhooks(stage)
    stage.later(300)
    assert await calls(stage, "schedule") == sorted([written[0].id, written[1].id])
    conversations.reply_as_customer(stage.world, written[3], people.typed("Any news?"))
    await stage.hear()
    stage.later(300)
    assert await calls(stage, "schedule") == []
    stage.later(3600)
    assert await calls(stage, "schedule") == [written[3].id]


async def test_several_workers_make_one_reading(stage: Stage) -> None:
    await settled(stage, 1)
    stage.later(300)
    assert await read(stage, "schedule") is not None
    stage.later(10)
    assert await read(stage, "schedule") is None
    assert await read(stage, "start") is None
    assert await read(stage, "asked") is not None
    stage.later(40)
    assert await read(stage, "schedule") is None
    assert await read(stage, "start") is not None
    stage.later(300)
    assert await read(stage, "schedule") is not None


async def test_a_clock_that_went_back_stops_no_reading(stage: Stage) -> None:
    await settled(stage, 1)
    stage.later(-3600)
    assert await read(stage, "schedule") is not None


async def test_the_first_reading_reads_the_list_alone_and_finds_no_drift(stage: Stage) -> None:
    for n in range(6):
        stage.writes(f"Our nameservers {n}")
    lose_webhooks(stage)
    assert await calls(stage, "start") == []
    assert len(await stage.bench.owners()) == 6
    assert await recorded(stage) == [("start", True, 6, 0, {"unknown": 6})]


async def test_the_drift_is_counted_by_kind_and_recorded(stage: Stage) -> None:
    closed, moved, freed, gone, same = await settled(stage, 5)
    stage.later()
    conversations.close(stage.world, closed, stage.lead)
    conversations.assign(stage.world, moved, stage.lead, admin=stage.engineers()[7].id)
    conversations.assign(stage.world, freed, stage.lead, admin=0)
    conversations.delete(stage.world, gone)
    new = stage.writes("Our nameservers, again")
    lose_webhooks(stage)
    before = len(await recorded(stage))
    reading = await read(stage)
    assert dict(reading.found) == {"owner": 2, "unknown": 1, "state": 2}
    found = (await recorded(stage))[before:]
    assert found == [("asked", True, 4, 5, {"owner": 2, "unknown": 1, "state": 2})]
    assert (await stage.known(new))[0] is True
    assert (await stage.known(same))[1] == same.admin
    stage.later(LATER)
    assert (await read(stage)).drift == 0


async def recorded(stage: Stage) -> list[Any]:
    return await stage.bench.rows(
        "SELECT asked, deep, listed, drift, kinds FROM reading WHERE ended_at IS NOT NULL ORDER BY reading"
    )


async def test_what_may_still_be_told_of_is_read_but_is_no_drift(stage: Stage) -> None:
    moved, *_ = await settled(stage)
    other = stage.engineers()[7].id
    conversations.assign(stage.world, moved, stage.lead, admin=other)
    stage.webhooks = []
    stage.later(5)
    assert (await read(stage)).drift == 0
    assert (await stage.known(moved))[1] == other


async def test_a_reading_that_was_cut_off_counts_for_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    moved, *_ = await settled(stage)
    conversations.assign(stage.world, moved, stage.lead, admin=stage.engineers()[7].id)
    lose_webhooks(stage)

    async def dies(_: int) -> Any:
        raise RuntimeError("the worker was killed")

    monkeypatch.setattr(stage.intercom, "conversation", dies)
    stage.later(300)
    with pytest.raises(RuntimeError):
        await read(stage, "schedule")
    monkeypatch.undo()
    stage.later(10)
    assert (await read(stage, "schedule")).drift == 1


async def test_its_steps_are_told(stage: Stage) -> None:
    written = await settled(stage, 5)
    for each in written[:3]:
        conversations.assign(stage.world, each, stage.lead, admin=stage.engineers()[7].id)
    lose_webhooks(stage)
    steps: list[tuple[int, int]] = []
    await stage.reconcile.open_conversations(
        stage.bench.workspace, progress=lambda done, total: steps.append((done, total))
    )
    assert steps == [(5, 5), (8, 8)]


async def test_it_leaves_room_for_deliveries_before_every_few_calls(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = await settled(stage, 12)
    for each in written:
        conversations.assign(stage.world, each, stage.lead, admin=stage.engineers()[7].id)
    lose_webhooks(stage)
    log: list[str] = []
    conversation = stage.intercom.conversation

    async def leave_room() -> None:
        log.append("room")

    async def watched(id: int) -> Any:
        log.append("read")
        return await conversation(id)

    monkeypatch.setattr(stage.intercom, "leave_room", leave_room)
    monkeypatch.setattr(stage.intercom, "conversation", watched)
    await read(stage)
    assert log == ["room", *["read"] * AT_ONCE, "room", *["read"] * (12 - AT_ONCE)]


async def test_one_that_is_missing_for_a_moment_is_not_deleted(stage: Stage) -> None:
    """Deleting is for good."""
    moved, *_ = await settled(stage)
    other = stage.engineers()[7].id
    conversations.assign(stage.world, moved, stage.lead, admin=other)
    lose_webhooks(stage)
    stage.simulator.faults.plan("conversation", ["not_found"])
    await read(stage)
    assert await stage.known(moved) == (True, other, 1)


async def test_one_that_may_not_be_read_holds_up_no_other(stage: Stage) -> None:
    written = await settled(stage, 3)
    other = stage.engineers()[7].id
    for each in written:
        conversations.assign(stage.world, each, stage.lead, admin=other)
    lose_webhooks(stage)
    stage.simulator.faults.plan("conversation", ["forbidden"])
    await read(stage)
    assert sorted(owner == other for owner in (await stage.bench.owners()).values()) == [False, True, True]
    await read(stage)
    assert set((await stage.bench.owners()).values()) == {other}


async def test_tickets_in_the_list_are_left_alone(stage: Stage) -> None:
    """A conversation that became a ticket keeps its id, and Intercom lists it among the conversations."""
    written = [stage.writes(f"Our nameservers {n}") for n in range(3)]
    kind = next(each for each in stage.world.ticket_types.values() if each.category == "Customer")
    tickets.convert(stage.world, written[0], kind, next(iter(stage.world.ticket_states.values())), {})
    lose_webhooks(stage)
    await read(stage, "start")
    assert (await stage.bench.owners()).keys() == {each.id for each in written[1:]}


async def test_a_list_that_is_behind_is_no_drift(stage: Stage) -> None:
    moved, *_ = await settled(stage)
    item = shapes.conversation(moved, plain=True) | {"updated_at": moved.updated_at - 500, "admin_assignee_id": 7}
    assert difference(await stored(stage, moved.id), item) is Difference.OTHER


async def stored(stage: Stage, id: int) -> Any:
    async with stage.bench.database.transaction(stage.bench.workspace) as conn:
        return (await store.conversations(conn, stage.bench.workspace, [ConversationId(id)]))[ConversationId(id)]


async def test_one_conversation_can_be_read_alone(stage: Stage) -> None:
    moved, *_ = await settled(stage)
    other = stage.engineers()[7].id
    conversations.assign(stage.world, moved, stage.lead, admin=other)
    lose_webhooks(stage)
    await stage.reconcile.conversation(stage.bench.workspace, ConversationId(moved.id))
    await stage.bench.route()
    assert (await stage.known(moved))[1] == other


async def test_an_answer_that_was_long_on_its_way_undoes_no_assignment(stage: Stage) -> None:
    """It shows nobody, since Intercom gave it before the delivery; what it shows must not pass for newer."""
    conversation, ask = await stage.decided(), stage.intercom.conversation
    decided = list(stage.bench.asked.delivered)

    async def answered_late(id: int) -> Any:
        answer = await ask(id)
        await stage.delivery().deliver(stage.bench.workspace, decided[0][0])
        await stage.hear()
        stage.later()
        return answer

    stage.intercom.conversation = answered_late  # pyright: ignore
    await stage.reconcile.conversation(stage.bench.workspace, ConversationId(conversation.id))
    await stage.bench.route()
    assert stage.bench.asked.delivered == decided
    assert (await stage.known(conversation))[1] == conversation.admin > 0
