"""`Here` for a host without Python: the verb runs in the worker, and each primitive is one plain command."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from shlex import quote
from typing import Any, NamedTuple

from steelyard.toolbox.hosted import names, requests, scripts
from steelyard.toolbox.hosted.here import Here, Place
from steelyard.toolbox.hosted.words import HANDED, Failed, Ran, Seen, shown

_SAYS = (
    ("disk_full", ("No space left", "Disk quota exceeded", "File too large")),
    ("denied", ("Permission denied", "Operation not permitted", "Read-only file system")),
    ("missing", ("No such file", "Not a directory", "not found", "nonexistent", "Too many levels")),
    ("exists", ("File exists",)),
)
_OWN = {
    91: ("exists", "{} is there already: nothing was renamed over it"),
    92: ("failed", "{} is a link"),
    93: ("failed", "{} lacks what comes before: bring it from its start"),
    94: ("failed", "{} would have to go to another file system"),
    95: ("not_a_file", "{} is no file"),
}
_KINDS = {"f": "file", "d": "folder", "l": "link", 0x8000: "file", 0x4000: "folder", 0xA000: "link"}
MOST = 100_000_000
"""Bytes that the list of a folder's content may have."""


class Command(NamedTuple):
    """A command for the host, as `There` has it run."""

    argv: list[str]
    stdin: bytes = b""
    env: Mapping[str, str] = {}
    cwd: str = "/"
    timeout: float = 60.0
    most: int = 1_000_000
    stdin_file: str = ""
    stdout_file: str = ""


class There(Here):
    """The host of a run, by plain commands."""

    near = False

    def __init__(self, place: Place, said: Callable[[Any], None], command: Callable[[Command], Ran]) -> None:
        """`command` runs one on the host, and waits for it."""
        super().__init__(place, said)
        self._command = command

    @property
    def work(self) -> str:
        """By `mkdir`."""
        with self.alone():
            for folder in (self._place.base, self._place.work):
                self._sh(scripts.OWN, folder)
        return self._place.work

    def _sh(self, script: str, *words: str, stdin: bytes = b"", most: int = 1_000_000, timeout: float = 600.0) -> Ran:
        """A script on the host. Raises Failed in its words; the first word is the path that it is about."""
        self.look()
        if any("\0" in each for each in words):
            raise Failed("failed", "A path may hold no NUL")
        ran = self._command(Command(["/bin/sh", "-c", script, "sh", *words], stdin, timeout=timeout, most=most))
        self.look()
        if ran.status not in (0, 90):
            raise _failed(ran, words[0])
        return ran

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
        """As the command itself; what is handed is a file of the run's folder meanwhile."""
        self.look()
        _check(argv)
        if handed is not None:
            path = f"{self.work}/handed"
            self.write(path, handed, 0o600)
            argv = [each.replace(HANDED, path) for each in argv]
        try:
            ran = self._command(
                Command(list(argv), stdin, env or {}, cwd or "/", timeout, most, stdin_file or "", stdout_file or "")
            )
        finally:
            if handed is not None:
                self.remove(f"{self._place.work}/handed")
        self.look()
        if ran.status == 97:
            raise Failed("missing", f"There is no folder {shown(cwd)}")
        if ran.status == 98:
            raise _failed(ran, stdin_file or stdout_file or "")
        if ran.status == 127 and b"not found" in ran.err:
            raise Failed("missing", f"The host has no command {shown(argv[0])}: install it, or say where it is")
        return ran

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
        """By one shell, in which each word is quoted."""
        _check(argv_from)
        _check(argv_to)
        first, second = (" ".join(quote(each) for each in argv) for argv in (argv_from, argv_to))
        script = f'{{ {first} </dev/null; echo "ended $?" >&2; }} | {second}'
        ran = self.run(["/bin/sh", "-c", script], b"", env, cwd, timeout, most, handed=handed)
        ended = re.findall(rb"^ended (\d+)$", ran.err, re.M)
        err = re.sub(rb"^ended \d+\n", b"", ran.err, flags=re.M)
        return Ran(int(ended[-1]) if ended else 1, b"", err, False), ran._replace(err=err)

    # Files

    def part(self, path: str, at: int, most: int) -> bytes:
        """By `tail` and `head`."""
        return self._sh(scripts.PART, path, str(at), str(most), most=most).out

    def write(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """By `mktemp`, `cat` and `mv`; its length is compared before it gets its name."""
        self._sh(scripts.WRITE, path, f"{mode:o}", str(len(data)), stdin=data)

    def put(self, path: str, at: int, data: bytes) -> None:
        """By `truncate` and `cat`."""
        self._sh(scripts.PUT, path, str(at), str(at + len(data)), stdin=data)

    def stat(self, path: str) -> Seen | None:
        """By `stat`."""
        try:
            return _stated(self._sh('exec stat -c "$2" -- "$1"', path, scripts.STAT).out)
        except Failed as failed:
            if failed.code == "missing":
                return None
            raise

    def list(self, path: str) -> list[str]:
        """By `find`."""
        found = self._sh('exec find "$1/." -mindepth 1 -maxdepth 1 -print0', path, most=MOST).out
        return sorted(_text(each)[len(path) + 3 :] for each in found.split(b"\0") if each)

    def walk(self, path: str, most: int = 2_000_000) -> Iterator[tuple[str, Seen]]:
        """By `find`; what it cannot read is told."""
        self._sh('[ -d "$1" ] || exec find "$1/." -maxdepth 0', path)
        ran = self._command(Command(["/bin/sh", "-c", scripts.WALK, "sh", path], timeout=1800.0, most=MOST))
        for line in ran.err.splitlines()[:1000]:
            self.tell("warning", _text(line))
        parts = ran.out.split(b"\0")
        if ran.cut or len(parts) > most:
            raise Failed("too_many", f"{shown(path)} holds more than {most} files: that is more than this may walk")
        found = [_found(each, path) for each in parts if each]
        return iter(sorted(found, key=lambda each: each[0].split("/")))

    def real(self, path: str) -> str:
        """By `readlink`."""
        return _text(self._sh(scripts.REAL, path).out[:-1])

    def link_to(self, path: str) -> str:
        """By `readlink`."""
        return _text(self._sh('[ -e "$1" ] || [ -L "$1" ] || exec stat -- "$1"; exec readlink -n -- "$1"', path).out)

    def make_folder(self, path: str, mode: int = 0o755) -> None:
        """By `mkdir`."""
        self._sh(scripts.MAKE_FOLDER, path, f"{mode:o}")

    def chmod(self, path: str, mode: int) -> None:
        """By `chmod`."""
        self._sh(scripts.CHMOD, path, f"{mode:o}")

    def rename(self, a: str, b: str) -> None:
        """By `mv`: what comes there in the very moment before is not seen."""
        try:
            self._sh(scripts.RENAME, a, b)
        except Failed as failed:
            if failed.code == "exists":
                raise Failed("exists", _OWN[91][1].format(shown(b))) from None
            raise

    def exchange(self, a: str, b: str) -> None:
        """By `mv --exchange`, else by three."""
        if self._sh(scripts.EXCHANGE, a, b).status == 90:
            self.tell("warning", f"{shown(a)} cannot be exchanged in one instant here: it took three renames")

    def remove(self, path: str) -> None:
        """By `rm`."""
        self._sh(scripts.REMOVE, path)

    def remove_tree(self, path: str) -> None:
        """By `rm`, once it is known that nothing is mounted there."""
        above, _, own = path.rstrip("/").rpartition("/")
        whole = (self.real(above or "/") if self.stat(above or "/") else above).rstrip("/") + "/" + own
        names.no_mount(whole, self.mounts())
        self._sh(scripts.REMOVE_TREE, path)

    def copy_tree(self, src: str, dst: str) -> None:
        """By `cp`."""
        self._sh(scripts.COPY, src, dst)

    def digests(self, folder: str, names: Iterable[str]) -> dict[str, str]:
        """By `sha256sum`."""
        listed = b"".join(_bytes(each) + b"\0" for each in names)
        ran = self._sh(scripts.DIGESTS, folder, stdin=listed, most=MOST, timeout=1800.0) if listed else None
        return dict(_digest(line) for line in ran.out.split(b"\n") if line) if ran else {}

    def disk(self, path: str) -> tuple[int, int]:
        """By `df`."""
        found = re.search(rb"\s(\d+)\s+\d+\s+(\d+)\s+\d+%", self._sh('exec df -P -k -- "$1"', path).out)
        if found is None:
            raise Failed("bad_output", f"The host does not say how much room {shown(path)} has")
        return int(found[2]) * 1024, int(found[1]) * 1024

    def http(
        self,
        url: str,
        to: tuple[str, int] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        most: int = 200_000,
    ) -> tuple[int, dict[str, str], bytes]:
        """By `curl`."""
        requests.parts_of(url)
        argv = [
            "curl",
            "-q",
            "-g",
            "-sS",
            "-i",
            "-k",
            "--proto",
            "=http,https",
            "--noproxy",
            "*",
            "--http1.1",
            "--max-time",
            str(timeout),
        ]
        argv += ["--connect-to", f"::{to[0]}:{to[1]}"] if to else []
        for name, value in {"User-Agent": "Steelyard", **(headers or {})}.items():
            argv += ["-H", f"{name}: {value}"]
        ran = self.run([*argv, "--", url], most=most + 100_000, timeout=timeout + 5)
        if ran.status not in (0, 23, 18):
            code = "timed_out" if ran.status == 28 else "unreachable"
            raise Failed(code, f"{shown(url)} cannot be reached: {ran.said()}")
        head, _, body = ran.out.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        if not re.match(r"HTTP/\S+ \d{3}", first):
            raise Failed("bad_output", f"{shown(url)} answers no HTTP")
        pairs = (line.partition(":") for line in lines)
        return int(first.split(" ")[1]), {name.lower(): value.strip() for name, _, value in pairs}, body[:most]


def _check(argv: Sequence[str]) -> None:
    if not argv or any("\0" in each for each in argv):
        raise Failed("failed", "A command needs a name, and none of its arguments may hold a NUL")
    if "/" in argv[0] and not argv[0].startswith("/"):
        raise Failed("missing", f"The host has no command {shown(argv[0])}: install it, or say where it is")


def _failed(ran: Ran, path: str) -> Failed:
    if ran.status in _OWN:
        code, message = _OWN[ran.status]
        return Failed(code, message.format(shown(path)))
    said = ran.said()
    code = next((code for code, words in _SAYS if any(each in said for each in words)), "failed")
    return Failed(code, f"{shown(path)}: {said or f'it ended with status {ran.status}'}")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _stated(line: bytes) -> Seen:
    """What `stat -c` says in the format of scripts.STAT."""
    first, ctime, owner = _text(line).rstrip("\n").split("|")
    mode, size, uid, gid, dev, ino, nlink, mtime = first.split(" ", 7)
    raw = int(mode, 16)
    who = (int(uid), int(gid), owner if owner != "UNKNOWN" else uid)
    place = (int(dev), int(ino), int(nlink))
    return Seen(_KINDS.get(raw & 0xF000, "other"), int(size), raw & 0o7777, *who, _ns(mtime), _ns(ctime), *place)


def _ns(said: str) -> int:
    """Nanoseconds since 1970 of `2026-11-22 14:03:20.058215833 +0000`."""
    day, time, zone = said.split(" ")
    whole, _, fraction = time.partition(".")
    moment = datetime.strptime(f"{day} {whole} {zone}", "%Y-%m-%d %H:%M:%S %z")
    return int(moment.timestamp()) * 1_000_000_000 + int(fraction.ljust(9, "0")[:9])


def _found(part: bytes, top: str) -> tuple[str, Seen]:
    """What `find` says of a file: as scripts.WALK asks it, or where it knows no -printf, what stat says and a name."""
    text = _text(part)
    if text[1:2] != " ":
        line, _, name = text.partition("\n")
        return name[len(top) + 3 :], _stated(_bytes(line))
    head, _, name = text.partition("|")
    kind, size, mode, uid, gid, mtime, ctime, dev, ino, nlink, owner = head.split(" ")
    who, place = (int(uid), int(gid), owner), (int(dev), int(ino), int(nlink))
    return name, Seen(_KINDS.get(kind, "other"), int(size), int(mode, 8), *who, _of(mtime), _of(ctime), *place)


def _of(seconds: str) -> int:
    """Nanoseconds of `1795356200.0582158330`."""
    whole, _, fraction = seconds.partition(".")
    return int(whole) * 1_000_000_000 + int(fraction.ljust(9, "0")[:9])


def _digest(line: bytes) -> tuple[str, str]:
    """A line of sha256sum: where the name has a newline or a backslash, these are escaped, and one begins the line."""
    digest, name = line.lstrip(b"\\")[:64].decode(), line.lstrip(b"\\")[66:]
    if line.startswith(b"\\"):
        escapes = {b"n": b"\n", b"r": b"\r"}
        name = re.sub(rb"\\(.)", lambda found: escapes.get(found[1], found[1]), name)
    return _text(name), digest
