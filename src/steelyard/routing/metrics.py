"""Routing's metrics: what the web process counted itself, and what the tables of the whole cell say when asked."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import psycopg
from psycopg import AsyncConnection

from steelyard.jobs.heartbeat import ALIVE
from steelyard.kit.ids import WorkspaceId
from steelyard.kit.instants import SECOND, Micros
from steelyard.kit.metrics import Histogram, Kind, Metric, Sample
from steelyard.kit.scopes import Scope
from steelyard.routing import calls, codec, health
from steelyard.routing.health import Figures, Thresholds
from steelyard.routing.ingest import Ingest
from steelyard.routing.labels import read_policies
from steelyard.routing.model import Exclusion
from steelyard.routing.router import ignored
from steelyard.routing.rows import one, rows
from steelyard.routing.state import State
from steelyard.routing.watch import read_figures
from steelyard.store.database import Database

_W, _C = Scope.WORKSPACE, Scope.CELL
_COUNTER, _GAUGE, _HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM
_OF = ("workspace",)

WEBHOOKS = Metric(
    "steelyard_webhooks_total", _COUNTER, _C, "Requests of /hooks to this web process, by their status.", ("status",)
)
BATCHES = Metric("steelyard_ingest_batch_webhooks", _HISTOGRAM, _C, "Webhooks that one commit stored.")
COMMITS = Metric("steelyard_ingest_commit_seconds", _HISTOGRAM, _C, "Seconds that storing a commit's webhooks took.")
DATABASE_UP = Metric("steelyard_database_up", _GAUGE, _C, "1 where the tables could be read for this answer, else 0.")
JOBS = Metric(
    "steelyard_jobs", _GAUGE, _C, "Jobs by queue and state; those that are done are gone.", ("queue", "state")
)
WORKERS = Metric("steelyard_workers", _GAUGE, _C, "Workers that gave a sign of life within the last ten seconds.")
UNHANDLED = Metric("steelyard_inbox_unhandled", _GAUGE, _W, "Payloads that wait to be handled, 10,000 at most.", _OF)
UNHANDLED_AGE = Metric("steelyard_inbox_oldest_seconds", _GAUGE, _W, "Age of the oldest of them; 0 without any.", _OF)
SET_ASIDE = Metric("steelyard_set_aside", _GAUGE, _W, "Payloads that could not be handled, 10,000 at most.", _OF)
DECISIONS = Metric(
    "steelyard_decisions_total",
    _COUNTER,
    _W,
    "What became of decisions since this process first answered: made, delivered, overtaken, failed, compared.",
    ("workspace", "outcome"),
)
PENDING = Metric(
    "steelyard_decisions_pending", _GAUGE, _W, "Decisions that are not delivered yet, 10,000 at most.", _OF
)
PENDING_AGE = Metric("steelyard_pending_oldest_seconds", _GAUGE, _W, "Age of the oldest of them; 0 without any.", _OF)
DELIVERY = Metric("steelyard_delivery_seconds", _HISTOGRAM, _W, "Seconds from a decision to its delivery.", _OF)
DRIFT = Metric("steelyard_reading_drift", _GAUGE, _W, "Conversations that the last reading found changed unheard.", _OF)
OPEN = Metric("steelyard_open_conversations", _GAUGE, _W, "Open conversations.", _OF)
IMBALANCE = Metric(
    "steelyard_load_max_minus_mean", _GAUGE, _W, "How far the heaviest available engineer is above the mean.", _OF
)
ALARMS = Metric("steelyard_alarms_open", _GAUGE, _W, "1 while the alarm is open, else 0.", ("workspace", "kind"))

METRICS = (
    *(WEBHOOKS, BATCHES, COMMITS, DATABASE_UP, JOBS, WORKERS, UNHANDLED, UNHANDLED_AGE, SET_ASIDE, DECISIONS),
    *(PENDING, PENDING_AGE, DELIVERY, DRIFT, OPEN, IMBALANCE, ALARMS, *calls.METRICS),
)
"""Every metric of the room; the last ones are the workers'."""

SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Bounds of the buckets of delivery."""

KNOWN = 5.0
"""Seconds for which what the tables said is said again."""

LONGEST = 5.0
"""Seconds that reading the tables may take."""

MOST_FACTS = 50_000
"""Facts of a workspace that one answer reads; the next one goes on."""


def ingest_samples(ingest: Ingest) -> Iterator[Sample]:
    """What ingest counted."""
    answers = ingest.refused + Counter({200: int(ingest.batches.sum)})
    for status, count in sorted(answers.items()):
        yield Sample(WEBHOOKS, (str(status),), count)
    yield Sample(BATCHES, (), ingest.batches)
    yield Sample(COMMITS, (), ingest.commits)


class CellMetrics:
    """What the tables say. Decisions are counted from the ledger, from where it stood at the first answer on."""

    def __init__(self, database: Database, clock: Callable[[], Micros]) -> None:
        self._database = database
        self._clock = clock
        self._asking = asyncio.Lock()
        self._known: tuple[float, list[Sample]] = (float("-inf"), [])
        self._read_to: dict[WorkspaceId, int] = {}
        self._decided: Counter[tuple[WorkspaceId, str]] = Counter()
        self._delivered: defaultdict[WorkspaceId, Histogram] = defaultdict(lambda: Histogram(SECONDS))

    async def samples(self) -> Iterable[Sample]:
        """What the tables say now, or said a few seconds ago; only that they cannot be read where they cannot."""
        loop = asyncio.get_running_loop()
        async with self._asking:
            at, samples = self._known
            if loop.time() - at >= KNOWN:
                samples = await self._read()
                self._known = loop.time(), samples
        return samples

    async def _read(self) -> list[Sample]:
        found: list[Sample] = []
        try:
            async with asyncio.timeout(LONGEST):
                async with self._database.cell() as conn:
                    workspaces = await rows(conn, "SELECT workspaces_of_cell() AS workspace")
                    found += await _cell(conn)
                for row in workspaces:
                    found += await self._of(WorkspaceId(row["workspace"]))
        except (psycopg.Error, OSError):
            return [Sample(DATABASE_UP, (), 0)]
        return [Sample(DATABASE_UP, (), 1), *found]

    async def _of(self, workspace: WorkspaceId) -> list[Sample]:
        now = self._clock()
        async with self._database.transaction(workspace) as conn:
            figures = await read_figures(conn, workspace, Thresholds(), now)
            opened = {row["kind"] for row in await rows(conn, "SELECT kind FROM alarm WHERE ended_at IS NULL")}
            loads = await _loads(conn, workspace)
            await self._count_decisions(conn, workspace)
        numbers = {**_numbers(figures, now), **loads}
        samples = [Sample(metric, (workspace,), value) for metric, value in numbers.items()]
        samples += [Sample(ALARMS, (workspace, kind), float(kind in opened)) for kind in health.Kind]
        samples += [
            Sample(DECISIONS, each, count) for each, count in sorted(self._decided.items()) if each[0] == workspace
        ]
        if workspace in self._delivered:
            samples.append(Sample(DELIVERY, (workspace,), self._delivered[workspace]))
        return samples

    async def _count_decisions(self, conn: AsyncConnection[Any], workspace: WorkspaceId) -> None:
        """Reads what the ledger got since the last answer."""
        head = await one(conn, "SELECT position FROM workspace WHERE workspace = %s", (workspace,))
        last = head["position"] if head is not None else 0
        since = self._read_to.setdefault(workspace, last)
        last = min(last, since + MOST_FACTS)
        if last == since:
            return
        found = await rows(
            conn,
            """SELECT kind, extract(epoch FROM decision.settled_at - decision.at)::float8 AS seconds
               FROM ledger LEFT JOIN decision ON kind = 'decision.delivered' AND decision.workspace = ledger.workspace
                                                 AND decision.decision = (ledger.data ->> 'decision')::bigint
               WHERE ledger.workspace = %s AND position > %s AND position <= %s AND kind LIKE 'decision.%%'""",
            (workspace, since, last),
        )
        for row in found:
            self._decided[workspace, row["kind"].removeprefix("decision.")] += 1
            if row["seconds"] is not None:
                self._delivered[workspace].observe(row["seconds"])
        self._read_to[workspace] = last


async def _cell(conn: AsyncConnection[Any]) -> list[Sample]:
    jobs = await rows(
        conn, "SELECT queue_name, status::text, count(*) AS count FROM procrastinate_jobs GROUP BY 1, 2 ORDER BY 1, 2"
    )
    alive = await one(conn, ALIVE, ())
    samples = [Sample(JOBS, (row["queue_name"], row["status"]), row["count"]) for row in jobs]
    return [*samples, Sample(WORKERS, (), alive["count"] if alive is not None else 0)]


def _numbers(figures: Figures, now: Micros) -> Mapping[Metric, float]:
    def age(since: Micros | None) -> float:
        return max(0, now - since) / SECOND if since is not None else 0.0

    found: dict[Metric, float] = {
        UNHANDLED: figures.unhandled,
        UNHANDLED_AGE: age(figures.unhandled_since),
        SET_ASIDE: figures.set_aside,
        PENDING: figures.pending,
        PENDING_AGE: age(figures.pending_since),
    }
    return found if figures.drift is None else {**found, DRIFT: figures.drift}


async def _loads(conn: AsyncConnection[Any], workspace: WorkspaceId) -> Mapping[Metric, float]:
    """Open conversations, and the imbalance of those who are available, as the router counts their loads."""
    carried = await rows(
        conn, "SELECT owner, sum(weight) AS weight, count(*) AS open FROM conversation WHERE open GROUP BY owner"
    )
    weights = {row["owner"]: int(row["weight"]) for row in carried}
    head = await one(conn, "SELECT policy FROM workspace WHERE workspace = %s", (workspace,))
    digest = head["policy"] if head is not None else None
    policy = (await read_policies(conn, [digest])).get(digest) if digest is not None else None
    state = State(ignored(policy) if policy is not None else Exclusion.NONE)
    engineers = [codec.engineer(row["engineer"], row["value"]) for row in await rows(conn, "SELECT * FROM engineer")]
    scores = [
        weights.get(each.id, 0) * 1000 / each.capacity for each in engineers if state.exclusions(each) == Exclusion.NONE
    ]
    found: dict[Metric, float] = {OPEN: sum(row["open"] for row in carried)}
    return {**found, IMBALANCE: max(scores) - sum(scores) / len(scores)} if scores else found
