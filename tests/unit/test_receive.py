"""Receiving is total: any bytes become something seen, something to ask for, or an ignored payload with a reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from routing_strategies import (
    BEGAN,
    READER,
    Core,
    Shown,
    admin,
    away_refused,
    check,
    moved,
    notification,
    receipt,
    rotation,
)

from steelyard.kit.facts import Fact
from steelyard.kit.instants import moment
from steelyard.routing import codec
from steelyard.routing.model import Phase
from steelyard.routing.receive import TOPICS, UNWANTED, AskFor, receive
from steelyard.routing.seen import (
    Gone,
    Ignored,
    SeenConversation,
    SeenEngineer,
    SeenMove,
    SeenPolicy,
    SeenRefusal,
    SeenRoster,
    SeenSwitch,
    SeenTeam,
    SeenWaiting,
    Settled,
)
from steelyard.routing.told import GO_ON, POLICY, READ_BACK, ROSTER, SWITCH, TOLD

DESCRIPTION = Path(__file__).parents[2] / ".." / "shared" / "intercom" / "openapi-2.16.yaml"
LARGEST = 2**63 - 1
SEEN = (
    *(SeenConversation, Gone, SeenEngineer, SeenTeam, SeenRoster, Settled),
    *(SeenMove, SeenRefusal, SeenPolicy, SeenSwitch, SeenWaiting),
)
EVERY_TOPIC = (*TOPICS, *UNWANTED, *TOLD)

HOSTILE_TEXTS = st.one_of(
    st.sampled_from(
        ["", "0", "-1", "\ud800", "a\x00b", "open", "weight:8", "weight:\u0668", "/weight 8", "/weight auto"]
    ),
    st.sampled_from(
        ["9" * 400, "<" * 3000, "<p>/weight 8</p>&#0;&#xD800;&bogus;", "\u202e", "x" * 30_000, str(2**63), str(LARGEST)]
    ),
    st.text(st.characters(), max_size=20),
)
HOSTILE_NUMBERS = st.one_of(
    st.sampled_from(
        [0, 1, -1, 2**31, 2**37 - 1, 2**37, 2**39, 2**40, 2**53, LARGEST, LARGEST + 1, 10**300, -(10**300)]
    ),
    st.integers(),
    st.floats(),
)
LEAVES = st.one_of(st.none(), st.booleans(), HOSTILE_NUMBERS, HOSTILE_TEXTS)
NAMES = (
    *("id", "type", "topic", "created_at", "updated_at", "data", "item", "state", "open", "priority", "tags", "source"),
    *("admin_assignee_id", "team_assignee_id", "conversation_parts", "custom_attributes", "snoozed_until", "title"),
    *("name", "body", "subject", "author", "applied_at", "part_type", "app_package_code", "away_mode_enabled"),
    *("has_inbox_seat", "ticket", "ticket_state", "category", "ticket_attributes", "conversation_id", "conversation"),
    *("admins", "teams", "admin_ids", "decision", "outcome", "reason", "answer", "at", "language", "email"),
)
KEYS = st.one_of(st.sampled_from(NAMES), HOSTILE_TEXTS)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=12,
)


def whole_conversation() -> dict[str, Any]:
    """A conversation that says everything that is read."""
    shown = Shown(10, BEGAN, "Our nameservers", BEGAN + 5, assignee=2, team=7, tag=(8, BEGAN))
    shown.notes, shown.ours = [(3, BEGAN, "/weight 9")], True
    item = shown.item()
    item["source"]["author"] = {"type": "user", "name": "Ann", "email": "ann@example.test"}
    item["custom_attributes"] = {"plan": "large", "language": "French", "weight": 4}
    item["ticket_state"] = {"category": "in_progress"}
    return item | {"snoozed_until": BEGAN + 99, "title": "Help", "has_inbox_seat": True, "away_mode_enabled": False}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield from places(each, (*path, key))


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """`value` with `new` at `path`."""
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = put(value[path[0]], path[1:], new)
    return copy


def told() -> dict[str, bytes]:
    """A good payload of each topic of Steelyard's own."""
    teams = [{"id": "7", "admin_ids": [1, "2"], "name": "Premium"}]
    lists = {"topic": ROSTER, "id": "r", "created_at": BEGAN, "admins": [admin(1), admin(2)], "teams": teams}
    pressed = {"topic": SWITCH, "id": "s", "created_at": BEGAN, "routed": [7, 0], "paused": False, "person": 5}
    adopted = {"topic": POLICY, "id": "p", "created_at": BEGAN, "policy": "a" * 64}
    more = {"topic": GO_ON, "id": "g", "created_at": BEGAN}
    bodies = [
        receipt(3, 10, "delivered", whole_conversation(), BEGAN),
        moved(3, 10, 2, "moved", whole_conversation(), BEGAN),
        rotation(1, True, BEGAN),
        away_refused(3, 1, True, "parameter_invalid", BEGAN),
        *(json.dumps(each).encode() for each in (lists, pressed, adopted, more)),
    ]
    return {json.loads(each)["topic"]: each for each in bodies}


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """A good payload of any topic, in which some values are something else."""
    topic = draw(st.sampled_from(EVERY_TOPIC))
    if topic in TOLD:
        good: Any = json.loads(told()[topic])
    else:
        good = json.loads(notification(topic, whole_conversation(), "n", BEGAN))
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(list(places(good))[1:] if isinstance(good, dict) else [()]))
        if path == ("topic",):
            continue
        good = put(good, path, draw(JSON))
    return json.dumps(good).encode()


def values(seen: object) -> Iterator[object]:
    if isinstance(seen, tuple):
        for each in seen:
            yield from values(each)
    else:
        yield seen


def check_received(body: bytes) -> Any:
    """Receives and decides, and looks at everything that comes of it as the database would."""
    received = receive(body, BEGAN, READER)
    if isinstance(received, Ignored):
        assert received.reason
        return received
    assert isinstance(received, (*SEEN, AskFor))
    for each in values(received):
        assert each is None or isinstance(each, str | int | Enum)
        if isinstance(each, str):
            assert "\x00" not in each
            each.encode()
        elif isinstance(each, int):
            assert 0 <= each <= LARGEST
    ids = [getattr(received, name, None) for name in ("id", "conversation", "assignee", "team", "by", "decision")]
    assert all(1 <= id <= LARGEST for id in ids if isinstance(id, int))
    json.loads(codec.dump(received))
    core = Core()
    core.take(body)
    check(core.state)
    for recorded in core.ledger:
        check_fact(recorded.fact)
    for known in core.recorded.values():
        assert codec.conversation(json.loads(codec.dump(known))) == known
        moment(known.since * 1_000_000)  # pyright: ignore[reportArgumentType]
    return received


def check_fact(fact: Fact) -> None:
    moment(fact.at)
    assert "\\u0000" not in fact.data
    json.loads(fact.data)


@given(st.binary(max_size=200))
@example(b"")
@example(b"[" * 100_000)
@example(b'{"data":' * 50_000)
@example(b'{"data":' * 50_000 + b"1" + b"}" * 50_000)
@example(b'{"created_at":' + b"9" * 10_000 + b"}")
@example(b"\xff\xfe{\x00}\x00")
@example(b'\xef\xbb\xbf{"topic":"ping"}')
@example(b"NaN")
def test_any_bytes(body: bytes) -> None:
    check_received(body)


@given(JSON)
def test_any_json(value: Any) -> None:
    check_received(json.dumps(value).encode())


@given(st.sampled_from(EVERY_TOPIC), JSON, JSON, JSON)
def test_any_item_of_any_topic(topic: str, item: Any, id: Any, at: Any) -> None:
    check_received(json.dumps({"topic": topic, "id": id, "created_at": at, "data": {"item": item}}).encode())


@settings(max_examples=300)
@given(spoiled())
def test_any_good_payload_with_something_else_in_it(body: bytes) -> None:
    check_received(body)


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(max_examples=10_000, deadline=None)
@given(st.one_of(spoiled(), JSON.map(lambda value: json.dumps(value).encode())))
def test_many_more_payloads(body: bytes) -> None:
    check_received(body)


@pytest.mark.parametrize("topic", sorted({*EVERY_TOPIC} - {GO_ON, POLICY}))
def test_every_topic_with_nothing_in_it(topic: str) -> None:
    assert isinstance(check_received(json.dumps({"topic": topic}).encode()), Ignored)


@pytest.mark.parametrize("topic", sorted(UNWANTED))
def test_an_unwanted_topic_is_ignored_with_its_reason(topic: str) -> None:
    assert receive(notification(topic, whole_conversation(), "n", BEGAN), BEGAN, READER) == Ignored(UNWANTED[topic])


CONVERSATION_TOPICS = [topic for topic in TOPICS if topic.startswith("conversation.") and "deleted" not in topic]


@pytest.mark.parametrize("topic", CONVERSATION_TOPICS)
def test_every_topic_of_a_conversation_shows_it_whole(topic: str) -> None:
    seen = receive(notification(topic, whole_conversation(), "n", BEGAN + 6), BEGAN, READER)
    assert isinstance(seen, SeenConversation)
    assert (seen.id, seen.phase, seen.assignee, seen.team) == (10, Phase.OPEN, 2, 7)
    assert (seen.at, seen.since, seen.order[0], seen.order[2:]) == (BEGAN + 6, BEGAN, BEGAN + 5, (BEGAN + 6, "n"))
    assert (seen.tag and seen.tag.weight, seen.note and seen.note.weight) == (8, 9)
    assert (seen.contact, seen.ours, seen.ticket, seen.deleted) == ("Ann", True, False, False)
    assert (seen.text.body, seen.text.language) == ("Our nameservers", "fr")
    assert ("weight", "4") not in seen.text.attributes
    assert ("plan", "large") in seen.text.attributes


@pytest.mark.parametrize("topic", [topic for topic in TOPICS if topic.startswith("ticket.")])
def test_every_topic_of_a_ticket(topic: str) -> None:
    item = whole_conversation() | {"snoozed_until": None}
    for shape in (item, {"type": "ticket", "ticket": item}):
        seen = receive(notification(topic, shape, "n", BEGAN), BEGAN, READER)
        assert isinstance(seen, SeenConversation)
        ended = topic in ("ticket.closed", "ticket.resolved")
        assert (seen.id, seen.ticket, seen.phase) == (10, True, Phase.CLOSED if ended else Phase.OPEN)


@pytest.mark.parametrize("hostile", ["a\x00b", "\ud800a", "a\udfff\x00", "<b>&#0;&#xDFFF;\x00</b>"])
def test_no_text_keeps_what_cannot_be_stored(hostile: str) -> None:
    def spoil(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: spoil(each) for key, each in value.items()} | {hostile: hostile}
        return [spoil(each) for each in value] if isinstance(value, list) else hostile

    item = spoil(whole_conversation()) | {"id": "10"}
    seen = check_received(notification("conversation.user.replied", item, hostile, BEGAN))
    assert isinstance(seen, SeenConversation)
    assert all((seen.contact, seen.text.subject or seen.text.body, seen.text.tags, seen.order.source))
    for topic in ("admin.added_to_workspace", "ticket.created"):
        check_received(notification(topic, item, hostile, BEGAN))
    whole = {"topic": ROSTER, "id": hostile, "admins": [item], "teams": [item]}
    assert isinstance(check_received(json.dumps(whole).encode()), SeenRoster)
    check_received(receipt(3, 10, "failed", item, BEGAN).replace(b'"reason": ""', b'"reason": "a\\u0000\\ud800"'))


def test_the_topics_of_teammates() -> None:
    def seen(topic: str, **changes: Any) -> Any:
        received = receive(notification(f"admin.{topic}", admin(3, **changes), "n", BEGAN), BEGAN, READER)
        assert isinstance(received, SeenEngineer)
        return (received.away, received.logged_in, received.member)

    assert seen("away_mode_updated", away_mode_enabled=True) == (True, None, None)
    assert seen("away_mode_updated", away_mode_enabled=False) == (False, None, None)
    assert seen("logged_in") == (None, True, None)
    assert seen("logged_out") == (None, False, None)
    assert seen("added_to_workspace", away_mode_enabled=True) == (True, None, True)
    assert seen("removed_from_workspace") == (None, None, False)


@pytest.mark.parametrize("nobody", [None, 0, "0", "", -1, "-1", [], {}, False, True, 1.0, "1.0", 2**63, "\u0661"])
@pytest.mark.parametrize("topic", [*CONVERSATION_TOPICS, READ_BACK, "ticket.created"])
def test_nobody_is_nobody_everywhere(topic: str, nobody: Any) -> None:
    item = whole_conversation() | {"admin_assignee_id": nobody, "team_assignee_id": nobody}
    seen = receive(notification(topic, item, "n", BEGAN), BEGAN, READER)
    assert isinstance(seen, SeenConversation)
    assert (seen.assignee, seen.team) == (None, None)


@pytest.mark.parametrize(
    ("item", "asked"),
    [
        ({"type": "conversation_part", "conversation_id": "10"}, 10),
        ({"type": "conversation_part", "conversation": {"id": 10}}, 10),
    ],
)
@pytest.mark.parametrize("topic", ["conversation_part.tag.created", "conversation_part.redacted"])
def test_a_part_is_asked_for(topic: str, item: dict[str, Any], asked: int) -> None:
    assert receive(notification(topic, item, "n", BEGAN), BEGAN, READER) == AskFor(asked)  # pyright: ignore


@pytest.mark.parametrize(
    ("changes", "phase"),
    [
        ({"state": "open"}, Phase.OPEN),
        ({"state": "snoozed", "open": True}, Phase.SNOOZED),
        ({"state": "closed", "open": True}, Phase.CLOSED),
        ({"state": "odd", "open": False, "snoozed_until": None}, Phase.CLOSED),
        ({"state": None, "open": True, "snoozed_until": None}, Phase.OPEN),
        ({"state": None, "open": True, "snoozed_until": BEGAN}, Phase.SNOOZED),
    ],
)
def test_the_phase(changes: dict[str, Any], phase: Phase) -> None:
    item = whole_conversation() | changes
    seen = receive(notification("conversation.user.replied", item, "n", BEGAN), BEGAN, READER)
    assert isinstance(seen, SeenConversation)
    assert seen.phase is phase


@pytest.mark.parametrize("topic", TOLD)
def test_what_steelyard_tells_itself_is_read(topic: str) -> None:
    assert told().keys() == TOLD.keys()
    assert not isinstance(check_received(told()[topic]), Ignored)


@pytest.mark.parametrize("admins", [None, [], {}, "all", [7], [{"id": None}]])
def test_a_roster_of_nobody_is_no_roster(admins: Any) -> None:
    """Else one odd answer would send the whole team away."""
    assert isinstance(receive(json.dumps({"topic": ROSTER, "admins": admins}).encode(), BEGAN, READER), Ignored)


@pytest.mark.parametrize("at", [2**37, 2**40 - 1, 2**62, 10**300, -5, 0, True, 1.5, "1700000000", None])
def test_a_time_that_cannot_be_is_when_it_was_received(at: Any) -> None:
    item = whole_conversation() | {"created_at": at, "updated_at": at}
    seen = receive(notification("conversation.user.replied", item, "n", at), BEGAN, READER)
    assert isinstance(seen, SeenConversation)
    assert (seen.at, seen.since, seen.order) == (BEGAN, BEGAN, (BEGAN, 1, BEGAN, "n"))


def test_a_reading_made_in_the_second_it_shows_knows_no_more_than_a_webhook() -> None:
    def order(at: int) -> Any:
        item = whole_conversation() | {"updated_at": BEGAN}
        seen = receive(notification(READ_BACK, item, "read", at), BEGAN, READER)
        assert isinstance(seen, SeenConversation)
        return seen.order[:3]

    assert order(BEGAN + 1) == (BEGAN, 2, BEGAN + 1)
    assert order(BEGAN) == (BEGAN, 1, BEGAN)
    assert order(BEGAN - 3) == (BEGAN, 1, BEGAN)


def test_every_example_of_intercoms_description() -> None:
    if not DESCRIPTION.exists():
        pytest.skip("Intercom's API description is not there: put openapi-2.16.yaml into ../shared/intercom")
    with DESCRIPTION.open("rb") as file:
        whole = yaml.load(file, Loader=yaml.CSafeLoader)
    found = [each for each in objects(whole) if each.get("type") in ("conversation", "ticket", "admin", "team")]
    found = [each for each in found if "id" in each and "properties" not in each]
    kinds = {each["type"] for each in found}
    assert kinds >= {"conversation", "ticket", "admin"}
    assert len(found) > 100
    seen = 0
    for item in found:
        plain = json.loads(json.dumps(item, default=str))
        for topic in TOPICS:
            seen += not isinstance(check_received(notification(topic, plain, "n", BEGAN)), Ignored)
        check_received(json.dumps({"topic": ROSTER, "admins": [plain], "teams": [plain]}).encode())
        check_received(receipt(3, 10, "delivered", plain, BEGAN))
    assert seen > len(found) * 20


def objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inside:
        yield from objects(each)
