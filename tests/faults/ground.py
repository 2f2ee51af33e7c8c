"""Scenery of the fault tests: real processes that can be killed, and what must hold whatever was done to them."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from test_live import Live, check_assigned_once, shown

from steelyard.config import Settings, to_environment
from steelyard.demo import run
from steelyard.demo.intercom import Simulator, people
from steelyard.demo.intercom.model import Conversation
from steelyard.kit.ids import WorkspaceId
from steelyard.main.clients import clients_of
from steelyard.main.ground import adopt_policy, now, shipped_policy
from steelyard.operations.demo import connect_simulated
from steelyard.routing.reconcile import Reconcile
from steelyard.store.database import Database

PATIENCE = 30.0
"""Seconds for a process to come or to go."""

SETTLED = 150.0
"""Seconds for all that is left to be done, on a machine that does much else."""

STOOD_STILL = 75
"""How a worker ends that stood still, as all do where the machine does: others may have its work by then."""

LONGEST_WAIT = 10.0
"""Seconds within which delivery goes on after a kill, and which no conversation waits longer."""


def longest_wait_here() -> float:
    """LONGEST_WAIT, longer on a machine that has more to do than it can."""
    return LONGEST_WAIT * max(1.0, os.getloadavg()[0] / (2 * (os.cpu_count() or 1)))


# Where it meets the product's own functions


async def connect(database: Database, settings: Settings, simulator: Simulator) -> WorkspaceId:
    """Connects a simulated Intercom's workspace to the cell of `settings`; all its teams are routed."""
    return await connect_simulated(database, settings, simulator)


async def ask_for_notes(database: Database, workspace: WorkspaceId) -> None:
    """Puts a policy in force under which each assignment leaves a note."""
    asking = re.sub(r"(?m)^note = false", "note = true", shipped_policy())
    assert asking != shipped_policy()
    async with database.transaction(workspace) as conn:
        await adopt_policy(conn, workspace, asking)


async def read_back(live: Live) -> None:
    """Reads the roster and what is open in Intercom, as a worker does when it starts."""
    async with clients_of(live.database, live.keys) as clients:
        reconcile = Reconcile(live.database, clients.of, now)
        await reconcile.roster(live.workspace)
        await reconcile.open_conversations(live.workspace)


# Processes


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def settings_in(folder: Path) -> Settings:
    """Of an installation whose files are all in `folder`."""
    return Settings(
        cell="demo", data=folder, keys=folder / "keys", port=free_port(), open_to_loopback=True, log_level="info"
    )


class Served:
    """One `steelyard serve`, which can be killed and started again. What it says goes into `log`."""

    def __init__(self, name: str, settings: Settings, environment: Mapping[str, str], *arguments: str) -> None:
        self.name, self.desk = name, f"http://127.0.0.1:{settings.port}"
        self.log = settings.data / f"{name}.log"
        self._environment = os.environ | to_environment(settings) | environment
        self._command = [sys.executable, "-m", "steelyard", "serve", *arguments]
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        """How often it was started."""

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} was never started"
        assert self._process.poll() is None, f"{self.name} has ended: {self.said()}"
        return self._process.pid

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stderr=log, start_new_session=True)
        self.starts += 1

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        assert self._process is not None
        self.signal(signal.SIGKILL)
        self._process.wait()

    def stood_still(self) -> bool:
        """Whether it has ended for that."""
        return self._process is not None and self._process.poll() == STOOD_STILL

    async def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def answers(self) -> bool:
        return await run._answers(self.desk)

    def said(self) -> str:
        """The end of its log."""
        said = self.log.read_text() if self.log.exists() else ""
        return re.sub(r', "exception": ".*"', "", said)[-8000:]

    def end(self) -> None:
        """Ends it in order; a stopped one too."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def child(self, words: str) -> int:
        """The process that this one started with those words on its command line; 0 while there is none."""
        for number in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split():
            with suppress(OSError):  # it has ended meanwhile
                if words in Path(f"/proc/{number}/cmdline").read_bytes().replace(b"\0", b" ").decode():
                    return int(number)
        return 0


@asynccontextmanager
async def all_ended(processes: Sequence[Served]) -> AsyncIterator[None]:
    """Whatever happens inside, none of them is left behind; where it fails, what they said last is shown."""
    try:
        yield
    except BaseException:
        for each in processes:
            sys.stderr.write(f"--- {each.name}\n{each.said()}\n")
        raise
    finally:
        await asyncio.gather(*(asyncio.to_thread(each.end) for each in processes))


# The simulated Intercom


def remember_accepted(simulator: Simulator) -> set[str]:
    """The ids of the webhooks that are answered with 200 from now on."""
    accepted: set[str] = set()
    send = simulator.sender._send

    async def remembering(connection: Any, notification: Any) -> int:
        status = await send(connection, notification)
        if status == 200:
            accepted.add(notification.id)
        return status

    simulator.sender._send = remembering
    return accepted


class Call(NamedTuple):
    """One kind of call to the simulated Intercom."""

    method: str
    path: str
    """The end of it."""


ATTRIBUTES = Call("PUT", "")
ASSIGNMENT = Call("POST", "/parts")
NOTE = Call("POST", "/reply")


class Interrupted:
    """Runs `after[call]` once between a call's acceptance by the simulated Intercom and its answer."""

    def __init__(self, simulator: Simulator) -> None:
        self.after: dict[Call, Callable[[int], Awaitable[None]]] = {}
        self.happened = 0
        app = simulator.app
        app.middleware_stack = self._around(app.middleware_stack or app.build_middleware_stack())

    def _around(self, app: Any) -> Any:
        async def answer(scope: Any, receive: Any, send: Any) -> None:
            async def send_later(message: Any) -> None:
                await self._interrupt(scope, message)
                await send(message)

            await app(scope, receive, send_later)

        return answer

    async def _interrupt(self, scope: Any, message: Any) -> None:
        found = re.fullmatch(r"/conversations/(\d+)(/\w+)?", scope["path"])
        if found is None or message.get("status") != 200:
            return
        act = self.after.pop(Call(scope["method"], found[2] or ""), None)
        if act is not None:
            await act(int(found[1]))
            self.happened += 1


def write_in(simulator: Simulator) -> Conversation:
    """A customer begins a conversation that any engineer may take."""
    who = people.customer(simulator.workspace, "Alba Moreno", "alba@example.test")
    return people.write_in(simulator.workspace, who, "", "My nameservers do not answer", language="en")


async def is_delivered(live: Live, conversation: int) -> bool:
    """Whether there is one decision for it, which was delivered."""
    return await live.rows("SELECT outcome FROM decision WHERE conversation = %s", conversation) == [("delivered",)]


async def somebody_waits(superuser_url: str, what: str) -> bool:
    """Whether a statement waits for a lock of that kind: `relation` or `transactionid`."""
    async with await psycopg.AsyncConnection.connect(superuser_url, autocommit=True) as conn:
        waiting = await conn.execute(
            "SELECT FROM pg_stat_activity WHERE wait_event = %s AND datname = current_database()", [what]
        )
        return await waiting.fetchone() is not None


def told_of(simulator: Simulator, conversation: int) -> tuple[int, int]:
    """How many assignments by API and how many notes a conversation has."""
    assignments = simulator.record.histories[conversation].assignments
    parts = simulator.workspace.conversations[conversation].parts
    return sum(each.by == "api" for each in assignments), sum(part.kind == "note" for part in parts)


# What must hold


async def check_processed_once(live: Live, accepted: set[str]) -> None:
    """Each webhook that was answered 200 is stored, handled, and recorded by one fact."""
    stored = await live.rows("SELECT notification, handled_at IS NOT NULL FROM inbox")
    handled = {notification for notification, done in stored if done}
    assert accepted - handled == set(), "answered 200 and not handled"
    assert [notification for notification, done in stored if not done] == []
    [(payloads, facts)] = await live.rows(
        """SELECT (SELECT count(*) FROM inbox
                   WHERE (topic LIKE 'conversation%%' OR topic IN ('steelyard.read_back', 'steelyard.gone'))
                         AND outcome IN ('fact', 'late') AND reason IS DISTINCT FROM 'read back'),
                  (SELECT count(*) FROM ledger WHERE kind LIKE 'conversation.%%')"""
    )
    assert facts == payloads, "a payload was handled twice, or its fact is lost"
    await check_no_gaps(live)


async def check_no_gaps(live: Live) -> None:
    [(facts, first, last, position)] = await live.rows(
        """SELECT count(*), min(ledger.position), max(ledger.position), max(workspace.position)
           FROM ledger JOIN workspace USING (workspace)"""
    )
    assert (first, last, position) == (1, facts, facts), "the ledger has a gap"


async def check_decided_once(live: Live) -> None:
    """Each time a conversation is without an engineer calls for one decision, which is told to Intercom once."""
    histories = live.simulator.workspace.record.histories
    made = defaultdict(list)
    for conversation, winner, outcome in await live.rows(
        "SELECT conversation, winner, outcome FROM decision ORDER BY decision"
    ):
        made[conversation].append((winner, outcome))
    for conversation, decisions in made.items():
        given = [(each.by, each.admin) for each in histories[conversation].assignments]
        delivered = [winner for winner, outcome in decisions if outcome == "delivered"]
        # It is told again where a person took it away before its receipt was stored.
        told = [admin for admin, _ in groupby(admin for by, admin in given if by == "api")]
        assert {outcome for _, outcome in decisions} <= {"delivered", "overtaken"}, conversation
        assert len(decisions) <= 1 + sum(not admin for _, admin in given), f"{conversation}: {decisions} for {given}"
        assert is_within(told, [winner for winner, _ in decisions]), f"{conversation}: {given} for {decisions}"
        assert is_within(delivered, [admin for _, admin in given]), f"{conversation}: {delivered} of {given}"
    settled = await live.rows(
        """SELECT data ->> 'decision' FROM ledger
           WHERE kind IN ('decision.delivered', 'decision.overtaken', 'decision.failed')"""
    )
    assert [decision for decision, times in Counter(settled).items() if times > 1] == [], "settled twice"
    check_assigned_once(live.simulator)


def is_within(some: list[int], all: list[int]) -> bool:
    """Whether `some` are among `all`, in their order."""
    rest = iter(all)
    return not [each for each in some if each not in rest]


async def check_open_mirrored(live: Live) -> None:
    """What is open in Intercom is open here, with its owner and weight, and nothing else is."""
    there = {id: each for id, each in shown(live.simulator).items() if each[0]}
    here = {id: each for id, each in (await live.mirrored()).items() if each[0]}
    assert here == there


def longest_wait(simulator: Simulator) -> float:
    """Seconds that a conversation was without an engineer at most, from when Steelyard could know of it."""
    longest = 0.0
    for history in simulator.workspace.record.histories.values():
        since = history.created_sent_at
        for each in history.assignments:
            if each.admin and since is not None:
                longest = max(longest, each.at - since)
            since = None if each.admin else each.at
    return longest
