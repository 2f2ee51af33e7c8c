"""A table of a policy as it is read: each key by its kind; a mistake is refused by name, with what to write instead."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import NoReturn, cast

from steelyard.kit.errors import PolicyError


class Table:
    """The table at `path` of a TOML document. Whoever has read all its keys calls `finish`, which refuses the rest."""

    def __init__(self, path: str, values: Mapping[str, object]) -> None:
        self.path = path
        self._values = values
        self._known: set[str] = set()

    def refuse(self, key: str, wrong: str, write: str) -> NoReturn:
        """Raises PolicyError: where (this table and `key`), what is `wrong`, what to `write`."""
        place = f"[{self.path}] {key}" if self.path else f"[{key}]"
        raise PolicyError(f"policy.toml, {place.strip()}: {wrong}. Write {write}.")

    def number(self, key: str, most: int, default: int | None) -> int:
        """A whole number from 1 to `most`."""
        value = self._value(key, default, f"a whole number from 1 to {most}, such as {key} = {default or 2}")
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            self.refuse(
                key, f"{_shown(value)} is no whole number from 1 to {most}", f"{key} = {default or 2}, for example"
            )
        return value

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        value = self._value(key, default, "")
        if not isinstance(value, bool):
            self.refuse(key, f"{_shown(value)} is neither true nor false", f"{key} = true, or {key} = false")
        return value

    def choice(self, key: str, options: Sequence[str], default: str | None) -> str:
        """One of the words in `options`."""
        listed = ", ".join(f'"{each}"' for each in options)
        value = self._value(key, default, f"one of {listed}")
        if not isinstance(value, str) or value not in options:
            self.refuse(key, f"{_shown(value)} is not known here", f"one of {listed}")
        return value

    def table(self, key: str) -> "Table":
        """The table under `key`; an absent one is empty."""
        value = self._value(key, {}, "")
        if not isinstance(value, dict):
            self.refuse(key, f"{_shown(value)} is not a table", f"[{self._below(key)}] and its keys on the lines below")
        return Table(self._below(key), cast("dict[str, object]", value))

    def tables(self) -> "dict[str, Table]":
        """All of this table's keys, each a table."""
        return {key: self.table(key) for key in self._values}

    def texts(self, key: str) -> dict[str, str]:
        """A text for each language."""
        table = self.table(key)
        texts: dict[str, str] = {}
        for language, text in table._values.items():
            if not isinstance(text, str) or not text.strip():
                table.refuse(language, f"{_shown(text)} is no text", f'{language} = "..."')
            texts[language] = text
        return texts

    def strings(self, key: str) -> list[str]:
        """A list of texts."""
        value = self._value(key, [], "")
        if not isinstance(value, list) or not all(isinstance(each, str) for each in cast("list[object]", value)):
            self.refuse(key, f"{_shown(cast(object, value))} is no list of texts", f'{key} = ["certificate is fine"]')
        return cast("list[str]", value)

    def points(self, key: str, most: int) -> list[tuple[str, int]]:
        """Texts and the points of each, from 1 to `most`."""
        table = self.table(key)
        found: list[tuple[str, int]] = []
        for phrase, points in table._values.items():
            if not isinstance(points, int) or isinstance(points, bool) or not 1 <= points <= most:
                wrong = f"{_shown(points)} is no number of points from 1 to {most}"
                table.refuse(f'"{phrase}"', wrong, f'"{phrase}" = 2, quoted because of spaces, dots and stars')
            found.append((phrase, points))
        return found

    def finish(self) -> None:
        """Refuses the keys that nobody asked for: a misspelt key must not be silently without effect."""
        for key in self._values:
            if key not in self._known:
                close = get_close_matches(key, self._known, n=1)
                write = close[0] if close else "one of " + ", ".join(sorted(self._known)) if self._known else "nothing"
                self.refuse(key, "no such key", write)

    def _value(self, key: str, default: object, write: str) -> object:
        self._known.add(key)
        value = self._values.get(key, default)
        if value is None:
            self.refuse(key, "is missing", write)
        return value

    def _below(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key


def _shown(value: object) -> str:
    """A value of the document, short enough for a message."""
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
