"""Intercom's REST calls: what each reads from a call, does, and answers."""

from steelyard.demo.intercom.model import Json
from steelyard.demo.intercom.rest import conversations, directory, tickets

ROUTES = (*directory.ROUTES, *tickets.ROUTES, *conversations.ROUTES)

# One path for many things: what is done is named by the body.
_BY_TYPE = {
    ("part", "assignment"): "assign",
    ("part", "close"): "close",
    ("part", "snoozed"): "snooze",
    ("part", "open"): "open",
    ("reply", "note"): "note",
}

OPERATIONS = frozenset({route.name for route in ROUTES} | set(_BY_TYPE.values()))
"""The names of all that can be called, which are those of Steelyard's client where it makes the call, too."""


def operation_of(route: str, body: Json) -> str:
    """What a call of that route with that body does."""
    return _BY_TYPE.get((route, str(body.get("message_type"))), route)
