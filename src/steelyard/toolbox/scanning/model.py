"""The words of a scan: files as they were seen, manifests, findings. Pure."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, cast

from steelyard.toolbox.hosted.places import (
    LONGEST_EVIDENCE,
    OWN_AUTHOR,
    OWN_LICENCE,
    OWN_PACK,
    Hit,
    Layout,
    clean,
    own,
)

__all__ = [
    "LONGEST_EVIDENCE", "OWN_AUTHOR", "OWN_LICENCE", "OWN_PACK", "Entry", "Finding", "Hit", "Judged", "Kept", "Kind",
    "Layout", "Manifest", "Memory", "Severity", "clean", "own",
]  # fmt: skip


class Severity(StrEnum):
    """How sure it is that somebody broke in, worst first."""

    MALICIOUS = "malicious"
    SUSPICIOUS = "suspicious"
    ODD = "odd"


class Kind(StrEnum):
    """What a finding is about."""

    CORE = "core"
    FILE = "file"
    OPTION = "option"
    POST = "post"
    USER = "user"
    CRON = "cron"


class Entry(NamedTuple):
    """A file as a survey saw it. `name`: absolute and spelled, see hosted/spelling.py. Times in nanoseconds."""

    name: str
    size: int
    mtime: int
    ctime: int
    inode: int

    @property
    def identity(self) -> tuple[int, int, int, int]:
        """What differs once the file is another: size, both times, inode."""
        return self.size, self.mtime, self.ctime, self.inode


class Manifest(NamedTuple):
    """The files of one release, signed by the operator: SHA-256 and bytes by path in `folder`."""

    kind: str
    """core, plugin or theme."""
    title: str
    """Such as `core 7.1.1 en_US`."""
    folder: str
    """Where it lies on the host: absolute, spelled, without a slash at its end."""
    files: Mapping[str, tuple[str, int]]


class Finding(NamedTuple):
    """Something that a person has to look at. All texts but `kind` and `severity` may be hostile."""

    kind: Kind
    place: str
    hit: Hit
    sha256: str = ""


class Kept(NamedTuple):
    """A finding in the table. All but its number, kind and severity may be hostile text."""

    finding: int
    kind: str
    place: str
    severity: str
    rule: str
    pack: str
    author: str
    licence: str
    about: str
    evidence: str
    sha256: str
    quarantined: bool
    at: datetime


class Judged(NamedTuple):
    """What is remembered of a file: its identity, SHA-256, whether a manifest knows it, and what rules said of it."""

    identity: tuple[int, int, int, int]
    sha256: str
    known: bool
    hits: tuple[Hit, ...] = ()


@dataclass(slots=True)
class Memory:
    """What the last scan of a site saw, so that the next reads only what changed. `rules`: what it was judged by."""

    rules: str
    files: dict[str, Judged] = field(default_factory=dict[str, Judged])

    def of(self, entry: Entry) -> Judged | None:
        """What is remembered of this file; None where it has to be looked at."""
        judged = self.files.get(entry.name)
        return judged if judged is not None and judged.identity == entry.identity else None

    def dump(self) -> bytes:
        """Compressed JSON."""
        rows = [[name, *each.identity, each.sha256, each.known, each.hits] for name, each in self.files.items()]
        return zlib.compress(json.dumps(rows, separators=(",", ":")).encode(), 1)

    @classmethod
    def load(cls, rules: str, seen: bytes) -> Memory:
        """What `dump` made; empty where it cannot be read."""
        try:
            rows = cast("list[list[Any]]", json.loads(zlib.decompress(seen)))
            files = {
                str(name): Judged((size, mtime, ctime, inode), digest, known, tuple(Hit(*each) for each in hits))
                for name, size, mtime, ctime, inode, digest, known, hits in rows
            }
        except (zlib.error, ValueError, TypeError):
            return cls(rules)
        return cls(rules, files)
