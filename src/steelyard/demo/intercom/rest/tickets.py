"""Tickets: read, change, find, make from a conversation."""

from steelyard.demo.intercom import conversations, shapes, tickets
from steelyard.demo.intercom.conversations import Actor
from steelyard.demo.intercom.model import Conversation, Json, TicketState
from steelyard.demo.intercom.rest.call import Call, Operation, Refused, invalid
from steelyard.demo.intercom.rest.conversations import search
from steelyard.kit.ids import numeric_id


def read(call: Call) -> Json:
    return shapes.ticket(_ticket(call))


def find(call: Call) -> Json:
    page = search(call, (each for each in call.workspace.conversations.values() if each.ticket))
    return {
        "type": "ticket.list",
        "pages": page.pages,
        "total_count": page.total,
        "tickets": [shapes.ticket(each) for each in page.items],
    }


def update(call: Call) -> Json:
    """All or nothing: everything is checked before anything is changed."""
    workspace, which = call.workspace, _ticket(call)
    state = _state(call) if "ticket_state_id" in call.body else None
    attributes = call.mapping("ticket_attributes")
    assignee = call.id("assignee_id") if "assignee_id" in call.body else None
    actor = Actor(call.admin(_actor_id(call), "assignee_not_found"), workspace.package)
    if assignee and assignee not in workspace.admins and assignee not in workspace.teams:
        raise Refused(404, "assignee_not_found", "Assignee not found")
    if state is not None:
        tickets.set_state(workspace, which, state)
    if attributes:
        tickets.set_attributes(workspace, which, attributes)
    if call.body.get("open") is False:
        conversations.close(workspace, which, actor)
    if assignee in workspace.teams:
        conversations.assign(workspace, which, actor, team=assignee)
    elif assignee is not None:
        conversations.assign(workspace, which, actor, admin=assignee)
    return shapes.ticket(which)


def convert(call: Call) -> Json:
    conversation = call.conversation()
    kind = call.workspace.ticket_types.get(call.id("ticket_type_id"))
    if kind is None or kind.category != "Customer" or conversation.ticket:
        raise invalid("Ticket type is not a customer ticket type", "ticket_type_id")
    state = _state(call) if "ticket_state_id" in call.body else next(iter(call.workspace.ticket_states.values()))
    tickets.convert(call.workspace, conversation, kind, state, call.mapping("attributes"))
    return shapes.ticket(conversation)


def states(call: Call) -> Json:
    kinds = [shapes.ticket_type(each) for each in call.workspace.ticket_types.values()]
    more = {"archived": False, "ticket_types": {"type": "list", "data": kinds}}
    return {
        "type": "list",
        "data": [shapes.ticket_state(each) | more for each in call.workspace.ticket_states.values()],
    }


def _ticket(call: Call) -> Conversation:
    found = call.workspace.conversations.get(numeric_id(call.path["ticket_id"]) or 0)
    if found is None or found.ticket is None:
        raise Refused(404, "ticket_not_found", "Ticket not found")
    return found


def _state(call: Call) -> TicketState:
    found = call.workspace.ticket_states.get(call.id("ticket_state_id"))
    if found is None:
        message = "Ticket state id is not valid or is not associated with the ticket type"
        raise Refused(400, "ticket_state_id_invalid", message, "ticket_state_id")
    return found


def _actor_id(call: Call) -> int:
    return call.id("admin_id") if "assignee_id" in call.body else call.workspace.owner


ROUTES: tuple[Operation, ...] = (
    Operation("search_tickets", "POST", "/tickets/search", find),
    Operation("ticket", "GET", "/tickets/{ticket_id}", read),
    Operation("update_ticket", "PUT", "/tickets/{ticket_id}", update),
    Operation("convert", "POST", "/conversations/{conversation_id}/convert", convert),
    Operation("ticket_states", "GET", "/ticket_states", states),
)
