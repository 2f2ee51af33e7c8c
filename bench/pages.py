"""How long the server takes for each page with 200 engineers and 20,000 open conversations: p95, and over an empty one.

Every page and its data, as routes are registered, asked of a real web process by an administrator who is also an
engineer. Pages take turns with the empty page (the frame around "not found"); before each turn something changes.

Two kinds of answers are no pages and are measured apart: exports, which are whole lists of thousands of rows, by their
rows a second, and replays, which make a decision again, by their milliseconds. While each is answered somebody else
asks for the empty page over and over; `beside_ms` is the 95th percentile of what that took.

Ends with 1 where a page is answered with anything but 200.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psycopg
from psycopg.conninfo import make_conninfo

from _ground import CELL, add_keys, add_workspace, median, result, rounds, say, server
from _office import ENGINEERS, OPEN, Office
from _web import WEB, process
from steelyard.jobs.processes import run as run_until_done
from steelyard.kit.ids import CellId, PersonId, WorkspaceId
from steelyard.main.console import Site, console_routes
from steelyard.main.ground import ROOMS
from steelyard.people.sessions import open_session
from steelyard.routing import store
from steelyard.routing.notifications import Choice, add_notification
from steelyard.store.database import Database
from steelyard.store.embedded import DATABASE
from steelyard.store.keys import WEB as WEB_KEY
from steelyard.store.keys import Keys, key_file
from steelyard.web.pages import Pages
from steelyard.web.static import read_static

TURNS = int(os.environ.get("TURNS", "12"))
"""Requests of each page in each round."""

EMPTY = "/nothing-is-here"
ANSWERED = {EMPTY: 404, "/enter": 410, "/": 303, "/sign-in": 303}
"""What is answered otherwise than by 200: there is no link that works, and whoever is in is led on."""
ENDLESS = ("/desk/live",)
EXPORTS = ("/conversations.csv", "/conversations.json", "/decisions.csv")
REPLAYS = re.compile(r"/decisions/\d+/replay(\.json)?")
FIRST_LOAD = 120_000
"""Bytes of HTML, CSS and JavaScript together, compressed, that a first visit may load."""

_FILE = re.compile(r'(?:href|src)="(/static/[^"]+\.(?:css|js))"')
_IMPORT = re.compile(rb'from "(\./[^"]+\.js)"')


class Apart(NamedTuple):
    """What is no page: milliseconds of each, rows of each, and of the empty pages beside it."""

    took: list[float]
    rows: list[int]
    beside: list[float]


class Timed(NamedTuple):
    """What a page took, in milliseconds, and the empty page beside it."""

    page: list[float]
    empty: list[float]

    @property
    def p95(self) -> float:
        """Of the page."""
        return share(self.page, 0.95)

    @property
    def ratio(self) -> float:
        """The median of the page over that of the empty one."""
        return share(self.page, 0.5) / share(self.empty, 0.5)


def tidy(superuser: str) -> None:
    """What PostgreSQL does by itself after a while: counts what is there, and notes what all may see."""
    with psycopg.connect(superuser, autocommit=True) as conn:
        conn.execute("VACUUM (ANALYZE)")


async def a_notification(database: Database, workspace: WorkspaceId, keys: Path) -> int:
    """The number of a notification: an address that alarms are told."""
    choice = Choice("Chat", None, "en", None, None, "UTC")
    async with database.transaction(workspace) as conn:
        address = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
        return await add_notification(
            conn, workspace, choice, address, Keys(key_file(keys, WEB_KEY)), datetime.now(UTC)
        )


async def somebody(database: Database, superuser: str, workspace: WorkspaceId) -> str:
    """The cookie of an administrator who is an engineer, too."""
    with psycopg.connect(superuser, autocommit=True) as conn:
        row = conn.execute(
            "WITH made AS (INSERT INTO person (address, name) VALUES ('a@bench.test', 'Ada') RETURNING person)"
            " INSERT INTO membership (workspace, person, roles, engineer)"
            " SELECT %s, person, ARRAY['administrator', 'engineer'], 1004 FROM made RETURNING person",
            [workspace],
        ).fetchone()
    assert row is not None
    return await open_session(database, PersonId(row[0]), "bench", datetime.now(UTC))


def addresses(database: Database, keys: Path, numbers: dict[str, int]) -> list[str]:
    """Every address that can be read, with `numbers` in the places of parameters."""
    pages = Pages(read_static(), ROOMS)
    routes = console_routes(database, pages, Site(CellId(CELL), keys))
    readable = [route.path for route in routes if "GET" in (route.methods or ())]

    def filled(path: str) -> str:
        for parameter in re.findall(r"{[^}]+}", path):
            path = path.replace(parameter, str(numbers.get(path.split("/")[1], 1)))
        return path

    return sorted({filled(path) for path in readable} - set(ENDLESS))


async def run(superuser: str, url: str, keys: Path) -> None:
    """The rounds."""
    workspace = add_workspace(url, keys)
    async with Database.open(url) as database:
        office = Office(database, workspace)
        await office.open()
        tidy(superuser)
        async with database.transaction(workspace) as conn:
            await store.write_snapshot(conn, workspace)
        decision = None
        while decision is None:
            decision = await office.change()
        cookie = await somebody(database, superuser, workspace)
        numbers = {"decisions": decision, "engineers": 1004, "people": 1, "conversations": 10_001, "tokens": 1}
        numbers["settings"] = await a_notification(database, workspace, keys)
        paths = addresses(database, keys, numbers)
        with process(WEB, url, keys) as web:
            address = f"http://127.0.0.1:{web.port}"
            async with httpx.AsyncClient(base_url=address, cookies={"steelyard_session": cookie}, timeout=60) as client:
                first = await took(client, "/desk")
                broken = [path for path in paths if not await answers(client, path)]
                apart = [path for path in paths if path in EXPORTS or REPLAYS.fullmatch(path)]
                paths = [path for path in paths if path not in (*broken, *apart)]
                loaded = {
                    path: await first_load(client, path) for path in paths if not path.endswith((".json", ".csv"))
                }
                timed = await measure(client, paths, office)
                others = {path: await measure_apart(client, path) for path in apart}
    told = figures(timed, loaded) | figures_apart(others)
    result(**told, desk_first_ms=round(first), broken=broken, load=round(os.getloadavg()[0], 1))
    if broken:
        raise SystemExit(1)


async def measure(client: httpx.AsyncClient, paths: Sequence[str], office: Office) -> dict[str, Timed]:
    """Asks for every page in turn with the empty one."""
    timed = {path: Timed([], []) for path in paths}
    for number in rounds():
        for _ in range(TURNS):
            await office.change()
            for path in paths:
                timed[path].empty.append(await took(client, EMPTY))
                timed[path].page.append(await took(client, path))
        worst = max(timed, key=lambda path: timed[path].p95)
        say(f"round {number}: the slowest is {worst} with {timed[worst].p95:.1f} ms")
    return timed


async def measure_apart(client: httpx.AsyncClient, path: str) -> Apart:
    """Asks for something large, and for the empty page meanwhile."""
    apart = Apart([], [], [])
    for _ in rounds():
        whole = asyncio.create_task(client.get(path))
        begun = time.perf_counter()
        whole.add_done_callback(lambda _, begun=begun: apart.took.append((time.perf_counter() - begun) * 1000))
        while not whole.done():
            apart.beside.append(await took(client, EMPTY))
        apart.rows.append(rows_in(await whole))
    return apart


def rows_in(answer: httpx.Response) -> int:
    """How many rows were answered; 1 for what is no list."""
    if answer.headers["content-type"].startswith("text/csv"):
        return answer.text.count("\n") - 1
    found: dict[str, list[object]] = answer.json() if "json" in answer.headers["content-type"] else {}
    return len(found.get("rows", [None]))


async def took(client: httpx.AsyncClient, path: str) -> float:
    """Milliseconds until it is answered whole."""
    begun = time.perf_counter()
    answer = await client.get(path)
    spent = (time.perf_counter() - begun) * 1000
    if answer.status_code != ANSWERED.get(path, 200):
        raise SystemExit(f"{path} was answered {answer.status_code}: {answer.text[:500]}")
    return spent


async def first_load(client: httpx.AsyncClient, path: str) -> int:
    """Bytes of the page and all its styles and scripts, each compressed."""
    page = await client.get(path)
    if "text/html" not in page.headers.get("content-type", ""):
        return 0
    wanted, files = set(_FILE.findall(page.text)), dict[str, bytes]()
    while wanted:
        file = wanted.pop()
        files[file] = (await client.get(file)).content
        found = {str(httpx.URL(file).join(each.decode())) for each in _IMPORT.findall(files[file])}
        wanted |= found - files.keys()
    return sum(len(gzip.compress(content)) for content in (page.content, *files.values()))


async def answers(client: httpx.AsyncClient, path: str) -> bool:
    """Whether a page is there at all."""
    status = (await client.get(path)).status_code
    expected = ANSWERED.get(path, 200)
    if status != expected:
        say(f"{path} is answered {status}")
    return status == expected


def figures(timed: dict[str, Timed], loaded: dict[str, int]) -> dict[str, Any]:
    """Of each page, and the worst of all; says each."""
    for path, each in sorted(timed.items(), key=lambda item: -item[1].p95):
        size = f", {loaded[path] / 1000:.0f} kB" if path in loaded else ""
        say(f"{path}: p95 {each.p95:.1f} ms, {each.ratio:.2f} of an empty page{size}")
    slowest = max(timed, key=lambda path: timed[path].p95)
    dearest = max(timed, key=lambda path: timed[path].ratio)
    largest = max(loaded, key=lambda path: loaded[path])
    return dict(
        p95_ms=round(timed[slowest].p95, 1),
        ratio=round(timed[dearest].ratio, 2),
        slowest=slowest,
        dearest=dearest,
        over_50_ms=[path for path, each in timed.items() if each.p95 >= 50],
        first_load_kb=round(loaded[largest] / 1000, 1),
        largest=largest,
        over_120_kb=[path for path, size in loaded.items() if size > FIRST_LOAD],
        pages={path: {"p95_ms": round(each.p95, 1), "ratio": round(each.ratio, 2)} for path, each in timed.items()},
        engineers=ENGINEERS,
        open=OPEN,
    )


def figures_apart(others: dict[str, Apart]) -> dict[str, Any]:
    """Of what is no page; says each."""
    told = dict[str, dict[str, Any]]()
    for path, each in others.items():
        spent, rows, beside = median(each.took), each.rows[0], share(each.beside, 0.95)
        told[path] = {"ms": round(spent), "beside_ms": round(beside, 1)}
        if path in EXPORTS:
            told[path] |= {"rows": rows, "rows_per_s": round(rows / spent * 1000)}
        say(f"{path}, no page: {told[path]}")
    return {
        "exports": {path: each for path, each in told.items() if path in EXPORTS},
        "replays": {path: each for path, each in told.items() if path not in EXPORTS},
    }


def share(values: Sequence[float], part: float) -> float:
    """The value that so large a part of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


if __name__ == "__main__":
    with server() as embedded, tempfile.TemporaryDirectory() as temporary:
        root = make_conninfo(embedded.superuser_url, dbname=DATABASE)
        run_until_done(run(root, embedded.app_url, add_keys(Path(temporary))))
