"""Names that change places, and where file systems are mounted."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from typing import Any

from steelyard.toolbox.hosted.words import Failed, shown

AT_FDCWD = -100
NOREPLACE, EXCHANGE = 1, 2
_CANNOT = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
"""What a file system or a kernel says that does not know these flags."""


def rename(a: str, b: str) -> None:
    """Renames a to b. Raises Failed `exists` where b is there."""
    error = _renameat2(a, b, NOREPLACE)
    if error in _CANNOT:
        if os.path.lexists(b):
            error = errno.EEXIST
        else:
            os.rename(a, b)
            error = 0
    if error == errno.EEXIST:
        raise Failed("exists", f"{shown(b)} is there already: nothing was renamed over it")
    _raise(error, a)


def exchange(a: str, b: str) -> bool:
    """Both names change places. Answers whether that was in one instant."""
    error = _renameat2(a, b, EXCHANGE)
    if error not in _CANNOT:
        _raise(error, a)
        return True
    between = f"{a}.{os.getpid()}.between"
    os.rename(a, between)
    try:
        os.rename(b, a)
    except OSError:
        os.rename(between, a)
        raise
    os.rename(between, b)
    return False


def mounts(mountinfo: str) -> list[str]:
    """The mount points that /proc/self/mountinfo names."""
    points = (line.split(" ")[4] for line in mountinfo.splitlines() if line.count(" ") > 4)
    return [re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), each) for each in points]


def no_mount(path: str, mounts: Iterable[str]) -> None:
    """Raises Failed `mount` where something is mounted at the real path, or below."""
    for each in mounts:
        if each == path or each.startswith(path + "/"):
            raise Failed("mount", f"{shown(each)} is a mount point: unmount it before {shown(path)} is removed")


def _renameat2(a: str, b: str, flags: int) -> int:
    """The system call, 0 or its error. ENOSYS where the C library has no name for it."""
    import ctypes

    library: Any = ctypes.CDLL(None, use_errno=True)
    call = getattr(library, "renameat2", None)
    if call is None:
        return errno.ENOSYS
    done = call(AT_FDCWD, os.fsencode(a), AT_FDCWD, os.fsencode(b), flags)
    return ctypes.get_errno() if done else 0


def _raise(error: int, path: str) -> None:
    if error:
        raise OSError(error, os.strerror(error), path)
