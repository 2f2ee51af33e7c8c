"""The toolbox's jobs: their names, their queue and their locks."""

from __future__ import annotations

from typing import Final, cast

from procrastinate import App

from steelyard.jobs.retry import Retry
from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Connection
from steelyard.toolbox.erasing import ERASE, erase
from steelyard.toolbox.ground import RunGround
from steelyard.toolbox.looks import What, look
from steelyard.toolbox.model import RunId, SiteId
from steelyard.toolbox.run import work_on

TOOLBOX: Final = "toolbox"
"""The queue of runs: of its own, so that what a person waits for waits for nothing else."""

_RUN, _LOOK = "toolbox.run", "toolbox.look"
_PEOPLE_FIRST: Final = 1


class RunJobs:
    """The way to the jobs of runs. The app need not be open: they are deferred in their acts' own transactions."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def work(self, conn: Connection, workspace: WorkspaceId, run: RunId, site: SiteId | None = None) -> None:
        """Has a run planned or done, in `conn`'s transaction. With `site`: one run after another at that site."""
        lock = f"{workspace} run {run}" if site is None else site_lock(workspace, site)
        job = self._app.configure_task(_RUN, queue=TOOLBOX, lock=lock, priority=_PEOPLE_FIRST, connection=conn)
        await job.defer_async(workspace=str(workspace), run=int(run))

    async def erase(self, conn: Connection, workspace: WorkspaceId, run: RunId, site: SiteId) -> None:
        """Has what a run moved aside erased, in `conn`'s transaction."""
        job = self._app.configure_task(ERASE, queue=TOOLBOX, lock=site_lock(workspace, site), connection=conn)
        await job.defer_async(workspace=str(workspace), run=int(run))

    async def look(self, conn: Connection, workspace: WorkspaceId, what: What, number: int) -> None:
        """Has a worker look at a site or a host, in `conn`'s transaction."""
        job = self._app.configure_task(_LOOK, queue=TOOLBOX, priority=_PEOPLE_FIRST, connection=conn)
        await job.defer_async(workspace=str(workspace), what=what, number=int(number))


def site_lock(workspace: WorkspaceId, site: SiteId) -> str:
    """What changes a site is done one after the other, whichever machine does it."""
    return f"{workspace} site {site}"


def register(app: App, ground: RunGround) -> None:
    """Makes `app` do the toolbox's jobs."""

    @app.task(name=_RUN, queue=TOOLBOX, retry=Retry())
    async def run_one(workspace: str, run: int) -> None:
        await work_on(ground, WorkspaceId(workspace), RunId(run))

    @app.task(name=ERASE, queue=TOOLBOX, retry=Retry(3))
    async def erase_one(workspace: str, run: int) -> None:
        await erase(ground, WorkspaceId(workspace), RunId(run))

    @app.task(name=_LOOK, queue=TOOLBOX, retry=Retry(3))
    async def look_at(workspace: str, what: str, number: int) -> None:
        await look(ground, WorkspaceId(workspace), cast("What", what), number)

    del run_one, erase_one, look_at  # Procrastinate knows them
