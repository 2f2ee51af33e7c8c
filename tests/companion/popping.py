"""The extension's own pages, opened in a browser beside the sites that they are about."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from composing import CHROMIUM, welcome
from playwright.async_api import BrowserContext, Page, async_playwright
from waiting import PATIENCE, until

STARTED = "async () => (await chrome.action.getTitle({})) !== chrome.runtime.getManifest().action.default_title"
SHOWN = """async (tab) => {
  const { page } = (await chrome.storage.session.get(`tab ${tab}`))[`tab ${tab}`] ?? {};
  return page ? [page.at, Boolean(page.ms || !page.seen), page.time] : null;
}"""


@dataclass
class Site:
    """A tab with a site."""

    page: Page
    number: int


@dataclass
class Popping:
    """The browser, and the pages of the extension in it."""

    context: BrowserContext
    base: str
    own: Page
    wrong: list[str] = field(default_factory=list[str])

    async def run(self, code: str, argument: Any = None) -> Any:
        """Calls a function where the extension's own pages run."""
        return await self.own.evaluate(code, argument)

    async def site(self, url: str) -> Site:
        """A new tab with that address, once the companion knows what it shows."""
        before = await self._tabs()
        page = await self.context.new_page()
        [number] = set(await self._tabs()) - set(before)
        site = Site(page, number)
        await self.go(site, url)
        return site

    async def go(self, site: Site, url: str) -> None:
        await site.page.goto(url)
        await self.known(site, url)

    async def known(self, site: Site, url: str, since: float = 0) -> None:
        """Waits until the companion has that page, loaded after a time."""
        await until(
            lambda: self.run(SHOWN, site.number),
            lambda at: at and at[0] == url and at[1] and at[2] > since,
            f"the companion does not know of {url}",
        )

    async def open(self, name: str, site: Site, width: int = 380, theme: Any = "light") -> Page:
        """A page of the extension about a tab."""
        page = await self.context.new_page()
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)
        await page.set_viewport_size({"width": width, "height": 600})
        await page.emulate_media(color_scheme=theme)
        name, _, part = name.partition("#")
        await page.goto(f"{self.base}/ui/{name}.html?tab={site.number}" + (f"#{part}" if part else ""))
        return page

    async def _tabs(self) -> list[int]:
        return await self.run("async () => (await chrome.tabs.query({})).map((tab) => tab.id)")


@asynccontextmanager
async def popping(extension: Path, profile: Path, language: str = "en") -> AsyncGenerator[Popping]:
    """A browser with that extension, in which every invented name leads to this machine."""
    arguments = ["--disable-gpu", "--disable-background-networking", f"--lang={language}"]
    arguments += [f"--disable-extensions-except={extension}", f"--load-extension={extension}"]
    arguments += ["--host-resolver-rules=MAP *.example 127.0.0.1"]
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            str(profile), executable_path=CHROMIUM, args=arguments, headless=True, locale=language
        )
        context.set_default_timeout(PATIENCE * 1000)
        worker = (
            context.service_workers[0] if context.service_workers else await context.wait_for_event("serviceworker")
        )
        base = worker.url.rsplit("/", 2)[0]
        await (await welcome(context)).close()  # else it opens while a test counts tabs
        own = context.pages[0]
        await own.goto(f"{base}/probe.html")
        await until(lambda: own.evaluate(STARTED), bool, "it has not started")
        yield Popping(context, base, own)
        await context.close()


async def copied(page: Page, label: str) -> str:
    """What a press of that button leaves in the clipboard, once the button has said that it is there."""
    button = page.get_by_role("button", name=label, exact=True)
    await button.evaluate(HEARD)
    await button.click()
    await until(lambda: page.evaluate("said"), lambda said: "✓ Copied" in said, "it does not say so")
    return await page.evaluate("navigator.clipboard.readText()")


HEARD = """(button) => {
  const said = (window.said = []);
  new MutationObserver(() => said.push(button.textContent)).observe(button, { childList: true });
}"""
"""What a button says from then on, even if for a moment."""
