"""What ends by itself: plans that nobody confirmed, and what runs moved aside, once its days are over."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Protocol

import structlog

from steelyard.kit.facts import Fact
from steelyard.kit.ids import WorkspaceId
from steelyard.kit.instants import micros
from steelyard.store.database import Connection, Database
from steelyard.toolbox import others, store
from steelyard.toolbox.ground import RunGround
from steelyard.toolbox.model import RunId, SiteId
from steelyard.toolbox.reach import Errand, HostError
from steelyard.toolbox.registry import RegistryError, read_site
from steelyard.toolbox.run import CLEAR
from steelyard.toolbox.runbook import Left
from steelyard.toolbox.states import Event, Reason, State
from steelyard.toolbox.store import Run
from steelyard.web.said import N_, Said

log = structlog.get_logger()


class Jobs(Protocol):
    """What erasing asks to have done."""

    async def erase(self, conn: Connection, workspace: WorkspaceId, run: RunId, site: SiteId) -> None:
        """Has what a run moved aside erased, in `conn`'s transaction."""
        ...


async def tidy(database: Database, workspace: WorkspaceId, jobs: Jobs, clock: Callable[[], datetime]) -> int:
    """Lets plans expire and has erased what is due, in one transaction; how many of both."""
    now = clock()
    async with database.transaction(workspace) as conn:
        late = await store.rows(
            conn,
            "SELECT run FROM run WHERE state IN ('planned', 'waits') AND holds_until < %(now)s ORDER BY run LIMIT 1000",
            {"now": now},
        )
        for row in late:
            await _expire(conn, RunId(row["run"]), now)
        due = await store.rows(
            conn,
            "SELECT run, site FROM run WHERE undo_until < %(now)s AND erased_at IS NULL"
            " AND state NOT IN ('queued', 'running', 'undoing') AND NOT EXISTS (SELECT 1 FROM run AS back"
            " WHERE back.undoes = run.run AND back.state = ANY(%(back)s)) ORDER BY undo_until LIMIT 1000",
            {"now": now, "back": others.PUTTING_BACK},
        )
        for row in due:
            await jobs.erase(conn, workspace, RunId(row["run"]), SiteId(row["site"]))
    return len(late) + len(due)


async def _expire(conn: Connection, number: RunId, now: datetime) -> None:
    run = await store.find_run(conn, number, locked=True)
    if run is None or run.state not in (State.PLANNED, State.WAITS):
        return
    says = Said(N_("Nobody confirmed it in time. Ask for it again."))
    await store.change(conn, run, Event.CANCEL, reason=Reason("expired", says))
    await conn.execute("UPDATE run SET ended_at = %s, sealed = '{}' WHERE run = %s", [now, number])


async def erase(ground: RunGround, workspace: WorkspaceId, number: RunId) -> None:
    """Removes what a run moved aside on its host: from then on it cannot be undone. Raises HostError."""
    async with ground.database.transaction(workspace) as conn:
        run = await store.find_run(conn, number)
        if run is None or run.erased_at is not None or run.undo_until is None or run.undo_until > ground.clock():
            return
        if await others.put_back_by(conn, number) is not None:
            return  # what it moved aside is about to be put back, or is half way there
        try:
            site = await read_site(conn, run.site)
        except RegistryError:
            site = None  # removed from the registry: nobody reaches it any more
    runbook = ground.runbooks.all.get(run.runbook)
    if site is not None and runbook is not None and runbook.erase is not None:
        left = Left(site, run.params, run.token, ground.clock(), run.keeps)
        async with ground.ways(workspace).open(site.host, Errand(run.token, site, hold=True)) as reached:
            for action in runbook.erase(left):
                await reached.call(action, lambda _: None)
            with suppress(HostError):
                await reached.call(CLEAR, lambda _: None)
    await _erased(ground, workspace, run)


async def _erased(ground: RunGround, workspace: WorkspaceId, run: Run) -> None:
    now = ground.clock()
    async with ground.database.transaction(workspace) as conn:
        await conn.execute("UPDATE run SET erased_at = %s WHERE run = %s", [now, run.run])
        data = store.facts_data(run=run.run, site=run.site)
        await ground.ledger.append(conn, workspace, [Fact("run.erased", micros(now), None, None, data)])
    log.info("run.erased", workspace=workspace, run=run.run)
