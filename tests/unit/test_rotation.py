"""Off rotation: who gets nothing new, whatever else is heard of them, and in whatever order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from routing_strategies import (
    BEGAN,
    ENGINEERS,
    EVERYBODY,
    Core,
    Intercom,
    Shown,
    admin,
    arrivals,
    check,
    contents,
    frozen,
    histories,
    notification,
    roster,
    rotation,
)

from steelyard.kit.facts import Fact
from steelyard.kit.ids import EngineerId, Position
from steelyard.kit.instants import Micros
from steelyard.routing import codec
from steelyard.routing.choose import pack
from steelyard.routing.decide import apply
from steelyard.routing.explain import explanation_of
from steelyard.routing.model import Engineer, Exclusion
from steelyard.routing.state import State

ONE = EngineerId(1)


def created(id: int, at: int = BEGAN, team: int | None = None) -> bytes:
    item = Shown(id, at, "Our nameservers", at, team=team).item()
    return notification("conversation.user.created", item, f"created {id}", at)


def went(id: int, away: bool, at: int) -> bytes:
    return notification("admin.away_mode_updated", admin(id, away_mode_enabled=away), f"away {id} {at} {away}", at)


def winners(core: Core) -> list[int]:
    return [decision.winner for _, decision in core.decisions]


# What it does


def test_who_is_off_rotation_gets_nothing_new_and_keeps_what_they_have() -> None:
    core = Core().take_all([roster([admin(1), admin(2)]), created(10)])
    core.take(rotation(1, True, BEGAN + 1))
    core.take_all([created(11), created(12)])
    assert winners(core) == [1, 2, 2]
    engineer = core.state.engineers[ONE]
    assert (engineer.resting, engineer.away, engineer.load) == (True, False, 1)
    assert core.state.exclusions(engineer) == Exclusion.RESTING


def test_put_back_they_are_given_at_once_what_waits_the_longest_first() -> None:
    core = Core().take_all([roster([admin(1)]), rotation(1, True, BEGAN)])
    core.take_all([created(11, BEGAN + 9), created(10, BEGAN + 3)])
    assert winners(core) == []
    core.take(rotation(1, False, BEGAN + 20))
    assert [decision.conversation for _, decision in core.decisions] == [10, 11]


def test_the_fact_says_who_did_it() -> None:
    core = Core().take_all(
        [EVERYBODY, rotation(1, True, BEGAN + 1, person=41), rotation(1, True, BEGAN + 2, person=None)]
    )
    first, second = (each.fact for each in core.ledger[-2:])
    assert (first.kind, first.engineer, first.person, first.conversation) == ("engineer.rotation_changed", 1, 41, None)
    assert json.loads(first.data)["e"]["resting"] is True
    assert second.person is None


def test_the_same_twice_changes_nothing_and_says_so() -> None:
    core = Core().take_all([EVERYBODY, rotation(1, True, BEGAN + 5)])
    before = contents(core.state)
    for again in (rotation(1, True, BEGAN + 5), rotation(1, False, BEGAN + 2)):
        changes = core.take(again)
        assert changes is not None
        assert changes.late
        assert json.loads(changes.facts[0].data) == {"late": True}
    assert contents(core.state) == before


def test_of_one_second_the_later_change_counts() -> None:
    on, off = rotation(1, False, BEGAN, "00000000000000000002"), rotation(1, True, BEGAN, "00000000000000000001")
    for order in ([on, off], [off, on]):
        assert not Core().take_all([EVERYBODY, *order]).state.engineers[ONE].resting


@pytest.mark.parametrize("away", [False, True])
def test_a_reading_of_the_roster_does_not_lose_it(away: bool) -> None:
    core = Core().take_all([EVERYBODY, rotation(1, True, BEGAN + 1)])
    core.take(roster([admin(id, away_mode_enabled=away) for id in ENGINEERS], at=BEGAN + 9))
    core.take(roster([admin(2)], at=BEGAN + 19))
    core.take(roster([admin(id) for id in ENGINEERS], at=BEGAN + 29))
    engineer = core.state.engineers[ONE]
    assert (engineer.resting, engineer.member, engineer.away) == (True, True, False)


def test_coming_back_in_intercom_puts_nobody_back_on_rotation() -> None:
    core = Core().take_all([roster([admin(1)]), rotation(1, True, BEGAN + 1), went(1, True, BEGAN + 2)])
    core.take_all([went(1, False, BEGAN + 3), created(10)])
    assert winners(core) == []


# What holds of every history

CHANGES = st.one_of(
    st.tuples(st.just("rotation"), st.sampled_from(ENGINEERS), st.booleans()),
    st.tuples(st.just("away"), st.sampled_from(ENGINEERS), st.booleans()),
    st.tuples(st.just("created"), st.integers(10, 40), st.sampled_from((None, 7, 8))),
    st.tuples(st.just("roster"), st.sets(st.sampled_from(ENGINEERS), min_size=1), st.none()),
)


def payload(at: int, kind: str, who: Any, what: Any) -> bytes:
    match kind:
        case "rotation":
            return rotation(who, what, BEGAN + at, f"{at:020}")
        case "away":
            return went(who, what, BEGAN + at)
        case "created":
            return created(who, BEGAN + at, what)
        case _:
            return roster([admin(id) for id in sorted(who)], at=BEGAN + at)


@given(st.lists(CHANGES, min_size=4, max_size=30))
def test_somebody_off_rotation_is_never_chosen(changes: list[tuple[Any, ...]]) -> None:
    core = Core().take_all([EVERYBODY])
    resting: dict[int, bool] = dict.fromkeys(ENGINEERS, False)
    for at, (kind, who, what) in enumerate(changes, 1):
        made = len(core.decisions)
        if kind == "rotation":
            resting[who] = what
        core.take(payload(at, kind, who, what))
        check(core.state)
        for _, decision in core.decisions[made:]:
            assert not resting[decision.winner]
            assert not (decision.runner_up and resting[decision.runner_up])
    assert {id: each.resting for id, each in core.state.engineers.items()} == resting


@given(st.lists(CHANGES.filter(lambda each: each[0] in ("rotation", "away")), max_size=12), st.randoms())
def test_the_order_in_which_it_is_heard_does_not_matter(changes: list[tuple[Any, ...]], random: Any) -> None:
    bodies = [payload(at, *each) for at, each in enumerate(changes, 1)]
    shuffled = [*bodies, *random.sample(bodies, len(bodies) // 2)]
    random.shuffle(shuffled)
    assert contents(Core().take_all([EVERYBODY, *shuffled]).state) == contents(
        Core().take_all([EVERYBODY, *bodies]).state
    )


@given(histories(8), st.sampled_from(ENGINEERS))
def test_off_and_on_again_is_as_before(intercom: Intercom, engineer: int) -> None:
    core = Core().take_all([EVERYBODY, *(each.body for each in intercom.sent)])
    before = core.state
    core.take_all([rotation(engineer, True, BEGAN + 1), rotation(engineer, False, BEGAN + 2)])
    after = core.state.engineers[EngineerId(engineer)]
    assert after._replace(resting_order=None) == before.engineers[EngineerId(engineer)]
    assert core.state.standings == before.standings
    assert bytes(core.state.records(None)) == bytes(before.records(None))


@settings(max_examples=60)
@given(st.data(), histories(8), st.lists(st.tuples(st.sampled_from(ENGINEERS), st.booleans()), max_size=6))
def test_what_is_replayed_equals_what_was_live(
    data: st.DataObject, intercom: Intercom, changes: list[tuple[int, bool]]
) -> None:
    turned = [rotation(who, resting, BEGAN + at, str(at)) for at, (who, resting) in enumerate(changes)]
    core = Core().take_all([EVERYBODY])
    lives: dict[int, State] = {}
    for body in data.draw(arrivals([*turned, *(each.body for each in intercom.sent)])):
        core.take(body)
        lives[core.state.position] = core.state
    state = State()
    for recorded in core.ledger:
        before = state.fork() if recorded.fact.kind == "decision.made" else None
        apply(state, recorded.position, recorded.fact)
        if before is not None:
            assert explanation_of(before, recorded.position, dict(core.decisions)[recorded.position]).identical
        if recorded.position in lives:
            assert contents(state) == contents(lives[recorded.position])
            state = codec.thaw(frozen(state), Exclusion.NONE)


# What was recorded before anybody could be off rotation

ORDER = [1700000000, 1, 1700000000, "roster 1700000000"]
KNOWN = {
    "away": False,
    "away_order": ORDER,
    "logged_in": True,
    "login_order": None,
    "member": True,
    "member_order": ORDER,
    "seat": True,
    "seat_order": ORDER,
    "last_assigned": 0,
    "capacity": 1000,
}
OUT = {
    "logged_in": False,
    "login_order": [1700000001, 1, 1700000001, "o"],
    "seat_order": [1700000001, 1, 1700000001, "o"],
}
DNS = [["dns", "dns/22", "body", 4, 15, 5]]
CREATED = [1700000000, 0, 1700000000, "c1"]
SNAPSHOT = [
    7,
    0,
    [[1, KNOWN | {"last_assigned": 1700000000000003}], [2, KNOWN | {"away": True}], [3, KNOWN | OUT]],
    [[7, [1, 2]]],
    [
        [
            10,
            CREATED,
            "open",
            None,
            7,
            0,
            1700000000,
            "dns",
            1,
            DNS,
            None,
            None,
            [7, 1, CREATED, False],
            False,
            False,
            None,
        ]
    ],
]
POLICY = "5cc587fdd015ec11d4d51238e7d27d4e714d38c7aac94338fe2a3a47e89c4875"
DIGEST = "16861af8a65de8d651943c9a4f8a1e29c0e1c07eca7d2ab6bb5ac2951e3eef94"
"""What engine 1 wrote of the decision at position 9, when engineers had neither `resting` nor its order."""


def test_an_old_decision_is_replayed_byte_for_byte() -> None:
    state = codec.thaw(json.dumps(SNAPSHOT).encode(), Exclusion.NONE)
    shown = [11, [1700000002, 0, 1700000002, "c2"], "open", None, None, 0, 1700000000, "dns", 1, DNS]
    value = [*shown, None, None, None, False, False, None]
    fact = Fact("conversation.created", Micros(1700000002000000), None, None, codec.dump({"c": value}))
    apply(state, Position(8), fact)
    made = codec.decision([11, 1700000000000004, "dns", 1, None, DNS, 1, 1, None, None, POLICY, 1, DIGEST])
    explained = explanation_of(state, Position(9), made)
    assert explained.digest == DIGEST
    assert [int(each.exclusions) for each in explained.candidates] == [0, 1, 2]
    assert pack(explained.candidates) == bytes(state.records(None))


def test_an_old_fact_of_an_engineer_is_applied() -> None:
    state = State()
    apply(state, Position(1), Fact("engineer.seen", Micros(1), None, ONE, codec.dump({"e": KNOWN})))
    assert (state.engineers[ONE].resting, state.engineers[ONE].resting_order) == (False, None)


def test_who_was_never_off_rotation_is_written_as_ever() -> None:
    """So what an older release reads of it is what it knows."""
    assert codec.engineer_data(Engineer(ONE)).keys() == KNOWN.keys()
    [fact] = [each.fact for each in Core().take_all([roster([admin(1)], {})]).ledger]
    assert json.loads(fact.data)["e"].keys() == KNOWN.keys()
