"""The simulated Intercom's faults on the wire: what a caller reads, what a receiver gets, what is counted."""

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from simulator_calls import FAST, Api, Receiver, receiving, simulated, until, written

from steelyard.demo.intercom.faults import FAULTS, Faults
from steelyard.demo.intercom.rest import OPERATIONS
from steelyard.demo.intercom.webhooks import Timing

LEAD = "7310401"
SLOW = 0.4

ANSWERED = {name: fault.fate.answer for name, fault in FAULTS.items() if fault.fate.answer}


class Wire:
    """A connection to the simulator, and what comes over it."""

    def __init__(self, api: Api, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._token = api.simulator.config.token
        self._reader, self._writer = reader, writer

    def send(self, method: str, path: str, body: Any = None) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self._token}\r\nAccept: */*\r\n"
        self._writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)

    async def read(self) -> tuple[int, dict[str, str], Any]:
        """Status, headers and JSON of one answer."""
        first, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        return (
            int(first.split()[1]),
            headers,
            json.loads(await self._reader.readexactly(int(headers["content-length"]))),
        )

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, str], Any]:
        self.send(method, path, body)
        return await self.read()

    async def is_closed(self) -> bool:
        """Whether the other side closed without a byte; waits until it does something."""
        return await self._reader.read(1) == b""

    def close(self) -> None:
        self._writer.close()


@contextlib.asynccontextmanager
async def wired(api: Api) -> AsyncIterator[Wire]:
    host, port = api.simulator.base_url.removeprefix("http://").split(":")
    wire = Wire(api, *await asyncio.open_connection(host, int(port)))
    try:
        async with asyncio.timeout(10):
            yield wire
    finally:
        wire.close()


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with simulated(timing=Timing(slow=SLOW)) as api:
        yield api


def noted(text: str = "why") -> dict[str, str]:
    return {"message_type": "note", "type": "admin", "admin_id": LEAD, "body": text}


def assigned(to: str = "7310402") -> dict[str, str]:
    return {"message_type": "assignment", "type": "admin", "admin_id": LEAD, "assignee_id": to}


def notes(conversation: Any) -> int:
    return sum(part.kind == "note" for part in conversation.parts)


async def struck(api: Api) -> dict[str, int]:
    """What the record says struck calls."""
    counts = (await api.control("record"))["counts"]
    return {name: count for name, count in counts.items() if name.startswith("calls_") and count}


# Calls


@pytest.mark.parametrize("fault", sorted(ANSWERED))
async def test_an_answer_instead_of_handling(api: Api, fault: str) -> None:
    conversation = written(api.simulator)
    await api.control("plan", {"note": [fault]})
    async with wired(api) as wire:
        status, headers, answer = await wire.call("POST", f"/conversations/{conversation.id}/reply", noted())
        assert status == ANSWERED[fault]
        assert answer["type"] == "error.list"
        assert answer["errors"][0]["code"]
        assert {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"} <= headers.keys()
        assert notes(conversation) == 0
        assert await struck(api) == {f"calls_{status}": 1}
        assert (await wire.call("POST", f"/conversations/{conversation.id}/reply", noted()))[0] == 200
    assert notes(conversation) == 1
    assert (await api.control("summary"))[f"calls_{status}"] == 1


async def test_a_refused_connection_handles_nothing_and_says_nothing(api: Api) -> None:
    conversation = written(api.simulator)
    await api.control("plan", {"assign": ["refuse"]})
    async with wired(api) as wire, wired(api) as other:
        assert (await other.call("GET", "/me"))[0] == 200
        assert (await wire.call("GET", "/me"))[0] == 200
        wire.send("POST", f"/conversations/{conversation.id}/parts", assigned())
        assert await wire.is_closed()
        assert (await other.call("GET", "/me"))[0] == 200, "only that connection was closed"
    assert conversation.admin == 0
    assert api.simulator.record.histories[conversation.id].assignments == []
    assert await struck(api) == {"calls_cut": 1}


async def test_death_after_accepting_handles_once_and_says_nothing(api: Api) -> None:
    conversation = written(api.simulator)
    await api.control("plan", {"assign": ["die"], "note": ["die"]})
    for path, body in (("parts", assigned()), ("reply", noted())):
        async with wired(api) as wire:
            wire.send("POST", f"/conversations/{conversation.id}/{path}", body)
            assert await wire.is_closed()
    assert conversation.admin == 7310402
    assert len(api.simulator.record.histories[conversation.id].assignments) == 1
    assert notes(conversation) == 1
    assert await struck(api) == {"calls_died": 2}


async def test_what_is_refused_was_not_accepted_so_nobody_dies_of_it(api: Api) -> None:
    await api.control("plan", {"note": ["die"]})
    async with wired(api) as wire:
        assert (await wire.call("POST", "/conversations/1/reply", noted()))[0] == 404
    assert await struck(api) == {}


async def test_a_slow_answer_comes_late_to_what_was_handled_at_once(api: Api) -> None:
    conversation = written(api.simulator)
    await api.control("plan", {"note": ["slow"]})
    async with wired(api) as wire:
        began = time.monotonic()
        wire.send("POST", f"/conversations/{conversation.id}/reply", noted())
        await until(lambda: notes(conversation) == 1)
        assert time.monotonic() - began < SLOW
        status, _, answer = await wire.read()
        assert SLOW <= time.monotonic() - began < SLOW + 2
        assert (status, answer["id"]) == (200, str(conversation.id))
        assert (await wire.call("GET", "/me"))[0] == 200
    assert await struck(api) == {"calls_slow": 1}


async def test_nobody_waits_for_a_caller_who_went_away() -> None:
    began = time.monotonic()
    async with simulated(timing=Timing(slow=60)) as api:
        await api.control("plan", {"me": ["slow"]})
        async with wired(api) as wire:
            wire.send("GET", "/me")
            await until(lambda: api.simulator.record.counts["calls_slow"] == 1)
    assert time.monotonic() - began < 10


async def test_by_chance_every_call_can_be_struck(api: Api) -> None:
    assert set(await api.control("faults", {"error": 1.0})) == set(FAULTS)
    async with wired(api) as wire:
        assert [(await wire.call("GET", path))[0] for path in ("/me", "/admins", "/teams")] == [500] * 3
        await api.control("faults", {"error": 0.0, "refuse": 1.0})
        wire.send("GET", "/me")
        assert await wire.is_closed()
    await api.control("faults", {"refuse": 0.0})
    async with wired(api) as wire:
        assert (await wire.call("GET", "/me"))[0] == 200
    assert await struck(api) == {"calls_500": 3, "calls_cut": 1}


async def test_the_control_api_is_never_struck(api: Api) -> None:
    await api.control("faults", {"refuse": 1.0})
    assert (await api.control("faults"))["refuse"] == 1.0


# Plans


async def test_a_plan_is_met_in_order_then_all_is_well(api: Api) -> None:
    assert await api.control("plan", {"me": ["error", "fine", "unavailable"], "teams": ["rate_limit"]}) == {
        "me": ["error", "fine", "unavailable"],
        "teams": ["rate_limit"],
    }
    async with wired(api) as wire:
        assert [(await wire.call("GET", "/me"))[0] for _ in range(2)] == [500, 200]
        assert await api.control("plan") == {"me": ["unavailable"], "teams": ["rate_limit"]}
        assert (await wire.call("GET", "/admins"))[0] == 200
        assert [(await wire.call("GET", "/me"))[0] for _ in range(3)] == [503, 200, 200]
        assert await api.control("plan", {"teams": []}) == {}
        assert (await wire.call("GET", "/teams"))[0] == 200


async def test_a_plan_goes_before_chance(api: Api) -> None:
    api.simulator.faults.set({"error": 1.0})
    api.simulator.faults.plan("me", ["fine", "unavailable"])
    async with wired(api) as wire:
        assert [(await wire.call("GET", "/me"))[0] for _ in range(3)] == [200, 503, 500]


async def test_calls_of_one_path_are_told_apart_by_what_they_do(api: Api) -> None:
    conversation = written(api.simulator)
    await api.control("plan", {"close": ["error"], "note": ["error"]})
    async with wired(api) as wire:
        parts, reply = f"/conversations/{conversation.id}/parts", f"/conversations/{conversation.id}/reply"
        assert (await wire.call("POST", parts, assigned()))[0] == 200
        assert (await wire.call("POST", reply, noted() | {"message_type": "comment"}))[0] == 200
        assert await api.control("plan") == {"close": ["error"], "note": ["error"]}
        closing = {"message_type": "close", "type": "admin", "admin_id": LEAD}
        assert (await wire.call("POST", parts, closing))[0] == 500
        assert (await wire.call("POST", reply, noted()))[0] == 500
    assert (await api.control("record"))["operations"] == {"assign": 1, "reply": 1, "close": 1, "note": 1}


async def test_plans_of_what_there_is_not_are_refused(api: Api) -> None:
    for bad in ({"asign": ["die"]}, {"assign": ["died"]}, {"assign": ["drop"]}):
        assert "error" in await api.control("plan", bad, status=400)
    assert await api.control("plan") == {}


def test_what_our_client_calls_can_be_planned() -> None:
    ours = {"me", "admins", "teams", "search_conversations", "conversation", "update_conversation", "assign", "note"}
    assert ours <= OPERATIONS


# Webhooks


@contextlib.asynccontextmanager
async def telling(**timing: Any) -> AsyncIterator[tuple[Api, Receiver]]:
    settings = Timing(answer=1, retry=0.05, **timing)
    async with receiving() as receiver, simulated(webhook=receiver.url, timing=settings) as api:
        yield api, receiver


async def drained(api: Api) -> None:
    assert (await api.control("drain", {"seconds": 5})) == {"drained": True, "unsettled": 0}


async def test_a_late_webhook_is_overtaken() -> None:
    async with telling(late=0.5) as (api, receiver):
        await api.control("faults", {"late": 1.0})
        late, began = written(api.simulator), time.monotonic()
        await api.control("faults", {"late": 0.0})
        soon = [written(api.simulator) for _ in range(3)]
        await until(lambda: len(receiver.notifications) == 3)
        assert {int(each["data"]["item"]["id"]) for each in receiver.notifications} == {each.id for each in soon}
        assert api.simulator.sender.unsettled == 1
        await drained(api)
        assert 0.5 <= time.monotonic() - began < 3
        assert int(receiver.notifications[-1]["data"]["item"]["id"]) == late.id
        assert (await api.control("summary"))["webhooks"]["late"] == 1


class Raw:
    """Keeps the bytes of each connection until it is closed, and answers nothing."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            self.received.append(await reader.read(-1))
        writer.close()


@pytest.mark.parametrize(("fault", "share"), [("cut", 0.5), ("hang_up", 1.0)])
async def test_a_cut_connection_on_the_wire(fault: str, share: float) -> None:
    raw = Raw()
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server, simulated(timing=FAST) as api:
        await api.control("webhook", {"url": url})
        await api.control("faults", {fault: 1.0})
        written(api.simulator)
        await until(lambda: any(each.startswith(b"POST") for each in raw.received))
    head, _, body = next(each for each in raw.received if each.startswith(b"POST")).partition(b"\r\n\r\n")
    length = int(head.decode().lower().split("content-length: ")[1].split("\r\n")[0])
    assert len(body) == pytest.approx(share * length, abs=1)


async def test_what_was_cut_comes_once_with_the_retry() -> None:
    async with telling() as (api, receiver):
        await api.control("faults", {"cut": 1.0})
        conversation = written(api.simulator)
        await drained(api)
        assert [each["delivery_attempts"] for each in receiver.notifications] == [2]
        told = (await api.control("summary"))["webhooks"]
        assert (told["cut"], told["retried"], told["failed"]) == (1, 1, 0)
        assert told["by_status"] == {"0": 1, "200": 1}
        assert api.simulator.record.histories[conversation.id].accepted_at is not None


async def test_a_sender_that_hangs_up_was_heard_and_tells_it_again() -> None:
    async with telling() as (api, receiver):
        await api.control("faults", {"hang_up": 1.0})
        written(api.simulator)
        await drained(api)
        first, second = receiver.notifications
        assert first["id"] == second["id"]
        assert (first["delivery_attempts"], second["delivery_attempts"]) == (1, 2)
        told = (await api.control("summary"))["webhooks"]
        assert (told["hung_up"], told["retried"], told["failed"]) == (1, 1, 0)


# Chance


def test_what_strikes_calls_does_not_depend_on_webhooks() -> None:
    def drawn(seed: int, webhooks: int) -> list[Any]:
        faults = Faults(seed)
        faults.set({"die": 0.2, "slow": 0.2, "error": 0.1, "late": 0.5})
        found = []
        for _ in range(200):
            found.append(faults.fate("call", "assign"))
            for _ in range(webhooks):
                faults.fate("webhook")
        return found

    assert drawn(1, 0) == drawn(1, 3) != drawn(2, 0)
    assert {name for name in ("die", "slow", "error") if FAULTS[name].fate in drawn(1, 0)} == {"die", "slow", "error"}


def test_every_fault_differs_from_every_other_and_from_none() -> None:
    fates = [Faults(1).fate("call"), *(fault.fate for fault in FAULTS.values() if fault.where == "call")]
    assert all(one != other for one, other in itertools.combinations(fates, 2))


async def test_windows_of_the_rate_limit_can_be_shorter() -> None:
    async with simulated(timing=Timing(window=1), calls_per_window=2) as api, wired(api) as wire:
        first = await wire.call("GET", "/me")
        statuses = [(await wire.call("GET", "/me"))[0] for _ in range(4)]
        assert 429 in statuses
        assert int(first[1]["x-ratelimit-reset"]) - time.time() <= 1
        await asyncio.sleep(1)
        assert (await wire.call("GET", "/me"))[0] == 200
