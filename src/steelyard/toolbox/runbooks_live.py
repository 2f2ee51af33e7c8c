"""Runbooks as they are now: the operator's folder is read again where something in it changed, without a restart."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import monotonic
from typing import Final, TypeVar

from steelyard.toolbox.runbooks import Runbooks, load

EVERY: Final = 1.0
"""Seconds for which what was seen is believed."""
_MOST_FILES: Final = 5_000

Held = TypeVar("Held")
Stamp = tuple[tuple[str, int, int], ...]


def live(own: Path | None, clock: Callable[[], float] = monotonic) -> Runbooks:
    """The runbooks of the package and those in `own`, which may change while this is used.

    What is half copied is not seen: `steelyard runbook install` puts a folder there whole.
    """
    if own is None:
        return load()
    now = _Now(own, clock)
    return Runbooks(_Live(lambda: now().all), _Live(lambda: now().broken), _Live(lambda: now().folders))


class _Now:
    """What there is now: looked at once a second at most."""

    def __init__(self, own: Path, clock: Callable[[], float]) -> None:
        self._own, self._clock = own, clock
        self._looked, self._stamp = clock(), _stamp(own)
        self._runbooks = load(own)

    def __call__(self) -> Runbooks:
        if self._clock() - self._looked >= EVERY:
            self._looked, stamp = self._clock(), _stamp(self._own)
            if stamp != self._stamp:
                self._stamp, self._runbooks = stamp, load(self._own)
        return self._runbooks


class _Live(Mapping[str, Held]):
    """A mapping that is asked for at each use."""

    def __init__(self, now: Callable[[], Mapping[str, Held]]) -> None:
        self._now = now

    def __getitem__(self, name: str) -> Held:
        return self._now()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._now()))

    def __len__(self) -> int:
        return len(self._now())


def _stamp(own: Path) -> Stamp:
    """Path, time and size of what is in the folder: another stamp where something may have changed."""
    found: list[tuple[str, int, int]] = []
    for folder, inside, names in os.walk(own):
        inside[:] = sorted(each for each in inside if not each.startswith((".", "__pycache__")))
        for name in ("", *sorted(names)):
            path = os.path.join(folder, name)
            try:
                seen = os.lstat(path)
            except OSError:
                continue
            found.append((path, seen.st_mtime_ns if name else 0, seen.st_size if name else 0))
        if len(found) > _MOST_FILES:
            break
    return tuple(found)
