"""What went wrong on the way to a host, in sentences: what happened, on which host, and what to do next. Pure."""

from __future__ import annotations

import re

from steelyard.toolbox.foreign import visible
from steelyard.toolbox.model import Json
from steelyard.toolbox.reach import HostError
from steelyard.toolbox.way import Gone

_REFUSED_BY_SUDO = re.compile(
    r"\bsudo: .*(password|not allowed|terminal|tty|unknown user|may not)|not in the sudoers|Sorry, user", re.I
)
_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
PASSING = ("busy", "lost")
"""Codes of failures that may not come again."""


def host_error(message: dict[str, Json]) -> HostError:
    """A failure that a verb told: hostile text."""
    code, said = str(message.get("failed")), str(message.get("message", ""))[:4000]
    code = code if _CODE.fullmatch(code) else "failed"
    return HostError(code, visible(said).strip() or code, permanent=code not in PASSING)


def no_sudo(complained: str) -> bool:
    """Whether sudo refused."""
    return _REFUSED_BY_SUDO.search(complained) is not None


def last_words(gone: Gone) -> str:
    """How a program ended, for the end of a sentence."""
    complained = visible(" ".join(gone.complained.strip().splitlines()[-3:]))[-500:]
    how = f"signal {-gone.status}" if gone.status < 0 else f"status {gone.status}"
    return f"{how}: {complained}" if complained else how
