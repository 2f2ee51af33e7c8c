"""Finds and loads runbooks: those that ship, and those of the operator's folder. One that is broken hides no other.

A folder holds either `runbook.py` with a RUNBOOK, or `runbook.toml` with an executable (see own.py). Both are installed
from disk by an operator, who is trusted with it; nothing of them can be uploaded.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Final

from steelyard.kit.errors import ActError, RunbookError
from steelyard.toolbox.own import DESCRIPTION, read_own
from steelyard.toolbox.runbook import Runbook

CODE: Final = "runbook.py"
MOST_BYTES: Final = 2_000_000
"""Of a folder's files together."""
_LEFT_OUT: Final = ("__pycache__",)


@dataclass(frozen=True, slots=True)
class Runbooks:
    """All runbooks of this machine, by name. `broken` says of each folder that holds none why it is left out."""

    all: Mapping[str, Runbook]
    broken: Mapping[str, str] = field(default_factory=dict[str, str])
    folders: Mapping[str, Path] = field(default_factory=dict[str, Path], repr=False)

    def of(self, name: str) -> Runbook:
        """The runbook of this name. Raises ActError, code `no_runbook`."""
        found = self.all.get(name)
        if found is None:
            known = self.broken.get(name)
            because = f": {known}" if known else ". `steelyard runbook list` shows all"
            raise ActError("no_runbook", f"there is no runbook {name[:60]!r} on this machine{because}")
        return found

    def text(self, name: str, language: str) -> str:
        """Its documentation in Markdown; in English where there is none in `language`, empty where there is none."""
        folder = self.folders.get(name)
        if folder is None:
            return ""
        for file in (folder / f"README.{language}.md", folder / "README.md"):
            if file.is_file():
                return file.read_text("utf-8", "replace")
        return ""


def load(own: Path | None = None) -> Runbooks:
    """The runbooks of the package and those in the folder `own`. Reads files; raises nothing for a broken one."""
    shipped = Path(str(resources.files("steelyard.toolbox.catalog")))
    return load_folders([*_folders(shipped), *(_folders(own) if own is not None else ())])


def load_folders(folders: Iterable[Path]) -> Runbooks:
    """The runbooks of these folders, each called as its folder. Of two of one name, the first stays."""
    found: dict[str, Runbook] = {}
    places: dict[str, Path] = {}
    broken: dict[str, str] = {}
    for folder in folders:
        try:
            if folder.name in found:
                raise RunbookError(f"there is a runbook {folder.name} already, in {places[folder.name]}: rename this")
            found[folder.name] = read_folder(folder)
            places[folder.name] = folder
        except RunbookError as error:
            broken[folder.name if folder.name not in found else str(folder)] = str(error)
    return Runbooks(found, broken, places)


def read_folder(folder: Path) -> Runbook:
    """The runbook of one folder, with its digest. Raises RunbookError."""
    files = _files(folder)
    if DESCRIPTION in files:
        top = {name: content for name, content in files.items() if "/" not in name and _is_program(name)}
        runbook = read_own(folder.name, top)
    elif CODE in files:
        runbook = _code_of(folder)
    else:
        raise RunbookError(f"{folder} holds neither {CODE} nor {DESCRIPTION}: it is no runbook")
    return replace(runbook, digest=_digest(files))


def _is_program(name: str) -> bool:
    return not name.startswith("README") and not name.startswith(".")


def _folders(parent: Path) -> list[Path]:
    try:
        inside = sorted(parent.iterdir())
    except OSError:
        return []
    return [each for each in inside if each.is_dir() and not each.name.startswith((".", "_"))]


def _files(folder: Path) -> dict[str, bytes]:
    """The files of a folder by their paths in it. Links are followed by nobody: they are refused."""
    found: dict[str, bytes] = {}
    size = 0
    try:
        for path in sorted(folder.rglob("*")):
            if any(part in _LEFT_OUT for part in path.relative_to(folder).parts):
                continue
            if path.is_symlink():
                raise RunbookError(f"{path} is a link: a runbook is what is in its folder")
            if path.is_file():
                size += path.stat().st_size
                if size > MOST_BYTES:
                    raise RunbookError(f"the files of {folder} are more than {MOST_BYTES // 1_000_000} MB")
                found[path.relative_to(folder).as_posix()] = path.read_bytes()
    except OSError as error:
        raise RunbookError(f"{folder} cannot be read ({type(error).__name__}): its owner runs this") from None
    return found


def _digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 over names, lengths and contents, in the order of the names."""
    whole = hashlib.sha256()
    for name, content in sorted(files.items()):
        whole.update(f"{name}\0{len(content)}\0".encode())
        whole.update(content)
    return whole.hexdigest()


def _code_of(folder: Path) -> Runbook:
    """What `runbook.py` holds. What it raises while it is imported is told, whatever it is."""
    name = f"steelyard_runbook_{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, folder / CODE)
    if spec is None or spec.loader is None:
        raise RunbookError(f"{folder / CODE} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look for their module there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise RunbookError(f"{folder / CODE} cannot be imported: {type(error).__name__}: {error}") from None
    runbook = getattr(module, "RUNBOOK", None)
    if not isinstance(runbook, Runbook):
        raise RunbookError(f"{folder / CODE} holds no RUNBOOK = Runbook(...)")
    if runbook.name != folder.name:
        raise RunbookError(f"{folder / CODE} says name={runbook.name!r}: it is the folder's, {folder.name!r}")
    return runbook
