"""Core slots: archives from outside, the operator's signature, the template, and the way to a host."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import tarfile
import zipfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr
from reaching import ACCOUNT, Keys, host_of, login_of
from releases import a_tar, a_zip, serving

from steelyard.adapters.ssh import SshReach
from steelyard.config import Settings
from steelyard.demo.hosting import Hosting
from steelyard.kit.errors import SlotError
from steelyard.kit.ids import WorkspaceId
from steelyard.operations import core_copying, core_fetching, core_slots
from steelyard.operations.core_slots import Pins
from steelyard.store.database import Database
from steelyard.toolbox import slots_archive, slots_keys
from steelyard.toolbox.model import Host, Token
from steelyard.toolbox.reach import Errand, HostError
from steelyard.toolbox.registry import NewHost, NewSite, add_host, add_site
from steelyard.toolbox.slots import manifest, offered, read_slots, read_trusted, sign, trusted
from steelyard.toolbox.slots_bring import bring
from steelyard.toolbox.slots_release import Release, release_of

VERSION = b"<?php\n$wp_version = '9.8.7';\n$wp_local_package = 'fr_FR';\n"
CORE = {
    "wordpress/wp-load.php": b"<?php",
    "wordpress/wp-settings.php": b"<?php",
    "wordpress/wp-includes/version.php": VERSION,
    "wordpress/wp-admin/includes/upgrade.php": b"<?php",
}


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


@pytest.mark.parametrize("make", [a_tar, a_zip])
def test_archives_of_both_kinds(tmp_path: Path, make: object) -> None:
    files = slots_archive.unpack(make(tmp_path / "a", CORE), tmp_path / "out")  # type: ignore[operator]
    assert [each[0] for each in files.files] == sorted(name.partition("/")[2] for name in CORE)
    assert {each[0]: each[2] for each in files.files}["wp-includes/version.php"] == hashlib.sha256(VERSION).hexdigest()
    assert release_of(tmp_path / "out", files.folder) == ("core", "wordpress", "9.8.7", "fr_FR")


@pytest.mark.parametrize(
    "name",
    [
        "../out.php",
        "/etc/x",
        "wordpress/../../x",
        "wordpress/a\nb",
        "x.php",
        "wordpress/c:\\x",
        "wordpress/wp-load.php",
    ],
)
def test_a_path_that_leads_out_or_comes_twice_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SlotError), pytest.warns(UserWarning, match="Duplicate") if name in CORE else _nothing():
        slots_archive.unpack(a_zip_of_pairs(tmp_path / "a.zip", [*CORE.items(), (name, b"x")]), tmp_path / "out")
    assert {each.name for each in tmp_path.iterdir()} <= {"a.zip", "out"}


def a_zip_of_pairs(path: Path, pairs: list[tuple[str, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in pairs:
            archive.writestr(name, data)
    return path


class _nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


@pytest.mark.parametrize(
    "entry",
    [link("wordpress/x", "/etc/passwd"), link("wordpress/x", "wordpress/wp-load.php", tarfile.LNKTYPE),
     link("wordpress/x", "", tarfile.FIFOTYPE), link("wordpress/x", "", tarfile.CHRTYPE)],
)  # fmt: skip
def test_links_and_devices_are_refused(tmp_path: Path, entry: tarfile.TarInfo) -> None:
    with pytest.raises(SlotError, match="no plain file"):
        slots_archive.unpack(a_tar(tmp_path / "a", CORE, entry), tmp_path / "out")


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots_archive, "MOST_OF_ONE", 1_000_000)
    with pytest.raises(SlotError, match="more than a release"):
        slots_archive.unpack(a_zip(tmp_path / "a", {**CORE, "wordpress/x": bytes(2_000_000)}), tmp_path / "out")
    monkeypatch.setattr(slots_archive, "MOST_FILES", 3)
    with pytest.raises(SlotError, match="more than a release"):
        slots_archive.unpack(a_tar(tmp_path / "b", CORE), tmp_path / "more")


def test_a_size_that_lies_is_refused(tmp_path: Path) -> None:
    data = bytearray(a_zip(tmp_path / "a", {"wordpress/x": bytes(100_000)}).read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(SlotError):
        slots_archive.unpack(tmp_path / "a", tmp_path / "out")


@pytest.mark.parametrize("data", [b"", b"no archive", b"\x1f\x8b\x08broken"])
def test_what_is_no_archive_is_said(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(SlotError):
        slots_archive.unpack(tmp_path / "a", tmp_path / "out")


def test_only_what_a_trusted_key_signed_is_trusted() -> None:
    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    text = manifest("core", "wordpress", "7.1.1", "en_US", [("a", 1, "00")], "")
    assert trusted([other.public_key(), key.public_key()], text, sign(key, text))
    assert not trusted([other.public_key()], text, sign(key, text))
    assert not trusted([key.public_key()], text.replace(b"00", b"01"), sign(key, text))
    assert not trusted([key.public_key()], text, key.sign(text))
    assert not trusted([], text, sign(key, text))


def test_the_key_is_made_once_and_read_by_nobody_else(tmp_path: Path) -> None:
    line = slots_keys.make_key(tmp_path / "keys", "me@here")
    assert (tmp_path / "keys" / slots_keys.KEY).stat().st_mode & 0o777 == 0o600
    assert line.startswith("ed25519 ")
    public = read_trusted(tmp_path / "keys" / slots_keys.TRUSTED)[0]
    public.verify(slots_keys.read_key(tmp_path / "keys").sign(b"x"), b"x")
    with pytest.raises(SlotError, match="already"):
        slots_keys.make_key(tmp_path / "keys", "me@here")
    (tmp_path / "odd").write_text("rsa AAAA\n")
    with pytest.raises(SlotError, match="line 1"):
        read_trusted(tmp_path / "odd")


@pytest.fixture
def settings(app_url: str, hosting_folder: Path, tmp_path: Path, wordpress_org: str) -> Settings:
    return Settings(
        cell="eu1",
        database_url=SecretStr(app_url),
        keys=tmp_path / "keys",
        slots=hosting_folder / f"cell-{tmp_path.name}",
        wordpress_api=wordpress_org,
        wordpress_downloads=wordpress_org,
    )


@pytest.fixture
def wordpress_org(hosting: Hosting, tmp_path: Path) -> Iterator[str]:
    """A server that has what wordpress.org has of this release."""
    folder = tmp_path / "org"
    (folder / "release").mkdir(parents=True)
    (folder / "core/version-check/1.7").mkdir(parents=True)
    archive = hosting.template.wordpress.archive
    (folder / "release/wordpress-7.1.1.tar.gz").symlink_to(archive)
    (folder / "release/wordpress-7.1.1.tar.gz.sha1").write_text(hashlib.sha1(archive.read_bytes()).hexdigest())
    (folder / "core/version-check/1.7/index.html").write_text(json.dumps({"offers": [{"version": "7.1.1"}]}))

    with serving(folder) as address:
        yield address


async def test_a_wordpress_is_added_offered_and_brought_to_a_host(
    settings: Settings, database: Database, hosting: Hosting
) -> None:
    archive, said = hosting.template.wordpress.archive, list[str]()
    with pytest.raises(SlotError, match="core key"):
        await core_slots.add(settings, archive, Pins(), said.append)
    core_slots.key(settings)
    with pytest.raises(SlotError, match="SHA256"):
        await core_slots.add(settings, archive, Pins(sha256="00"), said.append)
    assert await core_slots.listed(settings) == []
    added = await core_slots.add(settings, archive, Pins(slots_archive.digest(archive)), said.append)
    assert (added.version, added.locale, added.files, added.trusted, added.here) == ("7.1.1", "en_US", 3782, True, True)
    assert added.template
    async with database.cell() as conn:
        rows = await read_slots(conn)
    held = offered(rows, read_trusted(settings.keys / slots_keys.TRUSTED))["core"][0]
    assert held["tables"]
    assert offered(rows, [Ed25519PrivateKey.generate().public_key()]) == {"core": []}
    assert await core_fetching.refresh(settings, said.append) == ([], [])
    assert "held already" in said[-1]
    await _bring(settings, hosting, held["sha256"])


async def _bring(settings: Settings, hosting: Hosting, sha256: str) -> None:
    folder = hosting.folder / "home" / settings.slots.name
    asked = {"name": "core-7.1.1-en_US", "sha256": sha256, "account": hosting.sshd.user, "mark": "0badcafe"}
    way, host = SshReach(Keys(web1=login_of(hosting))), host_of(hosting)
    async with way.open(host, Errand(Token("0badcafe"))) as reached:
        with pytest.raises(HostError, match="signed"):
            await bring(reached, settings.slots, {**asked, "sha256": "0" * 64}, str(folder), lambda _: None)
        assert not (folder / "core-7.1.1-en_US").exists()
        first = await bring(reached, settings.slots, asked, str(folder), lambda _: None)
        again = await bring(reached, settings.slots, asked, str(folder), lambda _: None)
    assert (first["brought"], again["brought"]) == (True, False)
    assert (folder / "core-7.1.1-en_US/files/wp-load.php").is_file()
    assert (folder / "core-7.1.1-en_US/manifest.json").is_file()
    await _bring_at_once(settings, way, host, asked, folder.with_name("both"))


async def _bring_at_once(settings: Settings, way: SshReach, host: Host, asked: Mapping[str, Any], folder: Path) -> None:
    """Two runs bring the same: neither is in the other's way, and nothing half is left."""

    async def one(token: str) -> None:
        async with way.open(host, Errand(Token(token))) as reached:
            await bring(reached, settings.slots, {**asked, "mark": token}, str(folder), lambda _: None)

    await asyncio.gather(one("0000000a"), one("0000000b"))
    assert os.listdir(folder) == ["core-7.1.1-en_US"]
    assert (folder / "core-7.1.1-en_US/files/wp-load.php").is_file()


async def test_fetching_proves_what_came(settings: Settings, wordpress_org: str, tmp_path: Path) -> None:
    core_slots.key(settings)
    (tmp_path / "org/release/wordpress-7.1.1.tar.gz.sha1").write_text("0" * 40)
    with pytest.raises(SlotError, match="SHA1"):
        await core_fetching.fetch(settings, Release("core", "wordpress", "7.1.1", "en_US"), "", lambda _: None)
    with pytest.raises(SlotError, match="cannot be fetched"):
        await core_fetching.fetch(settings, Release("core", "wordpress", "7.1.2", "fr_FR"), "", lambda _: None)
    assert await core_slots.listed(settings) == []


async def test_copies_to_hosts_and_beside_sites(
    settings: Settings,
    database: Database,
    hosting: Hosting,
    keys: Path,
    make_workspace: Callable[..., Awaitable[WorkspaceId]],
    tmp_path: Path,
) -> None:
    shutil.copytree(keys, settings.keys)
    core_slots.key(settings)
    await make_workspace()
    with pytest.raises(SlotError, match="core add"):
        await core_copying.copy(settings, None, (), (), lambda _: None)
    await core_slots.add(settings, hosting.template.wordpress.archive, Pins(), lambda _: None)
    docroot = tmp_path / "site/htdocs"
    (docroot / "wp-includes").mkdir(parents=True)
    (docroot / "wp-load.php").write_text("<?php")
    hints, now = {"slots": str(tmp_path / "slots")}, datetime.now(UTC)
    workspace = WorkspaceId("eu1.a86dr8yl")
    async with database.transaction(workspace) as conn:
        host = await add_host(conn, workspace, NewHost("here", "local", ACCOUNT, local=True, hints=hints), now)
        new = NewSite("a.example", host, str(docroot), ACCOUNT, "http://a.example", "")
        await add_site(conn, workspace, new, now)
    said: list[str] = []
    done = await core_copying.copy(settings, None, ["here"], (), said.append)
    assert [(each.host, each.brought, each.failed) for each in done] == [("here", True, "")]
    done = await core_copying.copy(settings, None, (), ["a.example"], said.append)
    assert [(each.brought, each.spares, each.failed) for each in done] == [(False, 1, "")]
    spare = next((tmp_path / "site").glob(".steelyard-spare-*"))
    assert len([each for each in (spare / "files").rglob("*") if each.is_file()]) == 3782
