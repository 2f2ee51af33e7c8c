"""The life of a run, as a table: which states there are, and what leads from one to another. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from steelyard.web.said import N_, Said


class State(StrEnum):
    """Where a run is."""

    PLANNING = "planning"
    """Its site is being read and its plan made; at a site, nothing is changed before it is confirmed."""
    PLANNED = "planned"
    """Its plan can be looked at and confirmed."""
    WAITS = "waits"
    """Confirmed; somebody else has to approve it."""
    QUEUED = "queued"
    """It begins as soon as a worker and the site are free."""
    RUNNING = "running"
    UNDOING = "undoing"
    """What it did is being put back: something failed, or somebody cancelled it."""
    STOPPED = "stopped"
    """Neither done nor put back: somebody has to say whether to resume it or to put it back."""
    DONE = "done"
    """All steps are done and all checks agreed."""
    PUT_BACK = "put_back"
    """It did not succeed, and the site is as before."""
    FAILED = "failed"
    """It did not succeed, and nothing was begun."""
    REFUSED = "refused"
    """It may not or cannot be done: its reason says what is in the way."""
    NOTHING = "nothing"
    """The site is as wanted already."""
    CANCELLED = "cancelled"
    """Somebody called it off, or nobody confirmed it in time. Nothing was begun."""


class Reason(NamedTuple):
    """Why a run is in its state: a code, and a sentence for people."""

    code: str
    says: Said


class Event(StrEnum):
    """What leads from one state to another."""

    PLAN = "plan"
    FIND_NOTHING = "find_nothing"
    REFUSE = "refuse"
    CONFIRM = "confirm"
    CONFIRM_FIRST = "confirm_first"
    """Confirmed where another person has to approve."""
    APPROVE = "approve"
    BEGIN = "begin"
    """A worker takes it up, also again after another one was lost."""
    SUCCEED = "succeed"
    CHANGE = "change"
    """The site is not what it was when the plan was looked at."""
    FAIL = "fail"
    CANCEL = "cancel"
    UNDO = "undo"
    STOP = "stop"
    RESUME = "resume"


_S, _E = State, Event

TRANSITIONS: Final[Mapping[State, Mapping[Event, State]]] = {
    _S.PLANNING: {
        _E.PLAN: _S.PLANNED,
        _E.CONFIRM: _S.QUEUED,
        _E.FIND_NOTHING: _S.NOTHING,
        _E.REFUSE: _S.REFUSED,
        _E.FAIL: _S.FAILED,
        _E.CANCEL: _S.CANCELLED,
    },
    _S.PLANNED: {_E.CONFIRM: _S.QUEUED, _E.CONFIRM_FIRST: _S.WAITS, _E.CANCEL: _S.CANCELLED},
    _S.WAITS: {_E.APPROVE: _S.QUEUED, _E.REFUSE: _S.REFUSED, _E.CANCEL: _S.CANCELLED},
    _S.QUEUED: {_E.BEGIN: _S.RUNNING, _E.CANCEL: _S.CANCELLED},
    _S.RUNNING: {
        _E.BEGIN: _S.RUNNING,
        _E.SUCCEED: _S.DONE,
        _E.CHANGE: _S.PLANNED,
        _E.FIND_NOTHING: _S.NOTHING,
        _E.REFUSE: _S.REFUSED,
        _E.FAIL: _S.FAILED,
        _E.CANCEL: _S.CANCELLED,
        _E.UNDO: _S.UNDOING,
        _E.STOP: _S.STOPPED,
    },
    _S.UNDOING: {_E.BEGIN: _S.UNDOING, _E.SUCCEED: _S.PUT_BACK, _E.STOP: _S.STOPPED},
    _S.STOPPED: {_E.RESUME: _S.QUEUED, _E.UNDO: _S.UNDOING},
    _S.DONE: {},
    _S.PUT_BACK: {},
    _S.FAILED: {},
    _S.REFUSED: {},
    _S.NOTHING: {},
    _S.CANCELLED: {},
}
"""All that can happen to a run. What is not here cannot."""

ENDED: Final = frozenset(state for state, out in TRANSITIONS.items() if not out)
"""What nothing leads out of."""

UNSUCCESSFUL: Final = frozenset({_S.FAILED, _S.PUT_BACK, _S.STOPPED, _S.REFUSED})
"""What counts as a failure of a run that was begun."""

AT_WORK: Final = frozenset({_S.QUEUED, _S.RUNNING, _S.UNDOING})
"""What a worker does, or will as soon as it can."""

STATE_WORDS: Final[Mapping[State, str]] = {
    _S.PLANNING: N_("Being planned"),
    _S.PLANNED: N_("Planned"),
    _S.WAITS: N_("Waits for approval"),
    _S.QUEUED: N_("About to begin"),
    _S.RUNNING: N_("Running"),
    _S.UNDOING: N_("Being put back"),
    _S.STOPPED: N_("Needs a hand"),
    _S.DONE: N_("Done"),
    _S.PUT_BACK: N_("Put back"),
    _S.FAILED: N_("Failed"),
    _S.REFUSED: N_("Refused"),
    _S.NOTHING: N_("Nothing to do"),
    _S.CANCELLED: N_("Cancelled"),
}
"""The words for each state."""


def after(state: State, event: Event) -> State | None:
    """The state that `event` leads to; None where it cannot happen in `state`."""
    return TRANSITIONS[state].get(event)


def sources(event: Event) -> list[str]:
    """The states in which `event` can happen, as the table of runs has them."""
    return [state.value for state, out in TRANSITIONS.items() if event in out]
