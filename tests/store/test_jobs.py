"""Jobs: deferred with the transaction that decided them, run once their worker lives, and again when it was killed."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import procrastinate
import psycopg
import pytest
from procrastinate.jobs import Job
from structlog.testing import capture_logs

from steelyard.jobs import app as jobs_app
from steelyard.jobs import heartbeat
from steelyard.jobs.app import defer_all, job_app, run_worker, workers_of
from steelyard.jobs.heartbeat import LIMIT
from steelyard.jobs.rescue import STALE, rescue, rescue_once
from steelyard.jobs.retry import Retry
from steelyard.kit.errors import RemoteError
from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Database, advice_on

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]


async def jobs_of(app: procrastinate.App) -> list[Job]:
    return list(await app.job_manager.list_jobs_async())


async def until(condition: Callable[[], bool | Awaitable[bool]], seconds: float) -> float:
    """Waits for `condition` and returns how long that took; fails after `seconds`."""
    started = time.monotonic()
    while True:
        met = condition()
        if await met if isinstance(met, Awaitable) else met:
            return time.monotonic() - started
        assert time.monotonic() - started < seconds, "it did not happen in time"
        await asyncio.sleep(0.02)


async def cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_job_lives_and_dies_with_its_transaction(
    database: Database, app_url: str, make_workspace: MakeWorkspace
) -> None:
    workspace = await make_workspace()
    app = job_app(app_url, size=2)

    @app.task(name="deliver", queue="deliver")
    async def deliver(workspace: str, decision: int) -> None: ...

    async with app.open_async():
        with pytest.raises(ZeroDivisionError):  # noqa: PT012 - what the block does is the subject
            async with database.transaction(workspace) as conn:
                await deliver.configure(connection=conn, lock="c1").defer_async(workspace=workspace, decision=1)
                raise ZeroDivisionError
        assert await jobs_of(app) == []
        async with database.transaction(workspace) as conn:
            await deliver.configure(connection=conn, lock="c1").defer_async(workspace=workspace, decision=1)
            await defer_all(
                conn,
                deliver,
                [(f"c{n}", {"workspace": workspace, "decision": n}) for n in (2, 1, 3)],
            )
            await defer_all(conn, deliver, [])
            assert await jobs_of(app) == []
        found = [(job.lock, job.task_kwargs["decision"], job.queue, job.status) for job in await jobs_of(app)]
        assert found == [(f"c{n}", n, "deliver", "todo") for n in (1, 2, 1, 3)]


@pytest.mark.parametrize("settings", [None, {}, {"schedule_in": {"seconds": 2}}], ids=["all", "one", "one later"])
async def test_what_cannot_be_deferred_is_an_error_of_its_transaction(
    database: Database, app_url: str, owner_url: str, settings: Any
) -> None:
    """Loops that go on after an error of the database then go on after this one, too."""
    with psycopg.connect(owner_url) as conn:
        conn.execute(
            """CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                   RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full';
               END $$"""
        )
        conn.execute("CREATE TRIGGER no_room BEFORE INSERT ON procrastinate_jobs EXECUTE FUNCTION no_room()")
    app = job_app(app_url, size=2)

    @app.task(name="deliver", queue="deliver")
    async def deliver(n: int) -> None: ...

    async with app.open_async():
        with pytest.raises(psycopg.errors.DiskFull) as raised:  # noqa: PT012 - the transaction is the subject
            async with database.cell() as conn:
                if settings is None:
                    await defer_all(conn, deliver, [("one", {"n": 1})])
                else:
                    await deliver.configure(connection=conn, **settings).defer_async(n=1)
        assert "the disk of the database is full" in str(advice_on(raised.value))


async def test_jobs_of_one_lock_run_in_order_and_finished_ones_are_deleted(database: Database, app_url: str) -> None:
    app = job_app(app_url, size=3)
    ran: list[int] = []
    running = 0

    @app.task(name="deliver", queue="deliver")
    async def deliver(n: int) -> None:
        nonlocal running
        running += 1
        assert running == 1
        await asyncio.sleep(0.01)
        running -= 1
        ran.append(n)
        if n == 3:
            raise ValueError("cannot be delivered")

    async with app.open_async():
        async with database.cell() as conn:
            await defer_all(conn, deliver, [("same", {"n": n}) for n in range(6)])
        worker = asyncio.create_task(run_worker(app, ["deliver"], 4))
        assert await until(lambda: len(ran) == 6, 20) < 2.5, "each waited for the next poll"

        async def only_the_failed_is_left() -> bool:
            return [job.status for job in await jobs_of(app)] == ["failed"]

        await until(only_the_failed_is_left, 10)
        await cancelled(worker)
    assert ran == list(range(6))


async def test_a_new_job_is_heard_before_the_next_poll(database: Database, app_url: str) -> None:
    app = job_app(app_url, size=3)
    ran = asyncio.Event()

    @app.task(name="quick", queue="quick")
    async def quick() -> None:
        ran.set()

    async with app.open_async():
        worker = asyncio.create_task(run_worker(app, ["quick"], 1))
        waits = []
        for _ in range(5):
            await asyncio.sleep(0.3)
            ran.clear()
            async with database.cell() as conn:
                await quick.configure(connection=conn).defer_async()
            waits.append(await until(ran.is_set, 10))
        await cancelled(worker)
    assert min(waits) < 0.3


async def test_without_a_hint_the_poll_finds_it(database: Database, app_url: str, owner_url: str) -> None:
    with psycopg.connect(owner_url) as conn:
        conn.execute("ALTER TABLE procrastinate_jobs DISABLE TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1")
    app = job_app(app_url, size=3)
    ran = asyncio.Event()

    @app.task(name="quiet", queue="quiet")
    async def quiet() -> None:
        ran.set()

    async with app.open_async():
        worker = asyncio.create_task(run_worker(app, ["quiet"], 1))
        await asyncio.sleep(0.3)
        async with database.cell() as conn:
            await quiet.configure(connection=conn).defer_async()
        assert await until(ran.is_set, 10) < 5
        await cancelled(worker)


async def test_a_job_that_fails_is_told_of_now_and_then_and_without_secrets(
    app_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_app, "_told", {})
    app = job_app(app_url, size=3)
    errors = {"ours": RemoteError("Intercom does not answer: wait"), "theirs": ValueError("the token is dG9rZW4")}

    for name, error in errors.items():

        @app.task(name=name, queue="q")
        async def fail(conversation: int, error: Exception = error) -> None:
            raise error

    async def have_failed(number: int) -> bool:
        return [job.status for job in await jobs_of(app)] == ["failed"] * number

    with capture_logs() as logs:
        async with app.open_async():
            for n in range(1, 4):
                for name in errors:
                    await app.configure_task(name).defer_async(conversation=n)
            worker = asyncio.create_task(run_worker(app, ["q"], 1))
            await until(lambda: have_failed(6), 20)
            told = [each for each in logs if each["event"] == "job.failed"]
            passed = time.monotonic() + 10
            monkeypatch.setattr(jobs_app, "time", SimpleNamespace(monotonic=lambda: passed))
            await app.configure_task("ours").defer_async(conversation=4)
            await until(lambda: have_failed(7), 20)
            await cancelled(worker)
    again = [each for each in logs if each["event"] == "job.failed"][len(told) :]
    assert [(each["task"], each["conversation"], each["error"], each["log_level"]) for each in told] == [
        ("ours", 1, "RemoteError", "warning"),
        ("theirs", 1, "ValueError", "warning"),
    ]
    assert told[0]["advice"] == "Intercom does not answer: wait"
    assert "report it" in told[1]["advice"]
    assert [each["conversation"] for each in again] == [4]
    assert "dG9rZW4" not in str(logs)


async def cut_again_and_again(database: Database, app_url: str, superuser_url: str, times: int) -> None:
    """Cuts a worker's connections while it takes and finishes jobs; at the end no job is left, and the worker stops."""
    app = job_app(app_url, size=3)
    ran: list[int] = []

    @app.task(name="count", queue="count")
    async def count(n: int) -> None:
        ran.append(n)

    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'steelyard jobs'"
    async with app.open_async():
        tasks = [asyncio.create_task(run_worker(app, ["count"], 1)), asyncio.create_task(rescue(database))]
        with psycopg.connect(superuser_url, autocommit=True) as conn:
            for n in range(times):
                async with database.cell() as mine:
                    await count.configure(connection=mine).defer_async(n=n)
                await until(lambda n=n: n in ran, 15)
                conn.execute(cut)

        async def nothing_is_left() -> bool:
            async with database.cell() as mine:
                return await (await mine.execute("SELECT count(*) FROM procrastinate_jobs")).fetchone() == (0,)

        await until(nothing_is_left, 20)
        for task in tasks:
            await asyncio.wait_for(cancelled(task), 15)


async def test_a_worker_survives_that_its_connections_are_cut(
    database: Database, app_url: str, superuser_url: str
) -> None:
    await cut_again_and_again(database, app_url, superuser_url, 3)


async def test_a_cancelled_worker_ends_although_its_connection_breaks(
    app_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """psycopg then raises the connection's error instead of the cancellation."""
    app = job_app(app_url)
    working = asyncio.Event()
    began = 0

    async def work(**_: object) -> None:
        nonlocal began
        began += 1
        if began > 1:
            raise asyncio.CancelledError
        working.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise psycopg.OperationalError("the connection is lost") from None

    monkeypatch.setattr(app, "run_worker_async", work)
    worker = asyncio.create_task(run_worker(app, ["any"], 1))
    await asyncio.wait_for(working.wait(), 20)
    worker.cancel()
    await asyncio.wait([worker], timeout=5)
    assert worker.cancelled()
    assert began == 1, "it began again instead of ending"


@pytest.mark.slow
async def test_no_job_stays_with_a_worker_that_could_not_finish_it(
    database: Database, app_url: str, superuser_url: str
) -> None:
    for _ in range(8):
        await cut_again_and_again(database, app_url, superuser_url, 4)


async def test_only_dead_workers_are_relieved_and_only_once(database: Database, app_url: str) -> None:
    app = job_app(app_url, size=3)
    async with app.open_async():
        for n in range(4):
            await app.configure_task("nothing", queue="q").defer_async(n=n)
        dead, alive = await app.job_manager.register_worker(), await app.job_manager.register_worker()
        taken = [await app.job_manager.fetch_job(["q"], worker) for worker in (dead, dead, alive)]
        async with database.cell() as conn:
            await conn.execute(
                "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '5 s' WHERE id = %s", [dead]
            )
        assert sum(await asyncio.gather(*(rescue_once(database) for _ in range(4)))) == 2
        found = {job.id: (job.status, job.attempts) for job in await jobs_of(app)}
        assert [found[job.id] for job in taken if job] == [("todo", 1), ("todo", 1), ("doing", 0)]
        again = await app.job_manager.fetch_job(["q"], alive)
        assert again is not None
        assert again.id == taken[0].id
        assert await rescue_once(database) == 0
        async with database.cell() as conn:
            await conn.execute("DELETE FROM procrastinate_workers WHERE id = %s", [alive])
        assert await rescue_once(database) == 2


# The clock is wrong, or is set


@pytest.mark.parametrize("wrong", [timedelta(hours=1), timedelta(hours=-1)])
async def test_jobs_are_due_by_the_databases_clock(
    database: Database, app_url: str, monkeypatch: pytest.MonkeyPatch, wrong: timedelta
) -> None:
    app = job_app(app_url, size=3)
    ran: dict[str, list[float]] = {"retried": [], "later": []}

    @app.task(name="retried", queue="q", retry=Retry())
    async def retried() -> None:
        ran["retried"].append(time.monotonic())
        if len(ran["retried"]) == 1:
            raise ValueError

    @app.task(name="later", queue="q")
    async def later() -> None:
        ran["later"].append(time.monotonic())

    for module in ("procrastinate.utils", "steelyard.jobs.app"):
        monkeypatch.setattr(f"{module}.utcnow", lambda: datetime.now(UTC) + wrong)
    async with app.open_async():
        began = time.monotonic()
        async with database.cell() as conn:
            await retried.configure(connection=conn).defer_async()
            await later.configure(connection=conn, schedule_in={"seconds": 2}).defer_async()
            await later.configure(schedule_in={"seconds": 2}).defer_async()
        worker = asyncio.create_task(run_worker(app, ["q"], 1))
        await until(lambda: len(ran["retried"]) == len(ran["later"]) == 2, 20)
        await cancelled(worker)
    assert ran["retried"][1] - ran["retried"][0] > 0.9
    assert ran["later"][0] - began > 1.9


@pytest.mark.parametrize("step", ["1 hour", "-1 hour"])
async def test_who_lives_keeps_its_jobs_when_the_databases_clock_is_set(
    database: Database, app_url: str, step: str
) -> None:
    """To the database, all heartbeats are then an hour old, or an hour ahead of it."""
    app = job_app(app_url, size=3)
    ran: list[float] = []

    @app.task(name="long", queue="q")
    async def long() -> None:
        ran.append(time.monotonic())
        await asyncio.sleep(60)

    async with app.open_async():
        await long.defer_async()
        worker = asyncio.create_task(run_worker(app, ["q"], 1, grace=0))
        rescuing = asyncio.create_task(rescue(database, every=0.02))
        await until(lambda: len(ran) == 1, 20)
        await asyncio.sleep(2.5)
        for _ in range(3):
            async with database.cell() as conn:
                await conn.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - %s::interval", [step])
            await asyncio.sleep(0.4)
        await asyncio.sleep(1)
        assert [job.status for job in await jobs_of(app)] == ["doing"]
        assert len(ran) == 1
        for task in (worker, rescuing):
            await cancelled(task)


async def test_a_dead_worker_with_a_heartbeat_from_the_future_is_relieved(database: Database, app_url: str) -> None:
    app = job_app(app_url, size=3)
    async with app.open_async():
        await app.configure_task("nothing", queue="q").defer_async()
        dead = await app.job_manager.register_worker()
        assert await app.job_manager.fetch_job(["q"], dead) is not None
        async with database.cell() as conn:
            await conn.execute("UPDATE procrastinate_workers SET last_heartbeat = now() + interval '1 hour'")
        assert await rescue_once(database) == 1


async def test_what_was_put_off_before_the_clock_was_set_back_is_due(database: Database, app_url: str) -> None:
    app = job_app(app_url, size=3)
    async with app.open_async():
        for attempts, seconds in ((1, 3600), (1, 30), (0, 3600)):
            await app.configure_task("nothing", queue="q").defer_async(n=attempts * seconds)
            async with database.cell() as conn:
                await conn.execute(
                    "UPDATE procrastinate_jobs SET attempts = %s, scheduled_at = now() + make_interval(secs => %s)"
                    " WHERE id = (SELECT max(id) FROM procrastinate_jobs)",
                    [attempts, seconds],
                )
        await rescue_once(database)
        async with database.cell() as conn:
            due = await (
                await conn.execute("SELECT scheduled_at <= now() FROM procrastinate_jobs ORDER BY id")
            ).fetchall()
    assert due == [(True,), (False,), (False,)]


WORKER = """
    import asyncio, sys
    import psycopg
    from steelyard.jobs.app import job_app, run_worker

    url = sys.argv[1]
    app = job_app(url, size=3)

    @app.task(name="deliver", queue="deliver")
    async def deliver(n: int) -> None:
        print("started", n, flush=True)
        await asyncio.sleep(60)

    async def main():
        async with app.open_async():
            await run_worker(app, ["deliver"], 2)

    asyncio.run(main())
"""


@pytest.mark.slow
async def test_delivery_resumes_within_ten_seconds_of_a_killed_worker(database: Database, app_url: str) -> None:
    app = job_app(app_url, size=3)
    ran: dict[int, float] = {}

    @app.task(name="deliver", queue="deliver")
    async def deliver(n: int) -> None:
        ran[n] = time.monotonic()

    victim = subprocess.Popen(  # noqa: ASYNC220 - starting it takes no time
        [sys.executable, "-c", textwrap.dedent(WORKER), app_url], stdout=subprocess.PIPE, text=True
    )
    try:
        async with app.open_async():
            async with database.cell() as conn:
                await defer_all(conn, deliver, [("one", {"n": 1}), ("two", {"n": 2}), ("one", {"n": 3})])
            assert victim.stdout is not None
            started = {await asyncio.to_thread(victim.stdout.readline) for _ in range(2)}
            assert started == {"started 1\n", "started 2\n"}
            tasks = [
                asyncio.create_task(run_worker(app, ["deliver"], 2)),
                *(asyncio.create_task(rescue(database)) for _ in range(2)),
            ]
            await asyncio.sleep(6)
            assert ran == {}, "the job of a worker that lives was taken from it"
            os.kill(victim.pid, signal.SIGKILL)
            killed = time.monotonic()
            await until(lambda: set(ran) == {1, 2, 3}, 20)
            assert max(ran.values()) - killed < 10
            for task in tasks:
                await cancelled(task)
            assert await jobs_of(app) == []
    finally:
        victim.kill()
        victim.wait()
        victim.stdout.close()


# Signs of life


async def beats(database: Database) -> list[float]:
    """The seconds since each worker's last heartbeat."""
    async with database.cell() as conn:
        rows = await conn.execute(
            "SELECT extract(epoch FROM now() - last_heartbeat)::float8 FROM procrastinate_workers"
        )
        return [seconds for (seconds,) in await rows.fetchall()]


async def test_a_worker_that_computes_stays_alive_to_others(database: Database, app_url: str) -> None:
    app = job_app(app_url, size=3)
    async with app.open_async(), heartbeat.beating(app_url, app):
        tasks = [asyncio.create_task(run_worker(app, [queue], 1)) for queue in ("one", "other")]
        await until(lambda: len(workers_of(app)) == 2, 10)
        await asyncio.sleep(0.5)
        until_then = time.monotonic() + LIMIT + 0.5
        while time.monotonic() < until_then:
            sum(range(1000))
        with psycopg.connect(app_url) as conn:  # before anything else can run here
            rows = conn.execute("SELECT now() - last_heartbeat FROM procrastinate_workers").fetchall()
        for task in tasks:
            await cancelled(task)
        assert len(rows) == 2
        assert max(silent for (silent,) in rows) < timedelta(seconds=2.5)
        assert workers_of(app) == frozenset()
    assert [thread for thread in threading.enumerate() if thread.name == "heartbeat"] == []


async def test_who_gave_up_its_name_is_dead_although_the_database_could_not_be_told(app_url: str) -> None:
    app = job_app(app_url, size=3)
    async with app.open_async():
        worker = await app.job_manager.register_worker()
        assert workers_of(app) == {worker}
    with pytest.raises(procrastinate.exceptions.AppNotOpen):
        await app.job_manager.unregister_worker(worker)
    assert workers_of(app) == frozenset()


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The statuses with which this process would have ended at once."""
    exits: list[int] = []
    monkeypatch.setattr(heartbeat, "os", SimpleNamespace(_exit=exits.append))
    return exits


@pytest.mark.parametrize("first", ["the thread", "the loop"])
async def test_a_process_that_stood_still_ends_whoever_goes_on_first(
    app_url: str, exits: list[int], monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    passed = [0.0]
    monkeypatch.setattr(heartbeat, "time", SimpleNamespace(clock_gettime=lambda _: passed[0]))
    if first == "the loop":
        monkeypatch.setattr(heartbeat._Heart, "run", lambda _: None)
    async with heartbeat.beating(app_url, job_app(app_url)):
        await asyncio.sleep(0.6)
        for step, statuses in ((LIMIT - 0.1, set[int]()), (LIMIT + 0.1, {75})):
            passed[0] = step if first == "the loop" else passed[0] + step
            if first == "the thread":
                time.sleep(0.6)  # noqa: ASYNC251 - so that nothing else can look
            await asyncio.sleep(0.6)
            assert set(exits) == statuses


async def test_a_database_that_does_not_answer_is_no_standing_still(
    exits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "LIMIT", 1.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://steelyard@127.0.0.1:{silent.getsockname()[1]}/steelyard"
        async with heartbeat.beating(url, job_app(url)):
            await asyncio.sleep(2.5)
    assert exits == []


@pytest.mark.slow
async def test_a_stopped_worker_ends_before_it_goes_on(database: Database, app_url: str) -> None:
    """What waits for an answer when it is stopped does not come to act on it."""
    app = job_app(app_url, size=3)
    victim = subprocess.Popen(  # noqa: ASYNC220 - starting it takes no time
        [sys.executable, "-c", textwrap.dedent(STOPPED), app_url], stdout=subprocess.PIPE, text=True
    )
    assert victim.stdout is not None
    try:
        async with app.open_async():
            await app.configure_task("deliver", queue="deliver").defer_async(n=1)
        assert await asyncio.to_thread(victim.stdout.readline) == "started 1\n"
        os.kill(victim.pid, signal.SIGSTOP)
        await asyncio.sleep(STALE)
        assert min(await beats(database)) > LIMIT
        os.kill(victim.pid, signal.SIGCONT)
        assert await asyncio.to_thread(victim.wait, 10) == 75
        assert victim.stdout.read() == ""
    finally:
        victim.kill()
        victim.wait()
        victim.stdout.close()


STOPPED = (
    WORKER.replace("sleep(60)", "sleep(2)\n        print('acted', n, flush=True)")
    .replace("async with app.open_async():", "async with app.open_async(), beating(url, app):")
    .replace("import psycopg", "from steelyard.jobs.heartbeat import beating")
)
"""It acts two seconds after it started."""
