"""What ends by itself: plans that nobody confirmed, and what runs moved aside, once its days are over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, LiteralString, Protocol

import structlog

from steelyard.kit.errors import KeyFileError
from steelyard.kit.facts import Fact
from steelyard.kit.ids import WorkspaceId
from steelyard.kit.instants import micros
from steelyard.store.database import Connection, Database
from steelyard.toolbox import others, store
from steelyard.toolbox.ground import RunGround
from steelyard.toolbox.model import Action, RunId, Site, SiteId
from steelyard.toolbox.reach import Errand, HostError
from steelyard.toolbox.registry import find_host, find_site
from steelyard.toolbox.run import CLEAR
from steelyard.toolbox.runbook import Left
from steelyard.toolbox.states import Event, Reason, State
from steelyard.toolbox.store import Run
from steelyard.web.said import N_, Said

ERASE: Final = "toolbox.erase"
"""The job that erases what one run moved aside."""

# One job a run: of a host that is away, or of one that failed, there is one already.
_DUE: Final[LiteralString] = """
SELECT run, site FROM run
WHERE undo_until < %(now)s AND erased_at IS NULL AND state NOT IN ('queued', 'running', 'undoing')
      AND NOT EXISTS (SELECT FROM run AS back WHERE back.undoes = run.run AND back.state = ANY(%(back)s))
      AND NOT EXISTS (SELECT FROM procrastinate_jobs AS job
                      WHERE job.task_name = %(task)s AND job.args->>'workspace' = run.workspace
                            AND job.args->>'run' = run.run::text)
ORDER BY undo_until LIMIT 1000
"""
# The names stay: without its secrets a run does not go on.
_FORGET: Final[LiteralString] = """
UPDATE run SET sealed = (SELECT jsonb_object_agg(name, '') FROM jsonb_object_keys(run.sealed) AS name)
WHERE state = 'stopped' AND sealed::text <> '{}'
      AND EXISTS (SELECT FROM jsonb_each_text(run.sealed) AS each WHERE each.value <> '')
      AND (ended_at < %(before)s
           OR EXISTS (SELECT FROM site WHERE site.site = run.site AND site.removed_at IS NOT NULL))
"""

log = structlog.get_logger()


class Jobs(Protocol):
    """What erasing asks to have done."""

    async def erase(self, conn: Connection, workspace: WorkspaceId, run: RunId, site: SiteId) -> None:
        """Has what a run moved aside erased, in `conn`'s transaction."""
        ...


async def tidy(database: Database, workspace: WorkspaceId, jobs: Jobs, clock: Callable[[], datetime]) -> int:
    """Lets plans expire and has erased what is due, in one transaction; how many of both.

    What was secret of a run that stopped goes with its site, and where nobody resumes it while trash is kept.
    """
    now = clock()
    async with database.transaction(workspace) as conn:
        late = await store.rows(
            conn,
            "SELECT run FROM run WHERE state IN ('planned', 'waits') AND holds_until < %(now)s ORDER BY run LIMIT 1000",
            {"now": now},
        )
        for row in late:
            await _expire(conn, RunId(row["run"]), now)
        keep_trash, _, _ = await store.read_defaults(conn, workspace)
        await conn.execute(_FORGET, {"before": now - timedelta(days=keep_trash)})
        due = await store.rows(conn, _DUE, {"now": now, "back": others.PUTTING_BACK, "task": ERASE})
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
    """Removes what a run moved aside on its host: from then on it cannot be undone. A later round asks again where
    the host cannot be reached."""
    async with ground.database.transaction(workspace) as conn:
        run = await store.find_run(conn, number)
        if run is None or run.erased_at is not None or run.undo_until is None or run.undo_until > ground.clock():
            return
        if await others.put_back_by(conn, number) is not None:
            return  # what it moved aside is about to be put back, or is half way there
        site = await _site_there(conn, run)
    runbook = ground.runbooks.all.get(run.runbook)
    if site is not None and runbook is not None and runbook.erase is not None:
        try:
            await _erase_at(ground, workspace, run, site, runbook.erase)
        except (HostError, KeyFileError) as error:
            why = error.code if isinstance(error, HostError) else type(error).__name__
            log.warning("run.not_erased", workspace=workspace, run=number, error=why)
            return
    await _erased(ground, workspace, run)


async def _site_there(conn: Connection, run: Run) -> Site | None:
    """Where a run was, also a site that is not in the registry any more; None where nobody reaches its host."""
    row = await find_site(conn, run.site)
    host = await find_host(conn, row.site.host.id) if row is not None else None
    return row.site if row is not None and host is not None and host.removed_at is None else None


async def _erase_at(
    ground: RunGround, workspace: WorkspaceId, run: Run, site: Site, actions: Callable[[Left], Sequence[Action]]
) -> None:
    left = Left(site, run.params, run.token, ground.clock(), run.keeps)
    async with ground.ways(workspace).open(site.host, Errand(run.token, site, hold=True)) as reached:
        for action in actions(left):
            await reached.call(action, lambda _: None)
        with suppress(HostError):
            await reached.call(CLEAR, lambda _: None)


async def _erased(ground: RunGround, workspace: WorkspaceId, run: Run) -> None:
    now = ground.clock()
    async with ground.database.transaction(workspace) as conn:
        await conn.execute("UPDATE run SET erased_at = %s WHERE run = %s", [now, run.run])
        data = store.facts_data(run=run.run, site=run.site)
        await ground.ledger.append(conn, workspace, [Fact("run.erased", micros(now), None, None, data)])
    log.info("run.erased", workspace=workspace, run=run.run)
