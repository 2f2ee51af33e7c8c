"""The handbook in a real browser: read on any screen, copied with one press, written, imported, offered."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect
from served_console import ROOT, Console

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

AXE = ROOT / "node_modules/axe-core/axe.min.js"
SHOTS = os.environ.get("SHOTS")
PAGES = (
    "/handbook", "/handbook/set-up-redis", "/handbook/set-up-redis/edit", "/handbook/set-up-redis/draft",
    "/handbook/search?q=redis+cache", "/handbook/search?q=zinzolin", "/handbook/new", "/handbook/import",
    "/toolbox/for/5002",
    "/handbook/domains",
)  # fmt: skip
WIKI = {"redis.md": "# Redis, ours\n\n1. Look\n   ```bash\n   redis-cli PING\n   ```\n", "bad.md": "no title"}


def archive(files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, text in files.items():
            packed.writestr(name, text)
    return out.getvalue()


@pytest.fixture
async def page(browser: Browser, console: Console) -> AsyncIterator[Page]:
    context = await browser.new_context(base_url=console.url, viewport={"width": 1280, "height": 900})
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = await context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"error {error}"))
    page.on("console", lambda message: wrong.append(message.text) if "Content Security" in message.text else None)
    yield page
    await context.close()
    assert wrong == []


async def shot(page: Page, name: str) -> None:
    if SHOTS is not None:
        await page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


async def copied(page: Page) -> str:
    return await page.evaluate("navigator.clipboard.readText()")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "fr"])
async def test_every_page_is_accessible_and_fits(browser: Browser, console: Console, theme: Any, language: str) -> None:
    context = await browser.new_context(base_url=console.url, color_scheme=theme, locale=language)
    page = await context.new_page()
    axe = AXE.read_text("utf-8")
    for path in PAGES:
        await page.set_viewport_size({"width": 1280, "height": 900})
        await page.goto(path)
        await page.evaluate(axe)
        found = await page.evaluate("axe.run().then((r) => r.violations.map((each) => [each.id, each.nodes[0].html]))")
        assert found == [], path
        await shot(page, f"{path.strip('/').replace('/', '-').partition('?')[0]}-{language}-{theme}")
        await page.set_viewport_size({"width": 320, "height": 800})
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320, path
        if theme == "light" and language == "fr":
            await shot(page, f"narrow-{path.strip('/').replace('/', '-').partition('?')[0]}")
    await context.close()


async def test_commands_and_steps_are_copied_as_they_stand(page: Page) -> None:
    await page.goto("/handbook/set-up-redis")
    await page.locator(".code .copy").first.click()
    await expect(page.locator(".code .copy").first).to_have_text("Copied")
    shown = await page.locator("#code-1").text_content()
    assert await copied(page) == shown
    assert shown is not None
    assert not shown.endswith("\n")
    step = page.locator(".step").nth(1).locator("> .copy")
    await step.focus()
    await page.keyboard.press("Enter")
    await expect(step).to_have_text("Copied")
    text = await copied(page)
    assert text.startswith("Make a user that sees only its own keys")
    assert "```bash\nSITE_KEY=shop\n" in text


async def test_without_a_script_there_is_no_button_that_does_nothing(browser: Browser, console: Console) -> None:
    context = await browser.new_context(base_url=console.url, java_script_enabled=False)
    page = await context.new_page()
    await page.goto("/handbook/set-up-redis")
    assert await page.locator(".copy:visible").count() == 0
    await page.get_by_role("button", name="I checked this page").click()
    await page.get_by_text("Checked: this page is right as it stands.").wait_for()
    await page.get_by_role("button", name="Take my check back").click()
    await page.get_by_text("Your check is taken back.").wait_for()
    await context.close()


async def test_a_page_is_written_previewed_kept_and_undone(page: Page) -> None:
    await page.goto("/handbook/dns/edit")
    await page.get_by_label("Text, in Markdown").fill("1. Ask **twice**")
    await page.reload()
    assert await page.get_by_label("Text, in Markdown").input_value() == "1. Ask **twice**"
    await page.get_by_role("button", name="Show what it looks like").click()
    await page.locator(".prose strong", has_text="twice").wait_for()
    await page.get_by_role("button", name="Keep this text").click()
    await page.get_by_text("The page is changed.").wait_for()
    await page.wait_for_load_state()  # then its keys are heard
    await page.keyboard.press("z")
    await page.get_by_text("The text before the last change is back.").wait_for()
    await page.get_by_role("heading", name="How to find out, step by step").wait_for()


async def test_a_wiki_is_imported_by_choosing_it_once(page: Page) -> None:
    await page.goto("/handbook/import")
    await page.get_by_label("Zip of pages").set_input_files(
        {"name": "wiki.zip", "mimeType": "application/zip", "buffer": archive(WIKI)}
    )
    await page.get_by_role("button", name="Show what it would change").click()
    await page.get_by_text("It has neither a title nor a heading.").wait_for()
    await shot(page, "import-plan")
    await page.get_by_role("button", name="Import 1 page").click()
    await page.get_by_text("1 page is imported.").wait_for()
    await page.get_by_role("link", name="Redis, ours").click()
    await page.locator("#code-1", has_text="redis-cli PING").wait_for()


async def test_a_conversation_about_redis_shows_the_page_and_the_button(page: Page, console: Console) -> None:
    known = next(id for id, each in console.desk.known.items() if each.topic == "caching")
    await page.goto(f"/conversations/{known}")
    part = page.locator("#fragment-toolbox")
    await part.get_by_role("link", name="Set up Redis for a site").wait_for()
    await shot(page, "conversation")
    await page.evaluate(AXE.read_text("utf-8"))
    assert await page.evaluate("axe.run().then((r) => r.violations.map((each) => [each.id, each.nodes[0].html]))") == []
    await part.get_by_role("link", name="Set up Redis for a site").click()
    await page.wait_for_url(f"**conversation={known}*")
