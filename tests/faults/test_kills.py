"""Kills at the worst moments: every accepted webhook is processed once, every decision is told once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ground import (
    ASSIGNMENT,
    ATTRIBUTES,
    NOTE,
    PATIENCE,
    SETTLED,
    Interrupted,
    Served,
    all_ended,
    ask_for_notes,
    check_decided_once,
    check_open_mirrored,
    check_processed_once,
    connect,
    is_delivered,
    longest_wait_here,
    read_back,
    remember_accepted,
    settings_in,
    somebody_waits,
    told_of,
    write_in,
)
from test_live import Live, assigned_since, check_mirrored, check_nobody_lost, kill_child, live, traffic, until
from test_serve import postmaster

from steelyard.demo import run
from steelyard.demo.intercom import Config, running
from steelyard.demo.intercom.seed import Seed
from steelyard.demo.intercom.webhooks import Timing
from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Database
from steelyard.store.embedded import APP, Embedded
from steelyard.store.migrate import prepare

pytestmark = [pytest.mark.slow, pytest.mark.timeout(480)]

WEBHOOKS = 2_000
VICTIMS = (["web"], ["worker"], ["worker"], ["database"], ["database", "worker"], ["web", "worker"])
"""Who dies at the same moment."""


async def test_kills_of_web_worker_and_database_lose_nothing(open_folder: Path) -> None:
    data = open_folder / f"kills-{time.monotonic_ns()}"
    settings = settings_in(data)
    embedded = Embedded.start(data)
    served = Served("serve", settings, {})
    draw = random.Random(11)
    config = Config(seed=Seed(3), timing=Timing(retry=2.0))
    async with running(config) as simulator, all_ended([served]):
        prepare(embedded.owner_url, APP)
        async with Database.open(embedded.app_url, size=4) as database:
            workspace = await connect(database, settings, simulator)
        embedded.stop()
        served.start()
        await until(served.answers)
        async with Database.open(embedded.app_url, size=4) as database:
            await until(lambda: run._knows_engineers(database, workspace))
            accepted = remember_accepted(simulator)
            await simulator.sender.subscribe(f"{served.desk}/hooks/intercom/demo")
            await asyncio.sleep(5)  # a process that dies right after its first start is not started again
            resumed: list[tuple[list[str], float]] = []
            deck: list[list[str]] = []
            async with traffic(simulator, rate=4, seed=7):
                while len(accepted) < WEBHOOKS or len(resumed) < len(VICTIMS):
                    await asyncio.sleep(draw.uniform(0.5, 4))
                    deck = deck or draw.sample(VICTIMS, len(VICTIMS))
                    victims = deck.pop()
                    numbers = [await running_number(victim, data, served) for victim in victims]
                    killed = time.monotonic()
                    for number in numbers:
                        os.kill(number, signal.SIGKILL)
                    await until(lambda at=killed: assigned_since(simulator, at), 2 * PATIENCE)
                    resumed.append((victims, time.monotonic() - killed))
                    await until(lambda: have_started(served))
            steelyard = Live(simulator, database, workspace, served.desk, settings.keys)
            await steelyard.settle(SETTLED)
            await read_back(steelyard)
            await steelyard.settle(SETTLED)
            assert len(resumed) >= len(VICTIMS), "too little was killed"
            assert max(seconds for victims, seconds in resumed if victims == ["worker"]) < longest_wait_here()
            check_nobody_lost(simulator)
            await check_processed_once(steelyard, accepted)
            await check_decided_once(steelyard)
            await check_open_mirrored(steelyard)


async def running_number(victim: str, data: Path, served: Served) -> int:
    """Of its process; where it has just ended by itself, as a worker does that stood still, of the next one."""
    async with asyncio.timeout(PATIENCE):
        while not (number := postmaster(data) if victim == "database" else served.child(f"--role {victim}")):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return number


async def have_started(served: Served) -> bool:
    return await served.answers() and served.child("--role worker") > 0


async def test_a_kill_between_a_call_and_its_receipt_repeats_nothing(
    app_url: str, superuser_url: str, tmp_path: Path
) -> None:
    async with live(app_url, tmp_path, seed=Seed(5, away=0)) as steelyard:
        await ask_for_notes(steelyard.database, steelyard.workspace)
        await asyncio.sleep(5)  # a process that dies right after its first start is not started again
        interrupted = Interrupted(steelyard.simulator)
        receipt = Receipt(superuser_url, steelyard.workspace)
        moments = {
            ATTRIBUTES: kill_worker,
            ASSIGNMENT: kill_worker,
            NOTE: kill_worker,
            "receipt": receipt.hold,
        }
        for moment in random.Random(5).sample(list(moments), len(moments)):
            interrupted.after[NOTE if moment == "receipt" else moment] = moments[moment]
            conversation = write_in(steelyard.simulator)
            if moment == "receipt":
                await receipt.is_about_to_be_stored()
                await kill_worker(conversation.id)
                await receipt.let_go()
            begun = time.monotonic()
            await until(lambda id=conversation.id: is_delivered(steelyard, id), 2 * PATIENCE)
            took = time.monotonic() - begun
            await steelyard.settle(SETTLED)
            assert not interrupted.after, f"{moment}: nobody was killed"
            assert told_of(steelyard.simulator, conversation.id) == (1, 1), f"{moment}: assignments, notes"
            assert took < longest_wait_here(), f"{moment}: {took:.1f} s"
        await check_decided_once(steelyard)
        await check_mirrored(steelyard)


@pytest.mark.parametrize("table", ["conversation", "conversation_text"])
async def test_a_kill_while_a_batch_is_recorded_records_it_once(
    app_url: str, superuser_url: str, tmp_path: Path, table: str
) -> None:
    async with live(app_url, tmp_path, seed=Seed(5, away=0)) as steelyard:
        accepted = remember_accepted(steelyard.simulator)
        await asyncio.sleep(5)  # a process that dies right after its first start is not started again
        async with await psycopg.AsyncConnection.connect(superuser_url) as conn:
            await conn.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            written = [write_in(steelyard.simulator) for _ in range(5)]
            await until(lambda: somebody_waits(superuser_url, "relation"))
            await kill_worker(written[0].id)
            await conn.rollback()
        for conversation in written:
            await until(lambda id=conversation.id: is_delivered(steelyard, id), 2 * PATIENCE)
        await steelyard.settle(SETTLED)
        assert [told_of(steelyard.simulator, each.id) for each in written] == [(1, 0)] * len(written)
        await check_processed_once(steelyard, accepted)
        await check_decided_once(steelyard)
        await check_mirrored(steelyard)


async def kill_worker(conversation: int) -> None:
    await kill_child("--role worker")


class Receipt:
    """Keeps the receipt of one decision from being stored, by a row of the same name that is never committed."""

    def __init__(self, superuser_url: str, workspace: WorkspaceId) -> None:
        self._url, self._workspace = superuser_url, workspace
        self._conn: psycopg.AsyncConnection[Any] | None = None

    async def hold(self, conversation: int) -> None:
        self._conn = conn = await psycopg.AsyncConnection.connect(self._url)
        await conn.execute(
            """INSERT INTO inbox (workspace, notification, topic, body)
               SELECT workspace, 'receipt ' || decision, 'steelyard.receipt', '' FROM decision
               WHERE workspace = %s AND conversation = %s""",
            (self._workspace, conversation),
        )

    async def is_about_to_be_stored(self) -> None:
        await until(lambda: somebody_waits(self._url, "transactionid"))

    async def let_go(self) -> None:
        assert self._conn is not None
        await self._conn.rollback()
        await self._conn.close()
