"""The simulated Intercom's inbox: what a person reads on it, and what becomes of what they write."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from html.parser import HTMLParser

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.demo.intercom import Config, Simulator, people
from steelyard.demo.intercom.inbox.bodies import cleaned
from steelyard.demo.intercom.inbox.pages import HEADERS, LARGEST, SHOWN
from steelyard.demo.intercom.model import Conversation, Publish

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{7*7}}"


class Tags(HTMLParser):
    """What a page is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def tags(html: str) -> list[tuple[str, dict[str, str | None]]]:
    reading = Tags()
    reading.feed(html)
    return reading.found


@pytest.fixture
def simulator() -> Simulator:
    return Simulator(Config())


@pytest.fixture
async def person(simulator: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(simulator.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1") as client:
        yield client


def begin(simulator: Simulator, body: str = "It is slow.", name: str = "Camille") -> Conversation:
    who = people.customer(simulator.workspace, name, "camille@example.test")
    return people.write_in(simulator.workspace, who, "Help", body)


def at(conversation: Conversation) -> str:
    return f"/a/inbox/demo1234/conversation/{conversation.id}"


async def test_the_newest_open_conversations_and_one_by_its_number(
    simulator: Simulator, person: httpx.AsyncClient
) -> None:
    made = [begin(simulator, f"message {n}") for n in range(SHOWN + 5)]
    made[-1].state = "closed"
    home = await person.get("/", follow_redirects=True)
    listed = [each["href"] for tag, each in tags(home.text) if tag == "a" and "/conversation/" in str(each.get("href"))]
    assert listed == [at(each) for each in reversed(made[-SHOWN - 1 : -1])]
    found = await person.get("/a/inbox/demo1234", params={"q": f" {made[0].id} "})
    assert (found.status_code, found.headers["location"]) == (303, at(made[0]))
    page = await person.get(at(made[0]))
    assert (page.status_code, "message 0" in page.text) == (200, True)
    for path in (
        "/a/inbox/demo1234?q=1",
        "/a/inbox/demo1234?q=%3Cb%3E",
        "/a/inbox/other",
        at(made[0]).replace("demo", "x"),
    ):
        missing = await person.get(path)
        assert (missing.status_code, "<b>" in missing.text) == (404, False)


async def test_whatever_was_written_is_text_on_the_page(simulator: Simulator, person: httpx.AsyncClient) -> None:
    plain = {tag for tag, _ in tags((await person.get(at(begin(simulator)))).text)}
    conversation = begin(simulator, EVIL, EVIL)
    conversation.title = EVIL
    await person.post(f"{at(conversation)}/parts", json={"kind": "note", "body": EVIL + "note"})
    page = await person.get(at(conversation))
    assert {tag for tag, _ in tags(page.text)} <= plain
    assert not any(name.startswith("on") or name == "style" for _, each in tags(page.text) for name in each)
    assert "{{7*7}}" in page.text
    for name, value in HEADERS.items():
        assert page.headers[name] == value
    scripts = [each for tag, each in tags(page.text) if tag == "script"]
    assert [each["src"] for each in scripts] == ["/a/inbox.js"]
    for path in ("/a/inbox.js", "/a/inbox.css"):
        assert (await person.get(path)).status_code == 200


async def test_what_is_sent_is_the_engineers_and_is_told(simulator: Simulator, person: httpx.AsyncClient) -> None:
    told: list[Publish] = []
    simulator.workspace.publish = told.append
    conversation = begin(simulator)
    people.TO_CONVERSATIONS["assign"](
        simulator.workspace,
        conversation,
        people.conversations.Actor(simulator.workspace.admins[7310403]),
        {"to": 7310403},
    )
    told.clear()
    body = '<p>Look at <a href="https://wordpress.org/x">this</a></p><p>hxxp://evil[.]test &lt;b&gt;</p>'
    for kind, topic in (("reply", "conversation.admin.replied"), ("note", "conversation.admin.noted")):
        answer = await person.post(f"{at(conversation)}/parts", json={"kind": kind, "body": body})
        assert (answer.status_code, "hxxp://evil[.]test" in answer.json()["html"]) == (201, True)
        part = conversation.parts[-1]
        assert (part.kind, part.author.id, part.author.package) == (
            "note" if kind == "note" else "comment",
            "7310403",
            None,
        )
        assert part.body is not None
        assert part.body.plain == "Look at this\nhxxp://evil[.]test <b>"
        assert part.body.html.count("<a ") == 1
        assert told[-1].topic == topic
    call = {"authorization": f"Bearer {simulator.config.token}", "accept": "application/json"}
    read = (await person.get(f"/conversations/{conversation.id}", headers=call)).json()
    assert [each["part_type"] for each in read["conversation_parts"]["conversation_parts"]][-2:] == ["comment", "note"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b'{"kind": "close", "body": "x"}', 400),
        (b'{"kind": "reply", "body": 7}', 400),
        (b'{"kind": "reply", "body": "<p> <br></p>"}', 422),
        (b'{"kind": "reply", "body": "' + b"x" * 70_000 + b'"}', 400),
        (b"[" * 20_000, 400),
    ],
)
async def test_what_cannot_be_sent_changes_nothing(
    simulator: Simulator, person: httpx.AsyncClient, sent: bytes, status: int
) -> None:
    conversation = begin(simulator)
    headers = {"content-type": "application/json"}
    answer = await person.post(f"{at(conversation)}/parts", content=sent, headers=headers)
    assert (answer.status_code, bool(answer.json()["error"]), conversation.parts) == (status, True, [])


async def test_another_site_sends_nothing(simulator: Simulator, person: httpx.AsyncClient) -> None:
    conversation = begin(simulator)
    for fetched in ("cross-site", "same-site"):
        answer = await person.post(
            f"{at(conversation)}/parts", json={"kind": "reply", "body": "x"}, headers={"sec-fetch-site": fetched}
        )
        assert (answer.status_code, conversation.parts) == (403, [])


@given(st.text(alphabet="<>/\"'=&;ab p script href javascript:http://x\n", max_size=60) | st.text())
def test_a_body_is_never_more_than_paragraphs_and_links(body: str) -> None:
    for tag, attributes in tags(cleaned(body)):
        assert tag in {"p", "br", "a"}
        assert set(attributes) <= {"href", "rel"}
        assert str(attributes.get("href", "https:")).lower().startswith(("http:", "https:", "mailto:"))


@pytest.mark.parametrize(
    "href", ["javascript:alert(1)", " java\nscript:alert(1)", "data:text/html,x", "//x", "", "[::1"]
)
def test_links_that_are_none_are_text(href: str) -> None:
    assert cleaned(f'<a href="{href}">here</a>') == "here"


@pytest.mark.parametrize("piece", ["<a ", "<a href=x", "<a b='", "<a b='>", "<!--", "<!--x>", "</a ", "<![CDATA[", "<"])
def test_a_body_takes_no_longer_than_it_is_long(piece: str) -> None:
    begun = time.perf_counter()
    cleaned(piece * (LARGEST // len(piece)))
    assert time.perf_counter() - begun < 3


async def test_half_of_a_sign_is_refused(simulator: Simulator, person: httpx.AsyncClient) -> None:
    path, headers = f"{at(begin(simulator))}/parts", {"Content-Type": "application/json"}
    answer = await person.post(path, content=b'{"kind": "note", "body": "a\\ud800"}', headers=headers)
    assert answer.status_code == 400
