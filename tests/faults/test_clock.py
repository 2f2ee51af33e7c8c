"""The clock of the web and worker processes is set by hours while they run; database and Intercom keep the true time.

Nobody is lost, nothing is told twice, and nobody waits for an hour to pass.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from ground import (
    Served,
    all_ended,
    check_decided_once,
    check_open_mirrored,
    check_processed_once,
    connect,
    longest_wait,
    remember_accepted,
    settings_in,
)
from test_live import Live, check_nobody_lost, traffic, until

from steelyard.demo import run
from steelyard.demo.intercom import Config, Simulator, running
from steelyard.demo.intercom.seed import Seed
from steelyard.demo.intercom.webhooks import Timing, signature
from steelyard.store.database import Database

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
"""Of Debian's package faketime."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(LIBRARY is None, reason="the clock cannot be set for one process: apt install faketime"),
]

STEPS = ((1, "error"), (0, "error"), (-1, "rate_limit"), (2, "error"), (0, "error"))
"""How many hours the clock is then ahead, and what the next assignment meets: it is made again later, by a clock."""


class SetClock:
    """The clock of processes that run in `environment`: how far it is ahead of the true time can be changed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.environment = {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self.set(0)

    def set(self, hours: int) -> None:
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{hours * 3600:+d}")
        fresh.replace(self._file)  # a file that is half written would be read as no step


@asynccontextmanager
async def stage(app_url: str, folder: Path) -> AsyncIterator[tuple[SetClock, Served, Served, Simulator, Database]]:
    """A clock, web and worker under it (to be started), a simulated Intercom and the database under the true time."""
    clock, settings = SetClock(folder / "clock"), settings_in(folder)
    environment = clock.environment | {"DATABASE_URL": app_url}
    web, worker = (Served(name, settings, environment, "--role", name) for name in ("web", "worker"))
    config = Config(seed=Seed(3), timing=Timing(retry=0.5))
    async with Database.open(app_url, size=4) as database, running(config) as simulator, all_ended([web, worker]):
        yield clock, web, worker, simulator, database


async def test_a_clock_that_is_set_loses_nothing_and_delays_nothing(app_url: str, tmp_path: Path) -> None:
    async with stage(app_url, tmp_path) as (clock, web, worker, simulator, database):
        workspace = await connect(database, settings_in(tmp_path), simulator)
        live = Live(simulator, database, workspace, web.desk, tmp_path / "keys")
        accepted = remember_accepted(simulator)
        web.start()
        worker.start()
        await until(web.answers)
        await until(lambda: run._knows_engineers(database, workspace))
        await simulator.sender.subscribe(f"{web.desk}/hooks/intercom/demo")
        async with traffic(simulator, rate=8, seed=5):
            for hours, fault in STEPS:
                clock.set(hours)
                if hours > 0:
                    await asyncio.to_thread(worker.end)
                    worker.start()  # it reads the roster, by a wrong clock
                simulator.faults.plan("assign", [fault] * 2)
                await asyncio.sleep(3)
                await until(lambda: has_met_all(simulator))
        await live.settle(90)
        assert web.pid, "it went on"
        assert longest_wait(simulator) < 60, "seconds, not an hour: a busy machine needs some by itself"
        check_nobody_lost(simulator)
        await check_processed_once(live, accepted)
        await check_decided_once(live)
        await check_open_mirrored(live)
        away = {each.id: each.away for each in simulator.workspace.admins.values()}
        assert dict(await live.rows("SELECT engineer, (value ->> 'away')::bool FROM engineer")) == away


async def has_met_all(simulator: Simulator) -> bool:
    return not simulator.faults.planned


async def test_a_clock_that_is_set_back_keeps_no_old_answer(app_url: str, tmp_path: Path) -> None:
    """That nobody knows an app is remembered for ten seconds, not for an hour and ten seconds."""
    async with stage(app_url, tmp_path) as (clock, web, _, simulator, database):
        web.start()
        await until(web.answers)
        assert await answer_to_a_webhook(simulator, web.desk) == 401
        clock.set(-1)
        await connect(database, settings_in(tmp_path), simulator)

        async def is_known() -> bool:
            return await answer_to_a_webhook(simulator, web.desk) == 200

        await until(is_known, 15)


async def answer_to_a_webhook(simulator: Simulator, desk: str) -> int:
    config = simulator.config
    body = json.dumps({"app_id": config.app_id, "id": "n1", "topic": "ping"}).encode()
    headers = {"X-Hub-Signature": signature(config.client_secret, body)}
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.post(f"{desk}/hooks/intercom/demo", content=body, headers=headers)).status_code
