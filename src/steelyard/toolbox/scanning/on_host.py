"""Looking at files where they lie: by the yara-x that a host has itself, which is given rules and names.

The host is a customer's: what it answers is checked and bounded, as if somebody hostile had written it. Whatever it
does not answer is left to the scanners beside the worker.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import zlib
from collections.abc import Mapping, Sequence, Set
from typing import Any, Final, cast

from steelyard.toolbox.hosted.scan import pack
from steelyard.toolbox.hosted.scanner.looking import MOST_HITS, Pack
from steelyard.toolbox.model import Json
from steelyard.toolbox.reach import HostError, Reached, Tell
from steelyard.toolbox.scanning.model import LONGEST_EVIDENCE, OWN_PACK, Entry, Hit, Layout, Severity, clean
from steelyard.toolbox.scanning.scanners import Looked
from steelyard.toolbox.tools import scan as asking

LEAST: Final = 500
FILES: Final = 3000
BYTES: Final = 100_000_000
"""Of what it is asked at a time: it compiles all rules for each. For `LEAST` files one process is enough."""
PROCESSES: Final = 2
"""Of it at once, as there are beside the worker."""
_MOST: Final = 10_000_000
"""Bytes that it may answer at a time."""
_LONGEST: Final = (20, 120, 60, 201, 121, 301, LONGEST_EVIDENCE + 1)
"""Characters of each part of a hit, with the sign that something was cut."""
_SHA256: Final = re.compile("[0-9a-f]{64}")
_PROBLEMS: Final = frozenset({"", "timed_out", "not_scanned"})
_ENDED: Final = ("unreachable", "lost", "ended")


class OnHost:
    """A host's yara-x, for one scan. Given up at the first thing that goes wrong with it."""

    def __init__(
        self,
        reached: Reached,
        tell: Tell,
        yara: Mapping[str, Json],
        packs: Sequence[Pack],
        layout: Layout,
        name: str,
    ) -> None:
        """`yara`: {python, version}. `name`: the host's."""
        self._reached, self._tell, self._python, self._layout = reached, tell, str(yara["python"]), layout
        self.name, self.version = name, str(yara["version"])
        self._packs = [list(each) for each in packs]
        self._names = {OWN_PACK, *(each.name for each in packs)}
        self._packed = ""
        self.gave_up = ""
        """A word for why it is not asked any more; empty while it is."""
        self.said = ""
        """What the host said of that: hostile text, made fit to be shown."""

    async def look(self, batch: Sequence[Entry]) -> list[tuple[Entry, Looked]]:
        """What it said of these files: of some only, or of none, where it had to be given up."""
        if self.gave_up:
            return []
        self._packed = self._packed or await asyncio.to_thread(pack, self._packs)
        names = pack([each.name for each in batch])
        asked = asking.yara_look(self._python, self._packed, self._layout, names)
        try:
            answer = await self._reached.call(asked, self._tell)
            looked = await asyncio.to_thread(answered, str(answer["out"]), len(batch), self._names)
        except HostError as error:
            if error.code in _ENDED:
                raise
            self._give_up("timed_out" if error.code == "timed_out" else "failed", str(error))
            return []
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            self._give_up("bad_output", repr(error))
            return []
        if answer.get("status"):
            self._give_up("fell", str(answer.get("said", "")))
        return list(zip(batch, looked, strict=False))

    def _give_up(self, why: str, said: str) -> None:
        self.gave_up, self.said = self.gave_up or why, self.said or clean(said, 300)


def answered(out: str, files: int, packs: Set[str]) -> list[Looked]:
    """What a host's scanner told of the first of so many files. Raises ValueError for anything else."""
    unpacking = zlib.decompressobj()
    try:
        data = unpacking.decompress(base64.b64decode(out), _MOST)
    except zlib.error as error:
        raise ValueError("it is not packed") from error
    lines = data.split(b"\n")[1:-1]  # the version of yara-x is the first; a line that was cut is the last
    if len(lines) > files:
        raise ValueError("it told of more files than it was asked about")
    return [_looked(json.loads(line), number, packs) for number, line in enumerate(lines)]


def _looked(told: Any, number: int, packs: Set[str]) -> Looked:
    which, sha256, hits, problem, unread = cast("list[Any]", told)
    if which != number or len(hits) > MOST_HITS:
        raise ValueError("it told of other files")
    if unread:
        return Looked("", (), "", str(unread)[:40])
    if problem not in _PROBLEMS or not _SHA256.fullmatch(sha256):
        raise ValueError("it told no digest")
    return Looked(sha256, tuple(_hit(each, packs) for each in hits), problem)


def _hit(told: Any, packs: Set[str]) -> Hit:
    texts = cast("list[object]", told)
    if not all(isinstance(each, str) for each in texts):
        raise ValueError("it told of a rule in no words")
    hit = Hit(*(clean(str(text), most) for text, most in zip(texts, _LONGEST, strict=True)))
    if hit.severity not in set(Severity) or hit.pack not in packs:
        raise ValueError("it told of a rule that it was not given")
    return hit
