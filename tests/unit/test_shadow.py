"""Decisions in the shadow: compared with what Intercom does, never delivered."""

from __future__ import annotations

import json
from typing import Any

from routing_strategies import BEGAN, ENGINEERS, Core, Shown, admin, contents, notification, roster
from routing_world import switch

from steelyard.kit.facts import Fact
from steelyard.kit.ids import ConversationId, TeamId
from steelyard.routing import codec
from steelyard.routing.decide import MOST_AT_ONCE, apply
from steelyard.routing.explain import explanation_of
from steelyard.routing.model import NO_TEAM, Conversation, Exclusion, Switch
from steelyard.routing.state import State


def shaded(*routed: int, paused: bool = False) -> Core:
    """A core with everybody, where only the teams in `routed` are on."""
    return Core().take_all([roster([admin(id) for id in ENGINEERS]), switch(routed, paused, BEGAN)])


def told(id: int, topic: str, at: int, **shown: Any) -> bytes:
    """A webhook about the conversation `id`, which began at BEGAN."""
    item = Shown(id, BEGAN, "Our nameservers", BEGAN + at, **shown).item()
    return notification(f"conversation.{topic}", item, f"{id} {topic} {at}", BEGAN + at)


def known(core: Core, id: int) -> Conversation:
    return core.recorded[ConversationId(id)]


def facts(core: Core, kind: str) -> list[Fact]:
    return [each.fact for each in core.ledger if each.fact.kind == kind]


def compared(core: Core) -> list[dict[str, Any]]:
    return [json.loads(each.data) for each in facts(core, "decision.compared")]


def test_nothing_is_delivered_and_what_intercom_did_is_compared() -> None:
    core = shaded()
    core.take(told(10, "user.created", 1))
    [made] = facts(core, "decision.made")
    assert core.decisions == []
    assert (made.engineer, known(core, 10).owner, known(core, 10).assignee) == (1, 1, None)
    core.take(told(10, "admin.assigned", 5, assignee=3))
    assert (known(core, 10).owner, known(core, 10).pending) == (3, None)
    [comparison] = compared(core)
    [position] = [each.position for each in core.ledger if each.fact is made]
    assert comparison == {"decision": position, "engineer": 3, "load": 0, "exclusions": 0, "winner_load": 0}


def test_loads_are_compared_as_they_were_without_this_conversation() -> None:
    core = shaded()
    for id in (10, 11, 12):
        core.take(told(id, "user.created", id))
        core.take(told(id, "admin.assigned", id + 20, assignee=3))
    weight = known(core, 10).weight
    assert [each["load"] for each in compared(core)] == [0, weight, 2 * weight]
    assert [each["winner_load"] for each in compared(core)] == [0, 0, 0]


def test_the_same_choice_is_compared_with_itself() -> None:
    core = shaded()
    core.take(told(10, "user.created", 1))
    core.take(told(10, "admin.assigned", 5, assignee=1))
    [comparison] = compared(core)
    assert (comparison["engineer"], comparison["load"], comparison["winner_load"]) == (1, 0, 0)


def test_what_came_with_an_engineer_is_decided_as_it_was_before() -> None:
    """Intercom's own balancing assigns before the first webhook is sent."""
    core = shaded()
    core.take(told(10, "user.created", 1, assignee=3))
    assert [each.fact.kind for each in core.ledger[-4:]] == [
        "conversation.created",
        "decision.made",
        "decision.compared",
        "conversation.created",
    ]
    assert (known(core, 10).owner, known(core, 10).assignee, known(core, 10).pending) == (3, 3, None)
    assert compared(core)[0]["engineer"] == 3
    assert contents(core.replayed()) == contents(core.state)


def test_old_conversations_and_teams_that_are_on_are_not_compared() -> None:
    core = shaded()
    core.take(told(10, "user.replied", 1, assignee=3))
    core.take(told(11, "admin.assigned", 7200, assignee=3))
    assert facts(core, "decision.made") == []
    core = shaded(7, 0)
    core.take(told(12, "admin.assigned", 1, assignee=3))
    core.take(told(13, "admin.assigned", 1, assignee=1, team=7))
    assert facts(core, "decision.made") == []


def test_an_engineer_who_should_not_have_had_it() -> None:
    core = shaded()
    core.take(notification("admin.away_mode_updated", admin(3, away_mode_enabled=True), "away", BEGAN + 1))
    core.take(told(10, "user.created", 2, team=7))
    core.take(told(10, "admin.assigned", 5, assignee=3, team=7))
    [comparison] = compared(core)
    assert comparison["exclusions"] == Exclusion.AWAY | Exclusion.NOT_IN_TEAM


def test_switched_on_what_waits_is_decided_in_earnest() -> None:
    core = shaded()
    core.take_all([told(10, "user.created", 1, team=7), told(11, "user.created", 2, team=8)])
    assert core.decisions == []
    core.take(switch((7,), False, BEGAN + 10))
    assert [decision.conversation for _, decision in core.decisions] == [10]
    pending = known(core, 10).pending
    assert pending is not None
    assert not pending.shadow
    still = known(core, 11).pending
    assert still is not None
    assert still.shadow
    assert contents(core.replayed()) == contents(core.state)


def test_switched_on_while_it_was_closed_it_is_decided_in_earnest_when_it_opens() -> None:
    core = shaded()
    core.take(told(10, "user.created", 1))
    core.take(told(10, "admin.closed", 2, state="closed"))
    core.take(switch(None, False, BEGAN + 10))
    assert core.decisions == []
    core.take(told(10, "user.replied", 20))
    assert [decision.conversation for _, decision in core.decisions] == [10]


def test_paused_decides_in_the_shadow_whatever_is_on() -> None:
    core = shaded(0, 7, 8, paused=True)
    core.take(told(10, "user.created", 1, team=7))
    assert core.decisions == []
    core.take(switch((0, 7, 8), False, BEGAN + 10))
    assert len(core.decisions) == 1


def test_who_would_have_been_chosen_was_not_last_assigned() -> None:
    core = shaded()
    core.take(told(10, "user.created", 1))
    assert [each.last_assigned for each in core.state.engineers.values()] == [0] * len(ENGINEERS)


def test_a_switch_says_for_whom() -> None:
    assert Switch().routes(None)
    assert Switch((NO_TEAM,)).routes(None)
    assert not Switch((TeamId(7),)).routes(None)
    assert Switch((TeamId(7),)).routes(TeamId(7))
    assert not Switch((TeamId(7),), paused=True).routes(TeamId(7))
    assert not Switch(()).routes(TeamId(7))


def test_in_earnest_what_was_only_decided_in_the_shadow_weighs_on_nobody() -> None:
    core = shaded(7)
    for id in range(20, 26):
        core.take(told(id, "user.created", id, team=8))
    pending = [known(core, id).pending for id in range(20, 26)]
    assert all(each is not None and each.shadow for each in pending)
    assert {each.engineer for each in pending if each} == {2, 3}, "in the shadow they are spread all the same"
    core.take(told(10, "user.created", 40, team=7, assignee=1))
    core.take(told(11, "user.created", 41, team=7))
    [(position, decision)] = core.decisions
    assert (decision.winner, decision.winner_load) == (2, 0), "engineer 2 carries nothing that Intercom knows of"
    before = State()
    for recorded in core.ledger[: position - 1]:
        apply(before, recorded.position, recorded.fact)
    assert explanation_of(before, position, decision).identical


def test_decisions_in_the_shadow_can_be_explained() -> None:
    core = shaded()
    for id in range(10, 14):
        core.take(told(id, "user.created", id))
    for each in core.ledger:
        if each.fact.kind == "decision.made":
            decision = codec.decision(json.loads(each.fact.data)["d"])
            before = State()
            for recorded in core.ledger[: each.position - 1]:
                apply(before, recorded.position, recorded.fact)
            assert explanation_of(before, each.position, decision, shadow=True).identical


def test_of_many_that_wait_so_many_are_decided_at_once() -> None:
    core = shaded()
    for id in range(100, 100 + 2 * MOST_AT_ONCE + 7):
        core.take(told(id, "user.created", 1, team=7))
    changes = core.take(switch((7,), False, BEGAN + 10))
    taken = []
    while changes is not None:
        taken.append(len(changes.decisions))
        changes = core.take(b'{"topic": "steelyard.go_on"}') if changes.more else None
    assert taken == [MOST_AT_ONCE, MOST_AT_ONCE, 7]
    assert [decision.conversation for _, decision in core.decisions] == sorted(range(100, 100 + 2 * MOST_AT_ONCE + 7))


def test_a_ticket_stays_one_whatever_shows_it_as_a_conversation() -> None:
    core = Core().take_all([roster([admin(id) for id in ENGINEERS])])
    item = {
        "type": "ticket",
        "id": "9",
        "open": True,
        "admin_assignee_id": 0,
        "ticket_state": {"category": "submitted"},
    }
    core.take(notification("ticket.created", item, "t", BEGAN + 1))
    core.take(told(9, "user.replied", 5))
    assert known(core, 9).ticket
    assert core.decisions == []
