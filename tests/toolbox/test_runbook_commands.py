"""`steelyard runbook`, with a worker of its own process."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine import Engine
from working import installed

pytestmark = pytest.mark.slow


async def test_plan_run_undo_and_log_at_the_command_line(
    engine: Engine, app_url: str, keys: Path, tmp_path: Path
) -> None:
    async with installed(app_url, keys, tmp_path) as here:
        status, known = await here.asked("runbook", "list")
        assert (status, known["broken"]) == (0, {})
        assert {"set_motto", "read_motto"} <= {each["name"] for each in known["runbooks"]}

        status, _, complaint = await here.command("runbook", "plan", "set_motto", "shop.example", "--set", "text=new")
        assert status == 1
        assert "start one with `steelyard serve`" in complaint, "a person waits for a worker that is not there"

        await here.start()
        status, plan = await here.asked("runbook", "plan", "set_motto", "shop.example", "--set", "text=new")
        assert (status, plan["state"], [step["name"] for step in plan["steps"]][:3]) == (
            0, "planned", ["stage", "swap", "mark"],
        )  # fmt: skip
        assert engine.motto() == "old"

        status, out, complaint = await here.command("runbook", "run", "set_motto", "shop.example", "--set", "text=new")
        assert (status, complaint) == (0, "")
        assert "minutes saved" in out
        assert engine.motto() == "new"
        status, log = await here.asked("runbook", "log", "3")
        assert [step["outcome"] for step in log["steps"]] == ["done"] * 4

        status, undone = await here.asked("runbook", "undo", "3")
        assert (status, undone["state"], engine.motto()) == (0, "done", "old")

        status, _, _ = await here.command("runbook", "run", "set_motto", "shop.example", "--set", "text")
        assert status == 2
        status, failed = await here.asked(
            "runbook", "run", "set_motto", "shop.example", "--set", "text=x", "--set", "wrong=1"
        )
        assert (status, failed["state"], engine.motto()) == (1, "put_back", "old")


async def test_what_destroys_takes_the_sites_name(engine: Engine, app_url: str, keys: Path, tmp_path: Path) -> None:
    async with installed(app_url, keys, tmp_path) as here:
        await here.start()
        status, _, complaint = await here.command("runbook", "run", "wipe_motto", "shop.example")
        assert status == 1
        assert "Type the site’s name, shop.example" in complaint
        assert engine.motto() == "old"
        status, done = await here.asked("runbook", "run", "wipe_motto", "shop.example", "--yes-destroy", "shop.example")
        assert (status, done["state"]) == (0, "done")
        assert not (engine.docroot() / "motto").exists()


async def test_several_sites_at_once(engine: Engine, app_url: str, keys: Path, tmp_path: Path) -> None:
    for name in ("a.example", "b.example"):
        await engine.add_site(name)
    async with installed(app_url, keys, tmp_path) as here:
        await here.start()
        status, out, complaint = await here.command(
            "runbook", "run", "set_motto", "shop.example", "a.example", "b.example", "--set", "text=new"
        )
        assert (status, complaint) == (0, ""), out
        assert [engine.motto(name) for name in ("shop.example", "a.example", "b.example")] == ["new"] * 3
