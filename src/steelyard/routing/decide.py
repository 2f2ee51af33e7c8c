"""What was seen becomes facts and decisions: pure, the same live, in tests, in replay and in benchmarks.

`decide` works on a state of its own (see `State.fork`) and returns what to record. `apply` folds one recorded fact.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from steelyard.kit.facts import Fact
from steelyard.kit.ids import ConversationId, EngineerId, PersonId, Position, TeamId
from steelyard.kit.instants import SECOND, Micros
from steelyard.routing import codec
from steelyard.routing.choose import choose
from steelyard.routing.merge import answers, contradicts, differs, merge, merge_engineer, same_instant, tombstone
from steelyard.routing.model import (
    BEFORE,
    ENGINE,
    Comparison,
    Conversation,
    Decision,
    Engineer,
    Exclusion,
    Pending,
    Switch,
    Team,
    Text,
    Weighed,
)
from steelyard.routing.seen import (
    Gone,
    Seen,
    SeenConversation,
    SeenEngineer,
    SeenMove,
    SeenPolicy,
    SeenRefusal,
    SeenRoster,
    SeenSwitch,
    SeenTeam,
    SeenWaiting,
    Settled,
)
from steelyard.routing.state import State

MOST_AT_ONCE = 200
"""Decisions that one payload leads to, when many wait: what is left is decided in the next transactions."""

_NOTHING: Mapping[str, object] = MappingProxyType({})
_BEGINNINGS = ("conversation.created", "conversation.assigned")
_BEGUN_WITHIN = 3600
"""Seconds. A conversation older than that was not just given to somebody, only not heard of before."""


class Scale(NamedTuple):
    """What conversations are weighed with: a policy's digest and its `weigh`."""

    policy: str
    weigh: Callable[[Text], Weighed]


class Changes(NamedTuple):
    """What `decide` did to the state, in the order of the ledger."""

    facts: tuple[Fact, ...]
    decisions: tuple[tuple[Position, Decision], ...] = ()
    """Those to deliver, with their positions. What was decided in the shadow is only a fact."""
    late: bool = False
    """Whether something newer was known already, so that nothing changed."""
    more: bool = False
    """Whether conversations still wait that somebody could be given: too many for one transaction."""
    unsure: bool = False
    """Whether two payloads of the same second contradict each other: only reading Intercom back can tell."""


def decide(state: State, seen: Seen, known: Conversation | None, scale: Scale, now: Micros) -> Changes:
    """Takes what was seen into `state` and chooses for every conversation that can now be given to somebody.

    `known` is the conversation as last recorded, also where it is closed and no longer in the state.
    Raises nothing: every `Seen` is possible at any time.
    """
    match seen:
        case SeenConversation():
            before = _take_before(state, seen, known, scale, now)
            known = state.conversations.get(seen.id) if before.facts else known
            changes = _take_conversation(state, seen, known, scale)
            changes = changes._replace(facts=(*before.facts, *changes.facts))
            return _choose_for(state, changes, [seen.id], scale.policy, now)
        case Settled():
            changes = _take_settled(state, seen, known, scale)
            return _choose_for(state, changes, [seen.conversation], scale.policy, now)
        case SeenMove():
            changes = _take_move(state, seen, known, scale)
            return _choose_for(state, changes, [seen.conversation], scale.policy, now)
        case Gone():
            return _take_gone(state, seen, known)
        case SeenRefusal():
            return _take_refusal(state, seen)
        case SeenEngineer():
            changes = _take_engineer(state, seen)
        case SeenTeam():
            changes = _take_team(state, seen)
        case SeenRoster():
            changes = _take_roster(state, seen)
        case SeenPolicy():
            fact = _record(state, "policy.adopted", _micros(seen.at), None, None, {"policy": seen.policy})
            changes = Changes((fact,))
        case SeenWaiting():
            changes = Changes(())
        case SeenSwitch():
            changes = _take_switch(state, seen)
    if changes.late or not state.standings:
        return changes
    return _choose_for(state, changes, state.waiting_in_order(), scale.policy, now)


def apply(state: State, position: Position, fact: Fact) -> None:
    """Folds one recorded fact into `state`, as replay and a catching-up cache do. Other rooms' facts change nothing."""
    state.position = position
    data = json.loads(fact.data)
    if fact.kind == "decision.made":
        _apply_decision(state, position, codec.decision(data["d"]), shadow=data.get("shadow", False))
    elif "c" in data and fact.kind.startswith(("conversation.", "ticket.", "decision.")):
        _put_conversation(state, codec.conversation(data["c"]), fact.at)
    elif "e" in data and fact.kind.startswith("engineer.") and fact.engineer is not None:
        state.put_engineer(codec.engineer(fact.engineer, data["e"]))
    elif "members" in data and fact.kind == "team.seen":
        state.put_team(Team(TeamId(data["team"]), tuple(data["members"])))
    elif fact.kind == "routing.switched":
        routed, paused = data["switch"]
        state.put_switch(Switch(tuple(routed) if routed is not None else None, paused))


# Taking what was seen


def _take_conversation(
    state: State,
    seen: SeenConversation,
    known: Conversation | None,
    scale: Scale,
    about: Mapping[str, object] = _NOTHING,
) -> Changes:
    """`about`: what the fact says besides."""
    new = _in_earnest(state, merge(known, seen, scale.weigh(seen.text)))
    late = new == known
    data: dict[str, object] = {**about, "late": True} if late else {**about, "c": new}
    if seen.ours:
        data["ours"] = True
    compared = _compare(state, known, new, _micros(seen.at))
    fact = _record(state, seen.kind, _micros(seen.at), seen.id, seen.by, data)
    if not late:
        _put_conversation(state, new, fact.at)
    return Changes((*compared, fact), late=late, unsure=known is not None and contradicts(known, seen))


def _take_gone(state: State, seen: Gone, known: Conversation | None) -> Changes:
    gone = tombstone(known, seen)
    late = gone == known
    fact = _record(
        state, "conversation.deleted", _micros(seen.at), seen.id, None, {"late": True} if late else {"c": gone}
    )
    if not late:
        state.put_conversation(gone)
    return Changes((fact,), late=late)


def _take_settled(state: State, seen: Settled, known: Conversation | None, scale: Scale) -> Changes:
    data: dict[str, object] = {"decision": seen.decision, "reason": seen.reason}
    new, unsure = known, False
    if new is not None and seen.seen is not None:
        unsure = contradicts(new, seen.seen)
        new = _in_earnest(state, merge(new, seen.seen, scale.weigh(seen.seen.text)))
    # What was not delivered is decided again, or left to a person; so is what was, where more is known than the answer
    # to its assignment, and shows nobody. Without an answer it stands until Intercom shows it.
    if new is not None and answers(new, seen.decision) and (seen.outcome != "delivered" or seen.seen is not None):
        new = new._replace(pending=None, failed=seen.decision if seen.outcome == "failed" else None)
    if new is not None and new != known:
        data["c"] = new
    fact = _record(state, f"decision.{seen.outcome}", seen.at, seen.conversation, None, data)
    if new is not None and new != known:
        _put_conversation(state, new, fact.at)
    return Changes((fact,), unsure=unsure)


def _take_move(state: State, seen: SeenMove, known: Conversation | None, scale: Scale) -> Changes:
    """How a move ended that a person asked for. What the answer shows is taken in like any webhook."""
    about: dict[str, object] = {"move": seen.move, "reason": seen.reason}
    if seen.seen is not None:
        return _take_conversation(state, seen.seen._replace(by=seen.engineer), known, scale, about)
    fact = _record(state, f"conversation.{seen.outcome}", seen.at, seen.conversation, seen.engineer, about)
    return Changes((fact,))


def _take_refusal(state: State, seen: SeenRefusal) -> Changes:
    data: dict[str, object] = {"asked": seen.asked, "away": seen.away, "reason": seen.reason}
    return Changes((_record(state, "engineer.away_refused", _micros(seen.at), None, seen.engineer, data),))


def _take_switch(state: State, seen: SeenSwitch) -> Changes:
    data: dict[str, object] = {"switch": seen.switch}
    fact = _record(state, "routing.switched", _micros(seen.at), None, None, data, seen.person)
    state.put_switch(seen.switch)
    return Changes((fact,))


def _take_engineer(state: State, seen: SeenEngineer) -> Changes:
    known = state.engineers.get(seen.id)
    new = merge_engineer(known or Engineer(seen.id), seen)
    unsure = (
        known is not None
        and seen.away is not None
        and same_instant(known.away_order, seen.order)
        and known.away != seen.away
    )
    if new == known:
        fact = _record(state, seen.kind, _micros(seen.at), None, seen.id, {"late": True}, seen.person)
        return Changes((fact,), late=True, unsure=unsure)
    data: dict[str, object] = {"e": codec.engineer_data(new)}
    fact = _record(state, seen.kind, _micros(seen.at), None, seen.id, data, seen.person)
    state.put_engineer(new)
    return Changes((fact,), unsure=unsure)


def _take_team(state: State, seen: SeenTeam) -> Changes:
    data: dict[str, object] = {"team": seen.team.id, "members": seen.team.members}
    fact = _record(state, "team.seen", _micros(seen.at), None, None, data)
    state.put_team(seen.team)
    return Changes((fact,))


def _take_roster(state: State, seen: SeenRoster) -> Changes:
    """Only what differs becomes a fact: reading the same roster twice is nothing that happened."""
    facts: list[Fact] = []
    unsure = False
    present = {each.id for each in seen.engineers}
    left = [
        SeenEngineer("engineer.left", id, seen.at, seen.order, member=False)
        for id, each in state.engineers.items()
        if id not in present and each.member
    ]
    for each in (*seen.engineers, *left):
        known = state.engineers.get(each.id)
        if known is None or differs(known, merge_engineer(known, each)):
            changes = _take_engineer(state, each)
            facts.extend(changes.facts)
            unsure |= changes.unsure
    listed = {each.team.id for each in seen.teams}
    gone = [SeenTeam(Team(id, ()), seen.at) for id, each in state.teams.items() if id not in listed and each.members]
    for team in (*seen.teams, *gone):
        if state.teams.get(team.team.id) != team.team:
            facts.extend(_take_team(state, team).facts)
    return Changes(tuple(facts), late=not facts, unsure=unsure)


# The shadow


def _in_earnest(state: State, new: Conversation) -> Conversation:
    """`new`, without a decision in the shadow where its team is on: it may have been closed when that was switched."""
    shaded = new.pending is not None and new.pending.shadow
    return new._replace(pending=None) if shaded and state.switch.routes(new.team) else new


def _take_before(
    state: State, seen: SeenConversation, known: Conversation | None, scale: Scale, now: Micros
) -> Changes:
    """What would have been decided for a conversation that had an engineer before anything was heard of it."""
    begun = seen.kind in _BEGINNINGS and seen.at - seen.since <= _BEGUN_WITHIN
    if known is not None or not begun or seen.assignee is None or state.switch.routes(seen.team):
        return Changes(())
    order = seen.order._replace(rank=BEFORE)
    unassigned = seen._replace(kind="conversation.created", order=order, assignee=None, by=None, ours=False)
    return _choose_for(state, _take_conversation(state, unassigned, None, scale), [seen.id], scale.policy, now)


def _compare(state: State, known: Conversation | None, new: Conversation, at: Micros) -> tuple[Fact, ...]:
    """The fact that somebody was given what a decision in the shadow was about: the loads as they were until now."""
    pending = known.pending if known is not None else None
    if known is None or pending is None or not pending.shadow or new.pending is not None or new.assignee is None:
        return ()
    given, winner = state.engineers.get(new.assignee), state.engineers.get(pending.engineer)
    if given is None or winner is None:
        return ()
    exclusions = state.exclusions(given)
    if known.team is not None and given.id not in state.members(known.team):
        exclusions |= Exclusion.NOT_IN_TEAM
    loads = [state.load(each, shadow=False) for each in (given, winner)]
    compared = Comparison(pending.decision, given.id, loads[0], exclusions, loads[1])
    return (_record(state, "decision.compared", at, new.id, given.id, compared._asdict()),)


# Choosing


def _choose_for(
    state: State, changes: Changes, conversations: list[ConversationId], policy: str, now: Micros
) -> Changes:
    facts, decisions = list(changes.facts), list(changes.decisions)
    for conversation in conversations:
        if conversation not in state.waiting:
            continue
        if len(facts) - len(changes.facts) == MOST_AT_ONCE:
            return changes._replace(facts=tuple(facts), decisions=tuple(decisions), more=True)
        waiting = state.conversations[conversation]
        shadow = not state.switch.routes(waiting.team)
        made = _decision(state, waiting, policy, now, shadow=shadow)
        if made is None:
            continue
        data: dict[str, object] = {"d": made, "shadow": True} if shadow else {"d": made}
        facts.append(_record(state, "decision.made", now, conversation, made.winner, data))
        _apply_decision(state, state.position, made, shadow=shadow)
        if not shadow:
            decisions.append((state.position, made))
    return changes._replace(facts=tuple(facts), decisions=tuple(decisions))


def _decision(state: State, conversation: Conversation, policy: str, now: Micros, *, shadow: bool) -> Decision | None:
    choice = choose(state, conversation.team, conversation.matches, policy, shadow=shadow)
    if choice is None:
        return None
    runner_up = choice.runner_up
    return Decision(
        conversation.id,
        now,
        conversation.topic,
        conversation.weight,
        conversation.team,
        conversation.matches,
        choice.winner.engineer,
        choice.winner.load,
        runner_up.engineer if runner_up is not None else None,
        runner_up.load if runner_up is not None else None,
        policy,
        ENGINE,
        choice.digest.hex(),
    )


def _apply_decision(state: State, position: Position, made: Decision, *, shadow: bool) -> None:
    conversation = state.conversations[made.conversation]
    pending = Pending(position, made.winner, conversation.order, shadow)
    state.put_conversation(conversation._replace(pending=pending, failed=None))
    if not shadow:
        state.assign(made.winner, made.at)


def _put_conversation(state: State, new: Conversation, at: Micros) -> None:
    old = state.conversations.get(new.id)
    state.put_conversation(new)
    if new.assignee is not None and new.counts and (old is None or old.owner != new.assignee):
        state.assign(new.assignee, at)


def _record(
    state: State,
    kind: str,
    at: Micros,
    conversation: ConversationId | None,
    engineer: EngineerId | None,
    data: dict[str, object],
    person: PersonId | None = None,
) -> Fact:
    """The fact, which takes the next position. `person`: who did it in the console."""
    state.position = Position(state.position + 1)
    return Fact(kind, at, conversation, engineer, codec.dump(data), person)


def _micros(seconds: int) -> Micros:
    return Micros(seconds * SECOND)
