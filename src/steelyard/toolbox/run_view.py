"""A run as its page shows it: its steps on one scale, what can be pressed, who is who. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Final, NamedTuple

from steelyard.kit.ids import PersonId
from steelyard.people.permissions import Role
from steelyard.people.words import ROLES
from steelyard.toolbox.acting import Act, Pressing
from steelyard.toolbox.diagnosis import Told, told
from steelyard.toolbox.runbook import Parameter, Runbook
from steelyard.toolbox.runs_seen import Being, RunSeen, StepSeen
from steelyard.toolbox.states import AT_WORK, ENDED, STATE_WORDS, State
from steelyard.web.place import Place
from steelyard.web.said import N_

SCALES_MS: Final = tuple(step * 10**power for power in range(2, 7) for step in (1, 2, 5))
"""What all bars of a page together may stand for, in milliseconds."""

_LAST: Final = 253_402_300_800
"""The year 10000, in seconds since 1970."""

STEP_WORDS: Final[Mapping[Being, str]] = {
    "done": N_("done"),
    "failed": N_("failed"),
    "at": N_("under way"),
    "unknown": N_("perhaps done"),
    "left_out": N_("left out"),
    "waiting": "",
}
"""What the sign before a step says to who does not see it."""


class StepDrawn(NamedTuple):
    """A step with its bar: where it begins and how long it is, as shares of the scale."""

    step: StepSeen
    x: str
    width: str

    @property
    def word(self) -> str:
        """Its state in a word."""
        return STEP_WORDS[self.step.state]


class RunView(NamedTuple):
    """All that the page of a run shows. `title` is filled in in the reader's language where it is drawn."""

    run: RunSeen
    title: str
    who: str
    approver: str
    chosen: tuple[tuple[str, object], ...]
    """The parameters by their labels."""
    drawn: tuple[StepDrawn, ...]
    scale_ms: int
    pressing: Pressing
    keep_days: int
    """For how many days a run can be undone here."""
    report_href: str
    place: Place
    at: datetime

    @property
    def acts(self) -> frozenset[Act]:
        """What whoever looks may press now."""
        return self.pressing.acts

    @property
    def role_words(self) -> Mapping[Role, str]:
        """What roles are called."""
        return ROLES

    @property
    def ended(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.run.state in ENDED or self.run.state is State.STOPPED

    @property
    def at_work(self) -> bool:
        """Whether a worker has it, or will."""
        return self.run.state in AT_WORK

    @property
    def state_word(self) -> str:
        """Its state in a word."""
        return STATE_WORDS[self.run.state]

    @property
    def done_steps(self) -> tuple[StepDrawn, ...]:
        """The steps of the plan itself, without its checks."""
        phase = "undo" if self.run.undoes is not None else "do"
        return tuple(each for each in self.drawn if each.step.phase == phase and not each.step.check)

    @property
    def phases(self) -> list[tuple[str, list[StepDrawn]]]:
        """The steps by their phase, in order."""
        return [(phase, list(group)) for phase, group in groupby(self.drawn, lambda each: each.step.phase)]

    @property
    def first_touch(self) -> int:
        """The place of the first step that changes the live site, from 1; 0 where none does."""
        touching = (place for place, each in enumerate(self.done_steps, start=1) if each.step.touches)
        return next(touching, 0)

    @property
    def link(self) -> str:
        """A link that signs in to the site once, for who asked, while it holds and was not taken back."""
        match self.run.report:
            # What a host told: only a page is linked to, and only until a time that there is.
            case {"private": {"link": str(link), "until": int() | float() as until}} if until < _LAST:
                fresh = self.run.undone_by is None and until > self.at.timestamp()
                return link if fresh and link.startswith(("https://", "http://")) else ""
            case _:
                return ""

    @property
    def link_until(self) -> datetime:
        """Until when that link holds."""
        return datetime.fromtimestamp(float(self.run.report["private"]["until"]), UTC)

    @property
    def diagnosis(self) -> tuple[Told, ...]:
        """What a diagnosis found so far, in words."""
        return told(self.run.report)

    @property
    def saved_minutes(self) -> int:
        """Whole minutes that were saved."""
        return int((self.run.saved_s or 0) // 60)


def drawn(steps: Sequence[StepSeen], began: datetime | None) -> tuple[tuple[StepDrawn, ...], int]:
    """Steps with their bars, and the scale in milliseconds that they share.

    What is done stands where it began and is as long as it took; what is to come follows, as long as it may take.
    """
    spans: list[tuple[StepSeen, float, float]] = []
    at = 0.0
    for step in steps:
        length = float(step.took_ms if step.took_ms is not None else step.expected_ms)
        if began is not None and step.intent_at is not None:
            at = max(0.0, (step.intent_at - began).total_seconds() * 1000)
        if step.state == "left_out":
            length = 0.0
        spans.append((step, at, length))
        at += length
    scale = scale_of(max((start + length for _, start, length in spans), default=0.0))
    return tuple(StepDrawn(step, _share(start, scale), _share(length, scale)) for step, start, length in spans), scale


def scale_of(ms: float) -> int:
    """The least scale that holds `ms`."""
    return next((scale for scale in SCALES_MS if scale >= ms), SCALES_MS[-1])


def _share(ms: float, scale: int) -> str:
    return f"{min(100.0, 100 * ms / scale):.2f}".rstrip("0").rstrip(".") + "%"


def view_of(
    run: RunSeen,
    runbook: Runbook | None,
    pressing: Pressing,
    keep_days: int,
    names: Mapping[PersonId, str],
    place: Place,
    at: datetime,
) -> RunView:
    """The page of `run` as of `at`; `runbook` is None where this machine does not have it any more."""
    steps, scale = drawn(run.steps, run.started_at)
    known = {each.name: each for each in runbook.parameters} if runbook is not None else {}
    chosen = tuple(_chosen(name, value, known.get(name)) for name, value in run.params.items())
    report = f"/runs/{run.run}/findings" if "findings" in run.told else ""
    return RunView(
        run, "", _name(run.person, names), _name(run.approver, names) if run.approver else "", chosen, steps, scale,
        pressing, keep_days, report, place, at,
    )  # fmt: skip


def _chosen(name: str, value: object, parameter: Parameter | None) -> tuple[str, object]:
    """A parameter by its label, with what was chosen for it in words."""
    if parameter is None:
        return name, value
    words = {each.value: each.label for each in parameter.choices}
    return parameter.label, words.get(str(value), value)


def _name(person: PersonId | None, names: Mapping[PersonId, str]) -> str:
    return names.get(person, "") if person is not None else ""
