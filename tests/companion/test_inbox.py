"""The companion in the simulated Intercom's inbox: what is sent is what was shown, and nobody can click on it."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from composing import CHROMIUM, COPY, ROOT, launch, told, worker_of
from playwright.async_api import BrowserContext, Locator, Page, async_playwright, expect
from waiting import until
from watching import permitted

from steelyard.demo.intercom import Config, Simulator, people, running
from steelyard.demo.intercom.model import Conversation, Part

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

EVIL, GOOD = "http://evil.test/x", "https://wordpress.org/a"
SAFE = "hxxp://evil[.]test/x"
BROWSERS_OWN = ("google.com", "googleapis.com", "gvt1.com", "gstatic.com")
"""What Chromium asks of by itself."""
SHOWN = """(editor) => ({
  text: [...editor.children].map((each) => each.innerText.replaceAll("\\u00a0", " ").replace(/\\n$/, "")).join("\\n"),
  links: [...editor.querySelectorAll("a[href]")].map((each) => each.href),
})"""


@dataclass
class Inbox:
    """A browser with the companion, and the Intercom whose inbox it opens."""

    context: BrowserContext
    simulator: Simulator
    elsewhere: list[bytes]
    """How what was asked of any other name began."""
    asked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Method and address of every request of every page and of the background."""
    wrong: list[str] = field(default_factory=list[str])

    async def open(self, kind: str = "reply", **settings: Any) -> Writing:
        """A new conversation, with the caret in its editor of replies or of notes."""
        editor = {
            "origin": self.simulator.base_url,
            "editor": "",
            "note": ".o__note .ProseMirror",
            "send": "",
            "words": [],
        }
        kept = {"trusted": ["wordpress.org"], "editors": [editor], "notes": True, **settings}
        worker = await worker_of(self.context)
        await worker.evaluate("(kept) => chrome.storage.sync.set(kept)", kept)
        count = "chrome.scripting.getRegisteredContentScripts().then((all) => all.length)"
        await until(lambda: worker.evaluate(count), bool, "the editor is not registered")
        workspace = self.simulator.workspace
        customer = people.customer(workspace, "Camille Durand", "camille@example.test")
        conversation = people.write_in(workspace, customer, "Help", f"See {EVIL}")
        page = await self.context.new_page()
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)
        await page.goto(f"{self.simulator.base_url}/a/inbox/demo1234/conversation/{conversation.id}")
        await told(self.context, {"do": "nothing"}, f"{self.simulator.base_url}/*")
        await page.get_by_role("tab", name="Note" if kind == "note" else "Reply").click()
        return Writing(self, page, conversation, page.locator(f"#{kind}"), len(self.asked))


@dataclass
class Writing:
    """A conversation in which somebody writes."""

    inbox: Inbox
    page: Page
    conversation: Conversation
    panel: Locator
    begun: int

    async def type(self, text: str) -> None:
        await self.page.keyboard.type(text, delay=5)

    async def paste(self, text: str, html: str = "") -> None:
        await self.page.evaluate(COPY, [text, html])
        await self.page.keyboard.press("Control+v")

    async def insert_saved(self, name: str) -> None:
        await self.panel.get_by_text("Saved replies").click()
        await self.panel.get_by_role("button", name=name).click()

    async def insert_from_panel(self, text: str) -> None:
        """As a note of this tab in the companion's panel, put into the reply from there."""
        worker = await worker_of(self.inbox.context)
        tab = await worker.evaluate("(url) => chrome.tabs.query({ url }).then(([tab]) => tab.id)", f"{self.page.url}*")
        panel = await self.inbox.context.new_page()
        await panel.goto(worker.url.partition("/background/")[0] + f"/ui/panel.html?tab={tab}#notes")
        await panel.locator("#note").fill(text)
        await panel.get_by_role("button", name="Put into the reply").click()
        await expect(panel.locator(".notice:visible")).to_contain_text("It stands in the reply of")
        await panel.close()
        await self.page.bring_to_front()

    async def shown(self) -> tuple[str, list[str]]:
        found = await self.panel.locator(".ProseMirror").evaluate(SHOWN)
        return found["text"], found["links"]

    async def until(self, text: str, *links: str) -> None:
        """Waits until the editor shows this and keeps it."""
        await until(self.shown, lambda shown: shown == (text, list(links)), f"it does not have {text!r}")
        await self.page.wait_for_timeout(150)
        assert await self.shown() == (text, list(links))

    async def press(self, how: str) -> None:
        """Sends by keys, or by the button."""
        if how == "keys":
            await self.page.keyboard.press("Control+Enter")
        else:
            await self.panel.locator(".send").click()

    async def sent(self, how: str) -> Part:
        """What the simulated Intercom has then: exactly what was shown, and nothing left this page before."""
        text, links = await self.shown()
        assert [each for each in self.inbox.asked[self.begun :] if each[1].startswith("http")] == []
        before = len(self.conversation.parts)
        await self.press(how)
        await expect(self.panel.locator(".says")).to_have_text(re.compile("^(Sent|The note is kept)[.]$"))
        part = self.conversation.parts[-1]
        assert len(self.conversation.parts) == before + 1
        assert part.body is not None
        assert part.body.plain == text
        assert part.body.html.count("<a ") == len(links)
        assert all(f'href="{each}"' in part.body.html for each in links)
        told_in_page = await self.page.locator(".parts > li:last-child .body").inner_text()
        assert told_in_page.split() == text.split()
        posted = [each for each in self.inbox.asked[self.begun :] if each[1].startswith("http")]
        assert posted == [("POST", f"{self.page.url}/parts")]
        return part


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def inbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inbox]:
    """One browser and one Intercom for all tests here. Every name but this machine's leads to a trap."""
    if shutil.which(CHROMIUM) is None:
        pytest.skip(f"no {CHROMIUM}: apt-get install chromium")
    folder, elsewhere = tmp_path_factory.mktemp("inbox"), list[bytes]()

    async def caught(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        elsewhere.append(await reader.read(500))
        writer.close()

    trap = await asyncio.start_server(caught, "127.0.0.1", 0)
    port = trap.sockets[0].getsockname()[1]
    rules = [*(f"MAP *.{name} ~NOTFOUND" for name in BROWSERS_OWN), f"MAP * 127.0.0.1:{port}", "EXCLUDE 127.0.0.1"]
    leads = f"--host-resolver-rules={', '.join(rules)}"
    async with running(Config()) as simulator, async_playwright() as playwright:
        context = await launch(playwright, folder, permitted(folder / "extension", "<all_urls>"), leads)
        await context.grant_permissions(["clipboard-read", "clipboard-write"], origin=simulator.base_url)
        opened = Inbox(context, simulator, elsewhere)
        context.on("request", lambda request: opened.asked.append((request.method, request.url)))
        yield opened
        await context.close()
        trap.close()
        await trap.wait_closed()


@pytest.mark.parametrize("how", ["keys", "button"])
async def test_what_was_typed_goes_out_unclickable(inbox: Inbox, how: str) -> None:
    writing = await inbox.open()
    await writing.type(f"see {EVIL} and {GOOD} now")
    await writing.until(f"see {SAFE} and {GOOD} now")
    part = await writing.sent(how)
    assert (part.kind, part.author.type, part.author.package) == ("comment", "admin", None)


@pytest.mark.parametrize("how", ["keys", "button"])
async def test_what_was_pasted_goes_out_unclickable(inbox: Inbox, how: str) -> None:
    writing = await inbox.open()
    html = f'<p>Your <a href="{EVIL}">invoice</a> and <a href="{GOOD}">the documentation</a></p>'
    await writing.paste("Your invoice and the documentation", html)
    await writing.until(f"Your invoice ({SAFE}) and the documentation", GOOD)
    part = await writing.sent(how)
    assert part.body is not None
    assert 'href="http://evil' not in part.body.html


@pytest.mark.parametrize("how", ["keys", "button"])
async def test_what_a_macro_inserted_goes_out_unclickable(inbox: Inbox, how: str) -> None:
    writing = await inbox.open()
    await writing.insert_saved("Name a harmful page")
    invoice, other = "hxxp://malware[.]test/invoice", "hxxp://malware[.]test/x"
    await writing.until(f"Do not open your invoice ({invoice}) or {other}: it is not ours.")
    await writing.sent(how)


@pytest.mark.parametrize("how", ["keys", "button"])
async def test_what_the_panel_inserted_goes_out_unclickable(inbox: Inbox, how: str) -> None:
    writing = await inbox.open()
    await writing.type("Hello, ")
    await writing.insert_from_panel(f"see {EVIL} and {GOOD} now")
    await writing.until(f"Hello, see {SAFE} and {GOOD} now")
    await writing.sent(how)


async def test_a_macro_with_a_trusted_link_goes_out_as_it_is(inbox: Inbox) -> None:
    writing = await inbox.open()
    await writing.insert_saved("Point to the documentation")
    await writing.until("It is described in the documentation.", "https://wordpress.org/documentation/")
    await writing.sent("button")


@pytest.mark.parametrize("how", ["keys", "button"])
async def test_what_is_not_finished_is_held_once(inbox: Inbox, how: str) -> None:
    """A link in the middle of being written is made unclickable by sending; the next press sends what is shown then."""
    writing = await inbox.open()
    await writing.type(f"see {EVIL}")
    await writing.press(how)
    await writing.until(f"see {SAFE}")
    assert writing.conversation.parts == []
    await writing.sent(how)


@pytest.mark.parametrize("how", ["keys", "button"])
async def test_notes_are_left_alone_by_choice_and_looked_at_else(inbox: Inbox, how: str) -> None:
    left = await inbox.open("note", notes=False)
    await left.type(f"see {EVIL} now")
    await left.until(f"see {EVIL} now")
    assert (await left.sent(how)).kind == "note"
    looked = await inbox.open("note", notes=True)
    await looked.type(f"see {EVIL} now")
    await looked.until(f"see {SAFE} now")
    assert (await looked.sent(how)).kind == "note"


async def test_several_paragraphs_arrive_as_they_stood(inbox: Inbox) -> None:
    writing = await inbox.open()
    await writing.type(f"Hello,\n\nsee {EVIL} <b>&amp;\n")
    await writing.page.keyboard.press("Shift+Enter")
    await writing.type("bye")
    await until(writing.shown, lambda shown: shown[0].startswith(f"Hello,\n\nsee {SAFE} <b>&amp;\n"))
    await writing.sent("keys")


async def test_a_draft_of_the_other_tab_is_not_sent(inbox: Inbox) -> None:
    writing = await inbox.open()
    await writing.type("for the customer")
    await writing.page.get_by_role("tab", name="Note").click()
    await writing.type("for us")
    note = Writing(inbox, writing.page, writing.conversation, writing.page.locator("#note"), len(inbox.asked))
    assert (await note.sent("keys")).kind == "note"
    await writing.page.get_by_role("tab", name="Reply").click()
    await writing.until("for the customer")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1024, 1440])
async def test_axe_finds_nothing(inbox: Inbox, theme: Any, width: int) -> None:
    writing = await inbox.open()
    await writing.type(f"see {GOOD} ")
    await writing.page.set_viewport_size({"width": width, "height": 800})
    await writing.page.emulate_media(color_scheme=theme)
    await writing.page.evaluate((ROOT / "node_modules/axe-core/axe.min.js").read_text())
    found = await writing.page.evaluate(
        "axe.run().then((result) => result.violations.map((each) => [each.id, each.nodes[0].html]))"
    )
    assert found == []
    assert await writing.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def quiet(inbox: Inbox) -> AsyncIterator[None]:
    """Nothing is asked of anybody but the inbox, no policy is violated, no script fails."""
    yield
    for page in inbox.context.pages[1:]:
        await page.close()
    hosts = {urlsplit(url).netloc for _, url in inbox.asked if not url.startswith("chrome-extension:")}
    assert hosts <= {urlsplit(inbox.simulator.base_url).netloc}
    assert inbox.elsewhere == []
    assert inbox.wrong == []
