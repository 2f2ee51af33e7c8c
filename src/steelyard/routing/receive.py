"""From a raw payload to what it shows, or to the reason why it is ignored. Total: any payload gives one of the two."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

from steelyard.kit.ids import ConversationId, EngineerId, numeric_id
from steelyard.routing import payload
from steelyard.routing.model import CREATED, READ, WEBHOOK, Order, Phase
from steelyard.routing.seen import Gone, Ignored, Seen, SeenConversation, SeenEngineer
from steelyard.routing.shown import Envelope, Reader, conversation_in
from steelyard.routing.told import GONE, READ_BACK, TOLD


class AskFor(NamedTuple):
    """A payload that says that a conversation changed, but not to what: it is read back."""

    conversation: ConversationId


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
    at = payload.seconds(whole.get("created_at"), received_at)
    if topic in TOLD:
        return TOLD[topic](whole, at, reader)
    item = payload.mapping(payload.mapping(whole.get("data")).get("item"))
    envelope = Envelope(payload.text(whole.get("id"), 200), at, item)
    read = TOPICS.get(topic)
    if read is None:
        return Ignored(UNWANTED.get(topic, "unknown topic"))
    return read(envelope, reader)


# Conversations


def _conversation(kind: str) -> Callable[[Envelope, Reader], Received]:
    def read(envelope: Envelope, reader: Reader) -> Received:
        id = numeric_id(envelope.item.get("id"))
        if id is None:
            return Ignored("the conversation has no usable id")
        seen = conversation_in(
            kind, ConversationId(id), envelope, reader, CREATED if kind == "conversation.created" else WEBHOOK
        )
        return _read(seen) if kind == "conversation.read" else seen

    return read


def _read(seen: SeenConversation) -> SeenConversation:
    """A reading that was made in the very second it shows knows no more of it than a webhook does."""
    shown = seen.order.updated_at
    order = seen.order._replace(rank=READ) if seen.at > shown else seen.order._replace(observed_at=shown)
    return seen._replace(order=order)


def _deleted(envelope: Envelope, reader: Reader) -> Received:
    id = numeric_id(envelope.item.get("id")) or numeric_id(envelope.item.get("conversation_id"))
    if id is None:
        return Ignored("the deleted conversation has no usable id")
    return Gone(ConversationId(id), envelope.at, Order(envelope.at, WEBHOOK, envelope.at, envelope.id))


def _part(envelope: Envelope, reader: Reader) -> Received:
    """A tag or redaction of one part: the payload is the part, so the conversation it belongs to is read back."""
    if envelope.item.get("type") == "conversation":
        return _conversation("conversation.tagged")(envelope, reader)
    id = numeric_id(envelope.item.get("conversation_id"))
    if id is None:
        id = numeric_id(payload.mapping(envelope.item.get("conversation")).get("id"))
    return AskFor(ConversationId(id)) if id is not None else Ignored("the part names no conversation")


def _ticket(kind: str) -> Callable[[Envelope, Reader], Received]:
    def read(envelope: Envelope, reader: Reader) -> Received:
        item = payload.mapping(envelope.item.get("ticket")) or envelope.item
        id = numeric_id(item.get("id"))
        if id is None:
            return Ignored("the ticket has no usable id")
        seen = conversation_in(kind, ConversationId(id), envelope._replace(item=item), reader, WEBHOOK)
        category = payload.mapping(item.get("ticket_state")).get("category")
        closed = category == "resolved" or item.get("open") is False or kind in ("ticket.closed", "ticket.resolved")
        snoozed = payload.seconds(item.get("snoozed_until"), 0) > envelope.at
        phase = Phase.CLOSED if closed else Phase.SNOOZED if snoozed else Phase.OPEN
        return seen._replace(phase=phase, ticket=True)

    return read


# Teammates


def _admin(kind: str, **shown: bool) -> Callable[[Envelope, Reader], Received]:
    def read(envelope: Envelope, reader: Reader) -> Received:
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


TOPICS: dict[str, Callable[[Envelope, Reader], Received]] = {
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
