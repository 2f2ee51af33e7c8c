"""What a run found for one person's eyes, such as a link that signs in: nobody else is told it anywhere."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from engine import Engine
from test_runs_api import JSON

from signing_in import Clock, browsers
from steelyard.operations.runs import Desk
from steelyard.toolbox.model import RunId
from steelyard.toolbox.runs_seen import seen_by
from steelyard.web.static import read_static

LINK = "https://shop.example/wp-login.php?steelyard_link=SESAME"
REPORT = f'{{"private": {{"link": "{LINK}", "until": 9999999999}}, "findings": []}}'


@pytest.fixture
async def client(engine: Engine, keys: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """A browser on this machine, which is no person."""
    monkeypatch.setattr("steelyard.main.toolbox_console.run_acts", lambda *_: engine.acts)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    async with browsers(engine.database, read_static(), keys, Clock(), "127.0.0.1", open_to_loopback=True) as make:
        yield make()


async def of_person(engine: Engine) -> RunId:
    seen = await engine.planned("set_motto", engine.person(1), text="new")
    await engine.rows("UPDATE run SET report = %s::jsonb, state = 'done' WHERE run = %s RETURNING 1", REPORT, seen.run)
    return seen.run


@pytest.mark.parametrize("path", ["", ".json", "/log", "/findings", "/findings.json", "/findings.csv"])
async def test_no_page_and_no_data_tells_it_to_others(engine: Engine, client: httpx.AsyncClient, path: str) -> None:
    run = await of_person(engine)
    answer = await client.get(f"/runs/{run}{path}", headers=JSON if path.endswith("json") else {})
    assert answer.status_code == 200
    assert "SESAME" not in answer.text


async def test_the_command_line_is_another_than_who_asked(engine: Engine) -> None:
    desk = Desk(engine.database, engine.workspace, engine.acts)
    run = await of_person(engine)
    assert "SESAME" not in str(await desk.run(run))
    await engine.rows("UPDATE run SET person = NULL WHERE run = %s RETURNING 1", run)
    assert "SESAME" in str(await desk.run(run))


async def test_who_asked_sees_it_as_long_as_they_may_run_it(engine: Engine) -> None:
    seen = await engine.run(await of_person(engine))
    assert "SESAME" in str(seen_by(seen, seen.person, may=True))
    assert "SESAME" not in str(seen_by(seen, seen.person, may=False))


@pytest.mark.parametrize(
    "private",
    [
        "no mapping",
        [1],
        {},
        {"link": LINK, "until": "soon"},
        {"link": LINK, "until": 1e300},
        {"link": ["x"], "until": 9999999999},
        {"link": "javascript:alert('SESAME')", "until": 9999999999},
    ],
)
async def test_whatever_a_host_calls_private_its_page_is_shown_and_links_to_nothing(
    engine: Engine, client: httpx.AsyncClient, private: Any
) -> None:
    run = await of_person(engine)
    for report in ({"private": private}, [private], str(private)):
        set_it = "UPDATE run SET person = NULL, report = %s::jsonb WHERE run = %s RETURNING 1"
        await engine.rows(set_it, json.dumps(report), run)
        answer = await client.get(f"/runs/{run}")
        assert answer.status_code == 200
        assert "SESAME" not in answer.text
