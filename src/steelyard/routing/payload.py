"""Reading JSON that anybody may have written: every question has an answer, whatever the value is."""

from __future__ import annotations

import re
from html import unescape
from typing import Any, TypeGuard

LONGEST_TEXT = 20_000
"""Characters of a text that are read. The rest weighs nothing."""

_LATEST = 2**37
"""In the year 6325: a calendar ends with the year 9999, and some zones are ahead of UTC."""
_TAG = re.compile(r"<(/?[a-zA-Z][^<>]{0,2000}|!--[^<>]{0,2000})>")
_BREAK = re.compile(r"<(?:br|/p|/div|/li|/h[1-6]|/tr)\b[^<>]{0,200}>", re.IGNORECASE)
_BLANKS = re.compile(r"[ \t\r\f\v]+")


def is_mapping(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether `value` is a JSON object."""
    return isinstance(value, dict)


def mapping(value: object) -> dict[str, Any]:
    """`value` where it is a JSON object, else an empty one."""
    return value if is_mapping(value) else {}


def elements(value: object) -> list[object]:
    """What is in `value` where it is an array, else nothing."""
    return value if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]


def mappings(value: object, most: int = 500) -> list[dict[str, Any]]:
    """The JSON objects among the first `most` of the array `value`; none where it is no array."""
    return [each for each in elements(value)[:most] if is_mapping(each)]


def text(value: object, longest: int = LONGEST_TEXT) -> str:
    """`value` where it is a text, cut to `longest`, without what PostgreSQL cannot store; else empty."""
    if not isinstance(value, str):
        return ""
    return value[:longest].replace("\x00", "").encode("utf-8", "replace").decode()


def plain(value: object) -> str:
    """The text of `value` without its HTML tags, which API versions before 2.15 send. Plain text stays as it is."""
    found = text(value)
    if not _TAG.search(found):
        return found
    found = unescape(_TAG.sub("", _BREAK.sub("\n", found)))
    return text(_BLANKS.sub(" ", found).strip())


def seconds(value: object, otherwise: int, latest: int = _LATEST) -> int:
    """`value` as a time since 1970, in seconds unless `latest` says otherwise, where it can be; else `otherwise`."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < latest:
        return value
    return otherwise


def flag(value: object) -> bool | None:
    """`value` where it is true or false, else None."""
    return value if isinstance(value, bool) else None
