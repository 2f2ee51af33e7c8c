"""Every runbook that ships passes its own cases, and says in both languages what a person has to know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from steelyard.config import Settings
from steelyard.kit.errors import ConfigError, RunbookError
from steelyard.operations.own_runbooks import SECTIONS, examine, install, make_new
from steelyard.toolbox.cases import judge, read_case
from steelyard.toolbox.runbooks import load, read_folder

SHIPPED = load()


def cases() -> Iterator[tuple[str, Path]]:
    for name, folder in SHIPPED.folders.items():
        for path in sorted((folder / "cases").glob("*.json")):
            yield name, path


def test_no_runbook_that_ships_is_broken() -> None:
    assert dict(SHIPPED.broken) == {}


@pytest.mark.parametrize(("name", "path"), [pytest.param(*each, id=f"{each[0]}-{each[1].stem}") for each in cases()])
def test_a_case(name: str, path: Path) -> None:
    judged = judge(SHIPPED.of(name), path.stem, read_case(path.stem, path.read_text("utf-8")))
    assert not judged.differences, "\n".join(judged.differences)


@pytest.mark.parametrize("name", sorted(SHIPPED.folders))
def test_it_has_cases_and_says_what_has_to_be_known(name: str) -> None:
    folder = SHIPPED.folders[name]
    assert list((folder / "cases").glob("*.json")), "there is no case"
    assert examine(folder).missing == ()


@pytest.mark.parametrize("name", sorted(SHIPPED.folders))
def test_both_languages_have_the_same_steps(name: str) -> None:
    counted = [
        sum(line[:1].isdigit() for line in (SHIPPED.folders[name] / file).read_text("utf-8").splitlines())
        for file in SECTIONS
    ]
    assert counted[0] == counted[1] > 0


@pytest.mark.parametrize("kind", ["script", "python"])
def test_a_new_one_works_as_it_is_and_asks_for_words(tmp_path: Path, kind: str) -> None:
    folder = make_new("look_around", kind, tmp_path)
    tested = examine(folder)
    assert [each.differences for each in tested.cases] == [()] * len(tested.cases) != []
    assert all("in your words" in each for each in tested.missing)
    assert len(tested.missing) == 2


@pytest.mark.parametrize("kind", ["script", "python"])
def test_the_scaffold_s_undo_is_one(tmp_path: Path, kind: str) -> None:
    runbook = read_folder(make_new("look_around", kind, tmp_path))
    assert (runbook.undo is not None) is (kind == "python")


def test_a_case_that_expects_something_else_is_told_line_by_line(tmp_path: Path) -> None:
    folder = make_new("look_around", "python", tmp_path)
    path = folder / "cases" / "writes.json"
    case = json.loads(path.read_text())
    case["plan"]["keeps"] = {"file": "/elsewhere"}
    path.write_text(json.dumps(case))
    differences = {each.name: each.differences for each in examine(folder).cases}
    assert any("/elsewhere" in line for line in differences["writes"])
    assert differences["refuses"] == ()


def test_a_case_without_an_answer_is_given_one_to_look_at(tmp_path: Path) -> None:
    folder = make_new("look_around", "python", tmp_path)
    path = folder / "cases" / "writes.json"
    case = json.loads(path.read_text())
    del case["plan"]
    path.write_text(json.dumps(case))
    assert any(each.differences for each in examine(folder).cases)
    examine(folder, write=True)
    assert json.loads(path.read_text())["plan"]["steps"][0]["actions"][0]["$do"] == "files.write"
    assert not any(each.differences for each in examine(folder).cases)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"facts": {}}'])
def test_what_is_no_case_is_refused(text: str) -> None:
    with pytest.raises(RunbookError):
        read_case("odd", text)


def in_own_words(folder: Path) -> None:
    for name in SECTIONS:
        path = folder / name
        path.write_text(path.read_text().replace("Say what", "It tells what").replace("Dites ", "Voici "))


def test_it_is_installed_where_every_process_finds_it(tmp_path: Path) -> None:
    settings = Settings(cell="eu1", runbooks=tmp_path / "own")
    (tmp_path / "own").mkdir()
    folder = make_new("look_around", "script", tmp_path)
    with pytest.raises(ConfigError, match="does not pass"):
        install(settings, folder)
    in_own_words(folder)
    install(settings, folder)
    assert "look_around" in load(settings.runbooks).all
    before = load(settings.runbooks).of("look_around").digest
    (folder / "run").write_text("#!/bin/sh\necho other\n")
    with pytest.raises(ConfigError, match="--replace"):
        install(settings, folder)
    install(settings, folder, replace=True)
    assert load(settings.runbooks).of("look_around").digest != before


@pytest.mark.parametrize("name", ["Look", "../x", "", "a b"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="a-z"):
        make_new(name, "script", tmp_path)


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    make_new("look_around", "script", tmp_path)
    with pytest.raises(ConfigError, match="there already"):
        make_new("look_around", "script", tmp_path)
