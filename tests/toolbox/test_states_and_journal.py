"""The life of a run as a table, and what the journal says is left to do: properties."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from steelyard.toolbox.journal import (
    MOST_RESULT,
    Entry,
    Scrub,
    agrees,
    begun,
    entries_of,
    entry,
    packed,
    put_back_begun,
    rest,
    shortened,
    unpacked,
    with_cut_off,
)
from steelyard.toolbox.model import Action, By, Check, Plan, Secret, Step, encode
from steelyard.toolbox.states import AT_WORK, ENDED, STATE_WORDS, TRANSITIONS, Event, State, after
from steelyard.web.said import Said

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=30,
)
SAID = Said("%(a)s", {"a": "x"})


def test_every_state_is_named_and_reached_and_only_ended_ones_are_left_by_nothing() -> None:
    assert TRANSITIONS.keys() == set(State) == STATE_WORDS.keys()
    reached = {State.PLANNING} | {state for out in TRANSITIONS.values() for state in out.values()}
    assert reached == set(State)
    assert {event for out in TRANSITIONS.values() for event in out} == set(Event)
    assert State.STOPPED not in ENDED, "somebody has to be able to go on"


@given(st.lists(st.sampled_from(list(Event)), max_size=30))
def test_however_it_goes_nothing_is_done_unconfirmed_and_nothing_leaves_an_end(events: list[Event]) -> None:
    state, confirmed, ended = State.PLANNING, False, False
    for event in events:
        to = after(state, event)
        assert not (ended and to is not None)
        if to is None:
            continue
        confirmed |= event in (Event.CONFIRM, Event.APPROVE)
        if event is Event.CHANGE:
            confirmed = False
        assert confirmed or to not in AT_WORK, "it is done, and nobody confirmed it"
        if state is State.WAITS:
            assert event in (Event.APPROVE, Event.REFUSE, Event.CANCEL)
        if state in (State.UNDOING, State.STOPPED):
            assert to is not State.CANCELLED, "what was begun is put back or resumed, not called off"
        state, ended = to, to in ENDED


def a_plan(steps: int) -> Plan:
    return Plan(
        tuple(
            Step(f"s{n}", SAID, SAID, (Action("v", {"n": n, "key": Secret("k")}, By.ROOT, 5.0),), 0.5, n % 2 == 0,
                 Action("probe", {}), n == 2)
            for n in range(steps)
        ),
        (Check(SAID, Action("c", {"p": "\udc80"}), {"ok": [True, 1]}, 3),),
    )  # fmt: skip


def row(each: Entry, outcome: str = "", begun: bool = False) -> dict[str, Any]:
    work = json.loads(json.dumps(each.work).encode())
    return {
        "step": each.number, "phase": each.phase, "name": each.name, "title": encode(each.title),
        "says": encode(each.says), "work": work, "expected_ms": round(each.seconds * 1000),
        "intent_at": 1 if begun else None, "outcome": outcome,
    }  # fmt: skip


@given(st.integers(0, 6), st.sampled_from(["do", "undo"]), st.integers(0, 9))
def test_a_plan_goes_into_rows_and_comes_back_whole(steps: int, phase: Any, first: int) -> None:
    made = entries_of(a_plan(steps), phase, first)
    assert [each.number for each in made] == list(range(first, first + steps + 1))
    assert [entry(row(each)) for each in made] == made
    assert made[-1].phase == ("check" if phase == "do" else "undo")


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["", "done", "found", "failed", "left_out"])), max_size=6))
def test_what_is_left_is_all_without_a_receipt_in_order(outcomes: list[tuple[bool, str]]) -> None:
    made = entries_of(a_plan(len(outcomes)), "do")[: len(outcomes)]
    rows = [entry(row(each, outcome, was)) for each, (was, outcome) in zip(made, outcomes, strict=True)]
    left = rest(rows, ("do",))
    assert [each.number for each in left] == [
        number for number, (_, outcome) in enumerate(outcomes) if outcome in ("", "failed")
    ]
    assert begun(rows) == any(was for was, _ in outcomes)
    assert not put_back_begun(rows)
    assert [each.number for each in rows if each.unknown] == [
        number for number, (was, outcome) in enumerate(outcomes) if was and not outcome
    ]


@given(JSON | st.text(st.characters(categories=["Cs", "Cc", "L"])))
def test_what_tables_cannot_hold_goes_there_and_comes_back(value: Any) -> None:
    kept = packed(value)
    text = json.dumps(kept, ensure_ascii=False)
    text.encode()
    assert "\\u0000" not in text
    if not (isinstance(value, dict) and value.keys() == {"$packed"}):
        assert unpacked(kept) == value


@given(JSON, st.lists(st.text(min_size=4, max_size=10), max_size=3))
def test_what_is_kept_of_an_answer_is_short_storable_and_holds_no_secret(value: Any, secrets: list[str]) -> None:
    kept = Scrub(secrets).answer({"said": [value, *secrets]}).result
    text = json.dumps(kept, ensure_ascii=False)
    assert len(json.dumps(kept)) <= MOST_RESULT
    assert "\0" not in text
    text.encode()
    said = kept["said"] if isinstance(kept, dict) and "said" in kept else []
    for secret, shown in zip(secrets, said[1:], strict=False):
        assert secret not in shown or set(secret) <= {"•"}


@given(JSON)
def test_shortening_keeps_what_is_short(value: Any) -> None:
    if len(json.dumps(value)) <= MOST_RESULT:
        assert shortened(value) == value


def test_a_long_answer_is_cut_and_says_so() -> None:
    kept = shortened({"lines": ["x" * 3000] * 3000})
    assert len(json.dumps(kept)) <= MOST_RESULT
    assert kept["lines"][-1] == "…"


def test_a_report_is_kept_apart_from_what_a_step_answered() -> None:
    answer = Scrub(()).answer([{"status": 0}, {"report": {"disk": "full"}, "status": 1}])
    assert answer.report == {"disk": "full"}
    assert answer.result == [{"status": 0}, {"status": 1}]


def test_a_way_back_that_was_cut_off_is_gone_to_its_end_whatever_can_still_be_read() -> None:
    check = Check(SAID, Action("look"), {"there": True})
    steps = tuple(Step(name, SAID, SAID, (Action(name),)) for name in ("files", "tables", "reload"))
    first = entries_of(Plan(steps, checks=(check,)), "undo", 5)
    cut = [replace(first[0], outcome="done"), replace(first[1], begun=True), *first[2:]]
    assert [step.name for step in with_cut_off(Plan(()), cut).steps] == ["tables", "reload"]
    assert with_cut_off(Plan(()), cut).checks == (check,)
    anew = Plan((Step("tables", SAID, SAID, (Action("other"),)),))
    assert [step.actions[0].verb for step in with_cut_off(anew, cut).steps] == ["other", "reload"]
    assert with_cut_off(anew, []) == anew
    failed = [*cut[:2], replace(cut[2], outcome="failed")]
    assert [step.name for step in with_cut_off(Plan(()), failed).steps] == ["tables", "reload"]
    at_last = [*failed, *(replace(each, outcome="done") for each in entries_of(Plan(steps[1:]), "undo", 9))]
    assert with_cut_off(Plan(()), at_last).steps == ()


def test_what_a_check_expects() -> None:
    assert agrees({"status": [200, 301]}, {"status": 301, "more": 1})
    assert not agrees({"status": [200, 301]}, {"status": 500})
    assert agrees({"body": "~Hello"}, {"body": "<p>Hello</p>"})
    assert not agrees({"body": "~Hello"}, {"body": "Good-bye"})
    assert agrees({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}})
    assert not agrees({"ok": True}, {"ok": 1}), "1 is not yes"
    assert not agrees({"ok": True}, None)
    assert not agrees({"ok": True}, {})
