"""What people do with runs, put together for the console and for the command line."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from steelyard.jobs.app import deferring_app
from steelyard.main.ground import ledger
from steelyard.store.database import Database
from steelyard.toolbox.acts import RunActs
from steelyard.toolbox.runbooks import Runbooks
from steelyard.toolbox.runbooks_live import live
from steelyard.toolbox.tasks import RunJobs
from steelyard.web.console import Clock, utc_now


@cache
def runbooks_of(own: Path | None) -> Runbooks:
    """The runbooks of this machine, with those of the operator's folder, which is read again where it changed."""
    return live(own)


def run_acts(database: Database, own: Path | None, clock: Clock = utc_now) -> RunActs:
    """What people do with runs; workers do the jobs that follow from it."""
    return RunActs(database, ledger(), runbooks_of(own), RunJobs(deferring_app()), clock)
