"""Scans of real sites on this machine, as people run them: findings, what is not read again, quarantine and undo."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

import pytest
from engine import Engine
from scan_ground import Scanned, plant, scanning
from scan_samples import SAMPLES

from steelyard.demo.hosting import Site
from steelyard.toolbox.states import State

DOOR = next(each for each in SAMPLES if each.rule == "eval_of_request").data


@pytest.fixture
def scanned(engine: Engine) -> Scanned:
    return scanning(engine)


@pytest.fixture
async def shop(scanned: Scanned, wordpress: Site) -> Scanned:
    """A real WordPress in the place of the engine's site, with a manifest of its core."""
    await scanned.now_at(wordpress)
    return scanned


async def test_a_clean_wordpress_has_no_finding_and_its_core_is_not_read(shop: Scanned) -> None:
    run, found = await shop.scan()
    assert found == []
    report = run.report
    assert report["findings"] == {"malicious": 0, "suspicious": 0, "odd": 0}
    assert report["compared"]["known"] > 3700
    assert (report["compared"]["changed"], report["compared"]["missing"], report["compared"]["added"]) == (0, 0, 0)
    assert report["searched"]["known"] == report["compared"]["known"]
    assert report["searched"]["read"] < 10
    assert report["database"]["problem"] == ""
    assert report["database"]["rows"]["user"] == 1
    assert run.plan is not None
    assert not run.plan.undoable


async def test_without_a_manifest_all_of_wordpress_is_read_and_nothing_is_found(shop: Scanned) -> None:
    shop.held.files.clear()
    run, found = await shop.scan()
    assert [each for each in found if each.kind in ("file", "core")] == []
    assert run.report["compared"]["core"] is False
    assert run.report["compared"]["without"][0].startswith("WordPress 7.1.1")
    assert run.report["searched"]["read"] > 1500


async def test_what_somebody_planted_is_found_with_evidence(shop: Scanned, wordpress: Site) -> None:
    root = Path(wordpress.docroot)
    login = root / "wp-login.php"
    login.write_bytes(login.read_bytes() + b"\n// changed\n")
    (root / "wp-includes" / "ms-files.php").unlink()
    plant(
        root,
        {
            "wp-includes/class-wp-cache.php": DOOR,
            "wp-content/uploads/2026/11/logo.php": b"<?php echo 1;",
            "wp-content/uploads/index.php": b"<?php // Silence is golden.",
            "wp-content/uploads/pic.ico": b"\0\0\1\0" + DOOR,
            ".user.ini": b"auto_prepend_file = /tmp/.x",
            "wp-content/plugins/site-cache/cache.php": b"<?php /* Plugin Name: Site Cache */ " + DOOR[5:],
        },
    )
    wordpress.sql("UPDATE wp_options SET option_value = 'https://evil.example' WHERE option_name = 'home'")
    wordpress.sql(
        "INSERT INTO wp_posts (post_author, post_date, post_date_gmt, post_content, post_title, post_excerpt, to_ping,"
        " pinged, post_modified, post_modified_gmt, post_content_filtered) VALUES (1, now(), now(),"
        " '<iframe src=\"https://a.example\" width=\"1\" height=\"1\"></iframe>', 'x', '', '', '', now(), now(), '')"
    )
    wordpress.wp("user", "create", "wp-backup", "x@mail.ru", "--role=administrator")
    _, found = await shop.scan()
    told = {(each.kind, each.place.removeprefix(f"{root}/"), each.rule, each.severity) for each in found}
    assert told >= {
        ("core", "wp-login.php", "core_changed", "suspicious"),
        ("core", "wp-includes/ms-files.php", "core_missing", "odd"),
        ("core", "wp-includes/class-wp-cache.php", "core_added", "suspicious"),
        ("file", "wp-includes/class-wp-cache.php", "eval_of_request", "malicious"),
        ("file", "wp-content/uploads/2026/11/logo.php", "php_in_uploads", "suspicious"),
        ("file", "wp-content/uploads/pic.ico", "php_in_an_image", "malicious"),
        ("file", ".user.ini", "php_before_every_page", "suspicious"),
        ("file", "wp-content/plugins/site-cache/cache.php", "fake_plugin", "malicious"),
        ("option", "home", "address_of_another", "suspicious"),
        ("user", "wp-backup", "administrator_out_of_place", "suspicious"),
    }
    assert ("post", "invisible_frame") in {(kind, rule) for kind, _, rule, _ in told}
    assert "index.php" not in {place.rpartition("/")[2] for _, place, _, _ in told}
    assert [each.severity for each in found] == sorted(
        (each.severity for each in found), key=["malicious", "suspicious", "odd"].index
    )
    assert all(each.evidence for each in found)
    planted = next(each for each in found if each.rule == "eval_of_request" and "wp-cache" in each.place)
    assert planted.sha256 == hashlib.sha256(DOOR).hexdigest()


async def test_the_next_scan_reads_only_what_changed_and_tells_the_rest_again(scanned: Scanned) -> None:
    root = scanned.engine.docroot()
    plant(root, {"wp-content/plugins/a/door.php": DOOR, "wp-content/plugins/a/b.php": b"<?php echo 1;"})
    _, first = await scanned.scan()
    run, second = await scanned.scan()
    assert run.report["searched"]["read"] == 0
    assert [(each.place, each.rule, each.evidence) for each in second] == [
        (each.place, each.rule, each.evidence) for each in first
    ]
    assert second
    (root / "wp-content/plugins/a/b.php").write_bytes(DOOR)
    run, third = await scanned.scan()
    assert run.report["searched"]["read"] == 1
    assert {each.place for each in third} >= {f"{root}/wp-content/plugins/a/b.php"}
    run, _ = await scanned.scan(fresh=True)
    assert run.report["searched"]["read"] >= 2


async def test_a_pack_of_an_operators_rules_is_used_and_all_is_read_again(scanned: Scanned) -> None:
    from steelyard.kit.instants import moment
    from steelyard.toolbox.scanning.packs import Loaded, keep_pack

    plant(scanned.engine.docroot(), {"wp-content/plugins/a/b.php": b"<?php /* a very telling comment */ echo 1;"})
    _, before = await scanned.scan()
    rules = 'rule theirs { meta: author = "<b>Ana</b>" strings: $a = "a very telling comment" condition: $a }'
    async with scanned.engine.database.cell() as conn:
        await keep_pack(conn, Loaded("theirs", "MIT", "odd", "0" * 64, rules, moment(0)))
    _, after = await scanned.scan()
    assert before == []
    assert [(each.pack, each.rule, each.severity, each.author, each.licence) for each in after] == [
        ("theirs", "theirs", "odd", "<b>Ana</b>", "MIT")
    ]


async def test_hostile_names_and_circles_of_links_are_looked_at_like_any_other(scanned: Scanned) -> None:
    folder = scanned.engine.docroot() / "wp-content" / "uploads"
    folder.mkdir(parents=True)
    names = ["a\n<script>.php", "'\"; rm -rf $(x).php", "\\x0a.php", "é\u202e.php"]
    for name in names:
        (folder / name).write_bytes(DOOR)
    (folder / "a.php").write_bytes(DOOR)
    odd = os.fsencode(folder) + b"/\xff\xfe.php"
    os.rename(folder / "a.php", odd)
    (folder / "circle").symlink_to(folder)
    (folder / "gone").symlink_to("/nowhere")
    os.mkfifo(folder / "pipe.php")
    run, found = await scanned.scan()
    places = {each.place for each in found if each.rule == "eval_of_request"}
    assert places == {
        f"{folder}/a\\x0a<script>.php",
        f"{folder}/'\"; rm -rf $(x).php",
        f"{folder}/\\\\x0a.php",
        f"{folder}/é\\u202e.php",
        f"{folder}/\\xff\\xfe.php",
    }
    assert (run.report["searched"]["links"], run.report["searched"]["others"]) == (2, 1)


async def test_what_cannot_be_read_whole_is_told(scanned: Scanned) -> None:
    root = scanned.engine.docroot()
    plant(root, {"big.php": b"<?php //" + b"x" * 2_500_000 + DOOR, "a.php": DOOR})
    huge = root / "film.mp4"
    with huge.open("wb") as file:
        file.truncate(65_000_000)
    run, found = await scanned.scan()
    assert dict(run.report["searched"]["skipped"]) == {f"{root}/big.php": "cut", f"{huge}": "too_large"}
    assert {each.place for each in found} == {f"{root}/big.php", f"{root}/a.php"}
    whole = next(each for each in found if each.place.endswith("big.php"))
    assert whole.sha256 == hashlib.sha256((root / "big.php").read_bytes()).hexdigest()


async def test_a_site_without_wordpress_is_judged_by_rules_alone(scanned: Scanned) -> None:
    plant(scanned.engine.docroot(), {"x/door.php": DOOR})
    run, found = await scanned.scan()
    assert [step.name for step in run.steps] == ["search"]
    assert {each.rule for each in found} >= {"eval_of_request"}


async def test_files_that_end_the_scanner_are_left_out_and_told(
    scanned: Scanned, monkeypatch: pytest.MonkeyPatch
) -> None:
    from steelyard.toolbox.scanning import scanners

    look = scanners.Scanners.look

    async def falls(self: scanners.Scanners, batch: dict[str, object]) -> list[scanners.Looked]:
        if any(str(name).endswith("bad.php") for name in batch["names"]):  # type: ignore[attr-defined]
            for each in self._all:
                with suppress(ProcessLookupError):
                    each.process.kill()
            batch = batch | {"data": "!"}
        return await look(self, batch)

    monkeypatch.setattr(scanners.Scanners, "look", falls)
    plant(scanned.engine.docroot(), {f"{n}.php": DOOR for n in range(9)} | {"bad.php": DOOR})
    run, found = await scanned.scan()
    assert {each.place.rpartition("/")[2] for each in found} == {f"{n}.php" for n in range(9)}
    assert [why for _, why in run.report["searched"]["skipped"]] == ["scanner_ended"]


async def test_verify_core_says_what_changed_and_needs_a_manifest(shop: Scanned, wordpress: Site) -> None:
    (Path(wordpress.docroot) / "wp-admin" / "x.php").write_bytes(b"<?php")
    run = await shop.run("verify_core")
    assert run.state is State.DONE
    assert [(each.rule, each.severity) for each in await shop.findings(run.run)] == [("core_added", "suspicious")]
    assert run.report["compared"]["known"] > 3700
    shop.held.files.clear()
    failed = await shop.run("verify_core")
    assert failed.state is State.FAILED
    assert "steelyard core add" in str(failed.reason)


async def test_findings_are_moved_away_and_put_back_as_they_were(scanned: Scanned) -> None:
    root = scanned.engine.docroot()
    plant(root, {"wp-content/uploads/a.php": DOOR, "wp-content/plugins/b/b.php": DOOR})
    bad, changed = root / "wp-content/uploads/a.php", root / "wp-content/plugins/b/b.php"
    bad.chmod(0o604)
    os.utime(bad, (1_600_000_000, 1_600_000_000))
    os.chown(bad, 65534, 65534) if os.geteuid() == 0 else None
    before = os.stat(bad)
    scan, found = await scanned.scan()
    numbers = ",".join(str(each.finding) for each in found)
    changed.write_bytes(b"<?php // somebody mended it")
    run = await scanned.run("quarantine_files", scan=scan.run, findings=numbers)
    assert run.state is State.DONE, run.reason
    assert not bad.exists()
    assert changed.exists()
    kept = Path(run.plan.keeps["folder"])  # type: ignore[union-attr]
    assert not kept.is_relative_to(root)
    assert os.stat(kept).st_mode & 0o777 == 0o700
    assert {each.place for each in await scanned.findings(scan.run) if each.quarantined} == {str(bad)}
    undone = await scanned.engine.acts.undo(scanned.engine.here, run.run)
    await scanned.engine.settle()
    assert (await scanned.engine.run(undone)).state is State.DONE
    after = os.stat(bad)
    assert (after.st_mode, after.st_uid, after.st_gid, after.st_mtime_ns, after.st_ino) == (
        before.st_mode, before.st_uid, before.st_gid, before.st_mtime_ns, before.st_ino,
    )  # fmt: skip
    assert bad.read_bytes() == DOOR
    assert not any(each.quarantined for each in await scanned.findings(scan.run))


async def test_findings_of_another_site_are_not_moved(scanned: Scanned) -> None:
    run = await scanned.engine.planned("quarantine_files", scan=99, findings="1-3")
    assert (run.state, run.reason.code) == (State.REFUSED, "no_findings")  # type: ignore[union-attr]
