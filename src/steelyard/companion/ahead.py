"""The matches of a pattern, asked for from left to right, so that none is looked for twice.

Pure; the same as `Ahead` in extension/lib/detect.js.
"""

from __future__ import annotations

import re


class Ahead:
    """The matches of one pattern in one text."""

    def __init__(self, pattern: re.Pattern[str], text: str) -> None:
        self._pattern = pattern
        self._text = text
        self._from = -1
        self._match: re.Match[str] | None = None

    def match(self, at: int) -> re.Match[str] | None:
        """The first match that begins at a place or after it."""
        known = 0 <= self._from <= at and (self._match is None or self._match.start() >= at)
        if not known:
            self._match = self._pattern.search(self._text, at)
            self._from = at
        return self._match

    def after(self, at: int) -> int:
        """Where it begins; the end of the text where there is none."""
        match = self.match(at)
        return len(self._text) if match is None else match.start()
