"""Runs as they are looked at. Texts of people and of hosts in them are hostile. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Literal, NamedTuple, cast

from steelyard.kit.ids import ConversationId, PersonId
from steelyard.toolbox.journal import Outcome, Phase
from steelyard.toolbox.model import Json, Risk, Row, RunId, SiteId, Token
from steelyard.toolbox.reach import Progress
from steelyard.toolbox.runbook import Values
from steelyard.toolbox.states import Reason, State
from steelyard.web.said import Said

Being = Literal["waiting", "at", "done", "failed", "left_out", "unknown"]
"""What became of a step."""


class StepSeen(NamedTuple):
    """A step, or a check, and what became of it."""

    step: int
    phase: Phase
    name: str
    title: Said
    says: Said
    expected_ms: int
    touches: bool
    check: bool
    intent_at: datetime | None
    receipt_at: datetime | None
    outcome: Outcome
    took_ms: int | None
    result: Json
    """What it answered, shortened: hostile text in it."""
    progress: Progress | None
    state: Being
    """`unknown`: somebody began it, and nobody saw it end."""


class PlanSeen(NamedTuple):
    """What a plan says besides its steps."""

    concerns: tuple[Row, ...]
    warnings: tuple[Said, ...]
    left: tuple[Said, ...]
    keeps: Mapping[str, Json]
    undoable: bool
    nothing: Said | None


class RunSeen(NamedTuple):
    """A run, whole. Texts of people and of hosts in it are hostile."""

    run: RunId
    token: Token
    runbook: str
    digest: str
    risk: Risk
    site: SiteId
    site_name: str
    group: str
    """The site's."""
    site_removed: bool
    """Whether it left the registry."""
    host_name: str
    batch: int | None
    undoes: RunId | None
    undone_by: RunId | None
    params: Values
    state: State
    reason: Reason | None
    person: PersonId | None
    why: str
    conversation: ConversationId | None
    plan: PlanSeen | None
    plan_digest: str
    expected_ms: int
    minutes: int
    asked_at: datetime
    planned_at: datetime | None
    holds_until: datetime | None
    confirmed_at: datetime | None
    confirmed_by: PersonId | None
    approver: PersonId | None
    approved_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    took_ms: int | None
    cancelled_by: PersonId | None
    cancel_at: datetime | None
    undo_until: datetime | None
    erased_at: datetime | None
    attempt: int
    report: Json
    confirmed: bool
    """Whether somebody confirmed it, or the request that it is of."""
    steps: tuple[StepSeen, ...] = ()

    @property
    def told(self) -> Mapping[str, Json]:
        """Its report by names; empty where a host told another thing."""
        report: Json = self.report
        return cast("Mapping[str, Json]", report) if isinstance(report, dict) else {}

    @property
    def name_typed(self) -> bool:
        """Whether confirming takes the site's name typed."""
        return self.risk is Risk.DESTROYS

    @property
    def saved_s(self) -> float | None:
        """Seconds that it saved: what it takes by hand less what it took. None where it is not done."""
        return saved(self.state, self.minutes, self.took_ms)


def seen_by(run: RunSeen, person: PersonId | None, *, may: bool) -> RunSeen:
    """`run` as `person` may see it: what its report holds as `private` is for who asked alone, and `may` run it still.

    So an API token that may only look is not told what lets somebody in.
    """
    report = run.told
    if "private" not in report or (may and person == run.person):
        return run
    return run._replace(report={name: each for name, each in report.items() if name != "private"})


def saved(state: State, minutes: int, took_ms: int | None) -> float | None:
    """Seconds that a run saved."""
    return None if state is not State.DONE or took_ms is None else max(0.0, minutes * 60 - took_ms / 1000)


class LineSeen(NamedTuple):
    """Something that was said: hostile text."""

    line: int
    step: int
    at_ms: int
    level: str
    said: str
    at: datetime


class RunListed(NamedTuple):
    """A run in a list."""

    run: RunId
    asked_at: datetime
    runbook: str
    risk: Risk
    site: SiteId
    site_name: str
    state: State
    reason: Reason | None
    person: PersonId | None
    took_ms: int | None
    minutes: int
    why: str
    batch: int | None
    undoes: RunId | None
    undone_by: RunId | None
    confirmed: bool

    @property
    def saved_s(self) -> float | None:
        """Seconds that it saved."""
        return saved(self.state, self.minutes, self.took_ms)


class BatchSeen(NamedTuple):
    """A request for several sites."""

    batch: int
    runbook: str
    at_once: int
    most_failures: int
    person: PersonId | None
    asked_at: datetime
    confirmed_at: datetime | None
    confirmed_by: PersonId | None
    approver: PersonId | None
    approved_at: datetime | None
    stopped_at: datetime | None
    runs: tuple[RunListed, ...]
    groups: tuple[str, ...]
    """Those of its sites, each once."""

    def count(self, states: Collection[State]) -> int:
        """How many of its runs are in one of `states`."""
        return sum(each.state in states for each in self.runs)
