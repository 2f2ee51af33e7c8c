"""The toolbox put together for workers: what they do runs with."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import structlog
from procrastinate import App

from steelyard.jobs.app import deferring_app
from steelyard.kit.errors import KeyFileError
from steelyard.kit.ids import WorkspaceId
from steelyard.main.hosts import Hosts
from steelyard.main.runs import run_acts
from steelyard.store.boxes import lid_of, publish_lid
from steelyard.store.database import Connection, Database
from steelyard.store.keys import WORKER, key_file
from steelyard.toolbox.batches import Turns
from steelyard.toolbox.erasing import tidy
from steelyard.toolbox.ground import RunGround
from steelyard.toolbox.model import Json
from steelyard.toolbox.reach import Reached
from steelyard.toolbox.scanning import scan
from steelyard.toolbox.secrets import opened_with
from steelyard.toolbox.slots import Shelf, read_trusted
from steelyard.toolbox.slots_bring import bring
from steelyard.toolbox.slots_keys import TRUSTED
from steelyard.toolbox.steps import RunContext, WorkerVerb
from steelyard.toolbox.tasks import RunJobs, register
from steelyard.web.console import utc_now

log = structlog.get_logger()


def worker_verbs(slots: Shelf, held: Path) -> Mapping[str, WorkerVerb]:
    """What a worker itself does in runs, by the names of the verbs. `held`: the folder of the slots."""
    return {**scan.worker_verbs(slots.files), "slots.bring": bringing(held)}


def bringing(held: Path) -> WorkerVerb:
    """Brings a slot from this machine to the host of a run."""

    async def brings(reached: Reached, args: Mapping[str, Json], context: RunContext) -> Json:
        asked = {**args, "account": context.site.host.account, "mark": context.token}
        return await bring(reached, held, asked, str(args.get("folder", "")), context.tell)

    return brings


def run_ground(database: Database, own: Path | None, keys: Path, held: Path) -> RunGround:
    """What a worker does runs with. `keys`: the folder of the key files; `held`: that of the slots."""
    acts = run_acts(database, own)
    slots = Shelf(lambda: read_trusted(keys / TRUSTED))

    @cache
    def way(workspace: WorkspaceId) -> Hosts:
        return Hosts(database, workspace, keys)

    return RunGround(
        database,
        acts.ledger,
        acts.runbooks,
        way,
        opened_with(keys),
        Turns(acts),
        utc_now,
        worker_verbs(slots, held),
        slots.offered,
    )


def toolbox_jobs(app: App, database: Database, own: Path | None, keys: Path, held: Path) -> None:
    """Makes `app` do the toolbox's jobs."""
    register(app, run_ground(database, own, keys, held))


async def tidy_toolbox(database: Database, keys: Path) -> None:
    """One round: plans expire, what runs moved aside is erased, and everybody learns how to seal for this worker."""
    jobs = RunJobs(deferring_app())
    async with database.cell() as conn:
        if key_file(keys, WORKER).exists():
            await _show_lid(conn, key_file(keys, WORKER))
        rows = await (await conn.execute("SELECT workspaces_of_cell()")).fetchall()
    for (workspace,) in rows:
        await tidy(database, WorkspaceId(workspace), jobs, utc_now)


async def _show_lid(conn: Connection, file: Path) -> None:
    """A key file that is damaged keeps nothing else from being done: that it is, readiness tells."""
    try:
        await publish_lid(conn, lid_of(file))
    except KeyFileError as error:
        log.warning("lid.not_shown", advice=str(error))
