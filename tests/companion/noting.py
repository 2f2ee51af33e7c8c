"""The panel of a real browser, and the notes of its tabs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from composing import MODULES, ROOT, launch, worker_of
from playwright.async_api import BrowserContext, Page, Playwright, Route
from waiting import until

AXE = MODULES / "axe-core/axe.min.js"
FOUND = "axe.run().then((result) => result.violations.map((each) => [each.id, each.nodes[0].html]))"
PHRASE = "four words of mine"
SHOP = "https://shop.example"
SITE = "<!doctype html><meta charset=utf-8><title>%s</title><p>A shop"

GONE = """async () => {
  const open = (await chrome.tabs.query({})).map(({ id }) => String(id));
  const names = Object.keys(await chrome.storage.session.get());
  return names.filter((name) => /^note \\d/u.test(name) && !open.includes(name.split(" ")[1]));
}"""
"""What is still kept for tabs that are closed: later it would be offered to the next test."""


@dataclass
class Notebook:
    """A browser with the extension, sites of its own, and panels on their tabs."""

    context: BrowserContext
    id: str = ""
    wrong: list[str] = field(default_factory=list[str])
    probe: Page = field(init=False)

    async def start(self) -> Notebook:
        self.id = (await worker_of(self.context)).url.split("/")[2]
        await self.context.route(f"{SHOP}/**", answer)
        self.probe = await self.context.new_page()
        await self.probe.goto(self.address("manifest.json"))
        return self

    def address(self, path: str) -> str:
        return f"chrome-extension://{self.id}/{path}"

    async def run(self, script: str, *values: Any) -> Any:
        """In a page of the extension, which no stop of the worker ends."""
        return await self.probe.evaluate(script, *values)

    async def tab(self, path: str = "/") -> tuple[Page, int]:
        """A new tab on the shop, and its number."""
        before = set(await self.run("chrome.tabs.query({}).then((all) => all.map(({ id }) => id))"))
        page = await self.context.new_page()
        after = set(await self.run("chrome.tabs.query({}).then((all) => all.map(({ id }) => id))"))
        (number,) = after - before
        await page.goto(SHOP + path)
        return page, number

    async def panel(self, tab: int | None = None, part: str = "notes", size: tuple[int, int] = (380, 720)) -> Page:
        """The panel as a page: with a tab it stays there, without it follows."""
        page = await self.context.new_page()
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        await page.set_viewport_size({"width": size[0], "height": size[1]})
        await page.goto(self.address(f"ui/panel.html{'' if tab is None else f'?tab={tab}'}#{part}"))
        return page

    async def pad(self, tab: int) -> Page:
        page = await self.panel(tab)
        await page.locator("#note").click()
        return page

    async def has(self, page: Page, text: str) -> None:
        """Waits until the field shows this."""
        field = "document.querySelector('#note')?.value ?? '(no field)'"
        await until(lambda: page.evaluate(field), lambda seen: seen == text, f"it does not show {text!r}")

    async def written(self, tab: int, text: str) -> None:
        """Waits until the note of that tab is this, and sealed where notes are kept: a field shows it before."""
        note = f"chrome.storage.session.get('note {tab}').then((kept) => kept['note {tab}']?.text ?? '(no note)')"
        await until(lambda: self.run(note), lambda seen: seen == text, f"the note is not {text!r}")
        await self.run("navigator.locks.request('notes', () => 0)")

    async def hold_notes(self) -> None:
        """Nobody folds what is typed, and closed tabs are not heard of."""
        await self.run(
            "new Promise((held) => void (window.holding = navigator.locks.request('notes', () => {"
            " held(); return new Promise((go) => (window.letGo = go)); })))"
        )

    async def let_notes_go(self) -> None:
        await self.run("window.letGo(), window.holding.then(() => 0)")

    async def stop_worker(self) -> None:
        session: Any = await self.context.new_cdp_session(self.probe)
        await session.send("ServiceWorker.enable")
        await session.send("ServiceWorker.stopAllWorkers")
        await session.detach()

    async def kept(self) -> dict[str, Any]:
        return await self.run("chrome.storage.local.get()")

    async def session(self) -> dict[str, Any]:
        """All that is there of notes until the browser ends."""
        every = await self.run("chrome.storage.session.get()")
        return {name: value for name, value in every.items() if name.startswith("note")}

    async def clean(self) -> None:
        """Nothing of another test: no tab, no note, nothing that is offered."""
        for page in self.context.pages[1:]:
            if page is not self.probe:
                await page.close()
        await self.run("() => window.letGo?.()")
        await self.run("chrome.storage.session.remove('filled')")
        await until(lambda: self.run(GONE), lambda gone: not gone, "the worker has not heard of closed tabs")
        both = "Promise.all([chrome.storage.session.clear(), chrome.storage.local.clear()])"
        await self.run(f"navigator.locks.request('notes', () => {both}).then(() => 0)")
        self.wrong.clear()


async def answer(route: Route) -> None:
    await route.fulfill(body=SITE % route.request.url.rpartition("/")[2], content_type="text/html")


async def opened(playwright: Playwright, folder: Path, language: str = "en") -> Notebook:
    """A browser of its own: one more start of the same profile is a restart."""
    return await Notebook(await launch(playwright, folder, ROOT / "extension", f"--lang={language}")).start()


async def closed_and_offered(notebook: Notebook, text: str, path: str = "/") -> None:
    """A tab with that note, which was closed."""
    page, tab = await notebook.tab(path)
    panel = await notebook.pad(tab)
    await panel.keyboard.insert_text(text)
    await notebook.has(panel, text)
    await page.close()
    await panel.close()


async def looked_over(panel: Page) -> None:
    """Nothing is found by axe, and nothing is wider than the panel."""
    await panel.evaluate(AXE.read_text())
    assert await panel.evaluate(FOUND) == []
    assert await panel.evaluate("document.documentElement.scrollWidth <= innerWidth")
