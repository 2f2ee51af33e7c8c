"""The scanner: a process of its own that rules and a customer's files go into, and hits come out of.

It compiles the rules, locks itself in, and only then reads a byte of a customer's. One JSON value a line: first
`{"packs", "layout"}`, answered by `{"locks"}`; then batches `{"names", "sizes", "data"}`, each answered by
`{"files": [[sha256, hits, problem], ...]}`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import yara_x

from steelyard.toolbox.scanning import judge
from steelyard.toolbox.scanning.model import Hit, Layout, Severity, clean
from steelyard.toolbox.scanning.sandbox import lock

GLOBALS = ("filename", "filepath", "extension", "filetype", "owner")
"""What rules may ask of a file besides what is in it, as others' rules do."""
SECONDS = 10
"""For one file."""
MOST_HITS = 20
_MOST_MATCHES = 200
Say = Callable[[object], None]


class Pack:
    """Rules of one origin. `severity` is what its hits are worth where a rule does not say."""

    def __init__(self, name: str, licence: str, severity: str, rules: str) -> None:
        self.name, self.licence, self.severity, self.rules = name, licence, severity, rules


def compiled(packs: Iterable[Pack]) -> tuple[yara_x.Rules, tuple[str, ...]]:
    """All packs as one set of rules, each in the namespace of its name, and what they are warned of.

    Raises yara_x.CompileError.
    """
    compiler = yara_x.Compiler()
    for name in GLOBALS:
        compiler.define_global(name, "")
    compiler.enable_includes(False)
    for pack in packs:
        compiler.new_namespace(pack.name)
        compiler.add_source(pack.rules, origin=pack.name)
    warnings = tuple(f"line {each['line']}: {each['title']}" for each in compiler.warnings())
    return compiler.build(), warnings


class Scanning:
    """Compiled rules, with what a file is judged by besides."""

    def __init__(self, packs: list[Pack], layout: Layout) -> None:
        self._packs = {each.name: each for each in packs}
        self._layout = layout
        self._scanner = yara_x.Scanner(compiled(packs)[0])
        self._scanner.set_timeout(SECONDS)
        self._scanner.max_matches_per_pattern(_MOST_MATCHES)

    def of(self, name: str, data: bytes) -> tuple[str, list[Hit], str]:
        """SHA-256, hits, and a word where it could not be looked at whole."""
        hits = list(judge.of_file(name, data, self._layout))
        problem = ""
        last = judge.base(name)
        self._scanner.set_global("filename", last)
        self._scanner.set_global("filepath", name)
        self._scanner.set_global("extension", "." + last.rpartition(".")[2] if "." in last else "")
        try:
            hits += [self._hit(rule, data) for rule in self._scanner.scan(data).matching_rules]
        except yara_x.TimeoutError:
            problem = "timed_out"
        except yara_x.ScanError:
            problem = "not_scanned"
        return hashlib.sha256(data).hexdigest(), hits[:MOST_HITS], problem

    def _hit(self, rule: yara_x.Rule, data: bytes) -> Hit:
        pack = self._packs[rule.namespace]
        said = {str(key).lower(): _text(value) for key, value in rule.metadata}
        severity = said.get("severity", "").lower()
        matches = [match for pattern in rule.patterns for match in pattern.matches]
        first = min(matches, key=lambda each: each.offset, default=None)
        return Hit(
            severity if severity in set(Severity) else pack.severity,
            rule.identifier[:120],
            pack.name,
            clean(said.get("author", ""), 200),
            clean(said.get("licence", said.get("license", "")) or pack.licence, 120),
            clean(said.get("about", said.get("description", "")), 300),
            judge.around(data, first.offset, first.length) if first else clean(judge.head(data)),
        )


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


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
    scanning.of("", b"<?php")  # whatever is made at the first use is made before the lock
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
