"""Looking that is asked for on a page: once until it is answered, done by a worker, and kept with host and site."""

from __future__ import annotations

from typing import Any

import pytest
from engine import Engine

from steelyard.jobs.app import deferring_app
from steelyard.toolbox import looks
from steelyard.toolbox.checks import findings_in
from steelyard.toolbox.looks import PATIENCE, What, ask, look, read_found, waiting
from steelyard.toolbox.registry import find_host, find_site, read_sites
from steelyard.toolbox.registry_rows import HostRow, SiteRow
from steelyard.toolbox.tasks import RunJobs

JOBS = RunJobs(deferring_app())


async def asked(engine: Engine, what: What, number: int) -> bool:
    async with engine.database.transaction(engine.workspace) as conn:
        return await ask(conn, JOBS, engine.workspace, what, number, engine.clock())


async def jobs_of(engine: Engine) -> list[tuple[str, int]]:
    async with engine.database.cell() as conn:
        rows = await (
            await conn.execute(
                "SELECT args->>'what', (args->>'number')::int FROM procrastinate_jobs"
                " WHERE task_name = 'toolbox.look' AND args->>'workspace' = %s ORDER BY id",
                [str(engine.workspace)],
            )
        ).fetchall()
    return [(what, number) for what, number in rows]


async def site_of(engine: Engine) -> SiteRow:
    async with engine.database.transaction(engine.workspace) as conn:
        row = await find_site(conn, engine.sites["shop.example"])
    assert row is not None
    return row


async def host_of(engine: Engine) -> HostRow:
    async with engine.database.transaction(engine.workspace) as conn:
        row = await find_host(conn, engine.host)
    assert row is not None
    return row


async def test_a_site_is_looked_at_once_for_many_presses(engine: Engine) -> None:
    site = engine.sites["shop.example"]
    assert [await asked(engine, "site", site) for _ in range(3)] == [True, False, False]
    assert await jobs_of(engine) == [("site", site)]
    assert waiting(await site_of(engine), engine.clock())
    await look(engine.ground, engine.workspace, "site", site)
    row = await site_of(engine)
    assert (row.look_asked_at, waiting(row, engine.clock())) == (None, False)
    assert row.checked_at is not None
    assert {each.name for each in findings_in(row.facts)} >= {"docroot"}
    assert await asked(engine, "site", site), "what was answered can be asked for again"


async def test_what_no_worker_answers_can_be_asked_for_again(engine: Engine) -> None:
    assert await asked(engine, "host", engine.host)
    engine.clock.ahead += PATIENCE * 2
    assert not waiting(await host_of(engine), engine.clock())
    assert await asked(engine, "host", engine.host)
    await look(engine.ground, engine.workspace, "host", engine.host)
    row = await host_of(engine)
    assert row.look_asked_at is None
    assert row.checked_at is not None


async def test_sites_that_were_found_are_kept_as_text_and_listed_to_be_added(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await host_of(engine)
    shop = {"name": "shop.example", "docroot": str(engine.docroot()), "account": "x", "url": "", "wordpress": None}
    hostile = shop | {"name": "a\0b<script>", "docroot": "/srv/\udcff", "wordpress": {"version": "7.1.1"}}
    nameless = shop | {"name": "", "docroot": "/srv/old"}
    told = {"sites": [shop, hostile, nameless], "php": [], "redis": [], "closed": ["/root"], "cut": False}

    async def found(*_: Any) -> dict[str, Any]:
        return told

    monkeypatch.setattr(looks.Looking, "discover", found)
    await look(engine.ground, engine.workspace, "sites", engine.host)
    async with engine.database.transaction(engine.workspace) as conn:
        seen = await read_found(conn, engine.host, "here", await read_sites(conn))
    assert seen is not None
    assert [each.known for each in seen.sites] == [True, False, False]
    assert [each.docroot for each in seen.fresh] == ["/srv/?"]
    assert '"host": "here"' in seen.listed("here")
    assert (seen.closed, seen.failed, before.look_asked_at) == (1, None, None)


async def test_a_host_is_really_looked_through(engine: Engine) -> None:
    assert await asked(engine, "sites", engine.host)
    await look(engine.ground, engine.workspace, "sites", engine.host)
    async with engine.database.transaction(engine.workspace) as conn:
        seen = await read_found(conn, engine.host, "here", await read_sites(conn))
    assert seen is not None
    assert seen.failed is None
    assert (await host_of(engine)).look_asked_at is None
