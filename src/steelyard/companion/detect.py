"""Finds in a text what a mail program, a browser or an editor may make a link of. Pure; the same as extension/lib/detect.js.

Both pass cases/defang/*.json.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from typing import NamedTuple

import ada_url

TLDS = frozenset(resources.files(__package__).joinpath("tlds.txt").read_text("ascii").split())
"""The top-level domains of the root zone, in ASCII. The same list is extension/lib/tlds.js."""
DOTS = ".\u3002\uff0e\uff61\u2024"

_SPECIAL = re.compile(r"(https?|ftp|wss?):", re.I | re.A)
_OTHER = re.compile(r"(?<![a-z0-9+.\]-])(?![a-z0-9+-]*(?:hxxps?|fxp):)([a-z][a-z0-9+-]+)://(?=[^\s/])", re.I | re.A)
_NEXT = re.compile(r"[,;|)\]}](?=(?:https?|ftp|wss?|hxxps?|fxp):)", re.I | re.A)
_DOT = re.compile(f"[{DOTS}]")
_INNER = re.compile(rf"[^{DOTS}:\[][{DOTS}][^{DOTS}:\]]")
_SEPARATOR = re.compile(
    "[\u0000-\u0020\"<>`\u007f-\u00a1\u00ab\u00b4\u00b6\u00bb\u00bf\u1680\u2000-\u200a\u2010-\u2023\u2025-\u2029"
    "\u202f-\u205f\u3000\u3001\u3003-\u3020\uff01-\uff0c\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff60\uff62-\uff65]"
)
_HOST = re.compile("[A-Za-z0-9_.\u0080-\U0010ffff-]")
_REST = re.compile(r"[/\\?#]")
_PORT = re.compile(r":[0-9]{1,5}(?![0-9.])")
_ADDRESS = re.compile(r"([0-9]{1,3}\.){3}[0-9]{1,3}")
_NETWORK = re.compile(r"/[0-9]{1,2}(?![A-Za-z0-9_/])")
_ASCII = re.compile(r"[a-z0-9-]+", re.I | re.A)
_BEGINS = re.compile(r"[A-Z][a-z]+")
_ENDS = re.compile(r".*[^A-Z0-9_-]", re.S)
_FILES = frozenset({"md", "mov", "pub", "py", "rs", "sh", "zip"})
"""Endings of files that are top-level domains too."""
_NAMES = frozenset({"ado.net", "asp.net", "draw.io", "ml.net", "socket.io", "vb.net"})
"""Names of products that are hosts too."""
_WORDS = frozenset(
    "am as at be by call do for go here how in is it link me my new next no now on one open page please re so to us you".split()
)
"""Words that begin a sentence where somebody left out the space before it."""
_OPEN = {")": "(", "]": "[", "}": "{"}


class Found(NamedTuple):
    """A piece of a text that may become a link."""

    start: int
    end: int
    scheme: str
    """In lower case; empty for a bare name."""
    authority: int
    """Where user, host and port begin."""
    rest: int
    """Where they end: a path, a query, or `end`."""


def find(text: str) -> list[Found]:
    """All of them, in order; none overlaps another."""
    found: list[Found] = []
    for start, to in _runs(text):
        at = start
        while at < to:
            following = _first(text, at, to)
            if following is None:
                break
            found.append(following)
            at = following.end
    return found


def _runs(text: str) -> Iterator[tuple[int, int]]:
    """The stretches without separators that can hold one."""
    start = 0
    for separator in [*_SEPARATOR.finditer(text), None]:
        end = separator.start() if separator else len(text)
        if any(each in text[start:end] for each in f":{DOTS}"):
            yield start, end
        start = end + 1


def _first(text: str, start: int, to: int) -> Found | None:
    full = _with_scheme(text, start, to)
    return _bare(text, start, full.start if full else to) or full


def _with_scheme(text: str, start: int, to: int) -> Found | None:
    run = text[start:to]
    other = _OTHER.search(run)
    for match in _SPECIAL.finditer(run):
        if other and other.start() < match.start():
            break
        found = _special(text, start + match.start(), start + match.end(), to, match[1])
        if found:
            return found
    if other is None:
        return None
    return _ending(text, start + other.start(), start + other.end(), to, other[1])


def _special(text: str, start: int, after: int, to: int, scheme: str) -> Found | None:
    authority = after
    while authority < to and text[authority] in "/\\":
        authority += 1
    if authority == to:
        return None
    found = _ending(text, start, authority, to, scheme)
    host = text[authority : found.rest]
    enough = host != "" if authority - after >= 2 else bool(_INNER.search(host)) or "[" in host
    return found if enough else None


def _ending(text: str, start: int, authority: int, to: int, scheme: str) -> Found:
    """Where one that begins ends: at the next one, else at the run's end without the punctuation of the sentence."""
    end = _trimmed(text, authority, _cut(text, authority, to))
    rest = _REST.search(text, authority, end)
    return Found(start, end, scheme.lower(), authority, rest.start() if rest else end)


def _cut(text: str, start: int, to: int) -> int:
    following = _NEXT.search(text[start:to])
    return start + following.start() if following else to


def _trimmed(text: str, start: int, end: int) -> int:
    """The end without what closes a sentence or a bracket that opened before."""
    while end > start + 1:
        last = text[end - 1]
        opening = _OPEN.get(last)
        closes = opening is not None and text.count(opening, start, end) < text.count(last, start, end)
        if last not in ".,;:!?'*_" and not closes:
            break
        end -= 1
    return end


def _bare(text: str, start: int, to: int) -> Found | None:
    """The first name without a scheme that is a host, or an address with a path."""
    at = start
    while at < to:
        if not _HOST.match(text[at]):
            at += 1
            continue
        end = at
        while end < to and _HOST.match(text[end]):
            end += 1
        found = _named(text, at, end, to)
        if found:
            return found
        at = end + 1
    return None


def _named(text: str, start: int, end: int, to: int) -> Found | None:
    """What is bare between two places, where the whole of it is a host."""
    while start < end and text[start] in f"-_{DOTS}":
        start += 1
    after = text[end] if end < to else ""
    close = end
    while close > start and text[close - 1] in f"-_{DOTS}":
        close -= 1
    if after == "@":
        return None
    name = text[start:close]
    path = after != "" and after in "/\\?#" and text[end - 1] != "_"
    port = _PORT.match(text[end:to]) if close == end else None
    rest = end if path else close + (port.end() if port else 0)
    more = path or (rest < len(text) and text[rest] in "/\\?#")
    mail = start > 1 and text[start - 1] == "@" and bool(_HOST.match(text[start - 2]))
    if mail and not more:
        return None
    if not (more and _is_address(name, text[rest:to])) and not _is_host(name, more or port is not None):
        return None
    stop = _trimmed(text, rest, _cut(text, rest, to)) if more else rest
    return Found(start, stop, "", start, rest)


def _is_host(name: str, more: bool) -> bool:
    """Whether a name is a host that a link may be made of. `more`: it has a port or a path."""
    labels = _DOT.split(name)
    if len(labels) < 2 or "" in labels:
        return False
    last = labels[-1]
    top = _ascii(last)
    if top not in TLDS:
        return False
    if more or labels[0].lower() == "www":
        return True
    if top in _FILES or name.lower() in _NAMES:
        return False
    return not (_BEGINS.fullmatch(last) and top in _WORDS and _ENDS.fullmatch(labels[-2]))


def _is_address(name: str, path: str) -> bool:
    """Whether it is an IPv4 address with a path, which is not the size of a network."""
    return bool(_ADDRESS.fullmatch(name)) and not _NETWORK.match(path)


def _ascii(label: str) -> str:
    """A label as the parser of addresses writes it; empty where it cannot be one."""
    if _ASCII.fullmatch(label):
        return label.lower()
    try:
        return ada_url.URL(f"http://a.{label}/").hostname[2:]
    except ValueError:
        return ""
