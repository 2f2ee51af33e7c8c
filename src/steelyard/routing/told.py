"""What Steelyard's own jobs and pages put into the inbox, so that one writer records it all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from steelyard.kit.ids import ConversationId, EngineerId, PersonId, Position, TeamId, numeric_id
from steelyard.kit.instants import SECOND, Micros
from steelyard.routing import payload
from steelyard.routing.model import NO_TEAM, WEBHOOK, Order, Switch, Team
from steelyard.routing.seen import (
    Ignored,
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
from steelyard.routing.shown import Envelope, Reader, conversation_in

RECEIPT, READ_BACK, GONE, ROSTER = "steelyard.receipt", "steelyard.read_back", "steelyard.gone", "steelyard.roster"
POLICY, SWITCH, GO_ON = "steelyard.policy", "steelyard.switch", "steelyard.go_on"
ROTATION, MOVED, AWAY_REFUSED = "steelyard.rotation", "steelyard.moved", "steelyard.away_refused"
"""How a delivery ended; a conversation read, or not found; the roster; a policy that was adopted; teams that were
switched on or off; that more waits than was decided at once; somebody taken off rotation or put back; how a move that a
person asked for ended; that Intercom refused to set somebody away or back."""

OUTCOMES = ("delivered", "overtaken", "failed")
"""How a delivery can end."""

MOVES = ("moved", "move_overtaken", "move_refused")
"""How a move can end."""

Json = dict[str, Any]


def _roster(whole: Json, at: int, reader: Reader) -> Seen | Ignored:
    # A teammate's webhooks show no time but their own: of one second, neither they nor the reading know better.
    order = Order(at, WEBHOOK, at, _id(whole))
    engineers = tuple(
        SeenEngineer(
            "engineer.seen",
            EngineerId(id),
            at,
            order,
            away=payload.flag(each.get("away_mode_enabled")),
            member=True,
            seat=payload.flag(each.get("has_inbox_seat")),
            name=payload.text(each.get("name"), 200),
        )
        for each in payload.mappings(whole.get("admins"), 100_000)
        if (id := numeric_id(each.get("id"))) is not None
    )
    if not engineers:
        return Ignored("the roster names nobody")
    teams = tuple(
        SeenTeam(
            Team(TeamId(id), _members(each.get("admin_ids"))),
            at,
            payload.text(each.get("name"), 200),
            payload.text(each.get("distribution_method"), 40),
        )
        for each in payload.mappings(whole.get("teams"), 100_000)
        if (id := numeric_id(each.get("id"))) is not None
    )
    return SeenRoster(engineers, teams, at, order)


def _members(value: object) -> tuple[EngineerId, ...]:
    ids = map(numeric_id, payload.elements(value))
    return tuple(EngineerId(id) for id in sorted({id for id in ids if id is not None}))


def _policy(whole: Json, at: int, reader: Reader) -> Seen | Ignored:
    return SeenPolicy(payload.text(whole.get("policy"), 64), at)


def _go_on(whole: Json, at: int, reader: Reader) -> Seen | Ignored:
    return SeenWaiting()


def _switch(whole: Json, at: int, reader: Reader) -> Seen | Ignored:
    routed, paused = whole.get("routed"), payload.flag(whole.get("paused"))
    if paused is None or not isinstance(routed, list | None):
        return Ignored("the switch says nothing")
    listed = {TeamId(numeric_id(each) or NO_TEAM) for each in payload.elements(whole.get("routed"))}
    teams = tuple(sorted(listed)) if routed is not None else None
    return SeenSwitch(Switch(teams, paused), at, _person(whole))


def _rotation(whole: Json, at: int, reader: Reader) -> Seen | Ignored:
    id, resting = numeric_id(whole.get("engineer")), payload.flag(whole.get("resting"))
    if id is None or resting is None:
        return Ignored("it does not say who is on or off rotation")
    order = Order(at, WEBHOOK, at, _id(whole))
    return SeenEngineer("engineer.rotation_changed", EngineerId(id), at, order, resting=resting, person=_person(whole))


def _receipt(whole: Json, at: int, reader: Reader) -> Seen | Ignored:
    decision, conversation = numeric_id(whole.get("decision")), numeric_id(whole.get("conversation"))
    outcome = payload.text(whole.get("outcome"), 20)
    if decision is None or conversation is None or outcome not in OUTCOMES:
        return Ignored("the receipt names no decision")
    seen = _answer(whole, "conversation.assigned", ConversationId(conversation), at, reader)
    when = Micros(payload.seconds(whole.get("at"), at * SECOND, latest=2**53))
    return Settled(Position(decision), ConversationId(conversation), outcome, _reason(whole), when, seen)


def _moved(whole: Json, at: int, reader: Reader) -> Seen | Ignored:
    move, conversation = numeric_id(whole.get("move")), numeric_id(whole.get("conversation"))
    outcome, engineer = payload.text(whole.get("outcome"), 20), numeric_id(whole.get("engineer"))
    if move is None or conversation is None or outcome not in MOVES:
        return Ignored("it names no move")
    to = EngineerId(engineer) if engineer is not None else None
    seen = _answer(whole, f"conversation.{outcome}", ConversationId(conversation), at, reader)
    when = Micros(payload.seconds(whole.get("at"), at * SECOND, latest=2**53))
    return SeenMove(Position(move), ConversationId(conversation), to, outcome, _reason(whole), when, seen)


def _away_refused(whole: Json, at: int, reader: Reader) -> Seen | Ignored:
    asked, engineer = numeric_id(whole.get("asked")), numeric_id(whole.get("engineer"))
    away = payload.flag(whole.get("away"))
    if asked is None or engineer is None or away is None:
        return Ignored("it does not say what was refused")
    return SeenRefusal(Position(asked), EngineerId(engineer), away, _reason(whole), at)


def _answer(whole: Json, kind: str, id: ConversationId, at: int, reader: Reader) -> SeenConversation | None:
    """The conversation as Intercom answered it, if it did."""
    answer = payload.mapping(whole.get("answer"))
    if not answer:
        return None
    envelope = Envelope(_id(whole), payload.seconds(answer.get("updated_at"), at), answer)
    return conversation_in(kind, id, envelope, reader, WEBHOOK)


def _id(whole: Json) -> str:
    return payload.text(whole.get("id"), 200)


def _reason(whole: Json) -> str:
    return payload.text(whole.get("reason"), 100)


def _person(whole: Json) -> PersonId | None:
    person = numeric_id(whole.get("person"))
    return PersonId(person) if person is not None else None


TOLD: dict[str, Callable[[Json, int, Reader], Seen | Ignored]] = {
    RECEIPT: _receipt,
    ROSTER: _roster,
    POLICY: _policy,
    GO_ON: _go_on,
    SWITCH: _switch,
    ROTATION: _rotation,
    MOVED: _moved,
    AWAY_REFUSED: _away_refused,
}
"""How each is read. A conversation that was read, or not found, is read as a webhook's is."""
