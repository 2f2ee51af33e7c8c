"""Hosts with a yara-x of their own judge files where they lie: the same is found, and what goes wrong there is made up
for beside the worker."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import files
from pathlib import Path
from typing import Any

import pytest
from engine import Engine
from reaching import TOKEN, Keys, a_site, host_of, login_of
from scan_ground import Scanned, plant, scanning
from scan_samples import ORDINARY, SAMPLES

from steelyard.adapters.ssh import SshReach
from steelyard.demo.hosting import Site
from steelyard.toolbox.hosted.scan import unpack
from steelyard.toolbox.model import Action
from steelyard.toolbox.reach import Errand
from steelyard.toolbox.runs_seen import RunSeen
from steelyard.toolbox.scanning.model import Entry, Judged, Kept, Layout, Memory
from steelyard.toolbox.scanning.on_host import OnHost
from steelyard.toolbox.scanning.packs import own_pack
from steelyard.toolbox.scanning.search import Search
from steelyard.toolbox.states import State
from steelyard.toolbox.tools import scan as asking

DOOR = next(each for each in SAMPLES if each.rule == "eval_of_request").data
PYTHON = sys.executable
"""One that has yara-x: the tests' own."""


@pytest.fixture
def scanned(engine: Engine) -> Scanned:
    return scanning(engine)


def wrapped(folder: Path, lines: str) -> str:
    """A program that an operator might take for a Python with yara-x: `$PYTHON` is a real one. It is asked first
    whether it is ready, as `$asked` = 1."""
    path = folder / "python"
    count = folder / "asked"
    path.write_text(
        f"#!/bin/bash\nPYTHON={PYTHON}\necho . >> {count}\nasked=$(wc -l < {count})\n"
        f'[ "$asked" -le 2 ] && exec "$PYTHON" "$@"\n{lines}\n'
    )
    path.chmod(0o755)
    return str(path)


def malicious(root: Path) -> None:
    """A tree with every family, in ordinary and in odd places, by ordinary and by hostile names."""
    content = "wp-content"
    plant(root, {f"{content}/plugins/a/{number}-{each.name}": each.data for number, each in enumerate(SAMPLES)})
    plant(root, {f"{content}/plugins/b/{name}": text.encode() for name, text in ORDINARY.items()})
    plant(
        root,
        {
            ".user.ini": b"auto_prepend_file = /tmp/.x",
            ".htaccess": b"AddHandler application/x-httpd-php .jpg\n",
            "big.php": b"<?php //" + b"x" * 2_500_000 + DOOR,
            f"{content}/uploads/2026/11/logo.php": b"<?php echo 1;",
            f"{content}/uploads/index.php": b"<?php // Silence is golden.",
            f"{content}/uploads/pic.ico": b"\0\0\1\0" + DOOR,
            f"{content}/uploads/plain.gif": b"GIF89a<?php echo 1;",
            f"{content}/cache/page.php": b"<?php echo 1;\x00\xff\xe2\x80\xae",
            f"{content}/extra.php": b"<?php echo 1;",
            f"{content}/.hidden/x.php": b"<?php echo 1;",
            f"{content}/uploads/a\n<script>.php": DOOR,
            f"{content}/uploads/'\"; rm -rf $(x).php": DOOR,
            f"{content}/uploads/\\x0a.php": DOOR,
            f"{content}/uploads/\u00e9\u202e.php": DOOR,
        },
    )
    (root / f"{content}/uploads/odd.php").write_bytes(DOOR)
    os.rename(root / f"{content}/uploads/odd.php", os.fsencode(root / content / "uploads") + b"/\xff\xfe.php")
    os.mkfifo(root / f"{content}/uploads/pipe.php")


def rows(found: list[Kept]) -> list[tuple[Any, ...]]:
    return [each[1:-1] for each in found]


async def test_the_same_is_found_on_the_host_as_beside_the_worker(scanned: Scanned, wordpress: Site) -> None:
    await scanned.now_at(wordpress)
    malicious(Path(wordpress.docroot))
    here, beside = await scanned.scan(database=False)
    await scanned.hint(yara=PYTHON)
    there, on_it = await scanned.scan(database=False, fresh=True)
    assert rows(on_it) == rows(beside)
    assert {each.rule for each in on_it} > {each.rule for each in SAMPLES} | {
        "php_in_uploads",
        "handler_for_other_files",
    }
    first, second = here.report["searched"], there.report["searched"]
    for name in ("read", "bytes", "known", "looked_through", "skipped", "seen"):
        assert first[name] == second[name], name
    assert (first["on_host"], second["on_host"], second["gave_up"]) == (0, second["read"], "")
    assert second["read"] > len(SAMPLES)
    assert second["locks"] == []


async def test_it_runs_as_the_sites_user_over_ssh(wordpress: Site, readable: str) -> None:
    malicious(Path(wordpress.docroot))
    hosting = wordpress.hosting
    host, docroot = host_of(hosting), str(wordpress.docroot)
    site = a_site(docroot, account=hosting.sshd.user, host=host, hints={"yara": readable})
    async with SshReach(Keys(web1=login_of(hosting))).open(host, Errand(TOKEN, site)) as reached:
        yara = asking.yara_of(site, await reached.call(asking.yara_ready(site), unheard))
        assert yara["python"] == readable
        layout = Layout(docroot, docroot, f"{docroot}/wp-content", f"{docroot}/wp-content/plugins")
        survey = await reached.call(asking.survey(layout), unheard)
        entries = [Entry(*row) for row in unpack(survey["rows"])]
        judged: list[dict[str, Judged]] = []
        for own in (None, OnHost(reached, unheard, yara, [own_pack()], layout, "web1")):
            memory = Memory("test")
            search = Search(reached, unheard, layout, [own_pack()], memory, own)
            await search.all(entries, nothing)
            judged.append(memory.files)
            assert search.told()["on_host"] == (search.told()["read"] if own else 0)
            assert search.told()["gave_up"] == ""
    assert judged[0] == judged[1]
    assert sum(bool(each.hits) for each in judged[1].values()) > len(SAMPLES)


@pytest.fixture
def readable() -> Iterator[str]:
    """A Python that every account of this machine can run, with the yara-x of the tests' own."""
    folder = Path(tempfile.mkdtemp(prefix="steelyard-yara-"))
    folder.chmod(0o755)
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for each in files("yara-x") or ():
        (packages / each).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(each.locate(), packages / each)
    yield str(folder / "bin" / "python")
    shutil.rmtree(folder)


def unheard(_: object) -> None:
    """What is told is of no interest."""


async def nothing() -> None:
    """Nothing is kept on the way."""


async def test_the_plan_and_the_run_say_where_files_are_judged(scanned: Scanned) -> None:
    plant(scanned.engine.docroot(), {f"{number}.php": DOOR for number in range(3)})
    run, _ = await scanned.scan()
    assert judged_at(run) == "beside the worker, in a process of its own"
    assert "3 unknown files are scanned beside the worker" in await said(scanned, run)
    await scanned.hint(yara=PYTHON)
    run, _ = await scanned.scan(fresh=True)
    assert judged_at(run).startswith("on here, by its own yara-x 1.")
    lines = await said(scanned, run)
    assert any(each.startswith("3 unknown files are scanned on here by its own yara-x 1.") for each in lines)
    assert not any("beside the worker" in each for each in lines)


async def test_the_next_scan_reads_only_what_changed_wherever_it_is_judged(scanned: Scanned) -> None:
    root = scanned.engine.docroot()
    plant(root, {"a/door.php": DOOR, "a/b.php": b"<?php echo 1;"})
    await scanned.hint(yara=PYTHON)
    _, first = await scanned.scan()
    run, second = await scanned.scan()
    assert (run.report["searched"]["read"], rows(second)) == (0, rows(first))
    assert second
    (root / "a/b.php").write_bytes(DOOR)
    await scanned.hint()
    run, _ = await scanned.scan()
    assert (run.report["searched"]["read"], run.report["searched"]["on_host"]) == (1, 0)


WRONG = {
    "dies": ("kill -9 $$", "fell"),
    "dies on the way": ('"$PYTHON" "$@" | head -n 4; exit 1', "fell"),
    "no module": ("echo \"ModuleNotFoundError: No module named 'yara_x'\" >&2; exit 1", "fell"),
    "says nothing of it": ("exit 0", ""),
    "noise": ("yes '<script>' | head -n 999999", "bad_output"),
    "endless noise": ("yes '<script>'", "timed_out"),
    "another's rules": ('"$PYTHON" "$@" | sed s/steelyard/others/g', "bad_output"),
    "more than was asked": ('"$PYTHON" "$@"; echo \'[5,"",[],"","x"]\'', "bad_output"),
    "another order": ('"$PYTHON" "$@" | tac', "bad_output"),
    "hangs": ("sleep 60", "timed_out"),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_what_goes_wrong_there_is_made_up_for_and_said(
    wrong: str, scanned: Scanned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines, why = WRONG[wrong]
    plant(scanned.engine.docroot(), {f"x/{number}.php": DOOR for number in range(5)})
    _, beside = await scanned.scan()
    limited_to(2.0, monkeypatch)
    await scanned.hint(yara=wrapped(tmp_path, lines))
    run, found = await scanned.scan(fresh=True)
    assert rows(found) == rows(beside)
    searched = run.report["searched"]
    assert (searched["gave_up"], searched["read"]) == (why, 5)
    assert searched["on_host"] == (3 if wrong == "dies on the way" else 0)
    told = await said(scanned, run)
    assert any("unknown files are scanned beside the worker" in each for each in told)
    assert any("is not asked any more" in each for each in told) is bool(why)


def limited_to(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host is waited for no longer than that: else a test would wait for minutes."""
    real = asking.yara_look

    def yara_look(python: str, packs: str, layout: Layout, names: str) -> Action:
        return replace(real(python, packs, layout, names), timeout=seconds)

    monkeypatch.setattr(asking, "yara_look", yara_look)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (None, "is no Python on"),
        ("exit 127", "is no Python on"),
        ("echo \"No module named 'yara_x'\" >&2; exit 1", "has no yara-x"),
        ("echo 'AttributeError: no attribute set_global' >&2; exit 1", "does not work"),
        ("echo '{}'", "does not work"),
    ],
)
async def test_a_hint_that_leads_nowhere_is_said_in_the_plan(
    lines: str | None, says: str, scanned: Scanned, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    if lines:
        python.write_text(f"#!/bin/sh\n{lines}\n")
        python.chmod(0o755)
    plant(scanned.engine.docroot(), {"x.php": DOOR})
    await scanned.hint(yara=str(python))
    run, found = await scanned.scan()
    assert run.plan is not None
    assert [each for each in run.plan.warnings if says in each.message]
    assert judged_at(run) == "beside the worker, in a process of its own"
    assert {each.rule for each in found} >= {"eval_of_request"}


OLDER = """
class TimeoutError(Exception): pass
class ScanError(Exception): pass
class Compiler:
    def define_global(self, name, value): pass
    def enable_includes(self, yes): pass
    def new_namespace(self, name): pass
    def add_source(self, text, origin): pass
    def warnings(self): return []
    def build(self): return self
class Scanner:
    def __init__(self, rules): pass
    def set_timeout(self, seconds): pass
    def max_matches_per_pattern(self, most): pass
    def scan(self, data): pass
"""
"""What compiles, but cannot be told the name of a file."""


async def test_an_older_yara_x_is_not_asked(scanned: Scanned, tmp_path: Path) -> None:
    """Without what the scanner needs of it: found out before any file is read."""
    older = tmp_path / "older"
    about = b"Metadata-Version: 2.1\nName: yara-x\nVersion: 0.1\n"
    plant(older, {"yara_x.py": OLDER.encode(), "yara_x-0.1.dist-info/METADATA": about})
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nshift\nPYTHONPATH={older} exec {PYTHON} -S "$@"\n')
    python.chmod(0o755)
    await scanned.hint(yara=str(python))
    run, _ = await scanned.scan()
    assert run.plan is not None
    assert [each for each in run.plan.warnings if "does not work" in each.message]


def judged_at(run: RunSeen) -> str:
    assert run.plan is not None
    assert run.state is State.DONE
    value: Any = next(each.value for each in run.plan.concerns if each.label.message == "Unknown files are judged")
    return value.message % value.values


async def said(scanned: Scanned, run: RunSeen) -> list[str]:
    return [str(each) for each in await scanned.engine.lines(run.run)]
