"""`steelyard demo`: a simulated Intercom, a seeded team and a stream of conversations, routed by the real processes."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import math
import random
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from steelyard.demo.intercom import Config, Simulator, running
from steelyard.demo.intercom.count import summary
from steelyard.demo.intercom.seed import Seed
from steelyard.demo.intercom.traffic import People
from steelyard.demo.messages import messages
from steelyard.kit.errors import ConfigError, SteelyardError
from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Database

REGION = "EU"
_PATIENCE = 30.0
_AS_FAST_AS_IT_FOLLOWS = 60.0
"""Conversations a second, where a file of messages is sent."""

Written = tuple[str, str, str]
"""Subject, body, language."""


class Options(NamedTuple):
    """How the demo runs. Without `duration` until it is stopped."""

    cell: str
    desk: str
    """The address of the web process."""
    rate: float
    seed: int
    duration: float | None
    messages: Path | None


class Stage(NamedTuple):
    """What the demo is given to run on."""

    database: Database
    connect: Callable[[Simulator], Awaitable[WorkspaceId]]
    """Makes the workspace, as an operator would."""
    processes: AbstractAsyncContextManager[None]
    """Web and worker, running inside."""
    settle: Callable[[WorkspaceId], Awaitable[None]]
    """Lets people in, once the teammates that they are in Intercom are known."""
    read: Callable[[WorkspaceId], Awaitable[None]]
    """Has everything read from Intercom, as it is every few minutes anyway."""


async def show(stage: Stage, options: Options, ready: Callable[[str], None]) -> dict[str, Any]:
    """Runs the demo; the figures of what happened. `ready` gets its Intercom's address when the desk can be opened."""
    written = read_messages(options.messages) if options.messages else _endless(options.seed)
    async with running(Config(seed=Seed(options.seed), region=REGION)) as simulator:
        workspace = await stage.connect(simulator)
        async with stage.processes:
            await _until(lambda: _answers(options.desk), "the web process does not answer")
            await _until(lambda: _knows_engineers(stage.database, workspace), "the worker read no teammates")
            await _tell_zones(stage.database, workspace, simulator)
            await stage.settle(workspace)
            await simulator.sender.subscribe(f"{options.desk}/hooks/intercom/{options.cell}")
            simulator.inbox_app.install(f"{options.desk}/canvas/{options.cell}")
            ready(simulator.base_url)
            await _live(simulator, written, options)
            await _until_quiet(stage.database, workspace, simulator)
            if simulator.workspace.record.counts["failed"]:  # Intercom gave up telling: only a reading shows it
                await stage.read(workspace)
                await _until_quiet(stage.database, workspace, simulator)
            return await figures(stage.database, workspace, simulator)


def read_messages(file: Path) -> list[Written]:
    """The messages of a CSV file with a column `text` (and perhaps `subject`, `language`), one conversation each.

    Raises ConfigError for a file that cannot be read so.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{file} cannot be read as CSV: {error}. Give a UTF-8 file with a column `text`") from None
    if not rows or "text" not in rows[0]:
        raise ConfigError(f"{file} has no messages: its first line must name a column `text`")
    return [(row.get("subject") or "", row["text"] or "", row.get("language") or "en") for row in rows]


def _endless(seed: int) -> Iterator[Written]:
    for message in messages(random.Random(seed)):  # noqa: S311 - repeatable, not secret
        yield message.subject, message.body, message.language


async def _live(simulator: Simulator, written: Any, options: Options) -> None:
    rate = _AS_FAST_AS_IT_FOLLOWS if options.messages else options.rate
    people = People(simulator.workspace, written, seed=options.seed, rate=rate)
    living = asyncio.create_task(people.run(options.duration or math.inf))
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, living.cancel)
    try:
        while not living.done() and not (options.messages and people.finished):
            await asyncio.wait({living}, timeout=0.2)
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
        living.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await living


async def _tell_zones(database: Database, workspace: WorkspaceId, simulator: Simulator) -> None:
    """Intercom does not say where its teammates are; in the demo they would have told Steelyard."""
    zones = {admin.id: admin.zone for admin in simulator.workspace.admins.values()}
    async with database.transaction(workspace) as conn:
        await conn.execute(
            """UPDATE teammate_name SET zone = known.zone
               FROM unnest(%s::bigint[], %s::text[]) AS known (engineer, zone)
               WHERE teammate_name.engineer = known.engineer""",
            (list(zones), list(zones.values())),
        )


# Waiting for what is known to come


async def _until(happened: Callable[[], Awaitable[bool]], otherwise: str) -> None:
    end = asyncio.get_running_loop().time() + _PATIENCE
    while not await happened():
        if asyncio.get_running_loop().time() > end:
            raise SteelyardError(f"the demo cannot start: {otherwise} within {_PATIENCE:.0f} s. See the output above")
        await asyncio.sleep(0.05)


async def _answers(address: str) -> bool:
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(f"{address}/health/live")).status_code == 200
    except httpx.TransportError:
        return False


async def _knows_engineers(database: Database, workspace: WorkspaceId) -> bool:
    return await _count(database, workspace, "SELECT count(*) FROM engineer") > 0


async def _until_quiet(database: Database, workspace: WorkspaceId, simulator: Simulator) -> None:
    """Until everything is told, handled, delivered and read back, the last echoes too, as long as it goes on."""
    clock = asyncio.get_running_loop().time
    for _ in range(2):
        least, end = math.inf, math.inf
        while left := await _unsettled(database, workspace, simulator):
            if left < least:
                least, end = left, clock() + _PATIENCE
            if clock() > end:
                raise SteelyardError(
                    f"the demo hangs: {left} webhooks, deliveries or readings do not go on. See the output above"
                )
        await asyncio.sleep(0.5)


async def _unsettled(database: Database, workspace: WorkspaceId, simulator: Simulator) -> int:
    await simulator.sender.drain(0.2)
    return simulator.sender.unsettled + await _count(database, workspace, _UNSETTLED)


async def _count(database: Database, workspace: WorkspaceId, query: Any) -> int:
    async with database.transaction(workspace) as conn:
        row = await (await conn.execute(query)).fetchone()
    return int(row[0]) if row is not None else 0


_UNSETTLED = """
SELECT (SELECT count(*) FROM inbox WHERE handled_at IS NULL) + (SELECT count(*) FROM decision WHERE outcome = 'pending')
     + (SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing') AND task_name LIKE 'routing.%')
"""

# Figures


async def figures(database: Database, workspace: WorkspaceId, simulator: Simulator) -> dict[str, Any]:
    """What happened, as the tables have it and as the simulated Intercom saw it."""
    told = summary(simulator.workspace)
    async with database.transaction(workspace) as conn:
        row = await (await conn.execute(_FIGURES)).fetchone()
        loads = [int(load) async for (load,) in await conn.execute(_LOADS)]
    stored, duplicates, ignored, decided, delivered, overtaken, failed, waiting, p50, p99 = row or (0,) * 10
    return {
        "received": told["webhooks"]["accepted"],
        "unanswered": told["webhooks"]["by_status"].get("0", 0),
        "stored": stored,
        "duplicates": duplicates,
        "ignored": ignored,
        "conversations": told["conversations"],
        "decided": decided,
        "delivered": delivered,
        "overtaken": overtaken,
        "failed": failed,
        "waiting": waiting,
        "lost": told["lost"],
        "decision_p50_ms": _rounded(p50),
        "decision_p99_ms": _rounded(p99),
        "webhook_to_assigned_p50_ms": told["webhook_to_assigned_ms"]["p50"],
        "webhook_to_assigned_p99_ms": told["webhook_to_assigned_ms"]["p99"],
        "max_minus_mean_weight": round(max(loads) - sum(loads) / len(loads), 2) if loads else 0,
        "calls": told["calls"],
    }


def _rounded(value: Any) -> float | None:
    return round(float(value), 1) if value is not None else None


# From stored to decided and recorded, of webhooks that begin a conversation.
_FIGURES = """
WITH webhooks AS (
    SELECT *, extract(epoch FROM handled_at - received_at) * 1000 AS took
    FROM inbox WHERE topic NOT LIKE 'steelyard.%'
)
SELECT count(*), coalesce(sum(copies - 1), 0), count(*) FILTER (WHERE outcome = 'ignored'),
       (SELECT count(*) FROM decision), (SELECT count(*) FROM decision WHERE outcome = 'delivered'),
       (SELECT count(*) FROM decision WHERE outcome = 'overtaken'),
       (SELECT count(*) FROM decision WHERE outcome = 'failed'),
       (SELECT count(*) FROM conversation WHERE open AND owner IS NULL),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY took) FILTER (WHERE topic = 'conversation.user.created'),
       percentile_cont(0.99) WITHIN GROUP (ORDER BY took) FILTER (WHERE topic = 'conversation.user.created')
FROM webhooks
"""

_LOADS = """
SELECT coalesce(sum(weight), 0) FROM engineer
LEFT JOIN (SELECT owner, weight FROM conversation WHERE open) AS conversation ON owner = engineer
WHERE NOT (value ->> 'away')::bool AND (value ->> 'seat')::bool AND (value ->> 'member')::bool
      AND (value ->> 'logged_in')::bool
GROUP BY engineer.engineer
"""
