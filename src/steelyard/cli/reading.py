"""Commands that have something done again: reading Intercom back, handling what was set aside."""

from __future__ import annotations

import json
import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from steelyard import config
from steelyard.cli.base import AsJson, InWorkspace, app, out
from steelyard.jobs.processes import run
from steelyard.main import logs
from steelyard.operations import reading

_COLUMNS = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


@app.command()
def reconcile(workspace: InWorkspace = None, as_json: AsJson = False) -> None:
    """Read Intercom back now: heal what no webhook told of, and say how much that was."""
    settings = config.load()
    logs.log_as("error", sys.stderr.isatty())
    with Progress(*_COLUMNS, console=Console(stderr=True, highlight=False), disable=as_json) as bars:
        bar = bars.add_task("Read", total=None)

        def progress(done: int, total: int) -> None:
            bars.update(bar, completed=done, total=total)

        which, found = run(reading.reconcile(settings, workspace, progress))
    kinds = {str(kind): count for kind, count in sorted(found.found.items())}
    if as_json:
        told = {"workspace": which, "listed": found.listed, "drift": found.drift, "differences": kinds}
        sys.stdout.write(json.dumps(told) + "\n")
        return
    differing = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    out.print(
        f"{which}: {found.listed} conversations are open in Intercom; the drift is {found.drift}"
        + (f" ({differing})." if differing else ", all were known as they are.")
        + (" A running worker heals it now." if kinds else ""),
        markup=False,
        soft_wrap=True,
    )


@app.command()
def retry(workspace: InWorkspace = None) -> None:
    """Handle everything that was set aside once more, after a fix."""
    which, tried = run(reading.retry(config.load(), workspace))
    out.print(
        f"{which}: nothing is set aside." if not tried else f"{which}: {tried} payloads are tried again by the worker.",
        markup=False,
        soft_wrap=True,
    )
