"""The same at every step of the runbooks that ship, at real WordPress sites on a real host.

After a fault and whatever follows by itself, a run is done or put back. Put back, the site is as before to the byte;
done, its checks agreed, and its undo brings the site of before back.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from test_toolbox import EVERYTHING, FAULTS, WHENS, check_journal, drawn
from victim import READS, touches_of

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
from steelyard.toolbox.erasing import erase
from steelyard.toolbox.host_secrets import write_host_secret
from steelyard.toolbox.model import RunId, SiteId
from steelyard.toolbox.registry import NewHost, NewSite, add_host, add_site
from steelyard.toolbox.runbooks import load
from steelyard.toolbox.runs_seen import RunSeen
from steelyard.toolbox.states import State

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("hosting")]

SHIPPED = load()
OF_EACH = 3
"""Faults that are drawn for each runbook, where not all of them are done."""


def nothing(_: RealSite) -> None:
    """The site is as it is."""


def open_to_all(site: RealSite) -> None:
    site.config.chmod(0o666)
    (site.content / "uploads").mkdir(exist_ok=True)
    (site.content / "uploads").chmod(0o777)


def mine(site: RealSite) -> None:
    """What a reset takes away, and its undo brings back."""
    site.wp("post", "create", "--post_title=Mine", "--post_status=publish")
    site.hosting.owner.write(site.docroot / "robots.txt", "mine")


@dataclass(frozen=True)
class Scene:
    """A runbook, what its site is like before, and what is chosen."""

    runbook: str
    prepare: Callable[[RealSite], None] = nothing
    values: Mapping[str, str] = field(default_factory=dict)


SCENES = [
    Scene("rotate_salts"),
    Scene("fix_permissions", open_to_all),
    Scene("set_up_redis"),
    Scene("reset_wordpress", mine),
]
FAULTS_DRAWN = drawn(list(itertools.product(range(8), FAULTS, WHENS)), 7)
MATRIX = [
    pytest.param(scene, *each, id="-".join((scene.runbook, *map(str, each))))
    for scene in SCENES
    for each in FAULTS_DRAWN[: None if EVERYTHING else OF_EACH]
]


@dataclass
class Stage:
    """A real site in the registry, and runs at it."""

    engine: Engine
    real: RealSite
    site: SiteId
    url: str
    keys: Path
    slot: HostSlot

    async def planned(self, scene: Scene) -> RunSeen:
        self.engine.sites["real"] = self.site
        run = await self.engine.ask(scene.runbook, None, "real", **scene.values)
        await self.engine.work(run)
        return await self.engine.run(run)

    async def changes(self, run: RunId) -> int:
        """How many calls of a run's plan change something."""
        changes = touches_of(frozenset(READS))
        async with self.engine.database.transaction(self.engine.workspace) as conn:
            entries = await store.read_entries(conn, run)
        return sum(changes(action) for each in entries for action in each.actions)

    async def struck(self, run: RunId, nth: int, fault: str, when: str) -> int:
        asked = {
            "url": self.url, "workspace": self.engine.workspace, "run": run, "keys": str(self.keys), "runbooks": "",
            "nth": nth, "fault": fault, "when": when, "reads": READS,
            "slots": dict(self.slot.offered),
        }  # fmt: skip
        victim = await asyncio.create_subprocess_exec(
            sys.executable, str(Path(__file__).parent / "victim.py"), json.dumps(asked),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await asyncio.wait_for(victim.communicate(), 120)
        assert victim.returncode in (0, -9), err.decode()
        if victim.returncode == 0:
            assert json.loads(out.splitlines()[-1])["struck"], "nothing happened to it"
        return victim.returncode or 0

    def tables(self, *, kept: bool) -> list[str]:
        """The site's tables; or those that runs keep beside them until the way back ends."""
        return [each for each in self.real.tables() if each.startswith("sy") == kept]

    async def erased(self, run: RunId) -> None:
        """The way back of a run ends."""
        self.engine.clock.ahead = timedelta(days=8)
        await erase(self.engine.ground, self.engine.workspace, run)
        self.engine.clock.ahead = timedelta()

    def seen(self) -> dict[str, Any]:
        """What the site is: its files with their modes, its tables, who may enter Redis."""
        home, found = self.real.docroot, {}
        for path in sorted(home.rglob("*")):
            if path.is_symlink():
                found[str(path.relative_to(home))] = os.readlink(path)
            elif path.is_file():
                digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
                found[str(path.relative_to(home))] = f"{path.stat().st_mode:o} {digest}"
        users = self.real.hosting.redis.run("ACL", "USERS").split()
        posts = self.real.sql(f"SELECT ID, post_title, post_status FROM {self.real.prefix}posts ORDER BY ID")
        return {"files": found, "tables": sorted(self.tables(kept=False)), "posts": posts, "users": sorted(users)}


@pytest.fixture(scope="module")
def with_redis(hosting: Hosting) -> Iterator[None]:
    """PHP has the extension."""
    hosting.php.install("redis")
    hosting.php.reload()
    yield
    hosting.php.uninstall("redis")
    hosting.php.uninstall("igbinary")
    hosting.php.reload()


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
) -> Stage:  # fmt: skip
    workspace = await make_workspace()
    engine = await engine_in(database, workspace, tmp_path / "sites", keys)
    acts = replace(engine.acts, runbooks=SHIPPED)

    async def slots(_: Connection) -> Mapping[str, Any]:
        return slot.offered

    engine.acts, engine.ground = acts, replace(engine.ground, runbooks=SHIPPED, slots=slots)
    hints = hints_of(hosting) | {"slots": str(slot.folder), "http_to": ["127.0.0.1", hosting.nginx.port]}
    async with database.transaction(workspace) as conn:
        at = NewHost("web1", "local", hosting.owner.name, local=True, hints=hints)
        host = await add_host(conn, workspace, at, engine.clock())
        new = NewSite(wordpress.name, host, str(wordpress.docroot), hosting.owner.name, wordpress.url)
        site = await add_site(conn, workspace, new, engine.clock())
        worker = Keys(key_file(keys, WORKER))
        await write_host_secret(conn, workspace, host, "redis", hosting.redis.password, worker, engine.clock())
    return Stage(engine, wordpress, site, app_url, keys, slot)


@pytest.mark.parametrize(
    ("scene", "place", "fault", "when"), MATRIX, ids=lambda each: getattr(each, "runbook", str(each))
)
async def test_a_shipped_runbook_leaves_its_site_as_before_or_as_planned(
    stage: Stage, scene: Scene, place: int, fault: str, when: str
) -> None:
    scene.prepare(stage.real)
    assert stage.real.get("/").status == 200  # WordPress writes a navigation of its own at the first visit
    planned = await stage.planned(scene)
    assert planned.state is State.PLANNED, planned.reason
    before = stage.seen()
    nth = place % await stage.changes(planned.run)
    await stage.engine.acts.confirm(stage.engine.here, planned.run, planned.plan_digest, stage.real.name)
    await stage.struck(planned.run, nth, fault, when)
    await stage.engine.settle()
    after = await stage.engine.run(planned.run)
    assert after.state in (State.DONE, State.PUT_BACK), after.reason
    check_journal(after)
    if after.state is State.DONE:
        assert stage.real.get("/").status == 200
        undo = await stage.engine.acts.undo(stage.engine.here, planned.run)
        await stage.engine.settle()
        assert (await stage.engine.run(undo)).state is State.DONE, (await stage.engine.run(undo)).reason
    assert stage.seen() == before
    await stage.erased(planned.run)
    assert stage.seen() == before
    assert stage.tables(kept=True) == []
