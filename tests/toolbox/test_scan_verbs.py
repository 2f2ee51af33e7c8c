"""What a scan asks of a host, and how files are moved away: also again after a kill, and without a Python there."""

from __future__ import annotations

import base64
import hashlib
import os
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from engine import Engine
from scan_ground import scanning
from scan_samples import SAMPLES

from steelyard.adapters.local import LocalReach
from steelyard.toolbox.hosted import quarantine, scan
from steelyard.toolbox.hosted.here import Failed, Here
from steelyard.toolbox.hosted.places import WHOLE
from steelyard.toolbox.hosted.scan import pack, unpack
from steelyard.toolbox.hosted.spelling import spelled

MakeHere = Callable[..., Here]
DOOR = next(each for each in SAMPLES if each.rule == "eval_of_request").data


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_survey_sees_every_file_once_and_follows_nothing(here: MakeHere, tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "a").mkdir(parents=True)
    (site / "a" / "x.php").write_bytes(b"1")
    (site / "loop").symlink_to(site)
    (tmp_path / "link").symlink_to(site)
    layout = [str(tmp_path / "link"), str(site), str(site / "a"), str(tmp_path / "gone")]
    answer = scan.survey(here(), {"layout": layout})
    assert answer["layout"] == [str(site), str(site), str(site / "a"), ""]
    assert [row[0] for row in unpack(answer["rows"])] == [str(site / "a" / "x.php")]
    assert (answer["links"], answer["others"]) == (1, 0)


def test_files_are_read_one_after_the_other_and_what_cannot_be_is_said(here: MakeHere, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "b").write_bytes(b"x" * 3_000_000)
    names = [str(tmp_path / name) for name in ("a", "gone", "b")]
    answer = scan.read(here(), {"names": names})
    assert answer["sizes"] == [3, 0, WHOLE + 1]
    assert answer["unread"] == {names[1]: "missing"}
    assert len(zlib.decompress(base64.b64decode(answer["data"]))) == sum(answer["sizes"])


def test_php_is_found_also_where_two_pieces_meet(
    here: MakeHere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "_PIECE", 10)
    for name, data in {"a": b"1234567<?php echo", "b": b"no<?xml php" * 9, "c": b"", "d": b"<?PHP\n"}.items():
        (tmp_path / name).write_bytes(data)
    answer = scan.holding(here(), {"names": pack([str(tmp_path / name) for name in "abcd"])})
    assert answer["holding"] == [str(tmp_path / "a"), str(tmp_path / "d")]


def test_versions_come_from_headers(here: MakeHere, tmp_path: Path) -> None:
    plugin, theme = tmp_path / "plugins" / "shop", tmp_path / "themes" / "blue"
    plugin.mkdir(parents=True)
    theme.mkdir(parents=True)
    (plugin / "other.php").write_text("<?php // nothing")
    (plugin / "shop.php").write_text("<?php\n/*\n * Plugin Name: Shop\n * Version: 1.2.3\n */")
    (theme / "style.css").write_text("/*\nTheme Name: Blue\nVersion: 4\n*/")
    layout = [str(tmp_path), str(tmp_path), str(tmp_path), str(tmp_path / "plugins")]
    answer = scan.versions(here(), {"layout": layout})
    assert (answer["plugins"], answer["themes"]) == ({"shop": "1.2.3"}, {"blue": "4"})
    assert scan.versions(here(), {"layout": layout, "core_only": True})["plugins"] == {}


@pytest.fixture
def moved(tmp_path: Path) -> dict[str, Any]:
    """A file in a site, and what moves it away."""
    site = tmp_path / "home" / "site"
    site.mkdir(parents=True)
    door = site / "d\n.php"
    door.write_bytes(DOOR)
    files = [[spelled(str(door)), sha(DOOR), 1]]
    return {"folder": str(tmp_path / "home" / "kept" / "0a1b2c3d"), "files": files}


def door_of(moved: dict[str, Any]) -> Path:
    return Path(moved["folder"]).parents[1] / "site" / "d\n.php"


def own(here: MakeHere) -> Here:
    made = here()
    made.account = "root" if os.geteuid() == 0 else made.account
    return made


def test_moving_again_after_a_kill_does_no_harm_and_back_is_back(here: MakeHere, moved: dict[str, Any]) -> None:
    kept, door = Path(moved["folder"]) / "1", door_of(moved)
    for _ in range(2):
        assert quarantine.move(own(here), moved) == {"moved": 1, "left": []}
        assert (kept.read_bytes(), door.exists()) == (DOOR, False)
    assert quarantine.kept(own(here), moved) == {"kept": [1], "free": [1], "there": 0}
    for _ in range(2):
        assert quarantine.back(own(here), moved) == {"back": 1, "left": []}
        assert (door.read_bytes(), kept.exists()) == (DOOR, False)
    assert quarantine.kept(own(here), moved) == {"kept": [], "free": [], "there": 1}


def test_what_is_not_what_was_found_stays(here: MakeHere, moved: dict[str, Any]) -> None:
    door = door_of(moved)
    door.write_bytes(b"mended")
    assert quarantine.move(own(here), moved)["moved"] == 0
    assert door.read_bytes() == b"mended"
    door.unlink()
    door.symlink_to("/etc/hostname")
    assert quarantine.move(own(here), moved)["moved"] == 0
    assert door.is_symlink()


def test_what_took_the_place_is_not_overwritten(here: MakeHere, moved: dict[str, Any]) -> None:
    quarantine.move(own(here), moved)
    door_of(moved).write_bytes(b"new")
    assert quarantine.back(own(here), moved)["left"] == [moved["files"][0][0]]
    assert door_of(moved).read_bytes() == b"new"
    assert (Path(moved["folder"]) / "1").read_bytes() == DOOR


def test_a_folder_of_somebody_else_is_not_used(here: MakeHere, moved: dict[str, Any]) -> None:
    stranger = here()
    stranger.account = "nobody-else"
    with pytest.raises(Failed, match="not the account"):
        quarantine.move(stranger, moved)
    assert door_of(moved).exists()


def test_looking_says_what_lies_there_now(here: MakeHere, tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "real").mkdir(parents=True)
    (site / "linked").symlink_to(site / "real")
    (site / "real" / "a").write_bytes(DOOR)
    asked = [[str(site / place), sha(DOOR)] for place in ("real/a", "linked/a", "gone")] + [
        [str(site / "real/a"), "0" * 64]
    ]
    looking = own(here)
    looking.home = str(tmp_path)
    answer = quarantine.look(looking, {"docroot": str(site), "files": asked})
    assert [each[2] for each in answer["files"]] == ["there", "elsewhere", "gone", "changed"]
    assert answer["base"] == f"{tmp_path}/.steelyard-quarantine"
    looking.home = str(site)
    assert not quarantine.look(looking, {"docroot": str(site), "files": []})["base"].startswith(f"{site}/")


async def test_a_host_without_python_is_scanned_by_plain_commands(engine: Engine) -> None:
    way = LocalReach(pythons=["/nowhere/python3"])
    engine.ground = replace(engine.ground, ways=lambda _: way)
    folder = engine.docroot() / "x"
    folder.mkdir()
    (folder / "door.php").write_bytes(DOOR)
    (folder / "a.ico").write_bytes(b"\0\0\1\0" + DOOR)
    run, found = await scanning(engine).scan()
    assert {(each.place.rpartition("/")[2], each.rule) for each in found} >= {
        ("door.php", "eval_of_request"),
        ("a.ico", "php_in_an_image"),
    }
    assert run.report["searched"]["seen"] == 3
