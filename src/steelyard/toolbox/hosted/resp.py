"""Speaks with a Redis: over a socket of our own, or by redis-cli where the verb is not on the host.

Passwords are sent, never given as arguments: no list of processes shows them.
"""

from __future__ import annotations

import re
import socket
from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from steelyard.toolbox.hosted.here import Failed, Here

_TIMEOUT = 10.0


class Refusal(str):
    """What Redis answers to a command that it refuses, such as `NOPERM ...`."""


class Redis(ABC):
    """A connection. `call` gives bytes, whole numbers, lists of them, None, or raises Failed `redis`."""

    def call(self, *words: str | bytes | int) -> Any:
        """One command."""
        answer = self.tell([words])[0]
        if isinstance(answer, Refusal):
            raise Failed("redis", f"Redis refuses {words[0]!s}: {answer}")
        return answer

    @abstractmethod
    def tell(self, commands: Sequence[Sequence[str | bytes | int]]) -> list[Any]:
        """Several commands at a time; their answers, refusals among them."""

    def names(self, prefix: str) -> Generator[list[bytes]]:
        """The keys that begin with `prefix`, in batches, never all at a time; a key may come twice."""
        cursor: Any = b"0"
        pattern = "".join(f"\\{each}" if each in "\\*?[]^" else each for each in prefix) + "*"
        while True:
            cursor, found = self.call("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
            if found:
                yield found
            if cursor in (b"0", 0):
                return

    def info(self, section: str) -> dict[str, str]:
        """A section of INFO."""
        lines = self.call("INFO", section).decode("utf-8", "replace").splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))


@contextmanager
def connected(here: Here, at: dict[str, Any]) -> Generator[Redis]:
    """A connection to the Redis `at`: `host` and `port`, or `socket`; `user` and `password` where it wants them; the
    number of a `database`.

    Raises Failed: `no_redis` where nothing answers, `redis_denied` where the password is not right.
    """
    if here.near:
        with _opened(at) as stream, stream.makefile("rb") as reader:
            yield _signed_in(_Near(stream, reader), at)
    else:
        yield _signed_in(_Far(here, at), at)


def _signed_in(redis: Redis, at: dict[str, Any]) -> Redis:
    signing = [["AUTH", *([at["user"]] if at.get("user") else []), at["password"]]] if at.get("password") else []
    for answer in redis.tell([*signing, ["SELECT", at["database"]] if at.get("database") else ["PING"]]):
        if isinstance(answer, Refusal):
            code = "redis_denied" if answer.startswith(("WRONGPASS", "NOAUTH", "NOPERM", "ERR AUTH")) else "redis"
            raise Failed(code, f"Redis at {place(at)} does not let us in: {answer}")
    return redis


def place(at: dict[str, Any]) -> str:
    """Where a Redis is, in words."""
    return str(at["socket"]) if at.get("socket") else f"{at.get('host', '127.0.0.1')}:{at.get('port', 6379)}"


@contextmanager
def _opened(at: dict[str, Any]) -> Generator[socket.socket]:
    near = at.get("socket")
    stream = socket.socket(socket.AF_UNIX) if near else None
    try:
        if stream is not None:
            stream.settimeout(_TIMEOUT)
            stream.connect(at["socket"])
        else:
            stream = socket.create_connection((at.get("host", "127.0.0.1"), int(at.get("port", 6379))), _TIMEOUT)
    except OSError as error:
        if stream is not None:
            stream.close()
        raise Failed("no_redis", f"No Redis answers at {place(at)}: {error.strerror or error}") from error
    with stream:
        yield stream


class _Near(Redis):
    """Over a socket."""

    def __init__(self, stream: socket.socket, reader: IO[bytes]) -> None:
        self._stream, self._reader = stream, reader

    def tell(self, commands: Sequence[Sequence[str | bytes | int]]) -> list[Any]:
        try:
            self._stream.sendall(b"".join(_written(words) for words in commands))
            return [self._answer() for _ in commands]
        except (OSError, ValueError) as error:
            raise Failed("no_redis", f"Redis ended the conversation: {error}") from error

    def _answer(self) -> Any:
        line = self._reader.readline()
        if not line.endswith(b"\r\n"):
            raise OSError("the connection was closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            return Refusal(rest.decode("utf-8", "replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._reader.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self._answer() for _ in range(int(rest))]
        return rest


def _written(words: Sequence[str | bytes | int]) -> bytes:
    raw = [word if isinstance(word, bytes) else str(word).encode("utf-8", "surrogateescape") for word in words]
    return b"*%d\r\n" % len(raw) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in raw)


class _Far(Redis):
    """By redis-cli, once for each command, which it reads from its standard input."""

    def __init__(self, here: Here, at: dict[str, Any]) -> None:
        where = ["-s", at["socket"]] if at.get("socket") else ["-h", at.get("host", "127.0.0.1"), "-p", str(at["port"])]
        self._here, self._at = here, at
        self._argv = ["redis-cli", *where, "--csv"]

    def tell(self, commands: Sequence[Sequence[str | bytes | int]]) -> list[Any]:
        return [self._one(words) for words in commands]

    def _one(self, words: Sequence[str | bytes | int]) -> Any:
        password, user = self._at.get("password"), self._at.get("user")
        signing = [["AUTH", *([user] if user else []), password]] if password and words[0] != "AUTH" else []
        signing += [["SELECT", self._at["database"]]] if self._at.get("database") else []
        lines = "".join(" ".join(_quoted(word) for word in line) + "\n" for line in [*signing, words])
        ran = self._here.run(self._argv, lines.encode("ascii"), timeout=60.0, most=50_000_000)
        # What a key holds may read like this, too, but in quotes.
        if ran.status != 0 or ran.out.startswith(b"Could not connect") or b"Could not connect" in ran.err:
            raise Failed("no_redis", f"No Redis answers at {place(self._at)}: {ran.said()}")
        answer = ran.out.split(b"\n", len(signing))[-1]
        return _read(answer.rstrip(b"\n"), str(words[0]))


_CSV = re.compile(rb'"((?:[^"\\]|\\.)*)"|([^,"]+)', re.DOTALL)
_ESCAPE = re.compile(rb"\\(x[0-9a-f]{2}|.)", re.DOTALL)
_MEANS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b"}


def _quoted(word: str | bytes | int) -> str:
    raw = word if isinstance(word, bytes) else str(word).encode("utf-8", "surrogateescape")
    plain = (chr(each) if 32 < each < 127 and each not in b'"\\' else f"\\x{each:02x}" for each in raw)
    return '"' + "".join(plain) + '"'


def _read(answer: bytes, command: str) -> Any:
    """An answer as redis-cli --csv writes it; a text of several lines (INFO) stands there as it is."""
    if answer.startswith((b"ERROR,", b"(error)")):
        return Refusal(answer.split(b",", 1)[-1].strip(b'"').decode("utf-8", "replace"))
    if command == "INFO":
        return answer
    values = [_unescaped(quoted) if quoted or not plain else _plain(plain) for quoted, plain in _CSV.findall(answer)]
    if command == "SCAN":
        return [values[0], values[1:]]
    return values[0] if len(values) == 1 else values


def _plain(value: bytes) -> bytes | int | None:
    return None if value == b"NULL" else int(value) if value.lstrip(b"-").isdigit() else value


def _unescaped(value: bytes) -> bytes:
    def said(found: re.Match[bytes]) -> bytes:
        escape = found.group(1)
        return bytes([int(escape[1:], 16)]) if len(escape) == 3 else _MEANS.get(escape, escape)

    return _ESCAPE.sub(said, value)
