"""Arrays for PostgreSQL, encoded at once: on the hot path, encoding them element by element is most of the cost.

The format is that of PostgreSQL's array_recv: dimensions, flags, element type; length and lower bound; each element.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

TEXT_ARRAY, BYTEA_ARRAY = 1009, 1001
"""The types' oids."""

_HEAD = struct.Struct("!iiIii")
_length = struct.Struct("!i").pack
_TEXT, _BYTEA = 25, 17


def text_array(texts: Iterable[str]) -> bytes:
    """`texts` as one binary parameter. Raises UnicodeEncodeError for what is no Unicode text."""
    return _encoded(_TEXT, [text.encode() for text in texts])


def bytea_array(values: Iterable[bytes]) -> bytes:
    """`values` as one binary parameter."""
    return _encoded(_BYTEA, list(values))


def _encoded(element_type: int, elements: list[bytes]) -> bytes:
    parts = [_HEAD.pack(1, 0, element_type, len(elements), 1)]
    for element in elements:
        parts += (_length(len(element)), element)
    return b"".join(parts)
