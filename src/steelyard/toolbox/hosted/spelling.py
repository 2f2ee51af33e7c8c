"""Names of files as texts that any table, page and argument can hold, and back. Customers chose them: hostile text.

Spelled, a name is printable and has no line break: odd bytes and control characters are `\\xHH`, `\\uHHHH` or
`\\UHHHHHHHH`, a backslash is two. Other texts stand as they are.
"""

from __future__ import annotations

import re

_WRITTEN = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(\\))")
_ODD = 0xDC00
"""Where os.fsdecode puts bytes that are no UTF-8."""


def spelled(name: str) -> str:
    """A name, as os.fsdecode gives it, written so that it can stand anywhere."""
    if name.isprintable() and "\\" not in name:
        return name
    return "".join(map(_letter, name))


def meant(text: str) -> str:
    """The name that is spelled so: the inverse of `spelled`. What is no escape stays as it is."""
    return _WRITTEN.sub(_read, text) if "\\" in text else text


def _letter(each: str) -> str:
    if each == "\\":
        return "\\\\"
    code = ord(each)
    if each.isprintable():
        return each
    if code < 0x80:
        return f"\\x{code:02x}"
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - _ODD:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _read(match: re.Match[str]) -> str:
    byte, short, long, slash = match.groups()
    if slash:
        return slash
    if byte:
        code = int(byte, 16)
        return chr(code if code < 0x80 else code + _ODD)
    code = int(short or long, 16)
    return chr(code) if code < 0x110000 else match[0]
