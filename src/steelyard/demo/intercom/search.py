"""Intercom's search language: filters, groups of filters, and groups of groups; a cursor to page with."""

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from steelyard.demo.intercom.model import Conversation, Json

MOST_PER_GROUP = 15

Value = str | int | bool | None
Matches = Callable[[Conversation], bool]


class BadQuery(Exception):
    """The search cannot be read; the message says where it goes wrong."""


class Field(NamedTuple):
    """`kind` is `string`, `words` (a text of which `=` finds single words), `number` (integers and dates) or `boolean`.

    `read` gives all values: a conversation has several tags. No value at all equals null.
    """

    kind: str
    read: Callable[[Conversation], Sequence[Value]]


class Page(NamedTuple):
    items: list[Conversation]
    pages: Json
    total: int


def compile_query(query: object) -> Matches:
    """The predicate that `query` describes. Raises BadQuery."""
    return _compile(query, depth=2)


def page_of(found: Sequence[Conversation], per_page: int, starting_after: str | None) -> Page:
    """The page behind the cursor, newest conversation first. Raises BadQuery on a cursor that was never given out."""
    ordered = sorted(found, key=lambda each: each.id, reverse=True)
    after = _read_cursor(starting_after)
    start = 0 if after is None else sum(each.id >= after for each in ordered)
    items = ordered[start : start + per_page]
    pages: Json = {
        "type": "pages",
        "page": start // per_page + 1,
        "per_page": per_page,
        "total_pages": -(-len(ordered) // per_page),
    }
    if start + per_page < len(ordered):
        pages["next"] = {"per_page": per_page, "starting_after": _cursor(items[-1].id)}
    return Page(items, pages, len(ordered))


def _cursor(last: int) -> str:
    return base64.b64encode(json.dumps([last]).encode()).decode()


def _read_cursor(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    try:
        (last,) = json.loads(base64.b64decode(cursor, validate=True))
    except (ValueError, TypeError) as error:
        raise BadQuery("starting_after is no cursor of this list") from error
    if not isinstance(last, int):
        raise BadQuery("starting_after is no cursor of this list")
    return last


def _compile(query: Any, depth: int) -> Matches:
    if not isinstance(query, dict) or not {"operator", "value"} <= query.keys():
        raise BadQuery("a query is an object with an operator and a value")
    operator, value = cast(Any, query["operator"]), cast(Any, query["value"])
    if "field" in query:
        return _filter(cast(Any, query["field"]), operator, value)
    if operator not in ("AND", "OR") or not isinstance(value, list):
        raise BadQuery("a query without a field is a group: its operator is AND or OR, its value an array")
    return _group(operator, cast(list[Any], value), depth)


def _group(operator: str, group: list[Any], depth: int) -> Matches:
    if depth == 0:
        raise BadQuery("groups can be nested 2 deep at most")
    if not 1 <= len(group) <= MOST_PER_GROUP:
        raise BadQuery(f"a group has 1 to {MOST_PER_GROUP} filters")
    if len({isinstance(each, dict) and "field" in each for each in group}) == 2:
        raise BadQuery("a group has filters or groups, not both")
    members = [_compile(each, depth - 1) for each in group]
    combine = all if operator == "AND" else any
    return lambda conversation: combine(member(conversation) for member in members)


def _filter(name: Any, operator: Any, value: Any) -> Matches:
    field = FIELDS.get(name) if isinstance(name, str) else None
    if field is None:
        raise BadQuery(f"{name} is not a field that can be searched")
    if operator in ("IN", "NIN"):
        if not isinstance(value, list):
            raise BadQuery(f"{operator} wants an array")
        single = [_filter(name, "=", each) for each in cast(list[Any], value)]
        return lambda conversation: any(equals(conversation) for equals in single) is (operator == "IN")
    test = _TESTS.get((field.kind, operator)) if isinstance(operator, str) else None
    if test is None:
        raise BadQuery(f"{operator} does not fit {name}")
    if not _fits(field.kind, value) and not (value is None and operator in ("=", "!=")):
        raise BadQuery(f"the value does not fit {name}, which is a {field.kind}")
    return lambda conversation: test(field.read(conversation), value)


def _fits(kind: str, value: object) -> bool:
    match kind:
        case "boolean":
            return isinstance(value, bool)
        case "number":
            return isinstance(value, int) and not isinstance(value, bool)
        case _:
            return isinstance(value, str)


Test = Callable[[Sequence[Any], Any], bool]
"""Of a field's values and the wanted value."""


def _equals(values: Sequence[Any], wanted: Any) -> bool:
    return wanted in values if values else wanted is None


def _has_word(values: Sequence[Any], wanted: Any) -> bool:
    return any(wanted in each.split() for each in values) if wanted is not None else not any(values)


def _contains(values: Sequence[Any], wanted: Any) -> bool:
    return any(wanted.lower() in each.lower() for each in values)


def _starts(values: Sequence[Any], wanted: Any) -> bool:
    return any(each.startswith(wanted) for each in values)


def _ends(values: Sequence[Any], wanted: Any) -> bool:
    return any(each.endswith(wanted) for each in values)


def _at_least(values: Sequence[Any], wanted: Any) -> bool:
    return any(each >= wanted for each in values)


def _at_most(values: Sequence[Any], wanted: Any) -> bool:
    return any(each <= wanted for each in values)


def _not(test: Test) -> Test:
    return lambda values, wanted: not test(values, wanted)


_EQUALITY: dict[str, Test] = {"=": _equals, "!=": _not(_equals)}
_TEXT: dict[str, Test] = {"~": _contains, "!~": _not(_contains), "^": _starts, "$": _ends}
# `>` and `<` include the value itself, as Intercom's own text says.
_BY_KIND: dict[str, dict[str, Test]] = {
    "boolean": _EQUALITY,
    "number": _EQUALITY | {">": _at_least, ">=": _at_least, "<": _at_most, "<=": _at_most},
    "string": _EQUALITY | _TEXT,
    "words": {"=": _has_word, "!=": _not(_has_word)} | _TEXT,
}
_TESTS = {(kind, operator): test for kind, tests in _BY_KIND.items() for operator, test in tests.items()}


def _one(kind: str, read: Callable[[Conversation], Value]) -> Field:
    def values(conversation: Conversation) -> Sequence[Value]:
        value = read(conversation)
        return () if value is None else (value,)

    return Field(kind, values)


def _counted(name: str) -> Field:
    return _one("number", lambda each: getattr(each.statistics, name))


def _teammates(conversation: Conversation) -> Sequence[Value]:
    return [str(teammate) for teammate in conversation.teammates]


def _tags(conversation: Conversation) -> Sequence[Value]:
    return [str(tag) for tag in conversation.tags]


_STATISTICS = (
    *("time_to_assignment", "time_to_admin_reply", "time_to_first_close", "time_to_last_close"),
    *("first_contact_reply_at", "first_assignment_at", "first_admin_reply_at", "first_close_at"),
    *("last_assignment_at", "last_assignment_admin_reply_at", "last_contact_reply_at", "last_admin_reply_at"),
    *("last_close_at", "count_reopens", "count_assignments", "count_conversation_parts"),
)

FIELDS: dict[str, Field] = {
    "id": _one("string", lambda each: str(each.id)),
    "created_at": _one("number", lambda each: each.created_at),
    "updated_at": _one("number", lambda each: each.updated_at),
    "source.type": _one("string", lambda each: "email" if each.subject.plain else "conversation"),
    "source.id": _one("string", lambda each: str(each.message)),
    "source.delivered_as": _one("string", lambda _: "customer_initiated"),
    "source.subject": _one("string", lambda each: each.subject.plain),
    "source.body": _one("words", lambda each: each.body.plain),
    "source.author.id": _one("string", lambda each: each.contact.id),
    "source.author.type": _one("string", lambda each: each.contact.role),
    "source.author.name": _one("string", lambda each: each.contact.name),
    "source.author.email": _one("string", lambda each: each.contact.email),
    "source.url": _one("string", lambda _: None),
    "contact_ids": _one("string", lambda each: each.contact.id),
    "teammate_ids": Field("string", _teammates),
    "admin_assignee_id": _one("number", lambda each: each.admin),
    "team_assignee_id": _one("number", lambda each: each.team),
    "channel_initiated": _one("string", lambda each: "email" if each.subject.plain else "messenger"),
    "open": _one("boolean", lambda each: each.state != "closed"),
    "read": _one("boolean", lambda each: each.read),
    "state": _one("string", lambda each: each.state),
    "waiting_since": _one("number", lambda each: each.waiting_since),
    "snoozed_until": _one("number", lambda each: each.snoozed_until),
    "tag_ids": Field("string", _tags),
    "priority": _one("string", lambda each: each.priority),
    "statistics.last_closed_by_id": _one("string", lambda each: each.statistics.last_closed_by_id),
    "ai_agent_participated": _one("boolean", lambda _: False),
    **{f"statistics.{name}": _counted(name) for name in _STATISTICS},
    **{
        f"conversation_rating.{name}": _one("number", lambda _: None)
        for name in ("requested_at", "replied_at", "score")
    },
}
"""What conversations, and the tickets they became, can be searched by."""
