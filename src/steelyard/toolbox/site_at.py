"""Which site answers at a host name, with what an engineer needs there; and the names of all sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from steelyard.kit.scopes import Scope
from steelyard.people.gate import standing_of
from steelyard.people.members import names_of as people_of
from steelyard.people.permissions import Permission
from steelyard.store.database import Connection
from steelyard.toolbox.acts import why_not
from steelyard.toolbox.handbook.ground import HandbookGround, Shelf, page_href, read_shelf, reads_in
from steelyard.toolbox.model import SiteId
from steelyard.toolbox.parameters import default_of
from steelyard.toolbox.registry import find_site
from steelyard.toolbox.registry_rows import SiteRow
from steelyard.toolbox.rules import Rule, may_plan
from steelyard.toolbox.rules_store import read_rules
from steelyard.toolbox.runbook import Parameter, Runbook
from steelyard.toolbox.runs_read import RunListed, site_runs
from steelyard.toolbox.shelf import GROUPS, own_text, title_of
from steelyard.toolbox.site_names import canonical, names_of, twin
from steelyard.toolbox.sites_tables import STATES, fact_of, state_of
from steelyard.toolbox.states import STATE_WORDS
from steelyard.web.data import plain, tagged
from steelyard.web.pages import language_of
from steelyard.web.routes import PageRoute
from steelyard.web.viewer import place_of

MOST_RUNS: Final = 5
MOST_PAGES: Final = 8
LOOKS: Final = "diagnose_site"
"""The runbook whose pages are of use at any site."""

_ALL: Final[LiteralString] = "SELECT name, url FROM site WHERE removed_at IS NULL"
_NAMED: Final[LiteralString] = "SELECT site, name, url FROM site WHERE removed_at IS NULL AND name = ANY(%(names)s)"
_OPENED: Final[LiteralString] = """
SELECT site, name, url FROM site
WHERE removed_at IS NULL AND url <> 'https://' || name
  AND split_part(split_part(split_part(url, '://', 2), '/', 1), ':', 1) = ANY(%(names)s)
"""
_ABOUT: Final[LiteralString] = """
SELECT conversation FROM run WHERE site = %(site)s AND conversation IS NOT NULL ORDER BY run DESC LIMIT %(most)s
"""


class Asked(NamedTuple):
    """What a program asks at a host name."""

    request: Request
    ground: HandbookGround

    @property
    def language(self) -> str:
        """The asker's."""
        return language_of(self.request)

    def say(self, text: object, language: str | None = None) -> str:
        """A text of the product's own in the asker's language."""
        return self.ground.pages.say(text, language or self.language)

    def link(self, path: str, **query: str) -> str:
        """The address of a page of the console."""
        return place_of(self.request).link(path, **query)


class SitesAt:
    """What these routes do."""

    def __init__(self, ground: HandbookGround) -> None:
        self._ground = ground

    async def names(self, request: Request) -> Response:
        """The host names of all sites, with a tag by which a program sees whether they are still the same."""
        async with self._ground.database.transaction(standing_of(request).workspace) as conn:
            rows = await (await conn.execute(_ALL)).fetchall()
        return tagged(request, {"names": sorted({each for name, url in rows for each in names_of(name, url)})})

    async def at(self, request: Request) -> Response:
        """The site at a host name: what is known of it, its last runs, what can be planned there, what to read."""
        host = canonical(request.query_params.get("host", ""))
        if not host:
            raise HTTPException(400, "Name a host, such as ?host=shop.example.")
        asked, who = Asked(request, self._ground), standing_of(request)
        async with self._ground.database.transaction(who.workspace) as conn:
            row = await read_at(conn, host)
            if row is None:
                return JSONResponse({"host": host, "site": None, "runs": [], "runbooks": [], "handbook": []})
            runs, rules = await site_runs(conn, row.site.id, MOST_RUNS), await read_rules(conn)
            people: Mapping[Any, str] = await people_of(conn)
            shelf = await read_shelf(self._ground, conn, who.workspace)
            topics = await self._topics(conn, request, row.site.id)
        about = {
            "host": host,
            "site": _site(asked, row),
            "runs": [_run(asked, each, shelf.runbooks, people) for each in runs],
            "runbooks": [_runbook(asked, each, row, rules) for each in _in_order(shelf.runbooks.values())],
            "handbook": _pages(asked, shelf, topics, [*(each.runbook for each in runs), LOOKS]),
        }
        return JSONResponse(about)

    async def _topics(self, conn: Connection, request: Request, site: SiteId) -> list[str]:
        """The topics of the conversations for which something was run at the site lately, the last one first."""
        rows = await (await conn.execute(_ABOUT, {"site": site, "most": MOST_RUNS})).fetchall()
        workspace = standing_of(request).workspace
        found = [await self._ground.topics.of(conn, workspace, number) for (number,) in dict.fromkeys(rows)]
        return [each.id for each in found if each is not None]


async def read_at(conn: Connection, host: str) -> SiteRow | None:
    """The site that has this name, else one that is opened at it, else at its twin; None where none is."""
    asked = {"names": [each for each in (host, twin(host)) if each]}
    found = await (await conn.execute(_NAMED, asked)).fetchall()
    if not any(name == host for _, name, _ in found):
        found += await (await conn.execute(_OPENED, asked)).fetchall()
    best = min(found, key=lambda each: _nearness(host, *each), default=None)
    return None if best is None else await find_site(conn, SiteId(best[0]))


def _nearness(host: str, site: int, name: str, url: str) -> tuple[bool, bool, bool, int, int]:
    """Least for the site that is meant: by its name, its address or its twin, at a root, registered first."""
    opened = canonical(url.partition("://")[2].partition("/")[0])
    return name != host, opened != host, name != twin(host), url.count("/"), site


def _site(asked: Asked, row: SiteRow) -> dict[str, Any]:
    site, state = row.site, state_of(row)
    facts = {
        "state": state,
        "says": asked.say(STATES[state]),
        "wordpress": fact_of(row, "wordpress", "version"),
        "php": fact_of(row, "php", "version"),
    }
    return {
        "site": site.id,
        "name": site.name,
        "url": site.url,
        "group": site.group,
        "host": site.host.name,
        "facts": facts,
        "checked_at": plain(row.checked_at),
        "href": asked.link(f"/sites/{site.id}"),
    }


def _run(asked: Asked, run: RunListed, runbooks: Mapping[str, Runbook], people: Mapping[Any, str]) -> dict[str, Any]:
    known = runbooks.get(run.runbook)
    return {
        "run": run.run,
        "runbook": run.runbook,
        "title": title_of(known, asked.language, asked.say) if known is not None else run.runbook,
        "risk": run.risk.value,
        "state": run.state.value,
        "says": asked.say(STATE_WORDS[run.state]),
        "at": plain(run.asked_at),
        "person": people.get(run.person),
        "href": asked.link(f"/runs/{run.run}"),
    }


def _runbook(asked: Asked, runbook: Runbook, row: SiteRow, rules: Sequence[Rule]) -> dict[str, Any]:
    """A runbook as it can be planned at this site, or why not."""
    may = may_plan(standing_of(asked.request), runbook.risk, row.site.group, rules)
    return {
        "name": runbook.name,
        "title": title_of(runbook, asked.language, asked.say),
        "summary": own_text(runbook, runbook.summary, asked.language, asked.say),
        "risk": runbook.risk.value,
        "minutes": runbook.minutes,
        "parameters": [_parameter(asked, runbook, each) for each in runbook.parameters],
        "may": may.allowed,
        "why_not": None if may.allowed else asked.say(why_not(may).says),
        "href": asked.link(f"/runbooks/{runbook.name}", site=str(row.site.id)),
    }


def _parameter(asked: Asked, runbook: Runbook, each: Parameter) -> dict[str, Any]:
    """A thing to choose, in the asker's language."""

    def say(text: str) -> str:
        return own_text(runbook, text, asked.language, asked.say)

    choices = tuple(choice._replace(label=say(choice.label)) for choice in each.choices)
    said = each._replace(label=say(each.label), help=say(each.help), refusal=say(each.refusal), choices=choices)
    return plain(said._asdict() | {"default": default_of(each)})


def _in_order(runbooks: Sequence[Runbook] | Any) -> list[Runbook]:
    """As they stand on the shelf."""
    groups = list(GROUPS)
    return sorted(runbooks, key=lambda each: (groups.index(each.group), each.name))


def _pages(asked: Asked, shelf: Shelf, topics: Sequence[str], runbooks: Sequence[str]) -> list[dict[str, str]]:
    """What to read here: of the topics that were dealt with, then of the runbooks that were run."""
    language = reads_in(asked.request)
    found = {page.slug: page for topic in topics for page in shelf.about(topic, language)}
    for slug in sorted(shelf.slugs):
        page = shelf.page(slug, language)
        if page is not None and not set(page.text.runbooks).isdisjoint(runbooks):
            found.setdefault(slug, page)
    return [
        {"slug": page.slug, "title": page.text.title, "href": page_href(asked.request, page)}
        for page in list(found.values())[:MOST_PAGES]
    ]


def routes(ground: HandbookGround) -> list[PageRoute]:
    """What the companion asks of sites. Before the pages of sites, whose numbers are no names."""
    room, of, needs = SitesAt(ground), Scope.WORKSPACE, Permission.SEE_TOOLBOX
    return [
        PageRoute("/sites/names.json", room.names, of, needs, methods=["GET"]),
        PageRoute("/sites/at.json", room.at, of, needs, methods=["GET"]),
    ]
