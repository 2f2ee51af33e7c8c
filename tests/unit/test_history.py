"""What happened to a conversation, from its facts alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from steelyard.kit.ids import ConversationId, EngineerId, PersonId, Position, TeamId, TopicId
from steelyard.kit.instants import Micros, micros
from steelyard.routing import codec
from steelyard.routing.conversation_page import weighing_of
from steelyard.routing.engineer_page import PATIENCE, away_of
from steelyard.routing.history import Change, Told, happened, last_move
from steelyard.routing.model import Conversation, Order, Override, Phase

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
KNOWN = Conversation(
    ConversationId(5), Order(1, 0, 1, "a"), Phase.OPEN, None, None, 0, 1, TopicId("dns"), 1, (), None, None, None
)


def told(position: int, kind: str, *, engineer: int | None = None, person: int | None = None, **data: Any) -> Told:
    read = json.loads(codec.dump(data))
    at = Micros(micros(NOW) + position)
    by = EngineerId(engineer) if engineer else None
    return Told(Position(position), kind, at, by, PersonId(person) if person else None, read)


def test_a_fact_tells_what_it_changed() -> None:
    moved = KNOWN._replace(assignee=EngineerId(7), team=TeamId(3), topic=TopicId("ssl"), topic_weight=2, urgency=4)
    first, second = happened(
        [told(1, "conversation.created", c=KNOWN), told(2, "conversation.assigned", engineer=8, c=moved)]
    )
    assert first.changes == ()
    assert second.engineer == 8
    assert set(second.changes) == {
        Change("assignee", 7),
        Change("team", 3),
        Change("topic", word="ssl"),
        Change("weight", 2),
        Change("urgency", 4),
    }


def test_what_says_so_itself_is_not_said_twice() -> None:
    closed = KNOWN._replace(phase=Phase.CLOSED)
    assert (
        happened([told(1, "conversation.created", c=KNOWN), told(2, "conversation.closed", c=closed)])[1].changes == ()
    )
    reply = happened([told(1, "conversation.closed", c=closed), told(2, "conversation.customer_replied", c=KNOWN)])[1]
    assert reply.changes == (Change("phase", word="open"),)


def test_what_only_repeats_is_left_out_and_hides_no_change() -> None:
    taken = KNOWN._replace(assignee=EngineerId(7))
    facts = [
        told(1, "conversation.created", c=KNOWN),
        told(2, "conversation.assigned", late=True),
        told(3, "decision.made", d=[]),
        told(4, "conversation.assigned", c=taken),
    ]
    assert [(each.position, each.changes) for each in happened(facts)] == [
        (1, ()),
        (3, ()),
        (4, (Change("assignee", 7),)),
    ]


def test_facts_name_the_decision_or_the_move_that_they_are_about() -> None:
    facts = [
        told(3, "decision.made", d=[]),
        told(4, "decision.delivered", decision=3, reason=""),
        told(5, "conversation.move_asked", engineer=7, person=2, **{"from": 1}),
        told(6, "conversation.move_refused", engineer=7, move=5, reason="paused"),
    ]
    assert [(each.number, each.reason) for each in happened(facts)] == [(3, ""), (3, ""), (0, ""), (5, "paused")]


def test_the_last_move_is_under_way_until_an_outcome_names_it() -> None:
    first = told(1, "conversation.move_asked", engineer=7, **{"from": 0})
    second = told(3, "conversation.move_asked", engineer=8, person=4, **{"from": 7})
    assert last_move([]) is None
    for facts in ([first, second], [first, told(2, "conversation.moved", engineer=7, move=1, c=KNOWN), second]):
        move = last_move(facts)
        assert move is not None
        assert (move.engineer, move.person, move.outcome) == (8, 4, "")
    ended = last_move(
        [first, second, told(4, "conversation.move_overtaken", engineer=8, move=3, reason="no longer open")]
    )
    assert ended is not None
    assert (ended.outcome, ended.reason) == ("move_overtaken", "no longer open")


KINDS = st.sampled_from(
    ["conversation.created", "conversation.moved", "conversation.closed", "decision.delivered", "ticket.changed", "x.y"]
)
SHOWN = st.builds(
    KNOWN._replace,
    assignee=st.none() | st.just(EngineerId(7)),
    team=st.none() | st.just(TeamId(3)),
    phase=st.sampled_from(Phase),
    urgency=st.integers(0, 4),
)


@given(st.lists(st.tuples(KINDS, st.none() | SHOWN, st.booleans()), max_size=12))
def test_changes_add_up_to_what_is_known_last(steps: list[tuple[str, Conversation | None, bool]]) -> None:
    facts: list[Told] = []
    for position, (kind, shown, late) in enumerate(steps, 1):
        data: dict[str, Any] = {"late": True} if late else {} if shown is None else {"c": shown}
        facts.append(told(position, kind, **data))
    values = [codec.conversation(each.data["c"]) for each in facts if "c" in each.data]
    team = values[0].team or 0 if values else 0
    for each in happened(facts):
        for change in each.changes:
            team = change.number if change.what == "team" else team
    assert team == ((values[-1].team or 0) if values else 0)


def test_what_sets_the_weight() -> None:
    note, tag = Override(10, "note 1", 5), Override(9, "tag 8", 8)
    assert weighing_of(KNOWN)[:2] == (1, "topic")
    assert weighing_of(KNOWN._replace(tag=tag))[:2] == (8, "tag")
    assert weighing_of(KNOWN._replace(tag=tag, note=note))[:2] == (5, "note")
    assert weighing_of(KNOWN._replace(tag=tag._replace(at=11), note=note))[:2] == (8, "tag")
    assert weighing_of(KNOWN._replace(tag=tag, note=note._replace(weight=None)))[:2] == (1, "topic")


def test_going_away_is_under_way_until_intercom_tells() -> None:
    asked = told(5, "engineer.away_asked", engineer=7, away=True)
    shown = told(6, "engineer.away_changed", engineer=7, e={"away": True})
    back = told(7, "engineer.away_changed", engineer=7, e={"away": False})
    assert away_of(False, [], NOW) == (False, None, "")
    assert away_of(False, [asked], NOW) == (False, True, "")
    assert away_of(True, [shown, asked], NOW) == (True, None, "")
    assert away_of(False, [back, shown, asked], NOW) == (False, None, "")
    assert away_of(True, [asked], NOW) == (True, None, "")
    refused = told(6, "engineer.away_refused", engineer=7, asked=5, away=True, reason="paused")
    assert away_of(False, [refused, asked], NOW) == (False, None, "paused")
    assert away_of(False, [asked], NOW + PATIENCE + timedelta(seconds=1)) == (False, None, "")
