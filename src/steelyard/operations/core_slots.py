"""Slots: adding a WordPress, a plugin or a theme from an archive, and listing what is held."""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import shutil
import socket
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from steelyard.config import Settings
from steelyard.kit.errors import ConfigError, SlotError
from steelyard.operations.cell import record_everywhere
from steelyard.operations.database import opened
from steelyard.toolbox import slots_archive, slots_template
from steelyard.toolbox.slots import KINDS, Slot, manifest, read_slots, read_trusted, sign, trusted, write_slot
from steelyard.toolbox.slots_keys import TRUSTED, make_key, read_key
from steelyard.toolbox.slots_release import release_of

Say = Callable[[str], None]


class Pins(NamedTuple):
    """What the archive has to be, as its author says. Empty: not said."""

    sha256: str = ""
    sha1: str = ""


class Listed(NamedTuple):
    """A slot as it is listed."""

    kind: str
    """`core`, `plugin` or `theme`."""
    slug: str
    version: str
    locale: str
    """Empty for plugins and themes."""
    files: int
    bytes: int
    archive: str
    template: bool
    trusted: bool
    here: bool
    """Whether this machine has its files, as far as any are kept: those of WordPress are."""
    fetched: bool
    """Whether it came from the downloads of wordpress.org."""
    added_at: datetime


def key(settings: Settings) -> str:
    """Makes the operator's key; its public line, for `slot-keys` of every machine with workers."""
    return make_key(settings.keys, f"{getpass.getuser()}@{socket.gethostname()}")


async def add(
    settings: Settings, archive: Path, pins: Pins, say: Say, fetched: tuple[str, str] | None = None
) -> Listed:
    """Makes a slot of an archive of WordPress, of a plugin or of a theme: checked, unpacked and signed.

    WordPress is kept, with a template where this machine can make one; of others only the manifest is. `fetched`: kind
    and slug of what was fetched from the downloads of wordpress.org. Raises SlotError where it is anything else.
    """
    signer = read_key(settings.keys)
    slot = await asyncio.to_thread(_made, settings, archive, pins, signer, say, fetched)
    async with opened(settings, "core") as database, database.cell() as conn:
        await write_slot(conn, slot)
        await record_everywhere(conn, "toolbox.slot_added", digest=slot.archive)
    return _listed(settings, slot)


async def listed(settings: Settings) -> list[Listed]:
    """All slots of the cell."""
    async with opened(settings, "core") as database, database.cell() as conn:
        return [_listed(settings, each) for each in await read_slots(conn, KINDS)]


def _made(
    settings: Settings, archive: Path, pins: Pins, signer: Ed25519PrivateKey, say: Say, fetched: tuple[str, str] | None
) -> Slot:
    """All that is done with files, in one piece: whoever waits for it may be cancelled, and it still tidies up."""
    _check(archive, pins)
    settings.slots.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".adding-", dir=settings.slots) as scratch:
        made = Path(scratch) / "slot"
        folder, files = slots_archive.unpack(archive, made / "files")
        release, size = release_of(made / "files", folder), sum(each[1] for each in files)
        if fetched not in (None, release[:2]):
            raise SlotError(f"{' '.join(fetched or ())} was asked for, and {release} came: it is not kept")
        say(f"{release}: {len(files)} files, {size} bytes")
        is_core = release.kind == "core"
        template = _template(made / "files", release.locale, say) if is_core else ""
        text = manifest(*release, files, template, fetched=fetched is not None)
        slot = Slot(
            *release, slots_archive.digest(archive), len(files), size, zlib.compress(text), sign(signer, text),
            template, datetime.now(UTC),
        )  # fmt: skip
        if is_core:
            _place(settings.slots, made, slot)
    return slot


def _check(archive: Path, pins: Pins) -> None:
    if not archive.is_file():
        raise ConfigError(f"there is no archive {archive}")
    for name, wanted in pins._asdict().items():
        with archive.open("rb") as opened:
            found = hashlib.file_digest(opened, name).hexdigest()
        if wanted and wanted.strip().lower() != found:
            raise SlotError(f"{archive.name} is not what it should be: its {name.upper()} is {found}, not {wanted}")


def _template(files: Path, locale: str, say: Say) -> str:
    if not slots_template.can_make():
        say("no template of its tables: that needs PHP and MariaDB's server here. Resets take the slower way")
        return ""
    files.parent.parent.chmod(0o755)  # its installer runs as somebody with no rights
    return slots_template.make(files, locale)


def _place(slots: Path, made: Path, slot: Slot) -> None:
    """Into the cell's folder, with the archive that is brought to hosts; what was there of the name goes."""
    target, packed = slots / slot.name, slots / f"{slot.name}.tar.gz"
    (made / "manifest.json").write_bytes(slot.text)
    (made / "template.json").write_text(slot.template)
    half = made.parent / "half.tar.gz"
    with tarfile.open(half, "w:gz", compresslevel=3) as archive:
        for each in ("manifest.json", "template.json", "files"):
            archive.add(made / each, each, filter=_plain)
    if target.exists():
        target.rename(made.parent / "before")
    made.rename(target)
    half.replace(packed)
    shutil.rmtree(made.parent / "before", ignore_errors=True)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.isdir() else 0o644
    return entry


def _listed(settings: Settings, slot: Slot) -> Listed:
    good = trusted(read_trusted(settings.keys / TRUSTED), slot.text, slot.signature)
    here = slot.kind != "core" or (settings.slots / f"{slot.name}.tar.gz").is_file()
    return Listed(
        slot.kind, slot.slug, slot.version, slot.locale, slot.files, slot.bytes, slot.archive, bool(slot.template),
        good, here, slot.fetched, slot.added_at,
    )  # fmt: skip
