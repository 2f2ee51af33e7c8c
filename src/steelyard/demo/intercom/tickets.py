"""What can be done to a ticket. A conversation that becomes one keeps its id, its assignee and its parts."""

from steelyard.demo.intercom import shapes
from steelyard.demo.intercom.model import Conversation, Json, Publish, Ticket, TicketState, TicketType, Workspace


def convert(
    workspace: Workspace, conversation: Conversation, kind: TicketType, state: TicketState, attributes: Json
) -> None:
    title = conversation.subject.plain or conversation.body.plain[:80]
    described = {"_default_title_": title, "_default_description_": conversation.body.plain}
    conversation.ticket = Ticket(workspace.number("ticket"), kind, state, described | attributes)
    _changed(workspace, conversation, "ticket.created")


def set_state(workspace: Workspace, conversation: Conversation, state: TicketState) -> None:
    """A resolved ticket is closed, and open again in any other state."""
    ticket = _ticket_of(conversation)
    ticket.previous, ticket.state = ticket.state, state
    resolved = state.category == "resolved"
    conversation.state = "closed" if resolved else "open"
    _changed(workspace, conversation, "ticket.state.updated")
    if resolved:
        _changed(workspace, conversation, "ticket.resolved")


def set_attributes(workspace: Workspace, conversation: Conversation, attributes: Json) -> None:
    _ticket_of(conversation).attributes.update(attributes)
    _changed(workspace, conversation, "ticket.attribute.updated")


def _ticket_of(conversation: Conversation) -> Ticket:
    if conversation.ticket is None:
        raise ValueError(f"conversation {conversation.id} is no ticket")
    return conversation.ticket


def _changed(workspace: Workspace, conversation: Conversation, topic: str) -> None:
    conversation.updated_at = workspace.now()
    workspace.publish(Publish(topic, shapes.ticket(conversation, plain=True), conversation.id))
