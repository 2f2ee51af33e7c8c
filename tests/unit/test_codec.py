"""The codec: what is written reads back the same; where a value stands in it is relied on by SQL."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from routing_strategies import (
    BEGAN,
    EVERYBODY,
    Core,
    Intercom,
    admin,
    arrivals,
    contents,
    frozen,
    histories,
    notification,
)

from steelyard.kit.ids import ConversationId, EngineerId, Position, TeamId, TopicId
from steelyard.kit.instants import Micros
from steelyard.routing import codec
from steelyard.routing.decide import apply
from steelyard.routing.explain import explanation_of
from steelyard.routing.model import (
    Conversation,
    Decision,
    Engineer,
    Exclusion,
    Match,
    Order,
    Override,
    Pending,
    Phase,
)
from steelyard.routing.state import State

ORDERS = st.builds(
    Order,
    st.integers(1, 2**37),
    st.integers(0, 2),
    st.integers(1, 2**37),
    st.text(st.characters(exclude_categories=["Cs"])),
)
IDS = st.integers(1, 2**63 - 1)
TOPIC = st.sampled_from(("dns", "other")).map(TopicId)
MATCHES = st.lists(
    st.builds(Match, TOPIC, st.text(), st.just("body"), st.integers(0), st.integers(0), st.integers(1)), max_size=3
).map(tuple)
OVERRIDES = st.none() | st.builds(Override, st.integers(0), st.text(), st.none() | st.integers(1, 50))
NOBODY_OR = st.none() | IDS
CONVERSATIONS = st.builds(
    Conversation,
    *(IDS.map(ConversationId), ORDERS, st.sampled_from(Phase), NOBODY_OR, NOBODY_OR, st.integers(0, 4), st.integers(1)),
    *(TOPIC, st.integers(1, 50), MATCHES, OVERRIDES, OVERRIDES),
    st.none() | st.builds(Pending, IDS, IDS, ORDERS),
    deleted=st.booleans(),
    ticket=st.booleans(),
    failed=NOBODY_OR,
)
DECISIONS = st.builds(
    Decision,
    *(IDS, st.integers(1).map(Micros), TOPIC, st.integers(1, 50), NOBODY_OR, MATCHES, IDS, st.integers(0)),
    *(NOBODY_OR, st.none() | st.integers(0), st.text(), st.just(1), st.text()),
)
ENGINEERS = st.builds(
    Engineer,
    IDS.map(EngineerId),
    *(st.booleans(), st.none() | ORDERS) * 4,
    st.integers(0).map(Micros),
    st.integers(1, 5000),
    load=st.just(0),
)


@given(CONVERSATIONS)
def test_a_conversation(conversation: Conversation) -> None:
    assert codec.conversation(json.loads(codec.dump(conversation))) == conversation


@given(DECISIONS)
def test_a_decision(decision: Decision) -> None:
    assert codec.decision(json.loads(codec.dump(decision))) == decision


@given(ENGINEERS)
def test_an_engineer(engineer: Engineer) -> None:
    assert codec.engineer(engineer.id, json.loads(codec.dump(codec.engineer_data(engineer)))) == engineer


def test_the_types_come_back_too() -> None:
    order = Order(BEGAN, 1, BEGAN, "n")
    match = Match(TopicId("dns"), "dns/1", "body", 0, 3, 2)
    override, pending = Override(BEGAN, "tag 8", 8), Pending(Position(4), EngineerId(2), order)
    given = Conversation(
        *(ConversationId(10), order, Phase.OPEN, None, TeamId(7), 0, BEGAN, TopicId("dns"), 1, (match,)),
        *(override, override, pending),
    )
    read = codec.conversation(json.loads(codec.dump(given)))
    assert read.pending is not None
    found = (read.order, read.phase, read.matches[0], read.tag, read.note, read.pending, read.pending.after)
    assert [type(each) for each in found] == [Order, Phase, Match, Override, Override, Pending, Order]
    assert (read.weight, read.owner, read.counts) == (8, 2, True)


def test_the_places_that_sql_reads() -> None:
    """Delivery asks the table for the assignee (3) and the pending decision (12, 0): moving a field breaks it."""
    order = Order(BEGAN, 1, BEGAN, "n")
    value = Conversation(
        *(ConversationId(10), order, Phase.OPEN, EngineerId(3), TeamId(7), 0, BEGAN, TopicId("dns"), 1, ()),
        *(None, None, Pending(Position(4), EngineerId(2), order)),
    )
    written = json.loads(codec.dump(value))
    assert written[3] == value.assignee == 3
    assert written[12][0] == 4
    assert written[:2] == [10, [BEGAN, 1, BEGAN, "n"]]
    assert Conversation._fields[-3:] == ("deleted", "ticket", "failed")


@settings(max_examples=100)
@given(st.data(), histories(10))
def test_what_is_replayed_equals_what_was_live_at_every_position(data: st.DataObject, intercom: Intercom) -> None:
    core, bodies = Core(), data.draw(arrivals([each.body for each in intercom.sent]))
    place = data.draw(st.integers(0, len(bodies)))
    away = [notification("admin.away_mode_updated", admin(id, away_mode_enabled=id < 3), "a", BEGAN) for id in (1, 3)]
    lives: dict[int, State] = {}
    for body in [*bodies[:place], EVERYBODY, *away, *bodies[place:]]:
        core.take(body)
        lives[core.state.position] = core.state
    state = State()
    for recorded in core.ledger:
        before = state.fork() if recorded.fact.kind == "decision.made" else None
        apply(state, recorded.position, recorded.fact)
        if before is not None:
            check_explained(before, recorded.position, dict(core.decisions)[recorded.position])
        if recorded.position in lives:
            assert contents(state) == contents(lives[recorded.position])
            assert state.position == recorded.position
            state = codec.thaw(frozen(state), Exclusion.NONE)
            assert contents(state) == contents(lives[recorded.position])
    assert state.position == core.state.position


def check_explained(before: State, position: Position, decision: Decision) -> None:
    """Replayed, a decision is explained in full, and to the byte what was recorded."""
    for state in (before, codec.thaw(frozen(before), Exclusion.NONE)):
        explained = explanation_of(state, position, decision)
        assert explained.identical
        assert explained.digest == decision.digest
        free = [each for each in explained.candidates if not each.exclusions]
        assert min(free, key=lambda each: (each.load, each.last_assigned, each.engineer)).engineer == decision.winner
        for each in explained.candidates:
            assert sum(one.weight for one in explained.carried.get(each.engineer, ())) == each.load
