"""A team's own script on a host: run as it is, told line by line, ended when nobody wants it any more."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any

import pytest
from reaching import there_over

from steelyard.demo.hosting import Hosting
from steelyard.toolbox.hosted.here import Failed, Here, Place
from steelyard.toolbox.hosted.script import run
from steelyard.toolbox.hosted.there import Command, There
from steelyard.toolbox.hosted.verbs import do

MakeHere = Callable[..., Here]


def asked(
    program: str, content: bytes, folder: Path, *argv: str, any_status: bool = False, **env: str
) -> dict[str, Any]:
    files = {program: base64.b64encode(content).decode()}
    return {
        "program": program,
        "files": files,
        "env": env,
        "argv": list(argv),
        "cwd": str(folder),
        "any_status": any_status,
    }


def test_it_gets_what_was_chosen_and_nothing_of_it_is_a_command(here: MakeHere, tmp_path: Path) -> None:
    content = b'#!/bin/sh\nprintf "%s|%s|%s\\n" "$STEELYARD_DAYS" "$1" "$PWD"\n'
    answer = do(here(), "script.run", asked("run", content, tmp_path, "$(touch hacked); 'x", STEELYARD_DAYS="`id`"))
    assert answer == {"status": 0, "out": f"`id`|$(touch hacked); 'x|{tmp_path}\n"}
    assert not (tmp_path / "hacked").exists()


@pytest.fixture
def there(hosting: Hosting) -> Iterator[There]:
    """A host without Python."""
    folder = hosting.folder / "scripts"
    hosting.owner.make_folder(folder, 0o755)
    with there_over(hosting, Place("tester", str(folder), str(folder / "base"), "0a1b2c3d", {}), lambda _: None) as one:
        yield one


def test_where_commands_tell_it_no_other_account_sees_what_was_chosen(there: There) -> None:
    seen: list[Command] = []
    command = there._command
    there._command = lambda wanted: seen.append(wanted) or command(wanted)
    content = b'#!/bin/sh\nprintf "%s|%s\\n" "$STEELYARD_KEY" "$1"; ls "$(dirname "$0")/.."\n'
    answer = do(there, "script.run", asked("run", content, Path("/"), "one", STEELYARD_KEY="it's $(id) \n `x`"))
    assert answer["out"].startswith("it's $(id) \n `x`|one\n")
    assert "environment" not in answer["out"].split()
    assert not [each for each in seen if "$(id)" in str((each.argv, each.env))]
    for path in (there.work, f"{there.work}/script", f"{there.work}/script/run", f"{there.work}/run.out"):
        found = there.stat(path)
        assert found is not None
        assert found.mode & 0o077 == 0


def test_of_its_files_and_its_output_no_other_account_reads_any(here: MakeHere, tmp_path: Path) -> None:
    one = here()
    run(one, asked("run", b"#!/bin/sh\necho told\n", tmp_path))
    found = [(path, path.stat().st_mode & 0o077) for path in (Path(one.work), *Path(one.work).rglob("*"))]
    assert len(found) == 4
    assert [each for each in found if each[1]] == []


def test_any_language_by_its_first_line(here: MakeHere, tmp_path: Path) -> None:
    answer = run(here(), asked("run", b"#!/usr/bin/env python3\nprint(6 * 7)\n", tmp_path))
    assert answer["out"] == "42\n"


def test_what_it_prints_is_told_while_it_works(here: MakeHere, tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []
    one = here()
    one._said = lambda said: told.append((monotonic(), said["said"]))
    run(
        one,
        asked("run", b"#!/bin/sh\necho first\nsleep 1\necho second\nprintf 'half a line'\necho odd >&2\n", tmp_path),
    )
    assert [text for _, text in told] == ["first", "second", "half a line", "odd"]
    assert told[1][0] - told[0][0] > 0.5


def test_a_status_that_is_no_success_fails_it_unless_it_is_an_answer(here: MakeHere, tmp_path: Path) -> None:
    with pytest.raises(Failed, match="status 3: it is broken") as failed:
        run(here(), asked("run", b"#!/bin/sh\necho it is broken >&2\nexit 3\n", tmp_path))
    assert failed.value.code == "failed"
    assert run(here(), asked("check", b"#!/bin/sh\nexit 3\n", tmp_path, any_status=True))["status"] == 3


def test_a_line_without_an_end_and_bytes_that_are_no_text(here: MakeHere, tmp_path: Path) -> None:
    content = b"#!/bin/sh\nhead -c 300000 /dev/zero | tr '\\0' x\nprintf '\\377\\033[31m\\n'\n"
    assert run(here(), asked("run", content, tmp_path))["status"] == 0


def test_it_is_ended_when_it_is_not_wanted_any_more(here: MakeHere, tmp_path: Path) -> None:
    one = here()
    Thread(target=lambda: (sleep(0.5), one.end())).start()
    began = monotonic()
    with pytest.raises(Failed) as ended:
        run(one, asked("run", b"#!/bin/sh\nsleep 30\ntouch too_late\n", tmp_path))
    assert (ended.value.code, monotonic() - began < 10) == ("ended", True)
    assert not (tmp_path / "too_late").exists()


@pytest.mark.parametrize("name", ["../run", "", ".."])
def test_a_name_that_leaves_the_folder_is_refused(here: MakeHere, tmp_path: Path, name: str) -> None:
    with pytest.raises(Failed, match="no name of a file"):
        run(here(), asked("run", b"", tmp_path) | {"files": {name: "", "run": ""}})
