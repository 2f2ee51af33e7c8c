"""The worker process: routes, delivers, runs, watches, rescues and forgets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
import structlog
from procrastinate import App
from procrastinate.exceptions import ConnectorException

from steelyard.adapters.notify import Apprise
from steelyard.config import Settings
from steelyard.jobs.app import job_app, run_worker
from steelyard.jobs.heartbeat import beating
from steelyard.jobs.processes import end_with_parent
from steelyard.jobs.rescue import rescue
from steelyard.kit.instants import moment
from steelyard.kit.metrics import Sample
from steelyard.main.clients import clients_of
from steelyard.main.ground import ledger, now, unseal_with
from steelyard.main.toolbox import tidy_toolbox, toolbox_jobs
from steelyard.routing import calls as intercom_calls
from steelyard.routing import tell
from steelyard.routing.calls import Calls
from steelyard.routing.deeds import Deeds
from steelyard.routing.deliver import Delivery
from steelyard.routing.health import Thresholds
from steelyard.routing.ready import Ready
from steelyard.routing.reconcile import Reconcile
from steelyard.routing.router import Router
from steelyard.routing.tasks import DELIVER, READ, RoutingJobs
from steelyard.routing.watch import Watch
from steelyard.routing.work import work
from steelyard.store.database import Database, advice_on, end_if_cancelled
from steelyard.store.keys import WEB, WORKER
from steelyard.store.retention import expire
from steelyard.toolbox.tasks import TOOLBOX
from steelyard.web.vitals import Vitals, serve_vitals

_EXPIRE_EVERY = 3600.0
_READ_EVERY = 300.0
_READINGS = 8
"""Conversations and rosters read, and alarms told, at once."""


log = structlog.get_logger()


class Routing(NamedTuple):
    """What routes in a process, put together."""

    app: App
    jobs: RoutingJobs
    reconcile: Reconcile
    router: Router


@asynccontextmanager
async def routing(database: Database, url: str, keys: Path, calls: Calls | None = None) -> AsyncGenerator[Routing]:
    """What routes the cell's workspaces, while the block runs. `keys`: the folder of the key files."""
    async with clients_of(database, keys, calls) as clients:
        app, reconcile = job_app(url), Reconcile(database, clients.of, now)
        delivery = Delivery(database, clients.of, clients.writes_notes, now)
        jobs = RoutingJobs(app, database, delivery, reconcile, Deeds(database, clients.of, now))
        async with app.open_async():
            yield Routing(app, jobs, reconcile, Router(database, ledger(), jobs, now))


async def run_worker_process(settings: Settings, url: str) -> None:
    """Routes, delivers, watches, rescues and forgets until it is cancelled."""
    calls = Calls(now)
    async with (
        Database.open(url, size=10 + settings.runs // 2, name="steelyard worker") as database,
        routing(database, url, settings.keys, calls) as parts,
        beating(url, parts.app),
        asyncio.TaskGroup() as group,
    ):
        toolbox_jobs(parts.app, database, settings.runbooks, settings.keys, settings.slots)
        group.create_task(_read_back(database, parts.jobs))
        group.create_task(work(database, parts.router))
        group.create_task(_watch(database, settings, parts.app, calls).run())
        # Of their own, lest deliveries that wait for Intercom keep an alarm from being told.
        group.create_task(run_worker(parts.app, (DELIVER,), settings.deliveries))
        group.create_task(run_worker(parts.app, (READ, tell.TELL), _READINGS))
        # A run may take minutes: nobody's reading waits for one, and what is cut off is taken up again.
        group.create_task(run_worker(parts.app, (TOOLBOX,), settings.runs))
        if settings.metrics_port:
            group.create_task(serve_vitals(_worker_vitals(database, settings, calls), settings.metrics_port))
        group.create_task(rescue(database))
        group.create_task(_forget(database, settings.keys))
        group.create_task(end_with_parent())


def _watch(database: Database, settings: Settings, app: App, calls: Calls) -> Watch:
    apprise, unseal = Apprise(settings.alarm_addresses), unseal_with(settings.keys, WEB)
    told = tell.TellJobs(app, database, apprise, settings.alarm_language, unseal, now)
    thresholds = Thresholds(settings.alarm_undelivered, settings.alarm_drift, settings.alarm_silence)
    return Watch(database, thresholds, calls, told, now)


def _worker_vitals(database: Database, settings: Settings, calls: Calls) -> Vitals:
    """A worker is ready when it can open the tokens it works with."""

    async def samples() -> list[Sample]:
        return list(calls.samples())

    ready = Ready(database, unseal_with(settings.keys, WORKER), worker=True)
    return Vitals(ready.reasons, intercom_calls.METRICS, samples)


async def _read_back(database: Database, jobs: RoutingJobs) -> None:
    """What no webhook told is read from Intercom: what happened unheard, and who is in which team."""
    at_start = True
    while True:
        with _patience("reading_back"):
            async with database.cell() as conn:
                rows = await (await conn.execute("SELECT workspaces_of_cell()")).fetchall()
            for (workspace,) in rows:
                async with database.transaction(workspace) as conn:
                    await jobs.read_everything(conn, workspace, at_start)
            at_start = False
        await asyncio.sleep(_READ_EVERY)


async def _forget(database: Database, keys: Path) -> None:
    while True:
        with _patience("tidying"):
            await tidy_toolbox(database, keys)
        with _patience("expiring"):
            await expire(database, moment(now()))
        await asyncio.sleep(_EXPIRE_EVERY)


@contextmanager
def _patience(what: str) -> Generator[None]:
    """What a round could not do without the database, the next one does."""
    try:
        yield
    except (psycopg.Error, OSError, ConnectorException) as error:
        end_if_cancelled()
        log.warning("round.left_out", what=what, error=type(error).__name__, advice=advice_on(error))
