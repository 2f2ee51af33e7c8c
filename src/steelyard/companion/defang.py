"""Writes untrusted addresses so that nothing makes a link of them, and back.

Pure; the same as extension/lib/defang.js.
"""

from __future__ import annotations

import re
from collections.abc import Set

from steelyard.companion.detect import DOTS, Begun, Reader
from steelyard.companion.trust import is_trusted

_DOT = re.compile(rf"\[[{DOTS}]\]|[{DOTS}]")
_ADDRESS = re.compile(r"\[[0-9a-f:.]{2,}\]", re.I | re.A)
_SCHEME = re.compile(r"(?:https?|ftp):", re.I | re.A)
_DONE = re.compile(r"(?:hxxps?|fxp):", re.I | re.A)
_AGAIN = re.compile(r"(?<![a-z0-9+.\]-])[a-z][a-z0-9+-]+:\Z", re.I | re.A)
"""One more, before what is read as a path: `http://ssh://…`."""
_MOST_TIMES = 4
_TO_X = str.maketrans("tT", "xX")
_TO_T = str.maketrans("xX*", "tTt")
_WRITTEN = re.compile(r"h(?:xx|\*\*)p(?=s?(?:\[?:|\]://))|fxp(?=\[?:|\]://)", re.I | re.A)
_BACK = (
    (re.compile(r"\[(https?|ftp)\](?=://)", re.I | re.A), r"\1"),
    (re.compile(r"\[(?:\.|dot)\]|\((?:\.|dot)\)|\{(?:\.|dot)\}", re.I | re.A), "."),
    (re.compile(r"\[:\]"), ":"),
    (re.compile(r"\[://\]"), "://"),
    (re.compile(r"\[(?:@|at)\]|\((?:@|at)\)", re.I | re.A), "@"),
    (re.compile(r"\[/\]"), "/"),
)


def defang(text: str, trusted: Set[str]) -> str:
    """The text with every untrusted address unclickable; trusted ones, e-mail addresses and names of files as they are.

    `trusted`: as `trusting` makes it. What is made may begin anew where something invisible follows: it is read again.
    """
    for _ in range(_MOST_TIMES):
        before, text = text, _read_once(text, trusted)
        if text == before:
            break
    return text


def _read_once(text: str, trusted: Set[str]) -> str:
    reader = Reader(text)
    done: list[str] = []
    at = 0
    begun = reader.next(0)
    while begun is not None:
        kept = is_trusted(text, begun, trusted)
        end = reader.end(begun) if kept else begun.rest
        done += [text[at : begun.start], text[begun.start : end] if kept else _written(text, begun)]
        at = end
        begun = reader.next(at)
    return "".join(done) + text[at:]


def refang(text: str) -> str:
    """The text with what was made unclickable, by us or as others write it, as it was."""
    text = _WRITTEN.sub(lambda each: each[0].translate(_TO_T), text)
    for pattern, back in _BACK:
        text = pattern.sub(back, text)
    return text


def _written(text: str, begun: Begun) -> str:
    before = text[begun.start : begun.authority]
    host = _ADDRESS.sub(lambda each: each[0].replace(":", "[:]"), text[begun.authority : begun.rest])
    host = _SCHEME.sub(_named, _DOT.sub("[.]", host))
    if text.startswith("//", begun.rest):
        host = _AGAIN.sub(_named, host)
    return (_name(before) if begun.scheme else before) + host


def _named(match: re.Match[str]) -> str:
    return _name(match[0])


def _name(whole: str) -> str:
    """What begins with a scheme, with a scheme that no program knows."""
    if _SCHEME.match(whole):
        scheme, colon, rest = whole.partition(":")
        return scheme.translate(_TO_X) + colon + rest
    return whole if _DONE.match(whole) or "[:]" in whole else whole.replace(":", "[:]", 1)
