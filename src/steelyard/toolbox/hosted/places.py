"""What the place of a file says, what it tells the web server, and how that is shown. Pure.

Judged by beside the worker (scanning/) and, where a host has yara-x, there: see scanner/.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

OWN_PACK = "steelyard"
"""The pack of rules that ships, and of what is judged without rules."""
OWN_AUTHOR = "Steelyard"
OWN_LICENCE = "Apache-2.0"
SUSPICIOUS, ODD = "suspicious", "odd"
"""How bad it is: see model.Severity."""
LONGEST_EVIDENCE = 2000
WHOLE = 2_000_000
"""Bytes up to which a file is read whole; of a larger one, the first and the last half of that."""
_PHP = re.compile(r"\.(?:php[0-9]?|phtml|pht|phar|inc|module)(?:\.[^/.]*)?\Z", re.IGNORECASE)
_SETTINGS = frozenset({".htaccess", ".user.ini", "php.ini"})
_DROP_INS = frozenset(
    {"advanced-cache.php", "object-cache.php", "db.php", "db-error.php", "sunrise.php", "maintenance.php", "index.php",
     "install.php", "php-error.php", "fatal-error-handler.php", "blog-deleted.php", "blog-inactive.php",
     "blog-suspended.php", "wp-cache-config.php"}
)  # fmt: skip
_NO_PHP = frozenset({"uploads", "fonts", "blogs.dir", "languages"})
_CACHES = frozenset({"cache", "tmp", "wflogs", "w3tc-config", "et-cache", "litespeed", "backups", "backup"})
_PICTURES = frozenset({"ico", "png", "jpg", "jpeg", "gif", "bmp", "webp", "avif", "woff", "woff2", "ttf", "eot", "mp4"})
_OPENED = re.compile(rb"<\?php[\s/#]", re.IGNORECASE)
_SILENCE = re.compile(
    rb"<\?php(?:\s|//[^\n]*|#[^\n]*|/\*.*?\*/|exit\s*;?|die\s*;?|return\s*;?)*(?:\?>)?\s*\Z", re.DOTALL
)
_HANDLER = re.compile(
    r"^\s*(?:AddHandler|SetHandler|AddType|ForceType)\b[^\n]*(?:php|x-httpd)[^\n]*", re.IGNORECASE | re.MULTILINE
)
_LEADS_ELSEWHERE = re.compile(
    r"^\s*RewriteCond\s+%\{HTTP_(?:REFERER|USER_AGENT)\}[^\n]*(?:google|bing|yahoo)[^\n]*\n(?:[^\n]*\n){0,6}?"
    r"\s*RewriteRule\s+\S+\s+[\"']?https?://[^\n]*",
    re.IGNORECASE | re.MULTILINE,
)
_PREPEND = re.compile(r"^[^\n#;]*\bauto_(?:pre|ap)pend_file\b[\s=\"']*(?P<file>[^\n]*)", re.IGNORECASE | re.MULTILINE)
_FIREWALL = re.compile(r"wordfence-waf\.php|/malcare-waf\.php|none\b", re.IGNORECASE)


class Layout(NamedTuple):
    """Where a WordPress lies on its host: absolute, real, spelled."""

    root: str
    core: str
    content: str
    plugins: str


class Hit(NamedTuple):
    """What a rule says of a file."""

    severity: str
    rule: str
    pack: str
    author: str
    licence: str
    about: str
    evidence: str


def own(severity: str, rule: str, evidence: str) -> Hit:
    """A hit of what Steelyard judges by itself. What `rule` means is said in words.py."""
    return Hit(severity, rule, OWN_PACK, OWN_AUTHOR, OWN_LICENCE, "", clean(evidence))


def clean(text: str, most: int = LONGEST_EVIDENCE) -> str:
    """A hostile text as evidence: printable, at most `most` characters; line breaks stay, other controls are dots."""
    kept = "".join(each if each.isprintable() or each == "\n" else " " if each == "\t" else "·" for each in text[:most])
    return kept + ("…" if len(text) > most else "")


def content(part: Callable[[int, int], bytes]) -> bytes:
    """What is looked at of a file. `part`: up to so many bytes from a position on, a negative one from its end."""
    start = part(0, WHOLE)
    if len(start) < WHOLE:
        return start
    half = WHOLE // 2
    return start[:half] + b"\n" + part(-half, half)


def is_program(name: str) -> bool:
    """Whether PHP may run a file of this name."""
    return _PHP.search(name) is not None


def is_read(name: str) -> bool:
    """Whether what is in a file of this name is looked at whatever it is: programs, and what tells PHP what to run."""
    return is_program(name) or base(name) in _SETTINGS


def base(name: str) -> str:
    """The last part of a name, in lower case."""
    return name.rpartition("/")[2].lower()


def of_file(name: str, data: bytes, layout: Layout) -> Iterator[Hit]:
    """What the place of a file says, and what it tells the web server to do."""
    if base(name) in _SETTINGS:
        yield from _of_settings(name, data.decode("utf-8", "replace"), layout)
    elif is_program(name):
        placed = misplaced(name, layout)
        if placed is not None and not is_silent(data):
            severity, rule = placed
            yield own(severity, rule, head(data))
    elif base(name).rpartition(".")[2] in _PICTURES:
        opened = _OPENED.search(data)
        if opened:
            yield own(SUSPICIOUS, "php_inside_another", around(data, opened.start(), 200))


def misplaced(name: str, layout: Layout) -> tuple[str, str] | None:
    """How bad it is that a program lies here, by the rule that says so; None where programs belong."""
    folders = _below(name, layout.root)[:-1]
    if any(each.startswith(".") for each in folders):
        return SUSPICIOUS, "php_in_hidden_folder"
    if base(name).startswith("."):
        return SUSPICIOUS, "php_hidden"
    inside = _below(name, layout.content)
    if len(inside) == 1 and inside[0] not in _DROP_INS:
        return ODD, "php_beside_drop_ins"
    if len(inside) < 2 or (inside[0] == "languages" and inside[-1].endswith(".l10n.php")):
        return None
    if inside[0] in _NO_PHP:
        return SUSPICIOUS, "php_in_uploads"
    return (ODD, "php_in_cache") if inside[0] in _CACHES else None


def is_silent(data: bytes) -> bool:
    """Whether PHP does nothing: only comments, as in `Silence is golden`."""
    text = data.strip()
    return not text or (len(text) < 4000 and _SILENCE.match(text) is not None)


def head(data: bytes, lines: int = 5) -> str:
    """How a file begins."""
    text = data[:2000].decode("utf-8", "replace")
    return "\n".join(each[:200] for each in text.splitlines()[:lines])


def around(data: bytes, offset: int, length: int) -> str:
    """The lines in which something stands, and one before and after, each cut around it: evidence for a person."""
    start = data.rfind(b"\n", max(0, offset - 200), offset) + 1 or max(0, offset - 120)
    before = data.rfind(b"\n", max(0, start - 160), max(0, start - 1)) + 1 or start
    end = min(offset + min(length, 300) + 120, len(data))
    after = data.find(b"\n", offset + min(length, 300), end)
    line = data.count(b"\n", 0, offset) + 1
    text = data[min(before, start) : after if after > 0 else end].decode("utf-8", "replace")
    return clean(f"{line}: {text.strip()}", 700)


def _of_settings(name: str, text: str, layout: Layout) -> Iterator[Hit]:
    for match in _PREPEND.finditer(text):
        known = _FIREWALL.search(match["file"])
        yield own(ODD if known else SUSPICIOUS, "php_before_every_page", match[0].strip())
    handled = _HANDLER.search(text)
    inside = _below(name, layout.content)
    if handled and ((inside[:1] and inside[0] in _NO_PHP | _CACHES) or _runs_other(handled[0])):
        yield own(SUSPICIOUS, "handler_for_other_files", handled[0].strip())
    away = _LEADS_ELSEWHERE.search(text)
    if away:
        yield own(SUSPICIOUS, "searchers_sent_away", away[0].strip())


def _runs_other(line: str) -> bool:
    """Whether a handler of PHP is for files that are no programs."""
    return bool(re.search(r"\.(?:jpe?g|png|gif|ico|txt|html?|css|js|svg|webp|pdf)\b", line, re.IGNORECASE))


def _below(name: str, folder: str) -> list[str]:
    """The parts of a name below a folder, in lower case; empty where it is not below it."""
    return name[len(folder) + 1 :].lower().split("/") if folder and name.startswith(folder + "/") else []
