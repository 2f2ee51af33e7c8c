"""What can be done with a run as it is, and what of it whoever looks may do. Pure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from steelyard.people.permissions import Role, Standing
from steelyard.toolbox.model import Risk
from steelyard.toolbox.rules import MayRun, Rule, approvers, cancelling, may_approve, may_plan, may_run
from steelyard.toolbox.runs_seen import BatchSeen, RunSeen
from steelyard.toolbox.states import ENDED, State
from steelyard.web.said import Said


class Act(StrEnum):
    """What can be done with a run."""

    CONFIRM = "confirm"
    APPROVE = "approve"
    REFUSE = "refuse"
    CANCEL = "cancel"
    RESUME = "resume"
    UNDO = "undo"
    AGAIN = "again"


class Around(NamedTuple):
    """What holds a run back from outside, in words; None where nothing does."""

    site: Said | None = None
    """From anything but being called off: its site left the registry."""
    begin: Said | None = None
    """From being begun or undone: another run stopped in the middle of its site."""
    undo: Said | None = None
    """From being undone: another run came after it, or is at it."""


class Pressing(NamedTuple):
    """What whoever looks may press, and what is told where they may not."""

    may: MayRun
    """Whether they may run it."""
    back: MayRun
    """Whether they may put it back, which takes no more than a change does."""
    acts: frozenset[Act]
    """What they may press now."""
    others: frozenset[Act]
    """What only somebody else may press now."""
    approvers: tuple[Role, ...]
    """The roles that may approve it."""
    held: Said | None
    """Why nobody can press what could be pressed else."""

    @property
    def verdict(self) -> MayRun:
        """Of what only somebody else may press."""
        return self.back if Act.UNDO in self.others else self.may


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


def pressing(run: RunSeen, who: Standing, rules: Collection[Rule], around: Around, now: datetime) -> Pressing:
    """What `who` may press on the page of `run`: what the server would not refuse."""
    may = may_run(who, run.risk, run.group, rules)
    back = may_run(who, Risk.READS if run.risk is Risk.READS else Risk.CHANGES, run.group, rules)
    approves = who.person not in (run.person, run.confirmed_by) and may_approve(who, run.risk, run.group, rules)
    can, held = _held_back(run, acts_of(run, now), around)
    off = cancelling(who, run)(who, run.risk, run.group, rules)
    plan = may_plan(who, run.risk, run.group, rules)
    lets = {
        Act.UNDO: back.allowed,
        Act.APPROVE: approves,
        Act.REFUSE: approves,
        Act.CANCEL: off.allowed,
        Act.AGAIN: plan.allowed,
    }
    mine = frozenset(each for each in can if lets.get(each, may.allowed))
    return Pressing(may, back, mine, can - mine, approvers(who.workspace, run.risk, run.group, rules), held)


def pressing_batch(batch: BatchSeen, who: Standing, rules: Collection[Rule], *, two: bool) -> Pressing:
    """The same for a request for several sites. `two`: what destroys needs a second person."""
    risk = batch.runs[0].risk
    verdicts = [may_run(who, risk, group, rules) for group in batch.groups]
    may = next((each for each in verdicts if not each.allowed), verdicts[0])
    approves = who.person not in (batch.person, batch.confirmed_by) and all(
        may_approve(who, risk, group, rules) for group in batch.groups
    )
    can = _acts_of_batch(batch, waits=two and risk is Risk.DESTROYS)
    judges = {cancelling(who, each) for each in batch.runs}
    off = all(judge(who, risk, group, rules).allowed for judge in judges for group in batch.groups)
    lets = {Act.APPROVE: approves, Act.CANCEL: off}
    mine = frozenset(each for each in can if lets.get(each, may.allowed))
    lists = [approvers(who.workspace, risk, group, rules) for group in batch.groups]
    return Pressing(
        may, may, mine, can - mine, tuple(role for role in lists[0] if all(role in each for each in lists)), None
    )


def _acts_of_batch(batch: BatchSeen, *, waits: bool) -> frozenset[Act]:
    found: set[Act] = set()
    planned, stopped = batch.count({State.PLANNED}), batch.stopped_at is not None
    if batch.confirmed_at is None and planned and not batch.count({State.PLANNING}) and not stopped:
        found.add(Act.CONFIRM)
    if waits and batch.confirmed_at is not None and batch.approved_at is None and planned and not stopped:
        found.add(Act.APPROVE)
    if not stopped and batch.count(ENDED) + batch.count({State.STOPPED}) < len(batch.runs):
        found.add(Act.CANCEL)
    return frozenset(found)


def _held_back(run: RunSeen, acts: frozenset[Act], around: Around) -> tuple[frozenset[Act], Said | None]:
    """What of `acts` is left, and why not all of them."""
    if around.site is not None:
        return acts & {Act.CANCEL}, around.site if acts - {Act.CANCEL} else None
    begins = acts & ({Act.CONFIRM, Act.APPROVE} if run.state is not State.DONE else {Act.UNDO})
    if begins and around.begin is not None:
        return acts - begins, around.begin
    if run.state is State.DONE and Act.UNDO in acts and around.undo is not None:
        return acts - {Act.UNDO}, around.undo
    return acts, None


def _can_be_undone(run: RunSeen, now: datetime) -> bool:
    kept = run.undo_until is not None and run.undo_until >= now and run.erased_at is None
    return run.state is State.DONE and run.undoes is None and run.undone_by is None and kept
