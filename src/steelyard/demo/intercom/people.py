"""Acting as people: what customers, engineers and leads do by hand, by name. The control API and the traffic use it."""

from collections.abc import Callable

from steelyard.demo.intercom import conversations, staff
from steelyard.demo.intercom.conversations import Actor
from steelyard.demo.intercom.model import PRIORITIES, Admin, Contact, Conversation, Json, Workspace, typed
from steelyard.demo.intercom.seed import LANGUAGES

SNOOZE = 3_600
"""Seconds, where nothing else is said."""


def customer(workspace: Workspace, name: str, email: str, *, role: str = "user", language: str = "") -> Contact:
    """The contact of that address, made if there is none. `role` is `user` or `lead`."""
    found = workspace.contact_at(email)
    if found is None:
        found = Contact(f"{workspace.number('contact'):024x}", role, name, email, workspace.now(), language)
        workspace.contacts[found.id] = found
    return found


def write_in(
    workspace: Workspace,
    contact: Contact,
    subject: str,
    body: str,
    *,
    team: int = 0,
    language: str = "",
    tags: tuple[str, ...] = (),
    attributes: Json | None = None,
    priority: str = "none",
) -> Conversation:
    """A customer begins a conversation in plain text; `language` (`en`, `fr`) becomes its attribute `Language`."""
    spoken = {"Language": LANGUAGES.get(language, language)} if language else {}
    return conversations.create(
        workspace,
        contact,
        typed(body),
        subject=typed(subject),
        team=_team(workspace, team),
        priority=_priority(priority),
        tags=tuple(workspace.tag_named(name) for name in tags),
        attributes=spoken | (attributes or {}),
    )


def hire(workspace: Workspace, name: str, *, seat: bool = True, teams: tuple[int, ...] = ()) -> Admin:
    """Somebody new comes into the workspace, and into those teams."""
    joined = [workspace.teams[team] for team in teams]
    number = workspace.number("admin")
    admin = Admin(number, name, f"admin{number}@example.test", seat=seat)
    for team in joined:
        team.members.append(number)
    staff.add(workspace, admin)
    return admin


def _assign(workspace: Workspace, conversation: Conversation, actor: Actor, body: Json) -> None:
    if "team" in body:
        conversations.assign(workspace, conversation, actor, team=_team(workspace, body["team"]))
    else:
        conversations.assign(workspace, conversation, actor, admin=workspace.admins[body["to"]].id)


def _priority(name: str) -> str:
    if name not in PRIORITIES:
        raise ValueError(f"priority must be one of {', '.join(PRIORITIES)}, not {name}")
    return name


def _team(workspace: Workspace, team: int) -> int:
    return workspace.teams[team].id if team else 0


Deed = Callable[[Workspace, Conversation, Actor, Json], object]

TO_CONVERSATIONS: dict[str, Deed] = {
    "reply": lambda w, c, _, body: conversations.reply_as_customer(w, c, typed(body["body"])),
    "admin_reply": lambda w, c, actor, body: conversations.reply_as_admin(w, c, actor, typed(body["body"])),
    "note": lambda w, c, actor, body: conversations.note(w, c, actor, typed(body["body"])),
    "assign": _assign,
    "unassign": lambda w, c, actor, _: conversations.assign(w, c, actor, admin=0),
    "close": lambda w, c, actor, _: conversations.close(w, c, actor),
    "open": lambda w, c, actor, _: conversations.reopen(w, c, actor),
    "snooze": lambda w, c, actor, body: conversations.snooze(w, c, actor, w.now() + body.get("seconds", SNOOZE)),
    "unsnooze": lambda w, c, actor, _: conversations.unsnooze(w, c, actor),
    "tag": lambda w, c, actor, body: conversations.tag(w, c, actor, w.tag_named(body["name"])),
    "untag": lambda w, c, _, body: conversations.untag(w, c, w.tag_named(body["name"])),
    "priority": lambda w, c, actor, body: conversations.prioritize(w, c, actor, _priority(body["priority"])),
    "delete": lambda w, c, _actor, _body: conversations.delete(w, c),
}
"""By name: what can be done to a conversation. A missing or unknown thing in the body raises KeyError or ValueError."""

TO_ADMINS: dict[str, Callable[[Workspace, Admin, Json], object]] = {
    "away": lambda w, who, body: staff.go_away(w, who, reassign=body.get("reassign", False), reason=body.get("reason")),
    "back": lambda w, who, _: staff.come_back(w, who),
    "login": lambda w, who, _: staff.log_in(w, who),
    "logout": lambda w, who, _: staff.log_out(w, who),
    "remove": lambda w, who, _: staff.remove(w, who),
}
"""By name: what an admin does, or has done to them."""
