"""Who may run what on which sites: permissions by risk, and rules by role and by group of sites. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final, NamedTuple, Protocol

from steelyard.kit.ids import PersonId, WorkspaceId
from steelyard.people.permissions import Permission, Role, Standing, judge
from steelyard.toolbox.model import Risk
from steelyard.toolbox.states import State

NEEDS: Final[Mapping[Risk, Permission]] = {
    Risk.READS: Permission.RUN_READS,
    Risk.CHANGES: Permission.RUN_CHANGES,
    Risk.DESTROYS: Permission.RUN_DESTROYS,
}
"""The permission that each risk takes."""

NOTHING: Final = "nothing"
MOST: Final = (NOTHING, *(risk.value for risk in Risk))
"""What a rule can allow at most, least first."""


class Rule(NamedTuple):
    """On sites of `group` (empty: those without one), who is here as `role` may run `most` at most."""

    group: str
    role: Role
    most: str


class MayRun(NamedTuple):
    """Whether somebody may run something on a site, and why.

    `through` are the roles that allow it, `others` those that would. `by_rule`: their roles would allow it on other
    sites. `by_token`: they may, and the API token may not.
    """

    allowed: bool
    permission: Permission
    through: tuple[Role, ...]
    others: tuple[Role, ...]
    by_rule: bool = False
    by_token: bool = False


def may_run(standing: Standing, risk: Risk, group: str, rules: Collection[Rule]) -> MayRun:
    """Whether `standing` allows running what has this risk on sites of `group`."""
    permission = NEEDS[risk]
    known = judge(standing, permission)
    through = tuple(role for role in known.through if _within(risk, group, role, rules))
    others = tuple(role for role in known.others if _within(risk, group, role, rules))
    allowed = bool(through) and not known.by_token
    by_rule = bool(known.through) and not through
    return MayRun(allowed, permission, through, others, by_rule, known.by_token and bool(through))


def may_plan(standing: Standing, risk: Risk, group: str, rules: Collection[Rule]) -> MayRun:
    """Whether `standing` allows having it planned: who may run it may, and of an API token that much is enough."""
    may = may_run(standing, risk, group, rules)
    plans = Permission.RUN_PLANS in (standing.scopes or ()) and judge(standing, Permission.RUN_PLANS).allowed
    return may._replace(allowed=True, by_token=False) if may.by_token and plans else may


Judge = Callable[[Standing, Risk, str, Collection[Rule]], MayRun]
"""What an act takes: may_run or may_plan."""


class Asked(Protocol):
    """What is known of a run."""

    @property
    def person(self) -> PersonId | None:
        """Who asked for it."""
        ...

    @property
    def state(self) -> State:
        """Where it is."""
        ...

    @property
    def confirmed(self) -> bool:
        """Whether somebody confirmed it, or the request that it is of."""
        ...


def running(standing: Standing, run: Asked) -> Judge:
    """What most that is done with a run takes."""
    return may_run


def planning(standing: Standing, run: Asked) -> Judge:
    """What having the same planned again takes."""
    return may_plan


def cancelling(standing: Standing, run: Asked) -> Judge:
    """What calling off a run takes: of a plan of one's own that nobody confirmed no more than having it planned."""
    own = standing.person == run.person and run.state in (State.PLANNING, State.PLANNED)
    return may_plan if own and not run.confirmed else may_run


def _within(risk: Risk, group: str, role: Role, rules: Collection[Rule]) -> bool:
    found = next((rule.most for rule in rules if rule.role is role and rule.group == group), None)
    # What this release does not know allows nothing.
    return found is None or (found in MOST and MOST.index(found) >= MOST.index(risk.value))


def may_approve(standing: Standing, risk: Risk, group: str, rules: Collection[Rule]) -> bool:
    """Whether `standing` allows approving somebody else's run: an API token never does."""
    if standing.scopes is not None or not judge(standing, Permission.APPROVE).allowed:
        return False
    return may_run(standing, risk, group, rules).allowed


def approvers(workspace: WorkspaceId, risk: Risk, group: str, rules: Collection[Rule]) -> tuple[Role, ...]:
    """The roles that allow approving somebody else's run on sites of `group`."""
    return tuple(role for role in Role if may_approve(Standing(workspace, None, frozenset({role})), risk, group, rules))
