"""Intercom's notifications, as small as they can be."""

from __future__ import annotations

import json
from typing import Any

CREATED = "conversation.user.created"
BEGAN = 1_700_000_000


def conversation(id: int, *, updated_at: int = BEGAN, **changes: Any) -> dict[str, Any]:
    """A conversation as Intercom shows it."""
    shown: dict[str, Any] = {
        "type": "conversation",
        "id": str(id),
        "created_at": BEGAN,
        "updated_at": updated_at,
        "state": "open",
        "open": True,
        "admin_assignee_id": 0,
        "team_assignee_id": 0,
        "priority": "none",
        "tags": {"type": "tag.list", "tags": []},
        "custom_attributes": {},
        "source": {
            "type": "conversation",
            "subject": "",
            "body": "Our nameservers",
            "author": {"type": "user", "name": "Ann"},
        },
        "conversation_parts": {"type": "conversation_part.list", "conversation_parts": []},
    }
    return shown | changes


def admin(id: int, **changes: Any) -> dict[str, Any]:
    """A teammate as Intercom shows them."""
    shown: dict[str, Any] = {
        "type": "admin",
        "id": str(id),
        "name": f"Engineer {id}",
        "email": f"e{id}@example.test",
        "away_mode_enabled": False,
        "away_mode_reassign": False,
        "has_inbox_seat": True,
        "team_ids": [],
    }
    return shown | changes


def tag(name: str, applied_at: int = BEGAN) -> dict[str, Any]:
    return {"type": "tag", "id": "1", "name": name, "applied_at": applied_at}


def note(body: str, created_at: int = BEGAN, id: int = 1) -> dict[str, Any]:
    return {
        "type": "conversation_part",
        "id": str(id),
        "part_type": "note",
        "body": body,
        "created_at": created_at,
        "author": {"type": "admin", "id": "1"},
    }


def with_parts(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"conversation_parts": {"type": "conversation_part.list", "conversation_parts": list(parts)}}


def with_tags(*tags: dict[str, Any]) -> dict[str, Any]:
    return {"tags": {"type": "tag.list", "tags": list(tags)}}


def notification(
    topic: str, item: dict[str, Any], *, id: str, created_at: int | None = None, app_id: str = "a86dr8yl"
) -> bytes:
    """The body of a webhook."""
    at = created_at if created_at is not None else item.get("updated_at", BEGAN)
    return json.dumps(
        {
            "type": "notification_event",
            "id": id,
            "topic": topic,
            "app_id": app_id,
            "created_at": at,
            "data": {"type": "notification_event_data", "item": item},
        }
    ).encode()


def roster(admins: list[dict[str, Any]], teams: list[dict[str, Any]] | None = None, at: int = BEGAN) -> bytes:
    """What reading the roster puts into the inbox."""
    return json.dumps(
        {"topic": "steelyard.roster", "id": f"roster {at}", "created_at": at, "admins": admins, "teams": teams or []}
    ).encode()
