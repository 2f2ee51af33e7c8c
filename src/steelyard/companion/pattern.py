r"""The regular expressions that a rule may have: those of which it can be told beforehand that they end soon.

They mean the same in every language. Pure; the same as extension/lib/pattern.js.

Letters and digits, `.`, `\d \w \s` (and their opposites), signs after `\`, `[classes]`, `^ $`, `(a|b)`, and
`? * + {2,5}` after one character; after a group only `?`. Upper and lower case are one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Wrong = Literal["long", "nested", "foreign", "unreadable", "slow"]

MOST_PATTERN = 200
MOST_VALUE = 256
"""Characters of a value that a pattern is tried on."""
_DEPTH = 4
_STEPS = 2**20

_SIGN = r"\\[!-/:-@\[-`{-~]|\\[dDwWsS]"
_INSIDE = rf"(?:[0-9]-[0-9]|[a-z]-[a-z]|[A-Z]-[A-Z]|{_SIGN}|[A-Za-z0-9 !\"#$%'()*+,./:;<=>?@_`{{}}])"
_TOKEN = re.compile(
    rf"({_SIGN}|\[\^?(?:-?{_INSIDE}+-?|-)\]|[A-Za-z0-9 !\"#%&',/:;<=>@_`~.-])"
    r"|([?*+]|\{[0-9]{1,2}(?:,[0-9]{0,2})?\})|\((?!\?)|\(\?:|[)|^$]"
)
_FOREIGN = re.compile(r"\\[A-Za-z0-9]|\(\?")
_UNPRINTABLE = re.compile(r"[^ -~]+")


@dataclass(slots=True)
class _Level:
    """One level of a pattern while it is read."""

    others: int = 0
    """In how many ways the alternatives before this one match."""
    ways: int = 1
    """In how many what was read of this one does, without `last`."""
    last: int = 0
    """In how many its last part does; 0 where there is none that may be repeated."""
    group: bool = False
    """Whether the last part is a group."""
    empty: bool = True
    """Whether nothing was read of this alternative yet."""
    anchored: bool = True
    """Whether all alternatives until here begin with ^."""

    def all(self) -> int:
        return self.others + self.ways * (self.last or 1)

    def part(self, last: int, group: bool) -> None:
        self.ways *= self.last or 1
        self.last, self.group, self.empty = last, group, False

    def alternative(self) -> None:
        self.others, self.ways, self.last = self.all(), 1, 0
        self.group, self.empty = False, True


def steps(pattern: str) -> int | Wrong:
    """How many steps trying the pattern takes at most; else in a word why it cannot be one.

    `foreign`: signs that other languages read otherwise, or that look around or back. The empty pattern matches all.
    """
    if len(pattern) > MOST_PATTERN:
        return "long"
    if pattern == "":
        return 1
    levels = [_Level()]
    length = at = 0
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if token is None:
            return "foreign" if _FOREIGN.match(pattern, at) else "unreadable"
        one, repetition = token[1], token[2]
        wrong = _repeated(levels[-1], repetition) if repetition else _read(levels, token[0], one is not None)
        if wrong:
            return wrong
        length += 1 if one else max(0, _longest(repetition) - 1) if repetition else 0
        at = token.end()
    if len(levels) > 1 or levels[0].empty or not _compiles(pattern):
        return "unreadable"
    cost = levels[0].all() * (1 if levels[0].anchored else MOST_VALUE) * max(1, length)
    return cost if cost <= _STEPS else "slow"


def compiled(pattern: str) -> re.Pattern[str]:
    """The expression to try on values as `plain` makes them, of a pattern that `steps` has let pass."""
    return re.compile(pattern, re.I | re.A)


def plain(value: str) -> str:
    """A value from outside as it is compared and shown: what is not printable ASCII is one sign, and its end is cut."""
    return _UNPRINTABLE.sub("\ufffd", value)[:MOST_VALUE]


def _read(levels: list[_Level], sign: str, one: bool) -> Wrong | None:
    """Reads what is no repetition. `one`: it is a character or a class."""
    here = levels[-1]
    if sign in ("|", ")"):
        if here.empty:
            return "unreadable"
        if sign == "|":
            return here.alternative()
        levels.pop()
        return levels[-1].part(here.all(), True) if levels else "unreadable"
    if here.empty and sign != "^":
        here.anchored = False
    if sign in ("(", "(?:"):
        here.empty = False
        levels.append(_Level())
        return "nested" if len(levels) > _DEPTH + 1 else None
    return here.part(1 if one else 0, False)


def _repeated(here: _Level, sign: str) -> Wrong | None:
    """Reads a repetition of the last part."""
    if here.last == 0:
        return "unreadable"
    if here.group and sign != "?":
        return "nested"
    choices = 1 + here.last if sign == "?" else _most(sign) - _least(sign) + 1
    if choices < 1:
        return "unreadable"
    here.ways, here.last, here.group = here.ways * choices, 0, False
    return None


def _least(sign: str) -> int:
    return int(sign[1:-1].split(",")[0]) if sign.startswith("{") else int(sign == "+")


def _most(sign: str) -> int:
    if sign == "?":
        return 1
    low, comma, high = sign[1:-1].partition(",")
    return int(low) if low and not comma else int(high or MOST_VALUE)


def _longest(sign: str) -> int:
    """How many characters a repetition reads each time; one without an end reads on for all its ways."""
    return _least(sign) if _most(sign) == MOST_VALUE else _most(sign)


def _compiles(pattern: str) -> bool:
    try:
        return bool(compiled(pattern))
    except re.error:
        return False
