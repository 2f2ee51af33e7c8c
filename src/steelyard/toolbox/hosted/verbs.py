"""Finds verbs and does them: what comes out is always something to say."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

from steelyard.toolbox.hosted.here import Failed, Here
from steelyard.toolbox.hosted.words import failed

ANSWER = 15_000_000
"""Bytes of the longest answer, as JSON."""


def module_of(verb: str) -> str:
    """The module a verb lives in: `mysql` for `mysql.query`, `commands` for `run`."""
    return verb.partition(".")[0] if "." in verb else "commands"


def do(here: Here, verb: str, args: dict[str, Any]) -> Any:
    """Does a verb, and gives its answer. Raises Failed, and whatever a verb's mistake raises."""
    try:
        module = import_module("steelyard.toolbox.hosted." + module_of(verb))
        found = module.VERBS[verb]
    except (ImportError, AttributeError, KeyError):
        raise Failed("failed", f"There is no verb {verb}") from None
    return found(here, args)


def outcome(here: Here, verb: str, args: dict[str, Any]) -> dict[str, Any]:
    """{answer}, or {failed, message}."""
    try:
        answer = do(here, verb, args)
        if len(json.dumps(answer)) > ANSWER:
            raise Failed("bad_output", f"The answer of {verb} is too long to be sent")
        return {"answer": answer}
    except Failed as error:
        told = here.ended() or error
    except OSError as error:
        told = here.ended() or failed(error)
    except MemoryError:
        told = Failed("failed", f"{verb} needs more memory than the account may have")
    except Exception as error:
        told = here.ended() or Failed("failed", f"{verb} failed: {type(error).__name__} at {_place(error)}")
    return {"failed": told.code, "message": told.message}


def _place(error: Exception) -> str:
    """Where a verb's mistake is, without what it was about: that may be a secret."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "?"
    name = trace.tb_frame.f_code.co_filename.rpartition("hosted")[2].strip("/.>") or sys.executable
    return f"{name}:{trace.tb_lineno}"
