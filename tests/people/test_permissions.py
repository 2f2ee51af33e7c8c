"""The one place that says who may do what."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from steelyard.kit.ids import PersonId, WorkspaceId
from steelyard.people.permissions import GRANTS, OWN_ACCOUNT_ONLY, Permission, Role, Standing, granted, judge, roles_in
from steelyard.people.words import PERMISSIONS, ROLES

ROLES_OF = st.frozensets(st.sampled_from(Role))
SCOPES = st.none() | st.frozensets(st.sampled_from(Permission))
PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "people-and-permissions.md"


@given(ROLES_OF, SCOPES, st.sampled_from(Permission))
def test_a_verdict_says_why(
    roles: frozenset[Role], scopes: frozenset[Permission] | None, permission: Permission
) -> None:
    verdict = judge(Standing(WorkspaceId("eu1.a"), PersonId(1), roles, None, scopes), permission)
    assert set(verdict.through) | set(verdict.others) == {role for role in Role if permission in GRANTS[role]}
    assert set(verdict.through) <= roles
    assert not set(verdict.others) & roles
    assert not verdict.allowed or verdict.through
    assert verdict.by_token == (bool(verdict.through) and not verdict.allowed)


@given(ROLES_OF, ROLES_OF, SCOPES)
def test_more_roles_never_allow_less(
    some: frozenset[Role], more: frozenset[Role], scopes: frozenset[Permission] | None
) -> None:
    def of(roles: frozenset[Role]) -> frozenset[Permission]:
        return granted(Standing(WorkspaceId("eu1.a"), PersonId(1), roles, None, scopes))

    assert of(some) <= of(some | more)
    assert of(some) | of(more) == of(some | more)


@given(ROLES_OF, st.frozensets(st.sampled_from(Permission)))
def test_a_token_has_a_part_of_what_its_owner_has(roles: frozenset[Role], scopes: frozenset[Permission]) -> None:
    owner = Standing(WorkspaceId("eu1.a"), PersonId(1), roles)
    runs = {Permission.RUN_READS, Permission.RUN_CHANGES, Permission.RUN_DESTROYS}
    opened = scopes if scopes.isdisjoint(runs) else scopes | {Permission.RUN_PLANS}  # who may run may have planned
    assert granted(owner._replace(scopes=scopes)) == (granted(owner) & opened) - OWN_ACCOUNT_ONLY


def test_a_token_that_may_only_plan_runs_nothing() -> None:
    lead = Standing(WorkspaceId("eu1.a"), PersonId(1), frozenset({Role.LEAD}), None, frozenset({Permission.RUN_PLANS}))
    assert granted(lead) == {Permission.RUN_PLANS}


def test_who_administers_may_do_everything_and_only_they_change_people() -> None:
    assert GRANTS[Role.ADMINISTRATOR] == frozenset(Permission)
    assert [role for role in Role if Permission.CHANGE_PEOPLE in GRANTS[role]] == [Role.ADMINISTRATOR]


def test_a_role_that_is_not_known_is_none() -> None:
    assert roles_in(["owner", "lead", ""]) == {Role.LEAD}


def test_everything_has_a_name() -> None:
    assert set(PERMISSIONS) == set(Permission)
    assert set(ROLES) == set(Role)


def test_the_documented_table_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| (.+?) `([a-z.]+)` \| (.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    told = {name: [cell.strip() == "yes" for cell in cells.split("|")] for _, name, cells in rows}
    assert told == {each.value: [each in GRANTS[role] for role in Role] for each in Permission}
    assert {name: words for words, name, _ in rows} == {each.value: str(PERMISSIONS[each]) for each in Permission}
