"""Hosts with a yara-x of their own judge files where they lie: the same is found, and what goes wrong there is made up
for beside the worker."""

from __future__ import annotations

import ast
import base64
import json
import os
import subprocess
import sys
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from engine import Engine
from hypothesis import given
from hypothesis import strategies as st
from scan_ground import Scanned, plant, scanning
from scan_samples import ORDINARY, SAMPLES

from steelyard.demo.hosting import Site
from steelyard.toolbox import hosted
from steelyard.toolbox.hosted import yara
from steelyard.toolbox.model import Action
from steelyard.toolbox.runs_seen import RunSeen
from steelyard.toolbox.scanning import on_host
from steelyard.toolbox.scanning.model import Kept, Layout
from steelyard.toolbox.scanning.on_host import answered
from steelyard.toolbox.states import State
from steelyard.toolbox.tools import scan as asking

DOOR = next(each for each in SAMPLES if each.rule == "eval_of_request").data
PYTHON = sys.executable
"""One that has yara-x: the tests' own."""
SENT = sorted(Path(hosted.__path__[0], "scanner").glob("*.py"))


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


async def test_an_older_yara_x_is_not_asked(scanned: Scanned, tmp_path: Path) -> None:
    """Without what the scanner needs of it: found out before any file is read."""
    older = tmp_path / "older"
    older.mkdir()
    (older / "yara_x.py").write_text("class Compiler: pass\nclass TimeoutError(Exception): pass\n")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nshift\nPYTHONPATH={older} exec {PYTHON} -S "$@"\n')
    python.chmod(0o755)
    await scanned.hint(yara=str(python))
    run, _ = await scanned.scan()
    assert run.plan is not None
    assert [each for each in run.plan.warnings if "does not work" in each.message]


# What is sent, and what comes back


@pytest.mark.parametrize("path", SENT, ids=lambda path: path.name)
def test_what_is_sent_is_read_by_python_3_7_and_imports_no_more_than_is_sent(path: Path) -> None:
    sent = {f"steelyard.toolbox.hosted.{each[:-3].replace('/', '.')}" for each in yara.FILES}
    for node in ast.walk(ast.parse(path.read_text(), feature_version=(3, 7))):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names = (
                {f"{module}.{each.name}" for each in node.names} if module == "steelyard.toolbox.hosted" else {module}
            )
        elif isinstance(node, ast.Import):
            names = {each.name for each in node.names}
        else:
            continue
        for name in names:
            assert name in sent or name.partition(".")[0] in {*sys.stdlib_module_names, "yara_x"}


def test_it_is_bounded_before_it_looks_at_a_file() -> None:
    code = (
        "import os, resource\n"
        "from steelyard.toolbox.hosted.scanner import program\n"
        "program._bound()\n"
        "def tried(what):\n"
        "    try:\n        what()\n        print('worked')\n"
        "    except (OSError, MemoryError):\n        print('refused')\n"
        "status = open('/proc/self/status').read()\n"
        "tried(lambda: os.write(os.memfd_create('x'), b'x'))\n"
        "tried(lambda: bytearray(4 << 30))\n"
        "tried(lambda: [os.dup(0) for _ in range(99)])\n"
        "print(os.nice(0), 'NoNewPrivs:\\t1' in status)\n"
    )
    done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.splitlines() == [*["refused"] * 3, "10 True"], done.stderr


def packed(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode())).decode()


HIT = ["odd", "rule", "theirs", "Ana", "MIT", "about", "evidence"]
GOOD = [0, "0" * 64, [HIT], "", ""]


def test_what_it_tells_is_taken() -> None:
    (looked,) = answered(packed(f'"1.0"\n{json.dumps(GOOD)}\n[1,"00'), 2, {"theirs"})
    assert [tuple(each) for each in looked.hits] == [tuple(HIT)]


@pytest.mark.parametrize(
    "told",
    [
        [1, *GOOD[1:]],
        [0, "xyz", [], "", ""],
        [0, "0" * 64, [HIT] * 21, "", ""],
        [0, "0" * 64, [["bad", *HIT[1:]]], "", ""],
        [0, "0" * 64, [[*HIT[:2], "others", *HIT[3:]]], "", ""],
        [0, "0" * 64, [HIT[:6]], "", ""],
        [0, "0" * 64, [[*HIT[:6], [1]]], "", ""],
        [0, "0" * 64, [], "<b>", ""],
        {"0": 1},
        7,
    ],
)
def test_what_it_may_not_tell_is_refused(told: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        answered(packed(f'"1.0"\n{json.dumps(told)}\n'), 2, {"theirs"})


def test_what_it_tells_is_short_and_printable() -> None:
    hostile = [*HIT[:1], *["\x1b[2J<b>\0" * 9999] * 1, "theirs", *["\u202e\x07" * 9999] * 4]
    (looked,) = answered(packed(f'"1.0"\n{json.dumps([0, "0" * 64, [hostile], "", ""])}\n'), 1, {"theirs"})
    for text in looked.hits[0]:
        assert len(text) <= 2002
        assert text.isprintable()


@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(st.none() | st.integers() | st.text(), st.lists).map(
            lambda told: f'"1"\n{json.dumps(told)}\n'.encode()
        ),
    )
)
def test_nothing_that_it_says_breaks_more_than_its_answer(said: bytes) -> None:
    with suppress(ValueError, TypeError):
        answered(base64.b64encode(zlib.compress(said)).decode(), 3, {"theirs"})


def test_no_more_is_unpacked_than_it_may_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_host, "_MOST", 1000)
    assert (
        len(answered(packed("1\n" + "\n".join(json.dumps([n, "", [], "", "x"]) for n in range(999))), 999, set())) < 99
    )


def judged_at(run: RunSeen) -> str:
    assert run.plan is not None
    assert run.state is State.DONE
    value: Any = next(each.value for each in run.plan.concerns if each.label.message == "Unknown files are judged")
    return value.message % value.values


async def said(scanned: Scanned, run: RunSeen) -> list[str]:
    return [str(each) for each in await scanned.engine.lines(run.run)]
