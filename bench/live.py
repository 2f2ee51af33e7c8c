"""How soon a change of the desk reaches everybody who watches it: 500 viewers, 20 changes a second, one web process.

200 engineers and 20,000 open conversations. The web process is the real one; viewers are another process; changes are
made in the database as the router makes them, each with its hint. Most viewers are engineers and see what is their own.
Webhooks come meanwhile: how long they take is told with and without viewers.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psycopg
from psycopg.conninfo import make_conninfo

from _ground import CELL, SECRET, add_keys, add_workspace, cpu_seconds, result, say, server
from _office import ENGINEERS, Office
from _web import WEB, Web, process
from steelyard.jobs.processes import run as run_until_done
from steelyard.kit.ids import PersonId, WorkspaceId
from steelyard.people.sessions import open_session
from steelyard.store.database import Database
from steelyard.store.embedded import DATABASE

HERE = Path(__file__).parent
VIEWERS = int(os.environ.get("VIEWERS", "500"))
PER_SECOND = int(os.environ.get("RATE", "20"))
SECONDS = int(os.environ.get("SECONDS", "30"))
LEADS = 100
"""Viewers who are no engineers; the others are two browsers of each."""
WARM = 4
"""Seconds before what is measured."""


class Told(NamedTuple):
    """One change: the decision that it shows as, and when it was committed."""

    decision: int
    at: float


async def people(database: Database, superuser: str, workspace: WorkspaceId) -> list[str]:
    """The cookies of all viewers: engineers signed in twice, and leads."""
    with psycopg.connect(superuser, autocommit=True) as conn:
        found = conn.execute(
            "WITH made AS (INSERT INTO person (address, name)"
            "  SELECT 'p' || n || '@bench.test', 'Person ' || n FROM generate_series(0, %s) AS n RETURNING person)"
            " INSERT INTO membership (workspace, person, roles, engineer)"
            " SELECT %s, person, ARRAY[CASE WHEN n <= %s THEN 'engineer' ELSE 'lead' END],"
            "        CASE WHEN n <= %s THEN 999 + n END"
            " FROM (SELECT person, row_number() OVER (ORDER BY person) AS n FROM made) AS numbered"
            " RETURNING person, engineer",
            [ENGINEERS, workspace, ENGINEERS, ENGINEERS],
        ).fetchall()
    now = datetime.now(UTC)
    engineers = [PersonId(person) for person, engineer in found if engineer is not None]
    leads = [PersonId(person) for person, engineer in found if engineer is None]
    wanted = [leads[0]] * min(LEADS, VIEWERS)
    wanted += [engineers[n % len(engineers)] for n in range(VIEWERS - len(wanted))]
    return [await open_session(database, each, "bench", now) for each in wanted]


async def webhooks(web: Web, seconds: float) -> list[float]:
    """Webhooks come, 20 a second; how many milliseconds each took."""
    took: list[float] = []
    until = time.monotonic() + seconds
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{web.port}") as client:
        while time.monotonic() < until:
            body = json.dumps({"topic": "ping", "app_id": "a86dr8yl", "id": f"notif_{uuid.uuid4()}"}).encode()
            signature = "sha1=" + hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()
            begun = time.perf_counter()
            answer = await client.post(f"/hooks/intercom/{CELL}", content=body, headers={"X-Hub-Signature": signature})
            took.append((time.perf_counter() - begun) * 1000)
            if answer.status_code != 200:
                raise SystemExit(f"a webhook was answered {answer.status_code}")
            await asyncio.sleep(0.05)
    return took


async def changes(office: Office, seconds: float) -> list[Told]:
    """Makes changes at their rate; those that are decisions."""
    told: list[Told] = []
    began = time.monotonic()
    for number in range(int(seconds * PER_SECOND)):
        await asyncio.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
        decision = await office.change()
        if decision is not None:
            told.append(Told(decision, time.monotonic()))
    return told


def delays(told: Sequence[Told], seen: Sequence[Sequence[tuple[float, int]]]) -> tuple[list[float], list[float]]:
    """For each change the seconds until the last viewer had it; and those of every viewer."""
    last: list[float] = []
    every: list[float] = []
    places = [0] * len(seen)
    for change in told:
        took: list[float] = []
        for viewer, events in enumerate(seen):
            while places[viewer] < len(events) and events[places[viewer]][1] < change.decision:
                places[viewer] += 1
            if places[viewer] == len(events):
                took.append(float("inf"))
            else:
                took.append(max(0.0, events[places[viewer]][0] - change.at))
        every += took
        last.append(max(took))
    return last, every


async def run(superuser: str, url: str, keys: Path, folder: Path) -> None:
    """Fills the office, lets everybody watch, changes it, and says how long things took."""
    workspace = add_workspace(url, keys)
    async with Database.open(url) as database:
        office = Office(database, workspace)
        await office.open()
        cookies = await people(database, superuser, workspace)
        with process(WEB, url, keys) as web:
            say(f"{len(office.state.conversations)} conversations of {ENGINEERS} engineers; webhooks without viewers")
            await webhooks(web, 2)
            quiet = await webhooks(web, 8)
            file = folder / "seen.json"
            command = [sys.executable, str(HERE / "_viewers.py"), str(web.port), str(WARM + SECONDS + 4), str(file)]
            watching = await asyncio.to_thread(start, command)
            try:
                figures = await watched(office, web, watching, cookies)
                await asyncio.to_thread(watching.wait, 60)
            finally:
                watching.kill()
            report(figures, json.loads(file.read_text()), quiet)


def start(command: Sequence[str]) -> subprocess.Popen[str]:
    """The process of the viewers."""
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


class Figures(NamedTuple):
    """What was measured while everybody watched."""

    told: list[Told]
    took: list[float]
    cpu: float
    """Seconds of the web process in one second."""


async def watched(office: Office, web: Web, watching: subprocess.Popen[str], cookies: Sequence[str]) -> Figures:
    """What happens while everybody watches."""
    assert watching.stdin is not None
    assert watching.stdout is not None
    watching.stdin.write("".join(f"{each}\n" for each in cookies))
    watching.stdin.close()
    began = time.monotonic()
    if (await asyncio.to_thread(watching.stdout.readline)).strip() != "watching":
        raise SystemExit("the viewers did not come")
    say(f"{len(cookies)} viewers came within {time.monotonic() - began:.1f} s")
    await changes(office, WARM)
    before, begun = cpu_seconds(web.pid), time.monotonic()
    told, took = await asyncio.gather(changes(office, SECONDS), webhooks(web, SECONDS))
    cpu = (cpu_seconds(web.pid) - before) / (time.monotonic() - begun)
    return Figures(told, took, cpu)


def report(figures: Figures, seen: dict[str, Any], quiet: Sequence[float]) -> None:
    """Prints what it came to."""
    last, every = delays(figures.told, seen["seen"])
    result(
        viewers=VIEWERS,
        changes_per_second=PER_SECOND,
        decisions=len(figures.told),
        to_all_p50_s=share(last, 0.5),
        to_all_p95_s=share(last, 0.95),
        to_all_max_s=share(last, 1),
        within_1s=round(sum(each <= 1 for each in every) / len(every), 5),
        changes_to_all_within_1s=round(sum(each <= 1 for each in last) / len(last), 5),
        cpu=round(figures.cpu, 2),
        kb_per_viewer_and_second=round(seen["bytes"] / VIEWERS / SECONDS / 1000, 1),
        webhook_p50_ms=share(figures.took, 0.5),
        webhook_p99_ms=share(figures.took, 0.99),
        webhook_p50_ms_without_viewers=share(quiet, 0.5),
        webhook_p99_ms_without_viewers=share(quiet, 0.99),
    )


def share(values: Sequence[float], part: float) -> float:
    """The value that so large a part of them does not exceed."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(part * len(ordered)))], 3)


if __name__ == "__main__":
    with server() as embedded, tempfile.TemporaryDirectory() as temporary:
        address = make_conninfo(embedded.superuser_url, dbname=DATABASE)
        run_until_done(run(address, embedded.app_url, add_keys(Path(temporary)), Path(temporary)))
