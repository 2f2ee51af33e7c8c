"""Arrays for PostgreSQL, encoded at once: on the hot path, encoding them element by element is most of the cost.

The format is that of PostgreSQL's array_recv: dimensions, flags, element type; length and lower bound; each element.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

from psycopg import AsyncConnection, pq
from psycopg.abc import Buffer
from psycopg.adapt import Dumper

_HEAD = struct.Struct("!iiIii")
_length = struct.Struct("!i").pack
_TEXT, _BYTEA = 25, 17
_TEXT_ARRAY, _BYTEA_ARRAY = 1009, 1001


class TextArray(bytes):
    """An encoded `text[]`."""


class ByteaArray(bytes):
    """An encoded `bytea[]`."""


def text_array(texts: Iterable[str]) -> TextArray:
    """`texts` as one parameter. Raises UnicodeEncodeError for what is no Unicode text."""
    return TextArray(_encoded(_TEXT, [text.encode() for text in texts]))


def bytea_array(values: Iterable[bytes]) -> ByteaArray:
    """`values` as one parameter."""
    return ByteaArray(_encoded(_BYTEA, list(values)))


def register(conn: AsyncConnection[Any]) -> None:
    """Lets `conn` take these arrays as parameters."""
    conn.adapters.register_dumper(TextArray, _TextArrayDumper)
    conn.adapters.register_dumper(ByteaArray, _ByteaArrayDumper)


def _encoded(element_type: int, elements: list[bytes]) -> bytes:
    parts = [_HEAD.pack(1, 0, element_type, len(elements), 1)]
    for element in elements:
        parts += (_length(len(element)), element)
    return b"".join(parts)


class _TextArrayDumper(Dumper):
    format = pq.Format.BINARY
    oid = _TEXT_ARRAY

    def dump(self, obj: Buffer) -> Buffer:
        return obj


class _ByteaArrayDumper(_TextArrayDumper):
    oid = _BYTEA_ARRAY
