"""Evidence on a page as a companion sends it, checked: all of it comes from outside. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final, cast

from steelyard.companion.hosts import Evidence

_MOST: Final = 500
_LONGEST: Final = 8192
_TEXTS: Final = ("url", "why", "ip", "source", "site")
_LISTS: Final = ("a", "aaaa", "cname", "ns")


class Unreadable(ValueError):
    """A field that cannot be read; the message is its name."""


def evidence_in(sent: Mapping[str, Any]) -> Evidence:
    """The evidence in an object of JSON. Raises Unreadable. Fields that are not known here are not looked at."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Evidence):
        if field.name in sent:
            values[field.name] = _read(field.name, sent[field.name])
    if "url" not in values:
        raise Unreadable("url")
    return Evidence(**values)


def _read(name: str, value: object) -> object:
    if name in _TEXTS and isinstance(value, str) and len(value) <= _LONGEST:
        return value
    if name == "seen" and isinstance(value, bool):
        return value
    if name == "status" and isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1000:
        return value
    if name in _LISTS and _is_list(value) and all(map(_is_text, cast("list[object]", value))):
        return tuple(cast("list[str]", value))
    if name == "headers" and _is_list(value) and all(map(_is_pair, cast("list[object]", value))):
        return tuple((pair[0], pair[1]) for pair in cast("list[list[str]]", value))
    raise Unreadable(name)


def _is_list(value: object) -> bool:
    return isinstance(value, list) and len(cast("list[object]", value)) <= _MOST


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST


def _is_pair(value: object) -> bool:
    return _is_list(value) and len(cast("list[object]", value)) == 2 and all(map(_is_text, cast("list[object]", value)))
