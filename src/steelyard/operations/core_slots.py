"""Core slots: adding a WordPress from an archive or from wordpress.org, listing them, copying them to hosts."""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import json
import re
import secrets
import shutil
import socket
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import httpx

from steelyard.config import Settings
from steelyard.kit.errors import ConfigError, SlotError
from steelyard.main.hosts import Hosts
from steelyard.operations.database import opened
from steelyard.operations.registry import Room, room
from steelyard.toolbox import slots_archive, slots_template
from steelyard.toolbox.model import Token
from steelyard.toolbox.reach import Errand
from steelyard.toolbox.registry_rows import HostRow
from steelyard.toolbox.slots import (
    Slot,
    manifest,
    name_of,
    offered,
    read_slots,
    read_trusted,
    sign,
    trusted,
    write_slot,
)
from steelyard.toolbox.slots_bring import bring
from steelyard.toolbox.slots_keys import TRUSTED, make_key, read_key
from steelyard.toolbox.tools import core

MOST = 200_000_000
"""Bytes of an archive that is fetched."""
_VERSION = re.compile(r"\d+(\.\d+){1,2}(-[A-Za-z0-9.]+)?")
_LOCALE = re.compile(r"[a-z]{2,3}(_[A-Za-z]{2,})?(_[a-z]+)?")

Say = Callable[[str], None]


class Pins(NamedTuple):
    """What the archive has to be, as its author says. Empty: not said."""

    sha256: str = ""
    sha1: str = ""


class Listed(NamedTuple):
    """A slot as it is listed."""

    version: str
    locale: str
    files: int
    bytes: int
    archive: str
    template: bool
    trusted: bool
    here: bool
    """Whether this machine has its files."""
    added_at: datetime


class Copied(NamedTuple):
    """What came of copying to a host."""

    host: str
    name: str
    brought: bool
    spares: int
    failed: str


def key(settings: Settings) -> str:
    """Makes the operator's key; its public line, for `slot-keys` of every machine with workers."""
    return make_key(settings.keys, f"{getpass.getuser()}@{socket.gethostname()}")


async def add(settings: Settings, archive: Path, pins: Pins, say: Say) -> Listed:
    """Makes a slot of an archive: checked, unpacked, signed, with a template where this machine can make one."""
    signer = read_key(settings.keys)
    await asyncio.to_thread(_check, archive, pins)
    settings.slots.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".adding-", dir=settings.slots) as scratch:
        made = Path(scratch) / "slot"
        files = await asyncio.to_thread(slots_archive.unpack, archive, made / "files")
        release = slots_archive.release_of(made / "files")
        say(f"WordPress {release.version} {release.locale}: {len(files)} files, {sum(each[1] for each in files)} bytes")
        template = await asyncio.to_thread(_template, made / "files", release.locale, say)
        text = manifest("core", "wordpress", release.version, release.locale, files, template)
        slot = Slot(
            "core", "wordpress", release.version, release.locale, slots_archive.digest(archive), len(files),
            sum(each[1] for each in files), zlib.compress(text), sign(signer, text), template, datetime.now(UTC),
        )  # fmt: skip
        (made / "manifest.json").write_bytes(text)
        (made / "template.json").write_text(template)
        await asyncio.to_thread(_place, settings.slots, made, slot)
    async with opened(settings, "core") as database, database.cell() as conn:
        await write_slot(conn, slot)
    return _listed(settings, slot)


async def fetch(settings: Settings, version: str, locale: str, say: Say) -> Listed:
    """Fetches a release from wordpress.org and adds it. Its SHA-1 comes from there too: it proves the way, no more."""
    if not _VERSION.fullmatch(version) or not _LOCALE.fullmatch(locale):
        raise ConfigError("a version is written as 7.1.1 and a language as fr_FR")
    part = "" if locale == "en_US" else f"{locale}/"
    url = f"{settings.wordpress_downloads}/release/{part}wordpress-{version}.tar.gz"
    with tempfile.TemporaryDirectory(prefix="steelyard-core-") as scratch:
        archive = Path(scratch) / f"wordpress-{version}-{locale}.tar.gz"
        async with httpx.AsyncClient(timeout=60, follow_redirects=False) as client:
            sha1 = (await _text(client, f"{url}.sha1")).split()
            await _download(client, url, archive)
        say(f"fetched {url}")
        return await add(settings, archive, Pins(sha1=sha1[0] if sha1 else ""), say)


async def refresh(settings: Settings, say: Say) -> list[Listed]:
    """Adds the newest release in every language that is held, where it is not there yet."""
    held = await listed(settings)
    locales = sorted({each.locale for each in held}) or ["en_US"]
    added: list[Listed] = []
    async with httpx.AsyncClient(timeout=60, follow_redirects=False) as client:
        for locale in locales:
            url = f"{settings.wordpress_api}/core/version-check/1.7/?locale={locale}"
            version = _newest(await _text(client, url))
            if any(each.version == version and each.locale == locale for each in held):
                say(f"WordPress {version} {locale} is held already")
                continue
            added.append(await fetch(settings, version, locale, say))
    return added


async def listed(settings: Settings) -> list[Listed]:
    """All slots of the cell."""
    async with opened(settings, "core") as database, database.cell() as conn:
        return [_listed(settings, each) for each in await read_slots(conn)]


async def copy(
    settings: Settings, workspace: str | None, hosts: Sequence[str], sites: Sequence[str], say: Say
) -> list[Copied]:
    """Brings the newest slot of each language to hosts (all of them where none is named), and makes spares for sites.

    A spare is a copy beside the site's folder that its next reset takes, so that it copies nothing then.
    """
    async with room(settings, workspace, "core") as found:
        known = [await found.host(name) for name in hosts] or ([] if sites else await found.hosts())
        wanted = await _offered(settings, found)
        done = [await _copy_to(settings, found, host, slot, say) for host in known for slot in wanted]
        for name in sites:
            done += [await _spare(settings, found, name, slot, say) for slot in wanted]
    return done


async def _offered(settings: Settings, found: Room) -> list[core.Slot]:
    async with found.database.cell() as conn:
        all = core.slots(offered(await read_slots(conn), read_trusted(settings.keys / TRUSTED)))
    newest: dict[str, core.Slot] = {}
    for each in all:
        newest.setdefault(each.locale, each)
    if not newest:
        raise SlotError("there is no slot that this machine trusts: add one by `steelyard core add`")
    return list(newest.values())


async def _copy_to(settings: Settings, found: Room, row: HostRow, slot: core.Slot, say: Say) -> Copied:
    host = row.host
    hosts = Hosts(found.database, found.workspace, settings.keys)
    folder = str(row.hints.get("slots", ""))
    token = _token()
    asked = {"name": slot.name, "sha256": slot.sha256, "account": host.account, "mark": token}
    try:
        async with hosts.open(host, Errand(token)) as reached:
            told = await bring(reached, settings.slots, asked, folder, lambda _: None)
    except Exception as error:  # the other hosts get theirs
        return Copied(host.name, slot.name, False, 0, str(error))
    say(f"{host.name}: {slot.name} {'brought' if told['brought'] else 'is there already'}")
    return Copied(host.name, slot.name, bool(told["brought"]), 0, "")


async def _spare(settings: Settings, found: Room, name: str, slot: core.Slot, say: Say) -> Copied:
    site = (await found.site(name)).site
    copied = await _copy_to(settings, found, await found.host(site.host.name), slot, say)
    if copied.failed:
        return copied
    hosts = Hosts(found.database, found.workspace, settings.keys)
    try:
        async with hosts.open(site.host, Errand(_token(), site)) as reached:
            there = await reached.call(core.look(site, [slot]), lambda _: None)
            action = core.spare(site.docroot, f"{there['folder']}/{slot.name}", slot.sha256)
            await reached.call(action, lambda _: None)
    except Exception as error:
        return copied._replace(failed=str(error))
    say(f"{name}: a spare of {slot.name} lies beside the site")
    return copied._replace(spares=1)


def _token() -> Token:
    return Token(secrets.token_hex(4))


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
    name = name_of(slot.kind, slot.slug, slot.version, slot.locale)
    here = (settings.slots / f"{name}.tar.gz").is_file()
    return Listed(
        slot.version, slot.locale, slot.files, slot.bytes, slot.archive, bool(slot.template), good, here, slot.added_at
    )


async def _text(client: httpx.AsyncClient, url: str) -> str:
    try:
        answer = await client.get(url)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise SlotError(f"{url} cannot be fetched: {error or type(error).__name__}") from None
    return answer.text[:1_000_000]


async def _download(client: httpx.AsyncClient, url: str, target: Path) -> None:
    try:
        async with client.stream("GET", url) as answer:
            answer.raise_for_status()
            size = 0
            with target.open("xb") as opened:
                async for piece in answer.aiter_bytes():
                    size += len(piece)
                    if size > MOST:
                        raise SlotError(f"{url} is larger than a WordPress: it is not kept")
                    opened.write(piece)
    except httpx.HTTPError as error:
        raise SlotError(f"{url} cannot be fetched: {error or type(error).__name__}") from None


def _newest(text: str) -> str:
    try:
        version = str(json.loads(text)["offers"][0]["version"])
    except (ValueError, LookupError, TypeError):
        raise SlotError("what wordpress.org says of its newest version cannot be read") from None
    if not _VERSION.fullmatch(version):
        raise SlotError("what wordpress.org says is no version")
    return version
