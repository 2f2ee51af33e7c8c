"""The page of what a scan found, the same as data, and the button that has files moved away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from steelyard.kit.errors import ActError
from steelyard.kit.ids import numeric_id
from steelyard.kit.scopes import Scope
from steelyard.people.gate import standing_of
from steelyard.people.permissions import Permission
from steelyard.store.database import Database
from steelyard.toolbox import acts as said
from steelyard.toolbox.acts import RunActs, RunRefused
from steelyard.toolbox.model import RunId
from steelyard.toolbox.runbooks import Runbooks
from steelyard.toolbox.runs_api import as_refusal
from steelyard.toolbox.runs_read import read_run
from steelyard.toolbox.runs_seen import RunSeen, seen_by
from steelyard.toolbox.scanning import words
from steelyard.toolbox.scanning.findings import read_findings
from steelyard.toolbox.scanning.model import Kept, Severity
from steelyard.toolbox.scanning.report import Report, is_movable, numbers_in, report_of
from steelyard.toolbox.shelf import title_of
from steelyard.web.data import csv_answer, plain
from steelyard.web.pages import Pages, language_of
from steelyard.web.routes import PageRoute
from steelyard.web.said import N_, Said
from steelyard.web.toasts import Done, told
from steelyard.web.viewer import place_of

RUNBOOK = "quarantine_files"
_ALL = "malicious"
_COLUMNS = tuple(name for name in Kept._fields if name not in ("finding", "at"))


class _Found(NamedTuple):
    run: RunSeen
    findings: list[Kept]


class FindingsPages:
    """What these routes do."""

    def __init__(self, database: Database, pages: Pages, acts: RunActs, runbooks: Runbooks) -> None:
        self._database, self._pages, self._acts, self._runbooks = database, pages, acts, runbooks

    async def findings(self, request: Request) -> Response:
        """What a scan found."""
        return self._answer(request, await self._found(request))

    async def rows(self, request: Request) -> Response:
        """All findings as CSV."""
        found = await self._found(request)
        records = ([str(getattr(each, name)) for name in _COLUMNS] for each in found.findings)
        return csv_answer(f"findings-{found.run.run}", _COLUMNS, records)

    async def data(self, request: Request) -> Response:
        """The report with all findings as JSON."""
        found = await self._found(request)
        return JSONResponse(
            {
                "run": found.run.run,
                "site": found.run.site_name,
                "ended_at": plain(found.run.ended_at),
                "report": plain(found.run.report),
                "findings": plain(found.findings),
            }
        )

    async def quarantine(self, request: Request) -> Response:
        """Has the plan made that moves the chosen files away."""
        found = await self._found(request)
        async with request.form() as form:
            wanted = {str(each) for each in form.getlist("finding")}
            everything = form.get("all") == _ALL
        chosen = [
            each.finding
            for each in found.findings
            if is_movable(each)
            and (str(each.finding) in wanted or (everything and each.severity == Severity.MALICIOUS))
        ]
        try:
            if not chosen:
                raise RunRefused("none_chosen", Said(N_("Choose at least one file.")), "finding")
            given = {"scan": str(found.run.run), "findings": numbers_in(chosen)}
            run = await self._acts.ask(standing_of(request), said.Request(RUNBOOK, [found.run.site], given))
        except ActError as error:
            return self._answer(request, found, as_refusal(error), frozenset(wanted))
        return told(place_of(request), f"/runs/{run}", Done("planned"))

    async def _found(self, request: Request) -> _Found:
        number = numeric_id(str(request.path_params["run"]))
        if number is None:
            raise HTTPException(404)
        async with self._database.transaction(standing_of(request).workspace) as conn:
            run = await read_run(conn, RunId(number))
            findings = await read_findings(conn, RunId(number))
        if run is None or "findings" not in run.told:
            raise HTTPException(404)
        return _Found(seen_by(run, None, may=False), findings)

    def _answer(
        self, request: Request, found: _Found, refusal: RunRefused | None = None, wanted: frozenset[str] = frozenset()
    ) -> Response:
        view = _view(found, request.query_params)
        runbook = self._runbooks.all.get(found.run.runbook)
        return self._pages.answer(
            request,
            "toolbox/findings.html",
            status=422 if refusal is not None else 200,
            view=view,
            title=title_of(runbook, language_of(request), self._pages.say) if runbook else found.run.runbook,
            words=words,
            refusal=refusal,
            wanted=wanted,
        )


def _view(found: _Found, query: Mapping[str, str]) -> Report:
    asked = query.get("page", "1")
    page = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 6 else 1
    run = found.run
    return report_of(run.run, run.runbook, (run.site, run.site_name), run.ended_at, run.report, found.findings, page)


def routes(database: Database, pages: Pages, acts: RunActs, runbooks: Runbooks) -> list[PageRoute]:
    """`/runs/{run}/findings`, as a page, as JSON and as CSV, and what is asked from it."""
    shown = FindingsPages(database, pages, acts, runbooks)
    see, path = Permission.SEE_TOOLBOX, "/runs/{run}/findings"
    return [
        PageRoute(path, shown.findings, Scope.WORKSPACE, see, methods=["GET"]),
        PageRoute(f"{path}.json", shown.data, Scope.WORKSPACE, see, methods=["GET"]),
        PageRoute(f"{path}.csv", shown.rows, Scope.WORKSPACE, see, methods=["GET"]),
        PageRoute(f"{path}/quarantine", shown.quarantine, Scope.WORKSPACE, Permission.RUN_CHANGES, methods=["POST"]),
    ]
