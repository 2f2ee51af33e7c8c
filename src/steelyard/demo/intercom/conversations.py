"""What can be done to a conversation, by a person or through the API. Each deed changes the state and publishes it."""

from typing import NamedTuple

from steelyard.demo.intercom import shapes
from steelyard.demo.intercom.model import (
    Admin,
    Applied,
    Attribute,
    Author,
    Contact,
    Conversation,
    Json,
    Part,
    Publish,
    Reference,
    Tag,
    Text,
    Workspace,
)

NOBODY = Reference("nobody_admin", None)

# A conversation that became a ticket is told of under these topics.
_AS_TICKET = {
    "conversation.admin.assigned": "ticket.admin.assigned",
    "conversation.admin.replied": "ticket.admin.replied",
    "conversation.user.replied": "ticket.contact.replied",
    "conversation.admin.closed": "ticket.closed",
    "conversation.admin.snoozed": "ticket.admin.snoozed",
    "conversation.admin.unsnoozed": "ticket.admin.unsnoozed",
}
_NOT_FOR_TICKETS = frozenset({"conversation.admin.open.assigned"})


class Actor(NamedTuple):
    """An admin doing something: by hand, or through the API by the app of that package code."""

    admin: Admin
    package: str | None = None

    @property
    def author(self) -> Author:
        return Author("admin", str(self.admin.id), self.admin.name, self.admin.email, self.package)


def create(
    workspace: Workspace,
    contact: Contact,
    body: Text,
    *,
    subject: Text | None = None,
    team: int = 0,
    priority: str = "none",
    tags: tuple[Tag, ...] = (),
    attributes: Json | None = None,
) -> Conversation:
    """A customer begins a conversation. `tags` and `attributes` are on it from the start, as a workflow puts them."""
    now = workspace.now()
    conversation = Conversation(
        id=workspace.number("conversation"),
        contact=contact,
        subject=subject or Text("", ""),
        body=body,
        message=workspace.number("message"),
        created_at=now,
        updated_at=now,
        waiting_since=now,
        priority=priority,
        team=team,
        attributes=dict(attributes or {}),
        tags={tag.id: Applied(tag, now, workspace.owner) for tag in tags},
    )
    conversation.statistics.first_contact_reply_at = conversation.statistics.last_contact_reply_at = now
    workspace.conversations[conversation.id] = conversation
    workspace.record.created(conversation.id)
    _publish(workspace, "conversation.user.created", conversation, [])
    return conversation


def reply_as_customer(workspace: Workspace, conversation: Conversation, body: Text) -> Part:
    """A customer writes. A closed or snoozed conversation opens; an absent engineer who asked for it loses it."""
    now, contact = workspace.now(), conversation.contact
    reopens = conversation.state != "open"
    _open(conversation)
    conversation.waiting_since = conversation.waiting_since or now
    conversation.statistics.last_contact_reply_at = now
    conversation.read = False
    author = Author(contact.role, contact.id, contact.name, contact.email)
    part = _part(workspace, conversation, "open" if reopens else "comment", author, body=body)
    _publish(workspace, "conversation.user.replied", conversation, [part])
    assignee = workspace.admins.get(conversation.admin)
    if assignee is not None and assignee.away and assignee.reassign:
        assign(workspace, conversation, Actor(assignee), admin=0)
    return part


def reply_as_admin(workspace: Workspace, conversation: Conversation, actor: Actor, body: Text | None) -> Part:
    now, statistics = workspace.now(), conversation.statistics
    statistics.last_admin_reply_at = now
    statistics.last_assignment_admin_reply_at = now
    if statistics.first_admin_reply_at is None:
        statistics.first_admin_reply_at = now
        statistics.time_to_admin_reply = now - conversation.created_at
    conversation.waiting_since = None
    part = _part(workspace, conversation, "comment", actor.author, body=body)
    _took_part(conversation, actor)
    _publish(workspace, "conversation.admin.replied", conversation, [part])
    return part


def note(workspace: Workspace, conversation: Conversation, actor: Actor, body: Text) -> Part:
    part = _part(workspace, conversation, "note", actor.author, body=body)
    _took_part(conversation, actor)
    _publish(workspace, "conversation.admin.noted", conversation, [part])
    return part


def assign(
    workspace: Workspace,
    conversation: Conversation,
    actor: Actor,
    *,
    admin: int | None = None,
    team: int | None = None,
    body: Text | None = None,
) -> Part:
    """To an `admin` (its team stays) or to a `team` (its admin goes); 0 takes the one or the other away.

    Assigning a closed conversation to somebody reopens it. A `body` goes to the customer, as Intercom does it.
    """
    now, kind = workspace.now(), "assignment"
    if (admin or team) and conversation.state == "closed":
        kind = "assign_and_reopen"
        _open(conversation)
    if admin is not None:
        conversation.admin = admin
    else:
        conversation.admin, conversation.team = 0, team or 0
    _count_assignment(conversation, now)
    whom = Reference("admin", admin) if admin else Reference("team", team) if team else NOBODY
    part = _part(workspace, conversation, kind, actor.author, assigned=whom, body=body)
    by = "api" if actor.package else "person"
    workspace.record.assigned(conversation.id, by, conversation.admin, conversation.team)
    topic = "ticket.team.assigned" if conversation.ticket and admin is None else "conversation.admin.assigned"
    _publish(workspace, topic, conversation, [part])
    if conversation.state == "open":
        _publish(workspace, "conversation.admin.open.assigned", conversation, [part])
    return part


def close(workspace: Workspace, conversation: Conversation, actor: Actor, body: Text | None = None) -> Part:
    now, statistics = workspace.now(), conversation.statistics
    conversation.state, conversation.snoozed_until, conversation.waiting_since = "closed", None, None
    statistics.last_close_at, statistics.time_to_last_close = now, now - conversation.created_at
    statistics.last_closed_by_id = str(actor.admin.id)
    if statistics.first_close_at is None:
        statistics.first_close_at, statistics.time_to_first_close = now, now - conversation.created_at
    part = _part(workspace, conversation, "close", actor.author, body=body)
    _publish(workspace, "conversation.admin.closed", conversation, [part])
    return part


def reopen(workspace: Workspace, conversation: Conversation, actor: Actor) -> Part:
    """Opens a closed conversation, or wakes a snoozed one."""
    if conversation.state == "snoozed":
        return unsnooze(workspace, conversation, actor)
    _open(conversation)
    part = _part(workspace, conversation, "open", actor.author)
    _publish(workspace, "conversation.admin.opened", conversation, [part])
    return part


def snooze(workspace: Workspace, conversation: Conversation, actor: Actor, until: int) -> Part:
    """`until` is in seconds since 1970."""
    conversation.state, conversation.snoozed_until = "snoozed", until
    workspace.snoozed.add(conversation.id)
    part = _part(workspace, conversation, "snoozed", actor.author)
    _publish(workspace, "conversation.admin.snoozed", conversation, [part])
    return part


def unsnooze(workspace: Workspace, conversation: Conversation, actor: Actor | None = None) -> Part:
    """Without an actor the timer woke it."""
    _open(conversation)
    kind, author = ("timer_unsnoozed", workspace.bot) if actor is None else ("unsnoozed", actor.author)
    part = _part(workspace, conversation, kind, author)
    _publish(workspace, "conversation.admin.unsnoozed", conversation, [part])
    return part


def wake(workspace: Workspace) -> None:
    """Opens what was snoozed until now."""
    now = workspace.now()
    for conversation_id in sorted(workspace.snoozed):
        conversation = workspace.conversations.get(conversation_id)
        if conversation is None or conversation.state != "snoozed":
            workspace.snoozed.discard(conversation_id)
        elif (conversation.snoozed_until or 0) <= now:
            unsnooze(workspace, conversation)


def tag(workspace: Workspace, conversation: Conversation, actor: Actor, which: Tag) -> Applied:
    """No part is made: the webhook names the tag in `tags_added`."""
    applied = Applied(which, workspace.now(), actor.admin.id)
    conversation.tags[which.id] = applied
    conversation.updated_at = workspace.now()
    added = {"tags_added": {"type": "tag.list", "tags": [shapes.tag(which)]}}
    item = shapes.conversation(conversation, parts=[], plain=True) | added
    workspace.publish(Publish("conversation_part.tag.created", item, conversation.id))
    return applied


def untag(workspace: Workspace, conversation: Conversation, which: Tag) -> None:
    """Nothing is published: Intercom has no webhook for it."""
    conversation.tags.pop(which.id, None)
    conversation.updated_at = workspace.now()


def prioritize(workspace: Workspace, conversation: Conversation, actor: Actor, priority: str) -> None:
    conversation.priority = priority
    part = _part(workspace, conversation, "priority_changed", actor.author)
    _publish(workspace, "conversation.priority.updated", conversation, [part])


def set_attribute(workspace: Workspace, conversation: Conversation, which: Attribute, value: str | int) -> None:
    """Nothing is published: Intercom has no webhook for it."""
    conversation.attributes[which.name] = value
    event = {"attribute": {"name": which.name}, "value": {"name": str(value)}}
    author = workspace.bot._replace(package=workspace.package)
    _part(workspace, conversation, "conversation_attribute_updated_by_admin", author, event=event)


def delete(workspace: Workspace, conversation: Conversation) -> None:
    """Gone for good; the webhook holds ids only."""
    del workspace.conversations[conversation.id]
    item = {"type": "conversation", "id": str(conversation.id)}
    workspace.publish(Publish("conversation.deleted", item, conversation.id))


def _open(conversation: Conversation) -> None:
    if conversation.state == "closed":
        conversation.statistics.count_reopens += 1
    conversation.state, conversation.snoozed_until = "open", None


def _count_assignment(conversation: Conversation, now: int) -> None:
    statistics = conversation.statistics
    statistics.count_assignments += 1
    statistics.last_assignment_at = now
    if statistics.first_assignment_at is None:
        statistics.first_assignment_at, statistics.time_to_assignment = now, now - conversation.created_at


def _took_part(conversation: Conversation, actor: Actor) -> None:
    if actor.admin.id not in conversation.teammates:
        conversation.teammates.append(actor.admin.id)


def _part(
    workspace: Workspace,
    conversation: Conversation,
    kind: str,
    author: Author,
    *,
    body: Text | None = None,
    assigned: Reference | None = None,
    event: Json | None = None,
) -> Part:
    now = workspace.now()
    part = Part(workspace.number("part"), kind, now, author, conversation.state, body, assigned, event)
    conversation.parts.append(part)
    conversation.statistics.count_conversation_parts += 1
    conversation.updated_at = now
    return part


def _publish(workspace: Workspace, topic: str, conversation: Conversation, parts: list[Part]) -> None:
    """Tells of a conversation as it is now, with only the parts that made it so."""
    if conversation.ticket is None:
        item = shapes.conversation(conversation, parts=parts, plain=True)
    elif topic in _NOT_FOR_TICKETS:
        return
    else:
        topic = _AS_TICKET.get(topic, topic)
        if topic.startswith("ticket."):
            item = shapes.ticket(conversation, plain=True)
            item = {"type": "ticket", "ticket": item} if topic == "ticket.closed" else item
        else:
            item = shapes.conversation(conversation, parts=parts, plain=True)
    workspace.publish(Publish(topic, item, conversation.id))
