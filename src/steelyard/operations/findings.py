"""What `doctor` finds: one line each, and where something is wrong, what to do."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """How bad it is: `warn` may be meant so, `bad` is not."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


class Finding(NamedTuple):
    """One line. `check` is a code that stays; `mend` says what to do and is empty where nothing is."""

    check: str
    state: State
    said: str
    mend: str = ""
    workspace: str = ""

    @property
    def is_bad(self) -> bool:
        """Whether something is wrong."""
        return self.state is State.BAD


def good(check: str, said: str) -> Finding:
    """All is well."""
    return Finding(check, State.GOOD, said)


def warn(check: str, said: str, mend: str) -> Finding:
    """This may be meant so."""
    return Finding(check, State.WARN, said, mend)


def bad(check: str, said: str, mend: str) -> Finding:
    """Something is wrong."""
    return Finding(check, State.BAD, said, mend)
