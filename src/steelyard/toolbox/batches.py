"""One request for several sites: each is a run of its own; so many at once, and none any more after so many failures.

A run of a batch that was confirmed stays planned until it is its turn. What ends gives its turn to the next, in the
transaction that ends it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from steelyard.kit.ids import PersonId, WorkspaceId
from steelyard.people.permissions import Standing
from steelyard.store.database import Connection
from steelyard.toolbox import store
from steelyard.toolbox.acts import (
    MOST_SITES,
    Request,
    RunActs,
    RunRefused,
    refused,
    require_allowed,
    require_approver,
    site_of,
)
from steelyard.toolbox.locks import lock_runs, lock_with_others
from steelyard.toolbox.model import Risk, RunId
from steelyard.toolbox.registry import read_site
from steelyard.toolbox.rules import cancelling
from steelyard.toolbox.states import AT_WORK, UNSUCCESSFUL, Event, Reason, State
from steelyard.toolbox.store import RUNS_CHANNEL, Run
from steelyard.web.said import N_, Said

MOST_FAILURES: Final = 1
"""Failed runs after which no further one is begun."""

_BATCH: Final[LiteralString] = """
SELECT batch.batch, at_once, most_failures, batch.person, confirmed_at, confirmed_by, approver, approved_at, stopped_at,
       runbook
FROM batch WHERE batch = %(batch)s FOR UPDATE
"""
_RUNS: Final[LiteralString] = "SELECT run, state, confirmed_at FROM run WHERE batch = %(batch)s ORDER BY run"


@dataclass(frozen=True, slots=True)
class Batches:
    """What people do with requests for several sites. Raises as RunActs does."""

    acts: RunActs

    async def ask(self, who: Standing, request: Request, most_failures: int = MOST_FAILURES) -> int:
        """Has a runbook planned for several sites; the number of the request. What only reads goes on at once."""
        sites = list(dict.fromkeys(request.sites))
        if not sites:
            raise refused("no_sites", "site")
        if len(sites) > MOST_SITES:
            raise refused("too_many_sites", "site", most=MOST_SITES)
        now = self.acts.clock()
        async with self.acts.database.transaction(who.workspace) as conn:
            _, _, at_once = await store.read_defaults(conn, who.workspace)
            found = await store.rows(
                conn,
                "INSERT INTO batch (workspace, runbook, at_once, most_failures, person, asked_at)"
                " VALUES (%(workspace)s, %(runbook)s, %(at_once)s, %(most)s, %(person)s, %(now)s) RETURNING batch",
                {"workspace": who.workspace, "runbook": request.runbook, "at_once": at_once, "now": now,
                 "most": max(1, most_failures), "person": who.person},
            )  # fmt: skip
            batch = int(found[0]["batch"])
            for site in sites:
                await self.acts.add(conn, who, request, site, batch)
        await self.acts.database.notify(RUNS_CHANNEL)
        return batch

    async def confirm(self, who: Standing, batch: int, typed: str = "") -> int:
        """Has the plans of a request done, as they stand; how many. What destroys takes that number typed."""
        async with self.acts.database.transaction(who.workspace) as conn:
            known, runs = await _of(conn, batch)
            if known["confirmed_at"] is not None:
                raise refused("not_now")
            if any(run.state is State.PLANNING for run in runs):
                raise refused("still_planning")
            ready = [run for run in runs if run.state is State.PLANNED]
            if not ready:
                raise refused("not_now")
            for run in ready:
                await require_allowed(conn, who, run.risk, await read_site(conn, run.site))
            if ready[0].risk is Risk.DESTROYS and typed.strip() != str(len(ready)):
                raise refused("not_counted", "typed", count=len(ready))
            await conn.execute(
                "UPDATE batch SET confirmed_at = %s, confirmed_by = %s WHERE batch = %s",
                [self.acts.clock(), who.person, batch],
            )
            _, needs_two, _ = await store.read_defaults(conn, who.workspace)
            if not (needs_two and ready[0].risk is Risk.DESTROYS):
                await start_next(self.acts, conn, who.workspace, batch)
        await self.acts.database.notify(RUNS_CHANNEL)
        return len(ready)

    async def approve(self, who: Standing, batch: int) -> None:
        """Lets a request of somebody else go on that waits for it."""
        async with self.acts.database.transaction(who.workspace) as conn:
            known, runs = await _of(conn, batch)
            if known["confirmed_at"] is None or known["approved_at"] is not None or known["stopped_at"] is not None:
                raise refused("not_now")
            ready = [run for run in runs if run.state is State.PLANNED]
            for run in ready:
                site = await read_site(conn, run.site)
                first = (known["person"], known["confirmed_by"])
                await require_approver(conn, who, first, run.risk, site.group)
            await conn.execute(
                "UPDATE batch SET approver = %s, approved_at = %s WHERE batch = %s",
                [who.person, self.acts.clock(), batch],
            )
            for run in ready:
                await self.acts.record(conn, who, "run.approved", run.conversation, run=run.run, site=run.site)
            await start_next(self.acts, conn, who.workspace, batch)
        await self.acts.database.notify(RUNS_CHANNEL)

    async def cancel(self, who: Standing, batch: int) -> None:
        """Begins no further run of a request, and cancels those that are at work."""
        async with self.acts.database.transaction(who.workspace) as conn:
            _, runs = await _of(conn, batch)
            for run in runs:
                await require_allowed(conn, who, run.risk, await site_of(conn, run), cancelling(who, run))
            await conn.execute(
                "UPDATE batch SET stopped_at = coalesce(stopped_at, %s) WHERE batch = %s", [self.acts.clock(), batch]
            )
            for run in runs:
                if run.state in (State.PLANNING, State.PLANNED, State.WAITS, State.QUEUED, State.RUNNING):
                    await self.acts.cancel_known(conn, who, run)
        await self.acts.database.notify(RUNS_CHANNEL)

    async def cancel_run(self, who: Standing, run: RunId) -> None:
        """Calls one run off; where it had its turn in a request, the next one has it."""
        async with self.acts.database.transaction(who.workspace) as conn:
            if (found := await store.find_run(conn, run)) is not None:
                await lock_with_others(conn, found)
            known = await self.acts.cancel_in(conn, who, run)
            if known.state is not State.RUNNING:  # that one ends by itself, and then gives its turn away
                await Turns(self.acts).ended(conn, who.workspace, known, State.CANCELLED)
        await self.acts.database.notify(RUNS_CHANNEL)


@dataclass(frozen=True, slots=True)
class Turns:
    """Gives the turn of a run that ended to the next of its request: what a worker is given as `Next`."""

    acts: RunActs

    async def ended(self, conn: Connection, workspace: WorkspaceId, run: Run, state: State) -> None:
        """In the transaction that ended `run`."""
        if run.batch is None:
            return
        known, runs = await _of(conn, run.batch)
        if known["confirmed_at"] is None or known["stopped_at"] is not None:
            return
        failed = sum(each.state in UNSUCCESSFUL and each.confirmed_at is not None for each in runs)
        changed = sum(each.state is State.PLANNED and each.changed for each in runs)
        if failed + changed >= known["most_failures"]:
            await _stop(conn, run.batch, runs, self.acts.clock())
        else:
            await start_next(self.acts, conn, workspace, run.batch)


async def start_next(acts: RunActs, conn: Connection, workspace: WorkspaceId, batch: int) -> None:
    """Begins as many runs of a confirmed request as there is room for, in a transaction that locks it."""
    known, runs = await _of(conn, batch)
    who = Standing(workspace, _person(known["confirmed_by"]), frozenset())
    room = known["at_once"] - sum(run.state in AT_WORK for run in runs)
    for run in runs:
        if room <= 0:
            return
        if run.state is not State.PLANNED or run.changed:
            continue
        try:
            await acts.confirm_known(
                conn, who, run, _person(known["approver"]), approved=known["approved_at"] is not None
            )
            room -= 1
        except RunRefused as error:
            await _refuse(conn, run, error, acts.clock())


def _person(number: int | None) -> PersonId | None:
    return None if number is None else PersonId(number)


async def _refuse(conn: Connection, run: Run, error: RunRefused, now: datetime) -> None:
    await store.change(conn, run, Event.CANCEL, reason=Reason(error.code, error.says))
    await conn.execute("UPDATE run SET ended_at = %s, sealed = '{}' WHERE run = %s", [now, run.run])


async def _stop(conn: Connection, batch: int, runs: list[Run], now: datetime) -> None:
    """Leaves the rest of a request undone, and says so."""
    await conn.execute("UPDATE batch SET stopped_at = coalesce(stopped_at, %s) WHERE batch = %s", [now, batch])
    says = Said(N_("It was not begun: others of the same request failed."))
    for run in runs:
        if run.state is State.PLANNED and not run.changed:
            await store.change(conn, run, Event.CANCEL, reason=Reason("batch_stopped", says))
            await conn.execute("UPDATE run SET ended_at = %s, sealed = '{}' WHERE run = %s", [now, run.run])


async def _of(conn: Connection, batch: int) -> tuple[dict[str, Any], list[Run]]:
    """A request and its runs. All of it is locked: what changes in it is decided by one at a time."""
    found = await store.rows(conn, _BATCH, {"batch": batch})
    if not found:
        raise refused("no_batch")
    await lock_runs(conn, batch)
    numbers = await store.rows(conn, _RUNS, {"batch": batch})
    runs = [await store.find_run(conn, RunId(row["run"])) for row in numbers]
    return found[0], [run for run in runs if run is not None]
