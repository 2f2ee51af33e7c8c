"""Deciding, while people act and deliveries are on their way: a small world with its Intercom, webhooks and jobs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from routing_strategies import (
    BEGAN,
    ENGINEERS,
    EVERYBODY,
    POLICY,
    Act,
    Core,
    Shown,
    acts,
    admin,
    notification,
    receipt,
    roster,
)
from routing_world import Job, World, wanted

from steelyard.kit.ids import ConversationId, EngineerId
from steelyard.kit.instants import SECOND
from steelyard.routing.model import Conversation
from steelyard.routing.router import ignored

PEOPLE = ("create", "reply", "answer", "assign", "unassign", "team", "close", "open", "snooze", "note", "tag", "delete")

WHICH = st.integers(0, 9)
STEPS = st.one_of(
    st.tuples(st.just("person"), acts(2, PEOPLE)),
    st.tuples(st.just("arrive"), WHICH, st.booleans()),
    st.tuples(st.just("arrive"), WHICH, st.just(False)),
    st.tuples(st.just("step"), WHICH, st.sampled_from((False, False, False, True))),
    st.tuples(st.just("step"), WHICH, st.just(False)),
    st.tuples(st.just("person"), acts(2, ("assign", "unassign", "team", "reply"))),
    st.tuples(st.just("lose"), WHICH),
    st.tuples(st.just("crash"), WHICH),
    st.tuples(st.just("read"), WHICH),
    st.tuples(st.just("turn"), st.sampled_from((None, (), (0,), (7,), (0, 7, 8))), st.booleans()),
    st.tuples(st.just("go"), st.sampled_from(ENGINEERS), st.booleans()),
    st.tuples(st.just("rest"), st.sampled_from(ENGINEERS), st.booleans()),
    st.tuples(st.just("ask"), WHICH, st.sampled_from((None, *ENGINEERS))),
)


def live(steps: list[tuple[Any, ...]]) -> World:
    world = World()
    world.take(EVERYBODY)
    world.person(Act("create", 10, 0, 0, 0))
    for name, *values in steps:
        getattr(world, name)(*values)
    world.drain()
    world.check_end()
    return world


@settings(max_examples=300)
@given(st.lists(STEPS, min_size=12, max_size=30))
def test_whatever_happens_in_whatever_order_it_ends_well(steps: list[tuple[Any, ...]]) -> None:
    live(steps)


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(max_examples=5_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, min_size=20, max_size=60))
def test_much_longer_lives(steps: list[tuple[Any, ...]]) -> None:
    live(steps)


@pytest.mark.parametrize(("to", "owner"), [(3, 3), (None, 2)])
def test_a_move_that_was_made_counts_though_it_ends_as_refused_and_its_webhook_is_lost(
    to: int | None, owner: int
) -> None:
    delivered = [("arrive", 0, False), ("step", 0, False), ("step", 0, False), ("arrive", 0, False)]
    world = live([*delivered, ("arrive", 0, False), ("ask", 0, to), ("crash", 0), ("step", 0, True), ("lose", 0)])
    assert "conversation.move_refused" in [each.fact.kind for each in world.core.ledger]
    assert known(world.core).owner == owner


# A decision on its way


def deciding(*, at: int = BEGAN, admins: tuple[int, ...] = (1, 2)) -> tuple[Core, Shown, int]:
    """A core that just gave the one conversation, untouched since `at`, to engineer 1; and the decision's number."""
    shown = Shown(10, BEGAN, "Our nameservers", at)
    core = Core().take_all([roster([admin(id) for id in admins]), created(shown)])
    ((position, decision),) = core.decisions
    assert decision.winner == 1
    return core, shown, position


def created(shown: Shown) -> bytes:
    return notification("conversation.user.created", shown.item(), "created", shown.updated_at)


def told(shown: Shown, topic: str = "admin.assigned", *, at: int, id: str = "n", **changes: Any) -> bytes:
    """A webhook of the conversation as it is after `changes`."""
    after = Shown(shown.id, shown.created_at, shown.body, at, **changes)
    return notification(f"conversation.{topic}", after.item(), id, at)


def answer(shown: Shown, *, at: int, **changes: Any) -> dict[str, Any]:
    return Shown(shown.id, shown.created_at, shown.body, at, **changes).item([])


def known(core: Core) -> Conversation:
    return core.recorded[ConversationId(10)]


def test_a_decision_counts_at_once_and_its_echo_moves_nothing() -> None:
    core, shown, _ = deciding()
    load = core.state.engineers[1].load  # pyright: ignore
    assert load == known(core).weight > 0
    assert (known(core).owner, known(core).assignee) == (1, None)
    core.take(told(shown, at=BEGAN + 1, assignee=1))
    assert core.state.engineers[1].load == load  # pyright: ignore
    assert (known(core).assignee, known(core).pending, len(core.decisions)) == (1, None, 1)


@pytest.mark.parametrize("echo_first", [True, False])
def test_a_person_is_right_whether_the_echo_comes_before_or_after(echo_first: bool) -> None:
    core, shown, _ = deciding()
    echo = told(shown, at=BEGAN + 1, id="echo", assignee=1)
    person = told(shown, at=BEGAN + 2, id="person", assignee=2)
    core.take_all([echo, person] if echo_first else [person, echo])
    assert (known(core).assignee, known(core).owner, known(core).pending) == (2, 2, None)
    assert len(core.decisions) == 1


@pytest.mark.parametrize("echo_first", [True, False])
def test_unassigned_after_the_delivery_it_is_decided_again(echo_first: bool) -> None:
    core, shown, first = deciding()
    echo = told(shown, at=BEGAN + 1, id="echo", assignee=1)
    freed = told(shown, at=BEGAN + 2, id="freed")
    core.take_all([echo, freed] if echo_first else [freed, echo])
    assert len(core.decisions) == 2
    pending = known(core).pending
    assert pending is not None
    assert pending.decision == core.decisions[1][0] > first


def test_what_is_older_than_the_decision_does_not_answer_it() -> None:
    core, shown, decision = deciding(at=BEGAN + 10)
    changes = core.take(told(shown, at=BEGAN + 5, id="stale", assignee=2))
    assert changes is not None
    assert changes.late
    pending = known(core).pending
    assert pending is not None
    assert (pending.decision, known(core).owner) == (decision, 1)


def test_a_newer_one_without_an_engineer_does_not_answer_it() -> None:
    core, shown, decision = deciding()
    core.take(told(shown, "user.replied", at=BEGAN + 5))
    pending = known(core).pending
    assert pending is not None
    assert (pending.decision, len(core.decisions)) == (decision, 1)


@pytest.mark.parametrize("engineer", [1, 2])
@pytest.mark.parametrize("receipt_first", [True, False])
@pytest.mark.parametrize("outcome", ["delivered", "overtaken"])
def test_receipts_and_webhooks_in_any_order_end_in_the_same_owner(
    outcome: str, receipt_first: bool, engineer: int
) -> None:
    core, shown, decision = deciding()
    winner = 1 if outcome == "delivered" else 2
    came = receipt(decision, 10, outcome, answer(shown, at=BEGAN + 1, assignee=winner), BEGAN + 1)
    hooks = [told(shown, at=BEGAN + 1, assignee=winner), told(shown, at=BEGAN + 3, id="p", assignee=engineer)]
    core.take_all([came, *hooks] if receipt_first else [*hooks, came])
    assert (known(core).owner, known(core).assignee, known(core).pending) == (engineer, engineer, None)
    assert (len(core.decisions), core.unsure) == (1, set())


def test_overtaken_because_closed_it_waits_for_being_opened() -> None:
    core, shown, decision = deciding()
    core.take(receipt(decision, 10, "overtaken", answer(shown, at=BEGAN + 1, state="closed"), BEGAN + 1))
    assert (known(core).pending, len(core.decisions), core.state.waiting) == (None, 1, {})
    core.take(told(shown, "user.replied", at=BEGAN + 9))
    assert len(core.decisions) == 2


def test_overtaken_and_still_free_it_is_decided_again() -> None:
    core, shown, decision = deciding()
    core.take(receipt(decision, 10, "overtaken", answer(shown, at=BEGAN + 1), BEGAN + 1))
    assert len(core.decisions) == 2


@pytest.mark.parametrize("at", [BEGAN - 5, BEGAN - 1])
def test_a_failed_delivery_waits_until_something_newer_is_seen(at: int) -> None:
    core, shown, decision = deciding()
    core.take(receipt(decision, 10, "failed", {}, BEGAN + 1))
    assert (known(core).failed, known(core).owner, core.state.waiting) == (decision, None, {})
    assert core.state.engineers[1].load == 0  # pyright: ignore
    core.take(told(shown, "user.replied", at=at, id="a"))
    core.take(created(shown))
    core.take(notification("admin.away_mode_updated", admin(2), "back", BEGAN + 2))
    assert len(core.decisions) == 1
    core.take(told(shown, "user.replied", at=BEGAN + 9))
    assert (len(core.decisions), known(core).failed) == (2, None)


def test_what_was_delivered_stands_until_intercom_shows_it() -> None:
    core, _, decision = deciding()
    core.take(receipt(decision, 10, "delivered", {}, BEGAN + 1))
    assert (known(core).owner, len(core.decisions)) == (1, 1)


def test_when_somebody_was_given_something_last() -> None:
    core, shown, _ = deciding()

    def last(engineer: int) -> int:
        return core.state.engineers[EngineerId(engineer)].last_assigned

    ((_, decision),) = core.decisions
    assert (last(1), last(2)) == (decision.at, 0)
    core.take(told(shown, at=BEGAN + 5, id="echo", assignee=1))
    assert last(1) == decision.at, "the echo gives them nothing new"
    core.take(told(shown, at=BEGAN + 7, id="person", assignee=2))
    assert (last(1), last(2)) == (decision.at, (BEGAN + 7) * SECOND)
    core.take(told(shown, "user.replied", at=BEGAN + 9, id="reply", assignee=2))
    assert last(2) == (BEGAN + 7) * SECOND


@pytest.mark.parametrize("outcome", ["failed", "overtaken", "delivered"])
def test_a_receipt_of_an_earlier_decision_settles_nothing_newer(outcome: str) -> None:
    core, shown, first = deciding()
    core.take_all([told(shown, at=BEGAN + 1, assignee=1), told(shown, at=BEGAN + 2, id="freed")])
    second = known(core).pending
    core.take(receipt(first, 10, outcome, {}, BEGAN + 3))
    assert known(core).pending == second is not None
    assert known(core).failed is None


def test_a_receipt_that_contradicts_a_webhook_of_its_second_is_read_back() -> None:
    core, shown, decision = deciding()
    core.take(told(shown, at=BEGAN + 1, assignee=2))
    core.take(receipt(decision, 10, "delivered", answer(shown, at=BEGAN + 1, assignee=1), BEGAN + 1))
    assert core.unsure == {10}


@pytest.mark.parametrize("outcome", ["delivered", "overtaken", "failed"])
def test_a_receipt_of_what_is_not_known_or_deleted_is_only_recorded(outcome: str) -> None:
    shown = Shown(10, BEGAN, "", BEGAN)
    core = Core().take_all([EVERYBODY, receipt(3, 10, outcome, answer(shown, at=BEGAN), BEGAN)])
    assert not core.recorded
    assert core.ledger[-1].fact.kind == f"decision.{outcome}"
    core, shown, decision = deciding()
    core.take(notification("conversation.deleted", {"id": 10}, "gone", BEGAN + 1))
    assert known(core).pending is None
    core.take(receipt(decision, 10, outcome, answer(shown, at=BEGAN + 2), BEGAN + 2))
    assert core.mirrored(10) == ("deleted",)
    assert not core.state.conversations


def test_moved_to_another_team_before_the_delivery_it_is_decided_for_that_team() -> None:
    core, shown, first = deciding(admins=ENGINEERS)
    core.take(told(shown, at=BEGAN + 1, team=8))
    assert [decision.winner for _, decision in core.decisions] == [1, 2]
    assert not wanted(core, 10, Job(first, 1))
    assert wanted(core, 10, Job(core.decisions[1][0], 2))
    core.take(receipt(first, 10, "overtaken", {}, BEGAN + 2))
    assert known(core).owner == 2
    assert core.state.engineers[1].load == 0  # pyright: ignore


# Who waits


def test_nobody_there_it_waits_and_the_longest_waits_no_more_first() -> None:
    gone = [admin(id, away_mode_enabled=True) for id in (1, 2)]
    conversations = [Shown(id, BEGAN + since, "Hello?", BEGAN + 20) for id, since in ((12, 3), (11, 9), (10, 3))]
    core = Core().take_all([roster(gone), *map(created, conversations)])
    assert not core.decisions
    core.take(notification("admin.away_mode_updated", admin(1), "back", BEGAN + 30))
    assert [decision.conversation for _, decision in core.decisions] == [10, 12, 11]


def test_a_ticket_weighs_on_its_owner_and_is_not_given_to_anybody() -> None:
    item = Shown(10, BEGAN, "Our nameservers", BEGAN).item()
    core = Core().take_all([EVERYBODY, notification("ticket.created", item, "t", BEGAN)])
    assert not core.decisions
    owned = Shown(10, BEGAN, "Our nameservers", BEGAN + 3, assignee=2).item()
    core.take(notification("ticket.admin.assigned", owned, "u", BEGAN + 3))
    assert core.state.engineers[2].load == known(core).weight  # pyright: ignore


@pytest.mark.parametrize(
    ("topic", "changes"),
    [
        ("admin.away_mode_updated", {"away_mode_enabled": True}),
        ("admin.logged_out", {}),
        ("admin.removed_from_workspace", {}),
        ("admin.logged_in", {"has_inbox_seat": False}),
    ],
)
def test_who_cannot_is_given_nothing_and_keeps_what_they_have(topic: str, changes: dict[str, Any]) -> None:
    core, _, _ = deciding()
    load = core.state.engineers[1].load  # pyright: ignore
    core.take(notification(topic, admin(1, **changes), "gone", BEGAN + 1))
    for id in (11, 12, 13):
        core.take(created(Shown(id, BEGAN, "Hello?", BEGAN + 2)))
    assert [decision.winner for _, decision in core.decisions] == [1, 2, 2, 2]
    assert core.state.engineers[1].load == load  # pyright: ignore


def test_who_is_not_on_the_roster_has_left_and_may_come_back() -> None:
    core, _, _ = deciding()
    core.take(roster([admin(1)], at=BEGAN + 5))
    core.take(created(Shown(11, BEGAN, "Hello?", BEGAN + 6)))
    core.take(roster([admin(1), admin(2)], at=BEGAN + 7))
    core.take(created(Shown(12, BEGAN, "Hello?", BEGAN + 8)))
    assert [decision.winner for _, decision in core.decisions] == [1, 1, 2]


def test_a_member_who_is_back_in_the_team_takes_what_waits_for_it() -> None:
    core = Core().take_all([roster([admin(1), admin(2, away_mode_enabled=True)], {7: (2,)})])
    core.take(created(Shown(10, BEGAN, "Hello?", BEGAN, team=7)))
    assert not core.decisions
    core.take(roster([admin(1), admin(2, away_mode_enabled=True)], {7: (1, 2)}, at=BEGAN + 5))
    assert [decision.winner for _, decision in core.decisions] == [1]


def test_a_policy_may_give_work_to_those_who_are_logged_out() -> None:
    for said, winners in (("away", []), ("available", [1])):
        core = Core(ignored(replace(POLICY, logged_out_counts_as_away=said == "away")))
        core.take_all([roster([admin(1)]), notification("admin.logged_out", admin(1), "out", BEGAN + 1)])
        core.take(created(Shown(10, BEGAN, "Hello?", BEGAN + 2)))
        assert [decision.winner for _, decision in core.decisions] == winners
