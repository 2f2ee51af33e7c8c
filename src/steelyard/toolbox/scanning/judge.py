"""What is wrong with files before any rule is asked: core that is not as released, PHP where none belongs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from steelyard.toolbox.scanning.model import Entry, Finding, Hit, Kind, Layout, Manifest, Severity, clean, own

_PHP = re.compile(r"\.(?:php[0-9]?|phtml|pht|phar|inc|module)(?:\.[^/.]*)?\Z", re.IGNORECASE)
_SETTINGS = frozenset({".htaccess", ".user.ini", "php.ini"})
_FREE = frozenset({"license.txt", "licence.txt", "readme.html", "wp-config-sample.php", "readme.txt", "liesmich.html"})
"""What may differ or be gone without anybody having done harm."""
_ADDED_FREE = frozenset({"wp-config.php", "error_log", ".ds_store"})
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


class Compared(NamedTuple):
    """Files beside a signed manifest."""

    known: Mapping[str, str]
    """SHA-256 by name: as released."""
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    added: tuple[str, ...]
    findings: tuple[Finding, ...]


def names_of(manifest: Manifest) -> list[str]:
    """Where its files are to lie."""
    return [f"{manifest.folder}/{path}" for path in manifest.files]


def folders_of(manifest: Manifest) -> tuple[list[str], list[str]]:
    """The folders in which nothing but its files belongs, and those of which only the files right in them count."""
    if manifest.kind == "core":
        return [f"{manifest.folder}/wp-admin", f"{manifest.folder}/wp-includes"], [manifest.folder]
    return [manifest.folder], []


def compare(manifest: Manifest, entries: Mapping[str, Entry], digests: Mapping[str, str]) -> Compared:
    """`manifest` beside what was surveyed and the digests of what lies at its names.

    Of core, what is below wp-content is a site's own: it is known where it is as released, and else no finding.
    """
    known: dict[str, str] = {}
    changed: list[str] = []
    missing: list[str] = []
    for path, (digest, _) in manifest.files.items():
        name = f"{manifest.folder}/{path}"
        found = digests.get(name) if name in entries else None
        if found == digest:
            known[name] = digest
        elif not _is_sites_own(manifest, path):
            (changed if found is not None else missing).append(name)
    more = added(manifest, entries)
    findings = [
        *(_changed(manifest, entries[name], digests[name]) for name in changed),
        *(_missing(manifest, name) for name in missing if not _is_free(name)),
        *(_added(manifest, entries[name], digests.get(name, "")) for name in more),
    ]
    return Compared(known, tuple(changed), tuple(missing), tuple(more), tuple(findings))


def added(manifest: Manifest, entries: Iterable[str]) -> list[str]:
    """Those of these names that no release put where they lie."""
    return [name for name in entries if _is_added(manifest, name)]


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
            yield own(Severity.SUSPICIOUS, "php_inside_another", around(data, opened.start(), 200))


def misplaced(name: str, layout: Layout) -> tuple[Severity, str] | None:
    """How bad it is that a program lies here, by the rule that says so; None where programs belong."""
    folders = _below(name, layout.root)[:-1]
    if any(each.startswith(".") for each in folders):
        return Severity.SUSPICIOUS, "php_in_hidden_folder"
    if base(name).startswith("."):
        return Severity.SUSPICIOUS, "php_hidden"
    inside = _below(name, layout.content)
    if len(inside) == 1 and inside[0] not in _DROP_INS:
        return Severity.ODD, "php_beside_drop_ins"
    if len(inside) < 2 or (inside[0] == "languages" and inside[-1].endswith(".l10n.php")):
        return None
    if inside[0] in _NO_PHP:
        return Severity.SUSPICIOUS, "php_in_uploads"
    return (Severity.ODD, "php_in_cache") if inside[0] in _CACHES else None


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
        yield own(Severity.ODD if known else Severity.SUSPICIOUS, "php_before_every_page", match[0].strip())
    handled = _HANDLER.search(text)
    inside = _below(name, layout.content)
    if handled and ((inside[:1] and inside[0] in _NO_PHP | _CACHES) or _runs_other(handled[0])):
        yield own(Severity.SUSPICIOUS, "handler_for_other_files", handled[0].strip())
    away = _LEADS_ELSEWHERE.search(text)
    if away:
        yield own(Severity.SUSPICIOUS, "searchers_sent_away", away[0].strip())


def _runs_other(line: str) -> bool:
    """Whether a handler of PHP is for files that are no programs."""
    return bool(re.search(r"\.(?:jpe?g|png|gif|ico|txt|html?|css|js|svg|webp|pdf)\b", line, re.IGNORECASE))


def _below(name: str, folder: str) -> list[str]:
    """The parts of a name below a folder, in lower case; empty where it is not below it."""
    return name[len(folder) + 1 :].lower().split("/") if folder and name.startswith(folder + "/") else []


def _is_sites_own(manifest: Manifest, path: str) -> bool:
    return manifest.kind == "core" and path.startswith("wp-content/")


def _is_free(name: str) -> bool:
    return base(name) in _FREE


def _is_added(manifest: Manifest, name: str) -> bool:
    if not name.startswith(manifest.folder + "/"):
        return False
    path = name[len(manifest.folder) + 1 :]
    if path in manifest.files or base(path) in _ADDED_FREE:
        return False
    if manifest.kind != "core":
        return is_read(path)
    if "/" in path:
        return path.startswith(("wp-admin/", "wp-includes/"))
    return path.startswith("wp-") and is_program(path)


def _changed(manifest: Manifest, entry: Entry, digest: str) -> Finding:
    wanted, size = manifest.files[entry.name[len(manifest.folder) + 1 :]]
    told = f"{manifest.title}\n- {wanted} ({size})\n+ {digest} ({entry.size})"
    severity = Severity.ODD if _is_free(entry.name) else Severity.SUSPICIOUS
    return _of_core(entry.name, severity, f"{_which(manifest)}_changed", told, digest)


def _missing(manifest: Manifest, name: str) -> Finding:
    wanted, size = manifest.files[name[len(manifest.folder) + 1 :]]
    return _of_core(name, Severity.ODD, f"{_which(manifest)}_missing", f"{manifest.title}\n- {wanted} ({size})")


def _added(manifest: Manifest, entry: Entry, digest: str) -> Finding:
    severity = Severity.SUSPICIOUS if is_read(entry.name) else Severity.ODD
    return _of_core(
        entry.name, severity, f"{_which(manifest)}_added", f"{manifest.title}\n+ {digest} ({entry.size})", digest
    )


def _which(manifest: Manifest) -> str:
    return "core" if manifest.kind == "core" else "extension"


def _of_core(name: str, severity: Severity, rule: str, evidence: str, digest: str = "") -> Finding:
    return Finding(Kind.CORE, name, own(severity, rule, evidence), digest)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Findings by severity, kind and place."""
    order = list(Severity)
    return sorted(findings, key=lambda each: (order.index(Severity(each.hit.severity)), each.kind, each.place))
