"""The whole of it as real processes: a simulated Intercom, web and worker, and everything that can go wrong between.

Whatever happened, in the end nobody is lost and what our tables say is what Intercom shows.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import random
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from ending import ended
from steelyard.config import Settings, to_environment
from steelyard.demo import run
from steelyard.demo.intercom import Config, Simulator, running, shapes
from steelyard.demo.intercom.count import summary
from steelyard.demo.intercom.model import Conversation
from steelyard.demo.intercom.seed import Seed
from steelyard.demo.intercom.traffic import People
from steelyard.demo.intercom.webhooks import Timing
from steelyard.demo.messages import messages
from steelyard.kit.ids import WorkspaceId
from steelyard.main.clients import clients_of
from steelyard.main.ground import now, shipped_policy
from steelyard.operations.demo import connect_simulated
from steelyard.operations.serving import processes
from steelyard.routing.merge import merge
from steelyard.routing.policy import parse
from steelyard.routing.receive import receive
from steelyard.routing.reconcile import Reconcile
from steelyard.routing.seen import SeenConversation
from steelyard.routing.shown import Reader
from steelyard.routing.told import READ_BACK
from steelyard.routing.weigh import weigh
from steelyard.store.database import Database

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

BANKING = Path(__file__).parents[2] / ".." / "shared" / "data" / "banking77" / "test.csv"
POLICY = parse(shipped_policy())

HOSTILE = (
    "<script>alert(1)</script> my nameservers",
    '"><img src=x onerror=alert(1)> dns',
    "{{ 7 * 7 }} {% raw %} ${7*7} #{7*7} %s %(x)s {0}",
    "'; DROP TABLE conversation; -- dns",
    '=HYPERLINK("http://evil.example","dns")',
    "\u202edrawkcab\u202c \u0645\u0631\u062d\u0628\u0627 dns \U0001f525\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324\u031e dns " * 40,
    "a" * 30_000 + " dns",
    "<" * 5_000 + "dns" + ">" * 5_000,
    "dns\x00with\x00nul\x07\x1b[31m",
    "\ufeff\u200bdns\u2028\u2029\r\n\t",
    "<p>dns <a href='javascript:alert(1)'>click</a></p>",
    " ",
    "]]>--><!-- dns",
    "&lt;b&gt; &amp;amp; &#0; &#x1F600; dns",
    "/weight 50",
    "[d-1] [d-2] dns",
)


class Live(NamedTuple):
    """A running Steelyard and its simulated Intercom."""

    simulator: Simulator
    database: Database
    workspace: WorkspaceId
    desk: str
    keys: Path

    async def rows(self, query: Any, *values: object) -> list[Any]:
        async with self.database.transaction(self.workspace) as conn:
            return await (await conn.execute(query, values)).fetchall()

    async def people(self, count: int, *, rate: float = 20, written: Iterable[tuple[str, ...]] = ()) -> None:
        """So many customers write, and engineers live with it."""
        texts = ((each.subject, each.body, each.language) for each in messages(random.Random(7)))
        people = People(self.simulator.workspace, islice(chain(written, texts), count), seed=7, rate=rate)
        living = asyncio.create_task(people.run())
        while not people.finished:  # noqa: ASYNC110 - the simulated people have no event for it
            await asyncio.sleep(0.05)
        await asyncio.sleep(2)
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)
        assert people.begun == count

    async def settle(self, seconds: float = 60) -> None:
        """Until all is told, handled, delivered and read back, and that told nothing new."""
        await settled(self.simulator, self.rows, seconds)

    async def mirrored(self) -> dict[int, tuple[bool, int | None, int]]:
        """Open, owner and weight of each conversation, as our table has it."""
        found = await self.rows("SELECT conversation, open, owner, weight FROM conversation")
        return {id: (open, owner, weight) for id, open, owner, weight in found}


async def settled(simulator: Simulator, rows: Callable[[Any], Awaitable[list[Any]]], seconds: float) -> None:
    """Until nothing is left to do, at three looks in a row."""
    quiet = 0
    async with asyncio.timeout(seconds):
        while quiet < 3:
            assert await simulator.sender.drain(seconds)
            [(left,)] = await rows(
                "SELECT (SELECT count(*) FROM inbox WHERE handled_at IS NULL)"
                " + (SELECT count(*) FROM decision WHERE outcome = 'pending')"
                " + (SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing'))"
            )
            quiet = 0 if left else quiet + 1
            await asyncio.sleep(0.1)


@asynccontextmanager
async def live(app_url: str, folder: Path, **config: Any) -> AsyncIterator[Live]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = Settings(
        cell="demo", data=folder, keys=folder / "keys", port=port, open_to_loopback=True, log_level="warning"
    )
    environment = to_environment(settings) | {"DATABASE_URL": app_url}
    desk = f"http://127.0.0.1:{port}"
    config = {"seed": Seed(3), "timing": Timing(retry=0.5)} | config
    async with Database.open(app_url, size=4) as database, running(Config(**config)) as simulator:
        workspace = await connect_simulated(database, settings, simulator)
        async with processes(environment):
            await until(lambda: run._answers(desk))
            await until(lambda: run._knows_engineers(database, workspace))
            await simulator.sender.subscribe(f"{desk}/hooks/intercom/demo")
            yield Live(simulator, database, workspace, desk, folder / "keys")


async def until(happened: Any, seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not await happened():  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.05)


@asynccontextmanager
async def traffic(simulator: Simulator, *, rate: float, seed: int) -> AsyncIterator[None]:
    """Customers write and engineers live with it until the block is left."""
    texts = ((each.subject, each.body, each.language) for each in messages(random.Random(seed)))
    living = asyncio.create_task(People(simulator.workspace, texts, seed=seed, rate=rate).run())
    try:
        yield
        assert not living.done(), "people have stopped"
    finally:
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)


def weight_of(conversation: Conversation) -> int:
    """What it weighs by all that Intercom shows of it, read at once."""
    item = shapes.conversation(conversation, plain=True)
    body = {"topic": READ_BACK, "id": "x", "created_at": conversation.updated_at + 1, "data": {"item": item}}
    seen = receive(json.dumps(body).encode(), 0, Reader(None, POLICY.heaviest))
    assert isinstance(seen, SeenConversation)
    return merge(None, seen, weigh(seen.text, POLICY)).weight


def shown(simulator: Simulator) -> dict[int, tuple[bool, int | None, int]]:
    """The same as `mirrored`, of what Intercom still has."""
    return {
        each.id: (each.state == "open", each.admin or None, weight_of(each))
        for each in simulator.workspace.conversations.values()
    }


def check_nobody_lost(simulator: Simulator) -> None:
    told = summary(simulator.workspace)
    assert told["lost"] == 0, told["lost_ids"]
    waiting = [each for each in simulator.workspace.conversations.values() if each.state == "open" and not each.admin]
    assert [each.id for each in waiting if simulator.workspace.available(each)] == []


async def check_mirrored(live: Live) -> None:
    ours, theirs = await live.mirrored(), shown(live.simulator)
    assert {id: ours.get(id) for id in theirs} == theirs
    assert [id for id in ours.keys() - theirs.keys() if ours[id][0]] == [], "deleted there, open here"


def check_assigned_once(simulator: Simulator) -> None:
    """Between two assignments by API a person took it away: else one decision was delivered twice."""
    for id, history in simulator.workspace.record.histories.items():
        by = [each.by for each in history.assignments]
        assert ("api", "api") not in pairwise(by), id


async def check_pages(desk: str, decisions: Iterable[int]) -> None:
    async with httpx.AsyncClient(base_url=desk, trust_env=False, timeout=30) as client:
        paths = ["/desk", "/desk.json", "/decisions", "/decisions.json", "/decisions.csv"]
        for path in [
            *paths,
            *(f"/decisions/{number}{end}" for number in decisions for end in ("", ".json", "/replay", "/replay.json")),
        ]:
            answer = await client.get(path)
            assert answer.status_code == 200, path
            if answer.headers["content-type"].startswith("text/html"):
                assert "<script>alert" not in answer.text, path
                assert "<img src=x" not in answer.text, path


async def test_duplicates_and_disorder_end_in_intercoms_own_state(app_url: str, tmp_path: Path) -> None:
    async with live(app_url, tmp_path) as steelyard:
        simulator = steelyard.simulator
        simulator.faults.set({"duplicate": 0.15, "reorder": 0.15})
        await steelyard.people(300, written=(("", each, "en") for each in HOSTILE))
        await steelyard.settle()
        check_nobody_lost(simulator)
        await check_mirrored(steelyard)
        check_assigned_once(simulator)
        told = await run.figures(steelyard.database, steelyard.workspace, simulator)
        assert told["conversations"] == 300
        assert told["received"] == told["stored"] + told["duplicates"]
        assert told["duplicates"] >= 50
        assert told["failed"] == 0
        first = await steelyard.rows("SELECT decision FROM decision ORDER BY decision LIMIT 40")
        await check_pages(steelyard.desk, [number for (number,) in first])


async def test_a_killed_worker_loses_nothing(app_url: str, tmp_path: Path) -> None:
    async with live(app_url, tmp_path) as steelyard:
        await asyncio.sleep(5)  # a process that dies right after its first start is not started again
        resumed: list[float] = []
        async with traffic(steelyard.simulator, rate=15, seed=7):  # however long it takes: else nobody is assigned
            for _ in range(2):
                await asyncio.sleep(3)
                killed = await kill_child("--role worker")
                await until(lambda at=killed: assigned_since(steelyard.simulator, at))
                resumed.append(time.monotonic() - killed)
        await steelyard.settle()
        assert max(resumed) < 10
        check_nobody_lost(steelyard.simulator)
        check_assigned_once(steelyard.simulator)
        await check_mirrored(steelyard)


async def kill_child(words: str) -> float:
    """Kills the process that this one started with those words on its command line; when that was.

    Where it has just ended by itself, as a worker does that stood still, the next one is waited for.
    """
    async with asyncio.timeout(30):
        while not (number := child(words)):  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0.05)
    killed = time.monotonic()
    os.kill(number, signal.SIGKILL)
    return killed


def child(words: str) -> int:
    """The process that this one started with those words on its command line; 0 while there is none."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == os.getpid() and words in line:
                return int(entry.name)
    return 0


async def assigned_since(simulator: Simulator, at: float) -> bool:
    """Whether the API assigned anything later than a moment after `at`, when a call could have been on its way."""
    histories = simulator.workspace.record.histories.values()
    return any(each.by == "api" and each.at > at + 0.5 for history in histories for each in history.assignments)


async def test_what_was_dropped_is_read_back(app_url: str, tmp_path: Path) -> None:
    async with live(app_url, tmp_path) as steelyard:
        simulator = steelyard.simulator
        simulator.faults.set({"drop": 0.2, "duplicate": 0.05, "reorder": 0.05})
        await steelyard.people(160)
        simulator.faults.set({"drop": 0.0, "duplicate": 0.0, "reorder": 0.0})
        await steelyard.settle()
        assert summary(simulator.workspace)["webhooks"]["dropped"] > 100
        assert {id for id, (open, _, _) in (await steelyard.mirrored()).items() if open} != {
            id for id, (open, _, _) in shown(simulator).items() if open
        }, "nothing was missed, so nothing is tried here"
        async with clients_of(steelyard.database, steelyard.keys) as clients:
            reconcile = Reconcile(steelyard.database, clients.of, now)
            await reconcile.roster(steelyard.workspace)
            await reconcile.open_conversations(steelyard.workspace)
        await steelyard.settle()
        check_nobody_lost(simulator)
        ours, theirs = await steelyard.mirrored(), shown(simulator)
        open_there = {id: each for id, each in theirs.items() if each[0]}
        assert {id for id, each in ours.items() if each[0]} == open_there.keys()
        assert {id: ours[id][1] for id in open_there} == {id: each[1] for id, each in open_there.items()}
        assert {id: ours[id][2] for id in open_there} == {id: each[2] for id, each in open_there.items()}
        away = {each.id: each.away for each in simulator.workspace.admins.values()}
        assert dict(await steelyard.rows("SELECT engineer, (value ->> 'away')::bool FROM engineer")) == away


async def test_too_many_calls_are_made_later(app_url: str, tmp_path: Path) -> None:
    async with live(app_url, tmp_path) as steelyard:
        steelyard.simulator.faults.set({"rate_limit": 0.2})
        await steelyard.people(15, rate=10)
        await steelyard.settle(120)
        assert steelyard.simulator.record.counts["calls_429"] > 0
        assert await steelyard.rows("SELECT count(*) FROM decision WHERE outcome = 'failed'") == [(0,)]
        check_nobody_lost(steelyard.simulator)
        check_assigned_once(steelyard.simulator)


# The command line

KEYS = {
    "ignored",
    "decision_p50_ms",
    "decision_p99_ms",
    "webhook_to_assigned_p99_ms",
}


async def demo(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "steelyard", "demo", "--json", *arguments, stdout=asyncio.subprocess.PIPE
    )


async def figures(process: asyncio.subprocess.Process, seconds: float) -> dict[str, Any]:
    output, _ = await ended(process, "the demo", seconds)
    assert process.returncode == 0
    return json.loads(output.splitlines()[-1])


def check_stored(told: dict[str, Any]) -> int:
    """All that was answered is stored, and some of what was answered too late; how many."""
    assert 0 <= told["stored"] + told["duplicates"] - told["received"] <= told["unanswered"]
    return told["stored"]


async def test_the_demo_prints_what_happened() -> None:
    told = await figures(await demo("--duration", "8", "--rate", "10"), 100)
    assert told.keys() >= KEYS
    assert told["lost"] == 0
    assert check_stored(told) > 50
    assert told["decided"] >= told["conversations"] - told["waiting"] > 0
    assert told["decided"] == told["delivered"] + told["overtaken"] + told["failed"]
    assert told["max_minus_mean_weight"] >= 0


@pytest.mark.timeout(420)
async def test_a_file_of_real_messages_goes_through_and_breaks_no_page() -> None:
    if not BANKING.exists():
        pytest.skip("the messages are not there: put banking77/test.csv into ../shared/data")
    with BANKING.open(encoding="utf-8", newline="") as lines:
        count = sum(1 for _ in csv.DictReader(lines))
    assert count == 3_080
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await demo("--messages", str(BANKING), "--port", str(port))
    telling = asyncio.create_task(figures(process, 400))
    desk = f"http://127.0.0.1:{port}"
    await until(lambda: run._answers(desk))
    looked_at: set[int] = set()
    begun = time.monotonic()
    async with httpx.AsyncClient(base_url=desk, trust_env=False, timeout=30) as client:
        while len(looked_at) < 50 and not telling.done():
            # Some every two seconds; where pages come slowly, the next at once: the demo does not wait for us.
            await asyncio.sleep(max(0.2, begun + 0.4 * (len(looked_at) + 5) - time.monotonic()))
            answer = await client.get("/decisions.json")
            if answer.status_code == 404:  # no workspace yet
                continue
            new = {each["number"] for each in answer.json()["decisions"][:5]} - looked_at
            await check_pages(desk, new)
            looked_at |= new
    assert len(looked_at) >= 50
    told = await telling
    assert told["conversations"] == count
    assert told["lost"] == 0
    check_stored(told)
    assert told["failed"] == 0
    assert told["decided"] >= count - told["waiting"]
