"""Side effects, on the same PostgreSQL as the state they follow from: Procrastinate, with the defaults of this product.

A job is deferred in the transaction that decided it (`task.configure(connection=conn, lock=…).defer_async(…)` or
`defer_all`), so neither can exist without the other. Its arguments are ids only: the tables of jobs are of cell scope.
A job may run more than once, since a killed worker's jobs are given to another.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from math import inf
from typing import Any

import procrastinate
import procrastinate.exceptions
import psycopg
import structlog
from procrastinate.job_context import JobContext
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from procrastinate.tasks import Task
from procrastinate.utils import utcnow
from procrastinate.worker import Worker
from psycopg import AsyncConnection

from steelyard.kit.errors import SteelyardError
from steelyard.store import database
from steelyard.store.database import Pool, advice_on, end_if_cancelled
from steelyard.store.migrate import said

HEARTBEAT = 1.0
"""Seconds between two signs of life of a worker."""

CONNECTING: dict[str, Any] = {
    **database.CONNECTING,
    "options": f"{database.CONNECTING['options']} -c synchronous_commit=off",
}
"""How connections are made that do not wait for the disk."""

_POLL = 0.5
_TELL_EVERY = 10.0
_told: dict[tuple[str, str], float] = {}
"""When it was last told of a task and a class of error that it failed."""

log = structlog.get_logger()
_log = logging.getLogger(__name__)


def _is_news(record: logging.LogRecord) -> bool:
    """Not that the database is lost: `run_worker` says so in a line, Procrastinate in two tracebacks."""
    lost = procrastinate.exceptions.ConnectorException
    return not record.exc_info or not isinstance(record.exc_info[1], lost)


for _name in ("procrastinate.utils", "procrastinate.worker", "procrastinate.worker.worker"):
    logging.getLogger(_name).addFilter(_is_news)


def job_app(url: str, *, size: int = 8) -> procrastinate.App:
    """The Procrastinate app on the application's `url`; use it inside `async with app.open_async()`.

    Its own connections do not wait for the disk: what a crash of the machine may undo is that a job was taken or
    finished, and then it runs again. So a job that must not be lost is deferred with `connection=`.
    """
    connector = procrastinate.PsycopgConnector(
        pool_factory=Pool,
        conninfo=url,
        min_size=1,
        max_size=size,
        kwargs={**CONNECTING, "application_name": "steelyard jobs"},
        configure=_autocommit,
    )
    app = procrastinate.App(connector=connector)
    app.job_manager = _Manager(connector)
    return app


def deferring_app() -> procrastinate.App:
    """An app for what only ever defers with `connection=`: it is not opened, and has no connections of its own."""
    return job_app("")


def workers_of(app: procrastinate.App) -> frozenset[int]:
    """The numbers of the workers that run in this process; from any thread."""
    manager = app.job_manager
    return manager.workers if isinstance(manager, _Manager) else frozenset()


class _Manager(JobManager):
    """Tells by the database's clock when a job is due, which alone decides it. This machine's clock may be wrong.

    What cannot be deferred raises the error of psycopg: it is the error of the transaction that it is a part of.
    """

    workers: frozenset[int] = frozenset()
    """Those that run in this process."""

    async def register_worker(self) -> int:
        worker = await super().register_worker()
        self.workers |= {worker}
        return worker

    async def unregister_worker(self, worker_id: int) -> None:
        # First of all, and also when the database cannot be told: what is left of its jobs is to be rescued.
        self.workers -= {worker_id}
        await super().unregister_worker(worker_id)

    async def batch_defer_jobs_async(self, jobs: list[Job], connection: Any | None = None) -> list[Job]:
        try:
            if any(job.scheduled_at is not None for job in jobs):
                ahead = await self._ahead(connection)
                jobs = [job.evolve(scheduled_at=job.scheduled_at and job.scheduled_at + ahead) for job in jobs]
            return await super().batch_defer_jobs_async(jobs, connection)
        except procrastinate.exceptions.ConnectorException as error:
            if isinstance(error.__cause__, psycopg.Error):
                raise error.__cause__ from None
            raise

    async def retry_job_by_id_async(
        self,
        job_id: int,
        retry_at: datetime,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        await super().retry_job_by_id_async(job_id, retry_at + await self._ahead(None), priority, queue, lock)

    async def _ahead(self, connection: Any | None) -> timedelta:
        """How far the database's clock is ahead of ours."""
        query = "SELECT clock_timestamp() AS now"
        if connection is not None:
            row = await self.connector.execute_query_one_async_with_connection(connection, query=query)
        else:
            row = await self.connector.execute_query_one_async(query=query)
        return row["now"] - utcnow()


async def defer_all(
    conn: AsyncConnection[Any],
    task: Task[Any, Any, Any],
    jobs: Sequence[tuple[str, Mapping[str, int | str]]],
) -> None:
    """Defers one job of `task` for each (lock, arguments), in their order, by one statement in `conn`'s transaction.

    Jobs of one lock run one after the other. Raises psycopg.Error, as any statement of that transaction does.
    """
    if not jobs:
        return
    deferrers = [(task.configure(lock=lock), arguments) for lock, arguments in jobs]
    deferred: list[Job] = [deferrer.make_new_job(**arguments) for deferrer, arguments in deferrers]
    await deferrers[0][0].job_manager.batch_defer_jobs_async(jobs=deferred, connection=conn)


async def run_worker(app: procrastinate.App, queues: Sequence[str], concurrency: int, *, grace: float = 10.0) -> None:
    """Runs jobs of `queues` until cancelled, `concurrency` at a time; survives restarts of the database.

    Cancelling lets running jobs end for `grace` seconds, then aborts them. Finished jobs are deleted, failed ones kept
    (see store/retention.py). LISTEN wakes it, and it looks twice a second all the same.
    """
    pause = 0.2
    while True:
        try:
            await app.run_worker_async(
                queues=list(queues),  # a tuple would reach PostgreSQL as a row
                concurrency=concurrency,
                listen_notify=True,
                fetch_job_polling_interval=_POLL,
                update_heartbeat_interval=HEARTBEAT,
                shutdown_graceful_timeout=grace,
                delete_jobs="successful",
                install_signal_handlers=False,
                worker_middleware=[_when_done],
            )
            end_if_cancelled()
            _log.warning("the worker stopped by itself and starts again in %.1f s", pause)
        except (procrastinate.exceptions.ConnectorException, psycopg.Error, OSError) as error:
            end_if_cancelled()
            cause = error.__cause__ or error
            told = said(cause) if isinstance(cause, psycopg.Error) else type(cause).__name__
            _log.warning("the jobs' worker pauses for %.1f s: %s. %s", pause, told, advice_on(cause))
        await asyncio.sleep(pause)
        pause = min(pause * 2, 2.0)


async def _when_done(run: Callable[[], Awaitable[Any]], context: JobContext, worker: Worker) -> Any:
    """Runs a job, tells when it fails, and sees to what Procrastinate leaves open after it.

    The next job of its lock was not ready before, and nobody tells when it is: so the worker looks. And where the end
    of a job could not be written down, it would stay with this living worker for ever: so the worker gives up its
    name, and the rescue finds the job without an owner.
    """

    def after(ended: asyncio.Task[Any]) -> None:
        if not ended.cancelled() and ended.exception() is not None:
            worker.stop()
        elif context.job.lock is not None:
            worker._new_job_event.set()  # pyright: ignore[reportPrivateUsage]

    task = asyncio.current_task()
    if task is not None:
        task.add_done_callback(after)
    try:
        return await run()
    except Exception as error:
        _tell(context.job, error)
        raise


def _tell(job: Job, error: Exception) -> None:
    """Warns that a job failed, once in _TELL_EVERY for each task and class of error; says only what holds no secret."""
    kind, now = type(error).__name__, time.monotonic()
    if now - _told.get((job.task_name, kind), -inf) < _TELL_EVERY:
        return
    _told[job.task_name, kind] = now
    advice = "it is a mistake of the program: report it with this line"
    if isinstance(error, SteelyardError | psycopg.Error):
        advice = advice_on(error)
    log.warning("job.failed", **{**job.task_kwargs, "task": job.task_name, "job": job.id}, error=kind, advice=advice)


async def _autocommit(conn: AsyncConnection[Any]) -> None:
    # Each of its queries is one statement: a transaction around it would be two more round trips.
    await conn.set_autocommit(True)
