"""What a reading of Intercom shows that no webhook told: pure comparisons of what is known with what was found."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from steelyard.kit.ids import numeric_id
from steelyard.routing import payload
from steelyard.routing.model import Conversation
from steelyard.routing.seen import SeenConversation

UNDER_WAY = 60
"""Seconds. A younger change may still be told of: it is read all the same, but it is no drift."""


class Difference(StrEnum):
    """How what is known differs from what Intercom has."""

    UNKNOWN = "unknown"
    """Open there, never heard of here, or thought to be deleted."""
    STATE = "state"
    """Open there, closed or snoozed here; or the other way round."""
    OWNER = "owner"
    TEAM = "team"
    WEIGHT = "weight"
    """A weight set by hand, in a note that nobody told of."""
    REFUSED = "refused"
    """What Intercom refused may have been mended since: reading it has it decided again. No drift."""
    OTHER = "other"
    """Only changed at another time. Not everything has a webhook, and a list may be behind: no drift."""


DRIFT = frozenset(Difference) - {Difference.REFUSED, Difference.OTHER}
"""The differences that a load, or who is asked, can depend on."""


def difference(known: Conversation | None, listed: dict[str, Any]) -> Difference | None:
    """How `known` differs from an open conversation of Intercom's list; None where it does not."""
    if known is None or known.deleted:
        return Difference.UNKNOWN
    if payload.seconds(listed.get("updated_at"), 0) < known.order.updated_at:
        return Difference.OTHER
    if listed.get("state") != known.phase:
        return Difference.STATE
    if numeric_id(listed.get("admin_assignee_id")) != known.assignee:
        return Difference.OWNER
    if numeric_id(listed.get("team_assignee_id")) != known.team:
        return Difference.TEAM
    if known.failed is not None:
        return Difference.REFUSED
    return Difference.OTHER if listed.get("updated_at") != known.order.updated_at else None


def hidden(known: Conversation | None, shown: SeenConversation) -> Difference | None:
    """What a list does not show: a note or a tag that sets another weight than is known."""
    if known is None:
        return Difference.UNKNOWN
    newer = shown.note is not None and (known.note is None or shown.note > known.note)
    return Difference.WEIGHT if newer or shown.tag != known.tag else None


def under_way(updated_at: object, now: int) -> bool:
    """Whether a change of that second may still be told of by a webhook."""
    return not isinstance(updated_at, int) or updated_at > now - UNDER_WAY
