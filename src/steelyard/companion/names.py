"""Whether a name that stands in a text without a scheme is one that a link may be made of.

Pure; the same as extension/lib/names.js.
"""

from __future__ import annotations

import re
from importlib import resources

import ada_url

TLDS = frozenset(resources.files("steelyard.companion").joinpath("tlds.txt").read_text("ascii").split())
"""The top-level domains of the root zone, in ASCII. The same list is extension/lib/tlds.js."""

_DOT = re.compile("[.\u3002\uff0e\uff61\u2024]")
_LEFT_OUT = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0]"
)
"""What the parser of addresses leaves out."""
_SCHEME = re.compile(r"(?:h(?:tt|xx)ps?|f[tx]p|wss?)\Z", re.I | re.A)
_FILES = frozenset({"md", "mov", "pub", "py", "rs", "sh", "zip"})
"""Endings of files that are top-level domains too."""
_NAMES = frozenset({"ado.net", "asp.net", "draw.io", "ml.net", "socket.io", "vb.net"})
"""Names of products that are hosts too."""
_SAID = """
ai am as at au be best by ca call click contact de do es et for go help here how il in is it je la link ma me my new
next no now on one open or page please re sa se si so support to today us you
"""
_WORDS = frozenset(_SAID.split())
"""Words that begin a sentence where somebody left out the space before it."""
_BEGINS = re.compile(r"[A-Z][a-z]+")
_ENDS = re.compile(r"[^A-Z0-9_-]\Z")
_GOES_ON = re.compile("(?:,? |['\u2019])[A-Za-z\u00c0-\u024f]")
"""How the sentence goes on."""
_PARTS = frozenset({"call", "data", "date", "host", "id", "link", "name", "open", "page", "style", "target"})
"""What variables of programs have: `$user.name`."""
_ADDRESS = re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}")
_NETWORK = re.compile(r"/[0-9]{1,2}(?![A-Za-z0-9_/])")
_ASCII = re.compile(r"[a-z0-9-]*", re.I | re.A)


def is_host(text: str, start: int, close: int, rest: int, more: bool) -> bool:
    """`close`: where the name ends. `rest`: where its port ends. `more`: whether a path follows."""
    name = text[start:close]
    labels = _DOT.split(name)
    if len(labels) < 2 or "" in labels:
        return False
    last = labels[-1]
    if labels[0].lower() == "www" and not _SCHEME.search(last):
        return True
    top = ascii_of(last)
    if top not in TLDS:
        return False
    if top in _FILES:
        return more and text[rest] != "#"
    if more or rest > close:
        return True
    if name.lower() in _NAMES or (text[max(0, start - 1) : start] == "$" and top in _PARTS):
        return False
    return not (top in _WORDS and _BEGINS.fullmatch(last) and _begins_sentence(text, labels, close))


def _begins_sentence(text: str, labels: list[str], close: int) -> bool:
    return bool(_ENDS.search(labels[-2]) and _GOES_ON.match(text, close))


def is_address(text: str, start: int, close: int, rest: int) -> bool:
    """Whether it is an IPv4 address with a path: not a folder of that name, nor the size of a network."""
    if not _ADDRESS.fullmatch(text, start, close):
        return False
    before = text[max(0, start - 2) : start]
    if before.endswith("/") and before != "//":
        return False
    return not _NETWORK.match(text, rest)


def ascii_of(label: str) -> str:
    """A label as the parser of addresses writes it; empty where it cannot be one."""
    seen = _LEFT_OUT.sub("", label)
    if _ASCII.fullmatch(seen):
        return seen.lower()
    try:
        return ada_url.URL(f"http://a.{seen}/").hostname[2:]
    except ValueError:
        return ""
