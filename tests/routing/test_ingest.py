"""Ingest on the real database: what is stored, what is refused, and what each answer promises."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from payloads import CREATED, conversation, notification
from structlog.testing import capture_logs

from served import serving
from steelyard.adapters.intercom.signature import sign, verify
from steelyard.kit.ids import CellId, WorkspaceId
from steelyard.kit.instants import Micros
from steelyard.routing import bodies, ingest
from steelyard.routing.connections import Unseal
from steelyard.routing.inbox import CellInbox
from steelyard.routing.ingest import LARGEST_BATCH, LARGEST_BODY, Ingest, Owner, Row
from steelyard.store.database import Database

PATH = "/hooks/intercom/eu1"
SECRET = b"sesame"
HOSTS = {CellId("us1"): "us1.example.com"}


class Watched:
    """The inbox of the cell, with its commits counted, and held back or made to fail where a test says so."""

    def __init__(self, inner: CellInbox) -> None:
        self.inner = inner
        self.batches: list[int] = []
        self.open = asyncio.Event()
        self.open.set()
        self.broken: Exception | None = None

    async def owner(self, app_id: str) -> Owner | None:
        return await self.inner.owner(app_id)

    async def aclose(self) -> None:
        await self.inner.aclose()

    async def store(self, rows: list[Row]) -> None:
        self.batches.append(len(rows))
        await self.open.wait()
        if self.broken is not None:
            raise self.broken
        await self.inner.store(rows)


def nothing_sealed(sealed: str, place: str) -> str:
    raise AssertionError(f"{place} is not asked for")


class Door:
    """A cell's ingest, called as a web server calls it."""

    def __init__(self, database: Database, unseal: Unseal) -> None:
        self.database = database
        self.inbox = Watched(CellInbox(database, lambda: Micros(0), unseal))
        self.ingest = Ingest(CellId("eu1"), HOSTS, self.inbox, verify)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.ingest), base_url="http://eu1.test")

    async def post(self, body: bytes, signature: str | None = None, *, path: str = PATH) -> httpx.Response:
        """Posts `body`, well signed unless `signature` is given; an empty one is left out."""
        given = sign(SECRET, body) if signature is None else signature
        headers = {"x-hub-signature": given} if given else {}
        return await self.client.post(path, content=body, headers=headers)

    async def aclose(self) -> None:
        await self.client.aclose()
        await self.inbox.aclose()

    async def held_back(self, batches: int = 1) -> None:
        """Waits until the last of so many batches is on its way to the database."""
        while len(self.inbox.batches) < batches:  # noqa: ASYNC110 - the inbox has no event for it
            await asyncio.sleep(0.001)

    async def stored(self, workspace: WorkspaceId) -> dict[str, int]:
        """How often each notification came, by its id."""
        async with self.database.transaction(workspace) as conn:
            return dict(await (await conn.execute("SELECT notification, copies FROM inbox ORDER BY seq")).fetchall())


@pytest.fixture
async def workspace(make_workspace: Callable[..., Awaitable[WorkspaceId]]) -> WorkspaceId:
    return await make_workspace()


@pytest.fixture
async def door(database: Database, workspace: WorkspaceId, unseal: Unseal) -> AsyncIterator[Door]:
    async with aclosing(Door(database, unseal)) as door:
        yield door


def told(id: str, **changes: Any) -> bytes:
    return notification(CREATED, conversation(10), id=id, **changes)


def edited(**changes: Any) -> bytes:
    """A notification with fields replaced, or left out where they are None."""
    whole = json.loads(told("n1")) | changes
    return json.dumps({name: value for name, value in whole.items() if value is not None}).encode()


# 200 only after the commit


async def test_stored_as_it_came_then_200(door: Door, workspace: WorkspaceId) -> None:
    body = b'  {"topic": "ping",\n "id":"n1" ,"app_id":"a86dr8yl", "x": "\xc3\xa9\\u00e9"}\n'
    answer = await door.post(body)
    assert (answer.status_code, answer.content) == (200, b"")
    async with door.database.transaction(workspace) as conn:
        rows = await (await conn.execute("SELECT notification, topic, body, copies FROM inbox")).fetchall()
    assert rows == [("n1", "ping", body, 1)]


async def test_nothing_is_answered_before_the_commit(door: Door, workspace: WorkspaceId) -> None:
    door.inbox.open.clear()
    asked = asyncio.create_task(door.post(told("n1")))
    await door.held_back()
    done, _ = await asyncio.wait({asked}, timeout=0.2)
    assert not done
    assert await door.stored(workspace) == {}
    door.inbox.open.set()
    assert (await asked).status_code == 200
    assert await door.stored(workspace) == {"n1": 1}


async def test_a_row_is_visible_to_others_when_its_200_is_sent(
    door: Door, workspace: WorkspaceId, app_url: str
) -> None:
    """Looked at from another connection in the very moment of the answer."""
    seen: list[int] = []

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200
            with psycopg.connect(app_url) as other:
                other.execute("SELECT set_config('steelyard.workspace', %s, false)", [workspace])
                row = other.execute("SELECT count(*) FROM inbox").fetchone()
                seen.append(row[0] if row else 0)

    body = told("n1")
    await door.ingest(*asgi(body, signed(body)), send)
    assert seen == [1]


@pytest.mark.parametrize("broken", [psycopg.OperationalError("gone"), RuntimeError("odd"), OSError("no route")])
async def test_what_is_not_stored_is_not_answered_200(door: Door, workspace: WorkspaceId, broken: Exception) -> None:
    door.inbox.broken = broken
    with capture_logs() as logs:
        answers = await asyncio.gather(*(door.post(told(f"n{n}")) for n in range(5)))
    assert {each.status_code for each in answers} == {503}
    assert await door.stored(workspace) == {}
    assert {each["event"] for each in logs} == {"ingest.not_stored"}
    door.inbox.broken = None
    assert (await door.post(told("n1"))).status_code == 200
    assert await door.stored(workspace) == {"n1": 1}


async def test_a_full_disk_is_told_in_one_line(door: Door, workspace: WorkspaceId) -> None:
    door.inbox.broken = psycopg.errors.DiskFull("could not extend file")
    with capture_logs() as logs:
        for n in range(5):
            assert (await door.post(told(f"n{n}"))).status_code == 503
    [line] = logs
    assert "disk of the database is full" in line["advice"]
    assert not line["exc_info"]


async def test_without_a_database_it_is_503(
    database: Database, door: Door, workspace: WorkspaceId, superuser_url: str
) -> None:
    """The real thing: the table is locked away, then the owner of an app cannot be looked up."""
    with psycopg.connect(superuser_url, autocommit=True) as conn:
        conn.execute("ALTER FUNCTION store_batch RENAME TO store_batch_gone")
        conn.execute("ALTER FUNCTION secret_of_app RENAME TO secret_of_app_gone")
        assert (await door.post(told("n1"))).status_code == 503
        conn.execute("ALTER FUNCTION secret_of_app_gone RENAME TO secret_of_app")
        assert (await door.post(told("n1"))).status_code == 503
        conn.execute("ALTER FUNCTION store_batch_gone RENAME TO store_batch")
    assert await door.stored(workspace) == {}
    assert (await door.post(told("n1"))).status_code == 200


# Once, however often it comes


async def test_the_same_notification_is_stored_once_and_counted(door: Door, workspace: WorkspaceId) -> None:
    assert (await door.post(told("n1"))).status_code == 200
    door.inbox.open.clear()
    held = asyncio.create_task(door.post(told("n0")))
    await door.held_back(2)
    copies = [asyncio.create_task(door.post(told(id))) for id in ("n1", "n2", "n2", "n2", "n3")]
    await asyncio.sleep(0.05)
    door.inbox.open.set()
    assert {each.status_code for each in await asyncio.gather(held, *copies)} == {200}
    assert door.inbox.batches == [1, 1, 5]
    assert await door.stored(workspace) == {"n1": 2, "n0": 1, "n2": 3, "n3": 1}


async def test_two_processes_that_store_the_same_ones_do_not_lock_each_other_out(
    database: Database, workspace: WorkspaceId, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, connected = database.connect, []

    async def counted() -> Any:
        connected.append(True)
        return await connect()

    monkeypatch.setattr(database, "connect", counted)
    rows = [Row(workspace, f"n{n}", "ping", b"{}") for n in range(200)]
    inboxes = [CellInbox(database, lambda: Micros(0), nothing_sealed) for _ in range(4)]
    for _ in range(10):
        await asyncio.gather(*(each.store(rows[:: 1 if n % 2 else -1]) for n, each in enumerate(inboxes)))
    for each in inboxes:
        await each.aclose()
    assert len(connected) == 4, "somebody was the victim of a deadlock, and tried again"
    async with database.transaction(workspace) as conn:
        found = await (await conn.execute("SELECT count(*), min(copies), max(copies) FROM inbox")).fetchall()
    assert found == [(200, 40, 40)]


async def test_many_requests_share_a_commit(door: Door, workspace: WorkspaceId) -> None:
    assert (await door.post(told("first"))).status_code == 200
    statuses: list[int] = []

    async def send(message: dict[str, Any]) -> None:
        statuses.append(message.get("status", 0))

    bodies = [told(f"n{n}") for n in range(600)]
    await asyncio.gather(*(door.ingest(*asgi(body, signed(body)), send) for body in bodies))
    assert statuses.count(200) == 600
    assert len(await door.stored(workspace)) == 601
    assert sum(door.inbox.batches) == 601
    assert len(door.inbox.batches) <= 10
    assert max(door.inbox.batches) <= LARGEST_BATCH


async def test_a_client_that_goes_away_takes_nobody_with_it(door: Door, workspace: WorkspaceId) -> None:
    door.inbox.open.clear()
    held = asyncio.create_task(door.post(told("n0")))
    await door.held_back()
    waiting = [asyncio.create_task(door.post(told(f"n{n}"))) for n in range(1, 10)]
    await asyncio.sleep(0.05)
    held.cancel()
    waiting[3].cancel()
    await asyncio.sleep(0)
    door.inbox.open.set()
    ended = await asyncio.gather(held, *waiting, return_exceptions=True)
    assert sum(isinstance(each, asyncio.CancelledError) for each in ended) == 2
    assert [each.status_code for each in ended if isinstance(each, httpx.Response)] == [200] * 8
    assert set(await door.stored(workspace)) >= {f"n{n}" for n in range(1, 10) if n != 4}
    assert (await door.post(told("after"))).status_code == 200


async def test_webhooks_of_two_workspaces_in_one_batch_land_each_in_its_own(
    door: Door, workspace: WorkspaceId, make_workspace: Callable[..., Awaitable[WorkspaceId]]
) -> None:
    other = await make_workspace("other999", client_secret="tahini")
    door.inbox.open.clear()
    first = asyncio.create_task(door.post(told("held")))
    await door.held_back()
    ours, theirs = told("n1"), told("n1", app_id="other999")
    rest = [door.post(ours), door.post(theirs, sign(b"tahini", theirs)), door.post(theirs, sign(SECRET, theirs))]
    asked = asyncio.gather(*rest)
    await asyncio.sleep(0.05)
    door.inbox.open.set()
    await first
    assert [each.status_code for each in await asked] == [200, 200, 401]
    assert door.inbox.batches == [1, 2]
    assert await door.stored(workspace) == {"held": 1, "n1": 1}
    assert await door.stored(other) == {"n1": 1}


# Who sent it


SIGNATURES = {
    "missing": "",
    "of another secret": sign(b"nobody", told("n1")),
    "of another body": sign(SECRET, told("n2")),
    "no prefix": sign(SECRET, told("n1"))[5:],
    "upper case": sign(SECRET, told("n1")).upper(),
    "sha256": "sha256=" + "0" * 64,
    "cut": sign(SECRET, told("n1"))[:-1],
    "too long": sign(SECRET, told("n1")) + "0",
    "blank": " ",
    "long": "sha1=" + "a" * 5_000,
}


async def test_a_wrong_signature_and_an_unknown_app_get_the_same_answer(door: Door, workspace: WorkspaceId) -> None:
    unknown = told("n1", app_id="nobody99")
    nobody = await door.post(unknown, sign(SECRET, unknown))
    assert nobody.status_code == 401
    for name, signature in SIGNATURES.items():
        assert as_sent(await door.post(told("n1"), signature)) == as_sent(nobody), name
        assert as_sent(await door.post(unknown, signature)) == as_sent(nobody), name
    assert await door.stored(workspace) == {}


async def test_an_unknown_app_is_verified_all_the_same(
    database: Database, workspace: WorkspaceId, unseal: Unseal
) -> None:
    """Else the time of the answer would tell which apps are known."""
    verified: list[tuple[bytes, bytes]] = []

    def watched(secret: bytes, body: bytes, signature: bytes) -> bool:
        verified.append((secret, body))
        return True

    ingest = Ingest(CellId("eu1"), HOSTS, CellInbox(database, lambda: Micros(0), unseal), watched)
    body = told("n1", app_id="nobody99")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(ingest), base_url="http://eu1.test") as client:
        answer = await client.post(PATH, content=body)
    assert answer.status_code == 401
    [(secret, seen)] = verified
    assert seen == body
    assert len(secret) > 0


async def test_the_signature_is_of_the_raw_bytes(door: Door, workspace: WorkspaceId) -> None:
    raw = b'{"topic":"ping","id":"n1","app_id":"a86dr8yl"}'
    again = json.dumps(json.loads(raw)).encode()
    assert again != raw
    assert (await door.post(raw, sign(SECRET, again))).status_code == 401
    assert (await door.post(raw + b"\n", sign(SECRET, raw))).status_code == 401
    assert (await door.post(raw, sign(SECRET, raw))).status_code == 200


async def test_another_workspaces_secret_opens_nothing(
    door: Door, workspace: WorkspaceId, make_workspace: Callable[..., Awaitable[WorkspaceId]]
) -> None:
    await make_workspace("other999", client_secret="tahini")
    assert (await door.post(told("n1"), sign(b"tahini", told("n1")))).status_code == 401
    assert await door.stored(workspace) == {}


# Where it was sent


async def unread() -> dict[str, Any]:
    raise AssertionError("the body was read")


async def test_a_foreign_cell_is_named_and_the_body_stays_unread(door: Door) -> None:
    for path, status, says in (
        ("/hooks/intercom/us1", 421, "https://us1.example.com/hooks/intercom/us1"),
        ("/hooks/intercom/mars", 404, "no such cell"),
        ("/hooks/intercom/us1/", 404, "no such cell"),
        ("/hooks/intercom/", 404, "no such cell"),
        ("/hooks/slack/us1", 404, "no such cell"),
        ("/hooks/intercom/eu1/..", 404, "no such cell"),
    ):
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any], sent: list[dict[str, Any]] = sent) -> None:
            sent.append(message)

        scope, _ = asgi(b"", [], path=path)
        await door.ingest(scope, unread, send)
        assert sent[0]["status"] == status
        assert says in sent[1]["body"].decode()


async def test_head_answers_and_other_methods_do_not(door: Door, workspace: WorkspaceId) -> None:
    head = await door.client.head(PATH)
    assert (head.status_code, head.content) == (200, b"")
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = await door.client.request(method, PATH, content=told("n1"))
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST, HEAD")
    assert await door.stored(workspace) == {}


# What it is


UNFIT = {
    "empty": b"",
    "no JSON": b"app_id=a86dr8yl&id=n1",
    "cut": told("n1")[:-1],
    "array": b"[1, 2]",
    "text": b'"app_id"',
    "number": b"7",
    "null": b"null",
    "too deep": b"[" * 100_000,
    "deep inside": b'{"app_id":"a86dr8yl","id":"n1","topic":"ping","x":' + b"[" * 100_000,
    "huge number": b'{"app_id":"a86dr8yl","id":"n1","topic":"ping","x":' + b"9" * 10_000 + b"}",
    "not UTF-8": b'{"app_id":"a86dr8yl","id":"n1","topic":"ping","x":"\xff"}',
    "no app": edited(app_id=None),
    "no id": edited(id=None),
    "no topic": edited(topic=None),
    "app is a number": edited(app_id=7),
    "id is an array": edited(id=["n1"]),
    "topic is an object": edited(topic={"a": 1}),
    "app is true": edited(app_id=True),
    "empty app": edited(app_id=""),
    "empty id": edited(id=""),
    "empty topic": edited(topic=""),
    "long id": edited(id="n" * 201),
    "long topic": edited(topic="t" * 201),
    "surrogate in id": edited(id="n\ud800"),
    "surrogate in app": edited(app_id="\udfff"),
    "surrogate in topic": edited(topic="ping\udc00"),
    "NUL in id": edited(id="n\x001"),
    "NUL in app": edited(app_id="a86dr8yl\x00"),
    "NUL in topic": edited(topic="\x00"),
    "newline in id": edited(id="n\n1"),
    "our receipt": edited(topic="steelyard.receipt"),
    "our reading": edited(topic="steelyard.read_back"),
    "our roster": edited(topic="steelyard.roster"),
    "ours, later": edited(topic="steelyard.anything"),
}


async def test_what_is_no_notification_is_400_and_leaves_no_trace(
    door: Door, workspace: WorkspaceId, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG, logger="steelyard")
    with capture_logs() as logs:
        for name, body in UNFIT.items():
            answer = await door.post(body)
            assert answer.status_code == 400, name
            assert "nameservers" not in answer.text
    assert await door.stored(workspace) == {}
    assert logs == []
    assert "nameservers" not in caplog.text + "".join(capfd.readouterr())


async def test_a_refusal_logs_nothing_of_the_body(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="steelyard")
    secret_text = told("n-private")
    with capture_logs() as logs:
        await door.post(secret_text, "sha1=" + "0" * 40)
        door.inbox.broken = RuntimeError("odd")
        await door.post(secret_text)
    everything = caplog.text + repr(logs)
    for word in ("nameservers", "n-private", "Ann", "sesame"):
        assert word not in everything


async def test_a_ping_is_stored_and_ignored(bench: Any, unseal: Unseal) -> None:
    body = b'{"type":"notification_event","app_id":"a86dr8yl","topic":"ping","id":"n1","data":{"item":{"type":"ping"}}}'
    async with aclosing(Door(bench.database, unseal)) as door:
        assert (await door.post(body)).status_code == 200
    await bench.route()
    assert await bench.rows("SELECT outcome, reason FROM inbox") == [("ignored", "a test of the address")]


async def test_an_unknown_topic_is_kept_with_the_reason(bench: Any, unseal: Unseal) -> None:
    async with aclosing(Door(bench.database, unseal)) as door:
        assert (await door.post(edited(topic="visitor.signed_up"))).status_code == 200
    await bench.route()
    assert await bench.rows("SELECT outcome, reason FROM inbox") == [("ignored", "unknown topic")]


# How much it is


def chunks(size: int, each: int = 65_536) -> list[dict[str, Any]]:
    """The body of `size` bytes as a server hands it on, with no length told."""
    return [
        {"type": "http.request", "body": b"a" * min(each, size - start), "more_body": start + each < size}
        for start in range(0, size, each)
    ]


@pytest.mark.parametrize("length", [b"1048577", b"99999999999999999999999999999", b"-1", b"1e3", b"", b" 5", b"\xb2"])
async def test_an_announced_size_that_is_too_much_is_413_unread(door: Door, length: bytes) -> None:
    statuses: list[int] = []

    async def send(message: dict[str, Any]) -> None:
        statuses.append(message.get("status", 0))

    scope, _ = asgi(b"", [(b"content-length", length)])
    await door.ingest(scope, unread, send)
    assert statuses[0] == 413


async def test_a_size_that_shows_while_reading_is_413_and_reading_stops(door: Door, workspace: WorkspaceId) -> None:
    parts, statuses = chunks(5 * LARGEST_BODY), []

    async def receive() -> dict[str, Any]:
        return parts.pop(0)

    async def send(message: dict[str, Any]) -> None:
        statuses.append(message.get("status", 0))

    scope, _ = asgi(b"", [])
    await door.ingest(scope, receive, send)
    assert statuses[0] == 413
    assert len(parts) >= 60
    assert await door.stored(workspace) == {}


async def test_the_largest_body_goes_through(door: Door, workspace: WorkspaceId) -> None:
    for size, status in ((LARGEST_BODY, 200), (LARGEST_BODY + 1, 413)):
        start = json.dumps({"app_id": "a86dr8yl", "id": f"n{size}", "topic": "ping", "x": ""})[:-2].encode()
        body = start + b"x" * (size - len(start) - 2) + b'"}'
        assert len(body) == size
        assert (await door.post(body)).status_code == status
    assert len(await door.stored(workspace)) == 1


async def test_strangers_can_make_it_hold_only_so_many_halves_and_so_long(
    door: Door, workspace: WorkspaceId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "SLOWEST_BODY", 0.3)
    monkeypatch.setattr(bodies, "MOST_READING", 3)

    async def half(statuses: list[int]) -> None:
        parts = [{"type": "http.request", "body": b"{", "more_body": True}]

        async def receive() -> dict[str, Any]:
            return parts.pop() if parts else await asyncio.Event().wait()

        async def send(message: dict[str, Any]) -> None:
            statuses.append(message.get("status", 0))

        scope, _ = asgi(b"", [])
        await door.ingest(scope, receive, send)

    held: list[int] = []
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(half(held))
        await asyncio.sleep(0.05)
        more: list[int] = []
        await half(more)
        assert more[0] == 503
        whole: list[int] = []

        async def send(message: dict[str, Any]) -> None:
            whole.append(message.get("status", 0))

        await door.ingest(*asgi(told("whole"), signed(told("whole"))), send)
        assert whole[0] == 200
    assert sorted(each for each in held if each) == [400, 400, 400]


async def test_more_than_may_wait_is_sent_again_later(
    door: Door, workspace: WorkspaceId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "MOST_PENDING", 1)
    door.inbox.open.clear()
    first = asyncio.create_task(door.post(told("n1")))
    await door.held_back()
    second = asyncio.create_task(door.post(told("n2")))
    await asyncio.sleep(0.05)
    assert (await door.post(told("n3"))).status_code == 503
    door.inbox.open.set()
    assert [(await first).status_code, (await second).status_code] == [200, 200]


async def test_a_ping_needs_no_id(door: Door, workspace: WorkspaceId) -> None:
    for body in (
        {"app_id": "a86dr8yl", "topic": "ping", "id": None, "data": {"item": {"message": "zen"}}},
        {"app_id": "a86dr8yl", "topic": "ping", "data": {"item": {"message": "another"}}},
    ):
        assert (await door.post(json.dumps(body).encode())).status_code == 200
    assert len(await door.stored(workspace)) == 2
    nameless = {"app_id": "a86dr8yl", "topic": CREATED, "id": None}
    assert (await door.post(json.dumps(nameless).encode())).status_code == 400


# Over a real socket


async def test_a_server_answers_before_the_whole_of_a_large_body_came(door: Door, workspace: WorkspaceId) -> None:
    async with serving(door.ingest) as port:
        assert await raw(port, [b"content-length: 2000000"], b"") == 413
        assert await raw(port, [b"transfer-encoding: chunked"], chunked(b"a" * 65_536) * 20) == 413
        body = told("n1")
        signature = b"x-hub-signature: " + sign(SECRET, body).encode()
        pieces = b"".join(chunked(body[start : start + 50]) for start in range(0, len(body), 50))
        assert await raw(port, [b"transfer-encoding: chunked", signature], pieces + chunked(b"")) == 200
        assert (
            await raw(port, [b"Content-Length: %d" % len(body), signature.upper()[:16] + signature[16:]], body) == 200
        )
        assert await raw(port, [b"content-length: 9"], b"", method=b"HEAD") == 200
        assert await raw(port, [b"content-length: 2000000"], b"", path=b"/hooks/intercom/us1") == 421
    assert await door.stored(workspace) == {"n1": 2}


async def test_a_client_that_hangs_up_in_the_middle_stores_nothing(door: Door, workspace: WorkspaceId) -> None:
    async with serving(door.ingest) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request([b"content-length: 500"]) + b'{"app_id"')
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()
        await writer.wait_closed()
        body = told("n1")
        async with httpx.AsyncClient(trust_env=False) as client:
            headers = {"X-Hub-Signature": sign(SECRET, body)}
            answer = await client.post(f"http://127.0.0.1:{port}{PATH}", content=body, headers=headers)
    assert answer.status_code == 200
    assert await door.stored(workspace) == {"n1": 1}


def request(headers: list[bytes], path: bytes = PATH.encode(), method: bytes = b"POST") -> bytes:
    return b"\r\n".join([method + b" " + path + b" HTTP/1.1", b"host: eu1.test", *headers, b"", b""])


def chunked(part: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(part), part)


async def raw(port: int, headers: list[bytes], body: bytes, **first_line: bytes) -> int:
    """The status that comes, at the latest in five seconds, however much of the body is still to be sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request(headers, **first_line) + body)
        async with asyncio.timeout(5):
            return int((await reader.readline()).split()[1])
    finally:
        writer.close()


# Whatever comes

WORD = st.sampled_from(["a86dr8yl", "ping", "n1", CREATED, "steelyard.receipt"]) | st.text(max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORD, inner, max_size=3),
    max_leaves=8,
)
NEARLY = st.fixed_dictionaries(
    {"app_id": st.just("a86dr8yl"), "id": WORD | JSON, "topic": WORD | JSON},
    optional={"data": JSON, "created_at": JSON},
)
BODIES = (
    st.binary(max_size=200)
    | JSON.map(lambda value: json.dumps(value).encode())
    | NEARLY.map(lambda value: json.dumps(value).encode())
    | NEARLY.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    | NEARLY.map(lambda value: json.dumps(value).encode("utf-16"))
)


async def test_any_signed_bytes_get_a_plain_answer(bench: Any, unseal: Unseal) -> None:
    """Never a 5xx, and what was stored never stops the router."""
    bodies: list[bytes] = []

    @settings(max_examples=400, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(BODIES)
    def collect(body: bytes) -> None:
        bodies.append(body)

    collect()
    async with aclosing(Door(bench.database, unseal)) as door:
        answers = [await door.post(body) for body in bodies]
    assert {each.status_code for each in answers} <= {200, 400, 401}
    assert sum(each.status_code == 200 for each in answers) > 20
    await bench.route()
    assert await bench.rows("SELECT count(*) FROM inbox WHERE handled_at IS NULL") == [(0,)]


# Raw


def as_sent(answer: httpx.Response) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    return answer.status_code, answer.headers.raw, answer.content


def signed(body: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"x-hub-signature", sign(SECRET, body).encode())]


def asgi(
    body: bytes, headers: list[tuple[bytes, bytes]], *, path: str = PATH
) -> tuple[dict[str, Any], Callable[[], Awaitable[dict[str, Any]]]]:
    """A POST as a server hands it on: its scope, and its body in one piece."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return {"type": "http", "method": "POST", "path": path, "headers": headers}, receive
