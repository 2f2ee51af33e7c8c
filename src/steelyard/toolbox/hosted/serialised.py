"""Another address in a value of a database: as text, and inside of what PHP serialized, whose lengths stay right. Pure.

A value that looks serialized and cannot be read whole is left as it is, to the byte: PHP could not read it either, and
what it meant nobody knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

_LOOKS = re.compile(rb"\s*(?:a:\d+:\{|[OCsES]:\d+:[\"{])")
_NUMBER = re.compile(rb"([+-]?\d{1,20}):")
_SCALAR = re.compile(rb"(?:N|b:[01]|i:[+-]?\d{1,20}|d:[0-9.eE+INFA-]{1,40}|[rR]:\d{1,20});")
_DEEPEST = 100


class Changed(NamedTuple):
    """A value with the other address in it."""

    value: bytes
    places: int
    """How many places are other ones."""
    broken: bool
    """Whether it looks serialized, holds the address, and was left as it is."""
    keys: int
    """Of them are left: places in the keys of arrays and the names of properties, which plugins look up."""


class Address:
    """Finds one address in bytes, in the forms in which it is written, and puts another in its place.

    Of a URL: plain, as JSON has it (`https:\\/\\/`) and as addresses have it in themselves (`%3A%2F%2F`). Of a domain:
    where it is a whole name, so neither in a longer one nor after the @ of an e-mail.
    """

    def __init__(self, before: str, after: str) -> None:
        self.needle = re.sub(r"\A\w+://", "", before).split("/")[0].split(":")[0]
        """What stands in every form of it: a domain."""
        start, ends, self._forms = _STARTS, _ENDS, {before.encode(): after.encode()}
        if "://" in before:
            start, self._forms = b"", _forms(before, after)
            ends = _ENDS_OF_PATH if "/" in before.split("://", 1)[1] else _ENDS_OF_HOST
        forms = b"|".join(re.escape(each) for each in sorted(self._forms, key=len, reverse=True))
        self._pattern = re.compile(start + b"(?:" + forms + b")" + ends)

    def put(self, text: bytes) -> tuple[bytes, int]:
        """The text with the other address, and in how many places."""
        return self._pattern.subn(lambda found: self._forms[found.group()], text)

    def found(self, text: bytes) -> int:
        """In how many places it stands."""
        return sum(1 for _ in self._pattern.finditer(text))

    def around(self, text: bytes) -> tuple[str, str]:
        """The first place with a little of what is around it, before and after."""
        found = self._pattern.search(text)
        if found is None:
            return "", ""
        start, end = max(0, found.start() - 20), found.end() + 20
        piece = text[start:end]
        return piece.decode("utf-8", "replace"), self.put(piece)[0].decode("utf-8", "replace")


_STARTS = rb"(?:(?<![\w.@-])|(?<=%2[Ff])|(?<=\\[nrt]))"
_ENDS = rb"(?![A-Za-z0-9-]|\.[A-Za-z0-9])"
_ENDS_OF_HOST = _ENDS + rb"(?!:\d|%3[Aa]\d)"
_ENDS_OF_PATH = rb"(?![A-Za-z0-9_-])"


def _forms(before: str, after: str) -> dict[bytes, bytes]:
    def percent(text: str, small: bool) -> str:
        colon, slash = ("%3a", "%2f") if small else ("%3A", "%2F")
        return text.replace(":", colon).replace("/", slash)

    pairs = [(before, after), (before.replace("/", "\\/"), after.replace("/", "\\/"))]
    pairs += [(percent(before, small), percent(after, small)) for small in (False, True)]
    return {old.encode(): new.encode() for old, new in pairs}


def change(value: bytes, address: Address) -> Changed:
    """`value` with the other address, wherever it may stand in it."""
    if not address.found(value):
        return Changed(value, 0, broken=False, keys=0)
    reading = _Reading(address)
    fresh = reading.text(value, 0)
    return Changed(fresh, reading.count, reading.broken, reading.keys)


class _Odd(Exception):
    """This is nothing that PHP serialized."""


class _Reading:
    """Reads one value, counting."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self.count = self.keys = 0
        self.broken: bool = False

    def text(self, value: bytes, depth: int) -> bytes:
        """A text: serialized or not."""
        if _LOOKS.match(value) is None:
            fresh, count = self._address.put(value)
            self.count += count
            return fresh
        before = self.count, self.keys, self.broken
        try:
            return self._whole(value, depth)
        except _Odd:
            self.count, self.keys, self.broken = before
            self.broken = self.broken or bool(self._address.found(value))
            return value

    def _whole(self, value: bytes, depth: int) -> bytes:
        core = value.strip()
        start = value.index(core)
        pieces: list[bytes] = []
        if self._value(core, 0, pieces, depth) != len(core):
            raise _Odd
        return value[:start] + b"".join(pieces) + value[start + len(core) :]

    def _value(self, data: bytes, at: int, pieces: list[bytes], depth: int) -> int:
        """Reads one value from `at`, adds it to `pieces`; where it ends."""
        if depth > _DEEPEST:
            raise _Odd
        kind = data[at : at + 2]
        readers: dict[bytes, Callable[[bytes, int, list[bytes], int], int]] = {
            b"s:": self._string,
            b"a:": self._array,
            b"O:": self._object,
            b"C:": self._opaque,
            b"E:": self._opaque,
        }
        if kind in readers:
            return readers[kind](data, at, pieces, depth)
        scalar = _SCALAR.match(data, at)
        if scalar is None:
            raise _Odd
        pieces.append(scalar.group())
        return scalar.end()

    def _string(self, data: bytes, at: int, pieces: list[bytes], depth: int) -> int:
        text, end = _quoted(data, at + 2)
        if data[end : end + 1] != b";":
            raise _Odd
        fresh = self.text(text, depth + 1)
        pieces.append(b's:%d:"%s";' % (len(fresh), fresh))
        return end + 1

    def _array(self, data: bytes, at: int, pieces: list[bytes], depth: int) -> int:
        count, place = _number(data, at + 2)
        pieces.append(data[at:place])
        return self._members(data, place, count, pieces, depth)

    def _object(self, data: bytes, at: int, pieces: list[bytes], depth: int) -> int:
        _, end = _quoted(data, at + 2)
        if data[end : end + 1] != b":":
            raise _Odd
        count, place = _number(data, end + 1)
        pieces.append(data[at:place])
        return self._members(data, place, count, pieces, depth)

    def _members(self, data: bytes, at: int, count: int, pieces: list[bytes], depth: int) -> int:
        if data[at : at + 1] != b"{" or count < 0:
            raise _Odd
        pieces.append(b"{")
        at += 1
        for _ in range(count):
            at = self._key(data, at, pieces)
            at = self._value(data, at, pieces, depth + 1)
        if data[at : at + 1] != b"}":
            raise _Odd
        pieces.append(b"}")
        return at + 1

    def _key(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        """A key stays as it is: its plugin looks it up by what it was."""
        end = at
        if data[at : at + 2] == b"s:":
            text, end = _quoted(data, at + 2)
            self.keys += self._address.found(text)
            end += data[end : end + 1] == b";"
        elif data[at : at + 2] == b"i:":
            scalar = _SCALAR.match(data, at)
            end = scalar.end() if scalar else at
        if end == at or data[end - 1 : end] != b";":
            raise _Odd
        pieces.append(data[at:end])
        return end

    def _opaque(self, data: bytes, at: int, pieces: list[bytes], _: int) -> int:
        """A case of an enumeration; or what a class wrote in a way of its own, which only that class can read."""
        name, end = _quoted(data, at + 2)
        if data[at : at + 1] == b"C":
            size, start = _number(data, end + 1)
            name, end = data[start + 1 : start + 1 + size], start + 2 + size
            if size < 0 or data[start : start + 1] != b"{" or data[end - 1 : end] != b"}":
                raise _Odd
        else:
            end += 1
            if data[end - 1 : end] != b";":
                raise _Odd
        if self._address.found(name):
            raise _Odd
        pieces.append(data[at:end])
        return end


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number that a colon follows, and where that ends."""
    found = _NUMBER.match(data, at)
    if found is None:
        raise _Odd
    return int(found.group(1)), found.end()


def _quoted(data: bytes, at: int) -> tuple[bytes, int]:
    """A text as `5:"hello"`, and where it ends."""
    size, place = _number(data, at)
    end = place + 1 + size
    if size < 0 or data[place : place + 1] != b'"' or data[end : end + 1] != b'"':
        raise _Odd
    return data[place + 1 : end], end + 1
