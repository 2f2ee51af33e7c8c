"""A team's own script, done on the host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from steelyard.toolbox.model import Action, Json

RUN: Final = "script.run"


class Way(NamedTuple):
    """How a program is run: its environment, arguments, folder, and after how many seconds it is ended."""

    environment: Mapping[str, Json]
    arguments: Sequence[str]
    cwd: str
    timeout: int
    any_status: bool = False
    """Whether an exit status other than 0 is an answer, and not a failure."""


def run(program: str, files: Mapping[str, Json], way: Way) -> Action:
    """Runs `program`, one of `files` (name to base64); what it prints is told line by line.

    The answer is `{"status": 0, "out": the end of what it printed}`.
    """
    args: dict[str, Json] = {"program": program, "files": dict(files), "env": dict(way.environment)}
    args |= {"argv": list(way.arguments), "cwd": way.cwd, "any_status": way.any_status}
    return Action(RUN, args, timeout=float(way.timeout))
