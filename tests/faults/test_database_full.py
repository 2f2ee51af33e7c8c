"""The disk of PostgreSQL is full while webhooks come: first there is no room for rows, then none for anything at all.

Nothing is answered with 200 that is not stored, nobody is lost, nothing is told to Intercom twice; who reads the log is
told what to do; and with room again everything goes on by itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from pathlib import Path
from threading import Thread
from typing import Any, Protocol

import httpx
import psycopg
import pytest
from ground import ask_for_notes, connect, free_port
from test_live import Live, check_assigned_once, check_mirrored, check_nobody_lost, traffic, until

from steelyard.config import Settings, to_environment
from steelyard.demo import run
from steelyard.demo.intercom import Config, Simulator, running
from steelyard.demo.intercom.seed import Seed
from steelyard.demo.intercom.webhooks import Timing, signature
from steelyard.store.database import Database
from steelyard.store.embedded import APP, DATABASE, Embedded
from steelyard.store.migrate import prepare

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

RETRY = 40.0
"""Seconds until the simulated Intercom sends again, once: later than there is room again."""

SLOW = 6.0
"""Seconds until Intercom's late answers come: later than it takes to fill the disk, so that no receipt finds room."""

RATE = 6.0
"""Conversations a second: so few that Intercom, after so many refusals, does not send nothing at all for a while."""

IN_FLIGHT = 3
"""Deliveries that wait for Intercom's answer while the disk gets full."""

SEGMENT = 16 << 20
"""Bytes of a file of PostgreSQL's log of changes. Where files may grow no further, only large tables are full."""

NOTHING = 4096
"""Bytes of a file that let PostgreSQL write nothing that matters."""


BALLAST = """
INSERT INTO inbox (workspace, notification, topic, body, handled_at, outcome)
SELECT workspace, %(name)s || n, 'ballast', decode(repeat(md5(n::text), %(size)s), 'hex'), now(), ''
FROM workspace, generate_series(1, %(count)s) AS n
"""

Superuser = psycopg.Connection[tuple[Any, ...]]


class Disk(Protocol):
    """Where the database is, and how it gets full."""

    def mounted(self, data: Path) -> AbstractContextManager[None]: ...

    def prepare(self, conn: Superuser) -> None: ...

    def no_room_for_rows(self, served: Served) -> None:
        """But for what the pages that are there still hold."""
        ...

    def no_room_at_all(self, served: Served, conn: Superuser) -> None:
        """Not for PostgreSQL's own log of changes either, so that it has to stop, and perhaps cannot start."""
        ...

    def room(self, served: Served) -> None: ...


class Served:
    """A running `steelyard serve` on the server it brings along; `log` is what it and its children say."""

    def __init__(self, settings: Settings, server: Embedded) -> None:
        self.settings, self.server = settings, server
        self.log: list[str] = []
        command = [sys.executable, "-m", "steelyard", "serve"]
        environment = os.environ | to_environment(settings)
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        self._reading = Thread(target=self._read, daemon=True)
        self._reading.start()

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self._reading.join(10)

    def postmaster(self) -> int:
        """The number of the server's first process; 0 where none runs."""
        with suppress(FileNotFoundError, IndexError):
            return int((self.server.cluster / "postmaster.pid").read_text().splitlines()[0])
        return 0

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self.log.append(line.rstrip())


class SmallDisk:
    """A small disk in memory that one large file fills up. Needs the right to mount."""

    @contextmanager
    def mounted(self, data: Path) -> Iterator[None]:
        command = ["mount", "-t", "tmpfs", "-o", "size=400m,mode=755", "steelyard-test", str(data)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
        try:
            yield
        finally:
            subprocess.run(["umount", "--lazy", str(data)], check=True)

    def prepare(self, conn: Superuser) -> None:
        pass

    def no_room_for_rows(self, served: Served) -> None:
        with (served.settings.data / "ballast").open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass

    def no_room_at_all(self, served: Served, conn: Superuser) -> None:
        with pytest.raises(psycopg.errors.DiskFull):
            self._write_log(conn)

    def _write_log(self, conn: Superuser) -> None:
        for _ in range(50):
            conn.execute("SELECT pg_logical_emit_message(false, 'full', 'x'), pg_switch_wal()")

    def room(self, served: Served) -> None:
        (served.settings.data / "ballast").unlink()


class SmallFiles:
    """Files that may not grow: PostgreSQL takes it as a full disk. Needs no rights, as it only limits what is ours."""

    def mounted(self, data: Path) -> AbstractContextManager[None]:
        return nullcontext()

    def prepare(self, conn: Superuser) -> None:
        conn.execute(BALLAST, {"name": "ballast", "count": 20_000, "size": 56})
        assert conn.execute("SELECT pg_relation_size('inbox') > %s", [SEGMENT]).fetchone() == (True,)

    def no_room_for_rows(self, served: Served) -> None:
        self._limit(served, SEGMENT)

    def no_room_at_all(self, served: Served, conn: Superuser) -> None:
        resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (NOTHING, resource.RLIM_INFINITY))
        self._limit(served, NOTHING)

    def room(self, served: Served) -> None:
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, unlimited)

    def _limit(self, served: Served, size: int) -> None:
        """Limits the server's processes as their own user, who may; those to come take it over from the first."""
        postmaster = served.postmaster()
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children")
        for process in (postmaster, *children.read_text().split()):
            served.server.account.run(["/usr/bin/prlimit", "--pid", str(process), f"--fsize={size}:"])


@asynccontextmanager
async def serving(data: Path) -> AsyncIterator[tuple[Served, Live]]:
    """`steelyard serve` on a database of its own in `data`, connected to a simulated Intercom."""
    port = free_port()
    settings = Settings(
        cell="demo", data=data, keys=data / "keys", port=port, open_to_loopback=True, log_level="warning"
    )
    desk = f"http://127.0.0.1:{port}"
    server = Embedded.start(data)
    try:
        prepare(server.owner_url, APP)
        config = Config(seed=Seed(3), timing=Timing(retry=RETRY, slow=SLOW))
        async with Database.open(server.app_url, size=4) as database, running(config) as simulator:
            workspace = await connect(database, settings, simulator)
            await ask_for_notes(database, workspace)
            served = Served(settings, server)
            try:
                await until(lambda: run._answers(desk))
                await until(lambda: run._knows_engineers(database, workspace))
                await simulator.sender.subscribe(f"{desk}/hooks/intercom/demo")
                yield served, Live(simulator, database, workspace, desk, settings.keys)
            finally:
                served.end()
    finally:
        server.stop()


@pytest.mark.parametrize("disk", [SmallDisk(), SmallFiles()], ids=["a small disk", "small files"])
async def test_a_full_disk_loses_nothing_and_repeats_nothing(disk: Disk, open_folder: Path) -> None:
    data = open_folder / f"full-{time.monotonic_ns()}"
    data.mkdir()
    data.chmod(0o755)
    with disk.mounted(data):
        async with serving(data) as (served, steelyard):
            simulator, statuses = steelyard.simulator, steelyard.simulator.record.statuses
            async with traffic(simulator, rate=RATE, seed=7):  # until there is room again, however long that takes
                await asyncio.sleep(2)
                with psycopg.connect(served.server.superuser_url, dbname=DATABASE, autocommit=True) as conn:
                    disk.prepare(conn)
                    await receipts_on_their_way(simulator)
                    disk.no_room_for_rows(served)
                    fill_pages(conn)
                    await asyncio.sleep(SLOW + 2)
                    refused = statuses[503]
                    disk.no_room_at_all(served, conn)
                    await until(lambda: has_stopped(conn))
                    await asyncio.sleep(3)  # with no room to start in
                    disk.room(served)
                assert refused > 0
                await until(lambda: is_stored(steelyard))
            await steelyard.settle(100)
            check_nobody_lost(simulator)
            check_assigned_once(simulator)
            check_noted_once(simulator)
            await check_mirrored(steelyard)
            await check_stored(steelyard)
    check_told(served.log)


def fill_pages(conn: Superuser) -> None:
    """Until the inbox would have to grow."""
    with suppress(psycopg.Error):
        for n in range(1000):
            conn.execute(BALLAST, {"name": f"page {n}", "count": 1, "size": 0})


async def receipts_on_their_way(simulator: Simulator) -> None:
    """Returns when some deliveries wait for their last answer, so that there will be no room for their receipts."""
    simulator.faults.plan("note", ["slow"] * IN_FLIGHT)
    await until(lambda: met(simulator, "calls_slow", IN_FLIGHT))


async def has_stopped(conn: Superuser) -> bool:
    """Whether PostgreSQL has stopped, and cut all connections."""
    with suppress(psycopg.OperationalError):
        conn.execute("SELECT 1")
    return conn.closed


async def met(simulator: Simulator, what: str, times: int) -> bool:
    return simulator.record.counts[what] >= times


async def is_stored(live: Live) -> bool:
    """Whether a webhook is."""
    config = live.simulator.config
    body = json.dumps({"app_id": config.app_id, "id": "is there room?", "topic": "ping"}).encode()
    headers = {"X-Hub-Signature": signature(config.client_secret, body)}
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.post(f"{live.desk}/hooks/intercom/demo", content=body, headers=headers)
    except httpx.TransportError:
        return False
    return answer.status_code == 200


def check_noted_once(simulator: Simulator) -> None:
    notes = [
        mark
        for each in simulator.workspace.conversations.values()
        for part in each.parts
        if part.body is not None
        for mark in re.findall(r"\[d-\d+\]", part.body.plain)
    ]
    assert len(notes) == len(set(notes)) > 0
    assert simulator.record.operations["update_conversation"] > len(notes), "no delivery had to be tried again"


async def check_stored(live: Live) -> None:
    """All that was answered with 200, and nothing was given up."""
    [(copies,)] = await live.rows(
        "SELECT sum(copies) FROM inbox WHERE topic NOT LIKE 'steelyard.%%' AND topic NOT IN ('ballast', 'ping')"
    )
    counts = live.simulator.record.counts
    assert counts["failed"] == 0
    assert counts["accepted"] == counts["published"] <= copies


def check_told(log: list[str]) -> None:
    """What is wrong and what to do, in a line now and then."""
    assert [line for line in log if "Traceback" in line] == []
    entries = [json.loads(line) for line in log if line.startswith("{")]
    refused = [each for each in entries if each["event"] == "ingest.not_stored"]
    assert any("disk of the database is full" in each["advice"] for each in refused)
    assert len(refused) <= 4
    assert len(log) <= 60
