"""The same at every step of the runbooks that ship, and of their undo, at real WordPress sites on a real host.

After a fault and whatever follows by itself, a run is done or put back. Put back, the site is as before to the byte;
done, its checks agreed, and its undo brings the site of before back, wherever that in turn is cut off.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import os
import random
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from scenes import SCENES, Scene
from test_toolbox import EVERYTHING, check_journal

sys.path.insert(0, str(Path(__file__).parents[1] / "toolbox"))
from engine import Engine, engine_in
from resetting import HostSlot, make_slot, remove
from tests.toolbox.carrying import hints_of

from steelyard.demo.hosting import Hosting
from steelyard.demo.hosting import Site as RealSite
from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Connection, Database
from steelyard.store.keys import WORKER, Keys, key_file
from steelyard.toolbox import slots_template, store
from steelyard.toolbox.acts import RunRefused
from steelyard.toolbox.erasing import erase
from steelyard.toolbox.host_secrets import write_host_secret
from steelyard.toolbox.model import By, Json, RunId, SiteId, encode
from steelyard.toolbox.reach import Errand
from steelyard.toolbox.registry import NewHost, NewSite, add_host, add_site, read_site
from steelyard.toolbox.runbook import Left
from steelyard.toolbox.runbooks import load
from steelyard.toolbox.runs_seen import RunSeen
from steelyard.toolbox.scanning.scan import worker_verbs
from steelyard.toolbox.states import State

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("hosting")]

OWN = Path(__file__).parent / "own"
RUNBOOKS = load(OWN)
FAULTS = (*itertools.product(("kill", "lose"), ("before", "during", "after")), ("fill", "before"), ("fill", "after"))
UNDOS = 3
"""Scenes whose undo is cut off as well, where not everything is tried."""


def every(scene: Scene, changes: int) -> list[Any]:
    """Every fault at every change."""
    name = scene.runbook
    return [
        pytest.param(scene, nth, *fault, id="-".join((name, str(nth), *fault)))
        for nth in range(changes)
        for fault in FAULTS
    ]


def drawn(scenes: list[Scene], forward: bool) -> list[Any]:
    """All of it, or of each scene one case, which is the same each time."""
    matrix = [every(scene, scene.changes if forward else scene.back) for scene in scenes]
    if EVERYTHING:
        return [case for cases in matrix for case in cases]
    return [
        random.Random(f"{scene.runbook}{forward}").choice(cases) for scene, cases in zip(scenes, matrix, strict=True)
    ]


FORWARD = drawn([*SCENES], forward=True)
UNDONE = [scene for scene in SCENES if scene.back]
BACK = drawn(UNDONE if EVERYTHING else random.Random(6).sample(UNDONE, UNDOS), forward=False)


@dataclass
class Stage:
    """A real site in the registry, and runs at it."""

    engine: Engine
    real: RealSite
    site: SiteId
    url: str
    keys: Path
    slot: HostSlot
    later: list[Callable[[], Any]] = field(default_factory=list[Callable[[], Any]])
    """What is done when the test has ended."""

    async def planned(self, runbook: str, given: Mapping[str, Any]) -> RunSeen:
        run = await self.engine.ask(runbook, None, "real", **given)
        await self.engine.work(run)
        planned = await self.engine.run(run)
        assert planned.state is State.PLANNED, planned.reason
        return planned

    async def confirm(self, planned: RunSeen) -> None:
        await self.engine.acts.confirm(self.engine.here, planned.run, planned.plan_digest, self.real.name)

    async def done(self, runbook: str, given: Mapping[str, Any]) -> RunSeen:
        """A run without any fault."""
        planned = await self.planned(runbook, given)
        await self.confirm(planned)
        return await self.ended(planned.run)

    async def undone(self, run: RunId) -> None:
        """Takes a run back."""
        await self.ended(await self.engine.acts.undo(self.engine.here, run))

    async def ended(self, run: RunId) -> RunSeen:
        """A run that comes to its end with nothing in its way."""
        await self.engine.settle()
        seen = await self.engine.run(run)
        assert seen.state is State.DONE, seen.reason
        return seen

    async def settled(self, run: RunId) -> RunSeen:
        """A run after a fault: workers take it up, and a person does what its page offers where it waits for one."""
        await self.engine.settle()
        if (await self.engine.run(run)).state is State.STOPPED:
            try:
                await self.engine.acts.resume(self.engine.here, run)
            except RunRefused as refused:
                if refused.code != "back_only":
                    raise
                await self.engine.acts.undo(self.engine.here, run)
            await self.engine.settle()
        return await self.engine.run(run)

    async def changes(self, run: RunId) -> list[Json]:
        """The calls of a run's plan, as the host gets them."""
        async with self.engine.database.transaction(self.engine.workspace) as conn:
            entries = await store.read_entries(conn, run)
        return [encode(each) for entry in entries for each in entry.actions if each.by is not By.WORKER]

    async def changes_back(self, number: RunId) -> list[Json]:
        """The same of the way back, were it gone now."""
        engine, workspace = self.engine, self.engine.workspace
        async with engine.database.transaction(workspace) as conn:
            run, site = await store.find_run(conn, number), await read_site(conn, self.site)
            assert run
            secrets = await engine.ground.secrets(conn, workspace, run, site)
        runbook, left = RUNBOOKS.of(run.runbook), Left(site, run.params, run.token, engine.clock(), run.keeps)
        assert runbook.undo
        assert runbook.undo_reads
        async with engine.ground.ways(workspace).open(site.host, Errand(run.token, site, False, secrets)) as reached:
            reads = runbook.undo_reads(left)
            facts = {each.into: await reached.call(each.action, lambda _: None) for each in reads}
        plan = runbook.undo(left, facts)
        return [encode(each) for step in plan.steps for each in step.actions if each.by is not By.WORKER]

    async def struck(self, run: RunId, actions: list[Json], nth: int, fault: str, when: str) -> None:
        asked = {
            "url": self.url, "workspace": self.engine.workspace, "run": run, "keys": str(self.keys),
            "runbooks": str(OWN), "nth": nth, "fault": fault, "when": when, "actions": actions,
            "slots": dict(self.slot.offered),
        }  # fmt: skip
        victim = await asyncio.create_subprocess_exec(
            sys.executable, str(Path(__file__).parent / "victim.py"), json.dumps(asked),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await asyncio.wait_for(victim.communicate(), 120)
        assert victim.returncode in (-9, 0), err.decode()
        left = await self.engine.run(run)
        struck = victim.returncode == -9 or json.loads(out.splitlines()[-1])["struck"]
        assert struck, f"nothing happened to it: {left.state} {left.reason} {left.plan}"

    def tables(self, *, kept: bool) -> list[str]:
        """The site's tables; or those that runs keep beside them until the way back ends."""
        return [each for each in self.real.tables() if each.startswith("sy") == kept]

    async def erased(self, run: RunId) -> None:
        """The way back of a run ends."""
        self.engine.clock.ahead = timedelta(days=8)
        await erase(self.engine.ground, self.engine.workspace, run)
        self.engine.clock.ahead = timedelta()

    async def seen(self) -> dict[str, Any]:
        """What the site is: its files with their modes, its rows, who may enter Redis, what its PHP loads, and what is
        told of its findings."""
        site, hosting = self.real, self.real.hosting
        found = {str(path.relative_to(site.docroot)): _seen(path) for path in sorted(site.docroot.rglob("*"))}
        tables = ", ".join(f"`{each}`" for each in self.tables(kept=False) if not each.endswith("options"))
        options = (
            f"SELECT option_name, MD5(option_value) FROM `{site.prefix}options`"
            " WHERE option_name NOT LIKE '%transient%' AND option_name <> 'cron' ORDER BY option_name"
        )
        marked = await self.engine.rows("SELECT place, quarantined FROM finding ORDER BY place")
        return {
            "files": found,
            "rows": [site.sql(f"CHECKSUM TABLE {tables}"), site.sql(options)],
            "users": sorted(hosting.redis.run("ACL", "USERS").split()),
            "settings": sorted(str(each) for each in hosting.php.folder.glob("*/conf.d/*")),
            "loaded": site.get("/loaded.php").body if "loaded.php" in found else "",
            "marked": marked,
        }

    async def as_before(self, before: Mapping[str, Any]) -> None:
        """FPM that was told to reload does so in a moment, or in some on a busy machine."""
        until = time.monotonic() + 20
        while time.monotonic() < until:
            if await self.seen() == before:
                return
            await asyncio.sleep(0.1)
        assert await self.seen() == before


def _seen(path: Path) -> str:
    """What a file is, or a folder, or a link."""
    mode = f"{path.lstat().st_mode:o}"
    if path.is_symlink():
        return os.readlink(path)
    return f"{mode} {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}" if path.is_file() else mode


@pytest.fixture(scope="module")
def slot(hosting: Hosting, hosting_folder: Path) -> Iterator[HostSlot]:
    folder = hosting_folder / "slots-for-faults"
    yield make_slot(hosting, folder, slots_template.make(hosting.template.wordpress.core, "en_US"))
    remove(folder)


@pytest.fixture
async def stage(
    database: Database, make_workspace: Callable[..., Awaitable[WorkspaceId]], tmp_path: Path, keys: Path,
    hosting: Hosting, with_redis: None, wordpress: RealSite, app_url: str,
    slot: HostSlot,
) -> AsyncGenerator[Stage]:  # fmt: skip
    workspace = await make_workspace()
    engine = await engine_in(database, workspace, tmp_path / "sites", keys)

    async def slots(_: Connection) -> Mapping[str, Any]:
        return slot.offered

    async def releases(*_: Any) -> None:
        return None

    engine.acts = replace(engine.acts, runbooks=RUNBOOKS)
    engine.ground = replace(engine.ground, runbooks=RUNBOOKS, slots=slots, workers=worker_verbs(releases))
    hints = hints_of(hosting) | {"slots": str(slot.folder), "http_to": ["127.0.0.1", hosting.nginx.port]}
    async with database.transaction(workspace) as conn:
        at = NewHost("web1", "local", hosting.owner.name, local=True, hints=hints)
        host = await add_host(conn, workspace, at, engine.clock())
        new = NewSite(wordpress.name, host, str(wordpress.docroot), hosting.owner.name, wordpress.url)
        site = await add_site(conn, workspace, new, engine.clock())
        worker = Keys(key_file(keys, WORKER))
        await write_host_secret(conn, workspace, host, "redis", hosting.redis.password, worker, engine.clock())
    engine.sites["real"] = site
    stage = Stage(engine, wordpress, site, app_url, keys, slot)
    yield stage
    for each in reversed(stage.later):
        if asyncio.iscoroutine(going := each()):
            await going


async def as_it_was(stage: Stage, scene: Scene) -> tuple[RunSeen, dict[str, Any]]:
    """The plan of a scene, and what its site is."""
    given = await scene.prepare(stage)
    assert stage.real.get("/").status == 200  # WordPress writes a navigation of its own at the first visit
    planned = await stage.planned(scene.runbook, given)
    return planned, await stage.seen()


@pytest.mark.parametrize(("scene", "nth", "fault", "when"), FORWARD)
async def test_a_shipped_runbook_leaves_its_site_as_before_or_as_planned(
    stage: Stage, scene: Scene, nth: int, fault: str, when: str
) -> None:
    planned, before = await as_it_was(stage, scene)
    changes = await stage.changes(planned.run)
    assert len(changes) == scene.changes
    await stage.confirm(planned)
    await stage.struck(planned.run, changes, nth, fault, when)
    after = await stage.settled(planned.run)
    assert after.state is (State.PUT_BACK if fault == "fill" and scene.back else State.DONE), after.reason
    check_journal(after)
    if after.state is State.DONE:
        assert stage.real.get("/").status == 200
        assert await stage.seen() != before
        scene.prove(stage.real)
        if not scene.back:
            return
        await stage.undone(planned.run)
    await stage.as_before(before)
    await stage.erased(planned.run)
    assert await stage.seen() == before
    assert stage.tables(kept=True) == []


@pytest.mark.parametrize(("scene", "nth", "fault", "when"), BACK)
async def test_so_does_its_way_back(stage: Stage, scene: Scene, nth: int, fault: str, when: str) -> None:
    planned, before = await as_it_was(stage, scene)
    await stage.confirm(planned)
    done = await stage.ended(planned.run)
    changes = await stage.changes_back(done.run)
    assert len(changes) == scene.back
    undo = await stage.engine.acts.undo(stage.engine.here, done.run)
    await stage.struck(undo, changes, nth, fault, when)
    after = await stage.settled(undo)
    assert after.state is State.DONE, after.reason
    await stage.as_before(before)
    await stage.erased(done.run)
    assert await stage.seen() == before
