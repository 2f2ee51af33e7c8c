"""The pages of sites: the list, one site, adding, changing, importing, removing with the way back. All are data too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from steelyard.kit.scopes import Scope
from steelyard.people.gate import standing_of, wants_data
from steelyard.people.ground import actor_of
from steelyard.people.permissions import Permission
from steelyard.store.database import Database
from steelyard.toolbox import looks
from steelyard.toolbox.changes import By, Changes, as_new
from steelyard.toolbox.checks import Finding, findings_in
from steelyard.toolbox.fields import Unfit
from steelyard.toolbox.imports import Imported, read_import
from steelyard.toolbox.looks import Jobs
from steelyard.toolbox.model import SiteId
from steelyard.toolbox.registry import RegistryError, find_site, read_hosts, read_sites
from steelyard.toolbox.registry_rows import HostRow, SiteRow
from steelyard.toolbox.runbooks import Runbooks
from steelyard.toolbox.runs_read import RUNS, RunListed, read_runs
from steelyard.toolbox.shelf import title_of
from steelyard.toolbox.sites_forms import IMPORT, refused_at, sent, site_form, site_in, site_values
from steelyard.toolbox.sites_tables import SITES, STATES, state_of
from steelyard.toolbox.states import STATE_WORDS
from steelyard.web.console import Clock
from steelyard.web.data import answer_table, data_routes, plain, wants_rows
from steelyard.web.forms import Filled
from steelyard.web.pages import Pages, language_of
from steelyard.web.routes import PageRoute
from steelyard.web.tables import Choice
from steelyard.web.toasts import Done, Undo, done_of, told
from steelyard.web.viewer import place_of, viewer_of

_LAST_RUNS: Final = 10


class SitePage(NamedTuple):
    """One site, as its page draws it and its data has it."""

    row: SiteRow
    state: str
    findings: tuple[Finding, ...]
    runs: tuple[RunListed, ...]
    looking: bool
    """Whether a worker was just asked to look at it."""


class Told(NamedTuple):
    """What was just done to which site, and the way back."""

    what: str
    name: str
    undo: Undo | None = None


class SitesPages:
    """What these routes do."""

    def __init__(
        self, database: Database, changes: Changes, runbooks: Runbooks, jobs: Jobs, pages: Pages, clock: Clock
    ) -> None:
        self._database, self._changes, self._pages, self._clock = database, changes, pages, clock
        self._runbooks, self._jobs = runbooks, jobs

    async def sites(self, request: Request) -> Response:
        """All sites; after a removal, the way back."""
        return await self._list(request, None)

    async def add(self, request: Request) -> Response:
        """Adds a site, from the form or from a program's JSON."""
        hosts, _ = await self._read(request)
        try:
            filled, new = site_in(await sent(request, site_form(hosts), hosts))
        except Unfit as unfit:
            return self._refused(request, "unfit", unfit)
        if new is None:
            return self._unfit(request, filled) if wants_data(request) else await self._list(request, filled)
        try:
            site = await self._changes.add_site(self._by(request), new)
        except RegistryError as error:
            filled = refused_at(filled, "name", error.says)
            return self._unfit(request, filled, 409) if wants_data(request) else await self._list(request, filled)
        if wants_data(request):
            return JSONResponse({"site": site}, 201)
        return told(place_of(request), f"/sites/{site}", Done("added", (site,)))

    async def site(self, request: Request) -> Response:
        """One site."""
        return await self._show(request, await self._of(request))

    async def site_data(self, request: Request) -> Response:
        """The same as JSON."""
        return JSONResponse(self._plain(request, await self._page(request, await self._of(request))))

    async def change(self, request: Request) -> Response:
        """Changes a site, unless somebody else did meanwhile."""
        row = await self._of(request, standing=True)
        hosts, _ = await self._read(request)
        form = site_form(hosts)
        try:
            filled = (await sent(request, form, hosts)).against(form.texts(site_values(row)))
        except Unfit as unfit:
            return self._refused(request, "unfit", unfit)
        filled, new = site_in(filled)
        if new is not None:
            try:
                await self._changes.change_site(self._by(request), row.site.id, new)
                if wants_data(request):
                    return JSONResponse({"site": row.site.id})
                return told(place_of(request), f"/sites/{row.site.id}", Done("changed", (row.site.id,)))
            except RegistryError as error:
                filled = refused_at(filled, "name", error.says)
        return self._unfit(request, filled) if wants_data(request) else await self._show(request, row, filled)

    async def remove(self, request: Request) -> Response:
        """Takes a site out of the registry."""
        row = await self._of(request, standing=True)
        try:
            await self._changes.remove_site(self._by(request), row.site.id)
        except RegistryError as error:
            return self._refused(request, error.code, error)
        return self._done(request, "/sites", Done("removed", (row.site.id,)))

    async def put_back(self, request: Request) -> Response:
        """Takes the removal back."""
        row = await self._of(request)
        try:
            await self._changes.put_site_back(self._by(request), row.site.id)
        except RegistryError as error:
            return self._refused(request, error.code, error)
        return self._done(request, f"/sites/{row.site.id}", Done("back", (row.site.id,)))

    async def check(self, request: Request) -> Response:
        """Has a worker look whether all that runs need is there."""
        row, workspace = await self._of(request, standing=True), standing_of(request).workspace
        async with self._database.transaction(workspace) as conn:
            await looks.ask(conn, self._jobs, workspace, "site", row.site.id, self._clock())
        return self._done(request, f"/sites/{row.site.id}", Done("asked", (row.site.id,)))

    async def import_form(self, request: Request) -> Response:
        """Where a list of sites is pasted."""
        return self._pages.answer(request, "toolbox/sites_import.html", form=IMPORT.empty(), imported=None, hosts={})

    async def take_in(self, request: Request) -> Response:
        """Says what a list would do, and does it once that was seen. A program sends the list, and it is done."""
        raw = "form" not in request.headers.get("content-type", "form")
        if raw:
            filled = IMPORT.read([("text", (await request.body()).decode("utf-8", "replace"))])
        else:
            filled = await IMPORT.of(request)
        hosts, rows = await self._read(request)
        numbers = {each.host.name: each.host.id for each in hosts}
        imported = read_import(filled.input("text").text, numbers, {row.site.name: as_new(row) for row in rows})
        partly = bool(filled.values.get("partly")) or request.query_params.get("partly") == "yes"
        taken = filled.ok and (partly or not imported.refused)
        if taken and (raw or (await request.form()).get("sure") == "yes"):
            try:
                count = await self._changes.take_in(self._by(request), imported, partly=partly)
            except RegistryError as error:
                return self._refused(request, error.code, error)
            if not raw:
                return told(place_of(request), "/sites", Done("imported", (count,)))
        status = 200 if taken else 422
        if raw:
            return JSONResponse(self._imported(request, imported), status)
        return self._pages.answer(
            request,
            "toolbox/sites_import.html",
            status=status,
            form=filled,
            imported=imported if filled.ok else None,
            hosts={each.host.id: each.host.name for each in hosts},
        )

    # What they share

    async def _list(self, request: Request, filled: Filled | None) -> Response:
        hosts, rows = await self._read(request)
        groups = sorted({row.site.group for row in rows if row.site.group})
        table = SITES.with_choices("host", [Choice(each.host.name, each.host.name) for each in hosts])
        table = table.with_choices("group", [Choice(group, group) for group in groups])
        query = table.read(request.query_params, everything=wants_rows(request))
        shown = table.of_rows(rows, query, viewer_of(request).zone)
        answer = answer_table(
            self._pages,
            request,
            "toolbox/sites.html",
            shown,
            form=filled or site_form(hosts).empty(),
            states=STATES,
            told=await self._told(request),
            hosts=len(hosts),
        )
        answer.status_code = filled.status if filled is not None else 200
        return answer

    async def _show(self, request: Request, row: SiteRow, filled: Filled | None = None) -> Response:
        (hosts, _), language = await self._read(request), language_of(request)
        return self._pages.answer(
            request,
            "toolbox/site.html",
            status=filled.status if filled is not None else 200,
            view=await self._page(request, row),
            form=filled or site_form(hosts).loaded(site_values(row)),
            states=STATES,
            state_words=STATE_WORDS,
            titles={name: title_of(each, language, self._pages.say) for name, each in self._runbooks.all.items()},
            told=await self._told(request),
        )

    async def _page(self, request: Request, row: SiteRow) -> SitePage:
        table = RUNS.with_choices("site", [Choice(str(row.site.id), row.site.name)])
        asked = table.clauses(table.read({"site": str(row.site.id)}), viewer_of(request).zone)
        async with self._database.transaction(standing_of(request).workspace) as conn:
            runs, _ = await read_runs(conn, asked)
        waits = looks.waiting(row, self._clock())
        return SitePage(row, state_of(row), findings_in(row.facts), tuple(runs[:_LAST_RUNS]), waits)

    async def _read(self, request: Request) -> tuple[Sequence[HostRow], Sequence[SiteRow]]:
        async with self._database.transaction(standing_of(request).workspace) as conn:
            return await read_hosts(conn), await read_sites(conn)

    async def _of(self, request: Request, *, standing: bool = False) -> SiteRow:
        """The site of the address. `standing`: one that was removed is none."""
        async with self._database.transaction(standing_of(request).workspace) as conn:
            row = await find_site(conn, SiteId(request.path_params["site"]))
        if row is None or (standing and row.removed_at is not None):
            raise HTTPException(404)
        return row

    async def _told(self, request: Request) -> Told | None:
        """What was done, where that still holds."""
        done = done_of(request.query_params, {"added", "changed", "removed", "back", "imported"})
        if done is None or len(done.ids) != 1:
            return None
        if done.what == "imported":
            return Told("imported", str(done.ids[0]))
        async with self._database.transaction(standing_of(request).workspace) as conn:
            row = await find_site(conn, SiteId(done.ids[0]))
        if row is None or (row.removed_at is not None) is not (done.what == "removed"):
            return None
        undo = Undo(place_of(request).link(f"/sites/{row.site.id}/back")) if done.what == "removed" else None
        return Told(done.what, row.site.name, undo)

    def _by(self, request: Request) -> By:
        return By(standing_of(request).workspace, actor_of(request), self._clock())

    def _done(self, request: Request, path: str, done: Done) -> Response:
        return JSONResponse({"done": done.what}) if wants_data(request) else told(place_of(request), path, done)

    def _refused(self, request: Request, code: str, error: RegistryError | Unfit) -> Response:
        message = self._pages.say(error.says, language_of(request))
        if wants_data(request):
            return JSONResponse({"error": {"status": 409, "code": code, "message": message}}, 409)
        raise HTTPException(409, message)

    def _unfit(self, request: Request, filled: Filled, status: int = 422) -> Response:
        """What a program sent that cannot be taken, field by field."""
        language = language_of(request)
        wrong = [{"field": each.field.name, "message": self._pages.say(each.error, language)} for each in filled.errors]
        return JSONResponse({"error": {"status": status, "fields": wrong}}, status)

    def _plain(self, request: Request, page: SitePage) -> object:
        language, site = language_of(request), page.row.site
        found = [
            {
                "name": each.name,
                "state": each.state,
                "says": self._pages.say(each.says, language),
                "command": each.command,
            }
            for each in page.findings
        ]
        return {
            "site": site.id, "name": site.name, "url": site.url, "docroot": site.docroot, "account": site.account,
            "group": site.group, "host": site.host.name, "hints": dict(page.row.hints), "state": page.state,
            "facts": {key: value for key, value in page.row.facts.items() if key != "findings"}, "findings": found,
            "checked_at": plain(page.row.checked_at), "looking": page.looking, "removed_at": plain(page.row.removed_at),
            "runs": [plain(each) for each in page.runs],
        }  # fmt: skip

    def _imported(self, request: Request, imported: Imported) -> object:
        language = language_of(request)
        refused = [
            {"line": each.line, "name": each.name, "why": self._pages.say(each.says, language)}
            for each in imported.refused
        ]
        names = {"added": [each.name for each in imported.added], "changed": [each.name for each in imported.changed]}
        return {**names, "same": imported.same, "refused": refused}


def routes(room: SitesPages) -> list[PageRoute]:
    """`/sites` and what is below it."""
    scope, see, change = Scope.WORKSPACE, Permission.SEE_TOOLBOX, Permission.CHANGE_SITES

    def post(path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> PageRoute:
        return PageRoute(path, endpoint, scope, change, methods=["POST"])

    return [
        *data_routes("/sites", room.sites, scope, see),
        post("/sites", room.add),
        PageRoute("/sites/import", room.import_form, scope, change, methods=["GET"]),
        post("/sites/import", room.take_in),
        PageRoute("/sites/{site:int}", room.site, scope, see, methods=["GET"]),
        PageRoute("/sites/{site:int}.json", room.site_data, scope, see, methods=["GET"]),
        post("/sites/{site:int}", room.change),
        post("/sites/{site:int}/remove", room.remove),
        post("/sites/{site:int}/back", room.put_back),
        PageRoute("/sites/{site:int}/check", room.check, scope, Permission.RUN_READS, methods=["POST"]),
    ]
