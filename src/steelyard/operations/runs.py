"""What the command line does with runs: a worker does them, and the command follows."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Final

from steelyard.config import Settings
from steelyard.jobs.heartbeat import ALIVE
from steelyard.kit.errors import ConfigError
from steelyard.kit.ids import ConversationId, WorkspaceId
from steelyard.main import runs
from steelyard.operations.database import named, opened
from steelyard.people.permissions import Standing
from steelyard.store.database import Database
from steelyard.toolbox.acts import Request, RunActs, command_line
from steelyard.toolbox.batches import Batches
from steelyard.toolbox.model import Risk, RunId, SiteId
from steelyard.toolbox.registry import site_named
from steelyard.toolbox.runbooks import Runbooks
from steelyard.toolbox.runs_read import RUNS_CHANNEL, last_runs, read_batch, read_lines, read_run
from steelyard.toolbox.runs_seen import BatchSeen, LineSeen, RunListed, RunSeen, seen_by
from steelyard.toolbox.states import State

PATIENCE: Final = 10.0
"""Seconds in which a worker takes up what was asked for, where one lives."""
_MOVING: Final = frozenset({State.PLANNING, State.QUEUED, State.RUNNING, State.UNDOING})

Seen = Callable[[RunSeen], None]
"""Told of a run each time that something of it changed."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for at the command line."""

    runbook: str
    sites: Sequence[str]
    values: Mapping[str, str]
    why: str = ""
    conversation: int | None = None
    typed: str = ""
    """What confirms what destroys: the site's name, or of several how many they are."""
    most_failures: int = 1


@dataclass(frozen=True, slots=True)
class Desk:
    """Runs of one workspace, as whoever stands at this machine has them."""

    database: Database
    workspace: WorkspaceId
    acts: RunActs

    @property
    def who(self) -> Standing:
        """Who stands here."""
        return command_line(self.workspace)

    @property
    def acts_batches(self) -> Batches:
        """What is done with requests for several sites."""
        return Batches(self.acts)

    async def ask(self, order: Order, *, look: bool = False) -> RunId:
        """Has a runbook planned for one site; what only reads is done at once unless it is to be looked at."""
        request = await self._request(order)
        return await self.acts.ask(self.who, request._replace(at_once=request.at_once and not look))

    async def ask_several(self, order: Order) -> int:
        """Has it planned for several sites; the number of the request. Raises ActError."""
        return await Batches(self.acts).ask(self.who, await self._request(order), order.most_failures)

    async def _request(self, order: Order) -> Request:
        async with self.database.transaction(self.workspace) as conn:
            sites = [SiteId((await site_named(conn, name)).site.id) for name in order.sites]
        runbook = self.acts.runbooks.of(order.runbook)
        conversation = None if order.conversation is None else ConversationId(order.conversation)
        return Request(order.runbook, sites, order.values, order.why, conversation, at_once=runbook.risk is Risk.READS)

    async def run(self, run: RunId) -> RunSeen:
        """A run as it is. Raises ConfigError where there is none."""
        async with self.database.transaction(self.workspace) as conn:
            seen = await read_run(conn, run)
        if seen is None:
            raise ConfigError(f"there is no run {run} in {self.workspace}: `steelyard runbook log` without a number")
        return seen_by(seen, self.who.person, may=True)

    async def last(self) -> list[RunListed]:
        """The last runs, the newest first."""
        async with self.database.transaction(self.workspace) as conn:
            return await last_runs(conn)

    async def lines(self, run: RunId, after: int = 0) -> list[LineSeen]:
        """What was said in a run."""
        async with self.database.transaction(self.workspace) as conn:
            return await read_lines(conn, run, after, 5000)

    async def batch(self, batch: int) -> BatchSeen:
        """A request for several sites as it is. Raises ConfigError where there is none."""
        async with self.database.transaction(self.workspace) as conn:
            seen = await read_batch(conn, batch)
        if seen is None:
            raise ConfigError(f"there is no request {batch} in {self.workspace}")
        return seen

    async def follow(self, run: RunId, seen: Seen) -> RunSeen:
        """Waits until a run is where a person is needed, or at its end. Raises ConfigError where no worker lives."""
        began, known = monotonic(), None
        async for _ in self.database.listen(RUNS_CHANNEL, 0.5):
            now = await self.run(run)
            if now != known:
                seen(now)
            if now.state not in _MOVING:
                return now
            if known is None or now.attempt != known.attempt or now.state is not known.state:
                began = monotonic()
            elif monotonic() - began > PATIENCE:
                await self._require_worker(f"run {run} waits")
                began = monotonic()
            known = now
        raise AssertionError  # listening has no end

    async def follow_batch(
        self, batch: int, seen: Callable[[BatchSeen], None], ended: Callable[[RunListed], bool]
    ) -> BatchSeen:
        """Waits until every run of a request has `ended`. Raises ConfigError where no worker lives."""
        began, known = monotonic(), None
        async for _ in self.database.listen(RUNS_CHANNEL, 0.5):
            now = await self.batch(batch)
            if now != known:
                seen(now)
                began = monotonic()
            if all(map(ended, now.runs)):
                return now
            if monotonic() - began > PATIENCE:
                await self._require_worker(f"request {batch} waits")
                began = monotonic()
            known = now
        raise AssertionError  # listening has no end

    async def _require_worker(self, what: str) -> None:
        async with self.database.cell() as conn:
            row = await (await conn.execute(ALIVE)).fetchone()
        if row is None or not row[0]:
            raise ConfigError(f"{what}, and no worker takes it up: start one with `steelyard serve`, it goes on then")


@asynccontextmanager
async def at_desk(settings: Settings, wanted: str | None) -> AsyncGenerator[Desk]:
    """The runs of a workspace. Raises ConfigError where it is not known."""
    async with opened(settings, "runbook") as database:
        workspace = await named(database, settings.cell, wanted)
        yield Desk(database, workspace, runs.run_acts(database, settings.runbooks))


def runbooks_of(settings: Settings) -> Runbooks:
    """The runbooks of this machine."""
    return runs.runbooks_of(settings.runbooks)
