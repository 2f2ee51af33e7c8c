"""What the how-to "add a runbook" says is followed line by line, at a site of this machine."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from engine import Engine
from working import Installation, installed

from ending import ended
from steelyard.operations.own_runbooks import SECTIONS, examine, make_new
from steelyard.toolbox.runbooks_live import live

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-runbook.md"
PIECE = re.compile(r"(?:^\*\*(drafts/[^*]+)\*\*\n\n)?^```(?:bash|text)\n(.*?)^```$", re.M | re.S)
ELSEWHERE = ("git", "cd", "make")


async def follow(here: Installation, folder: Path, file: str, piece: str) -> list[str]:
    """One piece of the page: a file that is written, or commands that are typed. What those said."""
    if file:
        (folder / file).write_text(piece)
        return []
    said: list[str] = []
    for line in piece.splitlines():
        words = [word.replace("drafts", str(folder / "drafts")) for word in shlex.split(line)]
        if words[0] in ELSEWHERE or words[0] == "export":
            continue
        if words[0] != "steelyard":
            done = await asyncio.create_subprocess_exec(*words, cwd=folder)
            await ended(done, line)
            assert done.returncode == 0, line
            continue
        status, out, complaint = await here.command(*words[1:])
        undocumented = words[1:] == ["runbook", "test", str(folder / "drafts/hide_readme")]
        assert status == int(undocumented), out + complaint
        said.append(out)
    return said


@pytest.mark.slow
async def test_the_page_can_be_followed(engine: Engine, app_url: str, keys: Path, tmp_path: Path) -> None:
    (tmp_path / "drafts").mkdir()
    (tmp_path / "installed").mkdir()
    said: list[str] = []
    async with installed(app_url, keys, tmp_path) as here:
        here.runbooks = tmp_path / "installed"
        await here.start()  # a worker that knows nothing of it yet
        for file, piece in PIECE.findall(HOW_TO.read_text("utf-8")):
            said += await follow(here, tmp_path, file, piece)
            notes = list(engine.docroot().glob("note-*.txt"))
            if "runbook run" in piece:
                assert notes == [], "it was undone"
    listed = next(text for text in said if "leave_note" in text and "changes" in text)
    assert "left out" not in listed
    assert any("Leave a note of 5" in text for text in said), "its own plan is shown"
    assert any("minutes saved" in text for text in said)
    assert any("hide_readme passes: 2 cases" in text for text in said)


def test_a_folder_that_changes_is_seen_without_a_restart(tmp_path: Path) -> None:
    now = 0.0
    known = live(tmp_path, lambda: now)
    shipped = set(known.all)
    assert "diagnose_site" in shipped
    folder = tmp_path / "say_hello"
    folder.mkdir()
    (folder / "run").write_text("#!/bin/sh\necho hello\n")
    toml = 'name = "say_hello"\ntitle = "Hello"\nsummary = "Says hello to all."\nrisk = "reads"\nminutes = 1\n'
    (folder / "runbook.toml").write_text(toml)
    assert set(known.all) == shipped, "what was seen is believed for a second"
    now = 1.0
    assert set(known.all) == shipped | {"say_hello"}
    before = known.of("say_hello").digest
    (folder / "run").write_text("#!/bin/sh\necho hello again\n")
    now = 2.0
    assert known.of("say_hello").digest != before
    (folder / "runbook.toml").write_text("odd")
    now = 3.0
    assert "say_hello" in known.broken


def test_to_write_one_no_cell_has_to_be_set(tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    alone = {"PATH": os.environ["PATH"], "STEELYARD_RUNBOOKS": str(installed), "COLUMNS": "200"}

    def steelyard(*words: str) -> str:
        command = [sys.executable, "-m", "steelyard", "runbook", *words]
        done = subprocess.run(command, env=alone, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    draft = tmp_path / "drafts" / "say_hello"
    assert f"then: steelyard runbook test {draft.relative_to(tmp_path)}\n" in steelyard(
        "new", "say_hello", "--in", "drafts"
    )
    for name, sections in SECTIONS.items():
        (draft / name).write_text("# Hello\n" + "".join(f"\n## {each}\n\nHello.\n" for each in sections))
    assert "passes: 1 case, documented" in steelyard("test", "drafts/say_hello")
    assert str(installed / "say_hello") in steelyard("install", "drafts/say_hello")
    assert "say_hello" in steelyard("list")
    assert "Say hello" in steelyard("show", "say_hello")


def test_a_case_names_the_files_of_a_script_and_bears_their_next_edit(tmp_path: Path) -> None:
    folder = make_new("say_hello", "script", tmp_path)
    case = folder / "cases" / "any.json"
    case.write_text('{"asked": {}}')
    (said,) = [each.differences for each in examine(folder).cases if each.name == "any"]
    assert "--write" in said[0], "what to do next is said, instead of the whole plan"
    examine(folder, write=True)
    action = json.loads(case.read_text())["plan"]["steps"][0]["actions"][0]
    assert action["args"]["files"] == ["run"]
    (folder / "run").write_text("#!/bin/sh\necho another\n")
    assert all(each.differences == () for each in examine(folder).cases)
