"""The worker's part of a scan: it asks the host, has what must be read looked at, and keeps what was found.

Three steps, each of which can be done again: `scan.compare` (signed manifests), `scan.search` (the unknown rest),
`scan.database`. What the first knows, the second does not read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, cast

from steelyard.toolbox.hosted.scan import pack, unpack
from steelyard.toolbox.model import Action, Json, RunId
from steelyard.toolbox.reach import HostError, Line, Reached
from steelyard.toolbox.scanning import database, findings, judge
from steelyard.toolbox.scanning.manifests import Releases, manifests_of
from steelyard.toolbox.scanning.model import Entry, Finding, Judged, Kind, Layout, Manifest, Memory
from steelyard.toolbox.scanning.on_host import OnHost
from steelyard.toolbox.scanning.packs import all_packs, digest_of
from steelyard.toolbox.scanning.search import Search
from steelyard.toolbox.steps import RunContext, WorkerVerb
from steelyard.toolbox.tools import mysql
from steelyard.toolbox.tools import scan as asking

_NO_MANIFEST: Final = (
    "there is no signed manifest of {} in this cell: have an operator run `steelyard core fetch` with that version,"
    " or `steelyard core add` with its archive"
)
DATABASE_KINDS: Final = (Kind.OPTION, Kind.POST, Kind.USER, Kind.CRON)


def worker_verbs(releases: Releases) -> Mapping[str, WorkerVerb]:
    """What a worker can do for runbooks that scan."""
    scan = _Scan(releases)
    verbs: dict[str, WorkerVerb] = {
        "scan.compare": scan.compare,
        "scan.search": scan.search,
        "scan.database": scan.database,
        "scan.chosen": chosen,
        "scan.mark": mark,
    }
    return {name: _heeding(verb) for name, verb in verbs.items()}


def _heeding(verb: WorkerVerb) -> WorkerVerb:
    """A host is a customer's: an answer of another shape than its helper gives is an error of the host's."""

    async def heeded(reached: Reached, args: Mapping[str, Json], context: RunContext) -> Json:
        try:
            return await verb(reached, args, context)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise HostError("bad_output", f"the host answered something else than asked: {error!r:.200}") from error

    return heeded


@dataclass(frozen=True, slots=True)
class Survey:
    """What lies below the folders of a site, and where these really are."""

    layout: Layout
    entries: Mapping[str, Entry]
    links: int
    others: int


async def survey(reached: Reached, layout: Layout, context: RunContext) -> Survey:
    """Looks at all files, without reading any."""
    answer = await reached.call(asking.survey(layout), context.tell)
    rows = cast("list[list[Any]]", await asyncio.to_thread(_unpacked, answer["rows"]))
    entries = {str(row[0]): Entry(str(row[0]), *map(int, row[1:5])) for row in rows}
    return Survey(_layout(answer), entries, int(answer["links"]), int(answer["others"]))


class _Scan:
    def __init__(self, releases: Releases) -> None:
        self._releases = releases

    async def compare(self, reached: Reached, args: Mapping[str, Json], context: RunContext) -> Json:
        began = monotonic()
        manifests, without = await self._manifests(reached, args, context)
        entries, digests = await _beside(reached, manifests, context)
        compared = [judge.compare(each, entries, digests) for each in manifests]
        known = {name: digest for each in compared for name, digest in each.known.items()}
        await self._remember_known(context, entries, known)
        told = {
            "manifests": [each.title for each in manifests],
            "without": without[:200],
            "core": any(each.kind == "core" for each in manifests),
            "known": len(known),
            "changed": sum(len(each.changed) for each in compared),
            "missing": sum(len(each.missing) for each in compared),
            "added": sum(len(each.added) for each in compared),
            "took_ms": _since(began),
        }
        found = [finding for each in compared for finding in each.findings]
        return await _keep(context, (Kind.CORE,), found, {"compared": told})

    async def _manifests(
        self, reached: Reached, args: Mapping[str, Json], context: RunContext
    ) -> tuple[list[Manifest], list[str]]:
        core_only = bool(args.get("core_only"))
        answer = await reached.call(asking.versions(Layout(*args["layout"]), core_only=core_only), context.tell)
        async with context.database.cell() as conn:
            manifests, without = await manifests_of(
                self._releases, conn, _layout(answer), args["version"], args["locale"], _installed(answer)
            )
        if core_only and not manifests:
            raise HostError("no_manifest", _NO_MANIFEST.format(without[0]))
        return manifests, without

    async def _remember_known(
        self, context: RunContext, entries: Mapping[str, Entry], known: Mapping[str, str]
    ) -> None:
        """What is as released is not read; what was, and is no more, is."""
        async with context.database.transaction(context.workspace) as conn:
            rules = digest_of(await all_packs(conn))
            memory = await findings.read_memory(conn, context.site.id, rules)
        files = {name: each for name, each in memory.files.items() if not each.known and name not in known}
        files |= {name: Judged(entries[name].identity, digest, True) for name, digest in known.items()}
        await remember(context, Memory(rules, files))

    async def search(self, reached: Reached, args: Mapping[str, Json], context: RunContext) -> Json:
        began = monotonic()
        seen = await survey(reached, Layout(*args["layout"]), context)
        async with context.database.transaction(context.workspace) as conn:
            packs = await all_packs(conn)
            memory = await findings.read_memory(conn, context.site.id, digest_of(packs))
        if args.get("fresh"):
            memory.files = {name: each for name, each in memory.files.items() if each.known}
        yara, host = args.get("yara"), context.site.host.name
        own = OnHost(reached, context.tell, yara, packs, seen.layout, host) if yara else None
        search = Search(reached, context.tell, seen.layout, packs, memory, own)
        await search.all(list(seen.entries.values()), lambda: remember(context, memory))
        memory.files = {name: each for name, each in memory.files.items() if name in seen.entries}
        await remember(context, memory)
        told = search.told() | {
            "seen": len(seen.entries),
            "links": seen.links,
            "others": seen.others,
            "took_ms": _since(began),
            "rules": memory.rules,
            "packs": [[each.name, each.licence] for each in packs],
        }
        return await _keep(context, (Kind.FILE,), _of_files(seen.entries.values(), memory), {"searched": told})

    async def database(self, reached: Reached, args: Mapping[str, Json], context: RunContext) -> Json:
        began = monotonic()
        found: list[Finding] = []
        rows: dict[str, int] = {}
        problem = ""
        try:
            for prefix in await _prefixes(reached, args, context):
                for question in database.questions(prefix, main=prefix == args["prefix"]):
                    got = await _rows(reached, args, question.sql, question.most, context)
                    rows[question.kind] = rows.get(question.kind, 0) + len(got)
                    found += database.judge(question.kind, got, args["url"], context.now)
        except HostError as error:
            if error.code in ("unreachable", "lost", "ended"):
                raise
            problem = error.code
            context.tell(Line("warning", f"the database could not be looked through: {error}"))
        told = {"rows": rows, "problem": problem, "took_ms": _since(began)}
        return await _keep(context, DATABASE_KINDS, found, {"database": told})


async def chosen(reached: Reached, args: Mapping[str, Json], context: RunContext) -> Json:
    """`scan.chosen`: {scan, findings: numbers, docroot}: what lies now where a scan of this site found these.

    Answers as `quarantine.look`, with `scan`: whether it was a scan of this site.
    """
    async with context.database.transaction(context.workspace) as conn:
        files = await findings.read_places(conn, context.site.id, RunId(int(args["scan"])), list(args["findings"]))
    if not files:
        return {"base": "", "files": []}
    return await reached.call(
        Action("quarantine.look", {"docroot": context.site.docroot, "files": files}, timeout=120.0), context.tell
    )


async def mark(reached: Reached, args: Mapping[str, Json], context: RunContext) -> Json:
    """`scan.mark`: {scan, places, quarantined}: the findings of these places say whether their files were moved."""
    async with context.database.transaction(context.workspace) as conn:
        await findings.mark_quarantined(conn, RunId(int(args["scan"])), list(args["places"]), bool(args["quarantined"]))
    return {}


async def remember(context: RunContext, memory: Memory) -> None:
    """Keeps what was judged so far: a scan that is cut off goes on from there."""
    seen = await asyncio.to_thread(memory.dump)
    async with context.database.transaction(context.workspace) as conn:
        await findings.keep_memory(conn, context.workspace, context.site.id, memory.rules, seen, context.now)


async def _keep(context: RunContext, kinds: Sequence[Kind], found: Sequence[Finding], told: Mapping[str, Json]) -> Json:
    """Keeps what a step found, and adds what it looked at to the report of the run."""
    async with context.database.transaction(context.workspace) as conn:
        count = await findings.keep_findings(conn, context.workspace, context.run, kinds, found, context.now)
        counts = await findings.count_findings(conn, context.run)
        report = await findings.read_report(conn, context.run)
    more = max(0, count - findings.MOST)
    report |= {**told, "findings": counts, "left_out": report.get("left_out", 0) + more}
    return {"report": report, "findings": count}


async def _beside(
    reached: Reached, manifests: Sequence[Manifest], context: RunContext
) -> tuple[dict[str, Entry], dict[str, str]]:
    """The files that lie where manifests say, and others in their folders, with their digests."""
    if not manifests:
        return {}, {}
    names = pack([name for each in manifests for name in judge.names_of(each)])
    folders = [folder for each in manifests for folder in judge.folders_of(each)[0]]
    tops = [folder for each in manifests for folder in judge.folders_of(each)[1]]
    answer = await reached.call(asking.beside(names, folders, tops), context.tell)
    rows = cast("list[list[Any]]", _unpacked(answer["rows"]))
    entries = {str(row[0]): Entry(str(row[0]), *map(int, row[1:5])) for row in rows}
    return entries, {str(row[0]): str(row[5]) for row in rows}


def _of_files(entries: Iterable[Entry], memory: Memory) -> list[Finding]:
    found: list[Finding] = []
    for each in entries:
        judged = memory.of(each)
        if judged is not None:
            found += [Finding(Kind.FILE, each.name, hit, judged.sha256) for hit in judged.hits]
    return found


async def _prefixes(reached: Reached, args: Mapping[str, Json], context: RunContext) -> list[str]:
    """Of the tables of each site in a network, the main one's first."""
    prefix = str(args["prefix"])
    if not args["multisite"]:
        return [prefix]
    blogs = "SELECT blog_id FROM <blogs> WHERE blog_id > 1 ORDER BY blog_id LIMIT 100"
    sql = blogs.replace("<blogs>", mysql.name(prefix + "blogs"))
    rows = await _rows(reached, args, sql, 100, context)
    return [prefix, *(f"{prefix}{row[0]}_" for row in rows if (row[0] or "").isdigit())]


async def _rows(
    reached: Reached, args: Mapping[str, Json], sql: str, most: int, context: RunContext
) -> list[list[str | None]]:
    answer = await reached.call(
        mysql.query(args["config"], sql, php=str(args.get("php", "")), most=most, timeout=120.0), context.tell
    )
    return cast("list[list[str | None]]", answer["rows"])


def _unpacked(text: str) -> Any:
    try:
        return unpack(text)
    except (ValueError, TypeError) as error:
        raise HostError("bad_output", f"the host's answer cannot be read: {error}") from None


def _layout(answer: Json) -> Layout:
    root, core, content, plugins = (str(each) for each in answer["layout"])
    return Layout(root, core, content, plugins)


def _installed(answer: Json) -> dict[str, dict[str, str]]:
    """Versions of plugins and of themes by slug, as the host said them: texts of bounded length."""
    return {
        kind: {str(slug)[:200]: str(version)[:40] for slug, version in dict(answer[kind]).items()}
        for kind in ("plugins", "themes")
    }


def _since(began: float) -> int:
    return round((monotonic() - began) * 1000)
