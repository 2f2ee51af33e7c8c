"""Documents can be followed: links lead somewhere, examples are what the programs understand, named files exist."""

import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from typer.core import TyperGroup

from steelyard.cli import whole

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "steelyard"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *SOURCE.rglob("README.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
FILE = re.compile(r"`([\w.-]+(?:/[\w.-]+)+\.(?:py|toml|sql|md|html|lock))`")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """Every example in `language`, with its document's name."""
    for path in DOCUMENTS:
        for found, content in BLOCK.findall(path.read_text("utf-8")):
            if found == language:
                yield name_of(path), content


def anchors(text: str) -> set[str]:
    """The places in a document that a link may name."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", text), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_broken(path: Path, link: str) -> bool:
    file, _, anchor = link.partition("#")
    target = (path.parent / file).resolve() if file else path
    return not target.exists() or bool(anchor and anchor not in anchors(target.read_text("utf-8")))


def commands_in(example: str) -> Iterator[list[str]]:
    """The commands of a shell example, one a line, without what continues them behind a pipe or a semicolon."""
    for line in example.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and re.match(r"[A-Z_]+=", words[0]):
            words = words[1:]
        if words:
            yield words


@cache
def everything() -> TyperGroup:
    """Made once: describing every command takes a while."""
    return whole()


def unknown_to_steelyard(words: list[str]) -> list[str]:
    """What of a `steelyard` command line its parser does not know."""
    command = everything()
    for place, word in enumerate(words, 1):
        children = getattr(command, "commands", None)
        if children is None:
            options = {option for each in command.params for option in each.opts} | {"--help"}
            return [each for each in words[place - 1 :] if each.startswith("--") and each not in options]
        if word not in children:
            return [word]
        command = children[word]
    return []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    links = LINK.findall(BLOCK.sub("", path.read_text("utf-8")))
    assert [link for link in links if not re.match(r"\w+:", link) and is_broken(path, link)] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_files_that_are_named_exist(path: Path) -> None:
    folders = (ROOT, SOURCE, SOURCE / "routing", path.parent)
    named = FILE.findall(path.read_text("utf-8"))
    assert [each for each in named if not any((folder / each).exists() for folder in folders)] == []


def test_toml_examples_are_toml() -> None:
    examples = list(blocks("toml"))
    assert examples
    for _, example in examples:
        tomllib.loads(example)


def test_shell_examples_can_be_typed() -> None:
    examples = list(blocks("bash"))
    assert len(examples) > 5
    known = 0
    for document, example in examples:
        checked = subprocess.run(["bash", "-n"], input=example, capture_output=True, text=True, check=False)
        assert not checked.returncode, (document, checked.stderr)
        for words in commands_in(example):
            program = words[0].rpartition("/")[2]
            if program == "make":
                assert {each for each in words[1:] if "=" not in each} <= TARGETS, (document, words)
                known += 1
            elif program == "steelyard":
                assert not unknown_to_steelyard(words[1:]), (document, words)
                known += 1
    assert known > 10


def test_benchmarks_that_are_named_exist() -> None:
    for path in DOCUMENTS:
        for name in re.findall(r"make bench NAME=(\w+)", path.read_text("utf-8")):
            assert (ROOT / "bench" / f"{name}.py").is_file(), (name_of(path), name)


def unproven(text: str) -> list[str]:
    """The rows of tables of claims (those whose first column is `claim`) that hold a number but no `make bench`."""
    found: list[str] = []
    for table in re.findall(r"(?:^\|.*\|$\n?)+", text, re.M):
        head, _, *rows = table.splitlines()
        if head.lower().startswith("| claim "):
            found += [row for row in rows if re.search(r"\d", row) and "make bench NAME=" not in row]
    return found


def test_every_number_that_the_readme_claims_names_its_benchmark() -> None:
    assert unproven((ROOT / "README.md").read_text("utf-8")) == []
    head = "| claim | command |\n|---|---|\n"
    assert unproven(f"{head}| 15,000 a second | `make bench NAME=decide` |\n") == []
    assert unproven(f"{head}| 15,000 a second | trust us |\n") == ["| 15,000 a second | trust us |"]
