"""What a host that has yara-x is sent, and what it may answer: it is a customer's, so anything."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import os
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.toolbox import hosted
from steelyard.toolbox.hosted import yara
from steelyard.toolbox.scanning import on_host
from steelyard.toolbox.scanning.on_host import answered
from steelyard.toolbox.scanning.packs import own_pack

PYTHON = sys.executable
"""One that has yara-x: the tests' own."""
SENT = yara.FILES


@pytest.mark.parametrize("file", SENT)
def test_what_is_sent_is_read_by_python_3_7_and_imports_no_more_than_is_sent(file: str) -> None:
    path = Path(hosted.__path__[0], file)
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


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows what bounds a process")
def test_it_is_bounded_when_it_says_that_it_is_ready_and_waits_for_no_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"x")
    names = [*(bytes(tmp_path / each) for each in ("pipe", "file", "gone")), bytes(tmp_path)]
    folder = Path(hosted.__path__[0])
    modules = [
        [f"steelyard.toolbox.hosted.{each[:-3].replace('/', '.')}", (folder / each).read_text()] for each in SENT
    ]
    first = {"modules": modules[:-1], "packs": [own_pack()], "layout": ["", "", "", ""]}
    argv = [PYTHON, "-I", "-c", modules[-1][1]]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(first).encode() + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())
        limits = " ".join(Path(f"/proc/{process.pid}/limits").read_text().split())
        assert "Max file size 0 0" in limits
        assert "Max open files 32 32" in limits
        assert "Max address space unlimited" not in limits
        assert "NoNewPrivs:\t1" in Path(f"/proc/{process.pid}/status").read_text()
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == 10
        out, _ = process.communicate(b"".join(each + b"\0" for each in names), timeout=60)
    told = [json.loads(line) for line in out.splitlines()]
    assert [each[4] for each in told] == ["not_a_file", "", "missing", "not_a_file"]
    assert told[1][1] == hashlib.sha256(b"x").hexdigest()


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
