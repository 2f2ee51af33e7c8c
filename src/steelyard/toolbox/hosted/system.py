"""Files, as the system has them: written whole or not at all, and its refusals in words."""

from __future__ import annotations

import os
import stat

from steelyard.toolbox.hosted.words import Failed, failed, shown

ANEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW


class system:
    """What the system refuses inside, as Failed; `path` where it names none."""

    def __init__(self, path: str | None = None) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            if error.filename is None:
                error.filename = self._path
            raise failed(error) from error
        if isinstance(error, ValueError) and "null byte" in str(error):
            raise Failed("failed", "A path may hold no NUL") from error


def own(folder: str) -> None:
    """Makes a folder that only the account can enter, and makes sure that it is one: others may have been faster."""
    with system(folder):
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:
            found = os.lstat(folder)
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                raise Failed("denied", f"{shown(folder)} is not the account's own folder: remove it") from None
            if found.st_mode & 0o077:
                os.chmod(folder, 0o700)


def opened(path: str, flags: int, files: list[int]) -> int:
    """A file for a command; it is added to what has to be closed."""
    with system(path):
        fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
    files.append(fd)
    return fd


def write_new(path: str, data: bytes, mode: int) -> None:
    """Writes a file that is not there yet: on the disk, with its permissions, when this returns."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        write_all(fd, data)
        os.fchmod(fd, mode)
        os.fsync(fd)
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    """Writes all of it, however often the system has to be asked."""
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


def unlinked(path: str) -> None:
    """Makes sure that no file or link is there."""
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return


def sync_folder(folder: str) -> None:
    """Has the names in a folder on the disk."""
    fd = os.open(folder or "/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
