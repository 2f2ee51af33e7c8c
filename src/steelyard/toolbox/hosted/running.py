"""Runs commands: never by a shell, in a clean environment and a process group of their own, with limits."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

from steelyard.toolbox.hosted.words import HANDED, PATH, Failed, Ran, shown

PIPE = 65_536
"""What a pipe holds without a reader."""


class Job:
    """One command, or two with a pipe between them, until they end."""

    def __init__(self, timeout: float, most: int, look: Callable[[], None], child: Callable[[int, bool], None]) -> None:
        """`most`: bytes kept of each output. `look` raises where the verb is not wanted any more; `child` is told of
        each process group that is there, and that is gone."""
        self._until = time.monotonic() + timeout
        self._timeout, self._most, self._wanted, self._child = timeout, most, look, child
        self._all: list[subprocess.Popen[bytes]] = []
        self._kept: dict[Any, bytearray] = {}
        self._cut: dict[Any, bool] = {}
        self._select = selectors.DefaultSelector()

    def start(self, argv: Sequence[str], **how: Any) -> subprocess.Popen[bytes]:
        """Starts a command in a process group of its own; what it writes is kept, up to the limit."""
        try:
            started: Any = subprocess.Popen(  # noqa: S603
                list(argv), start_new_session=True, stderr=subprocess.PIPE, text=False, **how
            )
        except OSError as error:
            self.kill()
            raise Failed("failed", f"{shown(argv[0])} cannot be started: {error.strerror}") from error
        process: subprocess.Popen[bytes] = started
        self._all.append(process)
        self._child(process.pid, True)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                self.keep(stream)
        return process

    def keep(self, stream: IO[bytes]) -> None:
        """Keeps what comes from there."""
        self._kept[stream], self._cut[stream] = bytearray(), False
        self._select.register(stream, selectors.EVENT_READ, None)

    def feed(self, stream: IO[bytes], data: bytes) -> None:
        """Gives a command its input, as fast as it takes it."""
        os.set_blocking(stream.fileno(), False)
        self._select.register(stream, selectors.EVENT_WRITE, [memoryview(data)])

    def wait(self) -> list[Ran]:
        """Until all have ended: how. Raises Failed when they take too long or are not wanted any more."""
        try:
            gone = 0.0
            while self._select.get_map():
                self._look()
                for key, _ in self._select.select(0.1):
                    self._pass(key)
                if all(each.poll() is not None for each in self._all):
                    gone = gone or time.monotonic()
                    if time.monotonic() - gone > 1.0:  # something they left behind still holds the pipe
                        break
            pause = 0.0002
            while any(each.poll() is None for each in self._all):
                self._look()
                time.sleep(pause)
                pause = min(2 * pause, 0.02)
            return [self._ran(each) for each in self._all]
        finally:
            self.kill()

    def kill(self) -> None:
        """Ends what still runs, with all that it started, and closes the pipes."""
        for which in (signal.SIGTERM, signal.SIGKILL):
            for process in self._all:
                if process.poll() is None:
                    _signal(process, which)
            until = time.monotonic() + 1.0  # what runs as another user, by sudo, may not be ended: it is left
            while any(each.poll() is None for each in self._all) and time.monotonic() < until:
                time.sleep(0.01)
        for process in self._all:
            if process.poll() is not None:
                self._child(process.pid, False)
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    _close(stream)
        self._select.close()

    def _look(self) -> None:
        self._wanted()
        if time.monotonic() > self._until:
            name = shown(self._all[0].args[0])  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType, reportIndexIssue]
            raise Failed("timed_out", f"{name} did not end within {self._timeout:.0f} s")

    def _pass(self, key: selectors.SelectorKey) -> None:
        stream: Any = key.fileobj
        if key.data is not None:
            self._give(stream, key.data)
            return
        data = os.read(stream.fileno(), PIPE)
        if not data:
            self._select.unregister(stream)
            return
        kept = self._kept[stream]
        room = self._most - len(kept)
        kept += data[:room]
        self._cut[stream] = self._cut[stream] or len(data) > room

    def _give(self, stream: IO[bytes], left: list[memoryview]) -> None:
        try:
            left[0] = left[0][os.write(stream.fileno(), left[0][:PIPE]) :]
        except BrokenPipeError:
            left[0] = left[0][:0]
        if not left[0]:
            self._select.unregister(stream)
            _close(stream)

    def _ran(self, process: subprocess.Popen[bytes]) -> Ran:
        out, err = (bytes(self._kept.get(each, b"")) for each in (process.stdout, process.stderr))
        cut = self._cut.get(process.stdout, False) or self._cut.get(process.stderr, False)
        return Ran(process.returncode, out, err, cut)


def found(command: str) -> str:
    """The absolute path of a command: as it is, or from the fixed PATH. Raises Failed `missing`."""
    if command.startswith("/"):
        return command
    if "/" not in command:
        for folder in PATH.split(":"):
            path = folder + "/" + command
            if os.access(path, os.X_OK) and not os.path.isdir(path):
                return path
    raise Failed("missing", f"The host has no command {shown(command)}: install it, or say where it is")


def checked(argv: Sequence[str]) -> list[str]:
    """The arguments as a command takes them. Raises Failed where they cannot be ones."""
    if not argv or any("\0" in each for each in argv):
        raise Failed("failed", "A command needs a name, and none of its arguments may hold a NUL")
    return [found(argv[0]), *argv[1:]]


def environment(account: str, home: str, more: Mapping[str, str]) -> dict[str, str]:
    """All that a command is told by its environment."""
    clean = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": home, "USER": account, "LOGNAME": account, "TERM": "dumb"}
    clean.update(more)
    return clean


def handed_over(argv: Sequence[str], handed: bytes | None) -> tuple[list[str], tuple[int, ...]]:
    """The arguments with `{handed}` replaced by where to read what is handed; and what the command inherits for it."""
    if handed is None:
        return list(argv), ()
    if len(handed) > PIPE:
        raise Failed("failed", f"A command can be handed {PIPE} bytes at most")
    reading, writing = os.pipe()
    os.write(writing, handed)
    os.close(writing)
    return [each.replace(HANDED, f"/dev/fd/{reading}") for each in argv], (reading,)


def _signal(process: subprocess.Popen[bytes], which: int) -> None:
    try:
        os.killpg(process.pid, which)
    except OSError:
        return


def _close(stream: IO[bytes]) -> None:
    try:
        stream.close()
    except OSError:
        return
