"""What verbs say: what failed, what a command gave, what lies at a path."""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where commands are looked for. Never the account's own PATH."""

HANDED = "{handed}"
"""In an argument of a command: the path at which it can read what it was handed, see `Here.run`."""


class Failed(Exception):
    """A verb cannot be done. `code` is a word for programs; `message` says what happened, to what, and what to do next.

    Codes: `failed`, `timed_out`, `disk_full`, `denied`, `missing`, `bad_output`, `busy`, `ended`, or the verb's own.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Ran(NamedTuple):
    """How a command ended, and the beginning of what it wrote."""

    status: int
    """Its exit status; minus the signal that ended it."""
    out: bytes
    err: bytes
    cut: bool
    """Whether it wrote more than was kept."""

    def said(self) -> str:
        """The end of what it complained of, as a text of one line."""
        lines = (self.err.strip() or self.out.strip()).decode("utf-8", "replace").splitlines()
        return " ".join(lines[-3:])[-500:]


class Seen(NamedTuple):
    """What lies at a path, itself and not what it links to."""

    kind: str
    """file, folder, link or other."""
    size: int
    mode: int
    """The twelve bits of permissions."""
    uid: int
    gid: int
    owner: str
    """The name of the uid, or its number where it has none."""
    mtime_ns: int
    ctime_ns: int
    dev: int
    ino: int
    nlink: int


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_MISSING = (errno.ENOENT, errno.ENOTDIR)


def failed(error: OSError) -> Failed:
    """What the system refused, as a person needs it."""
    what = shown(error.filename) if error.filename is not None else "a file"
    if error.errno in _FULL:
        return Failed("disk_full", f"No room was left for {what}: free some space, or raise the account's quota")
    if error.errno in _DENIED:
        return Failed("denied", f"The account may not touch {what}: look at its owner and permissions")
    if error.errno in _MISSING:
        return Failed("missing", f"There is no {what}")
    return Failed("failed", f"{what}: {error.strerror or error}")


def shown(path: object) -> str:
    """A path as a person can read it: odd bytes and control characters written as escapes."""
    text = os.fsdecode(path) if isinstance(path, (str, bytes)) else str(path)
    return "".join(each if each.isprintable() else _escaped(each) for each in text)[:1000]


def _escaped(each: str) -> str:
    code = ord(each)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, as os.fsdecode keeps it
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
