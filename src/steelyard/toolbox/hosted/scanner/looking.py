"""Looks at files: what their place says, and what rules say, by yara-x."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import yara_x

from steelyard.toolbox.hosted import places
from steelyard.toolbox.hosted.places import Hit, Layout, clean

GLOBALS = ("filename", "filepath", "extension", "filetype", "owner")
"""What rules may ask of a file besides what is in it, as others' rules do."""
SECONDS = 10
"""For one file."""
MOST_HITS = 20
_MOST_MATCHES = 200
_SEVERITIES = ("malicious", "suspicious", "odd")


class Pack(NamedTuple):
    """Rules of one origin. `severity` is what its hits are worth where a rule does not say."""

    name: str
    licence: str
    severity: str
    rules: str


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
    """Compiled rules, with what a file is judged by besides. Ready at once: nothing is made at its first use."""

    def __init__(self, packs: Iterable[Pack], layout: Layout) -> None:
        self._packs = {each.name: each for each in packs}
        self._layout = layout
        self._scanner = yara_x.Scanner(compiled(self._packs.values())[0])
        self._scanner.set_timeout(SECONDS)
        self._scanner.max_matches_per_pattern(_MOST_MATCHES)
        self.of("", b"<?php")

    def of(self, name: str, data: bytes) -> tuple[str, list[Hit], str]:
        """SHA-256, hits, and a word where it could not be looked at whole."""
        hits = list(places.of_file(name, data, self._layout))
        problem = ""
        last = places.base(name)
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
            severity if severity in _SEVERITIES else pack.severity,
            rule.identifier[:120],
            pack.name,
            clean(said.get("author", ""), 200),
            clean(said.get("licence", said.get("license", "")) or pack.licence, 120),
            clean(said.get("about", said.get("description", "")), 300),
            places.around(data, first.offset, first.length) if first else clean(places.head(data)),
        )


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
