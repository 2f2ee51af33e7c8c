"""Sets constants in the text of a wp-config.php, and takes them out again. Nothing else of it changes, to the byte.

The text is read as PHP reads it: what stands in comments, texts and outside of <?php is no definition. All that a run
sets stands together. A definition of the same name elsewhere becomes `true`, and is kept in a comment of the run's
lines so that it can be put back.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from steelyard.toolbox.hosted.here import Failed
from steelyard.toolbox.hosted.wp_config import TOKEN

_OPEN = re.compile(r"<\?php\b|<\?=")
_BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
_BEFORE = ("->", "::", "function", "new", "?->")


class Token(NamedTuple):
    """A piece of PHP: `kind` as TOKEN names them, and from where to where in the text."""

    kind: str
    text: str
    start: int
    end: int
    depth: int
    """How many brackets are open before it."""


def tokens(text: str) -> list[Token]:
    """All pieces of the PHP in a text but white space, comments among them (kind `space`)."""
    found: list[Token] = []
    opening = _OPEN.search(text)
    place, depth = opening.end() if opening else len(text), 0
    while place < len(text):
        match = TOKEN.match(text, place)
        if match is None or match.group() in ("'", '"', "`"):
            raise Failed("odd_config", "wp-config.php cannot be read as PHP: look at it, and set the constants by hand")
        kind, piece = match.lastgroup or "", match.group()
        kind = "here" if match.group("here") else kind
        bracket = _BRACKETS.get(piece, 0) if kind == "mark" else 0
        if not piece.isspace():
            found.append(Token(kind, piece, place, match.end(), depth))
        depth += bracket
        place = match.end()
    return found


def put_in(text: str, run: str, constants: Mapping[str, Any]) -> str:
    """The text with these constants, set by the run `run`; as it is where they are already.

    Raises Failed `odd_config` where there is no sure place for them.
    """
    if _opening(run) in text:
        return text
    cleared, removed = _without(text, set(constants))
    place = _place(cleared)
    eol = "\r\n" if "\r\n" in text else "\n"
    lines = [f"define( '{name}', {_literal(value)} );" for name, value in constants.items()]
    was = [f"{_was(run)}{base64.b64encode(json.dumps(removed).encode()).decode()} */"] if removed else []
    block = "".join(line + eol for line in [_opening(run), *lines, *was, _closing(run)])
    return cleared[:place] + block + cleared[place:]


def take_out(text: str, run: str) -> str:
    """The text without what the run set; a definition that it had to take out is put in its place."""
    start, end = text.find(_opening(run)), text.find(_closing(run))
    if start < 0 or end < start:
        return text
    block = text[start:end]
    after = end + len(_closing(run))
    after += 2 if text[after : after + 2] == "\r\n" else 1 if text[after : after + 1] == "\n" else 0
    eol = "\r\n" if "\r\n" in block else "\n"
    was = re.search(re.escape(_was(run)) + r"([A-Za-z0-9+/=]*) \*/", block)
    removed: list[str] = json.loads(base64.b64decode(was.group(1))) if was else []
    return text[:start] + "".join(each + ";" + eol for each in removed) + text[after:]


def _opening(run: str) -> str:
    return f"/* Steelyard {run}: these lines were set by a run, and go with its undo. */"


def _was(run: str) -> str:
    return f"/* Steelyard {run} was "


def _closing(run: str) -> str:
    return f"/* Steelyard {run} ends. */"


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return f"array( {', '.join(_literal(each) for each in cast('list[Any]', value))} )"
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _without(text: str, names: set[str]) -> tuple[str, list[str]]:
    """The text with definitions of `names` made `true`, and these definitions."""
    code = [each for each in tokens(text) if each.kind != "space"]
    removed: list[str] = []
    pieces: list[str] = []
    place = 0
    for at, token in enumerate(code):
        if token.start < place or token.kind != "name":
            continue
        end = _definition(code, at, names)
        if end is not None:
            removed.append(text[token.start : end])
            pieces += [text[place : token.start], "true"]
            place = end
    return "".join([*pieces, text[place:]]), removed


def _definition(code: list[Token], at: int, names: set[str]) -> int | None:
    """Where the definition of one of `names` that begins at `at` ends, without its semicolon; None: there is none."""
    word = code[at].text.lower().lstrip("\\")
    before = "".join(each.text for each in code[max(0, at - 2) : at])
    if word == "define" and not before.lower().endswith(_BEFORE) and len(code) > at + 2:
        name = code[at + 2]
        if code[at + 1].text == "(" and name.kind in ("single", "double") and name.text[1:-1] in names:
            closing = next(
                (each for each in code[at + 2 :] if each.depth == code[at + 1].depth + 1 and each.text == ")"), None
            )
            return closing.end if closing else None
    if word == "const" and len(code) > at + 1 and code[at + 1].text in names:
        ending = next(
            each for each in [*code[at:], code[-1]] if each.text in (";", ",") and each.depth == code[at].depth
        )
        if ending.text == ";":
            return ending.start
        raise Failed(
            "odd_config", f"wp-config.php sets {code[at + 1].text} among others in one line: part them by hand"
        )
    return None


def _place(text: str) -> int:
    """Where constants are set: before "That's all, stop editing!", and before WordPress is loaded."""
    found = tokens(text)
    comments = [each for each in found if each.kind == "space" and "stop editing" in each.text and each.depth == 0]
    loads = [before for before, after in _includes(found) if "wp-settings.php" in after and before.depth == 0]
    places = [each.start for each in (*comments[:1], *loads[:1])]
    place = min(places, default=0)
    before = [each.text for each in found if each.end <= place and each.kind != "space"]
    if not loads or (before and before[-1] not in (";", "{", "}") and not before[-1].startswith("?>")):
        raise Failed("odd_config", "wp-config.php does not load wp-settings.php plainly: set the constants by hand")
    return place


def _includes(found: list[Token]) -> list[tuple[Token, str]]:
    """Each `require` and the text of its statement."""
    code = [each for each in found if each.kind != "space"]
    included: list[tuple[Token, str]] = []
    for at, token in enumerate(code):
        if token.kind == "name" and token.text.lower() in ("require", "require_once", "include", "include_once"):
            ending = next((place for place in range(at, len(code)) if code[place].text == ";"), len(code))
            included.append((token, "".join(each.text for each in code[at:ending])))
    return included
