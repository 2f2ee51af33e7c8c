"""Long logs, line by line: a part of the lines where no script runs, all of them as text for `<log-view>`. Pure.

Lines are hostile: they are text from start to end, and never become elements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from starlette.responses import Response

PER_PAGE: Final = 500
"""Lines on a page where no script runs."""


class LogPart(NamedTuple):
    """Some lines of a log, the first of which has the number `first`, of `total`. `ended`: there will be no more."""

    lines: tuple[str, ...]
    first: int
    total: int
    ended: bool = True

    @property
    def numbered(self) -> tuple[tuple[int, str], ...]:
        """The lines with their numbers."""
        return tuple(enumerate(self.lines, start=self.first))

    @property
    def before(self) -> int | None:
        """The first line of the part before this one."""
        return max(1, self.first - PER_PAGE) if self.first > 1 else None

    @property
    def after(self) -> int | None:
        """The first line of the part after this one."""
        following = self.first + len(self.lines)
        return following if following <= self.total else None


def part_of(lines: Sequence[str], query: Mapping[str, str], *, ended: bool = True) -> LogPart:
    """The part that `?line=` asks for: the one that begins there, within the log; without it the first one."""
    asked = query.get("line", "")
    line = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 1
    first = max(1, min(line, len(lines)))
    return LogPart(tuple(lines[first - 1 : first - 1 + PER_PAGE]), first, len(lines), ended)


def log_answer(lines: Sequence[str], query: Mapping[str, str], *, ended: bool = True) -> Response:
    """Lines as text, of which `?after=` says how many the reader has. A header says whether more will come."""
    asked = query.get("after", "0")
    after = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 0
    # One line each: what would break a line is shown, not obeyed.
    text = "".join(f"{one_line(each)}\n" for each in lines[after:])
    headers = {"X-Log-Ended": "yes" if ended else "no", "X-Log-Lines": str(len(lines))}
    return Response(text, media_type="text/plain; charset=utf-8", headers=headers)


def one_line(text: str) -> str:
    """`text` in one line: characters that break lines or cannot be seen as a mark."""
    return "".join(each if each.isprintable() or each == "\t" else "\ufffd" for each in text)
