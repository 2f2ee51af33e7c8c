"""A connection that is cut at a step of a reset: the real SSH server's process for it is killed."""

from __future__ import annotations

import itertools
import random
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from scenes import SCENES
from test_toolbox import EVERYTHING, check_journal
from test_toolbox_catalog import Stage, as_it_was, slot, stage
from victim import Struck, When, among

sys.path.insert(0, str(Path(__file__).parents[1] / "toolbox"))
from reaching import Keys, login_of

from steelyard.adapters.ssh import SshReach
from steelyard.toolbox.model import Json
from steelyard.toolbox.runs_seen import RunSeen
from steelyard.toolbox.states import State

__all__ = ["slot", "stage"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("hosting")]

RESET = next(scene for scene in SCENES if scene.runbook == "reset_wordpress")
CUTS = list(itertools.product(range(RESET.changes), ("before", "during", "after")))
PATIENT, IMPATIENT = (0.2,) * 10, ()


@dataclass
class Cut:
    """A reset whose connection was cut."""

    before: dict[str, Any]
    run: RunSeen


def drawn(seed: int) -> list[Any]:
    return CUTS if EVERYTHING else random.Random(seed).sample(CUTS, 1)


async def cut(stage: Stage, nth: int, when: When, pauses: tuple[float, ...]) -> Cut:
    """Plans over SSH, does it, and loses the connection on the way. `pauses`: after which it is made again."""
    hosting, actions = stage.real.hosting, list[Json]()
    ssh = SshReach(Keys(web1=login_of(hosting)))
    way = Struck(ssh, nth, "cut", when, among(actions), hosting.sshd.server.pid)
    stage.engine.ground = replace(stage.engine.ground, ways=lambda _: way, pauses=pauses)
    planned, before = await as_it_was(stage, RESET)
    actions += await stage.changes(planned.run)
    await stage.confirm(planned)
    await stage.engine.work(planned.run)
    assert way.struck
    return Cut(before, await stage.engine.run(planned.run))


@pytest.mark.parametrize(("nth", "when"), drawn(1))
async def test_it_is_made_again_and_the_reset_goes_on(stage: Stage, nth: int, when: When) -> None:
    reset = await cut(stage, nth, when, PATIENT)
    assert reset.run.state is State.DONE, reset.run.reason
    check_journal(reset.run)
    assert any("lost" in line for line in await stage.engine.lines(reset.run.run))
    assert stage.real.get("/").status == 200
    await stage.undone(reset.run.run)
    await stage.as_before(reset.before)


@pytest.mark.parametrize(("nth", "when"), drawn(2))
async def test_where_it_cannot_be_made_again_the_run_waits_and_can_be_put_back(
    stage: Stage, nth: int, when: When
) -> None:
    reset = await cut(stage, nth, when, IMPATIENT)
    assert reset.run.state is State.STOPPED
    assert reset.run.reason
    assert reset.run.reason.code == "lost"
    stage.engine.ground = replace(stage.engine.ground, pauses=PATIENT)
    await stage.engine.acts.undo(stage.engine.here, reset.run.run)
    await stage.engine.settle()
    after = await stage.engine.run(reset.run.run)
    assert after.state is State.PUT_BACK, after.reason
    assert {step.state for step in after.steps if step.phase == "undo"} <= {"done"}
    assert [step.state for step in after.steps].count("unknown") == 1, "nobody knows how far the step came"
    await stage.as_before(reset.before)
    await stage.erased(reset.run.run)
    assert stage.tables(kept=True) == []
