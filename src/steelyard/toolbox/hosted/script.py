"""Runs a team's own script: as the site's user, with what was chosen in its environment, telling what it prints."""

from __future__ import annotations

import base64
import os
import re
import threading
from collections.abc import Callable
from shlex import quote
from typing import Any

from steelyard.toolbox.hosted.here import Failed, Here, Ran

_LOOK = 0.15
"""Seconds between two looks at what it printed, on a host where a look costs next to nothing."""
_LOOK_FAR = 2.0
_PORTION = 65_536
_MOST = 20_000_000
_KEPT = 4000
"""Characters of the end of what it printed that are its answer."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_READ = '. "$0" && rm -f -- "$0" && exec "$@"'
_SHEBANG = re.compile(rb"#!\s*(/\S+)(?:[ \t]+(\S[^\n]*?))?\s*(?:\n|$)")


def run(here: Here, args: dict[str, Any]) -> Any:
    """`script.run`: {program, files: {name: base64}, env, argv, cwd, any_status} -> {status, out}.

    Raises Failed `failed` for an exit status other than 0, unless `any_status`.
    """
    folder = here.work + "/script"
    here.make_folder(folder, 0o700)
    for name, content in args["files"].items():
        here.write(f"{folder}/{_plain(name)}", base64.b64decode(content), 0o700)
    argv = [*_command(f"{folder}/{args['program']}", base64.b64decode(args["files"][args["program"]])), *args["argv"]]
    argv, env = _unseen(here, argv, args["env"])
    ran, tail = _told(here, argv, env, args["cwd"], f"{here.work}/{args['program']}.out")
    for line in ran.err.decode("utf-8", "replace").splitlines()[-200:]:
        here.tell("warning", line)
    if ran.status != 0 and not args["any_status"]:
        raise Failed(
            "failed", f"The script ended with status {ran.status}: {ran.said() or tail[-300:] or 'it said nothing'}"
        )
    return {"status": ran.status, "out": tail}


VERBS: dict[str, Callable[[Here, dict[str, Any]], Any]] = {"script.run": run}


def _plain(name: str) -> str:
    if "/" in name or name in ("", ".", ".."):
        raise Failed("failed", f"{name[:80]!r} is no name of a file in a runbook's folder")
    return name


def _command(path: str, content: bytes) -> list[str]:
    """How it is started: by the interpreter that its first line names, so that it runs where files may not be run."""
    named = _SHEBANG.match(content[:500])
    if named is None:
        return [path]
    return [os.fsdecode(each) for each in named.groups() if each] + [path]


def _unseen(here: Here, argv: list[str], env: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """A host without Python is told an environment by words that all its accounts may see: there, a file tells it."""
    if here.near:
        return argv, env
    for name in env:
        if not _NAME.match(name):
            raise Failed("failed", f"{name[:80]!r} is no name of a variable")
    path = here.work + "/environment"
    lines = "".join(f"export {name}={quote(value)}\n" for name, value in env.items())
    here.write(path, lines.encode("utf-8", "surrogateescape"), 0o600)
    return ["/bin/sh", "-c", _READ, path, *argv], {}


def _told(here: Here, argv: list[str], env: dict[str, str], cwd: str, out: str) -> tuple[Ran, str]:
    """How it ended, and the end of what it printed, which is told line by line meanwhile."""
    ended = threading.Event()

    def work() -> Ran:
        try:
            return here.run(argv, env=env, cwd=cwd, timeout=86_400.0, most=100_000, stdout_file=out)
        finally:
            ended.set()

    lines = _Lines(here)

    def follow() -> Ran | None:
        while not ended.wait(_LOOK if here.near else _LOOK_FAR):
            lines.take(_part(here, out, lines.at))
        portion = _part(here, out, lines.at)
        while portion:
            lines.take(portion)
            portion = _part(here, out, lines.at)
        lines.end()
        return None

    ran, _ = here.together([work, follow])
    if ran is None:
        raise Failed("failed", "The script was not run")
    return ran, lines.tail


def _part(here: Here, path: str, at: int) -> bytes:
    if at >= _MOST or here.stat(path) is None:
        return b""
    return here.part(path, at, _PORTION)


class _Lines:
    """What was printed, told as lines."""

    def __init__(self, here: Here) -> None:
        self._here, self._rest = here, b""
        self.at = 0
        self.tail = ""

    def take(self, data: bytes) -> None:
        self.at += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _PORTION:  # a line without an end
            whole, self._rest = [*whole, self._rest], b""
        for line in whole:
            self._tell(line)

    def end(self) -> None:
        if self._rest:
            self._tell(self._rest)

    def _tell(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip("\r")
        self._here.tell("info", text)
        self.tail = (self.tail + text + "\n")[-_KEPT:]
