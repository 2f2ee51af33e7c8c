"""Conversations: list, find, read, begin, update, assign, close, snooze, open, reply, tag."""

from collections.abc import Callable, Iterable

from steelyard.demo.intercom import conversations as deeds
from steelyard.demo.intercom import shapes
from steelyard.demo.intercom.conversations import Actor
from steelyard.demo.intercom.model import Attribute, Contact, Conversation, Json, sent
from steelyard.demo.intercom.rest.call import Call, Operation, Refused, invalid, paging
from steelyard.demo.intercom.search import BadQuery, Page, compile_query, page_of


def list_all(call: Call) -> Json:
    return _listed(_page(call.workspace.conversations.values(), call.query))


def find(call: Call) -> Json:
    return _listed(search(call, call.workspace.conversations.values()))


def search(call: Call, among: Iterable[Conversation]) -> Page:
    """The page of `among` that the body's query and pagination ask for. Raises Refused."""
    try:
        matches = compile_query(call.required("query"))
    except BadQuery as error:
        raise invalid(str(error), "query") from error
    return _page((each for each in among if matches(each)), call.mapping("pagination"))


def read(call: Call) -> Json:
    plain = call.query.get("display_as") == "plaintext"
    return shapes.conversation(call.conversation(), plain=plain)


def begin(call: Call) -> Json:
    """A user or lead writes first."""
    match call.required("from"):
        case {"type": "user" | "lead" | "contact", "id": str() as contact_id}:
            contact = call.workspace.contacts.get(contact_id)
        case _:
            raise invalid("from must have a type of user, lead or contact, and an id", "from")
    if contact is None:
        raise Refused(404, "not_found", "User Not Found")
    body, subject = sent(call.string("body")), sent(call.string("subject", ""))
    conversation = deeds.create(call.workspace, contact, body, subject=subject)
    return {
        "type": "user_message",
        "id": str(conversation.message),
        "created_at": conversation.created_at,
        "subject": subject.html,
        "body": body.plain,
        "message_type": "email" if subject.plain else "inapp",
        "conversation_id": str(conversation.id),
    }


def update(call: Call) -> Json:
    """All or nothing: everything is checked before anything is changed."""
    conversation = call.conversation()
    changes = _attribute_changes(call)
    read = call.boolean("read") if "read" in call.body else conversation.read
    title = call.string("title") if "title" in call.body else conversation.title
    conversation.read, conversation.title = read, title
    for attribute, value in changes:
        deeds.set_attribute(call.workspace, conversation, attribute, value)
    return shapes.conversation(conversation, plain=call.query.get("display_as") == "plaintext")


def manage(call: Call) -> Json:
    """Assign, close, snooze or open, by `message_type`."""
    conversation = call.conversation()
    message_type = call.choice("message_type", *_MANAGED)
    _MANAGED[message_type](call, conversation, call.actor())
    return shapes.conversation(conversation)


def reply(call: Call) -> Json:
    conversation = call.conversation()
    match call.choice("type", "admin", "user"):
        case "admin":
            _reply_as_admin(call, conversation)
        case _:
            call.choice("message_type", "comment")
            _same_contact(call, conversation.contact)
            deeds.reply_as_customer(call.workspace, conversation, sent(call.string("body")))
    return shapes.conversation(conversation)


def tag(call: Call) -> Json:
    conversation, which = call.conversation(), call.tag(call.required("id"))
    return shapes.applied(deeds.tag(call.workspace, conversation, call.actor(), which))


def untag(call: Call) -> Json:
    conversation, which = call.conversation(), call.tag(call.path["tag_id"])
    call.actor()
    applied = conversation.tags.get(which.id)
    if applied is None:
        raise Refused(404, "tag_not_found", "Tag not found")
    deeds.untag(call.workspace, conversation, which)
    return shapes.applied(applied)


def remove(call: Call) -> Json:
    conversation = call.conversation()
    deeds.delete(call.workspace, conversation)
    return {"id": str(conversation.id), "object": "conversation", "deleted": True}


def _page(found: Iterable[Conversation], values: Json) -> Page:
    try:
        return page_of(list(found), *paging(values))
    except BadQuery as error:
        raise invalid(str(error), "starting_after") from error


def _listed(page: Page) -> Json:
    return {
        "type": "conversation.list",
        "pages": page.pages,
        "total_count": page.total,
        "conversations": [shapes.conversation_item(each) for each in page.items],
    }


def _attribute_changes(call: Call) -> list[tuple[Attribute, str | int]]:
    return [_attribute_change(call, name, value) for name, value in call.mapping("custom_attributes").items()]


def _attribute_change(call: Call, name: str, value: object) -> tuple[Attribute, str | int]:
    attribute = call.workspace.attributes.get(name)
    if attribute is None:
        raise invalid(f"Custom attribute '{name}' does not exist", "custom_attributes")
    if isinstance(value, bool) or not isinstance(value, int if attribute.data_type == "integer" else str):
        raise invalid(f"Custom attribute '{name}' must be of type {attribute.data_type}", "custom_attributes")
    if attribute.data_type == "list" and value not in attribute.options:
        raise invalid(f"Custom attribute '{name}' has no option '{value}'", "custom_attributes")
    return attribute, value


def _assign(call: Call, conversation: Conversation, actor: Actor) -> None:
    to, assignee = call.choice("type", "admin", "team"), call.id("assignee_id")
    body = call.string("body", "")
    known = call.workspace.admins if to == "admin" else call.workspace.teams
    if assignee and assignee not in known:
        raise Refused(404, "assignee_not_found", "Assignee not found")
    admin, team = (assignee, None) if to == "admin" else (None, assignee)
    deeds.assign(call.workspace, conversation, actor, admin=admin, team=team, body=sent(body) if body else None)


def _close(call: Call, conversation: Conversation, actor: Actor) -> None:
    call.choice("type", "admin")
    body = call.string("body", "")
    deeds.close(call.workspace, conversation, actor, sent(body) if body else None)


def _snooze(call: Call, conversation: Conversation, actor: Actor) -> None:
    until = call.number("snoozed_until")
    if until <= call.workspace.now():
        raise invalid("snoozed_until must be in the future", "snoozed_until")
    deeds.snooze(call.workspace, conversation, actor, until)


def _open(call: Call, conversation: Conversation, actor: Actor) -> None:
    deeds.reopen(call.workspace, conversation, actor)


_MANAGED: dict[str, Callable[[Call, Conversation, Actor], None]] = {
    "assignment": _assign,
    "close": _close,
    "snoozed": _snooze,
    "open": _open,
}


def _reply_as_admin(call: Call, conversation: Conversation) -> None:
    message_type, actor = call.choice("message_type", "comment", "note", "quick_reply"), call.actor()
    if message_type == "note":
        deeds.note(call.workspace, conversation, actor, sent(call.string("body")))
    else:
        body = call.string("body") if message_type == "comment" else ""
        deeds.reply_as_admin(call.workspace, conversation, actor, sent(body) if body else None)


def _same_contact(call: Call, contact: Contact) -> None:
    names = {"intercom_user_id": contact.id, "user_id": contact.id, "email": contact.email}
    given = {name: call.string(name) for name in names if name in call.body}
    if not given:
        raise Refused(400, "parameter_not_found", "intercom_user_id not specified", "intercom_user_id")
    if any(names[name] != value for name, value in given.items()):
        raise Refused(404, "not_found", "User Not Found")


ROUTES: tuple[Operation, ...] = (
    Operation("conversations", "GET", "/conversations", list_all),
    Operation("create_conversation", "POST", "/conversations", begin),
    Operation("search_conversations", "POST", "/conversations/search", find),
    Operation("conversation", "GET", "/conversations/{conversation_id}", read),
    Operation("update_conversation", "PUT", "/conversations/{conversation_id}", update),
    Operation("delete_conversation", "DELETE", "/conversations/{conversation_id}", remove),
    Operation("part", "POST", "/conversations/{conversation_id}/parts", manage),
    Operation("reply", "POST", "/conversations/{conversation_id}/reply", reply),
    Operation("tag", "POST", "/conversations/{conversation_id}/tags", tag),
    Operation("untag", "DELETE", "/conversations/{conversation_id}/tags/{tag_id}", untag),
)
