"""From a webhook to its assignment, with 20,000 conversations open: how late, how many a second, how much memory.

Real web and worker processes, a durable PostgreSQL, and in this process a simulated Intercom that tells and is told.
Of a hundred webhooks 25 begin a conversation, 50 are the echoes of our assignments (Intercom tells each twice), and 25
are replies and closings. They come at random moments that are fixed beforehand, so a slow answer slows nothing down.
`--quick` does less of everything.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from _crew import Crew
from _ground import CELL, cpu_seconds, result, say, server
from steelyard.config import Settings
from steelyard.demo.intercom import Config, Simulator, running
from steelyard.jobs.processes import run
from steelyard.kit.ids import WorkspaceId
from steelyard.operations.demo import connect_simulated
from steelyard.store.database import Database
from steelyard.store.embedded import Embedded

RATE = 100
"""Webhooks per second of the rounds that are timed."""
SETTLED = 1.0
"""Seconds after the last event within which nothing may be waiting any more, for a rate to be held."""
PATIENCE = 120.0
"""Seconds in which whatever was begun must come to its end."""
_AHEAD = 200
"""Webhooks that may be on their way while the workspace is filled."""

_WAITING = """
SELECT (SELECT count(*) FROM inbox WHERE handled_at IS NULL) + (SELECT count(*) FROM decision WHERE outcome = 'pending')
"""
_HANDLED = "SELECT count(*) FROM inbox WHERE handled_at IS NOT NULL AND topic NOT LIKE 'steelyard.%'"
_DECIDED = "SELECT count(*) FROM decision"
_OPEN = "SELECT count(*) FROM conversation WHERE open"


class Size(NamedTuple):
    """How much is done."""

    open: int
    handled: int
    rounds: int
    seconds: int
    """Of a round at RATE."""
    rates: tuple[int, ...]
    """Tried one after the other until one is not held. The first is what is wanted at least."""
    held_seconds: int


WHOLE = Size(20_000, 100_000, 3, 40, (130, 200, 250), 60)
QUICK = Size(2_000, 10_000, 1, 15, (130,), 15)


class Stage(NamedTuple):
    """What runs."""

    database: Database
    workspace: WorkspaceId
    simulator: Simulator
    crew: Crew
    pids: dict[str, list[int]]
    """Of `web`, `worker` and `database`, whose first is the one that the others come from."""


class Round(NamedTuple):
    """What was seen at one rate."""

    per_second: float
    """Webhooks accepted."""
    latencies: list[float]
    """Milliseconds from a conversation's first webhook sent to its assignment arriving, in order of size."""
    settled: float
    """Seconds after the last event until nothing was waiting."""
    late: float
    """Milliseconds that the slowest of a hundred events was behind its moment: this process was the bottleneck."""
    cpu: dict[str, float]
    """Milliseconds of CPU per webhook, by process."""

    def at(self, share: float) -> float:
        """The latency that this share of the assignments kept below."""
        return round(self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))], 1)

    def __str__(self) -> str:
        cpu = ", ".join(f"{name} {used:.2f}" for name, used in self.cpu.items())
        return (
            f"{self.per_second:.0f}/s, {len(self.latencies)} assignments:"
            f" p50 {self.at(0.5)} ms, p99 {self.at(0.99)} ms, max {self.at(1.0)} ms;"
            f" settled after {self.settled:.1f} s, sent {self.late:.0f} ms late; CPU ms per webhook: {cpu}"
        )


# What runs


async def bench(size: Size, embedded: Embedded, folder: Path) -> None:
    """Fills a workspace, then measures."""
    settings = Settings(cell=CELL, keys=folder / "keys")
    url = embedded.app_url
    load = os.getloadavg()[0]
    async with running(Config()) as simulator, Database.open(url, size=2) as database:
        workspace = await connect_simulated(database, settings, simulator)
        with ExitStack() as stack:
            port = free_port()
            web = stack.enter_context(process("web", url, settings, port))
            worker = stack.enter_context(process("worker", url, settings, port))
            pids = {"web": [web], "worker": [worker], "database": postgres(embedded)}
            stage = Stage(database, workspace, simulator, Crew(simulator), pids)
            await until(lambda: answers(port), "the web process does not answer")
            await until(lambda: knows_engineers(stage), "the worker read no teammates")
            await simulator.sender.subscribe(f"http://127.0.0.1:{port}/hooks/intercom/{CELL}")
            filled = await fill(stage, size)
            await measure(stage, size, filled, load)


async def measure(stage: Stage, size: Size, filled: float, load: float) -> None:
    """The rounds at 100 a second, the highest rate that is held, the memory after all that; prints the result."""
    rounds: list[Round] = []
    for number in range(1, size.rounds + 1):
        rounds.append(await live(stage, RATE, size.seconds))
        say(f"round {number}: {rounds[-1]}")
    held = await highest_held(stage, size)
    memory = {name: pss(stage.pids[name][0]) for name in ("web", "worker")}
    best = min(rounds, key=lambda each: each.at(0.99))
    result(
        p99_ms=best.at(0.99),
        held_per_s=held,
        pss_mb=round(sum(memory.values()), 1),
        p50_ms=best.at(0.5),
        p99_of_rounds_ms=[each.at(0.99) for each in rounds],
        cpu_ms_per_webhook={name: round(used, 2) for name, used in best.cpu.items()},
        pss_of_mb={name: round(each, 1) for name, each in memory.items()},
        open=await count(stage, _OPEN),
        handled=await count(stage, _HANDLED),
        filled_per_s=round(filled),
        load_before=round(load, 2),
    )


async def fill(stage: Stage, size: Size) -> float:
    """Begins as many conversations as shall be open, and lets them live until as many webhooks as shall be are handled.

    All are away meanwhile and take what they want by hand, so nothing is decided. Webhooks handled per second.
    """
    crew = stage.crew
    await asyncio.sleep(1)  # the roster was read in this second, and a reading is newer than what is told in its second
    crew.all_leave()
    await quiet(stage)
    begun = time.perf_counter()
    for _ in range(size.open):
        crew.take(crew.begin())
        await room(stage)
    told = 3 * size.open
    for number in range(max(0, size.handled - told)):
        (crew.hear, crew.answer)[number % 2](crew.open[number % len(crew.open)])
        await room(stage)
    await quiet(stage)
    took = time.perf_counter() - begun
    if decided := await count(stage, _DECIDED):
        raise SystemExit(f"{decided} conversations were decided although everybody was away")
    crew.all_return()
    await quiet(stage)
    handled = await count(stage, _HANDLED)
    if handled < size.handled:
        raise SystemExit(f"{handled} webhooks were handled, not {size.handled}")
    say(f"{handled} webhooks handled in {took:.0f} s, {await count(stage, _OPEN)} conversations open")
    return handled / took


async def room(stage: Stage) -> None:
    """Waits while too many webhooks are on their way."""
    for _ in range(60_000):
        if stage.simulator.sender.unsettled <= _AHEAD:
            return
        await asyncio.sleep(0.002)
    raise SystemExit("webhooks are not accepted any more")


async def highest_held(stage: Stage, size: Size) -> int:
    """The highest of the rates that is held; 0 where not even the lowest is. Echoes of the last ones come after it."""
    held = 0
    for rate in size.rates:
        seen = await live(stage, rate, size.held_seconds)
        is_held = seen.settled <= SETTLED and seen.per_second >= 0.98 * rate
        say(f"at {rate}/s for {size.held_seconds} s: {'held' if is_held else 'not held'}: {seen}")
        if not is_held:
            break
        held = rate
    return held


async def live(stage: Stage, rate: int, seconds: int) -> Round:
    """Lets life go on at a rate for some seconds, and waits until nothing is waiting."""
    record, clock = stage.simulator.record, time.monotonic
    accepted, told, used = record.counts["accepted"], len(record.histories), cpu(stage)
    late: list[float] = []
    begun = clock()
    for due, act in stage.crew.moments(rate, seconds):
        await asyncio.sleep(max(0.0, begun + due - clock()))
        late.append((clock() - begun - due) * 1000)
        act()
    await asyncio.sleep(max(0.0, begun + seconds - clock()))
    ended = clock()
    per_second = (record.counts["accepted"] - accepted) / (ended - begun)
    await quiet(stage)
    settled = clock() - ended
    webhooks = record.counts["accepted"] - accepted
    now = cpu(stage)
    return Round(
        per_second,
        latencies(stage.simulator, told),
        settled,
        statistics.quantiles(late, n=100)[-1],
        {name: (now[name] - used[name]) * 1000 / webhooks for name in now},
    )


def latencies(simulator: Simulator, told: int) -> list[float]:
    """Milliseconds from the first webhook sent to the first assignment by us, of all conversations after `told`."""
    found: list[float] = []
    for history in list(simulator.record.histories.values())[told:]:
        ours = [each.at for each in history.assignments if each.by == "api" and each.admin]
        if history.created_sent_at is None or not ours:
            raise SystemExit("a conversation was begun and never assigned")
        found.append((ours[0] - history.created_sent_at) * 1000)
    return sorted(found)


# Processes


@contextmanager
def process(role: str, url: str, settings: Settings, port: int) -> Generator[int]:
    """`steelyard serve --role ROLE`, as a process of its own."""
    environment = os.environ | {
        "DATABASE_URL": url,
        "STEELYARD_CELL": CELL,
        "STEELYARD_KEYS": str(settings.keys),
        "STEELYARD_PORT": str(port),
        "STEELYARD_LOG_LEVEL": "warning",
    }
    started = subprocess.Popen([sys.executable, "-m", "steelyard", "serve", "--role", role], env=environment)
    try:
        yield started.pid
    finally:
        started.terminate()
        started.wait(20)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgres(embedded: Embedded) -> list[int]:
    """The first process of the server."""
    return [int((embedded.cluster / "postmaster.pid").read_text().split()[0])]


def children(pid: int) -> list[int]:
    """The processes that `pid` has started and that live."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cpu(stage: Stage) -> dict[str, float]:
    """Seconds of CPU used so far, by process; the database's with those of its own that have ended."""
    used = {name: sum(cpu_seconds(pid) for pid in pids) for name, pids in stage.pids.items()}
    first = stage.pids["database"][0]
    used["database"] += sum(map(cpu_seconds, children(first))) + cpu_seconds(first, ended=True)
    return used | {"simulator": time.process_time()}


def pss(pid: int) -> float:
    """Megabytes of memory of `pid` and its children, what is shared counted by its share."""
    whole = 0
    for each in (pid, *children(pid)):
        lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        whole += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return whole / 1024


# Waiting for what is known to come


async def quiet(stage: Stage) -> None:
    """Until every webhook is answered and handled, and every decision delivered."""
    await until(lambda: is_quiet(stage), "webhooks or deliveries do not go on")


async def is_quiet(stage: Stage) -> bool:
    """Whether nothing is waiting, twice in a row: a delivery has echoes."""
    for _ in range(2):
        if stage.simulator.sender.unsettled or await count(stage, _WAITING):
            return False
        await asyncio.sleep(0.05)
    return not stage.simulator.sender.unsettled


async def until(happened: Callable[[], Awaitable[bool]], otherwise: str) -> None:
    """Looks again and again."""
    end = time.monotonic() + PATIENCE
    while not await happened():
        if time.monotonic() > end:
            raise SystemExit(f"{otherwise} within {PATIENCE:.0f} s")
        await asyncio.sleep(0.05)


async def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def knows_engineers(stage: Stage) -> bool:
    """Whether the roster was read."""
    return await count(stage, "SELECT count(*) FROM engineer") > 0


async def count(stage: Stage, query: str) -> int:
    """The number that `query` gives."""
    async with stage.database.transaction(stage.workspace) as conn:
        row = await (await conn.execute(query.encode())).fetchone()
    return int(row[0]) if row is not None else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="less of everything, and less sure")
    with server() as at, tempfile.TemporaryDirectory() as own:
        run(bench(QUICK if parser.parse_args().quick else WHOLE, at, Path(own)))
