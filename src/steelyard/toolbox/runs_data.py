"""Runs as data: what pages show, in JSON's own types. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from steelyard.toolbox.diagnosis import told
from steelyard.toolbox.journal import Scrub
from steelyard.toolbox.model import Millis, Size, encode
from steelyard.toolbox.runs_seen import BatchSeen, RunListed, RunSeen
from steelyard.toolbox.states import Reason
from steelyard.web.data import plain
from steelyard.web.said import Said, term


def said(value: object) -> Any:
    """A value of a plan: what is said in English, sizes in bytes, times in milliseconds."""
    match value:
        case Said():
            return term(value, str, _written)
        case Size():
            return value.bytes
        case Millis():
            return value.ms
        case _:
            return plain(value)


def run_data(run: RunSeen) -> dict[str, Any]:
    """A run with its steps."""
    plan = run.plan
    data: dict[str, Any] = plain(run._replace(steps=(), plan=None, reason=None)._asdict())
    return data | {
        "reason": _reason(run.reason),
        "saved_s": run.saved_s,
        "plan": None
        if plan is None
        else {
            "concerns": [[said(row.label), said(row.value)] for row in plan.concerns],
            "warnings": [said(each) for each in plan.warnings],
            "left": [said(each) for each in plan.left],
            "keeps": Scrub(()).json(encode(plan.keeps)),
            "undoable": plan.undoable,
            "nothing": None if plan.nothing is None else said(plan.nothing),
        },
        "steps": [plain(step._asdict() | {"title": said(step.title), "says": said(step.says)}) for step in run.steps],
    }


def run_words(run: RunSeen, write: Callable[[object], str]) -> dict[str, Any]:
    """What people read of a run, in their language: `write` says a value of a plan in it. Hostile text may be in it."""
    plan = run.plan
    return {
        "reason": None if run.reason is None else write(run.reason.says),
        "nothing": None if plan is None or plan.nothing is None else write(plan.nothing),
        "warnings": [] if plan is None else [write(each) for each in plan.warnings],
        "left": [] if plan is None else [write(each) for each in plan.left],
        "concerns": [] if plan is None else [[write(row.label), write(row.value)] for row in plan.concerns],
        "steps": [{"title": write(step.title), "says": write(step.says)} for step in run.steps],
        "found": [
            {"label": write(each.label), "state": each.state, "word": write(each.word), "says": write(each.says)}
            for each in told(run.report)
        ],
    }


def listed_data(run: RunListed) -> dict[str, Any]:
    """A run in a list."""
    return plain(run._asdict() | {"reason": _reason(run.reason), "saved_s": run.saved_s})


def batch_data(batch: BatchSeen) -> dict[str, Any]:
    """A request for several sites."""
    return plain(batch._replace(runs=())._asdict()) | {"runs": [listed_data(each) for each in batch.runs]}


def _reason(reason: Reason | None) -> dict[str, str] | None:
    return None if reason is None else {"code": reason.code, "says": term(reason.says, str, _written)}


def _written(value: object) -> str:
    """A value within a sentence."""
    match value:
        case Size():
            return f"{value.bytes} bytes"
        case Millis():
            return f"{value.ms:.0f} ms"
        case _:
            return str(value)
