"""The inbox app: who is answered, what it says of a conversation, and that nothing posted to it breaks it."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from canvas_kit import LARGEST, problems
from desk_seed import Desk, busy_desk, closed
from steelyard.adapters.intercom.regions import region_of
from steelyard.adapters.intercom.signature import sign, sign_canvas, verify_canvas
from steelyard.kit.ids import CellId, TeamId, WorkspaceId
from steelyard.routing.canvas_app import LARGEST_BODY, CanvasApp
from steelyard.routing.connections import Unseal
from steelyard.routing.inbox import CellInbox
from steelyard.store.database import Database

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]
SECRET = b"sesame"
HOSTS = {CellId("us1"): "us1.example.com"}
PATH = "/canvas/eu1/initialize"
CONSOLE = "https://desk.example.com"


class Sidebar:
    """Intercom's side of the app: it signs and posts."""

    def __init__(self, database: Database, unseal: Unseal) -> None:
        self.inbox = CellInbox(database, time.monotonic, unseal)
        self.app = CanvasApp(CellId("eu1"), HOSTS, database, self.inbox, verify_canvas, region_of, CONSOLE)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://eu1.test")

    async def post(
        self, body: bytes, signature: str | None = None, *, path: str = PATH, **headers: str
    ) -> httpx.Response:
        signed = {"x-body-signature": sign_canvas(SECRET, body) if signature is None else signature}
        return await self.client.post(path, content=body, headers=signed | headers)

    async def open(self, conversation: int, language: str = "en", *, path: str = PATH) -> dict[str, Any]:
        answer = await self.post(asking(conversation), path=path, **{"accept-language": language})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        assert len(answer.content) < LARGEST
        assert problems(answer.json()) == []
        return answer.json()

    async def aclose(self) -> None:
        await self.client.aclose()
        await self.inbox.aclose()


def asking(conversation: object, /, **changes: object) -> bytes:
    whole = {
        "workspace_id": "a86dr8yl",
        "workspace_region": "EU",
        "admin": {"type": "admin", "id": "1", "name": "Ana"},
        "context": {"conversation_id": conversation},
        "conversation": {"type": "conversation", "id": str(conversation)},
        "contact": {"type": "contact", "id": "c1"},
    }
    return json.dumps(whole | changes).encode()


def texts(canvas: dict[str, Any]) -> str:
    """Everything that is said, in its order."""
    said: list[str] = []
    for each in canvas["canvas"]["content"]["components"]:
        said += [each.get("text", ""), each.get("label", "")]
        said += [f"{row['field']}: {row['value']}" for row in each.get("items", [])]
    return "\n".join(filter(None, said))


@pytest.fixture
async def workspace(make_workspace: MakeWorkspace) -> WorkspaceId:
    return await make_workspace()


@pytest.fixture
async def sidebar(database: Database, unseal: Unseal, workspace: WorkspaceId) -> AsyncIterator[Sidebar]:
    async with aclosing(Sidebar(database, unseal)) as sidebar:
        yield sidebar


@pytest.fixture
async def desk(database: Database, workspace: WorkspaceId) -> Desk:
    return await busy_desk(database, workspace)


# What it says


async def test_it_says_topic_weight_who_has_it_why_and_the_next_best(sidebar: Sidebar, desk: Desk) -> None:
    position, conversation = desk.decided[20]
    known = desk.known[conversation]
    said = texts(await sidebar.open(conversation))
    assert f"Weight {known.weight}\n" in said
    assert "Topic: " in said
    async with desk.database.transaction(desk.workspace) as conn:
        [(winner, other, load, more)] = await (
            await conn.execute(
                "SELECT w.name, r.name, winner_load, runner_up_load FROM decision"
                " JOIN teammate_name w ON w.engineer = winner JOIN teammate_name r ON r.engineer = runner_up"
                " WHERE decision = %s",
                [position],
            )
        ).fetchall()
    assert f"It is on its way to {winner}. They carried {load}" in said
    assert f"Next best: {other}, who carried {more}" in said


async def test_it_leads_to_the_conversation_and_can_be_refreshed(sidebar: Sidebar, desk: Desk) -> None:
    conversation = desk.decided[20][1]
    shown = await sidebar.open(conversation)
    buttons = {each["id"]: each["action"] for each in shown["canvas"]["content"]["components"] if "id" in each}
    assert buttons == {
        "open": {"type": "url", "url": f"{CONSOLE}/conversations/{conversation}?workspace=eu1.a86dr8yl"},
        "refresh": {"type": "submit"},
    }
    assert await sidebar.open(conversation, path="/canvas/eu1/submit") == shown


async def test_it_says_so_in_each_state(sidebar: Sidebar, desk: Desk) -> None:
    assert "nobody of Support francophone is available" in texts(await sidebar.open(6000))
    taken = desk.decided[22][1]
    assignee = desk.known[taken].owner
    await desk.ask(taken, "Again", "DNS", assignee=assignee)
    assert " has it. They carried " in texts(await sidebar.open(taken))
    other = 101 if assignee != 101 else 102
    await desk.ask(taken, "Again", "DNS", assignee=other)
    assert "and a person moved it." in texts(await sidebar.open(taken))
    desk.now += timedelta(seconds=5)
    await desk.see(closed(desk, taken))
    assert "It is closed, so it weighs on nobody." in texts(await sidebar.open(taken))
    await desk.ask(7001, "Ticket", "DNS", ticket=True, team=TeamId(7))
    assert "it is a ticket, which people assign" in texts(await sidebar.open(7001))


async def test_what_is_not_known_yet_says_why(sidebar: Sidebar, desk: Desk) -> None:
    said = texts(await sidebar.open(999_999))
    assert "does not know this conversation yet" in said
    assert "read from Intercom every few minutes" in said
    assert "Open it in Steelyard" not in said
    for odd in (None, "abc", -1, 0, [], 2**70):
        answer = await sidebar.post(asking(1, conversation={"id": odd}))
        assert answer.status_code == 200, "the app is also shown where there is no conversation"


@pytest.mark.parametrize(
    ("changes", "accepted", "french"),
    [
        ({}, "fr-CA,fr;q=0.9,en;q=0.5", True),
        ({}, "de", False),
        ({"admin": {"locale": "fr"}}, "en", True),
        ({"context": {"locale": "fr-FR"}}, "en", True),
        ({"admin": {"locale": "en"}}, "fr", False),
        ({"admin": {"locale": 7}}, "fr", True),
    ],
)
async def test_it_speaks_the_teammates_language(
    sidebar: Sidebar, desk: Desk, changes: dict[str, object], accepted: str, french: bool
) -> None:
    conversation = desk.decided[20][1]
    answer = await sidebar.post(asking(conversation, **changes), **{"accept-language": accepted})
    assert problems(answer.json()) == []
    said = texts(answer.json())
    assert ("Sujet: " in said, "Elle est en route vers " in said) == (french, french)


async def test_no_name_makes_a_link_and_a_long_one_is_cut(sidebar: Sidebar, desk: Desk) -> None:
    conversation = desk.decided[20][1]
    async with desk.database.transaction(desk.workspace) as conn:
        name = "[Click](https://evil.example)\n" + "x" * 100_000
        await conn.execute("UPDATE teammate_name SET name = %s", [name])
    said = texts(await sidebar.open(conversation))
    assert "](" not in said
    assert "x" * 100 not in said


async def test_what_the_customer_wrote_is_not_in_it(sidebar: Sidebar, desk: Desk) -> None:
    async with desk.database.transaction(desk.workspace) as conn:
        await conn.execute("UPDATE conversation_text SET contact = 'secret-shop', body = 'secret-body'")
    assert "secret" not in json.dumps(await sidebar.open(desk.decided[20][1]))


# Who is answered


async def test_only_what_intercom_signed_with_the_apps_own_secret_is_answered(
    sidebar: Sidebar, make_workspace: MakeWorkspace
) -> None:
    await make_workspace("other123", client_secret="another")
    body = asking(5000)
    for wrong in ("", "0" * 64, sign(SECRET, body), sign_canvas(b"another", body), sign_canvas(SECRET, body + b" ")):
        answer = await sidebar.post(body, wrong)
        assert (answer.status_code, answer.text) == (401, "unknown app or wrong signature")
    assert (await sidebar.post(asking(5000, workspace_id="nobody"))).status_code == 401
    foreign = asking(5000, workspace_id="other123")
    assert (await sidebar.post(foreign)).status_code == 401
    assert (await sidebar.post(foreign, sign_canvas(b"another", foreign))).status_code == 200


@pytest.mark.parametrize(
    ("region", "status"), [("EU", 200), ("eu", 200), ("", 200), ("US", 421), ("au", 421), ("Mars", 421)]
)
async def test_a_workspace_of_another_region_is_not_answered(sidebar: Sidebar, region: str, status: int) -> None:
    assert (await sidebar.post(asking(5000, workspace_region=region))).status_code == status


async def test_another_cells_path_is_421_and_its_body_unread(sidebar: Sidebar) -> None:
    told: list[dict[str, Any]] = []

    async def unread() -> dict[str, Any]:
        raise AssertionError("the body is read")

    async def send(message: dict[str, Any]) -> None:
        told.append(message)

    scope = {"type": "http", "method": "POST", "path": "/canvas/us1/initialize", "headers": []}
    await sidebar.app(scope, unread, send)
    assert told[0]["status"] == 421
    assert b"https://us1.example.com/canvas/us1/initialize" in told[1]["body"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", PATH, 405),
        ("POST", "/canvas/xx9/initialize", 404),
        ("POST", "/canvas/eu1/other", 404),
        ("POST", "/canvas/eu1", 404),
        ("POST", "/canvas/eu1/initialize/", 404),
        ("POST", "/canvas/", 404),
    ],
)
async def test_other_addresses_are_refused(sidebar: Sidebar, method: str, path: str, status: int) -> None:
    assert (await sidebar.client.request(method, path, content=b"{}")).status_code == status


# What is posted may be anything


async def test_a_body_is_bounded(sidebar: Sidebar) -> None:
    for size, status in ((LARGEST_BODY, 200), (LARGEST_BODY + 1, 413)):
        start = asking(1)[:-1] + b', "x": "'
        body = start + b"x" * (size - len(start) - 2) + b'"}'
        assert (await sidebar.post(body)).status_code == status
    read: list[int] = []

    async def endless() -> dict[str, Any]:
        read.append(65_536)
        return {"type": "http.request", "body": b"x" * 65_536, "more_body": True}

    told: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        told.append(message)

    await sidebar.app({"type": "http", "method": "POST", "path": PATH, "headers": []}, endless, send)
    assert told[0]["status"] == 413
    assert sum(read) <= LARGEST_BODY + 2 * 65_536


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(["workspace_id", "workspace_region", "admin", "context", "conversation", "id", "locale"])
shapes = st.dictionaries(names, anything | st.dictionaries(names, anything, max_size=4), max_size=7)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(whole=shapes, known=st.booleans())
async def test_no_signed_body_breaks_it(sidebar: Sidebar, whole: dict[str, object], known: bool) -> None:
    body = json.dumps(whole | ({"workspace_id": "a86dr8yl"} if known else {})).encode()
    answer = await sidebar.post(body)
    assert answer.status_code in (200, 400, 401, 421)
    if answer.status_code == 200:
        assert problems(answer.json()) == []


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300) | st.integers(1, 50_000).map(lambda depth: b"[" * depth))
async def test_no_bytes_break_it(sidebar: Sidebar, body: bytes) -> None:
    assert (await sidebar.post(body)).status_code in (400, 401)


async def test_without_the_database_it_says_to_ask_again(sidebar: Sidebar, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(app_id: str) -> None:
        raise TimeoutError

    monkeypatch.setattr(sidebar.inbox, "owner", gone)
    answer = await sidebar.post(asking(1))
    assert (answer.status_code, answer.text) == (503, "not available now: refresh it in a moment")
