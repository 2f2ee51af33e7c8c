"""What a worker does once in a while for the toolbox goes on whatever is broken beside it, and piles nothing up."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from engine import Engine

from steelyard.kit.ids import PersonId
from steelyard.main.toolbox import tidy_toolbox
from steelyard.store.keys import WORKER, key_file
from steelyard.toolbox.acts import RunRefused
from steelyard.toolbox.changes import By, Changes
from steelyard.toolbox.erasing import erase
from steelyard.toolbox.model import RunId
from steelyard.toolbox.registry import RegistryError, find_site
from steelyard.toolbox.registry_rows import NewSite
from steelyard.toolbox.states import State

A_WEEK = timedelta(days=8)


def changes(engine: Engine) -> Changes:
    return Changes(engine.database, engine.acts.ledger)


def by(engine: Engine) -> By:
    return By(engine.workspace, PersonId(1), engine.clock())


async def stopped(engine: Engine) -> RunId:
    """A run with something secret that stopped before its first step had a receipt."""
    seen = await engine.planned("set_motto", text="new", key="open sesame")
    await engine.acts.confirm(engine.here, seen.run, seen.plan_digest)
    await engine.rows("UPDATE run_step SET intent_at = %s WHERE step = 0 RETURNING 1", engine.clock())
    await engine.rows("UPDATE run SET state = 'stopped', ended_at = %s RETURNING 1", engine.clock())
    return seen.run


async def test_a_damaged_key_keeps_no_plan_from_expiring(engine: Engine, tmp_path: Path) -> None:
    seen = await engine.planned("set_motto", text="new")
    late = seen.asked_at - timedelta(hours=2)
    await engine.rows("UPDATE run SET holds_until = %s RETURNING 1", late)
    key_file(tmp_path, WORKER).write_text("no key")
    await tidy_toolbox(engine.database, tmp_path)
    assert (await engine.run(seen.run)).state is State.CANCELLED


async def erasures(engine: Engine) -> list[str]:
    async with engine.database.cell() as conn:
        found = "SELECT status::text FROM procrastinate_jobs WHERE task_name = 'toolbox.erase'"
        return [status for (status,) in await (await conn.execute(found)).fetchall()]


async def test_while_a_host_is_away_one_job_erases_and_the_next_round_asks_again(engine: Engine) -> None:
    run = (await engine.done("set_motto", text="new")).run
    engine.clock.ahead = A_WEEK
    assert [await engine.tidy() for _ in range(3)] == [1, 0, 0]
    assert await erasures(engine) == ["todo"]
    await engine.rows("UPDATE site SET account = 'steelyard-nobody' RETURNING 1")
    await erase(engine.ground, engine.workspace, run)  # its job ends: it is asked for again
    assert (await engine.run(run)).erased_at is None
    async with engine.database.cell() as conn:
        await conn.execute("DELETE FROM procrastinate_jobs")
    assert await engine.tidy() == 1


async def test_what_a_failed_job_was_to_erase_is_not_asked_for_every_hour(engine: Engine) -> None:
    await engine.done("set_motto", text="new")
    engine.clock.ahead = A_WEEK
    await engine.tidy()
    async with engine.database.cell() as conn:
        await conn.execute("UPDATE procrastinate_jobs SET status = 'failed'")
    assert await engine.tidy() == 0


async def test_trash_of_a_site_that_was_removed_is_erased_all_the_same(engine: Engine) -> None:
    run = await engine.done("set_motto", text="new")
    (trash,) = engine.docroot().glob(".stage-*")
    engine.clock.ahead = A_WEEK
    await changes(engine).remove_site(by(engine), engine.sites["shop.example"])
    await erase(engine.ground, engine.workspace, run.run)
    assert not trash.exists()
    assert (await engine.run(run.run)).erased_at is not None


async def test_the_secrets_of_a_stopped_run_go_with_its_site(engine: Engine) -> None:
    run, site = await stopped(engine), engine.sites["shop.example"]
    await engine.tidy()
    assert await engine.rows("SELECT run FROM run WHERE sealed->>'key' <> ''") == [(run,)]  # it may be resumed
    await changes(engine).remove_site(by(engine), site)
    await engine.tidy()
    assert await engine.rows("SELECT sealed FROM run") == [({"key": ""},)]
    await changes(engine).put_site_back(by(engine), site)
    with pytest.raises(RunRefused) as refused:
        await engine.acts.resume(engine.here, run)
    assert refused.value.code == "secrets_gone"
    await engine.acts.undo(engine.here, run)
    await engine.settle()
    assert (await engine.run(run)).state is State.PUT_BACK
    assert engine.motto() == "old"


async def test_nobody_resumes_a_run_and_its_secrets_go_after_as_many_days_as_trash_is_kept(engine: Engine) -> None:
    await stopped(engine)
    engine.clock.ahead = A_WEEK
    await engine.tidy()
    assert await engine.rows("SELECT sealed FROM run") == [({"key": ""},)]


@pytest.mark.parametrize("state", ["queued", "running", "undoing"])
async def test_a_site_on_which_a_run_is_at_work_is_not_removed(engine: Engine, state: str) -> None:
    await engine.done("set_motto", text="new")
    await engine.rows("UPDATE run SET state = %s RETURNING 1", state)
    with pytest.raises(RegistryError, match="at work") as refused:
        await changes(engine).remove_site(by(engine), engine.sites["shop.example"])
    assert refused.value.code == "at_work"


@pytest.mark.parametrize("state", ["running", "stopped"])
async def test_a_site_does_not_move_under_a_run_that_has_not_ended(engine: Engine, state: str) -> None:
    await engine.done("set_motto", text="new")
    await engine.rows("UPDATE run SET state = %s RETURNING 1", state)
    site = engine.sites["shop.example"]
    async with engine.database.transaction(engine.workspace) as conn:
        row = await find_site(conn, site)
    assert row is not None
    there = NewSite(row.site.name, engine.host, row.site.docroot, row.site.account, row.site.url, "vip")
    await changes(engine).change_site(by(engine), site, there)
    with pytest.raises(RegistryError, match="has not ended"):
        await changes(engine).change_site(by(engine), site, there._replace(docroot="/var/www/elsewhere"))
