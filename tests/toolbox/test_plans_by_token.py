"""An API token that may have runbooks planned, and nothing else: what the companion asks with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from engine import Engine

from signing_in import Clock, browsers
from steelyard.kit.errors import ActError
from steelyard.main.ground import ledger
from steelyard.people.members import join, person_of_address
from steelyard.people.permissions import Permission as P
from steelyard.people.permissions import Role, Standing
from steelyard.people.tokens import make_token
from steelyard.toolbox.acting import Act, Around, pressing, pressing_batch
from steelyard.toolbox.acts import Request
from steelyard.toolbox.batches import Batches
from steelyard.toolbox.model import RunId
from steelyard.toolbox.rules import Rule
from steelyard.toolbox.rules_store import Safety, change_rules
from steelyard.toolbox.runs_read import read_batch, read_run
from steelyard.toolbox.states import State
from steelyard.web.static import read_static

COMPANION = (P.SEE_DESK, P.SEE_TOOLBOX, P.RUN_READS, P.RUN_PLANS, P.SET_OWN_AWAY)
Program = Callable[..., Awaitable[httpx.AsyncClient]]


async def code(awaited: Awaitable[Any]) -> str:
    with pytest.raises(ActError) as refused:
        await awaited
    return refused.value.code


def plans_only(engine: Engine, person: int = 1, role: Role = Role.LEAD) -> Standing:
    return engine.person(person, role)._replace(scopes=frozenset({P.RUN_PLANS}))


async def pressed(engine: Engine, who: Standing, run: RunId, batch: int) -> tuple[set[Act], set[Act]]:
    """What is drawn to be pressed of a run and of its request."""
    async with engine.database.transaction(engine.workspace) as conn:
        seen, request = await read_run(conn, run), await read_batch(conn, batch)
    assert seen is not None
    assert request is not None
    alone, all = pressing(seen, who, (), Around(), engine.clock()), pressing_batch(request, who, (), two=False)
    return set(alone.acts), set(all.acts)


@pytest.fixture
async def program(engine: Engine, keys: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Program]:
    """A program with a token of somebody's, as the network reaches the console."""
    monkeypatch.setattr("steelyard.main.toolbox_console.run_acts", lambda database, own, clock: engine.acts)
    clock = Clock()
    async with browsers(engine.database, read_static(), keys, clock, "10.1.2.3", open_to_loopback=False) as make:

        async def made(role: Role, *scopes: P) -> httpx.AsyncClient:
            async with engine.database.transaction(engine.workspace) as conn:
                person = await person_of_address(conn, f"{role}@example.com", role.title())
                await join(conn, ledger(), engine.workspace, person, (role,), clock.now)
                _, token = await make_token(
                    conn, engine.workspace, person, "Companion", scopes, timedelta(days=7), clock.now
                )
            return make(headers={"Authorization": f"Bearer {token}"})

        yield made


@pytest.mark.parametrize("runbook", ["read_motto", "set_motto", "wipe_motto"])
async def test_it_plans_what_its_owner_may_run_and_confirms_none(engine: Engine, runbook: str) -> None:
    token = plans_only(engine)
    await engine.rows("UPDATE workspace SET approve_destroys = true RETURNING 1")
    seen = await engine.planned(runbook, token, **({"text": "new"} if runbook == "set_motto" else {}))
    assert (seen.state, seen.person, engine.motto()) == (State.PLANNED, 1, "old")
    assert await code(engine.acts.confirm(token, seen.run, seen.plan_digest, "shop.example")) == "by_token"
    for act in (engine.acts.undo, engine.acts.resume, engine.acts.approve, engine.acts.refuse):
        assert await code(act(token, seen.run)) in ("by_token", "own_run")
    other = plans_only(engine, 2)
    for act in (engine.acts.approve, engine.acts.refuse):
        assert await code(act(other, seen.run)) == "by_token"
    assert (await engine.run(seen.run)).state is State.PLANNED


async def test_it_undoes_and_resumes_nothing_that_was_done(engine: Engine) -> None:
    done = await engine.done("set_motto", text="new")
    token = plans_only(engine)
    assert await code(engine.acts.undo(token, done.run)) == "by_token"
    stopped = await engine.planned("set_motto", text="newer")
    await engine.rows("UPDATE run SET state = 'stopped' WHERE run = %s RETURNING 1", stopped.run)
    assert await code(engine.acts.resume(token, stopped.run)) == "by_token"
    assert engine.motto() == "new"


async def test_what_is_done_at_once_takes_more_than_plans(engine: Engine) -> None:
    asked = Request("read_motto", [engine.sites["shop.example"]], {}, at_once=True)
    assert await code(engine.acts.ask(plans_only(engine), asked)) == "by_token"
    reads = engine.person(1)._replace(scopes=frozenset({P.RUN_READS, P.RUN_PLANS}))
    run = await engine.acts.ask(reads, asked)
    await engine.settle()
    assert (await engine.run(run)).state is State.DONE
    changes = asked._replace(runbook="set_motto", given={"text": "new"})
    assert await code(engine.acts.ask(reads, changes)) == "at_once"


async def test_rules_by_group_hold_for_plans(engine: Engine) -> None:
    await engine.add_site("vip.example", group="vip")
    rules = [Rule("vip", Role.ENGINEER, "reads")]
    await change_rules(engine.database, engine.acts.ledger, engine.here, rules, Safety(), engine.clock)
    token = plans_only(engine, 6, Role.ENGINEER)
    assert await code(engine.ask("set_motto", token, "vip.example", text="new")) == "by_rule"
    assert await code(engine.ask("set_motto", plans_only(engine, 5, Role.AUTHOR), text="new")) == "not_allowed"
    assert await engine.ask("read_motto", token, "vip.example")
    assert await engine.ask("set_motto", token, text="new")


async def test_a_token_of_before_goes_on_as_it_did(engine: Engine) -> None:
    reads = engine.person(1)._replace(scopes=frozenset({P.RUN_READS}))
    assert await code(engine.ask("set_motto", reads, text="new")) == "by_token"
    assert await engine.ask("read_motto", reads)
    changes = engine.person(1)._replace(scopes=frozenset({P.RUN_CHANGES}))
    assert await engine.ask("set_motto", changes, text="new")
    assert await code(engine.ask("wipe_motto", changes)) == "by_token"


async def test_it_calls_off_its_owners_plans_and_nothing_else(engine: Engine) -> None:
    mine, theirs = plans_only(engine, 1), plans_only(engine, 2)
    seen = await engine.planned("set_motto", mine, text="new")
    assert await code(engine.acts.cancel(theirs, seen.run)) == "by_token"
    await engine.acts.cancel(mine, seen.run)
    assert (await engine.run(seen.run)).state is State.CANCELLED
    begun = await engine.planned("set_motto", mine, text="new")
    await engine.acts.confirm(engine.person(1, Role.LEAD), begun.run, begun.plan_digest)
    assert await code(engine.acts.cancel(mine, begun.run)) == "by_token"


async def test_it_asks_for_several_sites_and_confirms_none(engine: Engine) -> None:
    token, batches = plans_only(engine), Batches(engine.acts)
    sites = [engine.sites["shop.example"], await engine.add_site("a.example")]
    batch = await batches.ask(token, Request("set_motto", sites, {"text": "new"}))
    await engine.settle()
    assert await code(batches.confirm(token, batch)) == "by_token"
    await batches.cancel(token, batch)
    assert engine.motto() == "old"


async def test_what_was_confirmed_for_several_sites_it_does_not_call_off(engine: Engine) -> None:
    owner, token, batches = engine.person(1, Role.LEAD), plans_only(engine), Batches(engine.acts)
    await engine.rows("UPDATE workspace SET runs_at_once = 1 RETURNING 1")
    sites = [engine.sites["shop.example"], await engine.add_site("a.example"), await engine.add_site("b.example")]
    batch = await batches.ask(token, Request("set_motto", sites, {"text": "new"}))
    await engine.settle()
    async with engine.database.transaction(engine.workspace) as conn:
        seen = await read_batch(conn, batch)
    assert seen is not None
    first, second, waits = (each.run for each in seen.runs)
    await batches.cancel_run(token, first)
    await batches.confirm(owner, batch)
    assert (await engine.run(waits)).state is State.PLANNED, "it waits for its turn"
    for run in (second, waits):
        assert await code(batches.cancel_run(token, run)) == "by_token"
        assert await code(engine.acts.cancel(token, run)) == "by_token"
        assert await pressed(engine, token, run, batch) == (set(), set())
    assert await pressed(engine, owner, waits, batch) == ({Act.CONFIRM, Act.CANCEL}, {Act.CANCEL})
    assert await code(batches.cancel(token, batch)) == "by_token"
    await batches.cancel_run(owner, waits)
    assert (await engine.run(waits)).state is State.CANCELLED


async def test_what_goes_on_by_itself_once_it_is_planned_it_does_not_call_off(engine: Engine) -> None:
    run = await engine.acts.ask(
        engine.person(1), Request("read_motto", [engine.sites["shop.example"]], {}, at_once=True)
    )
    assert (await engine.run(run)).state is State.PLANNING
    assert await code(engine.acts.cancel(plans_only(engine), run)) == "by_token"
    await engine.acts.cancel(engine.person(1), run)


async def test_over_http_it_reads_plans_looks_and_calls_off(engine: Engine, program: Program) -> None:
    client = await program(Role.ENGINEER, *COMPANION)
    sent = {"site": "shop.example", "values": {}, "why": "from the browser"}
    answer = await client.post("/runbooks/wipe_motto/plan", json=sent)
    assert answer.status_code == 201, answer.text
    await engine.settle()
    number = answer.json()["run"]
    run = (await client.get(f"/runs/{number}.json?after=0")).json()
    assert (run["state"], run["can"]) == ("planned", ["cancel"])
    for act in ("confirm", "resume", "undo", "approve", "refuse"):
        refused = await client.post(
            f"/runs/{number}/{act}", json={"digest": run["plan_digest"], "typed": "shop.example"}
        )
        assert (refused.status_code, "error" in refused.json()) == (403, True), act
    assert (await engine.run(RunId(number))).state is State.PLANNED
    assert (await client.post(f"/runs/{number}/cancel", json={})).json()["done"] == "cancelled"
    assert (await client.get(f"/runs/{number}.json")).json()["can"] == ["again"]
    again = await client.post(f"/runs/{number}/again")
    assert again.json()["run"] == number + 1
    assert (await engine.run(RunId(number))).state is State.CANCELLED
    assert engine.motto() == "old"


async def test_over_http_a_token_for_plans_alone_gets_a_plan(engine: Engine, program: Program) -> None:
    client = await program(Role.ENGINEER, P.RUN_PLANS)
    sent = {"site": "shop.example", "values": {"text": "new"}}
    assert (await client.post("/runbooks/set_motto/plan", json=sent)).status_code == 201
    assert (await client.get("/runs/1.json")).status_code == 403
    for act in ("confirm", "resume", "undo", "approve", "refuse"):
        for what in ("/runs/1", "/runs/4711"):
            refused = await client.post(f"{what}/{act}", json={})
            assert refused.status_code == 403, "the gate, before it is looked whether there is such a run"
    for act in ("confirm", "approve"):
        assert (await client.post(f"/batches/4711/{act}", json={})).status_code == 403
    before = await program(Role.AUTHOR, P.SEE_TOOLBOX)
    assert (await before.post("/runbooks/read_motto/plan", json=sent)).status_code == 403


@pytest.mark.parametrize("body", [b"", b"[", b"[1]", b'"x"'])
async def test_json_that_is_none_is_refused_in_json(engine: Engine, program: Program, body: bytes) -> None:
    client = await program(Role.ENGINEER, *COMPANION)
    headers = {"content-type": "application/json"}
    for path in ("/runbooks/set_motto/plan", "/runs/4711/cancel", "/away"):
        answer = await client.post(path, content=body, headers=headers)
        assert answer.status_code in (400, 404, 422), (path, answer.text)
        assert answer.json()["error"]["message"], path
    assert await engine.rows("SELECT 1 FROM run") == []


@pytest.mark.parametrize(
    "path", ["/sites/4711.json", "/runs/4711.json", "/toolbox/for/4711.json", "/nowhere", "/sites/at.json"]
)
async def test_what_is_not_there_is_told_in_json(program: Program, path: str) -> None:
    client = await program(Role.ENGINEER, *COMPANION)
    answer = await client.get(path)
    assert (answer.status_code, bool(answer.json()["error"]["message"])) == (400 if "at.json" in path else 404, True)


async def test_why_it_is_refused_is_said_in_the_language_of_whoever_asks(program: Program) -> None:
    companion, body = await program(Role.LEAD, *COMPANION), {"site": "shop.example"}
    said = {
        language: (
            await companion.post("/runbooks/set_motto/plan", json=body, headers={"Accept-Language": language})
        ).json()["error"]["message"]
        for language in ("en", "fr")
    }
    assert said["en"].startswith("Some of what was entered cannot be used: ")
    assert said["fr"].startswith("Une partie de la saisie")
