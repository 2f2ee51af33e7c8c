"""What people may do, and why: every permission, every role, and the one place where they are compared. Pure."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Final, NamedTuple

from steelyard.kit.ids import EngineerId, PersonId, WorkspaceId


class Permission(StrEnum):
    """What somebody may be allowed to do in a workspace."""

    SEE_DESK = "desk.see"
    """The desk, the list of conversations, decisions and why they were made, what the shadow compared, health."""
    READ_MESSAGES = "messages.read"
    """What customers wrote."""
    SET_OWN_AWAY = "away.own"
    """Going away and coming back, for oneself, in Intercom too."""
    MOVE = "conversations.move"
    """Giving a conversation to somebody else."""
    CHANGE_ROTATION = "rotation.change"
    """Taking an engineer off rotation, and putting them back."""
    SWITCH = "routing.switch"
    """Switching teams on and off, and the pause."""
    RETRY = "aside.retry"
    """Having what was set aside handled again."""
    SEE_SETTINGS = "settings.see"
    CHANGE_SETTINGS = "settings.change"
    """The workspace's zone and name, how long messages are kept."""
    CHANGE_NOTIFICATIONS = "notifications.change"
    """Where alarms are told, which, and when not."""
    SEE_AUDIT = "audit.see"
    """Who did what."""
    SEE_PEOPLE = "people.see"
    CHANGE_PEOPLE = "people.change"
    """Inviting, roles, links to choose a password, removing."""
    USE_TOKENS = "tokens.own"
    """API tokens with a part of what oneself may do."""
    CHANGE_TOKENS = "tokens.change"
    """Seeing and revoking everybody's API tokens."""
    SEE_TOOLBOX = "toolbox.see"
    """The runbooks, the sites, what was run, and the handbook."""
    RUN_PLANS = "runbooks.plan"
    """Having a runbook planned: looks at the site, changes nothing. Who may run something may have it planned."""
    RUN_READS = "runbooks.read"
    """Running what only reads. Rules by group of sites may allow less; see toolbox/rules.py."""
    RUN_CHANGES = "runbooks.change"
    RUN_DESTROYS = "runbooks.destroy"
    APPROVE = "runbooks.approve"
    """Allowing somebody else's run that destroys, where the settings ask for two."""
    CHANGE_SITES = "sites.change"
    """Adding and removing sites and hosts."""
    CHANGE_HANDBOOK = "handbook.change"
    """Writing, importing and checking pages of the handbook."""
    CHANGE_TOOLBOX = "toolbox.change"
    """Who may run what on which sites, approval, how long trash is kept."""
    CHANGE_COMPANION = "companion.change"
    """Which domains the team trusts, and by which rules it is told who hosts a site."""


class Role(StrEnum):
    """What somebody is in a workspace; several at once are possible. Custom roles would stand beside these."""

    ENGINEER = "engineer"
    LEAD = "lead"
    AUTHOR = "author"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


_P = Permission
_LOOKS: Final = frozenset({_P.SEE_TOOLBOX, _P.RUN_PLANS, _P.RUN_READS})
_READER: Final = _LOOKS | {_P.SEE_DESK, _P.READ_MESSAGES, _P.SEE_PEOPLE, _P.USE_TOKENS}
_RUNNER: Final = _READER | {_P.SET_OWN_AWAY, _P.RUN_CHANGES, _P.RUN_DESTROYS}
_LEAD: Final = _RUNNER | {
    _P.MOVE,
    _P.CHANGE_ROTATION,
    _P.SWITCH,
    _P.RETRY,
    _P.SEE_SETTINGS,
    _P.CHANGE_NOTIFICATIONS,
    _P.SEE_AUDIT,
    _P.APPROVE,
    _P.CHANGE_HANDBOOK,
    _P.CHANGE_TOOLBOX,
    _P.CHANGE_COMPANION,
}

GRANTS: Final[dict[Role, frozenset[Permission]]] = {
    Role.ENGINEER: _RUNNER,
    Role.LEAD: _LEAD,
    Role.AUTHOR: _READER | {_P.CHANGE_HANDBOOK},
    # Operators keep the machines: they see that it works, not what customers write.
    Role.OPERATOR: _LOOKS
    | {
        _P.SEE_DESK,
        _P.SEE_PEOPLE,
        _P.RETRY,
        _P.SEE_SETTINGS,
        _P.CHANGE_NOTIFICATIONS,
        _P.SEE_AUDIT,
        _P.USE_TOKENS,
        _P.CHANGE_TOKENS,
        _P.CHANGE_SITES,
    },
    Role.ADMINISTRATOR: frozenset(Permission),
}
"""What each role allows."""

OWN_ACCOUNT_ONLY: Final = frozenset({_P.CHANGE_PEOPLE, _P.CHANGE_TOKENS, _P.USE_TOKENS})
"""What no API token may do: a stolen one could make others that outlive it."""

OPENED_BY: Final = {_P.RUN_PLANS: frozenset({_P.RUN_PLANS, _P.RUN_READS, _P.RUN_CHANGES, _P.RUN_DESTROYS})}
"""Which scopes of an API token open a permission besides its own. What of it they open, toolbox/rules.py says."""


class Standing(NamedTuple):
    """What somebody is in a workspace.

    `person` is nobody for this machine, where the console is open to it. `scopes` are those of an API token; None for
    a person in a browser. `engineer` is the Intercom teammate they are.
    """

    workspace: WorkspaceId
    person: PersonId | None
    roles: frozenset[Role]
    engineer: EngineerId | None = None
    scopes: frozenset[Permission] | None = None


class Verdict(NamedTuple):
    """Whether something is allowed, and why: `through` are the roles that allow it, `others` those that would.

    `by_token`: the roles would allow it, and the API token does not.
    """

    permission: Permission
    allowed: bool
    through: tuple[Role, ...]
    others: tuple[Role, ...]
    by_token: bool = False


def judge(standing: Standing, permission: Permission) -> Verdict:
    """Whether `standing` allows `permission`: the only place that says so."""
    granting = tuple(role for role in Role if permission in GRANTS[role])
    through = tuple(role for role in granting if role in standing.roles)
    opened_by = OPENED_BY.get(permission, {permission}) - OWN_ACCOUNT_ONLY
    in_scope = standing.scopes is None or not standing.scopes.isdisjoint(opened_by)
    others = tuple(role for role in granting if role not in standing.roles)
    return Verdict(permission, bool(through) and in_scope, through, others, by_token=bool(through) and not in_scope)


def granted(standing: Standing) -> frozenset[Permission]:
    """Everything that `standing` allows."""
    return frozenset(each for each in Permission if judge(standing, each).allowed)


def roles_in(names: Collection[str]) -> frozenset[Role]:
    """The roles of these names; those that this release does not know allow nothing."""
    return frozenset(role for role in Role if role in names)
