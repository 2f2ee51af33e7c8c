"""What people may do with runs, and what is refused: whoever asks, the act itself looks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from engine import Engine

from steelyard.kit.errors import ActError
from steelyard.people.permissions import Permission, Role
from steelyard.toolbox.acts import Request, RunRefused
from steelyard.toolbox.model import RunId
from steelyard.toolbox.rules import Rule
from steelyard.toolbox.rules_store import Safety, change_rules, read_rules, read_safety
from steelyard.toolbox.states import State


async def refusal(awaited: Any) -> str:
    with pytest.raises(ActError) as refused:
        await awaited
    return refused.value.code


async def test_what_destroys_takes_the_sites_name_as_it_is(engine: Engine) -> None:
    seen = await engine.planned("wipe_motto")
    for typed in ("", "shop", "shop.example.org", "yes"):
        assert await refusal(engine.acts.confirm(engine.here, seen.run, seen.plan_digest, typed)) == "not_typed"
    assert (await engine.run(seen.run)).state is State.PLANNED
    assert await engine.acts.confirm(engine.here, seen.run, seen.plan_digest, " Shop.Example ") is State.QUEUED


async def test_a_plan_is_confirmed_as_it_was_looked_at_and_once(engine: Engine) -> None:
    seen = await engine.planned("set_motto", text="new")
    assert await refusal(engine.acts.confirm(engine.here, seen.run, "0" * 64)) == "other_plan"
    await engine.acts.confirm(engine.here, seen.run, seen.plan_digest, why="ticket 7")
    assert await refusal(engine.acts.confirm(engine.here, seen.run, seen.plan_digest)) == "not_now"
    assert (await engine.run(seen.run)).why == "ticket 7"
    jobs = await engine.rows(
        "SELECT lock, queue_name FROM procrastinate_jobs WHERE task_name = 'toolbox.run' ORDER BY id"
    )
    site = engine.sites["shop.example"]
    assert jobs == [(f"{engine.workspace} run {seen.run}", "toolbox"), (f"{engine.workspace} site {site}", "toolbox")]


async def test_approval_is_another_persons_who_may_run_it(engine: Engine) -> None:
    await engine.rows("UPDATE workspace SET approve_destroys = true RETURNING 1")
    asker, lead = engine.person(1, Role.LEAD), engine.person(2, Role.LEAD)
    seen = await engine.planned("wipe_motto", asker)
    assert await engine.acts.confirm(asker, seen.run, seen.plan_digest, "shop.example") is State.WAITS
    await engine.settle()
    assert (engine.docroot() / "motto").exists(), "it was done unapproved"
    assert await refusal(engine.acts.approve(asker, seen.run)) == "own_run"
    assert await refusal(engine.acts.approve(engine.person(3), seen.run)) == "not_approver"
    token = lead._replace(scopes=frozenset(Permission))
    assert await refusal(engine.acts.approve(token, seen.run)) == "by_token"
    assert await engine.acts.approve(lead, seen.run) is State.QUEUED
    await engine.settle()
    done = await engine.run(seen.run)
    assert (done.state, done.person, done.approver) == (State.DONE, 1, 2)
    assert [(kind, person) for kind, _, person in await engine.facts()] == [
        ("run.asked", 1), ("run.confirmed", 1), ("run.approved", 2), ("run.ended", None),
    ]  # fmt: skip


async def test_what_the_command_line_asked_for_it_cannot_approve_itself(engine: Engine) -> None:
    await engine.rows("UPDATE workspace SET approve_destroys = true RETURNING 1")
    seen = await engine.planned("wipe_motto")
    await engine.acts.confirm(engine.here, seen.run, seen.plan_digest, "shop.example")
    assert await refusal(engine.acts.approve(engine.here, seen.run)) == "own_run"
    await engine.acts.refuse(engine.person(2, Role.LEAD), seen.run, "not <b>today</b>")
    refused = await engine.run(seen.run)
    assert (refused.state, refused.reason and refused.reason.code) == (State.REFUSED, "not_approved")


async def test_an_approval_that_comes_too_late_is_none(engine: Engine) -> None:
    await engine.rows("UPDATE workspace SET approve_destroys = true RETURNING 1")
    seen = await engine.planned("wipe_motto", engine.person(1))
    await engine.acts.confirm(engine.person(1), seen.run, seen.plan_digest, "shop.example")
    engine.clock.ahead = timedelta(days=2)
    assert await refusal(engine.acts.approve(engine.person(2, Role.LEAD), seen.run)) == "expired"


async def test_roles_and_rules_of_the_sites_group_hold_for_every_act(engine: Engine) -> None:
    await engine.add_site("vip.example", group="vip")
    rules = [Rule("vip", Role.ENGINEER, "reads")]
    await change_rules(engine.database, engine.acts.ledger, engine.here, rules, Safety(), engine.clock)
    author, engineer = engine.person(5, Role.AUTHOR), engine.person(6)
    assert await refusal(engine.ask("set_motto", author, text="new")) == "not_allowed"
    assert await refusal(engine.ask("set_motto", engineer, "vip.example", text="new")) == "by_rule"
    assert await engine.ask("read_motto", engineer, "vip.example")
    seen = await engine.planned("set_motto", text="new")
    for act in (engine.acts.cancel, engine.acts.undo, engine.acts.resume):
        assert await refusal(act(author, seen.run)) == "not_allowed"
    assert await refusal(engine.acts.confirm(author, seen.run, seen.plan_digest)) == "not_allowed"
    token = engineer._replace(scopes=frozenset({Permission.RUN_READS}))
    assert await refusal(engine.ask("set_motto", token, text="new")) == "by_token"


async def test_rules_are_changed_whole_and_on_record(engine: Engine) -> None:
    lead, rules = engine.person(2, Role.LEAD), [Rule("", Role.ENGINEER, "changes"), Rule("vip", Role.LEAD, "nothing")]
    safety = Safety(approve_destroys=True, keep_trash=3, runs_at_once=2)
    await change_rules(engine.database, engine.acts.ledger, lead, rules, safety, engine.clock)
    async with engine.database.transaction(engine.workspace) as conn:
        assert (await read_rules(conn), await read_safety(conn)) == (tuple(rules), safety)
    kind, data, person = (await engine.facts())[-1]
    assert (kind, data["rules"], person) == ("toolbox.rules_changed", 2, 2)
    change = change_rules(engine.database, engine.acts.ledger, engine.person(3), [], Safety(), engine.clock)
    assert await refusal(change) == "not_allowed"


async def test_what_was_entered_wrongly_is_told_with_its_field(engine: Engine) -> None:
    for given, field in (
        ({}, "p.text"),
        ({"text": "x", "seconds": "soon"}, "p.seconds"),
        ({"text": "x", "no": "1"}, "p.no"),
    ):
        with pytest.raises(RunRefused) as refused:
            await engine.ask("set_motto", **given)
        assert (refused.value.code, refused.value.field) == ("wrong", field)
    assert await refusal(engine.ask("no_such_runbook")) == "no_runbook"
    assert await refusal(engine.acts.ask(engine.here, Request("set_motto", [], {}))) == "no_sites"
    assert await refusal(engine.acts.cancel(engine.here, RunId(4711))) == "no_run"
    assert await engine.rows("SELECT 1 FROM run") == []


async def test_a_site_where_a_run_stopped_takes_no_other_until_that_is_settled(engine: Engine) -> None:
    first, second = [await engine.planned("set_motto", text=text) for text in ("one", "two")]
    await engine.rows("UPDATE run SET state = 'stopped' WHERE run = %s RETURNING 1", first.run)
    assert await refusal(engine.acts.confirm(engine.here, second.run, second.plan_digest)) == "site_stopped"
    await engine.acts.undo(engine.here, first.run)
    await engine.settle()
    assert (await engine.run(first.run)).state is State.PUT_BACK
    assert await engine.acts.confirm(engine.here, second.run, second.plan_digest) is State.QUEUED


async def test_the_same_can_be_asked_for_again(engine: Engine) -> None:
    (engine.docroot() / "motto").unlink()
    refused = await engine.planned("set_motto", text="new", seconds=0)
    (engine.docroot() / "motto").write_text("old")
    again = await engine.acts.again(engine.here, refused.run)
    await engine.settle()
    assert (await engine.run(again)).state is State.PLANNED


async def test_facts_hold_ids_and_digests_only(engine: Engine) -> None:
    seen = await engine.done("set_motto", text="a-text-of-somebody")
    await engine.acts.undo(engine.here, seen.run)
    await engine.settle()
    for kind, data, _ in await engine.facts():
        assert kind.startswith("run.")
        for name, value in data.items():
            codes = {state.value for state in State}
            digest = isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")
            assert isinstance(value, int) or digest or value in codes, (kind, name, value)
