"""A process beside the helper that ends what the helper started, should the helper itself be killed."""

from __future__ import annotations

import os
import signal


class Reaper:
    """Told of every command that starts and ends. When the helper is gone, it kills those still there, then ends.

    It inherits the lock on the site, so nobody else is at the site before that.
    """

    def __init__(self, keep: int | None) -> None:
        """`keep`: the file descriptor of the lock. To be made before the helper has threads."""
        reading, self._telling = os.pipe()
        if os.fork() == 0:
            try:
                os.setsid()
                os.dup2(reading, 0)
                _close_all(keep)
                _watch(0)
            finally:
                os._exit(0)
        os.close(reading)

    def __call__(self, group: int, alive: bool) -> None:
        """A process group was started, or has ended."""
        os.write(self._telling, b"%s%d\n" % (b"+" if alive else b"-", group))


def _close_all(keep: int | None) -> None:
    """All but its input and the lock: what it held open would keep the connection's session alive."""
    for fd in range(1, 256):
        if fd != keep:
            try:
                os.close(fd)
            except OSError:
                continue


def _watch(reading: int) -> None:
    for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGALRM):
        signal.signal(each, signal.SIG_IGN)
    groups: set[int] = set()
    left = b""
    while True:
        piece = os.read(reading, 4096)
        if not piece:
            break
        *lines, left = (left + piece).split(b"\n")
        for line in lines:
            (groups.add if line[:1] == b"+" else groups.discard)(int(line[1:]))
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except OSError:
            continue
