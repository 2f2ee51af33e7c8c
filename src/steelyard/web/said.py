"""Texts of the product's own, declared where they are used and said in the reader's language when drawn. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple


class Message(str):
    """A text of the product's own. Drawn, it is said in the reader's language; any other text stays as it is."""

    __slots__ = ()


N_ = Message
"""Marks a text for the catalogs where it is declared: `Column("at", N_("Decided"), ...)`."""


class Said(NamedTuple):
    """A message with what stands in its places: `Said(N_("%(name)s is no number."), {"name": "x"})`."""

    message: str
    values: Mapping[str, object] = {}


class Size(NamedTuple):
    """Bytes, written as `110 MB` in the reader's language."""

    bytes: int


class Millis(NamedTuple):
    """Milliseconds, written as `0.35 s` in the reader's language."""

    ms: float


def term(text: object, translate: Callable[[str], str], write: Callable[[object], str] = str) -> str:
    """`text` as it is drawn: a Message or a Said through `translate`, all else as `write` writes it."""
    if isinstance(text, Said):
        values = {name: term(each, translate, write) for name, each in text.values.items()}
        return term(text.message, translate, write) % values
    return translate(text) if isinstance(text, Message) and text else write(text)
