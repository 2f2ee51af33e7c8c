"""Which sites a web server serves, from the settings of nginx and Apache as they are written. Nothing is run.

Settings are hostile text like all else on a host: files, bytes, depth and words have limits, and what cannot be read
is left out. Values with variables in them (`root /srv/$host`) are nobody's root.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from steelyard.toolbox.hosted.here import Failed, Here

DEEPEST = 12
"""How many blocks, and how many includes, may stand within each other."""
MOST_FILES, MOST_BYTES, MOST_WORDS = 2000, 1_000_000, 400_000

_NGINX = re.compile(
    r"""\s+|\#[^\n]*|(?P<mark>[;{}])|"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'"""
    r"""|(?P<word>(?:\$\{[^}]{0,99}\}|\\.|[^\s;{}"'\\]|(?<=[^\s;{}])["'])+)|.""",
    re.DOTALL,
)
_APACHE = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|(\S+)')


class Server(NamedTuple):
    """One server or virtual host: its names as they are written, its root, and what PHP it passes to."""

    names: tuple[str, ...]
    root: str
    passes: str
    """Such as `unix:/run/php/shop.sock`; empty where it does not say."""
    kind: str
    file: str


class Directive(NamedTuple):
    """A directive of nginx with what is in its block; None where it has none."""

    name: str
    words: tuple[str, ...]
    block: list[Directive] | None
    file: str


def nginx_servers(
    files: Callable[[str], Sequence[tuple[str, str]]], path: str = "/etc/nginx/nginx.conf"
) -> list[Server]:
    """The servers of nginx, includes followed. `files`: those that a path or pattern names, each with its text."""
    found: list[Server] = []
    budget = [MOST_WORDS]
    top = [each for name, text in files(path) for each in directives(text, name, files, os.path.dirname(path), budget)]
    blocks = [("", top)]
    while blocks:
        root, inside = blocks.pop()
        root = _last(inside, "root") or root
        for each in inside:
            if each.block is None:
                continue
            if each.name == "server":
                found.append(_server(each, root))
            elif each.name in ("http", "stream"):
                blocks.append((root, each.block))
    return found


def directives(
    text: str,
    file: str,
    files: Callable[[str], Sequence[tuple[str, str]]],
    base: str,
    budget: list[int],
    depth: int = 0,
) -> list[Directive]:
    """What stands in a text, with what it includes in its place. `budget`: how many words may still be read."""
    top: list[Directive] = []
    stack = [top]
    words: list[str] = []
    for kind, said in _words(text):
        budget[0] -= 1
        if budget[0] < 0:
            break
        if kind != "mark":
            words.append(said)
        elif said == "{":
            block: list[Directive] = []
            if words and len(stack) <= DEEPEST:
                stack[-1].append(Directive(words[0], tuple(words[1:]), block, file))
            stack.append(block)
            words = []
        else:
            if words[:1] == ["include"] and len(words) == 2 and depth < DEEPEST:
                for name, more in files(os.path.join(base, words[1])):
                    stack[-1] += directives(more, name, files, base, budget, depth + 1)
            elif words:
                stack[-1].append(Directive(words[0], tuple(words[1:]), None, file))
            words = []
            if said == "}" and len(stack) > 1:
                stack.pop()
    return top


def apache_servers(
    files: Callable[[str], Sequence[tuple[str, str]]],
    paths: Sequence[str] = ("/etc/apache2/apache2.conf", "/etc/httpd/conf/httpd.conf"),
) -> list[Server]:
    """The virtual hosts of Apache, includes followed."""
    found: list[Server] = []
    for path in paths:
        budget = [MOST_WORDS]
        names: list[str] = []
        root, passes, file, inside = "", "", path, False
        for where, words in _apache_lines(files, path, os.path.dirname(path), budget):
            key = words[0].lower()
            if key == "<virtualhost":
                names, root, passes, file, inside = [], "", "", where, True
            elif key.startswith("</virtualhost") and inside:
                found.append(Server(tuple(names), root, passes, "apache", file))
                inside = False
            elif inside and key in ("servername", "serveralias"):
                names += [re.sub(r"^\w+://|:\d+$", "", each.lower()) for each in words[1:]]
            elif inside and key == "documentroot" and len(words) > 1:
                root = _plain(words[1])
            elif inside and key in ("sethandler", "proxypassmatch"):
                passes = next((each for each in words[1:] if "unix:" in each or "fcgi://" in each), passes)
    return found


def _apache_lines(
    files: Callable[[str], Sequence[tuple[str, str]]], path: str, base: str, budget: list[int], depth: int = 0
) -> Iterator[tuple[str, list[str]]]:
    for name, text in files(path):
        for line in re.sub(r"\\\r?\n", " ", text).splitlines():
            words = [double or single or plain for double, single, plain in _APACHE.findall(line)]
            budget[0] -= len(words)
            if not words or words[0].startswith("#") or budget[0] < 0:
                continue
            if words[0].lower() in ("include", "includeoptional") and len(words) == 2 and depth < DEEPEST:
                yield from _apache_lines(files, os.path.join(base, words[1]), base, budget, depth + 1)
            else:
                yield name, words


def _words(text: str) -> Iterator[tuple[str, str]]:
    for match in _NGINX.finditer(text):
        kind = match.lastgroup
        if kind in ("double", "single"):
            yield "word", re.sub(r"\\(.)", r"\1", match[kind], flags=re.DOTALL)
        elif kind is not None:
            yield kind, match[kind]


def _server(each: Directive, root: str) -> Server:
    block = each.block or []
    at_root = next((inner.block for inner in block if inner.name == "location" and inner.words[-1:] == ("/",)), None)
    own = _last(block, "root") or _last(at_root or [], "root") or root
    names = [word.lower() for inner in block if inner.name == "server_name" for word in inner.words]
    return Server(tuple(dict.fromkeys(names)), _plain(own), _passed(block), "nginx", each.file)


def _passed(block: Sequence[Directive]) -> str:
    """What a server passes PHP to, in whichever of its locations."""
    left, seen = list(block), 0
    while left and seen < 10_000:
        each, seen = left.pop(0), seen + 1
        if each.name == "fastcgi_pass" and each.words:
            return each.words[0]
        left += each.block or []
    return ""


def _last(block: Sequence[Directive], name: str) -> str:
    return next((each.words[0] for each in reversed(block) if each.name == name and each.words), "")


def _plain(path: str) -> str:
    """A path as it is; empty where it is none of its own."""
    return os.path.normpath(path) if path.startswith("/") and "$" not in path else ""


def files_of(here: Here) -> Callable[[str], Sequence[tuple[str, str]]]:
    """The files of the machine: a pattern may have wildcards in its names. What cannot be read is left out."""
    left = [MOST_FILES]
    known: dict[str, str] = {}

    def files(pattern: str) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for path in _matching(here, os.path.normpath(pattern)):
            if path not in known:
                left[0] -= 1
                if left[0] < 0:
                    break
                known[path] = _text(here, path)
            found.append((path, known[path]))
        return found

    return files


def _matching(here: Here, pattern: str) -> list[str]:
    paths = ["/"]
    for part in pattern.strip("/").split("/"):
        if not any(sign in part for sign in "*?["):
            paths = [os.path.join(path, part) for path in paths]
            continue
        paths = [os.path.join(path, name) for path in paths for name in _names(here, path) if _fits(name, part)]
        paths = paths[:MOST_FILES]
    return paths


def _fits(name: str, part: str) -> bool:
    return fnmatch.fnmatchcase(name, part) and (part.startswith(".") or not name.startswith("."))


def _names(here: Here, path: str) -> list[str]:
    try:
        return here.list(path)
    except Failed:
        return []


def _text(here: Here, path: str) -> str:
    try:
        return here.read(path, most=MOST_BYTES).decode("utf-8", "surrogateescape")
    except Failed:
        return ""


def names_of(server: Server) -> Mapping[str, bool]:
    """The domains that a server answers to, in their order; whether each stands for itself, and is no pattern."""
    found = [
        name.strip(".") for name in server.names if name not in ("_", "", "localhost") and not name.startswith("~")
    ]
    return {name: "*" not in name and "$" not in name for name in found}
