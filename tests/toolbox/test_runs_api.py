"""Acts on runs over HTTP, as a program and as a form send them; runs as data."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from engine import Engine

from signing_in import Clock, browsers
from steelyard.main import runs as main_runs
from steelyard.web.static import read_static

RUNBOOKS = Path(__file__).parent / "runbooks"
JSON = {"accept": "application/json"}


@pytest.fixture
async def client(engine: Engine, keys: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """A browser on this machine, which may do everything."""
    monkeypatch.setattr("steelyard.main.toolbox_console.run_acts", lambda database, own, clock: engine.acts)
    async with browsers(engine.database, read_static(), keys, Clock(), "127.0.0.1", open_to_loopback=True) as make:
        yield make()


def test_the_console_reads_the_operators_folder() -> None:
    assert "set_motto" in main_runs.runbooks_of(RUNBOOKS).all


async def planned(engine: Engine, client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    sent = {"site": "shop.example", "values": {"text": "new"}, "why": "ticket 7"} | body
    answer = await client.post("/runbooks/set_motto/plan", json=sent, headers=JSON)
    assert answer.status_code == 201, answer.text
    await engine.settle()
    return (await client.get(f"/runs/{answer.json()['run']}.json")).json()


async def test_a_program_plans_confirms_and_undoes(engine: Engine, client: httpx.AsyncClient) -> None:
    listed = (await client.get("/runbooks.json")).json()
    assert "set_motto" in {each["name"] for each in listed["runbooks"]}
    run = await planned(engine, client)
    assert (run["state"], run["why"], run["can"]) == ("planned", "ticket 7", ["cancel", "confirm"])
    assert run["plan"]["concerns"] == [["Says now", "old"]]
    wrong = await client.post(f"/runs/{run['run']}/confirm", json={"digest": "0"}, headers=JSON)
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (409, "other_plan")
    sent = {"digest": run["plan_digest"]}
    assert (await client.post(f"/runs/{run['run']}/confirm", json=sent, headers=JSON)).status_code == 200
    await engine.settle()
    done = (await client.get(f"/runs/{run['run']}.json")).json()
    assert (done["state"], "undo" in done["can"], engine.motto()) == ("done", True, "new")
    undone = await client.post(f"/runs/{run['run']}/undo", json={}, headers=JSON)
    await engine.settle()
    assert (undone.json()["run"], engine.motto()) == (run["run"] + 1, "old")


async def test_what_people_read_of_a_run_is_in_their_language(engine: Engine, client: httpx.AsyncClient) -> None:
    asked = await client.post(
        "/runbooks/diagnose_site/plan", json={"site": "shop.example", "at_once": True}, headers=JSON
    )
    await engine.settle()
    path = f"/runs/{asked.json()['run']}.json"
    english, french = [
        (await client.get(path, headers={"accept-language": language})).json() for language in ("en", "fr")
    ]
    assert english["state"] == "done"
    assert english["steps"][0]["title"] == french["steps"][0]["title"] == english["words"]["steps"][0]["title"]
    assert [each["label"] for each in french["words"]["found"]] != [each["label"] for each in english["words"]["found"]]
    assert "There is none in" in str(english["words"]["found"]), "a folder without WordPress"
    assert english["words"]["found"][0]["state"] == "bad", "what is bad comes first"
    assert french["words"]["steps"][0]["title"] != english["words"]["steps"][0]["title"]


async def test_a_form_is_led_to_the_page_of_what_it_did(engine: Engine, client: httpx.AsyncClient) -> None:
    form = {"site": str(engine.sites["shop.example"]), "p.text": "new"}
    answer = await client.post("/runbooks/set_motto/plan", data=form)
    assert answer.status_code == 303
    assert "/runs/1" in answer.headers["location"]
    await engine.settle()
    page = await client.get("/runs/1")
    assert page.status_code == 200
    refused = await client.post("/runs/1/confirm", data={"digest": "0"})
    assert refused.status_code == 409
    assert "changed since you looked" in refused.text


async def test_several_sites_are_one_request(engine: Engine, client: httpx.AsyncClient) -> None:
    await engine.add_site("a.example")
    sent = {"site": ["shop.example", "a.example"], "values": {"text": "new"}}
    batch = (await client.post("/runbooks/set_motto/plan", json=sent, headers=JSON)).json()["batch"]
    await engine.settle()
    assert (await client.post(f"/batches/{batch}/confirm", json={}, headers=JSON)).status_code == 200
    await engine.settle()
    seen = (await client.get(f"/batches/{batch}.json")).json()
    assert [run["state"] for run in seen["runs"]] == ["done", "done"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/runbooks/set_motto/plan", {"site": "no.example", "values": {"text": "x"}}, 404),
        ("/runbooks/set_motto/plan", {"site": "shop.example", "values": {}}, 422),
        ("/runbooks/set_motto/plan", {"values": {"text": "x"}}, 422),
        ("/runbooks/no_such/plan", {"site": "shop.example"}, 404),
        ("/runbooks/set_motto/plan", {"site": "shop.example", "values": []}, 400),
        ("/runbooks/set_motto/plan", [1], 400),
        ("/runbooks/set_motto/plan", {"site": ["no.example"] * 201, "values": {"text": "x"}}, 422),
        ("/runbooks/set_motto/plan", {"site": "\ud800", "values": {"text": "x"}}, 404),
        ("/runbooks/set_motto/plan", {"site": "shop.example", "values": {"\ud800": "x"}}, 422),
        ("/runs/4711/cancel", {}, 404),
        ("/runs/99999999999999999999/cancel", {}, 404),
        ("/batches/4711/confirm", {}, 404),
    ],
)
async def test_what_cannot_be_done_is_refused_and_nothing_is_stored(
    engine: Engine, client: httpx.AsyncClient, path: str, body: Any, status: int
) -> None:
    answer = await client.post(path, content=json.dumps(body), headers=JSON | {"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    assert await engine.rows("SELECT 1 FROM run") == []


async def test_a_body_that_nests_without_end_is_none(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/runs/1/cancel", content="[" * 20_000, headers=JSON | {"content-type": "application/json"}
    )
    assert answer.status_code == 400


async def test_a_why_that_no_table_can_hold_is_kept_as_far_as_it_can_be(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    sent = json.dumps({"site": "shop.example", "values": {"text": "x"}, "why": "a\ud800b\0"})
    answer = await client.post(
        "/runbooks/set_motto/plan", content=sent, headers=JSON | {"content-type": "application/json"}
    )
    assert answer.status_code == 201
    assert await engine.rows("SELECT why FROM run") == [("a?b",)]
