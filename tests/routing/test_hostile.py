"""Payloads with missing, null, huge, mistyped or nested fields and hostile text: the real router on the real database
handles or ignores each, sets none aside, and the good ones between them are handled in their order."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from payloads import BEGAN, CREATED, admin, conversation, note, notification, roster, tag, with_parts, with_tags
from test_ingest import PATH, SECRET, Door, raw, serving

from steelyard.adapters.intercom.signature import sign
from steelyard.routing import store
from steelyard.routing.ingest import LARGEST_BODY
from steelyard.routing.receive import TOPICS, UNWANTED
from steelyard.routing.router import BATCH
from steelyard.routing.told import AWAY_REFUSED, GO_ON, MOVED, POLICY, RECEIPT, ROSTER, ROTATION, SWITCH, TOLD

OWN = tuple(TOLD)
PLAIN: dict[str, dict[str, Any]] = {
    POLICY: {"policy": "a" * 64},
    SWITCH: {"routed": None, "paused": False, "person": 5},
    GO_ON: {},
    ROTATION: {"engineer": 3, "resting": False, "person": 5},  # the good ones need the two that there are
    AWAY_REFUSED: {"asked": 3, "engineer": 1, "away": True, "reason": "parameter_invalid"},
}
LARGEST = 2**63 - 1


class Raw(str):
    """A piece of JSON as it is written, where Python's own writer would not write it so."""


def nested(levels: int, open: str, close: str) -> Raw:
    return Raw(f"{open * levels}1{close * levels}")


HOSTILE: list[Any] = [
    *(None, True, False, 0, 1, -1, 0.5, -0.0, 1e308, LARGEST, LARGEST + 1, -LARGEST - 2, 10**400, 2**31, 2**32, 2**53),
    *(2**37 - 1, 2**37, 253_402_300_800, -62_135_596_801, 10**17),  # the years 6325, 10000 and 0
    *(float("nan"), float("inf"), float("-inf"), Raw("1e999"), Raw("-0"), Raw("9" * 4300), Raw("9" * 5000)),
    *("", "0", "-1", "1.5", "007", "٣", "²", "9" * 19, "9" * 400, str(LARGEST), str(LARGEST + 1), " 10 ", "null"),
    *("\ud800", "\udfff\ud800", "a\x00b", "\x00", "\u202e\u2066", "\ufeff", "\uffff", "\U0010ffff", "\x1b[31m", "\r\n"),
    *("<script>alert(1)</script>", "'; DROP TABLE inbox; --", "%s %(name)s {0} {{7*7}}", "\\u0000", '{"$gt": 1}'),
    *("/weight 8", "/weight auto\n/weight 99999", "weight:8", "&#0;&#xD800;&#1114112;", "<" * 3000, "e\u0301" * 3000),
    *(
        [],
        {},
        [[]],
        [None],
        [{}],
        {"": None},
        {"\x00": "\x00"},
        {"\ud800": "\ud800"},
        {"id": {"id": []}},
        [1, "1", 1.0],
    ),
    *(nested(900, "[", "]"), nested(900, '{"a":', "}"), nested(50, '[{"id":', "}]")),
]
NOTES = [{"id": str(each), "part_type": "note", "body": "/weight 3"} for each in range(10_000)]
HUGE: list[Any] = [
    *(
        "x" * 900_000,
        "\u202e" * 150_000,
        "<p>" * 300_000,
        "/weight 8\n" * 90_000,
        "weight:8 " * 90_000,
        "\x00" * 150_000,
    ),
    *([{}] * 10_000, [tag("weight:8")] * 10_000, NOTES, {"conversation_parts": NOTES}, list(range(100_000))),
    {f"name {each}": "value" * 10 for each in range(10_000)},
]


def written(value: Any) -> bytes:
    """`value` as JSON, with what is `Raw` as it is."""
    raws: list[Raw] = []

    def marked(each: Any) -> Any:
        if isinstance(each, Raw):
            raws.append(each)
            return f"\u0001raw {len(raws) - 1}\u0001"
        if isinstance(each, dict):
            return {key: marked(inner) for key, inner in each.items()}
        return [marked(inner) for inner in each] if isinstance(each, list) else each

    whole = json.dumps(marked(value))
    for number, each in enumerate(raws):
        whole = whole.replace(f'"\\u0001raw {number}\\u0001"', str(each))
    return whole.encode()


def whole(topic: str, id: int) -> dict[str, Any]:
    """A payload of `topic` that says everything that any topic's reader looks at."""
    if topic == ROSTER:
        return json.loads(roster([admin(1), admin(2)], [{"id": "7", "name": "T", "admin_ids": [1]}]))
    if topic in PLAIN:
        return {"topic": topic, "id": "p", "created_at": BEGAN, **PLAIN[topic]}
    item = conversation(id, **with_parts(note("/weight 3"), note("hello")), **with_tags(tag("weight:5")))
    item |= {"snoozed_until": BEGAN + 9, "title": "Help", "custom_attributes": {"plan": "large", "language": "French"}}
    item |= {"conversation_id": str(id), "conversation": {"id": str(id)}, "ticket_attributes": {"_default_title_": "T"}}
    item["source"]["author"] |= {"email": "ann@example.test"}
    if topic in (RECEIPT, MOVED):
        outcome = {"decision": 3, "outcome": "delivered"} if topic == RECEIPT else {"move": 3, "outcome": "moved"}
        settled = {"conversation": id, "engineer": 1, "reason": "", "at": BEGAN * 1_000_000, **outcome}
        return {"topic": topic, "id": "r", "created_at": BEGAN, **settled, "answer": item}
    if topic.startswith("admin."):
        item = admin(1) | {"id": "1"}
    if topic.startswith("ticket."):
        item = {"type": "ticket", "ticket": {**item, "ticket_state": {"category": "submitted"}}}
    return json.loads(notification(topic, item, id="n"))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside, but for the topic: without it nothing is read at all."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        if (*path, key) != ("topic",):
            yield (*path, key)
            yield from places(each, (*path, key))


MISSING = object()


def spoilt(value: Any, path: Sequence[Any], new: Any) -> Any:
    """`value` with `new` at `path`, or without what is there."""
    copy = value.copy()
    if len(path) > 1:
        copy[path[0]] = spoilt(value[path[0]], path[1:], new)
    elif new is MISSING:
        del copy[path[0]]
    else:
        copy[path[0]] = new
    return copy


class Between:
    """Stores hostile payloads with a good one after every few, routes them, and looks at what became of all."""

    def __init__(self, bench: Any) -> None:
        self.bench = bench
        self.good: list[int] = []
        self.stored = 0

    async def route(self, hostile: Iterable[tuple[str, bytes]]) -> dict[str, int]:
        """How many had each outcome."""
        rows: list[tuple[str, bytes]] = []
        for number, each in enumerate(hostile):
            rows.append(each)
            if number % 7 == 3:
                self.good.append(10**15 + len(self.good))
                rows.append((CREATED, notification(CREATED, conversation(self.good[-1]), id=f"good {self.good[-1]}")))
        bench = self.bench
        async with bench.database.transaction(bench.workspace) as conn:
            await conn.cursor().executemany(
                "INSERT INTO inbox (workspace, notification, topic, body) VALUES (%s, %s, %s, %s)",
                [(bench.workspace, f"{self.stored + at}", *row) for at, row in enumerate(rows)],
            )
        self.stored += len(rows)
        for _ in range(len(rows) // BATCH + 2):
            if not await bench.router.route(bench.workspace):
                break
        await self._look()
        return dict(await bench.rows("SELECT outcome, count(*) FROM inbox GROUP BY 1"))

    async def _look(self) -> None:
        bench = self.bench
        failed = await bench.rows(
            "SELECT topic, outcome, reason, left(encode(body, 'escape'), 2000) FROM inbox"
            " WHERE outcome IS NULL OR outcome NOT IN ('fact', 'late', 'ignored')"
            " OR (outcome = 'ignored' AND coalesce(reason, '') = '') LIMIT 3"
        )
        assert failed == []
        decided = await bench.rows(
            "SELECT conversation FROM decision WHERE conversation >= %s ORDER BY decision", 10**15
        )
        assert [id for (id,) in decided if id in set(self.good)] == self.good
        await self._look_at_the_tables()

    async def _look_at_the_tables(self) -> None:
        """What the tables hold is what the router remembers: nothing was changed on the way into the database."""
        bench = self.bench
        cached = bench.router._cache[bench.workspace]
        async with bench.database.transaction(bench.workspace) as conn:
            head = await store.lock(conn, bench.workspace)
            assert head is not None
            loaded = await store.load_state(conn, bench.workspace, head, cached.state.ignored)
        for state in (loaded, cached.state):
            state.version = 0
            state.conversations = dict(sorted(state.conversations.items()))
            state.engineers = dict(sorted(state.engineers.items()))
            state.teams = dict(sorted(state.teams.items()))
        for each in ("position", "version", "engineers", "teams", "conversations"):
            assert getattr(loaded, each) == getattr(cached.state, each)
        assert loaded.standings == cached.state.standings
        cached.state.version = head.version


@pytest.fixture
async def between(bench: Any) -> Between:
    await bench.route(roster([admin(1000), admin(1001), admin(1002)], at=BEGAN - 60))
    return Between(bench)


async def test_each_field_spoilt_in_each_way(between: Between) -> None:
    """Every place of every kind of payload, with the ways to spoil it dealt out in turn."""
    topics = [*OWN, "conversation.user.created", "conversation.admin.noted", "conversation_part.tag.created",
              "conversation.deleted", "steelyard.read_back", "admin.away_mode_updated", "ticket.closed"]  # fmt: skip
    dealt = [*HOSTILE, MISSING]
    random.Random(6).shuffle(dealt)
    bodies: list[tuple[str, bytes]] = []
    for topic in topics:
        for path in places(whole(topic, 1)):
            for _ in range(3):
                id = 10_000 + len(bodies)
                bodies.append((topic, written(spoilt(whole(topic, id), path, dealt[len(bodies) % len(dealt)]))))
    outcomes = await between.route(bodies)
    assert min(outcomes["fact"], outcomes["ignored"]) > 50


async def test_hostile_values_everywhere_at_once(between: Between) -> None:
    bodies: list[tuple[str, bytes]] = []

    @st.composite
    def payloads(draw: st.DrawFn) -> tuple[str, bytes]:
        topic = draw(st.sampled_from([*TOPICS, *UNWANTED, *OWN, "no.such.topic"]))
        value = whole(topic, draw(st.sampled_from([10, 11, LARGEST, *range(10_000, 10_050)])))
        for _ in range(draw(st.integers(1, 4))):
            path = draw(st.sampled_from(list(places(value)) or [("data",)]))
            value = spoilt(value, path, draw(st.sampled_from([*HOSTILE, MISSING])))
        return topic, written(value)

    @settings(max_examples=500, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(payloads())
    def collect(each: tuple[str, bytes]) -> None:
        bodies.append(each)

    collect()
    outcomes = await between.route(bodies)
    assert outcomes["fact"] > 100


@pytest.mark.slow
async def test_huge_fields(between: Between) -> None:
    """A megabyte in each place that is read."""
    bodies: list[tuple[str, bytes]] = []
    read = [("data", "item", *path) for path in (
        ("id",), ("source", "body"), ("source", "subject"), ("source", "author", "name"), ("tags", "tags"),
        ("conversation_parts", "conversation_parts"), ("custom_attributes",), ("priority",), ("state",), ("title",),
    )]  # fmt: skip
    for path in [*read, ("id",), ("created_at",), ("data",)]:
        for value in HUGE:
            id = 20_000 + len(bodies)
            bodies.append((CREATED, written(spoilt(whole(CREATED, id), path, value))))
    outcomes = await between.route(bodies)
    assert outcomes["fact"] > 80


async def test_bodies_that_are_no_notification(between: Between) -> None:
    bodies = [b"", b"null", b"[]", b'"x"', b"1", b"{}", b'{"topic":', b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}", b"\x00"]
    bodies += [b"[" * 100_000, b'{"a":' * 100_000, b"9" * 100_000, b'{"topic": "\xed\xa0\x80"}', b'{"topic": [1]}']
    bodies += [
        json.dumps(whole(CREATED, 30_000)).encode("utf-16"),
        b'{"data": {"item": null}, "topic": "%s"}' % CREATED.encode(),
    ]
    outcomes = await between.route([(CREATED, body) for body in bodies])
    assert outcomes["ignored"] >= len(bodies) - 1


# Over HTTP


def signed(body: bytes) -> list[bytes]:
    return [b"content-length: %d" % len(body), b"x-hub-signature: " + sign(SECRET, body).encode()]


def filled(size: int) -> bytes:
    """A notification of exactly `size` bytes."""
    shown = whole(CREATED, 40_000)
    shown["data"]["item"]["source"]["body"] = ""
    short = json.dumps(shown | {"id": f"size {size}", "app_id": "a86dr8yl"})
    return short.replace('"body": ""', '"body": "%s"' % ("x" * (size - len(short))), 1).encode()


def deep(levels: int) -> bytes:
    shown = {
        "app_id": "a86dr8yl",
        "topic": CREATED,
        "id": f"deep {levels}",
        "data": {"item": {"id": "40001", "x": nested(levels, "[", "]")}},
    }
    return written(shown)


def named(**changes: Any) -> bytes:
    return written({"app_id": "a86dr8yl", "topic": CREATED, "id": "n", "data": {}} | changes)


ANSWERS: list[tuple[str, bytes, int]] = [
    ("a mebibyte but one", filled(LARGEST_BODY - 1), 200),
    ("a mebibyte", filled(LARGEST_BODY), 200),
    ("a byte more", filled(LARGEST_BODY + 1), 413),
    ("900 levels", deep(900), 200),
    ("100,000 levels", deep(100_000), 400),
    ("the same key twice", b'{"app_id": "no", "id": "d", "topic": "x", "app_id": "a86dr8yl", "topic": "ping"}', 200),
    ("our own topic behind another", b'{"app_id":"a86dr8yl","id":"e","topic":"ping","topic":"steelyard.gone"}', 400),
    ("half an emoji in the text", named(id="half", data={"item": {"id": "40002", "source": {"body": "\ud83d"}}}), 200),
    ("half an emoji in the id", named(id="\ud83d"), 400),
    ("NUL in the text", named(id="nul", data={"item": {"id": "40003", "title": "\x00"}}), 200),
    ("NUL in the topic", named(topic="ping\x00"), 400),
    ("no number", named(id="nan", created_at=float("nan")), 200),
    ("too many digits", named(id="digits", created_at=Raw("9" * 5000)), 400),
    *((f"{field} as {value!r:.20}", named(**{field: value}), 400)
      for field in ("app_id", "id", "topic") for value in ([], {}, 1, None, True, 1.5, "", "x" * 201, "\u202e", "\n")),
    ("UTF-16", named().decode().encode("utf-16"), 400),
    ("Latin-1", named().replace(b"{}", b'"\xe9"'), 400),
    ("another app", named(app_id="other"), 401),
    ("no JSON", b"id=1&topic=2", 400),
    ("nothing", b"", 400),
]  # fmt: skip


async def test_hostile_bodies_over_http_get_their_answer_and_the_web_process_goes_on(bench: Any, unseal: Any) -> None:
    await bench.route(roster([admin(1)]))
    async with aclosing(Door(bench.database, unseal)) as door, serving(door.ingest) as port:
        for number, (what, body, status) in enumerate(ANSWERS):
            assert await raw(port, signed(body), body) == status, what
            good = notification(CREATED, conversation(50_000 + number), id=f"good {number}")
            assert await raw(port, signed(good), good) == 200, f"after {what}"
        unsigned = notification(CREATED, conversation(60_000), id="unsigned")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            for signature in ("", "sha1=", "sha1=é", "md5=0", "sha1=" + "0" * 40, "x" * 5000):
                headers = {"x-hub-signature": signature.encode()}
                assert (await client.post(PATH, content=unsigned, headers=headers)).status_code == 401
    await bench.route()
    good = await bench.rows("SELECT outcome FROM inbox WHERE notification LIKE 'good %%'")
    assert good == [("fact",)] * len(ANSWERS)
    [(stored, aside)] = await bench.rows(
        "SELECT count(*), count(*) FILTER (WHERE coalesce(outcome, 'aside') = 'aside') FROM inbox"
    )
    assert stored == 1 + len(ANSWERS) + sum(status == 200 for _, _, status in ANSWERS)
    assert aside == 0
