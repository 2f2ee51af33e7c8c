"""Several machines on one PostgreSQL, as processes of their own: two web behind nginx, three workers, three workspaces.

Whichever of them is killed or hangs, nobody notices.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import psycopg
import pytest
from ground import (
    ASSIGNMENT,
    ATTRIBUTES,
    NOTE,
    PATIENCE,
    SETTLED,
    Call,
    Interrupted,
    Served,
    all_ended,
    ask_for_notes,
    check_decided_once,
    check_processed_once,
    connect,
    free_port,
    is_delivered,
    longest_wait,
    longest_wait_here,
    remember_accepted,
    settings_in,
    somebody_waits,
    told_of,
    write_in,
)
from test_live import Live, check_mirrored, check_nobody_lost, traffic, until

from steelyard.demo import run
from steelyard.demo.intercom import Config, running
from steelyard.demo.intercom.seed import Seed
from steelyard.demo.intercom.webhooks import Sender, Timing
from steelyard.store.database import Database
from steelyard.store.embedded import APP, Embedded
from steelyard.store.migrate import prepare

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NGINX = Path("/usr/sbin/nginx")


class Machines:
    """Web and worker processes on one database, and the workspaces they serve."""

    def __init__(self, database: Database, app_url: str, folder: Path) -> None:
        self.database, self._app_url, self.folder = database, app_url, folder
        self.webs: list[Served] = []
        self.workers: list[Served] = []
        self.processes: list[Served] = []
        self.workspaces: list[Live] = []

    def start(self, role: str) -> Served:
        """One more of them."""
        name = f"{role}-{len(self.processes)}"
        served = Served(name, settings_in(self.folder), {"DATABASE_URL": self._app_url}, "--role", role)
        (self.webs if role == "web" else self.workers).append(served)
        self.processes.append(served)
        served.start()
        return served

    async def look_after(self) -> None:
        """Starts again, until cancelled, what ended by itself since it stood still: as whoever runs it would."""
        while True:
            for each in self.processes:
                if each.stood_still():
                    each.start()
            await asyncio.sleep(0.2)

    async def works(self) -> bool:
        """Whether every web process answers, and every worker has said that it lives."""
        answering = [await each.answers() for each in self.webs]
        async with self.database.cell() as conn:
            workers = await conn.execute(
                "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '2 s'"
            )
            # Each has three: one that delivers, one that reads and tells, one that does runs at sites.
            return all(answering) and await workers.fetchone() == (3 * len(self.workers),)


@asynccontextmanager
async def machines(app_url: str, folder: Path, webs: int, workers: int, workspaces: int) -> AsyncIterator[Machines]:
    """So many of each, running; nothing is sent to them yet."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database.open(app_url, size=4))
        all = Machines(database, app_url, folder)
        for number in range(workspaces):
            config = Config(app_id=f"fleet{number}", seed=Seed(number, away=0), timing=Timing(retry=0.5, slow=0.4))
            simulator = await stack.enter_async_context(running(config))
            workspace = await connect(database, settings_in(folder), simulator)
            all.workspaces.append(Live(simulator, database, workspace, "", folder / "keys"))
        await stack.enter_async_context(all_ended(all.processes))
        for role in ("web",) * webs + ("worker",) * workers:
            all.start(role)
        looking = asyncio.create_task(all.look_after())
        stack.push_async_callback(asyncio.wait, [looking])
        stack.callback(looking.cancel)
        await until(all.works)
        for each in all.workspaces:
            await until(lambda live=each: run._knows_engineers(database, live.workspace))
        yield all


# nginx in front of the web processes

CONFIGURATION = """
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_body_buffer_size 1m;
    upstream web {{
        {servers}
        keepalive 16;
    }}
    server {{
        listen 127.0.0.1:{port};
        location /hooks/ {{
            proxy_pass http://web;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            # A webhook that is stored twice is counted, not handled twice: so it may go to the other one at any time.
            proxy_next_upstream error timeout http_502 http_503 http_504 non_idempotent;
            proxy_connect_timeout 1s;
            proxy_read_timeout 3s;
        }}
    }}
}}
"""


@contextmanager
def nginx(folder: Path, webs: list[Served]) -> Iterator[str]:
    """The address of an nginx that spreads webhooks over `webs`."""
    folder.mkdir()
    port = free_port()
    servers = "\n        ".join(f"server {each.desk.removeprefix('http://')} max_fails=0;" for each in webs)
    user = "user root;" if os.geteuid() == 0 else ""
    file = folder / "nginx.conf"
    file.write_text(CONFIGURATION.format(folder=folder, servers=servers, port=port, user=user))
    command = [NGINX, "-p", folder, "-c", file, "-e", folder / "error.log"]
    process = subprocess.Popen(command)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


async def hears(sender: Sender, address: str) -> bool:
    """Whether webhooks to that address arrive."""
    return await sender.subscribe(f"{address}/hooks/intercom/demo") == 200


@pytest.mark.skipif(not NGINX.exists(), reason="nginx is not installed: apt install nginx")
async def test_killing_any_process_is_noticed_by_nobody(app_url: str, tmp_path: Path) -> None:
    draw = random.Random(17)
    async with machines(app_url, tmp_path, webs=2, workers=3, workspaces=3) as all:
        with nginx(tmp_path / "nginx", all.webs) as address:
            accepted: dict[str, set[str]] = {}
            async with AsyncExitStack() as people:
                for number, live in enumerate(all.workspaces):
                    accepted[live.workspace] = remember_accepted(live.simulator)
                    await until(lambda sender=live.simulator.sender: hears(sender, address))
                    live.simulator.faults.set({"slow": 0.5})  # so that a kill meets deliveries on their way
                    await people.enter_async_context(traffic(live.simulator, rate=3, seed=number))
                for victim in draw.sample(all.processes, len(all.processes)):
                    await asyncio.sleep(draw.uniform(2, 5))
                    await until(victim.runs)
                    victim.kill()
                    await asyncio.sleep(draw.uniform(0, 3))
                    victim.start()
                    await until(all.works)
                await asyncio.sleep(2)
            for live in all.workspaces:
                await live.settle(SETTLED)
    async with Database.open(app_url, size=4) as database:
        for live in (each._replace(database=database) for each in all.workspaces):
            assert live.simulator.record.statuses.keys() == {200}, "a webhook was not taken"
            assert longest_wait(live.simulator) < longest_wait_here()
            check_nobody_lost(live.simulator)
            await check_processed_once(live, accepted[live.workspace])
            await check_decided_once(live)
            await check_mirrored(live)
    for each in all.workers:
        assert "routing.loaded" in each.log.read_text(), f"{each.name} routed nothing, so nothing is tried here"


# A worker that hangs, and goes on later as if nothing had happened


HELD = 10.0
"""Seconds after which PostgreSQL ends a transaction in which nothing happens: see store/database.py."""


async def test_a_worker_that_hangs_with_a_workspace_holds_it_no_longer_than_its_time_out(
    app_url: str, superuser_url: str, tmp_path: Path
) -> None:
    async with machines(app_url, tmp_path, webs=1, workers=1, workspaces=2) as all:
        first, second = all.workspaces
        [hanging] = all.workers
        for live in all.workspaces:
            assert await hears(live.simulator.sender, all.webs[0].desk)
        async with await psycopg.AsyncConnection.connect(superuser_url) as conn:
            await conn.execute("LOCK TABLE conversation IN EXCLUSIVE MODE")
            held = write_in(first.simulator)
            await until(lambda: somebody_waits(superuser_url, "relation"))
            hanging.signal(signal.SIGSTOP)
            hung = time.monotonic()
            await conn.rollback()
        all.start("worker")
        elsewhere = write_in(second.simulator)
        await until(lambda: is_assigned(second, elsewhere.id))
        assert time.monotonic() - hung < longest_wait_here(), "one workspace waits for another"
        await until(lambda: is_assigned(first, held.id))
        assert HELD / 2 < time.monotonic() - hung < HELD + longest_wait_here() / 2
        await asyncio.sleep(hung + 20 - time.monotonic())
        await begin_again(all, hanging)
        later = write_in(first.simulator)
        await until(lambda: is_assigned(first, later.id))
        for live in all.workspaces:
            await live.settle(SETTLED)
            await check_decided_once(live)
            await check_processed_once(live, set())
            await check_mirrored(live)


@pytest.mark.parametrize("moment", [ATTRIBUTES, ASSIGNMENT, NOTE], ids=["attributes", "assignment", "note"])
async def test_a_worker_that_hangs_in_a_delivery_repeats_nothing_when_it_goes_on(
    app_url: str, tmp_path: Path, moment: Call
) -> None:
    async with machines(app_url, tmp_path, webs=1, workers=1, workspaces=1) as all:
        [live] = all.workspaces
        [hanging] = all.workers
        await ask_for_notes(all.database, live.workspace)
        assert await hears(live.simulator.sender, all.webs[0].desk)
        hung: list[float] = []

        async def hang(conversation: int) -> None:
            hanging.signal(signal.SIGSTOP)
            hung.append(time.monotonic())
            all.start("worker")

        Interrupted(live.simulator).after[moment] = hang
        conversation = write_in(live.simulator)
        await until(lambda: is_delivered(live, conversation.id))
        assert time.monotonic() - hung[0] < HELD + longest_wait_here() / 2  # it may have had the workspace, too
        await begin_again(all, hanging)
        await live.settle(SETTLED)
        assert told_of(live.simulator, conversation.id) == (1, 1), "assignments, notes"
        await check_decided_once(live)
        await check_mirrored(live)


AWAY = 6.0
"""Seconds: longer than a worker may be silent, while the client still waits for Intercom's answer."""


async def test_a_database_that_is_away_during_a_delivery_has_it_told_once(open_folder: Path, tmp_path: Path) -> None:
    embedded = Embedded.start(open_folder / f"away-{time.monotonic_ns()}", durable=False)
    try:
        prepare(embedded.owner_url, APP)
        async with machines(embedded.app_url, tmp_path, webs=1, workers=2, workspaces=1) as all:
            [live] = all.workspaces
            assert await hears(live.simulator.sender, all.webs[0].desk)

            async def away(conversation: int) -> None:
                await asyncio.to_thread(embedded.stop)
                await asyncio.sleep(AWAY)
                await asyncio.to_thread(Embedded.start, embedded.data, durable=False)
                await asyncio.sleep(2.5)  # for whoever would take the job away from who has it

            Interrupted(live.simulator).after[ATTRIBUTES] = away
            conversation = write_in(live.simulator)
            await until(lambda: is_assigned(live, conversation.id), 2 * PATIENCE)
            await live.settle(SETTLED)
            assert told_of(live.simulator, conversation.id) == (1, 0), "assignments, notes"
            await check_decided_once(live)
            await check_mirrored(live)
    finally:
        embedded.stop()


async def begin_again(all: Machines, hanging: Served) -> None:
    """It goes on, and ends by itself, since others have its work by now; who looks after it starts it again."""
    starts = hanging.starts
    hanging.signal(signal.SIGCONT)

    async def was_started() -> bool:
        return hanging.starts > starts

    await until(was_started)
    await until(all.works)


async def is_assigned(live: Live, conversation: int) -> bool:
    return bool(live.simulator.workspace.conversations[conversation].admin)
