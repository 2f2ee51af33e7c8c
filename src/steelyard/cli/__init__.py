"""The command line."""

from __future__ import annotations

import asyncio
import sys

from steelyard.cli import (
    connecting,
    core,
    desk,
    handbook,
    health,
    hosts,
    own_runbooks,
    people,
    reading,
    rules,
    runbooks,
    secrets,
    serving,
    sites,
    switching,
)
from steelyard.cli.base import app
from steelyard.jobs.processes import end_in_order
from steelyard.kit.errors import SteelyardError

__all__ = ["COMMANDS", "app", "start"]

COMMANDS = (
    serving,
    connecting,
    people,
    desk,
    switching,
    reading,
    hosts,
    sites,
    runbooks,
    own_runbooks,
    core,
    handbook,
    health,
    rules,
    secrets,
)
"""The modules whose commands hang on `app`, in the order of its help."""


def start() -> None:
    """Runs the command line; errors that people can mend are one sentence and exit status 1."""
    end_in_order()
    try:
        app()
    except SteelyardError as error:
        sys.stderr.write(f"steelyard: {error}\n")
        sys.exit(1)
    except ExceptionGroup as errors:
        known, others = errors.split(SteelyardError)
        if others is not None or known is None:
            raise
        sys.stderr.write(f"steelyard: {_first(known)}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except asyncio.CancelledError:
        sys.exit(143)


def _first(errors: BaseExceptionGroup[SteelyardError]) -> BaseException:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
