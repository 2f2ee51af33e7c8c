"""The state: whatever is put, loads, standings, waiting and records agree, and a fork is a state of its own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from routing_strategies import BEGAN, check, contents, frozen

from steelyard.kit.ids import ConversationId, EngineerId, Position, TeamId, TopicId
from steelyard.kit.instants import Micros
from steelyard.routing import codec
from steelyard.routing.choose import pack
from steelyard.routing.model import (
    Conversation,
    Engineer,
    Exclusion,
    Order,
    Override,
    Pending,
    Phase,
    Team,
)
from steelyard.routing.state import State

IDS = st.integers(1, 5).map(EngineerId)
TEAMS = st.sampled_from((None, TeamId(7), TeamId(8), TeamId(99)))
ORDER = Order(BEGAN, 1, BEGAN, "n")
CONVERSATIONS = st.builds(
    Conversation,
    st.integers(10, 15).map(ConversationId),
    st.just(ORDER),
    st.sampled_from(Phase),
    st.none() | IDS,
    TEAMS,
    st.integers(0, 4),
    st.integers(BEGAN, BEGAN + 3),
    st.just(TopicId("dns")),
    st.integers(1, 9),
    st.just(()),
    st.none() | st.builds(Override, st.integers(1, 3), st.just("tag"), st.integers(1, 50)),
    st.none() | st.builds(Override, st.integers(1, 3), st.just("note"), st.none() | st.integers(1, 50)),
    st.none() | st.builds(Pending, st.just(Position(3)), IDS, st.just(ORDER)),
    deleted=st.sampled_from((False, False, True)),
    ticket=st.sampled_from((False, False, True)),
    failed=st.sampled_from((None, None, Position(3))),
)
ENGINEERS = st.builds(
    Engineer,
    IDS,
    away=st.booleans(),
    logged_in=st.booleans(),
    member=st.booleans(),
    seat=st.booleans(),
    last_assigned=st.integers(0, 5).map(Micros),
    capacity=st.sampled_from((500, 1000, 3000)),
    load=st.integers(0, 99),
)


def changed(state: State) -> list[int]:
    """The ids of everything there is to store."""
    return [*state.changed_conversations, *state.changed_engineers, *state.changed_teams]


class States(RuleBasedStateMachine):
    """Puts things into one of several forks; the others must not notice."""

    def __init__(self) -> None:
        super().__init__()
        self.states = [State()]
        self.before: list[Any] = [contents(self.states[0])]
        self.touched = 0

    def state(self, which: int) -> State:
        self.touched = which % len(self.states)
        return self.states[self.touched]

    @rule(which=st.integers(0, 3), conversation=CONVERSATIONS)
    def put_conversation(self, which: int, conversation: Conversation) -> None:
        state = self.state(which)
        state.put_conversation(conversation)
        assert state.conversations.get(conversation.id) == (conversation if conversation.counts else None)
        assert state.changed_conversations[conversation.id] == conversation

    @rule(which=st.integers(0, 3), engineer=ENGINEERS)
    def put_engineer(self, which: int, engineer: Engineer) -> None:
        state = self.state(which)
        state.put_engineer(engineer)
        assert state.engineers[engineer.id]._replace(load=0) == engineer._replace(load=0)
        assert engineer.id in state.changed_engineers

    @rule(which=st.integers(0, 3), id=st.sampled_from((7, 8)), members=st.sets(IDS))
    def put_team(self, which: int, id: int, members: set[EngineerId]) -> None:
        state = self.state(which)
        state.put_team(Team(TeamId(id), tuple(sorted(members))))
        assert state.members(TeamId(id)) == members
        assert id in state.changed_teams

    @rule(which=st.integers(0, 3), engineer=IDS, at=st.integers(0, 9))
    def assign(self, which: int, engineer: EngineerId, at: int) -> None:
        state = self.state(which)
        old = state.engineers.get(engineer)
        state.assign(engineer, Micros(at))
        if old is not None:
            assert state.engineers[engineer] == old._replace(last_assigned=max(at, old.last_assigned))

    @precondition(lambda self: len(self.states) < 4)
    @rule(which=st.integers(0, 3))
    def fork(self, which: int) -> None:
        original = self.state(which)
        original.position, original.version = Position(which + 5), which + 3
        fork = original.fork()
        assert contents(fork) == contents(original)
        assert (fork.position, fork.version, fork.ignored) == (which + 5, which + 3, original.ignored)
        assert changed(fork) == []
        self.states.append(fork)
        self.before.append(contents(fork))

    @rule(which=st.integers(0, 3))
    def thaw(self, which: int) -> None:
        state = self.state(which)
        thawed = codec.thaw(frozen(state), state.ignored)
        assert contents(thawed) == contents(state)
        assert (thawed.position, thawed.version) == (state.position, state.version)
        assert changed(thawed) == []
        self.states[self.touched] = thawed

    @invariant()
    def it_adds_up(self) -> None:
        state = self.states[self.touched]
        check(state)
        for team in (None, TeamId(7), TeamId(8), TeamId(99)):
            assert bytes(state.records(team)) == pack(state.candidates(team))
        waiting = state.waiting_in_order()
        assert sorted(waiting, key=lambda id: (state.conversations[id].since, id)) == waiting
        assert set(waiting) == state.waiting.keys()

    @invariant()
    def the_others_did_not_notice(self) -> None:
        for place, state in enumerate(self.states):
            now = contents(state)
            if place != self.touched:
                assert now == self.before[place]
            self.before[place] = now


TestStates = States.TestCase
TestStates.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


@pytest.mark.slow
@pytest.mark.timeout(600)
class TestManyMoreStates(States.TestCase):  # pyright: ignore
    settings = settings(max_examples=2_000, stateful_step_count=50, deadline=None)


def test_whom_intercom_shows_is_the_owner_before_whom_a_decision_names() -> None:
    waiting = Conversation(
        *(ConversationId(10), ORDER, Phase.OPEN, None, None, 0, BEGAN, TopicId("dns"), 1, (), None, None, None)
    )
    pending = waiting._replace(pending=Pending(Position(3), EngineerId(1), ORDER))
    assert [each.owner for each in (waiting, pending, pending._replace(assignee=EngineerId(2)))] == [None, 1, 2]


def test_under_a_policy_that_ignores_being_logged_out() -> None:
    state = State(Exclusion.LOGGED_OUT)
    state.put_engineer(Engineer(EngineerId(1), logged_in=False))
    state.put_engineer(Engineer(EngineerId(2), logged_in=False, away=True))
    for each in (state, state.fork(), codec.thaw(frozen(state), Exclusion.LOGGED_OUT)):
        assert [id for _, _, id in each.standings] == [1]
        assert [one.exclusions for one in each.candidates(None)] == [Exclusion.NONE, Exclusion.AWAY]
        assert bytes(each.records(None)) == pack(each.candidates(None))


def test_those_who_waited_longest_come_first_then_the_lower_id() -> None:
    state = State()
    for id, since in ((12, BEGAN), (10, BEGAN + 5), (11, BEGAN)):
        waiting = Conversation(
            *(ConversationId(id), ORDER, Phase.OPEN, None, None, 0, since, TopicId("dns"), 1, (), None, None, None)
        )
        state.put_conversation(waiting)
    assert state.waiting_in_order() == [11, 12, 10]
