"""Searching the simulated Intercom finds what a plain filter finds, in pages that can be walked to the end."""

import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator_calls import Api, answering, written

from steelyard.demo.intercom import Config, Simulator, conversations, people
from steelyard.demo.intercom.conversations import Actor
from steelyard.demo.intercom.model import PRIORITIES, Conversation
from steelyard.demo.intercom.search import FIELDS, BadQuery, compile_query, page_of


def busy_workspace() -> Simulator:
    """Sixty conversations in every state there is."""
    simulator, draw = Simulator(Config()), random.Random(3)
    workspace = simulator.workspace
    engineers = [each for each in workspace.admins.values() if each.seat][:4]
    for number in range(60):
        priority, tags = draw.choice(PRIORITIES), tuple(draw.sample(["vip", "weight:8", "dns"], draw.randint(0, 2)))
        subject = draw.choice(["", "DNS", "Mail"])
        conversation = written(simulator, f"number {number} help", subject=subject, priority=priority, tags=tags)
        conversation.created_at = conversation.updated_at = 1_000 + number
        actor = Actor(draw.choice(engineers))
        if draw.random() < 0.7:
            conversations.assign(workspace, conversation, actor, admin=draw.choice(engineers).id)
        if draw.random() < 0.4:
            deed = draw.choice(["close", "snooze", "admin_reply"])
            people.TO_CONVERSATIONS[deed](workspace, conversation, actor, {"body": "x"})
        conversation.updated_at = 2_000 + draw.randint(0, 20)
    return simulator


BUSY = busy_workspace()
ALL = list(BUSY.workspace.conversations.values())
SOMEBODY = sorted({each.admin for each in ALL})
TAGS = [str(tag) for tag in BUSY.workspace.tags]

# What each field is, said again in plain Python.
PLAIN: dict[str, tuple[Callable[[Conversation], Any], st.SearchStrategy[Any]]] = {
    "id": (lambda each: [str(each.id)], st.sampled_from([str(each.id) for each in ALL])),
    "created_at": (lambda each: [each.created_at], st.integers(995, 1_065)),
    "updated_at": (lambda each: [each.updated_at], st.integers(1_999, 2_021)),
    "open": (lambda each: [each.state in ("open", "snoozed")], st.booleans()),
    "state": (lambda each: [each.state], st.sampled_from(["open", "closed", "snoozed"])),
    "priority": (lambda each: [each.priority], st.sampled_from(PRIORITIES)),
    "admin_assignee_id": (lambda each: [each.admin], st.sampled_from(SOMEBODY)),
    "tag_ids": (lambda each: [str(tag) for tag in each.tags], st.sampled_from(TAGS)),
    "snoozed_until": (lambda each: [each.snoozed_until] if each.snoozed_until else [], st.just(5)),
    "source.subject": (lambda each: [each.subject.plain], st.sampled_from(["DNS", "NS", "Mail", ""])),
    "source.author.email": (lambda each: [each.contact.email], st.sampled_from(["alba", "example.test", "z"])),
}
OPERATORS: dict[str, Callable[[list[Any], Any], bool]] = {
    "=": lambda values, wanted: wanted in values,
    "!=": lambda values, wanted: wanted not in values,
    "IN": lambda values, wanted: bool(set(values) & set(wanted)),
    "NIN": lambda values, wanted: not set(values) & set(wanted),
    ">": lambda values, wanted: any(value >= wanted for value in values),
    "<": lambda values, wanted: any(value <= wanted for value in values),
    "~": lambda values, wanted: any(wanted.lower() in value.lower() for value in values),
    "!~": lambda values, wanted: all(wanted.lower() not in value.lower() for value in values),
    "^": lambda values, wanted: any(value[: len(wanted)] == wanted for value in values),
    "$": lambda values, wanted: any(value[len(value) - len(wanted) :] == wanted for value in values),
}
FITTING = {"string": ["~", "!~", "^", "$"], "number": [">", "<"], "boolean": []}


@st.composite
def filters(draw: st.DrawFn) -> dict[str, Any]:
    field = draw(st.sampled_from(sorted(PLAIN)))
    operator = draw(st.sampled_from(["=", "!=", "IN", "NIN", *FITTING[FIELDS[field].kind]]))
    value = PLAIN[field][1]
    return {"field": field, "operator": operator, "value": draw(st.lists(value) if "IN" in operator else value)}


def groups(member: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    operator = st.sampled_from(["AND", "OR"])
    return st.fixed_dictionaries({"operator": operator, "value": st.lists(member, min_size=1, max_size=5)})


def plainly(query: dict[str, Any], conversation: Conversation) -> bool:
    if "field" in query:
        return OPERATORS[query["operator"]](PLAIN[query["field"]][0](conversation), query["value"])
    members = [plainly(each, conversation) for each in query["value"]]
    return all(members) if query["operator"] == "AND" else any(members)


@settings(max_examples=300, deadline=None)
@given(filters() | groups(filters()) | groups(groups(filters())))
def test_search_finds_what_a_plain_filter_finds(query: dict[str, Any]) -> None:
    matches = compile_query(query)
    assert [each.id for each in ALL if matches(each)] == [each.id for each in ALL if plainly(query, each)]


@settings(deadline=None)
@given(st.integers(1, 150), st.integers(0, len(ALL)))
def test_pages_have_everything_once_and_end(per_page: int, wanted: int) -> None:
    found, cursor, seen = ALL[:wanted], None, []
    for number in range(1, wanted + 2):
        page = page_of(found, per_page, cursor)
        assert (page.pages["page"], page.total) == (number, wanted)
        seen += [each.id for each in page.items]
        if "next" not in page.pages:
            break
        cursor = page.pages["next"]["starting_after"]
    assert "next" not in page.pages
    assert seen == sorted((each.id for each in found), reverse=True)


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
KEYS = st.sampled_from(["field", "operator", "value", "x"])
ANYTHING = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner))


@settings(max_examples=300)
@given(ANYTHING)
def test_any_query_is_understood_or_refused(query: Any) -> None:
    try:
        compile_query(query)(ALL[0])
    except BadQuery:
        return


OPEN = {"field": "open", "operator": "=", "value": True}
BAD = [
    {"field": "open", "operator": "=", "value": 1},
    {"field": "open", "operator": ">", "value": True},
    {"field": "admin_assignee_id", "operator": "=", "value": "7"},
    {"field": "admin_assignee_id", "operator": "=", "value": True},
    {"field": "admin_assignee_id", "operator": "IN", "value": 7},
    {"field": "admin_assignee_id", "operator": "~", "value": 7},
    {"field": "state", "operator": ">", "value": "open"},
    {"field": "state", "operator": "EQ", "value": "open"},
    {"field": "custom_attributes.weight", "operator": "=", "value": 8},
    {"field": "created_at", "operator": ">", "value": "foorbar"},
    {"field": "created_at", "operator": ">", "value": None},
    {"operator": "AND", "value": []},
    {"operator": "XOR", "value": [OPEN]},
    {"operator": "AND", "value": [OPEN] * 16},
    {"operator": "AND", "value": [{"operator": "OR", "value": [{"operator": "OR", "value": [OPEN]}]}]},
    {"operator": "AND", "value": [OPEN, {"operator": "OR", "value": [OPEN]}]},
    {"field": "open"},
    [],
    "open",
]


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with answering() as api:
        yield api


@pytest.mark.parametrize("query", BAD, ids=str)
async def test_a_bad_query_is_refused(api: Api, query: Any) -> None:
    answer = await api("POST", "/conversations/search", {"query": query}, status=400)
    assert answer["errors"][0]["code"] == "parameter_invalid"


async def test_a_search_is_walked_to_its_end_over_http(api: Api) -> None:
    ids = [written(api.simulator).id for _ in range(7)]
    await api.control(f"conversations/{ids[3]}/close", {})
    body: dict[str, Any] = {
        "query": {"operator": "AND", "value": [{"field": "open", "operator": "=", "value": True}]},
        "pagination": {"per_page": 4},
    }
    found: list[int] = []
    for _ in range(2):
        answer = await api("POST", "/conversations/search", body)
        found += [int(each["id"]) for each in answer["conversations"]]
        assert "conversation_parts" not in answer["conversations"][0]
        body["pagination"] = answer["pages"].get("next")
    assert body["pagination"] is None
    assert sorted(found) == ids[:3] + ids[4:]
    assert answer["total_count"] == 6


async def test_the_list_is_walked_to_its_end(api: Api) -> None:
    ids = [written(api.simulator).id for _ in range(5)]
    first = await api("GET", "/conversations?per_page=3")
    cursor = first["pages"]["next"]["starting_after"]
    second = await api("GET", f"/conversations?per_page=3&starting_after={cursor}")
    assert [int(each["id"]) for each in first["conversations"] + second["conversations"]] == ids[::-1]
    assert "next" not in second["pages"]


async def test_a_word_of_the_body_is_found_and_half_a_sentence_is_not() -> None:
    words = {"field": "source.body", "operator": "="}
    assert sum(map(compile_query(words | {"value": "help"}), ALL)) == len(ALL)
    assert sum(map(compile_query(words | {"value": "7 help"}), ALL)) == 0
    assert sum(map(compile_query(words | {"operator": "~", "value": "7 help"}), ALL)) == 6


async def test_null_is_what_is_not_there() -> None:
    never = compile_query({"field": "snoozed_until", "operator": "=", "value": None})
    assert {each.state for each in ALL if not never(each)} == {"snoozed"}
