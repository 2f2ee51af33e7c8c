"""Archives of releases as they come from outside: unpacked with limits, nothing but plain files below one folder."""

from __future__ import annotations

import hashlib
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
_ASIDE = "__MACOSX/"
"""What a Mac puts beside what it packs. WordPress leaves it out, too."""


class Unpacked(NamedTuple):
    """What was in an archive."""

    folder: str
    """The name of the one folder that all files are in."""
    files: list[tuple[str, int, str]]
    """Path below that folder, size and SHA-256 of each, sorted by path."""


def digest(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def unpack(archive: Path, target: Path) -> Unpacked:
    """Writes the archive's files below `target`, which it makes, without the folder that all of them are in.

    Raises SlotError for an archive that is none, is empty or damaged, or holds links, devices, paths that lead out,
    several folders, the same path twice, or more than is allowed.
    """
    found: dict[str, tuple[int, str]] = {}
    folder = ""
    total = 0
    try:
        with _opened(archive) as entries:
            for path, size, content in entries:
                if path.startswith(_ASIDE):
                    continue
                its_folder, inside = _inside(path)
                folder = folder or its_folder
                total += size
                if its_folder != folder:
                    raise SlotError(f"{archive.name} holds {folder!r} and {its_folder!r}: give an archive of each")
                if len(found) >= MOST_FILES or total > MOST_BYTES or size > MOST_OF_ONE:
                    raise SlotError(f"{archive.name} holds more than a release may: it is not unpacked")
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
    if not found:
        raise SlotError(f"{archive.name} holds no file")
    return Unpacked(folder, sorted((path, size, sha) for path, (size, sha) in found.items()))


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


def _inside(path: str) -> tuple[str, str]:
    """The archive's own folder, and a path below it. Raises SlotError where it leads anywhere else."""
    pure = PurePosixPath(path)
    parts = pure.parts
    if pure.is_absolute() or ".." in parts or len(parts) < 2 or any(ord(each) < 32 or each in "\\:" for each in path):
        raise SlotError(f"it holds {path!r}, which is not below its folder: it is not unpacked")
    return parts[0], "/".join(parts[1:])


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
