"""A reset as a run of the engine: pressed, proved, put back; and put back by itself where the proof fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from engine import Engine, engine_in
from reaching import Keys, login_of
from resetting import HostSlot, Resetting, seen

from hosting import MakeSite
from steelyard.adapters.ssh import SshReach
from steelyard.demo.hosting import Hosting, Site
from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Connection, Database
from steelyard.toolbox.registry import NewHost, NewSite, add_host, add_site


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    return make_site()


@pytest.fixture
async def pressed(
    database: Database,
    make_workspace: Callable[..., Awaitable[WorkspaceId]],
    tmp_path: Path,
    keys: Path,
    site: Site,
    slot: HostSlot,
) -> Engine:
    """An engine that knows the real site, over SSH."""
    reach = SshReach(Keys(web1=login_of(site.hosting)))
    engine = await engine_in(database, await make_workspace(), tmp_path / "sites", keys, reach)

    async def offered(_: Connection) -> Mapping[str, Any]:
        return slot.offered

    engine.ground = replace(engine.ground, slots=offered)
    known = Resetting(site, slot).site
    async with database.transaction(engine.workspace) as conn:
        new = NewHost("web1", "127.0.0.1", known.account, local=True, hints=known.hints)
        host = await add_host(conn, engine.workspace, new, engine.clock())
        other = NewSite(site.name, host, known.docroot, known.account, known.url, "")
        engine.sites[site.name] = await add_site(conn, engine.workspace, other, engine.clock())
    return engine


async def reset(engine: Engine, site: Site, **given: str) -> Any:
    run = await engine.ask("reset_wordpress", None, site.name, **given)
    await engine.work(run)
    planned = await engine.run(run)
    assert planned.state == "planned", planned.reason
    await engine.acts.confirm(engine.here, run, planned.plan_digest, site.name)
    await engine.work(run)
    return await engine.run(run)


async def test_pressed_proved_and_put_back(pressed: Engine, site: Site) -> None:
    before = seen(site)
    done = await reset(pressed, site)
    assert done.state == "done", done.reason
    assert "Hello world!" in site.get("/").body
    back = await pressed.acts.undo(pressed.here, done.run)
    await pressed.work(back)
    assert (await pressed.run(back)).state == "done"
    assert seen(site) == before
    kept = str(await pressed.rows("SELECT plan, params, reason, report FROM run")) + str(
        await pressed.rows("SELECT work, result FROM run_step")
    )
    assert site.password not in kept
    salts = [line for line in site.config.read_text().splitlines() if "AUTH_KEY" in line]
    assert salts
    assert not any(line.split("'")[3] in kept for line in salts)


async def test_a_proof_that_fails_puts_the_site_back_by_itself(pressed: Engine, site: Site, hosting: Hosting) -> None:
    before = seen(site)
    hosting.nginx.remove(site.name)  # its web server answers for it no more
    try:
        ended = await reset(pressed, site)
    finally:
        hosting.nginx.add(site.name, site.docroot)
    assert ended.state == "put_back", ended.state
    assert seen(site) == before


async def test_a_site_that_changed_since_the_plan_is_not_reset(pressed: Engine, site: Site) -> None:
    before = seen(site)
    run = await pressed.ask("reset_wordpress", None, site.name)
    await pressed.work(run)
    planned = await pressed.run(run)
    site.sql("CREATE TABLE wp_since (id INT)")  # not in the plan that was looked at
    await pressed.acts.confirm(pressed.here, run, planned.plan_digest, site.name)
    await pressed.work(run)
    ended = await pressed.run(run)
    assert ended.state != "done"
    site.sql("DROP TABLE wp_since")
    assert seen(site) == before
