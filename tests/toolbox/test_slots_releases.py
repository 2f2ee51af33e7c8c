"""Slots of plugins and themes: what an archive is, where releases are fetched, and what scans know by them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from engine import Engine
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from reaching import ACCOUNT
from releases import BLUE, CART, a_tar, a_zip, offer, serving
from scan_ground import Held, Scanned

from steelyard.config import Settings, to_environment
from steelyard.demo.hosting import Site
from steelyard.kit.errors import ConfigError, SlotError
from steelyard.operations import core_fetching, core_slots
from steelyard.operations.core_slots import Pins
from steelyard.store.database import Database
from steelyard.toolbox.hosted.here import Here
from steelyard.toolbox.hosted.scan import HEADER, header, versions
from steelyard.toolbox.registry import NewSite, add_site
from steelyard.toolbox.scanning.scan import worker_verbs
from steelyard.toolbox.slots import Shelf, find_slot, read_trusted
from steelyard.toolbox.slots_archive import unpack
from steelyard.toolbox.slots_keys import TRUSTED
from steelyard.toolbox.slots_release import Release, release_of

HEAD = b"<?php\n/* Plugin Name: X\nVersion: 1.0\n*/"
PLUGIN, THEME = Release("plugin", "shop-cart", "2.4.1", ""), Release("theme", "blue", "3.0", "")


def quiet(_: str) -> None: ...


@pytest.fixture
def org(tmp_path: Path) -> Path:
    """The folder of what wordpress.org has."""
    offer(tmp_path / "org", "plugin", CART, "2.4.1")
    offer(tmp_path / "org", "theme", BLUE, "3.0")
    newest = tmp_path / "org/core/version-check/1.7"
    newest.mkdir(parents=True)
    (newest / "index.html").write_text("no answer")
    return tmp_path / "org"


@pytest.fixture
def settings(app_url: str, tmp_path: Path, org: Path) -> Iterator[Settings]:
    with serving(org) as address:
        made = Settings(
            cell="eu1",
            database_url=SecretStr(app_url),
            keys=tmp_path / "keys",
            slots=tmp_path / "slots",
            wordpress_api=address,
            wordpress_downloads=address,
        )
        core_slots.key(made)
        yield made


@pytest.mark.parametrize(("files", "release"), [(CART, PLUGIN), (BLUE, THEME)])
@pytest.mark.parametrize("make", [a_tar, a_zip])
def test_what_an_archive_is(tmp_path: Path, make: object, files: dict[str, bytes], release: Release) -> None:
    found = unpack(make(tmp_path / "a", files), tmp_path / "out")  # type: ignore[operator]
    assert release_of(tmp_path / "out", found.folder) == release


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"x/x.php": b"<?php\n/* Plugin Name: X */"}, "names no version"),
        ({"x/style.css": b"/* Theme Name: X */"}, "names no version"),
        ({"x/x.php": HEAD, "y/y.php": HEAD}, "'x' and 'y'"),
        ({"x/a.php": HEAD, "x/b.php": HEAD}, "several plugins: 'a.php', 'b.php'"),
        ({"x/x.php": HEAD, "x/style.css": b"/*\nTheme Name: X\nVersion: 1\n*/"}, "a plugin and a theme at once"),
        ({"x y/x.php": HEAD}, "is called 'x y'"),
        ({".x/x.php": HEAD}, "is called"),
        ({"x\u202egpj/x.php": HEAD}, r"is called 'x\\u202egpj'"),
        ({"x'; DROP TABLE slot/x.php": HEAD}, "is called"),
        ({"x/x.php": HEAD.decode().encode("utf-16")}, "no plugin"),
        ({"x/x.php": b"<?php\n/*" + b"*" * HEADER + b"\nPlugin Name: X\nVersion: 1\n*/"}, "no plugin"),
        ({"x/x.php": b"<?php\n/*\nPlugin Name: X\n" + b"*" * HEADER + b"\nVersion: 1\n*/"}, "names no version"),
        ({"x/x.php": b"<?php\n/*\nPlugin Name: X\nVersion: \x1b[31m\n*/"}, "names no version"),
        ({"x/inc/x.php": HEAD}, "no plugin"),
        ({"x.php": HEAD}, "not below its folder"),
        ({}, "no file"),
    ],
)
async def test_what_is_no_release_is_refused_and_nothing_is_kept(
    settings: Settings, database: Database, tmp_path: Path, files: dict[str, bytes], says: str
) -> None:
    with pytest.raises(SlotError, match=says):
        await core_slots.add(settings, a_zip(tmp_path / "a.zip", files), Pins(), quiet)
    assert await core_slots.listed(settings) == []
    assert os.listdir(settings.slots) == []


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (b"<?php /* Plugin Name: X\rVersion: 1.2\r*/", ("plugin", "1.2")),
        (b"<?php\r\n# Plugin Name: \xe9\xff\r\n# Version: 1.2-beta\r\n", ("plugin", "1.2-beta")),
        (b"/*\n Theme Name: X\n @Version: 4\n", ("theme", "4")),
        (b"<?php // The Plugin Name: is shown. Version: 3", ("", "")),
    ],
)
def test_a_header_is_read_as_wordpress_reads_it(start: bytes, told: tuple[str, str]) -> None:
    assert header(start) == told


def test_a_header_that_stands_too_far_down_is_none() -> None:
    """WordPress looks at 8 KB."""
    assert header(b"<?php\n" + b"#" * 8192 + HEAD) == ("", "")


@given(st.binary(max_size=300))
def test_no_header_is_too_odd(noise: bytes) -> None:
    kind, version = header(b"<?php\nPlugin Name: X\nVersion: 1.0\n" + noise)
    assert (kind, version) == ("plugin", "1.0")
    _, version = header(noise)
    assert version.isascii()


def test_of_two_headers_that_of_the_file_called_as_the_folder_counts(tmp_path: Path) -> None:
    files = {"x/a.php": HEAD, "x/x.php": HEAD.replace(b"1.0", b"2.0")}
    found = unpack(a_zip(tmp_path / "a.zip", files), tmp_path / "out")
    assert release_of(tmp_path / "out", found.folder).version == "2.0"


@pytest.mark.parametrize(
    "files",
    [
        CART,
        BLUE,
        {"x/a.php": HEAD, "x/x.php": HEAD.replace(b"1.0", b"2.0")},
        {"x/a.php": HEAD.replace(b"Plugin", b"Theme"), "x/main.php": HEAD.replace(b"1.0", b"3.0")},
        {**BLUE, "blue/editor-style.css": BLUE["blue/style.css"].replace(b"3.0", b"1.0")},
    ],
)
def test_a_host_names_a_release_as_its_slot_does(
    here: Callable[..., Here], tmp_path: Path, files: dict[str, bytes]
) -> None:
    folder = next(iter(files)).partition("/")[0]
    unpack(a_zip(tmp_path / "a.zip", files), tmp_path / "out")
    release = release_of(tmp_path / "out", folder)
    (tmp_path / "content" / f"{release.kind}s").mkdir(parents=True)
    (tmp_path / "out").rename(tmp_path / "content" / f"{release.kind}s" / folder)
    layout = [str(tmp_path), str(tmp_path), str(tmp_path / "content"), str(tmp_path / "content/plugins")]
    assert versions(here(), {"layout": layout})[f"{release.kind}s"] == {release.slug: release.version}


def test_what_a_mac_puts_beside_is_left_out(tmp_path: Path) -> None:
    files = {"__MACOSX/shop-cart/._shop-cart.php": b"\x00\x05", **CART}
    found = unpack(a_zip(tmp_path / "a.zip", files), tmp_path / "out")
    assert (found.folder, len(found.files)) == ("shop-cart", len(CART))


async def test_of_a_plugin_only_the_manifest_is_kept(settings: Settings, database: Database, tmp_path: Path) -> None:
    said: list[str] = []
    added = await core_slots.add(settings, a_zip(tmp_path / "a.zip", CART), Pins(), said.append)
    assert said == [f"plugin shop-cart 2.4.1: 3 files, {sum(map(len, CART.values()))} bytes"]
    assert added[:5] == ("plugin", "shop-cart", "2.4.1", "", 3)
    assert (added.template, added.trusted, added.here, added.fetched) == (False, True, True, False)
    assert await core_slots.listed(settings) == [added]
    assert os.listdir(settings.slots) == []
    async with database.cell() as conn:
        slot = await find_slot(conn, "plugin", "shop-cart", "2.4.1", "")
    assert slot is not None
    assert [each[0] for each in json.loads(slot.text)["files"]] == ["inc/total.php", "readme.txt", "shop-cart.php"]


async def test_fetched_by_name_and_version_or_the_newest(settings: Settings, database: Database, org: Path) -> None:
    offer(
        org, "plugin", {**CART, "shop-cart/shop-cart.php": CART["shop-cart/shop-cart.php"].replace(b"4.1", b"5")}, "2.5"
    )
    old = await core_fetching.fetch(settings, PLUGIN, "", quiet)
    new = await core_fetching.fetch(settings, PLUGIN._replace(version=""), "", quiet)
    theme = await core_fetching.fetch(settings, THEME._replace(version=""), "", quiet)
    assert [each[:3] for each in (old, new, theme)] == [
        ("plugin", "shop-cart", "2.4.1"), ("plugin", "shop-cart", "2.5"), ("theme", "blue", "3.0"),
    ]  # fmt: skip
    assert old.fetched
    assert sorted(await core_slots.listed(settings)) == sorted([old, new, theme])


@pytest.mark.parametrize("slug", ["../x", "a/b", "a?b", "", "a" * 200, "é"])
async def test_only_names_go_into_addresses(settings: Settings, slug: str) -> None:
    with pytest.raises(ConfigError):
        await core_fetching.fetch(settings, Release("plugin", slug, "1.0", ""), "", quiet)
    with pytest.raises(ConfigError):
        await core_fetching.fetch(settings, Release("theme", "blue", f"1/{slug}", ""), "", quiet)


async def test_what_came_has_to_be_what_was_asked_for(settings: Settings, database: Database, org: Path) -> None:
    a_zip(org / "plugin/shop-cart.2.4.1.zip", BLUE)
    with pytest.raises(SlotError, match=r"plugin shop-cart was asked for, and theme blue 3\.0 came"):
        await core_fetching.fetch(settings, PLUGIN, "", quiet)
    with pytest.raises(SlotError, match="SHA256"):
        await core_fetching.fetch(settings, THEME, "00", quiet)
    with pytest.raises(SlotError, match="it answers 404"):
        await core_fetching.fetch(settings, Release("plugin", "unknown", "", ""), "", quiet)
    info = org / "themes/info/1.2/theme_information-blue"
    for text in (
        "false",
        "[",
        '{"version": "../1"}',
        '{"error": "Theme not found"}',
        '{"version": null, "a": [[[[]]]]}',
    ):
        info.write_text(text)
        with pytest.raises(SlotError, match="cannot be read"):
            await core_fetching.fetch(settings, THEME._replace(version=""), "", quiet)
    assert await core_slots.listed(settings) == []


async def test_refreshing_follows_what_was_fetched_and_goes_on_after_a_failure(
    settings: Settings, database: Database, org: Path, tmp_path: Path
) -> None:
    """A plugin of one's own may have a name that is another's at wordpress.org: it is not followed there."""
    await core_slots.add(settings, a_zip(tmp_path / "a.zip", CART), Pins(), quiet)
    await core_fetching.fetch(settings, THEME, "", quiet)
    offer(org, "plugin", CART, "9.9")
    newer = {**BLUE, "blue/style.css": BLUE["blue/style.css"].replace(b"3.0", b"3.1")}
    offer(org, "theme", newer, "3.1")
    said: list[str] = []
    done = await core_fetching.refresh(settings, said.append)
    assert [each[:3] for each in done.added] == [("theme", "blue", "3.1")]
    assert [each.partition(":")[0] for each in done.failed] == ["wordpress"]
    assert "the plugin shop-cart came from an archive" in said[0]
    again = await core_fetching.refresh(settings, said.append)
    assert (again.added, said[-1]) == ([], "theme blue 3.1 is held already")


def test_by_the_command_line(settings: Settings, database: Database) -> None:
    def steelyard(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **to_environment(settings), "COLUMNS": "200"}
        command = [sys.executable, "-m", "steelyard", "core", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    made = steelyard("fetch", "--plugin", "shop-cart", "2.4.1", "--json")
    assert json.loads(made.stdout)[0]["slug"] == "shop-cart", made.stderr
    told = steelyard("list").stdout
    assert {"plugin", "shop-cart", "2.4.1"} <= set(told.split())
    assert "no template" not in told
    refreshed = steelyard("refresh")
    assert (refreshed.returncode, refreshed.stderr.startswith("wordpress: ")) == (1, True)
    assert "plugin shop-cart 2.4.1 is held already" in refreshed.stdout
    refused = steelyard("fetch", "--plugin", "a", "--theme", "b")
    assert (refused.returncode, "one at a time" in refused.stderr) == (1, True)


@pytest.fixture
async def shop(engine: Engine, wordpress: Site, settings: Settings, org: Path) -> Scanned:
    """A real WordPress with a plugin and a theme of which the cell holds slots, scanned by what these sign."""
    async with engine.database.transaction(engine.workspace) as conn:
        await conn.execute("UPDATE site SET removed_at = now()")
        new = NewSite("shop.example", engine.host, str(wordpress.docroot), ACCOUNT, wordpress.url, "")
        engine.sites["shop.example"] = await add_site(conn, engine.workspace, new, engine.clock())
    unpack(org / "plugin/shop-cart.2.4.1.zip", Path(wordpress.docroot) / "wp-content/plugins/shop-cart")
    unpack(org / "theme/blue.3.0.zip", Path(wordpress.docroot) / "wp-content/themes/blue")
    for release in (PLUGIN, THEME):
        await core_fetching.fetch(settings, release, "", quiet)
    shelf = Shelf(lambda: read_trusted(settings.keys / TRUSTED))
    engine.ground = replace(engine.ground, workers=worker_verbs(shelf.files))
    return Scanned(engine, Held())


async def test_a_scan_knows_what_is_as_released_and_finds_what_is_not(shop: Scanned, wordpress: Site) -> None:
    run, found = await shop.scan()
    assert found == []
    assert run.report["compared"]["manifests"] == ["shop-cart 2.4.1", "blue 3.0"]
    assert run.report["compared"]["known"] == len(CART) + len(BLUE) == run.report["searched"]["known"]
    content = Path(wordpress.docroot) / "wp-content"
    altered, more = content / "plugins/shop-cart/inc/total.php", content / "plugins/shop-cart/inc/more.php"
    altered.write_bytes(altered.read_bytes() + b"// and a little more\n")
    more.write_bytes(b"<?php eval($_POST['x']);")
    (content / "themes/blue/functions.php").unlink()
    run, found = await shop.scan()
    assert {(each.place, each.rule) for each in found} == {
        (str(altered), "extension_changed"),
        (str(more), "extension_added"),
        (str(more), "eval_of_request"),
        (str(content / "themes/blue/functions.php"), "extension_missing"),
    }
    assert run.report["searched"]["known"] == 3


async def test_a_manifest_under_the_name_of_another_release_is_not_believed(
    shop: Scanned, settings: Settings, wordpress: Site
) -> None:
    async with shop.engine.database.cell() as conn:
        await conn.execute("UPDATE slot SET version = '2.4.2' WHERE slug = 'shop-cart'")
    main = Path(wordpress.docroot) / "wp-content/plugins/shop-cart/shop-cart.php"
    main.write_bytes(main.read_bytes().replace(b"2.4.1", b"2.4.2"))
    run, _ = await shop.scan()
    assert run.report["compared"]["manifests"] == ["blue 3.0"]
    assert "shop-cart 2.4.2" in run.report["compared"]["without"]


async def test_adding_that_is_called_off_leaves_nothing_half_unpacked(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacking, goes_on = threading.Event(), threading.Event()

    def slowly(archive: Path, target: Path) -> tuple[str, list[tuple[str, int, str]]]:
        unpacking.set()
        goes_on.wait(20)
        return unpack(archive, target)

    monkeypatch.setattr("steelyard.toolbox.slots_archive.unpack", slowly)
    adding = asyncio.create_task(core_slots.add(settings, a_zip(tmp_path / "cart.zip", CART), Pins(), quiet))
    await asyncio.to_thread(unpacking.wait, 20)
    adding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await adding
    goes_on.set()
    async with asyncio.timeout(20):
        while list(settings.slots.iterdir()):  # noqa: ASYNC110 - a thread tidies up
            await asyncio.sleep(0.02)
    assert await core_slots.listed(settings) == []
