"""Scripts without what only their readers need: comments, indentation, spaces that part nothing. Pure.

Nothing is renamed or moved, and every line keeps its number: an error leads to its place in the repository.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_PART: Final = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<space>[ \t]+)|(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
    r"""|(?P<word>[\w$]+)|(?P<sign>.)""",
    re.DOTALL,
)
_PATTERN: Final = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/\w*")
_TEMPLATE: Final = re.compile(r"[`}](?:[^`\\$]|\\.|\$(?!\{))*(?:`|\$\{)", re.DOTALL)
_VALUE_ENDS: Final = re.compile(r"""[\w$)\]}"'`]\Z""")
_BEFORE_PATTERN: Final = frozenset(
    ("return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else", "do")
)


def bare(script: str) -> str:
    """The same script for a browser, where `/` after `)` or `}` divides, as everywhere in ours."""
    out: list[str] = []
    parted = False
    for part in _parts(script):
        if part == " ":
            parted = True
            continue
        if parted and out and _joins(out[-1][-1], part[0]):
            out.append(" ")
        out.append(part)
        parted = False
    return "".join(out)


def _joins(one: str, other: str) -> bool:
    """Whether both would become something else without a space between them."""
    return (_is_word(one) and _is_word(other)) or (one in "+-/" and other in "+-/*")


def _is_word(sign: str) -> bool:
    return sign.isalnum() or sign in "_$#@"


def _parts(script: str) -> Iterator[str]:
    """What the script is made of; comments and spaces are one space, but for their line ends."""
    at, last = 0, ""
    depths: list[int] = []  # of braces, in each `${` that is open
    while at < len(script):
        template = script[at] == "`" or (script[at] == "}" and bool(depths) and depths[-1] == 0)
        divides = _VALUE_ENDS.search(last) is not None and last not in _BEFORE_PATTERN
        found = _TEMPLATE.match(script, at) if template else None
        if found is None and script[at] == "/" and not divides and script[at + 1] not in "/*":
            found = _PATTERN.match(script, at)
        found = found or _PART.match(script, at)
        if found is None:
            raise ValueError(f"not understood: {script[at : at + 40]!r}")
        part, at = found[0], found.end()
        if template:
            if part[0] == "}":
                depths.pop()
            if part.endswith("${"):
                depths.append(0)
        elif part in "{}" and depths:
            depths[-1] += 1 if part == "{" else -1
        elif found.re is _PART and found.lastgroup in ("comment", "space"):
            yield from ["\n"] * part.count("\n") or [" "]
            continue
        if part != "\n":
            last = part
        yield part
