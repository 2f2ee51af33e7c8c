"""Who and what the workspace has: admins, teams, tags, attributes, contacts."""

from typing import Any

from steelyard.demo.intercom import shapes, staff
from steelyard.demo.intercom.model import Attribute, Json
from steelyard.demo.intercom.rest.call import Call, Operation, Refused, invalid
from steelyard.kit.ids import numeric_id

DATA_TYPES = ("string", "integer", "list", "decimal", "boolean", "datetime", "relationship", "files")


def me(call: Call) -> Json:
    return shapes.me(call.workspace, call.workspace.admins[call.workspace.owner])


def admins(call: Call) -> Json:
    return {
        "type": "admin.list",
        "admins": [shapes.admin(call.workspace, each) for each in call.workspace.admins.values()],
    }


def admin(call: Call) -> Json:
    return shapes.admin(call.workspace, call.admin(numeric_id(call.path["admin_id"]) or 0))


def set_away(call: Call) -> Json:
    who = call.admin(numeric_id(call.path["admin_id"]) or 0)
    away, reassign = call.boolean("away_mode_enabled"), call.boolean("away_mode_reassign")
    reason = call.number("away_status_reason_id") if call.body.get("away_status_reason_id") is not None else None
    if reason is not None and (reason not in call.workspace.reasons or call.workspace.reasons[reason].deleted):
        raise invalid("Away status reason is deleted", "away_status_reason_id")
    if away:
        staff.go_away(call.workspace, who, reassign=reassign, reason=reason)
    else:
        staff.come_back(call.workspace, who)
    return shapes.admin(call.workspace, who)


def away_reasons(call: Call) -> Json:
    reasons = enumerate(call.workspace.reasons.values(), start=1)
    return {"type": "list", "data": [shapes.reason(call.workspace, each, order) for order, each in reasons]}


def teams(call: Call) -> Json:
    return {"type": "team.list", "teams": [shapes.team(each) for each in call.workspace.teams.values()]}


def team(call: Call) -> Json:
    found = call.workspace.teams.get(numeric_id(call.path["team_id"]) or 0)
    if found is None:
        raise Refused(404, "team_not_found", "Team not found")
    return shapes.team(found)


def tags(call: Call) -> Json:
    return {"type": "list", "data": [shapes.tag(each) for each in call.workspace.tags.values()]}


def make_tag(call: Call) -> Json:
    """Creates it, or answers with the one of that name."""
    name = call.string("name").strip()
    if not name:
        raise invalid("invalid tag parameters", "name")
    return shapes.tag(call.workspace.tag_named(name))


def attributes(call: Call) -> Json:
    return {"type": "list", "data": [shapes.attribute(each) for each in call.workspace.attributes.values()]}


def make_attribute(call: Call) -> Json:
    workspace, name, data_type = call.workspace, call.string("name"), call.string("data_type")
    if data_type not in DATA_TYPES:
        message = f"data_type '{data_type}' is not valid. Allowed types: {', '.join(DATA_TYPES)}"
        raise Refused(422, "parameter_invalid", message, "data_type")
    if name in workspace.attributes:
        raise Refused(422, "parameter_invalid", f"name '{name}' is already taken", "name")
    made = Attribute(
        id=workspace.number("attribute"),
        name=name,
        data_type=data_type,
        created_at=workspace.now(),
        admin=workspace.owner,
        description=call.string("description", ""),
        required=bool(call.body.get("required", False)),
        options=_options(call) if data_type == "list" else (),
    )
    workspace.attributes[name] = made
    return shapes.attribute(made)


def contact(call: Call) -> Json:
    found = call.workspace.contacts.get(call.path["contact_id"])
    if found is None:
        raise Refused(404, "not_found", "User Not Found")
    return shapes.contact(call.workspace, found)


def _options(call: Call) -> tuple[str, ...]:
    wanted: Any = call.required("options")
    try:
        labels: list[Any] = [each["label"] for each in wanted]
    except (TypeError, KeyError):
        labels = [None]
    if not all(isinstance(label, str) for label in labels):
        raise Refused(422, "parameter_invalid", "options must be a list of objects with a label", "options")
    return tuple(labels)


ROUTES: tuple[Operation, ...] = (
    Operation("me", "GET", "/me", me),
    Operation("admins", "GET", "/admins", admins),
    Operation("admin", "GET", "/admins/{admin_id}", admin),
    Operation("set_away", "PUT", "/admins/{admin_id}/away", set_away),
    Operation("away_status_reasons", "GET", "/away_status_reasons", away_reasons),
    Operation("teams", "GET", "/teams", teams),
    Operation("team", "GET", "/teams/{team_id}", team),
    Operation("tags", "GET", "/tags", tags),
    Operation("create_tag", "POST", "/tags", make_tag),
    Operation("conversation_attributes", "GET", "/conversations/attributes", attributes),
    Operation("create_conversation_attribute", "POST", "/conversations/attributes", make_attribute),
    Operation("contact", "GET", "/contacts/{contact_id}", contact),
)
