"""Choosing: the least load by capacity, then the longest since they were given something, then the lower id."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from routing_strategies import BEGAN

from steelyard.kit.ids import ConversationId, EngineerId, TeamId, TopicId
from steelyard.kit.instants import Micros
from steelyard.routing.choose import choose, digest, pack
from steelyard.routing.model import Candidate, Conversation, Engineer, Exclusion, Match, Order, Phase, Team
from steelyard.routing.state import RECORD, State

MATCH = Match(TopicId("dns"), "dns/1", "body", 0, 3, 2)
FLAGS = {
    "away": Exclusion.AWAY,
    "logged_in": Exclusion.LOGGED_OUT,
    "seat": Exclusion.NO_SEAT,
    "member": Exclusion.LEFT,
    "resting": Exclusion.RESTING,
}


def carried(id: int, owner: int, weight: int) -> Conversation:
    """An open conversation of somebody's."""
    order = Order(BEGAN, 1, BEGAN, "n")
    topic = TopicId("dns")
    return Conversation(
        *(ConversationId(id), order, Phase.OPEN, EngineerId(owner), None, 0, BEGAN, topic, weight, (), None, None, None)
    )


PEOPLE = st.builds(
    Engineer,
    st.integers(1, 9).map(EngineerId),
    away=st.sampled_from((False, False, False, True)),
    logged_in=st.sampled_from((True, True, True, False)),
    member=st.sampled_from((True, True, True, False)),
    seat=st.sampled_from((True, True, True, False)),
    last_assigned=st.integers(0, 3).map(Micros),
    capacity=st.sampled_from((250, 500, 750, 1000, 1000, 1500, 2000)),
)


@st.composite
def teams_at_work(draw: st.DrawFn) -> tuple[list[Engineer], list[Team], list[Conversation]]:
    people = draw(st.lists(PEOPLE, max_size=7, unique_by=lambda each: each.id))
    members = st.lists(st.integers(1, 9).map(EngineerId), max_size=5, unique=True).map(lambda all: tuple(sorted(all)))
    teams = [Team(TeamId(id), draw(members)) for id in (7, 8)]
    weights = draw(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 6)), max_size=8))
    return people, teams, [carried(id, *each) for id, each in enumerate(weights, 100)]


def put_all(parts: tuple[list[Engineer], list[Team], list[Conversation]], order: list[int]) -> State:
    state = State()
    flat = [(state.put_engineer, each) for each in parts[0]]
    flat += [(state.put_team, each) for each in parts[1]]  # pyright: ignore
    flat += [(state.put_conversation, each) for each in parts[2]]  # pyright: ignore
    for place in order or range(len(flat)):
        put, value = flat[place]
        put(value)
    return state


@settings(max_examples=300)
@given(st.data(), teams_at_work(), st.sampled_from((None, 7, 8, 99)))
def test_the_least_in_the_one_order_whoever_was_put_first(
    data: st.DataObject, parts: tuple, team: TeamId | None
) -> None:
    order = data.draw(st.permutations(range(sum(map(len, parts)))))
    people, teams, open = parts
    state = put_all(parts, order)
    choice = choose(state, team, (), "p")
    members = {id for each in teams if each.id == team for id in each.members}
    able = [
        (
            Fraction(sum(one.weight for one in open if one.assignee == each.id), each.capacity),
            each.last_assigned,
            each.id,
        )
        for each in people
        if not each.away
        and each.logged_in
        and each.member
        and each.seat
        and not each.resting
        and (team is None or each.id in members)
    ]
    if not able:
        assert choice is None
        return
    assert choice is not None
    ranked = sorted(able)
    assert choice.winner.engineer == ranked[0][2]
    assert choice.winner.exclusions == Exclusion.NONE
    assert choice.winner.load == ranked[0][0] * choice.winner.capacity
    assert (choice.runner_up.engineer if choice.runner_up else None) == (ranked[1][2] if len(ranked) > 1 else None)
    assert choice.digest == choose(put_all(parts, []), team, (), "p").digest  # pyright: ignore
    assert choice.digest == digest(pack(state.candidates(team)), (), "p")


@given(teams_at_work(), st.sampled_from((None, 7, 99)))
def test_every_candidate_and_exclusion_is_told(parts: tuple, team: TeamId | None) -> None:
    people, teams, open = parts
    told = put_all(parts, []).candidates(team)
    assert [each.engineer for each in told] == sorted(each.id for each in people)
    members = {id for each in teams if each.id == team for id in each.members}
    for each in told:
        person = next(one for one in people if one.id == each.engineer)
        expected = Exclusion.NONE if team is None or person.id in members else Exclusion.NOT_IN_TEAM
        for name, flag in FLAGS.items():
            expected |= flag if getattr(person, name) == (name in ("away", "resting")) else Exclusion.NONE
        assert each.exclusions == expected
        assert each.load == sum(one.weight for one in open if one.assignee == each.engineer)
        assert (each.capacity, each.last_assigned) == (person.capacity, person.last_assigned)


def test_those_who_are_logged_out_are_chosen_where_the_policy_says_so() -> None:
    for ignored, winner in ((Exclusion.NONE, None), (Exclusion.LOGGED_OUT, 1)):
        state = State(ignored)
        state.put_engineer(Engineer(EngineerId(1), logged_in=False))
        state.put_engineer(Engineer(EngineerId(2), logged_in=False, away=True))
        choice = choose(state, None, (), "p")
        assert (choice.winner.engineer if choice else None) == winner


CANDIDATES = st.lists(
    st.builds(
        Candidate,
        st.integers(1, 2**63 - 1).map(EngineerId),
        st.sampled_from([Exclusion(bits) for bits in range(32)]),
        st.integers(0, 2**32 - 1),
        st.integers(1, 2**32 - 1),
        st.integers(0, 2**62).map(Micros),
    ),
    min_size=1,
    max_size=4,
)
MATCHES = st.lists(st.builds(MATCH._replace, start=st.integers(0, 99), points=st.integers(1, 9)), max_size=2).map(tuple)


@given(CANDIDATES, CANDIDATES, MATCHES, MATCHES, st.sampled_from("ab"), st.sampled_from("ab"))
def test_the_digest_tells_everything_apart(one: list, other: list, these: tuple, those: tuple, p: str, q: str) -> None:
    same = (one, these, p) == (other, those, q)
    assert (digest(pack(one), these, p) == digest(pack(other), those, q)) == same


@given(CANDIDATES, st.data())
def test_every_field_of_every_record_counts(candidates: list[Candidate], data: st.DataObject) -> None:
    place = data.draw(st.sampled_from(range(len(candidates))))
    field = data.draw(st.sampled_from(Candidate._fields))
    each = candidates[place]
    changed = each._replace(**{field: getattr(each, field) ^ 1})
    other = [*candidates[:place], changed, *candidates[place + 1 :]]
    if changed.engineer > 0:
        assert digest(pack(candidates), (), "p") != digest(pack(other), (), "p")


def test_the_bytes_of_a_digest_are_fixed() -> None:
    """Decisions of years ago must equal their digests: other bytes are another engine."""
    candidate = Candidate(
        EngineerId(5), Exclusion.AWAY | Exclusion.NOT_IN_TEAM, 13, 1000, Micros(1_700_000_000_000_000)
    )
    assert RECORD.size == 28
    assert pack([candidate]).hex() == "0500000000000000110000000d000000e803000000401e18240a0600"
    assert digest(pack([candidate]), (MATCH,), "policy").hex() == (
        "d1c822a28dc26c006322bc7b1fb0775e9ac34ec0330f6868e2aef182c4995ca3"
    )
