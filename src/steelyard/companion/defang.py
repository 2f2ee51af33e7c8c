"""Writes untrusted addresses so that nothing makes a link of them, and back. Pure; the same as extension/lib/defang.js."""

from __future__ import annotations

import re
from collections.abc import Set

from steelyard.companion.detect import DOTS, Found, find
from steelyard.companion.trust import is_trusted

_DOT = re.compile(rf"\[[{DOTS}]\]|[{DOTS}]")
_SCHEME = re.compile(r"(https?|ftp)(?=:)", re.I | re.A)
_IPV6 = re.compile(r"\[[0-9a-f:.]{2,}\]", re.I)
_SCHEMES = {"http": "hxxp", "https": "hxxps", "ftp": "fxp"}
_BACK = (
    (re.compile(r"\bh(?:xx|tt|\*\*)p(s?)(?=\[?:|\[:?\]|://)", re.I | re.A), r"http\1"),
    (re.compile(r"\bfxp(?=\[?:)", re.I | re.A), "ftp"),
    (re.compile(r"\[(https?|ftp)\](?=://)", re.I), r"\1"),
    (re.compile(r"\[(?:\.|dot)\]|\((?:\.|dot)\)|\{(?:\.|dot)\}", re.I), "."),
    (re.compile(r"\[:\]"), ":"),
    (re.compile(r"\[://\]"), "://"),
    (re.compile(r"\[(?:@|at)\]|\((?:@|at)\)", re.I), "@"),
    (re.compile(r"\[/\]"), "/"),
)


def defang(text: str, trusted: Set[str]) -> str:
    """The text with every untrusted address unclickable; trusted ones, e-mail addresses and names of files as they are.

    `trusted`: as `trusting` makes it.
    """
    done: list[str] = []
    at = 0
    for found in find(text):
        done.append(text[at : found.start])
        kept = is_trusted(text, found, trusted)
        done.append(text[found.start : found.end] if kept else _written(text, found, trusted))
        at = found.end
    return "".join(done) + text[at:]


def refang(text: str) -> str:
    """The text with what was made unclickable, by us or as others write it, as it was."""
    for pattern, back in _BACK:
        text = pattern.sub(back, text)
    return text


def _written(text: str, found: Found, trusted: Set[str]) -> str:
    between = text[found.start + len(found.scheme) : found.authority]
    scheme = _SCHEMES[found.scheme] + between if found.scheme in _SCHEMES else ""
    if found.scheme and not scheme:
        scheme = f"{found.scheme}[:]{between[1:]}"
    authority = _IPV6.sub(lambda each: each[0].replace(":", "[:]"), text[found.authority : found.rest])
    everything = _DOT.sub("[.]", authority) + text[found.rest : found.end]
    everything = _SCHEME.sub(lambda each: _SCHEMES[each[0].lower()], everything)
    return scheme + defang(everything, trusted)
