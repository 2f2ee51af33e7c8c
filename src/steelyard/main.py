"""The composition root: the only file that knows every room and every adapter, and makes processes of them."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, MutableMapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import structlog
import uvicorn
from procrastinate import App

from steelyard.adapters.intercom.client import Intercom
from steelyard.adapters.intercom.signature import verify
from steelyard.adapters.notify import Apprise
from steelyard.config import Settings
from steelyard.jobs.app import deferring_app, job_app, run_worker
from steelyard.jobs.heartbeat import beating
from steelyard.jobs.processes import end_with_parent
from steelyard.jobs.rescue import rescue
from steelyard.kit.ids import CellId, WorkspaceId
from steelyard.kit.instants import SECOND, Micros, moment
from steelyard.kit.metrics import Sample
from steelyard.people import pages as people_pages
from steelyard.people.gate import Gate
from steelyard.routing import calls as intercom_calls
from steelyard.routing import pages as routing_pages
from steelyard.routing import store, tell
from steelyard.routing.acts import Acts
from steelyard.routing.calls import Calls
from steelyard.routing.connections import Unseal, read_token
from steelyard.routing.decisions import fold_decisions
from steelyard.routing.deeds import Deeds
from steelyard.routing.deliver import Delivery
from steelyard.routing.health import Thresholds
from steelyard.routing.inbox import CellInbox
from steelyard.routing.ingest import Ingest
from steelyard.routing.metrics import METRICS as ROUTING_METRICS
from steelyard.routing.metrics import CellMetrics, ingest_samples
from steelyard.routing.policy import Policy, parse
from steelyard.routing.ready import Ready
from steelyard.routing.reconcile import Reconcile
from steelyard.routing.router import Router
from steelyard.routing.tasks import DELIVER, READ, ActJobs, RoutingJobs
from steelyard.routing.told import POLICY
from steelyard.routing.watch import Watch
from steelyard.routing.work import work
from steelyard.store.database import Connection, Database, advice_on
from steelyard.store.keys import WEB, WORKER, Keys, key_file
from steelyard.store.ledger import Fold, Ledger
from steelyard.store.retention import expire
from steelyard.web.console import create_console
from steelyard.web.guard import LOOPBACK_NAMES, Guard
from steelyard.web.pages import Pages
from steelyard.web.static import read_static
from steelyard.web.vitals import LIVE, METRICS, READY, Vitals, serve_vitals

ROOMS = {name: Path(str(resources.files(f"steelyard.{name}").joinpath("templates"))) for name in ("people", "routing")}
"""The folder of each room's templates."""

Message = MutableMapping[str, Any]
Asgi = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

CONNECTION_KNOWN = 30.0
"""Seconds in which a stored token is used without looking again."""

_EXPIRE_EVERY = 3600.0
_READ_EVERY = 300.0
_READINGS = 8
"""Conversations and rosters read, and alarms told, at once."""


log = structlog.get_logger()


def now() -> Micros:
    """The time. Nothing below this file reads a clock of its own for what it records."""
    return Micros(time.time_ns() // 1000)


def ledger() -> Ledger:
    """The ledger with the folds of every room."""
    return Ledger([Fold("decision.", fold_decisions)])


def acts(database: Database) -> Acts:
    """What people do; the worker works off the jobs that follow from it."""
    return Acts(database, ledger(), ActJobs(deferring_app()), now)


def shipped_policy() -> str:
    """The text of the policy that comes with this release."""
    return resources.files("steelyard.routing").joinpath("policy.toml").read_text("utf-8")


async def adopt_policy(conn: Connection, workspace: WorkspaceId, text: str) -> Policy:
    """Puts a policy in force in a workspace. Raises PolicyError where it is none."""
    policy = parse(text)
    await store.adopt_policy(conn, workspace, policy.digest, text)
    at = now()
    row = (f"policy {at}", {"created_at": at // SECOND, "policy": policy.digest})
    await store.put_in_inbox(conn, workspace, POLICY, [row])
    return policy


# The web process


@asynccontextmanager
async def web_app(settings: Settings, url: str) -> AsyncGenerator[Asgi]:
    """What the web process serves: ingest before everything else, then the console."""
    async with (
        Database.open(url, size=10, name="steelyard web") as database,
        aclosing(CellInbox(database, time.monotonic, _unseal(settings.keys, WEB))) as inbox,
    ):
        cell = CellId(settings.cell)
        hosts = {CellId(name): host for name, host in settings.cells.items()}
        ingest = Ingest(cell, hosts, inbox, verify)
        static = read_static()
        pages = Pages(static, ROOMS)

        async def changes(workspace: WorkspaceId) -> AsyncGenerator[None, None]:
            async for _ in database.listen(store.DESK, 2.0):
                yield

        gate = Gate(database, pages, cell, open_to_loopback=settings.open_to_loopback)
        shown = [
            *people_pages.routes(database, ledger(), pages, secure=settings.console_url is not None),
            *routing_pages.routes(database, pages, acts(database), changes),
        ]
        console = create_console(static, pages, shown, gate, hosts=LOOPBACK_NAMES | settings.console_names)
        yield _front(ingest, console, _web_vitals(database, settings, ingest))


def _front(ingest: Any, console: Any, vitals: Vitals) -> Asgi:
    """Webhooks go past everything that pages need."""
    metrics = Guard(vitals)

    def front(scope: Message, receive: Any, send: Any) -> Awaitable[None]:
        path: str = scope.get("path", "")
        if path.startswith("/hooks/") and scope["type"] == "http":
            return ingest(scope, receive, send)
        if path in (LIVE, READY):
            return vitals(scope, receive, send)
        return (metrics if path == METRICS else console)(scope, receive, send)

    return front


def _web_vitals(database: Database, settings: Settings, ingest: Ingest) -> Vitals:
    """A web process is ready when it can verify webhooks and store them."""
    cell_metrics = CellMetrics(database, now)

    async def samples() -> list[Sample]:
        return [*ingest_samples(ingest), *await cell_metrics.samples()]

    ready = Ready(database, _unseal(settings.keys, WEB), worker=False, also=ingest.trouble)
    return Vitals(ready.reasons, ROUTING_METRICS, samples)


def _unseal(keys: Path, name: str) -> Unseal:
    return Keys(key_file(keys, name)).unseal


async def run_web(settings: Settings, url: str) -> None:
    """Serves until it is told to stop."""
    async with web_app(settings, url) as app:
        watching = asyncio.create_task(end_with_parent())
        await uvicorn.Server(uvicorn_config(app, settings.host, settings.port)).serve()
        watching.cancel()


def uvicorn_config(app: Any, host: str, port: int) -> uvicorn.Config:
    """How a web process serves `app`."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http="httptools",
        ws="none",
        interface="asgi3",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=3,
    )


# The worker process


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
        Database.open(url, size=10, name="steelyard worker") as database,
        routing(database, url, settings.keys, calls) as parts,
        beating(url, parts.app),
        asyncio.TaskGroup() as group,
    ):
        group.create_task(_read_back(database, parts.jobs))
        group.create_task(work(database, parts.router))
        group.create_task(_watch(database, settings, parts.app, calls).run())
        # Of their own, lest deliveries that wait for Intercom keep an alarm from being told.
        group.create_task(run_worker(parts.app, (DELIVER,), settings.deliveries))
        group.create_task(run_worker(parts.app, (READ, tell.TELL), _READINGS))
        if settings.metrics_port:
            group.create_task(serve_vitals(_worker_vitals(database, settings, calls), settings.metrics_port))
        group.create_task(rescue(database))
        group.create_task(_forget(database))
        group.create_task(end_with_parent())


def _watch(database: Database, settings: Settings, app: App, calls: Calls) -> Watch:
    apprise, unseal = Apprise(settings.alarm_addresses), _unseal(settings.keys, WEB)
    told = tell.TellJobs(app, database, apprise, settings.alarm_language, unseal, now)
    thresholds = Thresholds(settings.alarm_undelivered, settings.alarm_drift, settings.alarm_silence)
    return Watch(database, thresholds, calls, told, now)


def _worker_vitals(database: Database, settings: Settings, calls: Calls) -> Vitals:
    """A worker is ready when it can open the tokens it works with."""

    async def samples() -> list[Sample]:
        return list(calls.samples())

    ready = Ready(database, _unseal(settings.keys, WORKER), worker=True)
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


async def _forget(database: Database) -> None:
    while True:
        with _patience("expiring"):
            await expire(database, moment(now()))
        await asyncio.sleep(_EXPIRE_EVERY)


@contextmanager
def _patience(what: str) -> Generator[None]:
    """What a round could not do without the database, the next one does."""
    try:
        yield
    except (psycopg.Error, OSError) as error:
        log.warning("round.left_out", what=what, error=type(error).__name__, advice=advice_on(error))


class Clients:
    """The Intercom of each workspace, opened when first asked for and kept while the process lives."""

    def __init__(self, database: Database, unseal: Unseal, calls: Calls | None = None) -> None:
        """`unseal` opens the tokens; `calls` is told of every call."""
        self._calls = calls
        self._database = database
        self._unseal = unseal
        self._open: dict[tuple[str, str], Intercom] = {}
        self._known: dict[WorkspaceId, tuple[Intercom, float]] = {}
        self._notes: dict[tuple[WorkspaceId, str], bool] = {}

    async def of(self, workspace: WorkspaceId) -> Intercom:
        """The workspace's Intercom, by what was stored of it at most half a minute ago, so that a new token is used.

        Raises ConfigError for a workspace that is not connected, KeyFileError where its token cannot be opened.
        """
        known = self._known.get(workspace)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        async with self._database.transaction(workspace) as conn:
            reached = await read_token(conn, workspace, self._unseal)
        client = self._open.get(reached)
        if client is None:
            observe = self._calls.of(workspace) if self._calls is not None else None
            client = self._open[reached] = Intercom(*reached, observe=observe)
        self._known[workspace] = client, time.monotonic() + CONNECTION_KNOWN
        return client

    async def writes_notes(self, workspace: WorkspaceId, policy: str) -> bool:
        """Whether the policy of that digest wants a note with the reason on each assignment."""
        found = self._notes.get((workspace, policy))
        if found is None:
            async with self._database.transaction(workspace) as conn:
                found = parse(await store.policy_text(conn, workspace, policy)).note
            self._notes[workspace, policy] = found
        return found

    async def close(self) -> None:
        """Closes every connection."""
        for client in self._open.values():
            await client.aclose()


@asynccontextmanager
async def clients_of(database: Database, keys: Path, calls: Calls | None = None) -> AsyncGenerator[Clients]:
    """The clients of a process, closed at its end. `keys`: the folder of the key files."""
    clients = Clients(database, _unseal(keys, WORKER), calls)
    try:
        yield clients
    finally:
        await clients.close()


# Logs


def log_as(level: str, to_terminal: bool) -> None:
    """Logs JSON lines, or readable ones to a terminal. Neither ever holds a body, a name, an address or a secret."""
    logging.basicConfig(level=level.upper(), format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # One line for each attempt of each connection, while what needs them says so itself.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer() if to_terminal else structlog.processors.JSONRenderer(),
        ],
        # Standard output is for what commands print.
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
    )
