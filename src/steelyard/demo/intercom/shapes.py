"""State as Intercom tells it: one function per kind of object. `plain` gives bodies as webhooks have them."""

from steelyard.demo.intercom.model import (
    Admin,
    Applied,
    Attribute,
    Author,
    Contact,
    Conversation,
    Json,
    Part,
    Reason,
    Tag,
    Team,
    Text,
    TicketState,
    TicketType,
    Workspace,
)


def admin(workspace: Workspace, who: Admin) -> Json:
    teams = [team.id for team in workspace.teams.values() if who.id in team.members]
    return {
        "type": "admin",
        "id": str(who.id),
        "name": who.name,
        "email": who.email,
        "job_title": who.job_title,
        "away_mode_enabled": who.away,
        "away_mode_reassign": who.reassign,
        "away_status_reason_id": who.reason,
        "has_inbox_seat": who.seat,
        "team_ids": teams,
        "avatar": None,
        "team_priority_level": {"primary_team_ids": teams, "secondary_team_ids": []},
        "role": {"type": "role", "id": "1", "name": "Support"},
    }


def admin_told(workspace: Workspace, who: Admin) -> Json:
    """An admin in a webhook: the reason of an absence is text there."""
    reason = workspace.reasons.get(who.reason or 0)
    item = admin(workspace, who)
    del item["away_status_reason_id"]
    return item | {"away_status_reason": f"{reason.emoji} {reason.label}" if reason else None}


def me(workspace: Workspace, who: Admin) -> Json:
    item = admin(workspace, who)
    del item["away_status_reason_id"], item["role"], item["team_priority_level"]
    app = {
        "type": "app",
        "id_code": workspace.app_id,
        "name": "Steelyard demo",
        "region": workspace.region,
        "timezone": "Europe/Paris",
        "created_at": workspace.created_at,
        "identity_verification": False,
    }
    return item | {"avatar": {"type": "avatar", "image_url": None}, "email_verified": True, "app": app}


def team(which: Team) -> Json:
    return {
        "type": "team",
        "id": str(which.id),
        "name": which.name,
        "admin_ids": list(which.members),
        "admin_priority_level": {"primary_admin_ids": list(which.members), "secondary_admin_ids": []},
        "assignment_limit": None,
        "distribution_method": which.distribution,
    }


def reason(workspace: Workspace, which: Reason, order: int) -> Json:
    return {
        "type": "away_status_reason",
        "id": str(which.id),
        "label": which.label,
        "emoji": which.emoji,
        "order": order,
        "deleted": which.deleted,
        "created_at": workspace.created_at,
        "updated_at": workspace.created_at,
    }


def tag(which: Tag) -> Json:
    return {"type": "tag", "id": str(which.id), "name": which.name}


def applied(which: Applied) -> Json:
    return tag(which.tag) | {"applied_at": which.at, "applied_by": {"type": "admin", "id": str(which.by)}}


def attribute(which: Attribute) -> Json:
    item: Json = {
        "type": "conversation_attribute",
        "id": which.id,
        "name": which.name,
        "description": which.description,
        "data_type": which.data_type,
        "required": which.required,
        "visible_to_team_ids": [],
        "archived": False,
        "created_at": which.created_at,
        "updated_at": which.created_at,
        "admin_id": str(which.admin),
    }
    if which.data_type == "list":
        options = enumerate(which.options, start=1)
        item["options"] = [{"id": str(each), "label": label, "archived": False} for each, label in options]
    if which.data_type == "string":
        item["multiline"] = False
    return item


def contact(workspace: Workspace, who: Contact) -> Json:
    def listed(name: str) -> Json:
        return {
            "type": "list",
            "data": [],
            "url": f"/contacts/{who.id}/{name}",
            "total_count": 0,
            "has_more": False,
        }

    return {
        "type": "contact",
        "id": who.id,
        "workspace_id": workspace.app_id,
        "external_id": None,
        "role": who.role,
        "email": who.email,
        "email_domain": who.email.rpartition("@")[2],
        "phone": None,
        "name": who.name,
        "owner_id": None,
        "has_hard_bounced": False,
        "marked_email_as_spam": False,
        "unsubscribed_from_emails": False,
        "created_at": who.created_at,
        "updated_at": who.created_at,
        "signed_up_at": who.created_at,
        "last_seen_at": None,
        "language_override": who.language or None,
        "custom_attributes": {},
        "avatar": None,
        "tags": listed("tags"),
        "notes": listed("notes"),
        "companies": listed("companies"),
        "location": {"type": "location", "country": None, "region": None, "city": None},
        "social_profiles": {"type": "list", "data": []},
    }


def conversation_item(which: Conversation, *, plain: bool = False) -> Json:
    """A conversation as a list has it: without its parts."""
    return {
        "type": "conversation",
        "id": str(which.id),
        "title": which.title,
        "created_at": which.created_at,
        "updated_at": which.updated_at,
        "waiting_since": which.waiting_since,
        "snoozed_until": which.snoozed_until,
        "open": which.state != "closed",
        "state": which.state,
        "read": which.read,
        "priority": which.priority,
        "admin_assignee_id": which.admin,
        "team_assignee_id": which.team,
        "company": None,
        "tags": {"type": "tag.list", "tags": [applied(each) for each in which.tags.values()]},
        "conversation_rating": None,
        "source": _source(which, plain),
        "contacts": {"type": "contact.list", "contacts": [_contact_reference(which.contact)]},
        "teammates": {"type": "admin.list", "teammates": [_admin_reference(each) for each in which.teammates]},
        "custom_attributes": dict(which.attributes),
        "first_contact_reply": _first_contact_reply(which),
        "sla_applied": None,
        "statistics": statistics(which),
        "linked_objects": {"type": "list", "data": [], "total_count": 0, "has_more": False},
        "ai_agent_participated": False,
        "ai_agent": None,
        "channel": {"initial": _channel(which), "current": _channel(which)},
    }


def conversation(which: Conversation, *, parts: list[Part] | None = None, plain: bool = False) -> Json:
    """The whole conversation, with `parts` or the newest 500 of its own."""
    shown = which.parts[-500:] if parts is None else parts
    return conversation_item(which, plain=plain) | {
        "conversation_parts": {
            "type": "conversation_part.list",
            "conversation_parts": [part(each, plain=plain) for each in shown],
            "total_count": len(which.parts) if parts is None else len(parts),
        }
    }


def part(which: Part, *, plain: bool = False) -> Json:
    item: Json = {
        "type": "conversation_part",
        "id": str(which.id),
        "part_type": which.kind,
        "body": _body(which.body, plain),
        "created_at": which.at,
        "updated_at": which.at,
        "notified_at": which.at,
        "assigned_to": _assigned(which),
        "author": _author(which.author),
        "attachments": [],
        "external_id": None,
        "redacted": False,
        "email_message_metadata": None,
        "metadata": {},
        "state": which.state,
        "tags": [],
        "app_package_code": which.author.package,
    }
    return item | ({"event_details": which.event} if which.event else {})


def statistics(which: Conversation) -> Json:
    known = {
        name: value for name in which.statistics.__slots__ if (value := getattr(which.statistics, name)) is not None
    }
    return {"type": "conversation_statistics", **known}


def ticket(which: Conversation, *, plain: bool = False) -> Json:
    """The conversation as the ticket it has become. Raises ValueError where it is none."""
    if which.ticket is None:
        raise ValueError(f"conversation {which.id} is no ticket")
    item: Json = {
        "type": "ticket",
        "id": str(which.id),
        "ticket_id": str(which.ticket.number),
        "category": which.ticket.type.category,
        "ticket_attributes": dict(which.ticket.attributes),
        "ticket_state": ticket_state(which.ticket.state),
        "ticket_type": ticket_type(which.ticket.type),
        "contacts": {"type": "contact.list", "contacts": [_contact_reference(which.contact)]},
        "admin_assignee_id": which.admin,
        "team_assignee_id": which.team,
        "created_at": which.created_at,
        "updated_at": which.updated_at,
        "open": which.state != "closed",
        "linked_objects": {"type": "list", "data": [], "total_count": 0, "has_more": False},
        "ticket_parts": _ticket_parts(which, plain),
        "is_shared": True,
        "previous_ticket_state_id": str(which.ticket.previous.id) if which.ticket.previous else None,
    }
    return item | ({"snoozed_until": which.snoozed_until} if which.snoozed_until else {})


def ticket_state(which: TicketState) -> Json:
    return {
        "type": "ticket_state",
        "id": str(which.id),
        "category": which.category,
        "internal_label": which.label,
        "external_label": which.label,
    }


def ticket_type(which: TicketType) -> Json:
    return {
        "type": "ticket_type",
        "id": str(which.id),
        "name": which.name,
        "description": "",
        "icon": "🎫",
        "category": which.category,
        "archived": False,
    }


def _ticket_parts(which: Conversation, plain: bool) -> Json:
    kept = ("type", "id", "part_type", "body", "created_at", "updated_at", "assigned_to", "author", "attachments")
    parts = [
        {name: value for name, value in part(each, plain=plain).items() if name in kept}
        | ({"app_package_code": each.author.package} if each.author.package else {})
        for each in which.parts[-500:]
    ]
    return {"type": "ticket_part.list", "ticket_parts": parts, "total_count": len(which.parts)}


def _source(which: Conversation, plain: bool) -> Json:
    who = which.contact
    return {
        "type": "email" if which.subject.plain else "conversation",
        "id": str(which.message),
        "delivered_as": "customer_initiated",
        "subject": _body(which.subject, plain),
        "body": _body(which.body, plain),
        "author": {"type": who.role, "id": who.id, "name": who.name, "email": who.email},
        "attachments": [],
        "url": None,
        "redacted": False,
    }


def _channel(which: Conversation) -> str:
    return "email" if which.subject.plain else "messenger"


def _first_contact_reply(which: Conversation) -> Json | None:
    at = which.statistics.first_contact_reply_at
    return None if at is None else {"created_at": at, "type": _channel(which), "url": None}


def _body(body: Text | None, plain: bool) -> str | None:
    return None if body is None else body.plain if plain else body.html


def _author(who: Author) -> Json:
    return {"type": who.type, "id": who.id, "name": who.name, "email": who.email}


def _assigned(which: Part) -> Json | None:
    if which.assigned is None:
        return None
    return {"type": which.assigned.type, "id": None if which.assigned.id is None else str(which.assigned.id)}


def _contact_reference(who: Contact) -> Json:
    return {"type": "contact", "id": who.id, "external_id": None}


def _admin_reference(admin_id: int) -> Json:
    return {"type": "admin", "id": str(admin_id)}
