"""What a host says, made fit to be kept and shown. All of it is hostile text. Pure.

A file's name is bytes, and need be no UTF-8. Inside, such a byte is one character of a range for private use, U+EF80 to
U+EFFF: unlike Python's surrogates it can be stored in PostgreSQL and sent as JSON. `sent(received(name)) == name`.
"""

from __future__ import annotations

import json
import math
import re
from typing import cast

from steelyard.toolbox.model import Json

_RAW = 0xEF00
"""Plus a byte from 128 on: the character that stands for it."""
_ODD = re.compile("[\0\ud800-\udfff\uef80-\uefff]")
_STOOD_FOR = re.compile("[\uef80-\uefff]+")
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
"""What moves the cursor, turns the direction of writing, or is not seen at all."""

LINE = 4000
"""Characters of a told line."""


class Foreign(ValueError):
    """What a host sent is not what it may send."""


def parse(line: bytes) -> dict[str, Json]:
    """A message of a host. Raises Foreign for anything that is no JSON object, or holds what cannot be stored."""
    try:
        message = json.loads(line, parse_constant=_refused)
        if not isinstance(message, dict):
            raise Foreign("it is no object")
        return cast("dict[str, Json]", received(message))
    except (ValueError, RecursionError) as error:
        raise Foreign(f"the host sent no message: {type(error).__name__}") from None


def _refused(constant: str) -> None:
    raise Foreign(f"{constant} is no number")


def received(value: Json) -> Json:
    """A JSON value as a host sent it, such that it can be stored: odd bytes of names stand as private characters."""
    match value:
        case str():
            return value if value.isascii() and "\0" not in value else _ODD.sub(_stored, value)
        case dict():
            return {received(key): received(each) for key, each in cast("dict[str, Json]", value).items()}
        case list():
            return [received(each) for each in cast("list[Json]", value)]
        case float() if not math.isfinite(value):
            raise Foreign("a number is too large")
        case _:
            return value


def _stored(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code == 0:
        return "\u2400"
    if 0xDC80 <= code <= 0xDCFF:
        return chr(_RAW + code - 0xDC00)
    if code >= _RAW:  # it stands for itself in a name: its bytes stand for it
        return "".join(chr(_RAW + byte) for byte in found[0].encode())
    return "\ufffd"


def sent(value: Json) -> Json:
    """A JSON value as a host takes it: the inverse of `received`, for names with odd bytes."""
    match value:
        case str():
            return value if value.isascii() else _STOOD_FOR.sub(_bytes, value)
        case dict():
            return {sent(key): sent(each) for key, each in cast("dict[str, Json]", value).items()}
        case list():
            return [sent(each) for each in cast("list[Json]", value)]
        case _:
            return value


def _bytes(found: re.Match[str]) -> str:
    return bytes(ord(each) - _RAW for each in found[0]).decode("utf-8", "surrogateescape")


def visible(text: str) -> str:
    """A text as a person can read it: no escape code works, no character is unseen, odd bytes are written as \\x.."""
    return _STOOD_FOR.sub(_written_bytes, _UNSEEN.sub(_written, text))


def _written(found: re.Match[str]) -> str:
    code = ord(found[0])
    return chr(0x2400 + code) if code < 0x20 else f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _written_bytes(found: re.Match[str]) -> str:
    data = bytes(ord(each) - _RAW for each in found[0])
    return "".join(
        each if ord(each) < 0xD800 or ord(each) > 0xDFFF else f"\\x{ord(each) - 0xDC00:02x}"
        for each in data.decode("utf-8", "surrogateescape")
    )


def lines(text: str) -> list[str]:
    """A told text as lines that can be shown, each cut to a length."""
    return [visible(each[:LINE] + ("…" if len(each) > LINE else "")) for each in text.split("\n")]
