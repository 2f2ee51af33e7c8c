"""What roles, permissions and refusals are called, for pages."""

from __future__ import annotations

from typing import Final

from steelyard.people.permissions import Permission, Role
from steelyard.web.language import N_

_P = Permission

ROLES: Final = {
    Role.ENGINEER: N_("engineer"),
    Role.LEAD: N_("lead"),
    Role.AUTHOR: N_("author"),
    Role.OPERATOR: N_("operator"),
    Role.ADMINISTRATOR: N_("administrator"),
}

PERMISSIONS: Final = {
    _P.SEE_DESK: N_("Seeing the desk, conversations, decisions and health"),
    _P.READ_MESSAGES: N_("Reading what customers wrote"),
    _P.SET_OWN_AWAY: N_("Going away and coming back"),
    _P.MOVE: N_("Moving conversations to somebody else"),
    _P.CHANGE_ROTATION: N_("Taking engineers off rotation"),
    _P.SWITCH: N_("Switching teams on and off, and pausing"),
    _P.RETRY: N_("Having what was set aside handled again"),
    _P.SEE_SETTINGS: N_("Seeing the settings"),
    _P.CHANGE_SETTINGS: N_("Changing the settings"),
    _P.CHANGE_NOTIFICATIONS: N_("Saying where alarms are told"),
    _P.SEE_AUDIT: N_("Seeing who did what"),
    _P.SEE_PEOPLE: N_("Seeing who is here"),
    _P.CHANGE_PEOPLE: N_("Inviting people and changing their roles"),
    _P.USE_TOKENS: N_("Making API tokens for oneself"),
    _P.CHANGE_TOKENS: N_("Revoking everybody’s API tokens"),
    _P.SEE_TOOLBOX: N_("Seeing runbooks, sites, runs and the handbook"),
    _P.RUN_PLANS: N_("Having a runbook planned: looks at the site, changes nothing"),
    _P.RUN_READS: N_("Running what only reads"),
    _P.RUN_CHANGES: N_("Running what changes a site"),
    _P.RUN_DESTROYS: N_("Running what destroys"),
    _P.APPROVE: N_("Approving what somebody else wants to run"),
    _P.CHANGE_SITES: N_("Adding and removing sites and hosts"),
    _P.CHANGE_HANDBOOK: N_("Writing the handbook"),
    _P.CHANGE_TOOLBOX: N_("Saying who may run what on which sites"),
    _P.CHANGE_COMPANION: N_("Deciding on trusted domains and host rules"),
}

MEMBER_PROBLEMS: Final = {
    "last_administrator": N_(
        "This is the only administrator who can sign in. Make somebody else an administrator first, so that the"
        " workspace keeps one."
    ),
    "no_roles": N_("Choose at least one role. To take somebody out of the workspace, remove them."),
    "engineer_taken": N_("This Intercom teammate is somebody else already. Undo that link first."),
    "engineer_unknown": N_("Intercom has no such teammate in this workspace, as far as Steelyard has read it."),
    "already_member": N_("This person is a member already: change their roles in the list."),
    "no_member": N_("This person is no member of this workspace any more."),
    "beyond": N_(
        "This person is also a member of a workspace that you do not administer, and a new password would open that one"
        " too. An administrator of every workspace they are in can make the link, or whoever runs Steelyard with"
        " steelyard link."
    ),
    "stale": N_("Somebody else changed these roles meanwhile. Here they are as they are now; choose again."),
}

PASSWORD_PROBLEMS: Final = {
    "short": N_("The password is too short: 12 characters at least."),
    "long": N_("The password is too long: 200 characters at most."),
    "known": N_("This password is easily guessed: it holds your address, or a few characters over and over."),
    "wrong": N_("This is not your password. After a few such attempts the next one has to wait."),
    "held": N_("Too many attempts failed. Wait a quarter of an hour and try again."),
}
