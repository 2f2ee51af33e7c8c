"""What can be done with a run as it is. Pure."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from steelyard.toolbox.runs_seen import RunSeen
from steelyard.toolbox.states import State


class Act(StrEnum):
    """What can be done with a run."""

    CONFIRM = "confirm"
    APPROVE = "approve"
    REFUSE = "refuse"
    CANCEL = "cancel"
    RESUME = "resume"
    UNDO = "undo"
    AGAIN = "again"


def acts_of(run: RunSeen, now: datetime) -> frozenset[Act]:
    """What can be done with a run as it is; who may is another question."""
    fresh = run.holds_until is None or run.holds_until >= now
    match run.state:
        case State.PLANNING | State.QUEUED:
            return frozenset({Act.CANCEL})
        case State.PLANNED:
            return frozenset({Act.CONFIRM, Act.CANCEL} if fresh else {Act.AGAIN})
        case State.WAITS:
            return frozenset({Act.APPROVE, Act.REFUSE, Act.CANCEL} if fresh else {Act.AGAIN})
        case State.RUNNING:
            return frozenset({Act.CANCEL} if run.cancel_at is None and run.undoes is None else ())
        case State.UNDOING:
            return frozenset()
        case State.STOPPED:
            back = run.undoes is None and any(each.phase == "undo" and each.intent_at for each in run.steps)
            return frozenset({Act.UNDO} if back else {Act.RESUME} if run.undoes else {Act.RESUME, Act.UNDO})
        case _:
            again = frozenset({Act.AGAIN} if run.undoes is None else ())
            return again | {Act.UNDO} if _can_be_undone(run, now) else again


def _can_be_undone(run: RunSeen, now: datetime) -> bool:
    kept = run.undo_until is not None and run.undo_until >= now and run.erased_at is None
    return run.state is State.DONE and run.undoes is None and run.undone_by is None and kept
