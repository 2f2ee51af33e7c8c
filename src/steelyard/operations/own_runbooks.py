"""A team's own runbooks: a folder to begin with, its cases run, and put where every machine finds it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Final, Literal, NamedTuple

from steelyard.config import Settings
from steelyard.kit.errors import ConfigError, RunbookError
from steelyard.toolbox.cases import EXPECTED, Judged, judge, read_case
from steelyard.toolbox.runbook import Runbook
from steelyard.toolbox.runbooks import load, read_folder

Kind = Literal["script", "python"]

SECTIONS: Final = {
    "README.md": ("What", "Before", "Does", "Undo", "Risks"),
    "README.fr.md": ("Quoi", "Avant", "Fait", "Retour", "Risques"),
}
"""What the documentation of a runbook says, file by file."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,40}")
_MARK: Final = re.compile(r"\bSay (what|in one sentence)\b|\bDites (ce que|en )")


class Tested(NamedTuple):
    """A runbook that was tested: its cases, and what its documentation does not say."""

    runbook: Runbook
    cases: tuple[Judged, ...]
    missing: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.missing and not any(each.differences for each in self.cases)


def make_new(name: str, kind: Kind, parent: Path) -> Path:
    """Makes the folder of a new runbook in `parent`, which works as it is. Raises ConfigError."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"a runbook is called by a-z, 0-9 and _, such as purge_logs: {name[:60]!r} is no such name")
    folder = parent / name
    if folder.exists():
        raise ConfigError(f"{folder} is there already: choose another name, or remove it first")
    title = name.replace("_", " ").capitalize()
    source = Path(str(resources.files("steelyard.toolbox").joinpath("scaffold", kind)))
    for path in sorted(source.rglob("*")):
        target = folder / str(path.relative_to(source)).removesuffix(".in")
        if path.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(path.read_text("utf-8").replace("@name@", name).replace("@title@", title), "utf-8")
    if kind == "script":
        (folder / "run").chmod(0o755)
    return folder


def examine(folder: Path, *, write: bool = False) -> Tested:
    """Reads the runbook in `folder`, runs its cases and reads its documentation. Raises RunbookError.

    With `write`, a case that expects nothing yet is given what the runbook says now, to be looked at by a person.
    """
    runbook = read_folder(folder.resolve())
    judged = tuple(_judged(runbook, folder, write))
    return Tested(runbook, judged, tuple(_missing(folder)))


def install(settings: Settings, folder: Path, *, replace: bool = False) -> Path:
    """Puts a runbook that passes its test where this machine finds it; where that is. Raises ConfigError."""
    if settings.runbooks is None:
        raise ConfigError("this machine has no folder for runbooks: set STEELYARD_RUNBOOKS to one, the same for all")
    tested = examine(folder)
    if not tested.ok:
        raise ConfigError(f"{folder} does not pass its test: see `steelyard runbook test {folder}`")
    if tested.runbook.name in load().all:
        raise ConfigError(f"a runbook {tested.runbook.name} ships with Steelyard: give yours another name")
    target = settings.runbooks / tested.runbook.name
    if target.exists() and not replace:
        raise ConfigError(f"{target} is there already: add --replace to put the new one in its place")
    fresh, old = target.with_name(f".{target.name}.new"), target.with_name(f".{target.name}.old")
    for each in (fresh, old):
        shutil.rmtree(each, ignore_errors=True)
    shutil.copytree(folder, fresh, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", ".git"))
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    return target


def find_folder(settings: Settings, given: str) -> Path:
    """The folder of a runbook: a path, or the name of one that this machine has. Raises RunbookError."""
    path = Path(given)
    if path.is_dir():
        return path
    found = load(settings.runbooks).folders.get(given)
    if found is None:
        raise RunbookError(f"{given} is neither a folder nor the name of a runbook here: see `steelyard runbook list`")
    return found


def _judged(runbook: Runbook, folder: Path, write: bool) -> Iterator[Judged]:
    for path in sorted((folder / "cases").glob("*.json")):
        text = path.read_text("utf-8")
        case = read_case(path.stem, text)
        judged = judge(runbook, path.stem, case)
        if write and not case.keys() & set(EXPECTED):
            path.write_text(json.dumps({**case, **judged.answer}, indent=2, ensure_ascii=False) + "\n", "utf-8")
            judged = judged._replace(differences=())
        yield judged


def _missing(folder: Path) -> Iterator[str]:
    for name, sections in SECTIONS.items():
        path = folder / name
        if not path.is_file():
            yield f"there is no {name}"
            continue
        text = path.read_text("utf-8", "replace")
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        yield from (f"{name} has no section ## {each}" for each in sections if each not in headings)
        if _MARK.search(text):
            yield f"{name} still holds what `runbook new` wrote: say it in your words"
