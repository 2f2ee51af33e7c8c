"""Mirroring: whatever order notifications come in, and however often, what is known of Intercom ends up the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from routing_strategies import (
    BEGAN,
    EVERYBODY,
    READER,
    Act,
    Core,
    Intercom,
    Sent,
    acts,
    admin,
    arrivals,
    check,
    contents,
    histories,
    notification,
    read_back,
    receipt,
    roster,
)

from steelyard.kit.ids import EngineerId
from steelyard.routing.decide import apply
from steelyard.routing.receive import receive
from steelyard.routing.seen import SeenConversation

MORE = settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def last_of(sent: list[Sent]) -> dict[int, Sent]:
    """The notification of each conversation that Intercom made last."""
    return {each.conversation: each for each in sent}


def ties(sent: list[Sent], last: Sent) -> bool:
    """Whether another notification of the same instant shows something else."""
    return any(
        each.conversation == last.conversation and each.key == last.key and each.values != last.values for each in sent
    )


def newest_note(sent: list[Sent], conversation: int) -> int | None:
    """The weight that the newest note asks for which asks for one that may be; None: none, or taken back."""
    said = [each.note for each in sent if each.conversation == conversation and each.note]
    asked = [body for _, _, body in said if body in ALLOWED]
    return None if not asked or asked[-1] == "/weight auto" else int(asked[-1].removeprefix("/weight "))


ALLOWED = ["/weight auto", *(f"/weight {weight}" for weight in range(1, READER.heaviest + 1))]


def check_mirror(core: Core, intercom: Intercom, sent: list[Sent]) -> None:
    """Equal to what Intercom last told, or flagged, and then equal after reading it back."""
    for id, last in last_of(sent).items():
        if any(each.values == ("deleted",) for each in sent if each.conversation == id):
            assert core.mirrored(id) == ("deleted",)
            continue
        known = core.recorded[id]  # pyright: ignore[reportArgumentType]
        assert (known.note.weight if known.note else None) == newest_note(sent, id)
        if core.mirrored(id) != last.values:
            assert ties(sent, last)
            assert id in core.unsure
        if ties(sent, last):
            assert id in core.unsure
        if not intercom.conversations[id].deleted:
            item = intercom.conversations[id].item()
            core.take(read_back(item, intercom.now + 2))
            assert core.mirrored(id) == intercom.conversations[id].values()


@st.composite
def told(draw: st.DrawFn, most: int = 8) -> tuple[Intercom, list[Sent], list[bytes]]:
    """An Intercom, what of its notifications came (the last of each conversation among them), and how it came."""
    intercom = draw(histories(most))
    last = {id(each) for each in last_of(intercom.sent).values()}
    lost = draw(st.sets(st.sampled_from(range(len(intercom.sent))), max_size=2))
    came = [each for place, each in enumerate(intercom.sent) if place not in lost or id(each) in last]
    return intercom, came, [each.body for each in draw(arrivals(came))]


def in_any_order(case: tuple[Intercom, list[Sent], list[bytes]], first: list[bytes]) -> None:
    intercom, came, arrived = case
    straight = Core().take_all(first + [each.body for each in came])
    shuffled = Core().take_all(first + arrived)
    check(shuffled.state)
    for id in last_of(came):
        assert shuffled.mirrored(id) == straight.mirrored(id)
        assert shuffled.weighs(id) == straight.weighs(id)
    if not first:
        assert not shuffled.decisions
        assert contents(shuffled.state) == contents(straight.state)
    check_mirror(shuffled, intercom, came)


@settings(max_examples=300)
@given(told())
def test_any_order_mirrors_intercom(case: tuple[Intercom, list[Sent], list[bytes]]) -> None:
    in_any_order(case, [])


@settings(max_examples=150)
@given(told())
def test_any_order_mirrors_intercom_while_decisions_are_on_their_way(
    case: tuple[Intercom, list[Sent], list[bytes]],
) -> None:
    in_any_order(case, [EVERYBODY])


@pytest.mark.slow
@pytest.mark.timeout(600)
@MORE
@given(told(14), st.booleans())
def test_many_more_orders(case: tuple[Intercom, list[Sent], list[bytes]], anybody: bool) -> None:
    in_any_order(case, [EVERYBODY] if anybody else [])


@settings(max_examples=150)
@given(told(), st.integers(0, 20))
def test_with_somebody_there_everything_open_is_owned_and_decided_once(
    case: tuple[Intercom, list[Sent], list[bytes]], place: int
) -> None:
    arrived = case[2]
    core = Core()
    for body in [*arrived[:place], EVERYBODY, *arrived[place:]]:
        core.take(body)
        check_decisions(core)
    assert not core.state.waiting
    assert all(each.owner is not None for each in core.state.conversations.values())


def check_decisions(core: Core) -> None:
    """Nothing that was owned was decided, and each conversation waits for one decision at most."""
    state = Core().state
    for recorded in core.ledger:
        if recorded.fact.kind == "decision.made":
            assert recorded.fact.conversation in state.waiting
            assert state.conversations[recorded.fact.conversation].owner is None
        apply(state, recorded.position, recorded.fact)
    made = {position: decision.winner for position, decision in core.decisions}
    for each in core.state.conversations.values():
        if each.pending:
            assert made[each.pending.decision] == each.pending.engineer


# Engineers


@st.composite
def comings_and_goings(draw: st.DrawFn) -> tuple[dict[int, dict[str, Any]], list[tuple[Any, bytes, dict[str, Any]]]]:
    """What engineers did in the end, and for each notification: its instant, its body, what it says of whom."""
    steps = draw(
        st.lists(
            st.tuples(
                st.sampled_from((1, 2)),
                st.sampled_from(("away", "back", "in", "out", "added", "removed", "seat", "no seat")),
                st.sampled_from((0, 1, 1, 5)),
                st.integers(0, 9),
            ),
            min_size=1,
            max_size=8,
        )
    )
    now, last, sent = BEGAN, {id: dict[str, Any](away=False, seat=True) for id in (1, 2)}, []
    for number, (id, did, wait, salt) in enumerate(steps):
        now += wait
        person = last[id]
        says: dict[str, Any] = {}
        if did in ("away", "back"):
            person["away"] = says["away"] = did == "away"
            topic = "admin.away_mode_updated"
        elif did in ("in", "out"):
            person["logged_in"] = says["logged_in"] = did == "in"
            topic = f"admin.logged_{did}"
        elif did in ("added", "removed"):
            person["member"] = says["member"] = did == "added"
            topic = "admin.added_to_workspace" if did == "added" else "admin.removed_from_workspace"
            if did == "added":
                says["away"] = person["away"]
        else:
            person["seat"] = did == "seat"
            person["logged_in"] = says["logged_in"] = True
            topic = "admin.logged_in"
        says["seat"] = person["seat"]
        item = admin(id, away_mode_enabled=person["away"], has_inbox_seat=person["seat"])
        sent.append(((id, now), notification(topic, item, f"{salt} {number}", now), says))
    return last, sent


def registers(core: Core, id: int) -> dict[str, Any]:
    person = core.state.engineers[EngineerId(id)]
    return {name: getattr(person, name) for name in ("away", "logged_in", "member", "seat")}


@settings(max_examples=300)
@given(st.data(), comings_and_goings())
def test_any_order_of_comings_and_goings(data: st.DataObject, case: Any) -> None:
    _, sent = case
    straight = Core().take_all([body for _, body, _ in sent])
    arrived = data.draw(arrivals(sent))
    shuffled = Core().take_all([body for _, body, _ in arrived])
    check(shuffled.state)
    assert shuffled.state.engineers == straight.state.engineers
    for id in {place[0] for place, _, _ in sent}:
        for name, shown in registers(shuffled, id).items():
            said = [(place[1], says[name]) for place, _, says in sent if place[0] == id and name in says]
            newest = [value for at, value in said if at == max(said)[0]] if said else []
            if len(set(newest)) == 1:
                assert shown == newest[-1], name


@settings(max_examples=100)
@given(comings_and_goings())
def test_the_next_roster_heals_what_was_lost(case: Any) -> None:
    last, sent = case
    core = Core().take_all([body for _, body, _ in sent[:-2]])
    now = max(at for (_, at), _, _ in sent)
    there = {id: person for id, person in last.items() if person.get("member", True)}
    listed = [admin(id, away_mode_enabled=each["away"], has_inbox_seat=each["seat"]) for id, each in there.items()]
    core.take(roster([*listed, admin(9)], at=now + 1))
    for id, each in there.items():
        shown = registers(core, id)
        assert (shown["away"], shown["seat"], shown["member"]) == (each["away"], each["seat"], True)
    gone = [each for id, each in core.state.engineers.items() if id not in (*there, 9)]
    assert not any(each.member for each in gone)
    facts = len(core.ledger)
    again = core.take(roster([*listed, admin(9)], at=now + 60))
    assert again is not None
    assert again.late
    assert len(core.ledger) == facts


# Weights set by hand


def test_the_newest_of_tag_and_note_wins() -> None:
    def weight(*steps: tuple[str, int]) -> int:
        intercom = Intercom()
        intercom.act(Act("create", 10, 0, 0, 0))
        for kind, value in steps:
            intercom.act(Act(kind.split()[0], 10, value, 0 if kind.endswith("second") else 1, 0))
        core = Core().take_all([each.body for each in intercom.sent])
        return core.recorded[10].weight  # pyright: ignore[reportArgumentType]

    topic = weight()
    assert topic == 1
    assert weight(("tag", 7)) == 8
    assert weight(("note", 9)) == 10
    assert weight(("tag", 7), ("note", 9)) == 10
    assert weight(("note", 9), ("tag", 7)) == 8
    assert weight(("tag", 7), ("note", 0)) == topic
    assert weight(("note", 0), ("tag", 7)) == 8
    assert weight(("note", 9), ("note", 0)) == topic
    assert weight(("note", 0), ("note", 9)) == 10
    assert weight(("tag", 7), ("untag", 0)) == topic
    assert weight(("tag", 7), ("note of that second", 0)) == topic
    assert weight(("tag", 7), ("note of that second", 9)) == 8
    assert weight(("note", 9), ("tag", 7), ("untag", 0)) == 10
    assert weight(("tag", 7), ("note", 10)) == 8, "heavier than the policy's heaviest is refused"
    assert weight(("note", 9), ("note", 3)) == 10, "a note that asks for nothing changes nothing"


def test_of_two_tags_the_one_applied_last_and_then_the_heavier_counts() -> None:
    def tag(*tags: tuple[str, int]) -> Any:
        item = {"id": "10", "tags": {"tags": [{"name": name, "applied_at": at} for name, at in tags]}}
        seen = receive(notification("conversation.user.replied", item, "n", BEGAN), BEGAN, READER)
        assert isinstance(seen, SeenConversation)
        return seen.tag and seen.tag.weight

    assert tag(("weight:8", BEGAN), ("weight:3", BEGAN + 1)) == 3
    assert tag(("weight:3", BEGAN), ("weight:8", BEGAN)) == 8
    assert tag(("weight:51", BEGAN), ("vip", BEGAN)) is None


@given(st.lists(acts(1, ("tag", "untag", "note", "reply")), max_size=8))
def test_a_weight_by_hand_is_the_newest_that_stands(steps: list[Act]) -> None:
    intercom = Intercom()
    for number, step in enumerate([Act("create", 10, 0, 1, 0), *steps]):
        intercom.act(step._replace(wait=1, value=step.value if step.kind != "tag" else step.value * 2 % 40))
        assert len(intercom.sent) == number + 1
    core = Core().take_all([each.body for each in intercom.sent])
    shown, known = intercom.conversations[10], core.recorded[10]  # pyright: ignore[reportArgumentType]
    asked = [(at, body) for _, at, body in shown.notes if body in ALLOWED]
    newest_at, newest = asked[-1] if asked else (0, "")
    if shown.tag and shown.tag[1] > newest_at:
        assert known.weight == shown.tag[0]
    elif newest.removeprefix("/weight ").isdigit():
        assert known.weight == int(newest.removeprefix("/weight "))
    else:
        assert known.weight == known.topic_weight


# Seconds in which two things happened


@pytest.mark.parametrize("salt", [1, 3])
@pytest.mark.parametrize(
    ("first", "second"),
    [("assign", "assign"), ("assign", "unassign"), *[("reply", kind) for kind in ("close", "tag", "team", "priority")]],
)
def test_a_contradiction_of_one_second_is_read_back(first: str, second: str, salt: int) -> None:
    intercom = Intercom()
    for act in (Act("create", 10, 0, 0, 0), Act(first, 10, 1, 1, 2), Act(second, 10, 4, 0, salt)):
        intercom.act(act)
    for arrived in (intercom.sent, intercom.sent[::-1]):
        core = Core().take_all([each.body for each in arrived])
        assert core.unsure == {10}
        core.take(read_back(intercom.conversations[10].item(), intercom.now + 2))
        assert core.mirrored(10) == intercom.conversations[10].values()


@pytest.mark.parametrize("salt", [0, 9])
def test_a_reading_of_the_same_second_is_not_trusted_over_a_webhook(salt: int) -> None:
    intercom = Intercom()
    intercom.act(Act("create", 10, 0, 0, salt))
    intercom.act(Act("assign", 10, 0, 1, salt))
    read = read_back(intercom.conversations[10].item(), intercom.now)
    intercom.act(Act("assign", 10, 1, 0, salt))
    core = Core().take_all([intercom.sent[0].body, intercom.sent[1].body, read, intercom.sent[2].body])
    assert core.mirrored(10) == intercom.conversations[10].values() or core.unsure == {10}


@pytest.mark.parametrize("reading_first", [True, False])
def test_who_goes_away_in_the_second_of_a_reading_is_read_again(reading_first: bool) -> None:
    read = roster([admin(1)])
    gone = notification("admin.away_mode_updated", admin(1, away_mode_enabled=True), "gone", BEGAN)
    core = Core()
    changes = [core.take(body) for body in ((read, gone) if reading_first else (gone, read))]
    assert registers(core, 1)["away"] or any(each is not None and each.unsure for each in changes)
    core.take(roster([admin(1, away_mode_enabled=True)], at=BEGAN + 2))
    assert registers(core, 1)["away"]


@pytest.mark.parametrize("salt", [0, 9])
@pytest.mark.parametrize("reading_first", [True, False])
def test_a_reading_of_the_second_of_an_assignment_calls_for_no_second_decision(reading_first: bool, salt: int) -> None:
    intercom = Intercom()
    intercom.act(Act("create", 10, 0, 0, salt))
    read = read_back(intercom.conversations[10].item(), intercom.now)
    intercom.act(Act("assign", 10, 1, 0, salt))
    created, assigned = (each.body for each in intercom.sent)
    core = Core().take_all([EVERYBODY, created, *([read, assigned] if reading_first else [assigned, read])])
    assert [made.conversation for _, made in core.decisions] == [10]
    assert core.mirrored(10) == intercom.conversations[10].values()
    assert core.unsure == {10}


@pytest.mark.parametrize("salt", [0, 1, 9])
def test_what_was_before_the_decision_in_its_second_calls_for_no_second_decision(salt: int) -> None:
    intercom = Intercom()
    intercom.act(Act("create", 10, 0, 0, 0))
    intercom.act(Act("assign", 10, 1, 5, 0))
    intercom.act(Act("reply", 10, 0, 5, salt))
    intercom.act(Act("unassign", 10, 0, 0, 2))
    intercom.act(Act("reply", 10, 0, 1, 0))
    created, assigned, late, unassigned, newer = (each.body for each in intercom.sent)
    core = Core().take_all([EVERYBODY, created, assigned, unassigned, newer])
    decided = len(core.decisions)
    assert decided == 2
    core.take(late)
    assert len(core.decisions) == decided
    assert core.recorded[10].pending is not None  # pyright: ignore[reportArgumentType]


def test_what_was_delivered_and_taken_away_again_is_decided_once_more_in_whatever_order_that_is_heard() -> None:
    intercom = Intercom()
    intercom.act(Act("create", 10, 0, 0, 0))
    intercom.act(Act("reply", 10, 0, 0, 0))
    core = Core().take_all([*(each.body for each in intercom.sent), EVERYBODY])
    [(decision, made)] = core.decisions
    intercom.act(Act("assign", 10, made.winner - 1, 0, 0))
    answer = intercom.conversations[10].item()
    intercom.act(Act("unassign", 10, 0, 1, 0))
    assigned, unassigned = (each.body for each in intercom.sent[2:])
    core.take_all([unassigned, assigned])
    assert len(core.decisions) == 1
    core.take(receipt(decision, 10, "delivered", answer, intercom.now))
    assert len(core.decisions) == 2


def test_what_a_webhook_tells_of_after_a_reading_is_read_again_where_intercom_counts_no_update() -> None:
    intercom = Intercom()
    intercom.act(Act("create", 10, 0, 0, 0))
    read = read_back(intercom.conversations[10].item(), intercom.now + 3)
    intercom.act(Act("priority", 10, 3, 3, 0))
    assert intercom.sent[1].key == (BEGAN, 1, BEGAN + 3)
    created, webhook = (each.body for each in intercom.sent)
    assert Core().take_all([created, read, created]).unsure == set()
    for arrived in ([created, read, webhook], [webhook, read, created]):
        core = Core().take_all(arrived)
        assert core.unsure == {10}
        core.take(read_back(intercom.conversations[10].item(), intercom.now + 2))
        assert core.mirrored(10) == intercom.conversations[10].values()


def test_deleted_is_for_good() -> None:
    intercom = Intercom()
    for kind in ("create", "assign", "delete"):
        intercom.act(Act(kind, 10, 0, 1, 0))
    bodies = [each.body for each in intercom.sent]
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 2, 1, 0, 2]):
        core = Core().take_all([EVERYBODY, *(bodies[place] for place in order)])
        assert core.mirrored(10) == ("deleted",)
        assert (core.state.conversations, core.state.waiting) == ({}, {})
        assert core.recorded[10].pending is None  # pyright: ignore[reportArgumentType]
