"""What is wrong with files before any rule is asked: core that is not as released, PHP where none belongs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from steelyard.toolbox.hosted.places import base, is_program, is_read
from steelyard.toolbox.scanning.model import Entry, Finding, Kind, Manifest, Severity, own

_FREE = frozenset({"license.txt", "licence.txt", "readme.html", "wp-config-sample.php", "readme.txt", "liesmich.html"})
"""What may differ or be gone without anybody having done harm."""
_ADDED_FREE = frozenset({"wp-config.php", "error_log", ".ds_store"})


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
