"""Typed ids. A workspace id names its cell; everything Intercom numbers is a positive 64-bit integer."""

import re
from typing import NewType

CellId = NewType("CellId", str)
WorkspaceId = NewType("WorkspaceId", str)
ConversationId = NewType("ConversationId", int)
EngineerId = NewType("EngineerId", int)
PersonId = NewType("PersonId", int)
TeamId = NewType("TeamId", int)
TopicId = NewType("TopicId", str)
Position = NewType("Position", int)

_CELL = re.compile(r"[a-z][a-z0-9-]{0,30}")
_APP_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LARGEST = 2**63 - 1


def workspace_id(cell: CellId, app_id: str) -> WorkspaceId:
    """The workspace of Intercom's `app_id` in `cell`, as `cell.app_id`. Raises ValueError on a malformed part."""
    if not _CELL.fullmatch(cell):
        raise ValueError(f"cell {cell!r} must be lower-case letters, digits and dashes")
    if not _APP_ID.fullmatch(app_id):
        raise ValueError("an Intercom app id has 1 to 64 letters, digits, dashes or underscores")
    return WorkspaceId(f"{cell}.{app_id}")


def workspace_in(text: str) -> WorkspaceId | None:
    """The workspace that `text` names; None where it cannot be one's id."""
    cell, _, app_id = text.partition(".")
    return WorkspaceId(text) if _CELL.fullmatch(cell) and _APP_ID.fullmatch(app_id) else None


def numeric_id(value: object) -> int | None:
    """Intercom's id as a positive integer; None for anything else. `0`, `"0"` and null all mean nobody."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) <= 19):
            return None
        value = int(value)
    if isinstance(value, int) and 0 < value <= _LARGEST:
        return value
    return None
