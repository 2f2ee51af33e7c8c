"""The toolbox put together for the console: runbooks, runs, rules."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from steelyard.main.ground import ledger
from steelyard.main.runs import run_acts
from steelyard.store.database import Database
from steelyard.toolbox import rules_pages, runbooks_pages, runs_api, runs_pages
from steelyard.toolbox.acts import RunRefused
from steelyard.toolbox.model import RunId
from steelyard.toolbox.rules_pages import RulesPages
from steelyard.toolbox.runbooks_pages import RunbooksPages
from steelyard.toolbox.runs_pages import RunsPages
from steelyard.toolbox.scanning import pages as findings_pages
from steelyard.web.console import Clock
from steelyard.web.pages import Pages
from steelyard.web.routes import PageRoute


class Drawing:
    """Draws pages again, with what was refused: see runs_api.Draw."""

    def __init__(self, runbooks: RunbooksPages, runs: RunsPages) -> None:
        self._runbooks, self._runs = runbooks, runs

    async def runbook(self, request: Request, name: str, refusal: RunRefused, given: Mapping[str, str]) -> Response:
        """A runbook's page."""
        return await self._runbooks.show(request, name, refusal, given)

    async def run(self, request: Request, run: RunId, refusal: RunRefused, given: Mapping[str, str]) -> Response:
        """A run's page."""
        return await self._runs.show(request, run, refusal, given)

    async def batch(self, request: Request, batch: int, refusal: RunRefused, given: Mapping[str, str]) -> Response:
        """The page of a request for several sites."""
        return await self._runs.show_batch(request, batch, refusal, given)


def toolbox_routes(database: Database, pages: Pages, own: Path | None, clock: Clock) -> list[PageRoute]:
    """The routes of runbooks and runs. `own`: the operator's folder of runbooks."""
    acts = run_acts(database, own, clock)
    shelf = RunbooksPages(database, acts.runbooks, pages, clock)
    runs = RunsPages(database, acts.runbooks, pages, clock)
    return [
        *runs_api.routes(acts, Drawing(shelf, runs)),  # before the pages: `/runs/7.json` is no run called 7.json
        *runbooks_pages.routes(shelf),
        *runs_pages.routes(runs),
        *findings_pages.routes(database, pages, acts, acts.runbooks),
        *rules_pages.routes(RulesPages(database, ledger(), pages, clock)),
    ]
