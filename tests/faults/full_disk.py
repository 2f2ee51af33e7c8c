"""A disk that is really full: run by test_toolbox_disk.py, in a mount namespace of its own.

The site and its account's home are on a small file system, which is filled at a step of a run.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from scenes import SCENES, Scene
from test_toolbox import EVERYTHING, check_journal
from test_toolbox_catalog import Stage, as_it_was, slot, stage
from victim import Struck, among

sys.path.insert(0, str(Path(__file__).parents[1] / "toolbox"))

from steelyard.adapters.local import LocalReach
from steelyard.toolbox.model import Json
from steelyard.toolbox.states import State

__all__ = ["slot", "stage"]
ROOM = 400_000_000
"""Bytes beside the site, before it is full: a reset asks for some."""
NAMES = [scene.runbook for scene in SCENES] if EVERYTHING else ["reset_wordpress", "rotate_salts"]
CASES = [
    pytest.param(scene, nth, id=f"{scene.runbook}-{nth}")
    for scene in SCENES
    if scene.runbook in NAMES
    for nth in range(scene.changes if EVERYTHING else 1)
]


@dataclass
class Disk:
    """A small file system."""

    folder: Path

    @property
    def free(self) -> int:
        return shutil.disk_usage(self.folder).free

    def fill(self) -> None:
        """Until nothing more can be written."""
        with (self.folder / "ballast").open("wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, self.free)
        assert self.free == 0

    def empty(self) -> None:
        (self.folder / "ballast").unlink(missing_ok=True)


@pytest.fixture
def disk(stage: Stage, tmp_path: Path) -> Iterator[Disk]:
    """What the site and its account write to."""
    site, account = stage.real, pwd.getpwnam(stage.real.hosting.owner.name)
    folder = tmp_path / "small"
    folder.mkdir()
    used = sum(path.lstat().st_size + 4096 for path in site.home.rglob("*"))
    _run("mount", "-t", "tmpfs", "-o", f"size={used + ROOM},mode=0755", "tmpfs", folder)
    _run("cp", "-a", site.home, folder / "site")
    (folder / "home").mkdir()
    os.chown(folder / "home", account.pw_uid, account.pw_gid)
    _run("mount", "--bind", folder / "site", site.home)
    _run("mount", "--bind", folder / "home", account.pw_dir)
    yield Disk(folder)
    _run("umount", account.pw_dir)
    _run("umount", site.home)
    _run("umount", "--lazy", folder)


def _run(*words: Any) -> None:
    subprocess.run([str(word) for word in words], check=True)


class Filling(Struck):
    """A way to the host on which the disk gets full before a change."""

    def __init__(self, disk: Disk, nth: int, actions: list[Json]) -> None:
        super().__init__(LocalReach(), nth, "full", "before", among(actions))
        self.disk = disk

    async def strike(self) -> None:
        self.disk.fill()


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("scene", "nth"), CASES)
async def test_the_site_is_as_before_or_as_planned(stage: Stage, disk: Disk, scene: Scene, nth: int) -> None:
    actions: list[Json] = []
    way = Filling(disk, nth, actions)
    stage.engine.ground = replace(stage.engine.ground, ways=lambda _: way)
    planned, before = await as_it_was(stage, scene)
    actions += await stage.changes(planned.run)
    await stage.confirm(planned)
    await stage.engine.settle()
    assert way.struck
    after = await stage.engine.run(planned.run)
    if scene.runbook == "reset_wordpress" and nth == 0:
        assert after.state is not State.DONE, "a fresh WordPress has no room"
        assert "disk_full" in str(after.reason)
    disk.empty()
    after = await stage.settled(planned.run)
    assert after.state in (State.DONE, State.PUT_BACK), after.reason
    check_journal(after, tried_again=True)
    if after.state is State.DONE:
        assert stage.real.get("/").status == 200
        scene.prove(stage.real)
        if not scene.back:
            return
        await stage.undone(planned.run)
    await stage.as_before(before)
    await stage.erased(planned.run)
    assert await stage.seen() == before
