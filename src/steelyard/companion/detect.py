"""Finds in a text what a mail program, a browser or an editor may make a link of.

Pure; the same as extension/lib/detect.js: both pass cases/defang/*.json.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from steelyard.companion.ahead import Ahead
from steelyard.companion.names import TLDS, is_address, is_host

DOTS = ".\u3002\uff0e\uff61\u2024"
WHITE = "\u0000-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
"""Where every program ends what it reads."""
SEPARATORS = (
    '\u0000-\u0020"<>`\u007f-\u00a1\u00ab\u00b4\u00b6\u00bb\u00bf\u1680\u2000-\u200a\u2010-\u2023\u2025-\u2029\u202f-\u205f'
    "\u3000\u3001\u3003-\u3020\uff01-\uff0c\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff60\uff62-\uff65"
)
"""White space, what encloses, and punctuation, but for what the parser of addresses reads as a dot or leaves out."""
_SEPARATOR = re.compile(f"[{SEPARATORS}]")
_MARK = re.compile(f"[:{DOTS}]")
"""Nothing is found where none of them is."""
_SPECIAL = re.compile(r"(https?|ftp):", re.I | re.A)
"""Schemes whose addresses have a host whatever stands between the colon and it."""
_OTHER = re.compile(
    rf"(?<![a-z0-9+\]{DOTS}-])(?<![^\u0000-\u007f{SEPARATORS}])"
    rf"(?:(?![a-z0-9+-]*(?:hxxps?|fxp):)([a-z][a-z0-9+-]+)://(?=[^/{SEPARATORS}])"
    r"|(?<!:)//(?=\[[0-9a-f.]*:[0-9a-f.]*:))",
    re.I | re.A,
)
_NEXT = re.compile(r"[,;|)\]}](?=[(\[]?(?:https?|ftp|wss?|hxxps?|fxp)(?::|\[:))", re.I | re.A)
"""Two addresses in a row."""
_REST = re.compile(r"[/\\?#]")
_STOP = re.compile(r"[|^{}\[\]'*\\]|[^\u0000-\u007f]")
"""What some programs take for the end of a link."""
_BRACKET = re.compile(r"[()]")
_PAIR = re.compile(r"\([^()]*\)")
_INNER = re.compile(rf"[^{DOTS}:\[][{DOTS}][^{DOTS}:\]]|\[[0-9a-f.]*:[0-9a-f.]*:", re.I | re.A)
_HOST = re.compile(f"[A-Za-z0-9_{DOTS}\u0080-\U0010ffff-]")
_NO_HOST = re.compile(f"[^A-Za-z0-9_{DOTS}\u0080-\U0010ffff-]|[{SEPARATORS}]|[{DOTS}](?=[{DOTS}])")
_PIECE = re.compile(rf"(?<![\w-])[\w-]*[\w\u0080-\U0010ffff-](?:[{DOTS}][\w-]+)+", re.A)
"""The part of a name that programs read which know ASCII only, or only ASCII after a dot, and where some end it."""
_LINE = re.compile(rf"[a-z0-9](?=[-_{DOTS[1:]}]|\.[-_])", re.I | re.A)
_LONGEST = 253
"""Of a name of a host."""
_MOST = 1000
"""Of what may be left of one without what is invisible; to look at more each time would take too long."""
_PORT = re.compile(rf":[0-9]{{1,5}}(?![\w{DOTS}-])", re.A)
_JOINED = re.compile(rf"[\w/]|[^\u0000-\u007f{SEPARATORS}]", re.A)
"""Before an address: some programs see none there, but may see one in its path."""
_JOINED_NAME = re.compile(r"[-\w~@#./]", re.A)
_DOMAIN = re.compile(
    r"@[a-z0-9]+(?:-+[a-z0-9]+)*(?:\.[a-z0-9]+(?:-+[a-z0-9]+)*)*\.([a-z][a-z0-9-]*)(?![a-z0-9_-]|\.[a-z0-9-]|[/\\])",
    re.I | re.A,
)
"""Of an e-mail address, without a path after it."""
_LOCAL = re.compile(r"[a-z0-9](?:[+%._-]*[_-])?\Z", re.I | re.A)
_APART = re.compile(r"\Awww\.|_|-\.|\.-", re.I | re.A)
"""In a name after the sign of an e-mail address: some programs see a host of its own behind it."""
_BEHIND = re.compile(rf'[^{WHITE}"<>`/\\?#.@%]{{0,253}}[.@%][^{WHITE}.]|[^{WHITE}/\\?#@]{{0,1000}}@[^{WHITE}.]')
"""A host behind signs that only some programs read as a part of it."""
_CLOSING = re.compile(r"[.,;:!?'*_)\]}]*")
_OPEN = {")": "(", "]": "[", "}": "{"}


class Begun(NamedTuple):
    """The beginning of a piece of a text that may become a link."""

    start: int
    scheme: str
    """In lower case; empty for a bare name."""
    authority: int
    """Where user, host and port begin."""
    rest: int
    """Where they end: a path, a query, or the end."""
    limit: int
    """Where it ends at the latest."""


class Found(NamedTuple):
    """A piece of a text that may become a link."""

    begun: Begun
    end: int


def find(text: str) -> list[Found]:
    """All of them, in order; none overlaps another."""
    reader = Reader(text)
    found: list[Found] = []
    begun = reader.next(0)
    while begun is not None:
        end = reader.end(begun)
        found.append(Found(begun, end))
        begun = reader.next(end)
    return found


class Reader:
    """Reads a text from left to right, in a time that grows as the text does."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._separators = Ahead(_SEPARATOR, text)
        self._marks = Ahead(_MARK, text)
        self._specials = Ahead(_SPECIAL, text)
        self._others = Ahead(_OTHER, text)
        self._cuts = Ahead(_NEXT, text)
        self._rests = Ahead(_REST, text)
        self._ends = Ahead(_NO_HOST, text)
        self._stops = Ahead(_STOP, text)
        self._brackets = Ahead(_BRACKET, text)
        self._full: Begun | None = None
        """The next with a scheme in the stretch that ends at `_to`."""
        self._to = -1

    def next(self, at: int) -> Begun | None:
        """The first that begins at a place or after it. The place never goes back."""
        while at < len(self.text):
            mark = self._marks.after(at)
            to = self._separators.after(at)
            begun = self._first(at, to) if mark < to else None
            if begun is not None or mark == len(self.text):
                return begun
            at = to + 1
        return None

    def end(self, begun: Begun) -> int:
        """Where one ends: without what closes a sentence or an open bracket, and without what may hide the next one."""
        rest, limit = begun.rest, begun.limit
        if rest == limit:
            return rest
        stop = min(limit, self._stops.after(rest), self._alone(rest, limit))
        return max(rest, _trimmed(self.text, begun.authority, stop))

    def _alone(self, start: int, to: int) -> int:
        """The first bracket between two places that has no other half; the last place where all have."""
        while (place := self._brackets.after(start)) < to:
            start = _at(_PAIR, self.text, place)
            if start == place or start > to:
                return place
        return to

    def _first(self, start: int, to: int) -> Begun | None:
        """The first between two places, without separators between them."""
        if self._to != to or (self._full is not None and self._full.start < start):
            self._full, self._to = self._with_scheme(start, to), to
        return self._bare(start, self._full.start if self._full else to) or self._full

    def _with_scheme(self, start: int, to: int) -> Begun | None:
        other = self._others.match(start)
        stop = min(to, other.start()) if other else to
        dull = start  # a host without a dot: no part of it is one
        match = self._specials.match(start)
        while match is not None and match.start() < stop:
            if match.end() >= dull:
                begun = self._special(match.start(), match.end(), to, match[1])
                if self._is_enough(begun, match.end()):
                    return begun
                dull = begun.rest
            match = self._specials.match(match.start() + 1)
        if other is None or other.start() >= to:
            return None
        return self._begun(other.start(), other.end(), to, other[1] or "")

    def _special(self, start: int, after: int, to: int, scheme: str) -> Begun:
        authority = after
        while authority < to and self.text[authority] in "/\\":
            authority += 1
        return self._begun(start, authority, to, scheme)

    def _is_enough(self, begun: Begun, after: int) -> bool:
        """Whether it has a host, and without two slashes one that looks like it."""
        if begun.authority - after < 2:
            return bool(_INNER.search(self.text, begun.authority, begun.rest))
        return begun.authority < begun.rest or bool(_BEHIND.match(self.text, begun.authority))

    def _begun(self, start: int, authority: int, to: int, scheme: str) -> Begun:
        cut = min(to, self._cuts.after(authority))
        at = min(cut, self._rests.after(authority))
        whole = self._is_closing(at, cut)
        rest = _trimmed(self.text, authority, at) if whole else at
        joined = _JOINED.match(self.text[max(0, start - 1) : start])
        return Begun(start, scheme.lower(), authority, rest, rest if whole or joined else cut)

    def _is_closing(self, start: int, to: int) -> bool:
        """Whether nothing but the punctuation of a sentence is between two places."""
        return start >= to or _at(_CLOSING, self.text, start) >= to

    def _bare(self, start: int, to: int) -> Begun | None:
        """The first name without a scheme that is a host, or an address with a path."""
        at = start
        while at < to:
            if _HOST.match(self.text[at]):
                end = min(to, self._ends.after(at))
                begun = self._named(at, end, to)
                if begun is not None:
                    return begun
                at = end
            at += 1
        return None

    def _named(self, start: int, end: int, to: int) -> Begun | None:
        """The first host in a stretch of what hosts are written with: all of it, else what is read of it in ASCII."""
        if self._marks.after(start) >= end:
            return None
        start, close = _bounds(self.text, start, end)
        begun = self._name(start, close, end, to)
        if begun is not None:
            return begun
        for piece in _PIECE.finditer(self.text[start:close]):
            at = start + piece.start()
            for length in _lengths(piece[0]):
                until = at + length
                part = self._name(at, until, end if until == close else until, to)
                if part is not None:
                    return part
        return None

    def _name(self, start: int, close: int, end: int, to: int) -> Begun | None:
        """What is bare between two places, where the whole of it is a host. `end`: with the dots after it."""
        text = self.text
        if close - start > _MOST or (end < to and text[end] == "@" and self._is_mail(end)):
            return None
        path = end < to and text[end - 1] != "_" and self._is_path(end)
        rest = end if path else min(to, _at(_PORT, text, end)) if close == end else close
        more = path or (rest < to and self._is_path(rest))
        behind = text[max(0, start - 9) : start]
        mail = behind.endswith("@") and _LOCAL.search(behind[:-1]) and not _APART.search(text[start:close])
        if mail and not (more and text[rest] in "/\\"):
            return None
        if not (more and is_address(text, start, close, rest)) and not is_host(text, start, close, rest, more):
            return None
        long = more and text[rest] == "/" and not _JOINED_NAME.match(text[max(0, start - 1) : start])
        return Begun(start, "", start, rest, min(to, self._cuts.after(rest)) if long else rest)

    def _is_mail(self, at: int) -> bool:
        """`at`: where the domain of an e-mail address may be."""
        domain = _DOMAIN.match(self.text, at)
        return domain is not None and domain[1].lower() in TLDS

    def _is_path(self, start: int) -> bool:
        return self.text[start] in "/\\?#" and not self._is_closing(start, self._to)


def _bounds(text: str, start: int, end: int) -> tuple[int, int]:
    """Where a name begins and ends without the dots and lines around it."""
    while start < end and text[start] in f"-_{DOTS}":
        start += 1
    while end > start and text[end - 1] in f"-_{DOTS}":
        end -= 1
    return start, end


def _lengths(name: str) -> list[int]:
    """The lengths at which its beginning may be taken for a host: all of it, else up to a line or an odd dot."""
    before = [match.end() for match in _LINE.finditer(name[:_LONGEST])][::-1]
    return before if len(name) > _LONGEST else [len(name), *before]


def _at(pattern: re.Pattern[str], text: str, place: int) -> int:
    """Where the match at a place ends; the place where there is none."""
    match = pattern.match(text, place)
    return match.end() if match else place


def _trimmed(text: str, start: int, end: int) -> int:
    """The end without what closes a sentence or a bracket that opened before."""
    opened: dict[str, int] = {}
    while end > start + 1:
        last = text[end - 1]
        if last not in ".,;:!?'*_":
            if last not in _OPEN:
                break
            if last not in opened:
                opened[last] = text.count(_OPEN[last], start, end) - text.count(last, start, end)
            if opened[last] >= 0:
                break
            opened[last] += 1
        end -= 1
    return end
