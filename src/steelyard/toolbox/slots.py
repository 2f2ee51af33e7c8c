"""Slots of the cell: a WordPress of each version and language, unpacked, signed, ready to be used and copied.

    <slots>/core-7.1.1-en_US/{manifest.json, template.json, files/…}     the same as on hosts, see hosted/slots.py
    <slots>/core-7.1.1-en_US.tar.gz                                     what is brought to hosts

The table `slot` holds the manifest with the operator's signature. What no trusted key signed is not offered to any run.
Of plugins and themes it holds nothing else: scans know their files by it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, LiteralString

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from psycopg.rows import class_row

from steelyard.kit.errors import SlotError
from steelyard.store.database import Connection
from steelyard.toolbox.model import Json

KINDS = ("core", "plugin", "theme")
PURPOSE = b"steelyard slot 1\n"
"""Before what is signed, so that no signature of anything else passes for one."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A row of the table."""

    kind: str
    slug: str
    version: str
    locale: str
    archive: str
    files: int
    bytes: int
    manifest: bytes
    """Compressed."""
    signature: bytes
    template: str
    added_at: datetime

    @property
    def name(self) -> str:
        """Its folder's name."""
        return name_of(self.kind, self.slug, self.version, self.locale)

    @property
    def text(self) -> bytes:
        """The manifest: JSON, exactly as it was signed."""
        return zlib.decompress(self.manifest)

    @property
    def fetched(self) -> bool:
        """Whether it came from the downloads of wordpress.org."""
        return bool(json.loads(self.text).get("fetched"))

    @property
    def sha256(self) -> str:
        """Of the manifest, in hexadecimal."""
        return hashlib.sha256(self.text).hexdigest()


def name_of(kind: str, slug: str, version: str, locale: str) -> str:
    """The folder of a slot."""
    return f"core-{version}-{locale}" if kind == "core" else f"{kind}-{slug}-{version}"


def manifest(
    kind: str,
    slug: str,
    version: str,
    locale: str,
    files: Sequence[tuple[str, int, str]],
    template: str = "",
    *,
    fetched: bool = False,
) -> bytes:
    """What is signed: which release, its files with size and SHA-256, the SHA-256 of its template and its tables.

    `fetched`: whether it came from the downloads of wordpress.org, where its next release is looked for.
    """
    tables = [each[0] for each in json.loads(template)["schema"]] if template else []
    told = {
        "kind": kind,
        "slug": slug,
        "version": version,
        "locale": locale,
        "template": hashlib.sha256(template.encode()).hexdigest() if template else "",
        "tables": tables,
        "fetched": fetched,
        "files": [list(each) for each in sorted(files)],
    }
    return json.dumps(told, separators=(",", ":"), sort_keys=True).encode()


def sign(key: Ed25519PrivateKey, manifest: bytes) -> bytes:
    """The operator's signature of a manifest."""
    return key.sign(PURPOSE + manifest)


def trusted(keys: Sequence[Ed25519PublicKey], manifest: bytes, signature: bytes) -> bool:
    """Whether one of the trusted keys signed it."""
    for key in keys:
        try:
            key.verify(signature, PURPOSE + manifest)
        except InvalidSignature:
            continue
        return True
    return False


def read_trusted(file: Path) -> list[Ed25519PublicKey]:
    """The public keys in a file, one a line: `ed25519 BASE64 whose`. None where there is no file. Raises SlotError."""
    if not file.exists():
        return []
    found: list[Ed25519PublicKey] = []
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            if words[0] != "ed25519":
                raise ValueError
            found.append(Ed25519PublicKey.from_public_bytes(base64.b64decode(words[1], validate=True)))
        except (ValueError, IndexError):
            raise SlotError(f"{file}: line {number} is no key: it reads `ed25519 BASE64 whose`") from None
    return found


async def read_slots(conn: Connection, kinds: Sequence[str] = ("core",)) -> list[Slot]:
    """All slots of some kinds."""
    of = "kind = ANY(%(kinds)s) ORDER BY kind, slug, version, locale"
    return await _slots(conn, f"{_SELECT} WHERE {of}", {"kinds": list(kinds)})


async def find_slot(conn: Connection, kind: str, slug: str, version: str, locale: str) -> Slot | None:
    """One slot."""
    at = {"kind": kind, "slug": slug, "version": version, "locale": locale}
    of = "kind = %(kind)s AND slug = %(slug)s AND version = %(version)s AND locale = %(locale)s"
    found = await _slots(conn, f"{_SELECT} WHERE {of}", at)
    return found[0] if found else None


async def write_slot(conn: Connection, slot: Slot) -> None:
    """Writes a slot; what was there of the same release is replaced."""
    await conn.execute(
        "INSERT INTO slot (kind, slug, version, locale, archive, files, bytes, manifest, signature, template, added_at)"
        " VALUES (%(kind)s, %(slug)s, %(version)s, %(locale)s, %(archive)s, %(files)s, %(bytes)s, %(manifest)s,"
        " %(signature)s, %(template)s, %(added_at)s) ON CONFLICT (kind, slug, version, locale) DO UPDATE SET"
        " archive = excluded.archive, files = excluded.files, bytes = excluded.bytes, manifest = excluded.manifest,"
        " signature = excluded.signature, template = excluded.template, added_at = excluded.added_at",
        {name: getattr(slot, name) for name in Slot.__slots__},
    )


async def _slots(conn: Connection, sql: LiteralString, values: Mapping[str, object]) -> list[Slot]:
    async with conn.cursor(row_factory=class_row(Slot)) as cursor:
        return await (await cursor.execute(sql, values)).fetchall()


_SELECT: LiteralString = (
    "SELECT kind, slug, version, locale, archive, files, bytes, manifest, signature, template, added_at FROM slot"
)


def offered(slots: Sequence[Slot], keys: Sequence[Ed25519PublicKey]) -> dict[str, Json]:
    """What plans may choose from: `Asked.slots`. Only what a trusted key signed."""
    good = [each for each in slots if each.kind == "core" and trusted(keys, each.text, each.signature)]
    return {"core": [_offer(each) for each in good]}


def _offer(slot: Slot) -> dict[str, Json]:
    told: dict[str, Any] = json.loads(slot.text)
    return {
        "version": slot.version,
        "locale": slot.locale,
        "sha256": slot.sha256,
        "files": slot.files,
        "bytes": slot.bytes,
        "tables": told["tables"],
    }


class Shelf:
    """The slots of this cell, for those who need what is signed."""

    def __init__(self, keys: Callable[[], Sequence[Ed25519PublicKey]]) -> None:
        """`keys`: the public keys that this machine trusts, read anew each time: an operator may add one."""
        self._keys = keys

    async def offered(self, conn: Connection) -> Mapping[str, Json]:
        """See `offered`."""
        return offered(await read_slots(conn), self._keys())

    async def files(
        self, conn: Connection, kind: str, slug: str, version: str, locale: str
    ) -> Mapping[str, tuple[str, int]] | None:
        """SHA-256 and bytes by path of a release; None where there is none, or no trusted key signed it."""
        slot = await find_slot(conn, kind, slug, version, locale)
        if slot is None or not trusted(self._keys(), slot.text, slot.signature):
            return None
        told = json.loads(slot.text)
        if (told["kind"], told["slug"], told["version"], told["locale"]) != (kind, slug, version, locale):
            return None  # the row was given the manifest of another release
        return {path: (sha, size) for path, size, sha in told["files"]}
