"""Whose fault it is that payloads could not be handled: theirs, or that of what the router stands on."""

from __future__ import annotations

from types import TracebackType

import psycopg

from steelyard.kit.errors import SteelyardError

_PACKAGE = "steelyard."
_NEVER = (psycopg.Error, OSError, MemoryError, SteelyardError)
_DATA = (psycopg.DataError, psycopg.IntegrityError)


class Unhandled(Exception):
    """Payloads could not be handled, by something that can be the fault of one of them."""

    def __init__(self, seqs: list[int], error: Exception) -> None:
        super().__init__(f"{len(seqs)} payloads were not handled: {reason(error)}")
        self.seqs = seqs
        self.reason = reason(error)


def can_be_a_payloads(error: BaseException) -> bool:
    """Whether a payload can have caused `error`: never where the database, the machine or the installation is at fault,
    also where that is only the cause of `error`."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _NEVER) and not isinstance(cause, _DATA):
            return False
        cause = cause.__cause__
    return isinstance(error, Exception)


def reason(error: BaseException) -> str:
    """A code such as `TypeError at receive:143`: the class and our innermost line. Never a word of the payload's, which
    an error's message could quote."""
    place = _innermost(error.__traceback__)
    return f"{type(error).__name__} at {place}" if place else type(error).__name__


def _innermost(traceback: TracebackType | None) -> str:
    place = ""
    while traceback is not None:
        module = str(traceback.tb_frame.f_globals.get("__name__", ""))
        if module.startswith(_PACKAGE):
            place = f"{module.rpartition('.')[2]}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place
