"""A language that only tests speak: every message longer, accented, in brackets. What is outside has no message."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from gettext import NullTranslations
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from desk_seed import ASKED, NOW, PEOPLE, busy_desk
from steelyard.kit.ids import CellId, WorkspaceId
from steelyard.main.console import Site, console_routes
from steelyard.main.ground import ROOMS
from steelyard.people.gate import Gate
from steelyard.routing import alarms
from steelyard.store.database import Database
from steelyard.web.console import create_console
from steelyard.web.pages import Pages
from steelyard.web.static import Static

ACCENTED = str.maketrans("aeiouyAEIOUcn", "àéîôûýÀÉÎÔÛçñ")
PLACE = re.compile(r"(%\(\w+\)s|<[^>]*>)")
NAMES = {"steelyard", "intercom", "csv", "json", "utc", "english", "français", "px", "gz"}
"""What is called the same in every language."""
UNSAID = {"code", "kbd", "time", "script", "style", "title", "abbr", "option", "pre", "textarea"}
"""Elements whose text is data, or that the test looks at elsewhere."""


class Pseudo(NullTranslations):
    """Says every message in brackets, longer than it is."""

    def gettext(self, message: str) -> str:
        return pseudo(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return pseudo(msgid1 if n == 1 else msgid2)


def pseudo(message: str) -> str:
    parts = PLACE.split(message)
    accented = "".join(part if PLACE.fullmatch(part) else part.translate(ACCENTED) for part in parts)
    return f"⟦{accented}{'~' * (len(message) // 3)}⟧" if message else ""


class Texts(HTMLParser):
    """The texts of a page that stand in no brackets."""

    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []
        self._depth = 0
        self._unsaid: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in UNSAID:
            self._unsaid.append(tag)
        for name, value in attrs:
            if name in ("aria-label", "placeholder", "alt") and value:
                self._read(value)

    def handle_endtag(self, tag: str) -> None:
        if self._unsaid and self._unsaid[-1] == tag:
            self._unsaid.pop()

    def handle_data(self, data: str) -> None:
        if not self._unsaid:
            self._read(data)

    def _read(self, text: str) -> None:
        """Brackets may begin in one text and end in another, where an element stands between."""
        out = ""
        for each in text:
            self._depth += (each == "⟦") - (each == "⟧")
            out += each if self._depth == 0 else " "
        self.outside += re.findall(r"[^\W\d_]{2,}", out)


def data_words(value: object) -> set[str]:
    """Every word in a page's data, and of what the desk was seeded with: names, subjects, topics."""
    return {word.lower() for word in re.findall(r"[^\W\d_]{2,}", str(value))}


def paths() -> list[str]:
    nothing = cast(Any, None)
    found = console_routes(nothing, cast(Any, None), Site(CellId("eu1"), Path("nowhere")))
    pages = {route.path for route in found if "GET" in (route.methods or ())}
    return sorted(path for path in pages if not path.endswith((".json", ".csv", "/live", "/log")))


PARAMETERS = {"number": "9", "conversation": "5000", "engineer": "101", "person": "1", "id": "5000"}
PARAMETERS |= {"notification": "1", "site": "9", "host": "9", "run": "9", "batch": "9", "slug": "x", "name": "x"}


@pytest.fixture
async def client(
    database: Database,
    make_workspace: Callable[[], Awaitable[WorkspaceId]],
    keys: Path,
    static: Static,
    monkeypatch: pytest.MonkeyPatch,
) -> httpx.AsyncClient:
    """A console that speaks only the language of this test."""
    monkeypatch.setattr(alarms, "said_in", lambda _: Pseudo())
    await busy_desk(database, await make_workspace())
    pages = Pages(static, ROOMS, translations=lambda _: Pseudo())
    site = Site(CellId("eu1"), keys, open_to_loopback=True, clock=lambda: NOW)
    gate = Gate(database, pages, site.cell, open_to_loopback=True, clock=site.clock)
    app = create_console(static, pages, console_routes(database, pages, site), gate)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=("127.0.0.1", 5)), base_url="http://127.0.0.1:8420"
    )


async def test_every_page_says_everything_by_messages(client: httpx.AsyncClient) -> None:
    seeded = data_words(
        [PEOPLE, ASKED, "Support francophone Security Nordlys Hosting Test eu shop atelier example put back waits"]
    )
    policy = data_words((ROOMS["routing"].parent / "policy.toml").read_text("utf-8"))
    shown, unsaid = 0, dict[str, list[str]]()
    for written in paths():
        path = re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: PARAMETERS[found[1]], written)
        answer = await client.get(path, follow_redirects=True)
        if "text/html" not in answer.headers.get("content-type", ""):
            continue
        data = await client.get(f"{path}.json", follow_redirects=True)
        known = NAMES | seeded | policy | (data_words(data.text) if data.status_code == 200 else set())
        texts = Texts()
        texts.feed(answer.text)
        outside = sorted({word for word in texts.outside if word.lower() not in known})
        unsaid |= {path: outside} if outside else {}
        shown += answer.status_code == 200
    assert unsaid == {}
    assert shown > 8, "pages were drawn at all"


def test_what_has_no_message_is_seen() -> None:
    texts = Texts()
    texts.feed(f"<p>{pseudo('Said')} forgotten <b>%(x)s</b></p><input aria-label='unsaid label'>")
    assert texts.outside == ["forgotten", "unsaid", "label"]
