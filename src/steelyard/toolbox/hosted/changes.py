"""What cells were before a run changed them: kept in the run's folder, line by line, on the disk before each change."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator

from steelyard.toolbox.hosted.cells import Change, Entry, digest
from steelyard.toolbox.hosted.here import Here

CHUNK = 4_000_000
"""Bytes of values that are kept and changed together."""
_FILE = "/cells.jsonl"
_PIECE = 4_000_000


def append(here: Here, changes: list[Change]) -> None:
    """Keeps what these cells are. A line that a kill cut off before is ended first."""
    lines = [
        json.dumps([
            each.table.name, each.key, each.column, digest(each.before), digest(each.now),
            base64.b64encode(zlib.compress(each.before, 1)).decode("ascii"),
        ])
        for each in changes
    ]  # fmt: skip
    path = here.work + _FILE
    seen = here.stat(path)
    here.put(path, seen.size if seen is not None else 0, ("\n" + "\n".join(lines) + "\n").encode("ascii"))


def entries(here: Here) -> Iterator[Entry]:
    """All that was kept, in order. A line that was cut off belongs to a cell that never changed."""
    path, place, rest = here.work + _FILE, 0, b""
    if here.stat(path) is None:
        return
    while True:
        piece = here.part(path, place, _PIECE)
        place += len(piece)
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            try:
                table, key, column, before, now, packed = json.loads(line)
            except ValueError:
                continue
            yield Entry(table, tuple(key), column, before, now, packed)
        if not piece:
            return
