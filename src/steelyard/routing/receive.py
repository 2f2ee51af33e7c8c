"""From a raw payload to what it shows, or to the reason why it is ignored. Total: any payload gives one of the two."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from steelyard.kit.ids import ConversationId, EngineerId, Position, TeamId, numeric_id
from steelyard.kit.instants import SECOND, Micros
from steelyard.routing import payload
from steelyard.routing.model import CREATED, NO_TEAM, READ, WEBHOOK, Order, Override, Phase, Switch, Team, Text
from steelyard.routing.seen import (
    Gone,
    Seen,
    SeenConversation,
    SeenEngineer,
    SeenPolicy,
    SeenRoster,
    SeenSwitch,
    SeenTeam,
    SeenWaiting,
    Settled,
)
from steelyard.routing.weigh import parse_weight_note, parse_weight_tag

OURS = ("weight", "topic", "decision")
"""The conversation attributes that Steelyard writes. They weigh nothing, or it would weigh itself."""

RECEIPT, READ_BACK, GONE, ROSTER = "steelyard.receipt", "steelyard.read_back", "steelyard.gone", "steelyard.roster"
POLICY, SWITCH, GO_ON = "steelyard.policy", "steelyard.switch", "steelyard.go_on"
"""What Steelyard itself puts into the inbox: how a delivery ended; a conversation read, or not found; the roster; a
policy that was adopted; teams that were switched on or off; that more waits than was decided at once."""

OUTCOMES = ("delivered", "overtaken", "failed")
"""How a delivery can end."""


class Ignored(NamedTuple):
    """A payload that changes no load, and why."""

    reason: str


class AskFor(NamedTuple):
    """A payload that says that a conversation changed, but not to what: it is read back."""

    conversation: ConversationId


class Reader(NamedTuple):
    """What a workspace's payloads are read with."""

    package_code: str | None
    """Marks conversation parts that Steelyard's own calls made."""
    heaviest: int
    """The largest weight a person may set."""


class _Envelope(NamedTuple):
    topic: str
    id: str
    at: int
    item: dict[str, Any]


Received = Seen | AskFor | Ignored


def receive(body: bytes, received_at: int, reader: Reader) -> Received:
    """Reads one stored payload; `received_at` (seconds since 1970) stands in where it carries no time of its own."""
    try:
        whole: object = json.loads(body)
    except (ValueError, RecursionError):
        return Ignored("not JSON")
    if not payload.is_mapping(whole):
        return Ignored("not a JSON object")
    topic = payload.text(whole.get("topic"), 200)
    if topic == ROSTER:
        return _roster(whole, received_at)
    if topic == POLICY:
        at = payload.seconds(whole.get("created_at"), received_at)
        return SeenPolicy(payload.text(whole.get("policy"), 64), at)
    if topic == GO_ON:
        return SeenWaiting()
    if topic == SWITCH:
        return _switch(whole, received_at)
    if topic == RECEIPT:
        return _receipt(whole, received_at, reader)
    item = payload.mapping(payload.mapping(whole.get("data")).get("item"))
    envelope = _Envelope(
        topic, payload.text(whole.get("id"), 200), payload.seconds(whole.get("created_at"), received_at), item
    )
    read = TOPICS.get(topic)
    if read is None:
        return Ignored(UNWANTED.get(topic, "unknown topic"))
    return read(envelope, reader)


# Conversations


def _conversation(kind: str) -> Callable[[_Envelope, Reader], Received]:
    def read(envelope: _Envelope, reader: Reader) -> Received:
        id = numeric_id(envelope.item.get("id"))
        if id is None:
            return Ignored("the conversation has no usable id")
        seen = _seen(kind, ConversationId(id), envelope, reader, CREATED if kind == "conversation.created" else WEBHOOK)
        return _read(seen) if kind == "conversation.read" else seen

    return read


def _seen(kind: str, id: ConversationId, envelope: _Envelope, reader: Reader, rank: int) -> SeenConversation:
    item = envelope.item
    updated_at = payload.seconds(item.get("updated_at"), envelope.at)
    parts = payload.mappings(payload.mapping(item.get("conversation_parts")).get("conversation_parts"))
    tags = payload.mappings(payload.mapping(item.get("tags")).get("tags"))
    author = payload.mapping(parts[-1].get("author")) if parts else {}
    by = numeric_id(author.get("id")) if author.get("type") == "admin" else None
    return SeenConversation(
        kind,
        id,
        envelope.at,
        Order(updated_at, rank, envelope.at, envelope.id),
        _phase(item),
        _engineer(item.get("admin_assignee_id")),
        _team(item.get("team_assignee_id")),
        _URGENCY.get(payload.text(item.get("priority"), 20), 0),
        payload.seconds(item.get("created_at"), envelope.at),
        _text(item, tags),
        _contact(item),
        tag=_weight_of_tags(tags, updated_at, reader.heaviest),
        note=_weight_of_notes(parts, reader.heaviest),
        by=EngineerId(by) if by is not None else None,
        ours=bool(parts)
        and reader.package_code is not None
        and parts[-1].get("app_package_code") == reader.package_code,
    )


def _read(seen: SeenConversation) -> SeenConversation:
    """A reading that was made in the very second it shows knows no more of it than a webhook does."""
    shown = seen.order.updated_at
    order = seen.order._replace(rank=READ) if seen.at > shown else seen.order._replace(observed_at=shown)
    return seen._replace(order=order)


def _deleted(envelope: _Envelope, reader: Reader) -> Received:
    id = numeric_id(envelope.item.get("id")) or numeric_id(envelope.item.get("conversation_id"))
    if id is None:
        return Ignored("the deleted conversation has no usable id")
    return Gone(ConversationId(id), envelope.at, Order(envelope.at, WEBHOOK, envelope.at, envelope.id))


def _part(envelope: _Envelope, reader: Reader) -> Received:
    """A tag or redaction of one part: the payload is the part, so the conversation it belongs to is read back."""
    if envelope.item.get("type") == "conversation":
        return _conversation("conversation.tagged")(envelope, reader)
    id = numeric_id(envelope.item.get("conversation_id"))
    if id is None:
        id = numeric_id(payload.mapping(envelope.item.get("conversation")).get("id"))
    return AskFor(ConversationId(id)) if id is not None else Ignored("the part names no conversation")


def _ticket(kind: str) -> Callable[[_Envelope, Reader], Received]:
    def read(envelope: _Envelope, reader: Reader) -> Received:
        item = payload.mapping(envelope.item.get("ticket")) or envelope.item
        id = numeric_id(item.get("id"))
        if id is None:
            return Ignored("the ticket has no usable id")
        seen = _seen(kind, ConversationId(id), envelope._replace(item=item), reader, WEBHOOK)
        category = payload.mapping(item.get("ticket_state")).get("category")
        closed = category == "resolved" or item.get("open") is False or kind in ("ticket.closed", "ticket.resolved")
        snoozed = payload.seconds(item.get("snoozed_until"), 0) > envelope.at
        phase = Phase.CLOSED if closed else Phase.SNOOZED if snoozed else Phase.OPEN
        return seen._replace(phase=phase, ticket=True)

    return read


def _phase(item: dict[str, Any]) -> Phase:
    state = item.get("state")
    if isinstance(state, str) and state in _PHASES:
        return Phase(state)
    if payload.seconds(item.get("snoozed_until"), 0):
        return Phase.SNOOZED
    return Phase.OPEN if payload.flag(item.get("open")) is not False else Phase.CLOSED


def _engineer(value: object) -> EngineerId | None:
    id = numeric_id(value)
    return EngineerId(id) if id is not None else None


def _team(value: object) -> TeamId | None:
    id = numeric_id(value)
    return TeamId(id) if id is not None else None


def _text(item: dict[str, Any], tags: list[dict[str, Any]]) -> Text:
    source = payload.mapping(item.get("source"))
    ticket = payload.mapping(item.get("ticket_attributes"))
    attributes = payload.mapping(item.get("custom_attributes")) or ticket
    found = [
        (payload.text(name, 200), payload.text(str(value), 500))
        for name, value in list(attributes.items())[:100]
        if name not in OURS and not name.startswith("_") and isinstance(value, str | int)
    ]
    language = next((value for name, value in found if name.lower() == "language"), "")
    return Text(
        payload.plain(source.get("subject") or item.get("title") or ticket.get("_default_title_")),
        payload.plain(source.get("body") or ticket.get("_default_description_")),
        tuple(name for each in tags if (name := payload.text(each.get("name"), 200))),
        tuple(found),
        language[:2].lower(),
    )


def _contact(item: dict[str, Any]) -> str:
    author = payload.mapping(payload.mapping(item.get("source")).get("author"))
    return payload.text(author.get("name"), 200) or payload.text(author.get("email"), 200)


def _weight_of_tags(tags: list[dict[str, Any]], updated_at: int, heaviest: int) -> Override | None:
    found = [
        Override(payload.seconds(each.get("applied_at"), updated_at), f"tag {weight}", weight)
        for each in tags
        if (weight := parse_weight_tag(payload.text(each.get("name"), 200), heaviest)) is not None
    ]
    return max(found, key=lambda each: (each.at, each.weight or 0), default=None)


def _weight_of_notes(parts: list[dict[str, Any]], heaviest: int) -> Override | None:
    newest: Override | None = None
    for part in parts:
        asked = (
            parse_weight_note(payload.plain(part.get("body")), heaviest) if part.get("part_type") == "note" else None
        )
        if asked is not None:
            id = numeric_id(part.get("id")) or 0
            override = Override(payload.seconds(part.get("created_at"), 0), f"note {id:020}", asked.weight)
            if newest is None or override[:2] > newest[:2]:
                newest = override
    return newest


# Teammates


def _admin(kind: str, **shown: bool) -> Callable[[_Envelope, Reader], Received]:
    def read(envelope: _Envelope, reader: Reader) -> Received:
        id = numeric_id(envelope.item.get("id"))
        if id is None:
            return Ignored("the teammate has no usable id")
        away = payload.flag(envelope.item.get("away_mode_enabled"))
        if kind == "engineer.away_changed" and away is None:
            return Ignored("the payload does not say whether they are away")
        return SeenEngineer(
            kind,
            EngineerId(id),
            envelope.at,
            Order(envelope.at, WEBHOOK, envelope.at, envelope.id),
            away=away if kind in ("engineer.away_changed", "engineer.added") else None,
            logged_in=shown.get("logged_in"),
            member=shown.get("member"),
            seat=payload.flag(envelope.item.get("has_inbox_seat")),
            name=payload.text(envelope.item.get("name"), 200),
        )

    return read


# What Steelyard's own jobs read


def _roster(whole: dict[str, Any], received_at: int) -> Received:
    at = payload.seconds(whole.get("created_at"), received_at)
    # A teammate's webhooks show no time but their own: of one second, neither they nor the reading know better.
    order = Order(at, WEBHOOK, at, payload.text(whole.get("id"), 200))
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


def _switch(whole: dict[str, Any], received_at: int) -> Received:
    routed, paused = whole.get("routed"), payload.flag(whole.get("paused"))
    if paused is None or not isinstance(routed, list | None):
        return Ignored("the switch says nothing")
    listed = {TeamId(numeric_id(each) or NO_TEAM) for each in payload.elements(whole.get("routed"))}
    teams = tuple(sorted(listed)) if routed is not None else None
    return SeenSwitch(Switch(teams, paused), payload.seconds(whole.get("created_at"), received_at))


def _members(value: object) -> tuple[EngineerId, ...]:
    ids = map(numeric_id, payload.elements(value))
    return tuple(EngineerId(id) for id in sorted({id for id in ids if id is not None}))


def _receipt(whole: dict[str, Any], received_at: int, reader: Reader) -> Received:
    at = payload.seconds(whole.get("created_at"), received_at)
    decision, conversation = numeric_id(whole.get("decision")), numeric_id(whole.get("conversation"))
    outcome = payload.text(whole.get("outcome"), 20)
    if decision is None or conversation is None or outcome not in OUTCOMES:
        return Ignored("the receipt names no decision")
    answer = payload.mapping(whole.get("answer"))
    seen = None
    if answer:
        updated_at = payload.seconds(answer.get("updated_at"), at)
        envelope = _Envelope(RECEIPT, payload.text(whole.get("id"), 200), updated_at, answer)
        seen = _seen("conversation.assigned", ConversationId(conversation), envelope, reader, WEBHOOK)
    return Settled(
        Position(decision),
        ConversationId(conversation),
        outcome,
        payload.text(whole.get("reason"), 100),
        Micros(payload.seconds(whole.get("at"), at * SECOND, latest=2**53)),
        seen,
    )


_PHASES = frozenset(Phase)
_URGENCY = {"priority": 3, "low": 1, "medium": 2, "high": 3, "urgent": 4}

TOPICS: dict[str, Callable[[_Envelope, Reader], Received]] = {
    "conversation.user.created": _conversation("conversation.created"),
    "conversation.admin.single.created": _conversation("conversation.created"),
    "conversation.user.replied": _conversation("conversation.customer_replied"),
    "conversation.operator.replied": _conversation("conversation.bot_replied"),
    "conversation.admin.replied": _conversation("conversation.engineer_replied"),
    "conversation.admin.assigned": _conversation("conversation.assigned"),
    "conversation.admin.open.assigned": _conversation("conversation.assigned"),
    "conversation.admin.noted": _conversation("conversation.noted"),
    "conversation.admin.closed": _conversation("conversation.closed"),
    "conversation.admin.opened": _conversation("conversation.opened"),
    "conversation.admin.snoozed": _conversation("conversation.snoozed"),
    "conversation.admin.unsnoozed": _conversation("conversation.unsnoozed"),
    "conversation.priority.updated": _conversation("conversation.priority_changed"),
    "conversation.deleted": _deleted,
    "conversation_part.tag.created": _part,
    "conversation_part.redacted": _part,
    READ_BACK: _conversation("conversation.read"),
    GONE: _deleted,
    "admin.away_mode_updated": _admin("engineer.away_changed"),
    "admin.logged_in": _admin("engineer.logged_in", logged_in=True),
    "admin.logged_out": _admin("engineer.logged_out", logged_in=False),
    "admin.added_to_workspace": _admin("engineer.added", member=True),
    "admin.removed_from_workspace": _admin("engineer.removed", member=False),
    "ticket.created": _ticket("ticket.created"),
    "ticket.state.updated": _ticket("ticket.changed"),
    "ticket.admin.assigned": _ticket("ticket.assigned"),
    "ticket.team.assigned": _ticket("ticket.assigned"),
    "ticket.attribute.updated": _ticket("ticket.changed"),
    "ticket.admin.replied": _ticket("ticket.engineer_replied"),
    "ticket.contact.replied": _ticket("ticket.customer_replied"),
    "ticket.closed": _ticket("ticket.closed"),
    "ticket.resolved": _ticket("ticket.resolved"),
    "ticket.admin.snoozed": _ticket("ticket.snoozed"),
    "ticket.admin.unsnoozed": _ticket("ticket.unsnoozed"),
}
"""Every topic that touches a load, and how it is read."""

UNWANTED = {
    "ping": "a test of the address",
    "conversation.rating.added": "a rating changes no load",
    "conversation.company.updated": "a company changes no load",
    "admin.activity_log_event.created": "the activity log repeats what other topics say",
}
"""Topics that are known and change no load, and why."""
