"""One conversation as a payload shows it: where each field stands in Intercom's JSON, and how it is read."""

from __future__ import annotations

from typing import Any, NamedTuple

from steelyard.kit.ids import ConversationId, EngineerId, TeamId, numeric_id
from steelyard.routing import payload
from steelyard.routing.model import Order, Override, Phase, Text
from steelyard.routing.seen import SeenConversation
from steelyard.routing.weigh import parse_weight_note, parse_weight_tag

OURS = ("weight", "topic", "decision")
"""The conversation attributes that Steelyard writes. They weigh nothing, or it would weigh itself."""

_PHASES = frozenset(Phase)
_URGENCY = {"priority": 3, "low": 1, "medium": 2, "high": 3, "urgent": 4}


class Reader(NamedTuple):
    """What a workspace's payloads are read with."""

    package_code: str | None
    """Marks conversation parts that Steelyard's own calls made."""
    heaviest: int
    """The largest weight a person may set."""


class Envelope(NamedTuple):
    """A payload about one thing: `item` as Intercom shows it, told under the notification `id` at `at`."""

    id: str
    at: int
    item: dict[str, Any]


def conversation_in(kind: str, id: ConversationId, envelope: Envelope, reader: Reader, rank: int) -> SeenConversation:
    """The conversation in `envelope`, which becomes a fact of this `kind` and has this `rank` within its second."""
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
        _text_of(item, tags),
        _contact(item),
        tag=_weight_of_tags(tags, updated_at, reader.heaviest),
        note=_weight_of_notes(parts, reader.heaviest),
        by=EngineerId(by) if by is not None else None,
        ours=bool(parts)
        and reader.package_code is not None
        and parts[-1].get("app_package_code") == reader.package_code,
    )


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


def _text_of(item: dict[str, Any], tags: list[dict[str, Any]]) -> Text:
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
