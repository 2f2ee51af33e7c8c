"""Who may run what on which sites."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from steelyard.kit.ids import PersonId, WorkspaceId
from steelyard.people.permissions import Permission, Role, Standing, judge
from steelyard.toolbox.model import Risk
from steelyard.toolbox.rules import MOST, NEEDS, Rule, may_approve, may_plan, may_run

ROLES = st.frozensets(st.sampled_from(list(Role)))
RULES = st.lists(
    st.builds(Rule, st.sampled_from(["", "vip"]), st.sampled_from(list(Role)), st.sampled_from(MOST)),
    max_size=6,
    unique_by=lambda rule: (rule.group, rule.role),
)


def standing(roles: frozenset[Role], scopes: frozenset[Permission] | None = None) -> Standing:
    return Standing(WorkspaceId("eu1.a"), PersonId(1), roles, scopes=scopes)


@given(ROLES, st.sampled_from(list(Risk)), RULES)
def test_rules_only_ever_take_away(roles: frozenset[Role], risk: Risk, rules: list[Rule]) -> None:
    plain, ruled = may_run(standing(roles), risk, "vip", ()), may_run(standing(roles), risk, "vip", rules)
    assert plain.allowed == judge(standing(roles), NEEDS[risk]).allowed
    assert plain.allowed or not ruled.allowed
    assert ruled.by_rule == (plain.allowed and not ruled.allowed)


@given(ROLES, RULES)
def test_who_may_do_worse_may_do_milder(roles: frozenset[Role], rules: list[Rule]) -> None:
    by_rules_alone = [may_run(standing(frozenset({Role.ADMINISTRATOR})), risk, "vip", rules).allowed for risk in Risk]
    assert by_rules_alone == sorted(by_rules_alone, reverse=True)


def test_a_rule_of_one_group_says_nothing_of_others() -> None:
    rules = [Rule("vip", Role.ENGINEER, "reads")]
    engineer = standing(frozenset({Role.ENGINEER}))
    assert may_run(engineer, Risk.READS, "vip", rules).allowed
    refused = may_run(engineer, Risk.CHANGES, "vip", rules)
    assert (refused.allowed, refused.by_rule) == (False, True)
    assert may_run(engineer, Risk.DESTROYS, "", rules).allowed
    assert may_run(standing(frozenset({Role.ENGINEER, Role.LEAD})), Risk.DESTROYS, "vip", rules).allowed


def test_an_unknown_word_in_a_rule_allows_nothing() -> None:
    rules = [Rule("", Role.ENGINEER, "anything")]
    assert not may_run(standing(frozenset({Role.ENGINEER})), Risk.READS, "", rules).allowed


def test_a_token_runs_what_its_scopes_say_and_approves_nothing() -> None:
    lead = standing(
        frozenset({Role.LEAD}), frozenset({Permission.RUN_READS, Permission.APPROVE, Permission.RUN_DESTROYS})
    )
    assert may_run(lead, Risk.READS, "", ()).allowed
    refused = may_run(lead, Risk.CHANGES, "", ())
    assert (refused.allowed, refused.by_token) == (False, True)
    assert not may_approve(lead, Risk.DESTROYS, "", ())
    assert may_approve(standing(frozenset({Role.LEAD})), Risk.DESTROYS, "", ())
    assert not may_approve(standing(frozenset({Role.ENGINEER})), Risk.DESTROYS, "", ())


SCOPES = st.none() | st.frozensets(st.sampled_from(list(Permission)))


@given(ROLES, SCOPES, st.sampled_from(list(Risk)), RULES)
def test_who_may_plan(
    roles: frozenset[Role], scopes: frozenset[Permission] | None, risk: Risk, rules: list[Rule]
) -> None:
    """A person plans what they may run; a token what its owner may run, by the risk's own scope or by that of plans."""
    owner, asker = may_run(standing(roles), risk, "vip", rules), standing(roles, scopes)
    by_scope = scopes is None or bool(scopes & {NEEDS[risk], Permission.RUN_PLANS})
    planned = may_plan(asker, risk, "vip", rules)
    assert planned.allowed == (owner.allowed and by_scope)
    assert may_run(asker, risk, "vip", rules).allowed == (owner.allowed and (scopes is None or NEEDS[risk] in scopes))
    assert planned.by_token == (owner.allowed and not by_scope)
    assert planned.by_rule == owner.by_rule
