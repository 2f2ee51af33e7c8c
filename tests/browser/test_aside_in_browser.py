"""What is set aside, in a real browser: accessible, narrow and wide, by keyboard, without scripts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from desk_seed import NOW

pytestmark = pytest.mark.slow

AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
FOUND = "axe.run().then((result) => result.violations.map((each) => [each.id, each.nodes[0].html]))"
ASIDE = [
    ("conversation.user.created", 1, "TypeError at receive:143"),
    ("conversation.admin.assigned", 3, "NumericValueOutOfRange at store:189"),
    ("admin.away_mode_updated", 1, "RecursionError at decide:60"),
]


async def set_aside(console: Any) -> None:
    async with console.desk.database.transaction(console.desk.workspace) as conn:
        for number, (topic, copies, reason) in enumerate(ASIDE):
            at = NOW - timedelta(minutes=40 - number)
            await conn.execute(
                "INSERT INTO inbox (workspace, notification, topic, body, copies, received_at, handled_at, outcome,"
                " reason) VALUES (%s, %s, %s, '', %s, %s, %s, 'aside', %s)",
                (console.desk.workspace, f"aside {number}", topic, copies, at, at, reason),
            )


async def handle(console: Any, failing: str) -> None:
    """What the router does: all that is tried again is handled, but for that topic."""
    async with console.desk.database.transaction(console.desk.workspace) as conn:
        await conn.execute(
            "UPDATE inbox SET handled_at = now(), outcome = CASE WHEN topic = %s THEN 'aside' ELSE 'fact' END,"
            " reason = CASE WHEN topic = %s THEN 'TypeError at receive:150' END"
            " WHERE tried_at IS NOT NULL AND handled_at IS NULL",
            (failing, failing),
        )


async def open_page(browser: Browser, url: str, **options: Any) -> tuple[Page, list[str]]:
    page = await browser.new_page(**{"viewport": {"width": 1440, "height": 900}, **options})
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"error {error}"))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    await page.goto(url)
    return page, wrong


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "fr"])
async def test_axe_finds_nothing(browser: Browser, console: Any, theme: Any, language: str) -> None:
    paths = ["/aside"]
    for step in range(3):
        if step == 1:
            await set_aside(console)
            paths = ["/aside", "/desk"]
        for path in paths:
            page, wrong = await open_page(browser, console.url + path, color_scheme=theme, locale=language)
            if step == 2:
                await page.locator("[form=again]").click()
                await page.wait_for_url("**tried=*")
                await handle(console, ASIDE[1][0])
                await page.reload()
                await expect(page.get_by_role("status")).to_contain_text("3")
            await page.evaluate(AXE.read_text("utf-8"))
            assert await page.evaluate(FOUND) == [], (step, path)
            assert wrong == []
            await page.close()
            if step == 2:
                break


@pytest.mark.parametrize("width", [320, 768, 1440])
async def test_it_never_scrolls_sideways(browser: Browser, console: Any, width: int) -> None:
    await set_aside(console)
    for path in ("/aside", "/desk"):
        for language in ("en", "fr"):
            page, _ = await open_page(
                browser, console.url + path, viewport={"width": width, "height": 800}, locale=language
            )
            await page.wait_for_timeout(200)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, (path, language)
            await page.close()


@pytest.mark.parametrize("scripts", [True, False])
async def test_one_is_tried_again_by_keyboard(browser: Browser, console: Any, scripts: bool) -> None:
    await set_aside(console)
    page, wrong = await open_page(browser, f"{console.url}/desk", java_script_enabled=scripts)
    await page.get_by_role("link", name="What could not be handled, and why").press("Enter")
    await page.wait_for_url("**/aside")
    await expect(page.locator("tbody tr")).to_have_count(3)
    await page.get_by_role("button", name="Try again conversation.admin.assigned").press("Enter")
    await page.wait_for_url("**tried=*")
    await expect(page.get_by_role("status")).to_have_text("1 tried again. It is being handled. Look again")
    await expect(page.locator("tbody tr")).to_have_count(2)
    await handle(console, "nothing")
    await page.get_by_role("link", name="Look again").press("Enter")
    await expect(page.get_by_role("status")).to_have_text("1 tried again, and handled.")
    assert wrong == []


async def test_all_are_tried_again(browser: Browser, console: Any) -> None:
    await set_aside(console)
    page, wrong = await open_page(browser, f"{console.url}/aside")
    await page.get_by_role("button", name="Try all again").click()
    await page.wait_for_url("**tried=*")
    await handle(console, ASIDE[1][0])
    await page.reload()
    await expect(page.get_by_role("status")).to_have_text("3 tried again: 2 handled, 1 set aside again.")
    await expect(page.locator("tbody tr")).to_have_count(1)
    assert wrong == []


async def test_the_desk_says_it_by_itself(browser: Browser, console: Any) -> None:
    page, wrong = await open_page(browser, f"{console.url}/desk")
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    assert await page.locator("#aside").is_hidden()
    await set_aside(console)
    await expect(page.locator("#aside")).to_contain_text("3 set aside")
    assert wrong == []
