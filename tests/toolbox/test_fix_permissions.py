"""Permissions of a real site: what is too open is closed, each put back as it was, and nothing else is touched."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tests.toolbox.carrying import Carrying, asked_for, hints_of

from steelyard.demo.hosting import Hosting, Site
from steelyard.toolbox.catalog.fix_permissions.runbook import RUNBOOK
from steelyard.toolbox.hosted.here import Here, Seen
from steelyard.toolbox.hosted.permissions import fix, look, restore, wanted_of

MakeHere = Callable[..., Here]


def modes(root: Path) -> dict[str, int]:
    return {str(path.relative_to(root)): path.lstat().st_mode & 0o7777 for path in [root, *root.rglob("*")]}


def seen(kind: str, mode: int) -> Seen:
    return Seen(kind, 0, mode, 1, 1, "shop", 0, 0, 1, 1, 1)


def make(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    (root / "deep" / "er").mkdir(parents=True)
    for name, mode in (("index.php", 0o666), ("wp-config.php", 0o644), ("deep/er/run\n'x", 0o4755), ("closed", 0o000)):
        (root / name).write_text("x")
        (root / name).chmod(mode)
    (root / "deep").chmod(0o777)
    (root / "deep/er").chmod(0o500)
    os.symlink("/etc/passwd", root / "link")
    os.symlink("..", root / "deep" / "loop")
    return root


def test_a_real_site_and_back(hosting: Hosting, wordpress: Site) -> None:
    uploads = Path(wordpress.docroot) / "wp-content" / "uploads"
    hosting.owner.make_folder(uploads)
    uploads.chmod(0o777)
    wordpress.config.chmod(0o666)
    before = modes(Path(wordpress.docroot))
    carrying, asked = Carrying(hosting), asked_for(wordpress, hints_of(hosting), {"open": False})
    try:
        plan = carrying.plan(RUNBOOK, asked)
        carrying.carry_out(plan)
        assert carrying.prove(plan) == []
        assert uploads.stat().st_mode & 0o777 == 0o755
        assert wordpress.config.stat().st_mode & 0o777 == 0o640
        assert carrying.plan(RUNBOOK, asked_for(wordpress, hints_of(hosting), {"open": False}, "0a1b2c3e")).nothing
        carrying.undo(RUNBOOK, asked, plan)
        assert modes(Path(wordpress.docroot)) == before
    finally:
        carrying.stop()


def test_what_is_too_open_is_closed_and_links_lead_nowhere(here: MakeHere, tmp_path: Path) -> None:
    root = make(tmp_path)
    before, passwd = modes(root), Path("/etc/passwd").stat().st_mode
    one, args = here(), {"docroot": str(root), "open": False}
    assert fix(one, args) == {"changed": 6}
    assert modes(root) == before | {
        "index.php": 0o644, "wp-config.php": 0o640, "deep": 0o755, "deep/er": 0o700, "deep/er/run\n'x": 0o755,
        "closed": 0o600,
    }  # fmt: skip
    assert Path("/etc/passwd").stat().st_mode == passwd
    assert look(one, args)["left"] == 6
    restore(one, args)
    assert modes(root) == before


def test_cut_off_and_done_again_it_still_knows_what_was_before(here: MakeHere, tmp_path: Path) -> None:
    root = make(tmp_path)
    before = modes(root)
    one, args = here(), {"docroot": str(root), "open": True}
    fix(one, args)
    (root / "index.php").chmod(0o666)  # as a kill would have left it
    fix(one, args)
    restore(one, args)
    assert modes(root) == before


def test_what_somebody_set_since_stays(here: MakeHere, tmp_path: Path) -> None:
    root = make(tmp_path)
    one, args = here(), {"docroot": str(root), "open": False}
    fix(one, args)
    (root / "index.php").chmod(0o400)
    restore(one, args)
    assert (root / "index.php").stat().st_mode & 0o777 == 0o400


@given(
    st.sampled_from(["file", "folder"]),
    st.integers(0, 0o7777),
    st.booleans(),
    st.sampled_from(["a/wp-config.php", "b"]),
)
def test_nobody_else_writes_and_the_owner_always_may(kind: str, mode: int, also_open: bool, path: str) -> None:
    wanted = wanted_of(path, seen(kind, mode), also_open)
    assert wanted & 0o7022 == 0
    assert wanted & 0o600 == 0o600
    assert wanted_of(path, seen(kind, wanted), also_open) == wanted
    assert path != "a/wp-config.php" or kind == "folder" or wanted & 0o007 == 0
