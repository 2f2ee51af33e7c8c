"""What is drawn to be pressed is what the server would do: by whom, at which site, and while nothing holds it back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from drawing import some

from steelyard.kit.ids import PersonId, WorkspaceId
from steelyard.people.permissions import Role, Standing
from steelyard.toolbox.acting import Act, Around, pressing, pressing_batch
from steelyard.toolbox.model import Risk
from steelyard.toolbox.rules import Rule
from steelyard.toolbox.runs_seen import BatchSeen, RunListed, RunSeen
from steelyard.toolbox.states import State
from steelyard.web.said import N_, Said

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
WORKSPACE = WorkspaceId("eu1_w1")
ANA, BEN, CLEO = PersonId(1), PersonId(2), PersonId(3)
WHY = Said(N_("Its site is not in the registry any more: nothing begins there."))


def who(person: PersonId, *roles: Role) -> Standing:
    return Standing(WORKSPACE, person, frozenset(roles))


def a_run(state: State, risk: Risk = Risk.DESTROYS) -> RunSeen:
    """Asked for by Ana, confirmed by Ben, on a site without a group."""
    run = some(RunSeen, Random(1))._replace(
        state=state, risk=risk, group="", person=ANA, confirmed_by=BEN, holds_until=None, undoes=None, undone_by=None,
        erased_at=None, undo_until=NOW + timedelta(days=1), cancel_at=None,
    )  # fmt: skip
    return run._replace(steps=())


def a_batch(**changed: object) -> BatchSeen:
    runs = tuple(some(RunListed, Random(n))._replace(state=State.PLANNED, risk=Risk.DESTROYS) for n in range(2))
    batch = some(BatchSeen, Random(1))._replace(
        person=ANA, confirmed_by=None, confirmed_at=None, approved_at=None, stopped_at=None, runs=runs, groups=("",)
    )
    return batch._replace(**changed)


@pytest.mark.parametrize(
    ("person", "roles", "approves"),
    [
        (ANA, [Role.LEAD], False),
        (BEN, [Role.LEAD], False),
        (CLEO, [Role.LEAD], True),
        (CLEO, [Role.ENGINEER], False),
    ],
)
def test_approving_is_for_somebody_else_than_who_asked_or_confirmed(
    person: PersonId, roles: list[Role], *, approves: bool
) -> None:
    seen = pressing(a_run(State.WAITS), who(person, *roles), (), Around(), NOW)
    both = {Act.APPROVE, Act.REFUSE}
    assert both & seen.acts == (both if approves else set())
    assert both & seen.others == (set() if approves else both)
    assert Act.CANCEL in seen.acts
    assert Role.LEAD in seen.approvers
    assert Role.ENGINEER not in seen.approvers


def test_who_may_change_a_site_may_put_back_what_destroyed_it() -> None:
    rules = (Rule("", Role.ENGINEER, "changes"),)
    seen = pressing(a_run(State.DONE), who(CLEO, Role.ENGINEER), rules, Around(), NOW)
    assert seen.acts == {Act.UNDO}
    assert seen.others == {Act.AGAIN}


def test_who_may_not_run_it_sees_no_button_and_who_can() -> None:
    rules = (Rule("", Role.ENGINEER, "nothing"),)
    seen = pressing(a_run(State.PLANNED), who(CLEO, Role.ENGINEER), rules, Around(), NOW)
    assert seen.acts == frozenset()
    assert seen.others == {Act.CONFIRM, Act.CANCEL}
    assert seen.verdict.by_rule
    assert Role.LEAD in seen.verdict.others


@pytest.mark.parametrize(
    ("state", "around", "acts"),
    [
        (State.PLANNED, Around(site=WHY), {Act.CANCEL}),
        (State.DONE, Around(site=WHY), set[Act]()),
        (State.PLANNED, Around(begin=WHY), {Act.CANCEL}),
        (State.DONE, Around(begin=WHY), {Act.AGAIN}),
        (State.DONE, Around(undo=WHY), {Act.AGAIN}),
        (State.DONE, Around(), {Act.AGAIN, Act.UNDO}),
        (State.STOPPED, Around(begin=WHY, undo=WHY), {Act.RESUME, Act.UNDO}),
    ],
)
def test_what_holds_a_run_back_is_said_and_not_drawn(state: State, around: Around, acts: set[Act]) -> None:
    seen = pressing(a_run(state), who(CLEO, Role.LEAD), (), around, NOW)
    assert seen.acts == acts
    assert seen.held == (WHY if any(around) and state is not State.STOPPED else None)


def test_a_batch_that_waits_for_a_second_person_is_approved_on_its_page() -> None:
    confirmed = a_batch(confirmed_at=NOW, confirmed_by=BEN)
    assert Act.APPROVE in pressing_batch(confirmed, who(CLEO, Role.LEAD), (), two=True).acts
    assert Act.APPROVE in pressing_batch(confirmed, who(BEN, Role.LEAD), (), two=True).others
    assert Act.APPROVE not in pressing_batch(confirmed, who(CLEO, Role.LEAD), (), two=False).acts
    approved = confirmed._replace(approved_at=NOW)
    assert Act.APPROVE not in pressing_batch(approved, who(CLEO, Role.LEAD), (), two=True).acts


def test_a_batch_is_for_who_may_run_it_on_all_its_sites() -> None:
    rules = (Rule("vip", Role.ENGINEER, "reads"),)
    engineer = who(CLEO, Role.ENGINEER)
    assert Act.CONFIRM in pressing_batch(a_batch(), engineer, rules, two=False).acts
    both = pressing_batch(a_batch(groups=("", "vip")), engineer, rules, two=False)
    assert both.acts == frozenset()
    assert both.verdict.by_rule
