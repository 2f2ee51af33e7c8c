"""The pages of hosts and of the keys that sign in on them. Nothing secret stands in them. Each is also data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from steelyard.kit.scopes import Scope
from steelyard.people.gate import standing_of, wants_data
from steelyard.people.ground import actor_of
from steelyard.people.permissions import Permission
from steelyard.store.database import Connection, Database
from steelyard.toolbox import looks
from steelyard.toolbox.changes import By, Changes, host_as_new
from steelyard.toolbox.checks import Finding, findings_in
from steelyard.toolbox.keys import SshKey, fingerprint, list_keys
from steelyard.toolbox.looking import printed
from steelyard.toolbox.looks import Found, Jobs, What
from steelyard.toolbox.model import HostId, Json
from steelyard.toolbox.prepare import script
from steelyard.toolbox.registry import find_host, read_hosts, read_sites
from steelyard.toolbox.registry_rows import HostRow, SiteRow
from steelyard.toolbox.sites_forms import HOST, written
from steelyard.toolbox.sites_tables import HOSTS, STATES, fingerprint_of, state_of
from steelyard.web.console import Clock
from steelyard.web.data import answer_table, data_routes, plain, wants_rows
from steelyard.web.forms import Filled
from steelyard.web.pages import Pages, language_of
from steelyard.web.routes import PageRoute
from steelyard.web.toasts import Done, done_of, told
from steelyard.web.viewer import place_of, viewer_of


class KeySeen(NamedTuple):
    """A key as the pages show it: nothing of it is secret."""

    name: str
    fingerprint: str
    public: str
    hosts: int
    certified_until: datetime | None
    ended: bool
    """Whether its certificate ended."""
    revoked_at: datetime | None


class HostPage(NamedTuple):
    """One host, as its page draws it and its data has it."""

    row: HostRow
    fingerprint: str
    state: str
    findings: tuple[Finding, ...]
    sites: tuple[SiteRow, ...]
    behind: tuple[str, ...]
    """The hosts that are reached through it."""
    script: str
    """What goes onto it; empty for the workers' own machine."""
    found: Found | None
    """The sites that were found on it."""
    looking: bool
    """Whether a worker was just asked to look at it."""


class HostsPages:
    """What these routes do."""

    def __init__(self, database: Database, changes: Changes, jobs: Jobs, pages: Pages, clock: Clock) -> None:
        self._database, self._changes, self._pages, self._clock = database, changes, pages, clock
        self._jobs = jobs

    async def hosts(self, request: Request) -> Response:
        """All hosts, and the keys that sign in on them."""
        async with self._database.transaction(standing_of(request).workspace) as conn:
            rows, keys = await read_hosts(conn), await list_keys(conn)
        query = HOSTS.read(request.query_params, everything=wants_rows(request))
        shown = HOSTS.of_rows(rows, query, viewer_of(request).zone)
        seen = [self._key(each) for each in keys]
        return answer_table(self._pages, request, "toolbox/hosts.html", shown, keys=seen, states=STATES)

    async def host(self, request: Request) -> Response:
        """One host."""
        return await self._show(request, None)

    async def host_data(self, request: Request) -> Response:
        """The same as JSON."""
        page, language = await self._page(request), language_of(request)
        host, row = page.row.host, page.row
        found = [
            {
                "name": each.name,
                "state": each.state,
                "says": self._pages.say(each.says, language),
                "command": each.command,
            }
            for each in page.findings
        ]
        about = {"host": host.id, "name": host.name, "address": host.address, "port": host.port}
        ways = {"account": host.account, "via": row.via_name, "key": row.key_name, "local": row.local}
        facts = {key: value for key, value in row.facts.items() if key != "findings"}
        more = {"fingerprint": page.fingerprint, "state": page.state, "findings": found, "facts": facts}
        sites = [{"site": each.site.id, "name": each.site.name} for each in page.sites]
        last = {"hints": dict(row.hints), "sites": sites, "script": page.script, "checked_at": plain(row.checked_at)}
        now = {"looking": page.looking, "found": self._found(page, language)}
        return JSONResponse(about | ways | more | last | now)

    async def change(self, request: Request) -> Response:
        """Changes what an operator says of a host."""
        page = await self._page(request)
        if page.row.removed_at is not None:
            raise HTTPException(404)
        filled = (await HOST.of(request)).against(HOST.texts({"hints": written(page.row.hints)}))
        if not filled.ok:
            return await self._show(request, filled)
        hints: Json = filled.values["hints"] or {}
        new = host_as_new(page.row)._replace(hints=hints)
        by = By(standing_of(request).workspace, actor_of(request), self._clock())
        await self._changes.change_host(by, page.row.host.id, new)
        return told(place_of(request), f"/hosts/{page.row.host.id}", Done("changed", (page.row.host.id,)))

    async def check(self, request: Request) -> Response:
        """Has a worker look whether all that runs need is on it."""
        return await self._look(request, "host")

    async def discover(self, request: Request) -> Response:
        """Has a worker look which sites are on it."""
        return await self._look(request, "sites")

    async def _look(self, request: Request, what: What) -> Response:
        workspace, host = standing_of(request).workspace, HostId(request.path_params["host"])
        async with self._database.transaction(workspace) as conn:
            row = await find_host(conn, host)
            if row is None or row.removed_at is not None:
                raise HTTPException(404)
            await looks.ask(conn, self._jobs, workspace, what, host, self._clock())
        if wants_data(request):
            return JSONResponse({"done": "asked"})
        return told(place_of(request), f"/hosts/{host}", Done("asked", (host,)))

    async def _show(self, request: Request, filled: Filled | None) -> Response:
        page = await self._page(request)
        done = done_of(request.query_params, {"changed"})
        return self._pages.answer(
            request,
            "toolbox/host.html",
            status=filled.status if filled is not None else 200,
            view=page,
            form=filled or HOST.loaded({"hints": written(page.row.hints)}),
            states=STATES,
            changed=done is not None and done.ids == (page.row.host.id,),
        )

    async def _page(self, request: Request) -> HostPage:
        async with self._database.transaction(standing_of(request).workspace) as conn:
            row = await find_host(conn, HostId(request.path_params["host"]))
            if row is None:
                raise HTTPException(404)
            return await _seen(conn, row, self._clock())

    def _found(self, page: HostPage, language: str) -> object:
        if page.found is None:
            return None
        failed = page.found.failed
        said = "" if failed is None else self._pages.say(failed, language)
        sites = [each._asdict() for each in page.found.sites]
        return plain(page.found._replace(failed=None, sites=())._asdict()) | {"sites": sites, "failed": said}

    def _key(self, key: SshKey) -> KeySeen:
        until = key.certified_until
        ended = until is not None and until <= self._clock()
        return KeySeen(key.name, fingerprint(key.public), key.public, key.hosts, until, ended, key.revoked_at)


async def _seen(conn: Connection, row: HostRow, now: datetime) -> HostPage:
    hosts, registered = await read_hosts(conn), await read_sites(conn)
    sites = [each for each in registered if each.site.host.id == row.host.id]
    behind = tuple(each.host.name for each in hosts if each.via == row.host.id)
    what = "" if row.local else script(row.host, printed(row, hosts, sites, await list_keys(conn)))
    found, waits = await looks.read_found(conn, row.host.id, row.host.name, registered), looks.waiting(row, now)
    seen = findings_in(row.facts)
    return HostPage(row, fingerprint_of(row), state_of(row), seen, tuple(sites), behind, what, found, waits)


def routes(room: HostsPages) -> Sequence[PageRoute]:
    """`/hosts` and what is below it."""
    scope, see = Scope.WORKSPACE, Permission.SEE_TOOLBOX
    return [
        *data_routes("/hosts", room.hosts, scope, see),
        PageRoute("/hosts/{host:int}", room.host, scope, see, methods=["GET"]),
        PageRoute("/hosts/{host:int}.json", room.host_data, scope, see, methods=["GET"]),
        PageRoute("/hosts/{host:int}", room.change, scope, Permission.CHANGE_SITES, methods=["POST"]),
        PageRoute("/hosts/{host:int}/check", room.check, scope, Permission.RUN_READS, methods=["POST"]),
        PageRoute("/hosts/{host:int}/discover", room.discover, scope, Permission.CHANGE_SITES, methods=["POST"]),
    ]
