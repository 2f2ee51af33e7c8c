"""What is imported from: a folder, or a zip of one. All of it is bounded, nothing is unpacked, no link is followed."""

from __future__ import annotations

import io
import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from steelyard.kit.errors import ConfigError
from steelyard.toolbox.handbook.imported import Source

ENDINGS: Final = (".md", ".markdown", ".html", ".htm")
LONGEST_FILE: Final = 2_000_000
MOST_FILES: Final = 5_000
MOST_BYTES: Final = 50_000_000
"""Of all pages together."""
_MOST_ENTRIES: Final = 100_000
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, lzma.LZMAError)


class Limits(NamedTuple):
    """How much is read at most."""

    file: int = LONGEST_FILE
    files: int = MOST_FILES
    bytes: int = MOST_BYTES


def read_path(path: Path, limits: Limits = Limits()) -> list[Source]:  # noqa: B008 - immutable
    """The pages in a folder, a zip or one file. Raises ConfigError where there is none, or too much. Blocks."""
    if path.is_dir():
        return _bounded(_in_folder(path), limits)
    if path.suffix.lower() in ENDINGS and path.is_file():
        return _bounded(iter([(path.name, path.stat().st_size, path.read_bytes)]), limits)
    try:
        return read_zip(path.read_bytes(), limits)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}. Name a folder or a zip of one") from None


def read_zip(content: bytes, limits: Limits = Limits()) -> list[Source]:  # noqa: B008 - immutable
    """The pages in a zip. Raises ConfigError for one that is none, or holds too much. Blocks."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _bounded(_in_zip(archive, limits), limits)
    except (*_BROKEN, RuntimeError, NotImplementedError, EOFError, ValueError, OSError) as error:
        raise ConfigError(
            f"this is no zip that can be read: {error}. Pack the folder again, without a password"
        ) from None


Entry = tuple[str, int, Callable[[], bytes]]
"""A file: its path in the folder, how long it says it is, and what reads it."""


def _bounded(entries: Iterator[Entry], limits: Limits) -> list[Source]:
    """The pages among the entries. What is too much is refused before any is read, and again where sizes were lies."""
    pages = [each for each in entries if each[0].lower().endswith(ENDINGS)]
    if len(pages) > limits.files:
        raise ConfigError(f"there are more than {limits.files} pages: import one part of them after the other")
    _within(sum(size for _, size, _ in pages if size <= limits.file), limits)
    found: list[Source] = []
    total = 0
    for path, size, read in pages:
        text, refused = _read(path, size, read, limits)
        total += len(text)
        _within(total, limits)
        found.append(Source(path, text, refused))
    return sorted(found)


def _within(total: int, limits: Limits) -> None:
    if total > limits.bytes:
        raise ConfigError(f"the pages hold more than {limits.bytes} characters: import them in parts")


def _read(path: str, size: int, read: Callable[[], bytes], limits: Limits) -> tuple[str, str]:
    """The text of a file, or the code of why it is refused."""
    if not _is_inside(path):
        return "", "outside"
    if size > limits.file:
        return "", "large"
    content = read()
    if len(content) > limits.file:
        return "", "large"
    try:
        return content.decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        return "", "not_utf8"


def _is_inside(path: str) -> bool:
    pure = PurePosixPath(path)
    return not pure.is_absolute() and ".." not in pure.parts and "\\" not in path and path.isprintable()


def _in_folder(folder: Path) -> Iterator[Entry]:
    for seen, (place, folders, names) in enumerate(os.walk(folder, followlinks=False)):
        if seen > _MOST_ENTRIES:
            raise ConfigError(f"{folder} holds more than {_MOST_ENTRIES} folders")
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in sorted(names):
            file = Path(place, name)
            about = file.lstat()
            if stat.S_ISREG(about.st_mode):
                yield file.relative_to(folder).as_posix(), about.st_size, file.read_bytes


def _in_zip(archive: zipfile.ZipFile, limits: Limits) -> Iterator[Entry]:
    """What an entry says of its length may be a lie: no more of it is unpacked than may be read."""
    entries = archive.infolist()
    if len(entries) > _MOST_ENTRIES:
        raise ConfigError(f"the zip holds more than {_MOST_ENTRIES} files")
    for each in entries:
        hidden = any(part.startswith((".", "__MACOSX")) and part != ".." for part in PurePosixPath(each.filename).parts)
        if each.is_dir() or stat.S_ISLNK(each.external_attr >> 16) or hidden:
            continue

        def read(entry: zipfile.ZipInfo = each) -> bytes:
            with archive.open(entry) as opened:
                return opened.read(limits.file + 1)

        yield each.filename, each.file_size, read
