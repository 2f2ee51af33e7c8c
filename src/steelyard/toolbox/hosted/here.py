"""What a verb may touch a host with. Verbs are written against `Here` alone: it works on the machine it runs on;
`There`, for hosts without Python, does each of these by a plain command over SSH."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from subprocess import DEVNULL, PIPE
from typing import TYPE_CHECKING, Any, TypeVar, cast

from steelyard.toolbox.hosted import names, requests, trees
from steelyard.toolbox.hosted.running import Job, checked, environment, handed_over
from steelyard.toolbox.hosted.system import ANEW, opened, own, sync_folder, system, unlinked, write_all, write_new
from steelyard.toolbox.hosted.words import HANDED, Failed, Ran, Seen, shown

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

__all__ = ["HANDED", "Failed", "Here", "Place", "Ran", "Seen", "shown"]

Json = Any
Made = TypeVar("Made")


class Place:
    """What all verbs of a run have in common on a host: who they are, and the folder of the run."""

    def __init__(self, account: str, home: str, base: str, token: str, resources: dict[str, bytes]) -> None:
        """`base`: an absolute folder that only the account can enter; it may not be there yet. `token`: the run's."""
        self.account, self.home, self.base, self.token = account, home, base, token
        self.resources = resources
        self.child: Callable[[int, bool], None] = lambda group, alive: None
        """Told of each process group that is started, and that has ended."""
        self.lock = threading.RLock()

    @property
    def work(self) -> str:
        """The folder of the run."""
        return f"{self.base}/{self.token}"


class Here:
    """The machine, as one call of a verb may use it. Paths are absolute texts as os.fsdecode makes them.

    Every primitive raises Failed in words for a person, and `ended` once the call is not wanted any more.
    """

    near = True
    """Whether a primitive costs next to nothing: False where each is a command over SSH."""

    def __init__(self, place: Place, said: Callable[[Json], None]) -> None:
        """`said` takes what is told while the verb works, as JSON."""
        self._place, self._said = place, said
        self._ended: Failed | None = None
        self.account, self.home = place.account, place.home

    # The run

    @property
    def work(self) -> str:
        """The run's folder on the host, which only the account can enter: made at its first use, survives a kill."""
        with self._place.lock:
            own(self._place.base)
            own(self._place.work)
        return self._place.work

    @property
    def notes(self) -> dict[str, Json]:
        """What verbs of this run noted: what they did, for when they are asked again."""
        try:
            return cast("dict[str, Json]", json.loads(self.read(self._notes)))
        except Failed as missing:
            if missing.code == "missing":
                return {}
            raise

    def note(self, key: str, value: Json) -> None:
        """Notes a JSON value under a key: on the disk when this returns."""
        with self._place.lock:
            text = json.dumps({**self.notes, key: value})
            self.write(f"{self.work}/notes.json", text.encode(), 0o600)

    def alone(self) -> AbstractContextManager[object]:
        """While inside, no other call of this run is: for what is read, changed and written back."""
        return self._place.lock

    @property
    def _notes(self) -> str:
        return f"{self._place.work}/notes.json"

    def resource(self, name: str) -> bytes:
        """A file beside the verb's module, which the module names in its FILES, such as `php/install.php`."""
        return self._place.resources[name]

    def tell(self, level: str, text: str) -> None:
        """Says something to whoever watches: `level` is info, warning or error."""
        self.look()
        self._said({"level": level, "said": text[:8000]})

    def progress(self, done: int, total: int, what: str) -> None:
        """Says how far the verb is: `done` of `total` (0: not known), and of what."""
        self.look()
        self._said({"done": done, "total": total, "what": what[:200]})

    def together(self, all: Sequence[Callable[[], Made]]) -> list[Made]:
        """Does all side by side, in threads; their results in order. Raises the first failure when all have ended."""
        made: dict[int, Made] = {}
        wrong: dict[int, BaseException] = {}

        def one(number: int) -> None:
            try:
                made[number] = all[number]()
            except BaseException as error:
                wrong[number] = error

        threads = [threading.Thread(target=one, args=(number,), daemon=True) for number in range(len(all))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if wrong:
            raise wrong[min(wrong)]
        return [made[number] for number in range(len(all))]

    def end(self, code: str = "ended", message: str = "It was ended before it was done") -> None:
        """Not wanted any more: its commands are ended, and its next primitive fails. Called from another thread."""
        self._ended = self._ended or Failed(code, message)

    def ended(self) -> Failed | None:
        """Why it is not wanted any more."""
        return self._ended

    def look(self) -> None:
        """Raises Failed where the call is not wanted any more: for a verb's own long loops."""
        if self._ended is not None:
            raise Failed(self._ended.code, self._ended.message)

    # Commands

    def run(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float = 60.0,
        most: int = 1_000_000,
        stdin_file: str | None = None,
        stdout_file: str | None = None,
        handed: bytes | None = None,
    ) -> Ran:
        """Runs a command until it ends, never by a shell; its status is for the caller to judge.

        `env` is added to a clean environment. `most`: bytes kept of each output. `stdout_file` is made anew, readable
        for the account alone. `handed`: what it can read, once, at the path that replaces `{handed}` in its arguments.
        """
        self.look()
        self._check_folder(cwd)
        job = Job(timeout, most, self.look, self._place.child)
        line, inherited = handed_over(checked(argv), handed)
        how: dict[str, Any] = {"cwd": cwd or "/", "env": environment(self.account, self.home, env or {})}
        files: list[int] = list(inherited)
        try:
            how["stdin"] = opened(stdin_file, os.O_RDONLY, files) if stdin_file else PIPE
            how["stdout"] = opened(stdout_file, ANEW, files) if stdout_file else PIPE
            process = job.start(line, pass_fds=inherited, **how)
        finally:
            for fd in files:
                os.close(fd)
        if process.stdin is not None:
            job.feed(process.stdin, stdin)
        return job.wait()[0]

    def pipe(
        self,
        argv_from: Sequence[str],
        argv_to: Sequence[str],
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float = 600.0,
        most: int = 1_000_000,
        handed: bytes | None = None,
    ) -> tuple[Ran, Ran]:
        """Runs two commands, the second reading what the first writes. `handed`: to each of them, as in `run`."""
        self.look()
        self._check_folder(cwd)
        job = Job(timeout, most, self.look, self._place.child)
        how: dict[str, Any] = {"cwd": cwd or "/", "env": environment(self.account, self.home, env or {})}
        first_line, first_fds = handed_over(checked(argv_from), handed)
        second_line, second_fds = handed_over(checked(argv_to), handed)
        reading, writing = os.pipe()
        try:
            job.start(first_line, stdin=DEVNULL, stdout=writing, pass_fds=first_fds, **how)
            job.start(second_line, stdin=reading, stdout=PIPE, pass_fds=second_fds, **how)
        finally:
            for fd in (reading, writing, *first_fds, *second_fds):
                os.close(fd)
        first, second = job.wait()
        return first, second

    def _check_folder(self, cwd: str | None) -> None:
        if cwd is not None and not os.path.isdir(cwd):
            raise Failed("missing", f"There is no folder {shown(cwd)}")

    # Files

    def read(self, path: str, most: int = 10_000_000) -> bytes:
        """A file, whole. Raises Failed: `missing`, `too_big`, `not_a_file`."""
        data = self.part(path, 0, most + 1)
        if len(data) > most:
            raise Failed("too_big", f"{shown(path)} is larger than {most} bytes: it is not what it should be")
        return data

    def part(self, path: str, at: int, most: int) -> bytes:
        """Up to `most` bytes of a file from a position on; a negative one counts from its end."""
        self.look()
        with system():
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                os.close(fd)  # os.fdopen takes no folder
                raise Failed("not_a_file", f"{shown(path)} is no file")
        with os.fdopen(fd, "rb", buffering=0) as file, system():
            file.seek(at if at >= 0 else max(0, found.st_size + at))
            data = bytearray()
            while len(data) < most:
                piece = file.read(min(trees.PIECE, most - len(data)))
                if not piece:
                    break
                data += piece
                self.look()
            return bytes(data)

    def write(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Writes a file whole or not at all: what was there stays until all is on the disk."""
        self.look()
        half = f"{path}.{os.getpid()}-{threading.get_ident() % 1_000_000}.half"
        with system(path):
            try:
                write_new(half, data, mode)
                os.replace(half, path)
            except BaseException:
                unlinked(half)
                raise
            sync_folder(os.path.dirname(path))

    def put(self, path: str, at: int, data: bytes) -> None:
        """Writes a piece of a file that is being brought: its pieces come in order, and may come again after a kill."""
        self.look()
        with system(path):
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb", buffering=0, closefd=True) as file:
                if os.fstat(fd).st_size < at:
                    raise Failed("failed", f"{shown(path)} lacks what comes before byte {at}: bring it from its start")
                file.truncate(at)
                file.seek(at)
                write_all(fd, data)
                os.fsync(fd)

    def stat(self, path: str) -> Seen | None:
        """What lies there, a link as a link; None where nothing does."""
        self.look()
        with system(path):
            try:
                return trees.seen(os.lstat(path))
            except (FileNotFoundError, NotADirectoryError):
                return None

    def list(self, path: str) -> list[str]:
        """The names in a folder, sorted."""
        self.look()
        with system(path):
            return sorted(os.listdir(path))

    def walk(self, path: str, most: int = 2_000_000) -> Iterator[tuple[str, Seen]]:
        """Everything below a folder, by relative path: each folder before what is in it, sorted by name.

        No link is followed. What cannot be read is told as a warning. Raises Failed `too_many` beyond `most`.
        """

        def skipped(name: str, error: OSError) -> None:
            self.tell("warning", f"{shown(os.path.join(path, name))} cannot be read: {error.strerror}")

        with system(path):
            os.scandir(path).close()
        return trees.walk(path, most, self.look, skipped)

    def real(self, path: str) -> str:
        """The path with all links resolved. Raises Failed `missing` where it leads nowhere, or in a circle."""
        self.look()
        with system(path):
            os.stat(path)
            return os.path.realpath(path)

    def link_to(self, path: str) -> str:
        """What a link says."""
        self.look()
        with system(path):
            return os.readlink(path)

    def make_folder(self, path: str, mode: int = 0o755) -> None:
        """Makes a folder, and those above it; one that is there stays as it is."""
        self.look()
        with system(path):
            if not os.path.isdir(path):
                os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
                os.mkdir(path)
                os.chmod(path, mode)

    def chmod(self, path: str, mode: int) -> None:
        """Sets the permissions of a file or a folder, never through a link."""
        self.look()
        with system(path):
            if stat.S_ISLNK(os.lstat(path).st_mode):
                raise Failed("failed", f"{shown(path)} is a link: it has no permissions of its own")
            os.chmod(path, mode)

    def rename(self, a: str, b: str) -> None:
        """Renames; raises Failed `exists` where something is at the new path already."""
        self.look()
        with system(a):
            names.rename(a, b)

    def exchange(self, a: str, b: str) -> None:
        """Two names change places: in one instant where the file system can, else in three renames, which is told."""
        self.look()
        with system(a):
            if not names.exchange(a, b):
                self.tell("warning", f"{shown(a)} cannot be exchanged in one instant here: it took three renames")

    def remove(self, path: str) -> None:
        """Removes one file or link; fine where nothing is there."""
        self.look()
        with system(path):
            unlinked(path)

    def remove_tree(self, path: str) -> None:
        """Removes a folder with all in it; fine where it is not there. Raises Failed `mount` before it touches one."""
        self.look()
        with system(path):
            trees.remove(path, self.mounts(), self.look)

    def copy_tree(self, src: str, dst: str) -> None:
        """Copies a folder or a file with permissions, times and links; what `dst` has by the same names is replaced."""
        self.look()
        with system(src):
            trees.copy(src, dst, self.look)

    def digests(self, folder: str, names: Iterable[str]) -> dict[str, str]:
        """SHA-256 in hexadecimal of files below a folder; what is no file is left out."""
        self.look()
        with system(folder):
            return trees.digests(folder, names, self.look)

    def disk(self, path: str) -> tuple[int, int]:
        """Bytes that the account may still use where a path is, and those there are in all."""
        self.look()
        with system(path):
            found = os.statvfs(path)
            return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize

    def mounts(self) -> list[str]:
        """All mount points."""
        return names.mounts(self.read("/proc/self/mountinfo").decode("utf-8", "surrogateescape"))

    def http(
        self,
        url: str,
        to: tuple[str, int] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        most: int = 200_000,
    ) -> tuple[int, dict[str, str], bytes]:
        """Asks a web server: status, headers (names in small letters) and the beginning of the body. No redirect is
        followed. `to`: the address and port to connect to instead of the name's own."""
        self.look()
        return requests.get(url, to, dict(headers or {}), timeout, most, self.look)
