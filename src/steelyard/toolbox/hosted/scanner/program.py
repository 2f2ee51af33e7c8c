"""What a host's own Python runs where it has yara-x: rules go in once, then names of files; what is in them is told.

On its input: `{"modules", "packs", "layout"}` as one line of JSON, then names with a NUL after each. On its output, one
JSON value a line: the version of yara-x, then `[number, sha256, hits, problem, unread]` for each name in its order.
"""

from __future__ import annotations

import ctypes
import json
import os
import stat
import sys
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, BinaryIO

from steelyard.toolbox.hosted.places import Layout, content
from steelyard.toolbox.hosted.scanner.limits import limit
from steelyard.toolbox.hosted.scanner.looking import Pack, Scanning
from steelyard.toolbox.hosted.spelling import spelled
from steelyard.toolbox.hosted.words import failed

MOST = 6_000_000
"""Bytes that are told: what comes after is not looked at."""
_FILES = 32
"""That it may have open."""
_SET_DUMPABLE, _SET_NO_NEW_PRIVS = 4, 38


def main(stdin: BinaryIO, first: Mapping[str, Any]) -> None:
    """Looks at all files that are named on its input."""
    scanning = Scanning([Pack(*each) for each in first["packs"]], Layout(*first["layout"]))
    _bound()
    said = _say(version("yara-x"))
    for number, raw in enumerate(stdin.read().split(b"\0")[:-1]):
        said += _say([number, *_looked(scanning, raw)])
        if said > MOST:
            return


def _bound() -> None:
    """It writes nothing, comes after what serves visitors, and no other process of the account looks into it."""
    os.nice(10)
    limit(_FILES)
    if sys.platform == "linux":
        library: Any = ctypes.CDLL(None)
        library.prctl(_SET_DUMPABLE, 0, 0, 0, 0)
        library.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _looked(scanning: Scanning, path: bytes) -> list[Any]:
    try:
        data = _content(path)
    except OSError as error:
        return ["", [], "", failed(error).code]
    if data is None:
        return ["", [], "", "not_a_file"]
    return [*scanning.of(spelled(path.decode("utf-8", "surrogateescape")), data), ""]


def _content(path: bytes) -> bytes | None:
    """What is looked at of a file; None for what is none."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)  # os.fdopen takes no folder
        return None
    with os.fdopen(fd, "rb", buffering=0) as file:

        def part(at: int, most: int) -> bytes:
            file.seek(at if at >= 0 else max(0, found.st_size + at))
            data = bytearray()
            while len(data) < most:
                piece = file.read(min(1 << 20, most - len(data)))
                if not piece:
                    break
                data += piece
            return bytes(data)

        return content(part)


def _say(value: object) -> int:
    line = json.dumps(value, separators=(",", ":")).encode() + b"\n"
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
    return len(line)
