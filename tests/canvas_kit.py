"""Canvas Kit's objects as Intercom documents them: the API description (2.16) does not hold them."""

from __future__ import annotations

from typing import Any

LARGEST = 64 * 1024
"""Bytes of `content` and of `stored_data`, each."""

_TEXT = {"header", "paragraph", "muted", "error"}
_BUTTON = {"primary", "secondary", "link"}
_SIZES = {"xs", "s", "m", "l", "xl"}


def problems(answer: Any) -> list[str]:
    """What Intercom would not accept of an answer to initialize or submit."""
    match answer:
        case {"canvas": {"content": {"components": list(components)}, "stored_data": dict()}, **rest} if not rest:
            found = [each for number, each in enumerate(components) if not _is_component(each)]
            ids = [each["id"] for each in components if "id" in each]
            doubled = [f"the id {each} twice" for each in ids if ids.count(each) > 1]
            return [f"not a component: {each}" for each in found] + doubled
        case _:
            return [f"not a canvas: {answer}"]


def _is_component(component: Any) -> bool:
    match component:
        case {"type": "text", "text": str(text), "style": style, **rest}:
            return bool(text) and style in _TEXT and not rest
        case {"type": "spacer", "size": size, **rest}:
            return size in _SIZES and not rest
        case {"type": "data-table", "items": [*items], **rest}:
            return bool(items) and all(map(_is_row, items)) and not rest
        case {"type": "button", "id": str(), "label": str(label), "style": style, "action": action, **rest}:
            return bool(label) and style in _BUTTON and _is_action(action) and not rest
        case _:
            return False


def _is_row(row: Any) -> bool:
    match row:
        case {"type": "field-value", "field": str(field), "value": str(value), **rest}:
            return bool(field) and bool(value) and not rest
        case _:
            return False


def _is_action(action: Any) -> bool:
    match action:
        case {"type": "submit", **rest}:
            return not rest
        case {"type": "url", "url": str(url), **rest}:
            return url.startswith(("https://", "http://")) and not rest
        case _:
            return False
