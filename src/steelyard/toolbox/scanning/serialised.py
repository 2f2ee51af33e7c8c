"""What PHP's `serialize` wrote, read without PHP: texts, numbers, arrays, objects as arrays. Pure, bounded."""

from __future__ import annotations

from typing import Any

_MOST_VALUES = 20_000
_DEEPEST = 30


class Unreadable(ValueError):
    """It is not what `serialize` writes, or more than is read."""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at, self._left = data, 0, _MOST_VALUES

    def value(self, depth: int = 0) -> Any:
        self._left -= 1
        if self._left < 0 or depth > _DEEPEST:
            raise Unreadable("too much")
        kind = self._data[self._at : self._at + 2]
        self._at += 2
        match kind:
            case b"N;":
                return None
            case b"b:" | b"i:" | b"d:" | b"R:" | b"r:":
                return self._number(kind)
            case b"s:":
                return self._text(b";")
            case b"a:":
                return self._array(depth)
            case b"O:" | b"C:" | b"E:":
                return self._object(kind, depth)
            case _:
                raise Unreadable("no value")

    def _until(self, end: bytes) -> bytes:
        found = self._data.find(end, self._at, self._at + 64)
        if found < 0:
            raise Unreadable("no end")
        part = self._data[self._at : found]
        self._at = found + len(end)
        return part

    def _number(self, kind: bytes) -> Any:
        text = self._until(b";").decode("ascii", "replace")
        try:
            return float(text) if kind == b"d:" else bool(int(text)) if kind == b"b:" else int(text)
        except ValueError:
            raise Unreadable("no number") from None

    def _length(self, end: bytes) -> int:
        text = self._until(end)
        if not text.isdigit() or len(text) > 9:
            raise Unreadable("no length")
        return int(text)

    def _text(self, end: bytes) -> str:
        length = self._length(b":")
        start = self._at + 1
        if self._data[self._at : start] != b'"' or self._data[start + length : start + length + 1] != b'"':
            raise Unreadable("no text")
        self._at = start + length + 1
        if self._data[self._at : self._at + len(end)] != end:
            raise Unreadable("no end of a text")
        self._at += len(end)
        return self._data[start : start + length].decode("utf-8", "replace")

    def _array(self, depth: int) -> dict[Any, Any]:
        count = self._length(b":")
        self._expect(b"{")
        found: dict[Any, Any] = {}
        for _ in range(count):
            key = self.value(depth + 1)
            if not isinstance(key, str | int):
                raise Unreadable("no key")
            found[key] = self.value(depth + 1)
        self._expect(b"}")
        return found

    def _object(self, kind: bytes, depth: int) -> dict[Any, Any]:
        if kind != b"O:":
            raise Unreadable("an object of its own making")
        name = self._text(b":")
        return {"object": name, **{str(key): each for key, each in self._array(depth).items()}}

    def _expect(self, mark: bytes) -> None:
        if self._data[self._at : self._at + len(mark)] != mark:
            raise Unreadable("no array")
        self._at += len(mark)

    def ended(self) -> bool:
        return self._at == len(self._data)


def read(text: str) -> Any:
    """The value. Arrays are dicts; an object is one, with its class under `object`. Raises Unreadable."""
    reader = _Reader(text.encode("utf-8", "replace"))
    found = reader.value()
    if not reader.ended():
        raise Unreadable("more behind the value")
    return found
