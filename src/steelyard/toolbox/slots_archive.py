"""Archives of WordPress as they come from outside: unpacked with limits, nothing but plain files below one folder."""

from __future__ import annotations

import hashlib
import re
import tarfile
import zipfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from steelyard.kit.errors import SlotError

MOST_FILES = 20_000
MOST_BYTES = 500_000_000
MOST_OF_ONE = 100_000_000
_PIECE = 1_048_576
_VERSION = re.compile(r"""^\$wp_version\s*=\s*'([0-9A-Za-z.-]{1,40})'\s*;""", re.MULTILINE)
_LOCALE = re.compile(r"""^\$wp_local_package\s*=\s*'([A-Za-z_]{2,30})'\s*;""", re.MULTILINE)


class Release(NamedTuple):
    """Which WordPress some files are."""

    version: str
    locale: str


def digest(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def unpack(archive: Path, target: Path) -> list[tuple[str, int, str]]:
    """Writes the archive's files below `target`, which it makes, without the folder that all of them are in.

    Answers path, size and SHA-256 of each, sorted by path. Raises SlotError for an archive that is none, is damaged, or
    holds links, devices, paths that lead out, the same path twice, or more than is allowed.
    """
    found: dict[str, tuple[int, str]] = {}
    total = 0
    try:
        with _opened(archive) as entries:
            for path, size, content in entries:
                inside = _inside(path)
                total += size
                if len(found) >= MOST_FILES or total > MOST_BYTES or size > MOST_OF_ONE:
                    raise SlotError(f"{archive.name} holds more than a WordPress: it is not unpacked")
                if inside in found:
                    raise SlotError(f"{archive.name} holds {path!r} twice: it is not unpacked")
                found[inside] = _write(target / inside, content, size)
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        EOFError,
        OSError,
        zipfile.LargeZipFile,
        NotImplementedError,
    ) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise SlotError(f"{archive} cannot be unpacked: {error.strerror}") from error
        raise SlotError(f"{archive.name} is damaged or no archive: {error}") from error
    return sorted((path, size, sha) for path, (size, sha) in found.items())


def release_of(folder: Path) -> Release:
    """Which WordPress is in a folder. Raises SlotError where it is none."""
    needed = ("wp-load.php", "wp-settings.php", "wp-includes/version.php", "wp-admin/includes/upgrade.php")
    if missing := [each for each in needed if not (folder / each).is_file()]:
        raise SlotError(f"the archive holds no WordPress: it has no {missing[0]}")
    text = (folder / "wp-includes/version.php").read_text("utf-8", "replace")
    version, locale = _VERSION.search(text), _LOCALE.search(text)
    if version is None:
        raise SlotError("the archive does not say which version of WordPress it holds")
    return Release(version[1], locale[1] if locale else "en_US")


@contextmanager
def _opened(archive: Path) -> Generator[Iterator[tuple[str, int, IO[bytes]]]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            yield _of_zip(opened)
    else:
        with tarfile.open(archive, "r:*") as opened:
            yield _of_tar(opened)


def _of_zip(opened: zipfile.ZipFile) -> Iterator[tuple[str, int, IO[bytes]]]:
    for each in opened.infolist():
        kind = each.external_attr >> 28
        if each.is_dir():
            continue
        if kind not in (0, 0o10) or each.flag_bits & 1:
            raise SlotError(f"it holds {each.filename!r}, which is no plain file: it is not unpacked")
        with opened.open(each) as content:
            yield each.filename, each.file_size, content


def _of_tar(opened: tarfile.TarFile) -> Iterator[tuple[str, int, IO[bytes]]]:
    for each in opened:
        if each.isdir():
            continue
        content = opened.extractfile(each) if each.isreg() and not each.issparse() else None
        if content is None:
            raise SlotError(f"it holds {each.name!r}, which is no plain file: it is not unpacked")
        yield each.name, each.size, content


def _inside(path: str) -> str:
    """A path below the archive's own folder. Raises SlotError where it leads anywhere else."""
    pure = PurePosixPath(path)
    parts = pure.parts
    if pure.is_absolute() or ".." in parts or len(parts) < 2 or any(ord(each) < 32 or each in "\\:" for each in path):
        raise SlotError(f"it holds {path!r}, which is not below its folder: it is not unpacked")
    return "/".join(parts[1:])


def _write(target: Path, content: IO[bytes], size: int) -> tuple[int, str]:
    target.parent.mkdir(parents=True, exist_ok=True)
    sha, left = hashlib.sha256(), size
    with target.open("xb") as opened:
        while piece := content.read(min(_PIECE, left + 1)):
            left -= len(piece)
            if left < 0:
                raise SlotError(f"it says that {target.name!r} is smaller than it is: it is not unpacked")
            sha.update(piece)
            opened.write(piece)
    if left:
        raise SlotError(f"it says that {target.name!r} is larger than it is: it is not unpacked")
    target.chmod(0o644)
    return size, sha.hexdigest()
