"""Folders with all that is in them: walked, copied, removed, digested. No link is followed, no mount is crossed."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from steelyard.toolbox.hosted.names import no_mount
from steelyard.toolbox.hosted.words import Failed, Seen, failed, shown

DEEP = 100
"""Levels after which removing goes on from the top: each level holds a file descriptor."""
PIECE = 1_048_576
Each = TypeVar("Each")


def seen(found: os.stat_result) -> Seen:
    """What a stat says."""
    mode = found.st_mode
    kinds = (("file", stat.S_ISREG), ("folder", stat.S_ISDIR), ("link", stat.S_ISLNK))
    kind = next((name for name, fits in kinds if fits(mode)), "other")
    times = (found.st_mtime_ns, found.st_ctime_ns)
    place = (found.st_dev, found.st_ino, found.st_nlink)
    return Seen(
        kind, found.st_size, stat.S_IMODE(mode), found.st_uid, found.st_gid, _owner(found.st_uid), *times, *place
    )


_OWNERS: dict[int, str] = {}


def _owner(uid: int) -> str:
    if uid not in _OWNERS:
        import pwd

        try:
            _OWNERS[uid] = pwd.getpwuid(uid).pw_name
        except KeyError:
            _OWNERS[uid] = str(uid)
    return _OWNERS[uid]


def walk(
    top: str, most: int, look: Callable[[], None], skipped: Callable[[str, OSError], None]
) -> Iterator[tuple[str, Seen]]:
    """Everything below a folder, each folder before what is in it, by name. What cannot be read goes to `skipped`."""
    count = 0
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        look()
        if folder:
            try:
                here = seen(os.lstat(os.path.join(top, folder)))
            except OSError as error:
                skipped(folder, error)
                continue
            yield folder, here
            if here.kind != "folder":
                continue
        try:
            names = sorted(os.listdir(os.path.join(top, folder)), reverse=True)
        except OSError as error:
            skipped(folder, error)
            continue
        count += len(names)
        if count > most:
            raise Failed("too_many", f"{shown(top)} holds more than {most} files: that is more than this may walk")
        waiting += [os.path.join(folder, name) for name in names]


def remove(top: str, mounts: Iterable[str], look: Callable[[], None]) -> None:
    """Removes a folder and all in it, or one file or link. Raises Failed `mount`, before it begins, if one is in it."""
    whole = os.path.join(os.path.realpath(os.path.dirname(top) or "/"), os.path.basename(top))
    no_mount(whole, mounts)
    try:
        found = os.lstat(top)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode):
        os.unlink(top)
        return
    fd = _opened(top, None)
    try:
        _Emptied(fd, found.st_dev, look).empty()
    finally:
        os.close(fd)
    os.rmdir(top)


class _Emptied:
    """A folder that is being emptied. What lies too deep is moved to its top and emptied from there."""

    def __init__(self, fd: int, device: int, look: Callable[[], None]) -> None:
        self._fd, self._device, self._look = fd, device, look
        self._lifted = 0

    def empty(self) -> None:
        while True:
            lifted = self._lifted
            self._level(self._fd, 0)
            if self._lifted == lifted:
                return

    def _level(self, fd: int, depth: int) -> None:
        self._look()
        with os.scandir(fd) as entries:
            names = [(each.name, each.is_dir(follow_symlinks=False)) for each in entries]
        for name, folder in names:
            if not folder:
                os.unlink(name, dir_fd=fd)
            elif depth >= DEEP:
                self._lifted += 1
                os.rename(name, f".steelyard-deep-{self._lifted}", src_dir_fd=fd, dst_dir_fd=self._fd)
            else:
                self._folder(name, fd, depth)

    def _folder(self, name: str, fd: int, depth: int) -> None:
        inner = _opened(name, fd)
        try:
            if os.fstat(inner).st_dev != self._device:
                raise Failed("mount", f"{shown(name)} is another file system: unmount it first")
            self._level(inner, depth + 1)
        finally:
            os.close(inner)
        os.rmdir(name, dir_fd=fd)


def _opened(name: str, parent: int | None) -> int:
    """A folder that may be emptied; where its own permissions forbid that, they are widened."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(name, flags, dir_fd=parent)
    except PermissionError:
        os.chmod(name, 0o700, dir_fd=parent)
        fd = os.open(name, flags, dir_fd=parent)
    found = os.fstat(fd)
    if found.st_mode & 0o300 != 0o300 and found.st_uid == os.geteuid():
        os.fchmod(fd, 0o700)
    return fd


def copy(source: str, target: str, look: Callable[[], None]) -> None:
    """Copies a folder, or one file, with permissions, times and links as they are, over what is at the target."""
    if not stat.S_ISDIR(os.lstat(source).st_mode):
        _copy_one(source, target)
        return
    files, folders = _laid_out(source, target, look)
    side_by_side(files, lambda pair: _copy_one(pair[0], pair[1]), look)
    for each, into in reversed(folders):
        _dress(each, into)


def _laid_out(
    source: str, target: str, look: Callable[[], None]
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Makes the folders of a copy; gives the files to copy and the folders that are there now."""
    files: list[tuple[str, str]] = []
    folders = [(source, target)]
    for from_folder, to_folder in folders:
        look()
        _make(to_folder)
        with os.scandir(from_folder) as entries:
            for each in entries:
                pair = (each.path, os.path.join(to_folder, each.name))
                (folders if each.is_dir(follow_symlinks=False) else files).append(pair)
    return files, folders


def _make(folder: str) -> None:
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        if not os.path.isdir(folder) or os.path.islink(folder):
            os.unlink(folder)
            os.mkdir(folder, 0o700)


def _copy_one(source: str, target: str) -> None:
    found = os.lstat(source)
    if stat.S_ISLNK(found.st_mode):
        _forget(target)
        os.symlink(os.readlink(source), target)
    elif stat.S_ISREG(found.st_mode):
        _forget(target)
        _copy_bytes(source, target)
        _dress(source, target)
    else:
        raise Failed("failed", f"{shown(source)} is neither a file nor a folder nor a link: remove it first")


def _forget(target: str) -> None:
    try:
        os.unlink(target)
    except FileNotFoundError:
        return


def _copy_bytes(source: str, target: str) -> None:
    reading = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            _pour(reading, writing)
        except BaseException:
            os.unlink(target)  # nothing half
            raise
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def _pour(reading: int, writing: int) -> None:
    """All bytes of a file into another: inside the kernel where it can, and shared where the file system can."""
    inside = getattr(os, "copy_file_range", None)  # Python 3.8
    while inside is not None:
        try:
            if not inside(reading, writing, 16 * PIECE):
                return
        except OSError as error:
            if failed(error).code == "disk_full":
                raise
            inside = None
    while True:
        piece = os.read(reading, PIECE)
        if not piece:
            return
        while piece:
            piece = piece[os.write(writing, piece) :]


def _dress(source: str, target: str) -> None:
    found = os.lstat(source)
    os.chmod(target, stat.S_IMODE(found.st_mode))
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def digests(folder: str, names: Iterable[str], look: Callable[[], None]) -> dict[str, str]:
    """SHA-256 of files below a folder, in hexadecimal. What is no file, or is gone, is left out."""
    import hashlib

    found: dict[str, str] = {}

    def one(name: str) -> None:
        digest = hashlib.sha256()
        fd = open_file(os.path.join(folder, name))
        if fd is None:
            return
        with os.fdopen(fd, "rb", buffering=0) as file:
            for piece in iter(lambda: file.read(PIECE), b""):
                digest.update(piece)
                look()
        found[name] = digest.hexdigest()

    side_by_side(names, one, look)
    return found


def open_file(path: str) -> int | None:
    """A file, open for reading; None where a link, a folder, a pipe or nothing lies there. Never waits for a writer."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno in (40, 6):  # ELOOP: a link; ENXIO: a socket
            return None
        raise
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    return None


def side_by_side(all: Iterable[Each], do: Callable[[Each], None], look: Callable[[], None], threads: int = 2) -> None:
    """Does it to each, in two threads: reading and digesting let go of the interpreter. Raises the first failure."""
    waiting = iter(list(all))
    lock = threading.Lock()
    wrong: list[BaseException] = []

    def work() -> None:
        while not wrong:
            with lock:
                each = next(waiting, None)
            if each is None:
                return
            try:
                look()
                do(each)
            except BaseException as error:
                wrong.append(error)

    others = [threading.Thread(target=work, daemon=True) for _ in range(threads - 1)]
    for thread in others:
        thread.start()
    work()
    for thread in others:
        thread.join()
    if wrong:
        raise wrong[0]
