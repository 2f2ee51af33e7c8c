"""The scanner: a process of its own that rules and a customer's files go into, and hits come out of.

It compiles the rules, locks itself in, and only then reads a byte of a customer's. One JSON value a line: first
`{"packs", "layout"}`, answered by `{"locks"}`; then batches `{"names", "sizes", "data"}`, each answered by
`{"files": [[sha256, hits, problem], ...]}`.
"""

from __future__ import annotations

import base64
import json
import sys
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from steelyard.toolbox.hosted.scanner.looking import Pack, Scanning
from steelyard.toolbox.scanning.model import Layout
from steelyard.toolbox.scanning.sandbox import lock

Say = Callable[[object], None]


def files_of(batch: Mapping[str, Any]) -> Iterable[tuple[str, bytes]]:
    """The files of a batch, unpacked: never more than it says. Raises ValueError for a batch that is not as it says."""
    sizes = [int(each) for each in batch["sizes"]]
    unpacking = zlib.decompressobj()
    try:
        data = unpacking.decompress(base64.b64decode(batch["data"]), sum(sizes) + 1)
    except zlib.error as error:
        raise ValueError("it is not packed") from error
    if len(data) != sum(sizes) or len(sizes) != len(batch["names"]):
        raise ValueError("its sizes are others")
    at = 0
    for name, size in zip(batch["names"], sizes, strict=True):
        yield name, data[at : at + size]
        at += size


def serve(lines: Iterable[bytes], say: Say) -> None:
    """Answers each line; ends with the last."""
    reading = iter(lines)
    first = json.loads(next(reading))
    scanning = Scanning([Pack(*each) for each in first["packs"]], Layout(*first["layout"]))
    say({"locks": lock()})
    for line in reading:
        batch = json.loads(line)
        try:
            say({"files": [scanning.of(name, data) for name, data in files_of(batch)]})
        except ValueError as error:
            say({"refused": str(error)})


def main() -> None:
    """The process."""

    def say(value: object) -> None:
        sys.stdout.buffer.write(json.dumps(value).encode() + b"\n")
        sys.stdout.buffer.flush()

    serve(sys.stdin.buffer, say)


if __name__ == "__main__":
    main()
