"""A browser for the options page, and what is asked of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from composing import CHROMIUM, MODULES, ROOT
from playwright.async_api import BrowserContext, Page, Playwright
from waiting import PATIENCE, until

AXE = MODULES / "axe-core/axe.min.js"
HELP = "https://help.example"
REGISTERED = "async () => (await chrome.scripting.getRegisteredContentScripts()).flatMap((each) => each.matches)"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


async def start(playwright: Playwright, extension: Path, profile: Path, language: str = "en") -> BrowserContext:
    arguments = ["--disable-gpu", "--disable-background-networking", f"--lang={language}"]
    arguments += [f"--disable-extensions-except={extension}", f"--load-extension={extension}"]
    context = await playwright.chromium.launch_persistent_context(
        str(profile), executable_path=CHROMIUM, args=arguments, headless=True
    )
    context.set_default_timeout(PATIENCE * 1000)
    return context


def copied(folder: Path, **manifest: Any) -> Path:
    """A copy of the extension with a manifest of its own: tests can press no prompt of the browser's."""
    shutil.copytree(ROOT / "extension", folder, ignore=shutil.ignore_patterns("tests"))
    own = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**own, **manifest}))
    return folder


async def composer(page: Page) -> dict[str, Any]:
    """What the part in pages is told by the worker."""
    return await page.evaluate("chrome.runtime.sendMessage({ do: 'composer' })")


async def is_accessible(page: Page, theme: Any, width: int) -> None:
    """With all of it open, nothing is found by axe, and nothing is wider than the page."""
    await page.emulate_media(color_scheme=theme)
    await page.set_viewport_size({"width": width, "height": 800})
    await page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    await page.evaluate(AXE.read_text())
    found = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
    assert await page.evaluate(OVERFLOW) == 0


async def kept(page: Page) -> dict[str, Any]:
    return await page.evaluate("chrome.storage.sync.get()")


async def keeps(page: Page, wanted: dict[str, Any]) -> None:
    """Waits until this is what was chosen: what is shown may still be what was there before."""
    await until(lambda: kept(page), lambda found: found == wanted)


async def tells(page: Page, name: str, wanted: Any) -> None:
    """Waits until the worker tells the part in pages this."""
    await until(lambda: composer(page), lambda told: told and told[name] == wanted)


async def trust(page: Page, text: str) -> None:
    await page.fill("#domain", text)
    await page.press("#domain", "Enter")


async def toast(page: Page) -> str:
    await page.wait_for_selector("#toast:not([hidden])")
    return await page.inner_text("#toast p")
