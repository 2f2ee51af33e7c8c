"""kill -9, a lost host and a full disk at every step: the site is as before or as planned, and the journal says which.

All of it by `make faults`; a seeded sample by `make test-slow`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Database

sys.path.insert(0, str(Path(__file__).parents[1] / "toolbox"))
from engine import RUNBOOKS, Engine, engine_in

from steelyard.toolbox.model import RunId
from steelyard.toolbox.runs_seen import RunSeen
from steelyard.toolbox.states import State

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FAULTS, WHENS = ("kill", "lose", "fill"), ("before", "during", "after")
CALLS = 4
"""Calls of set_motto that change something: stage, exchange, mark, and the key."""
BACK_CALLS = 2
"""And of its way back."""
EVERYTHING = bool(os.environ.get("STEELYARD_ALL_FAULTS"))
SAMPLE = 12
FOLDER = Path(__file__).parents[1] / "toolbox" / "runbooks"


def drawn(matrix: list[Any], seed: int) -> list[Any]:
    """All of it, or a sample that is the same each time."""
    return matrix if EVERYTHING else random.Random(seed).sample(matrix, min(SAMPLE, len(matrix)))


FORWARD = drawn(list(itertools.product(range(CALLS), FAULTS, WHENS)), 4)
BACK = drawn(list(itertools.product(range(BACK_CALLS), ("kill", "lose"), WHENS)), 5)


@pytest.fixture
async def stage(
    database: Database, make_workspace: Callable[..., Awaitable[WorkspaceId]], tmp_path: Path, keys: Path
) -> Engine:
    return await engine_in(database, await make_workspace(), tmp_path / "sites", keys)


def tree(folder: Path) -> dict[str, str]:
    """What a site is: every file with what is in it."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


async def struck(engine: Engine, url: str, keys: Path, run: RunId, nth: int, fault: str, when: str) -> int:
    """Has a worker take the run up that is struck at its nth change; its exit status."""
    asked = {
        "url": url, "workspace": engine.workspace, "run": run, "keys": str(keys), "runbooks": str(FOLDER),
        "nth": nth, "fault": fault, "when": when,
    }  # fmt: skip
    victim = await asyncio.create_subprocess_exec(
        sys.executable, str(Path(__file__).parent / "victim.py"), json.dumps(asked),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(victim.communicate(), 60)
    if victim.returncode == 0:
        assert json.loads(out.splitlines()[-1])["struck"], "nothing happened to it"
    else:
        assert victim.returncode == -9, err.decode()
    return victim.returncode or 0


async def confirmed(engine: Engine) -> RunSeen:
    seen = await engine.planned("set_motto", text="new", key="sesame-open")
    await engine.acts.confirm(engine.here, seen.run, seen.plan_digest)
    return seen


@pytest.mark.parametrize(("nth", "fault", "when"), FORWARD)
async def test_at_every_step_the_site_is_as_before_or_as_planned(
    stage: Engine, app_url: str, keys: Path, nth: int, fault: str, when: str
) -> None:
    before = tree(stage.docroot())
    seen = await confirmed(stage)
    status = await struck(stage, app_url, keys, seen.run, nth, fault, when)
    left = await stage.run(seen.run)
    assert (left.state is State.RUNNING) == (status == -9), left.reason
    await stage.settle()
    after = await stage.run(seen.run)
    assert after.state in (State.DONE, State.PUT_BACK), after.reason
    assert after.state is (State.PUT_BACK if fault == "fill" else State.DONE)
    check_journal(after)
    site = tree(stage.docroot())
    if after.state is State.PUT_BACK:
        assert without_key(site) == before
    else:
        assert site == {"motto": "new", "marked": "new", "key": "sesame-open", f".stage-{seen.token}": "old"}
        undo = await stage.acts.undo(stage.here, seen.run)
        await stage.settle()
        assert (await stage.run(undo)).state is State.DONE
        assert without_key(tree(stage.docroot())) == before


@pytest.mark.parametrize(("nth", "fault", "when"), BACK)
async def test_putting_back_can_be_struck_as_well(
    stage: Engine, app_url: str, keys: Path, nth: int, fault: str, when: str
) -> None:
    before = tree(stage.docroot())
    done = await stage.done("set_motto", text="new")
    undo = await stage.acts.undo(stage.here, done.run)
    await struck(stage, app_url, keys, undo, nth, fault, when)
    await stage.settle()
    after = await stage.run(undo)
    assert after.state is State.DONE, after.reason
    assert tree(stage.docroot()) == before
    assert (await stage.run(done.run)).undone_by == undo


@pytest.mark.parametrize("nth", range(BACK_CALLS))
async def test_where_putting_back_fails_it_says_so_and_can_be_pressed_again(
    stage: Engine, app_url: str, keys: Path, nth: int
) -> None:
    before = tree(stage.docroot())
    done = await stage.done("set_motto", text="new")
    undo = await stage.acts.undo(stage.here, done.run)
    await struck(stage, app_url, keys, undo, nth, "fill", "before")
    stopped = await stage.run(undo)
    assert stopped.state is State.STOPPED
    assert stopped.reason is not None
    assert stopped.reason.code == "disk_full"
    assert [step.outcome for step in stopped.steps if step.outcome == "failed"] == ["failed"]
    await stage.acts.resume(stage.here, undo)
    await stage.settle()
    assert (await stage.run(undo)).state is State.DONE
    assert tree(stage.docroot()) == before


def without_key(site: dict[str, str]) -> dict[str, str]:
    """The key stays: set_motto's way back does not know of it."""
    return {name: text for name, text in site.items() if name != "key"}


def check_journal(run: RunSeen, *, tried_again: bool = False) -> None:
    """No step is left open, and none that was begun is forgotten. `tried_again`: a way back may have failed before."""
    for step in run.steps:
        assert step.state in ("done", "failed", "left_out", "waiting"), step
    if run.state is State.DONE:
        assert {step.state for step in run.steps} == {"done"}
    else:
        back = [step for step in run.steps if step.phase == "undo"]
        assert {step.state for step in back} <= ({"done", "failed"} if tried_again else {"done"})
        assert set({step.name: step.state for step in back}.values()) <= {"done"}, "its last try"


def test_the_test_runbooks_load() -> None:
    assert {"set_motto", "read_motto", "wipe_motto"} <= RUNBOOKS.all.keys()
    assert not RUNBOOKS.broken
