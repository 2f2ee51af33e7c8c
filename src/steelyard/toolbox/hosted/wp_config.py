"""What wp-config.php says, read as text: nothing of a site is executed for it. And a fresh one.

    definitions(text, folder) -> Config(constants, prefix, literal)

Only what stands there whatever happens counts: `define('A', 'b');`, `const A = 'b';` and `$table_prefix = 'wp_';`
outside of any block, whose values are texts, numbers, true, false, null, `__DIR__`, `dirname(__FILE__)`, `ABSPATH`,
constants read before, and any of these joined by dots. Where more decides (an `if`, a file that is included, `getenv`),
`literal` is false and the site's own PHP has to be asked, see php/config.php.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

NEEDED = ("DB_NAME", "DB_USER", "DB_PASSWORD", "DB_HOST")
"""Without these there is no database."""

_SECRET = re.compile(r"KEY|SALT|PASS|PWD|SECRET|TOKEN|AUTH|NONCE|LICEN[CS]E|CREDENTIAL|DSN", re.IGNORECASE)
_WITH_PASSWORD = re.compile(r"//[^/@]*@")
TOKEN = re.compile(
    r"""
    (?P<space>\s+ | \#(?!\[)[^\n]*?(?=\?>|\n|\Z) | //[^\n]*?(?=\?>|\n|\Z) | /\*.*?(?:\*/|\Z))
  | (?P<single>'(?:[^'\\]|\\.)*')
  | (?P<double>"(?:[^"\\{]|\\.|\{(?!\$)|\{\$(?:[^"'{}]|'[^']*'|"[^"]*")*\})*")
  | (?P<here><<<[ \t]*(?P<quote>["']?)(?P<label>[A-Za-z_]\w*)(?P=quote)\r?\n.*?\n[ \t]*(?P=label)\b)
  | (?P<variable>\$+[A-Za-z_\x80-\uffff][\w\x80-\uffff]*)
  | (?P<name>\\?[A-Za-z_\x80-\uffff][\w\x80-\uffff\\]*)
  | (?P<number>\d[\w.]*)
  | (?P<end>\?>.*?(?:<\?php\b|<\?=|\Z))
  | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_BRANCHES = (
    *("if", "else", "elseif", "endif", "switch", "endswitch", "while", "endwhile", "for", "endfor", "foreach"),
    *("endforeach", "function", "class", "try", "catch", "match", "return", "exit", "die"),
)
_INCLUDES = ("include", "include_once", "require", "require_once", "eval")


class Config(NamedTuple):
    """What a wp-config.php says."""

    constants: Mapping[str, Any]
    """Every constant whose value stands there: texts, numbers, booleans, None."""
    prefix: str
    literal: bool
    """Whether the database and the prefix are sure to be these."""


class _Token(NamedTuple):
    kind: str
    text: str


class _Unknown(Exception):
    """A value that does not stand there."""


def is_secret(name: str, value: object) -> bool:
    """Whether a constant must not leave the host."""
    return bool(_SECRET.search(name)) or (isinstance(value, str) and bool(_WITH_PASSWORD.search(value)))


def definitions(text: str, folder: str, core: str) -> Config:
    """Reads the text of the wp-config.php in `folder` of the WordPress in `core`, both without a slash at the end."""
    known: dict[str, Any] = {"__DIR__": folder, "ABSPATH": core + "/"}
    found: dict[str, Any] = {}
    prefixes: list[str] = []
    sure = True
    for statement in _statements(text):
        words = [each.text.lower().lstrip("\\") for each in statement]
        if _is_abspath(words) or _loads_wordpress(statement, words):
            continue
        if any(word in _INCLUDES for word in words) or any(word in words for word in _BRANCHES):
            sure = sure and not _decides(statement, words)
            continue
        try:
            name, value = _definition(statement, words, known)
        except _Unknown as unknown:
            sure = sure and not _matters(str(unknown))
            continue
        if name == "$table_prefix":
            prefixes.append(str(value))
        elif name:
            found.setdefault(name, value)
            known.setdefault(name, value)
    literal = sure and len(prefixes) == 1 and all(isinstance(found.get(name), str) for name in NEEDED)
    return Config(found, prefixes[0] if prefixes else "", literal)


def _tokens(text: str) -> Iterator[_Token]:
    start = re.search(r"<\?php\b|<\?=", text)
    place = start.end() if start else len(text)
    while place < len(text):
        match = TOKEN.match(text, place)
        if match is None:
            return
        place = match.end()
        kind = match.lastgroup or ""
        kind = "here" if match.group("here") else kind
        if kind == "end":
            yield _Token("mark", ";")
        elif kind != "space":
            yield _Token(kind, match.group())


def _statements(text: str) -> Iterator[list[_Token]]:
    """What stands between semicolons outside of brackets; a block is part of the statement that it ends."""
    statement: list[_Token] = []
    depth = 0
    for token in _tokens(text):
        statement.append(token)
        if token.kind != "mark":
            continue
        depth += (token.text in "([{") - (token.text in ")]}")
        if depth <= 0 and token.text in ";}":
            yield statement
            statement, depth = [], 0
    if statement:
        yield statement


def _is_abspath(words: list[str]) -> bool:
    """`if ( ! defined( 'ABSPATH' ) ) { define( 'ABSPATH', ... ); }`, which every wp-config.php has."""
    return (
        words[:4] == ["if", "(", "!", "defined"] and "abspath" in words[5].strip("'\"") and words.count("define") == 1
    )


def _loads_wordpress(statement: list[_Token], words: list[str]) -> bool:
    return words[0] in _INCLUDES and any("wp-settings.php" in each.text for each in statement)


def _decides(statement: list[_Token], words: list[str]) -> bool:
    """Whether a branch, or a file that is included, may change what we need to know."""
    if any(word in _INCLUDES or word in ("exit", "die", "return") or word.startswith("end") for word in words):
        return True
    return any(_matters(each.text) for each in statement)


def _matters(text: str) -> bool:
    return text.strip("'\"") in (*NEEDED, "$table_prefix") or text.startswith("$$")


def _definition(statement: list[_Token], words: list[str], known: Mapping[str, Any]) -> tuple[str, Any]:
    """The name and value of what a statement defines; an empty name where it is another statement.

    Raises _Unknown with the name where the value does not stand there, and with the name of a variable that is set.
    """
    inner = statement[:-1] if words[-1] == ";" else statement
    if words[:2] == ["define", "("]:
        name, value = _arguments(inner[2:-1])
        if len(name) != 1 or name[0].kind not in ("single", "double"):
            raise _Unknown("DB_NAME")  # a name that is made up as it goes: it may be any
        return _value_of(_text_of(name[0]), value, known)
    if words[0] == "const" and len(inner) > 3:
        return _value_of(inner[1].text, inner[3:], known)
    if words[0] == "$table_prefix" and words[1:2] == ["="]:
        return _value_of("$table_prefix", inner[2:], known)
    if any(_matters(each.text) for each in inner):
        raise _Unknown("DB_NAME")
    return "", None


def _value_of(name: str, value: list[_Token], known: Mapping[str, Any]) -> tuple[str, Any]:
    try:
        return name, _value(value, known)
    except _Unknown:
        raise _Unknown(name) from None


def _arguments(tokens: list[_Token]) -> tuple[list[_Token], list[_Token]]:
    """The first and the second argument of a call."""
    parts: list[list[_Token]] = [[]]
    depth = 0
    for token in tokens:
        if token.kind == "mark":
            depth += (token.text in "([{") - (token.text in ")]}")
            if token.text == "," and depth == 0:
                parts.append([])
                continue
        parts[-1].append(token)
    return parts[0], parts[1] if len(parts) > 1 else []


def _value(tokens: list[_Token], known: Mapping[str, Any]) -> Any:
    """The value of an expression. Raises _Unknown."""
    parts: list[list[_Token]] = [[]]
    depth = 0
    for token in tokens:
        if token.kind == "mark":
            depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token == _Token("mark", "."):
            parts.append([])
        else:
            parts[-1].append(token)
    if len(parts) == 1:
        return _single(parts[0], known)
    return "".join(str(_single(part, known)) for part in parts)


def _single(tokens: list[_Token], known: Mapping[str, Any]) -> Any:
    while len(tokens) > 2 and tokens[0].text == "(" and tokens[-1].text == ")":
        tokens = tokens[1:-1]
    words = [each.text.lower().lstrip("\\") for each in tokens]
    if words == ["dirname", "(", "__file__", ")"]:
        return known["__DIR__"]
    if words == ["dirname", "(", "__dir__", ")"]:
        return str(known["__DIR__"]).rpartition("/")[0]
    if len(tokens) == 2 and words[0] == "-":
        return -_single(tokens[1:], known)
    if len(tokens) != 1:
        raise _Unknown
    return _literal(tokens[0], known)


def _literal(token: _Token, known: Mapping[str, Any]) -> Any:
    lower = token.text.lower().lstrip("\\")
    if token.kind in ("single", "double"):
        return _text_of(token)
    if lower in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[lower]
    if token.kind == "number":
        try:
            return int(lower, 8) if re.fullmatch(r"0[0-7]+", lower) else int(lower, 0)
        except ValueError:
            raise _Unknown from None
    name = lower.upper() if lower == "__dir__" else token.text.lstrip("\\")
    if token.kind == "name" and name in known:
        return known[name]
    raise _Unknown


_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "v": "\v", "e": "\x1b", "f": "\f", "\\": "\\", "$": "$", '"': '"'}


def _text_of(token: _Token) -> str:
    """What a quoted text says. Raises _Unknown where something is put into it, or written as a number."""
    inside = token.text[1:-1]
    if token.kind == "single":
        return re.sub(r"\\(['\\])", r"\1", inside)
    if re.search(r"(?<!\\)(?:\\\\)*(?:\$[A-Za-z_{]|\{\$|\\[0-7xu])", inside):
        raise _Unknown
    return re.sub(r"\\(.)", lambda each: _ESCAPES.get(each.group(1), each.group()), inside, flags=re.DOTALL)


_WRITTEN = """\
<?php
// Written by Steelyard. The settings of the database are those that were here before; the keys are new.
{lines}
{more}
if ( ! defined( 'ABSPATH' ) ) {{
    define( 'ABSPATH', __DIR__ . '/' );
}}
require_once ABSPATH . 'wp-settings.php';
"""
_FORWARDED = """
// The site is behind a proxy that speaks HTTPS for it.
if ( isset( $_SERVER['HTTP_X_FORWARDED_PROTO'] ) && 'https' === $_SERVER['HTTP_X_FORWARDED_PROTO'] ) {
    $_SERVER['HTTPS'] = 'on';
}
"""
_DATABASE = ("DB_NAME", "DB_USER", "DB_PASSWORD", "DB_HOST", "DB_CHARSET", "DB_COLLATE")


def written(
    database: Mapping[str, str],
    prefix: str,
    constants: Mapping[str, Any],
    salts: Mapping[str, str],
    forwarded: bool,
) -> str:
    """A fresh wp-config.php: the database's settings as they are, the prefix, `constants`, and `salts` by name."""
    told: dict[str, Any] = {name: database.get(name, "") for name in _DATABASE}
    told["DB_CHARSET"] = told["DB_CHARSET"] or "utf8mb4"
    told.update(salts)
    told.update(constants)
    lines = [f"define( {_said(name)}, {_said(value)} );" for name, value in told.items()]
    lines.append(f"$table_prefix = {_said(prefix)};")
    return _WRITTEN.format(lines="\n".join(lines), more=_FORWARDED if forwarded else "")


def _said(value: Any) -> str:
    """A value as PHP has it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)):
        return repr(value)
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"
