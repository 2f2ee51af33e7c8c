"""The settings in a real browser: accessible, no wider than the window, and a lead's morning with them by keyboard."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect
from served_console import ROOT, Console

from desk_seed import NOW
from steelyard.routing.notifications import Choice, add_notification
from steelyard.store.keys import WEB, Keys, key_file

pytestmark = [
    pytest.mark.slow,
    # Apprise loads a module of Python's own that is on its way out.
    pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning"),
]

AXE = ROOT / "node_modules/axe-core/axe.min.js"
TABS = ("/settings", "/settings/notifications", "/settings/retention", "/settings/general")
SHOTS = os.environ.get("SHOTS")


async def fill(console: Console, keys: Path) -> None:
    """Troubles of every kind, a reading that goes on, and addresses that took something and that did not."""
    workspace, web = console.desk.workspace, Keys(key_file(keys, WEB))
    async with console.desk.database.transaction(workspace) as conn:
        await conn.execute(
            "UPDATE connection SET actor = 101, refused_at = %s, rate_low_at = %s",
            (NOW - timedelta(hours=2), NOW - timedelta(seconds=20)),
        )
        await conn.execute("UPDATE team_name SET distribution = 'load_balanced' WHERE team = 7")
        await conn.execute(
            "INSERT INTO reading (workspace, asked, started_at, ended_at, deep, listed, drift)"
            " VALUES (%s, 'schedule', %s, %s, false, 1284, 3)",
            (workspace, NOW - timedelta(minutes=5, seconds=42), NOW - timedelta(minutes=5)),
        )
        await conn.execute(
            "INSERT INTO reading (workspace, asked, started_at, deep, done, steps, moved_at)"
            " VALUES (%s, 'asked', %s, true, 300, 1284, now() + interval '1 hour')",
            (workspace, NOW),
        )
        calm = Choice("Everybody’s channel, #support-operations-and-more", None, "en", None, None, "UTC")
        for choice in (calm, calm._replace(name="Ana", kinds=("token_refused", "undelivered", "drift"), language="fr")):
            await add_notification(conn, workspace, choice, f"slack://a/b/{choice.name}", web, NOW)
        night = calm._replace(name="On call", quiet_from=(NOW - timedelta(hours=4)).time(), quiet_to=NOW.time())
        number = await add_notification(conn, workspace, night, "mailtos://a:b@c.example", web, NOW)
        await conn.execute("UPDATE notification SET told_at = %s", (NOW - timedelta(days=2),))
        await conn.execute(
            "UPDATE notification SET failed_at = %s, failure = 'refused' WHERE notification = %s",
            (NOW - timedelta(hours=5), number),
        )


async def show(browser: Browser, url: str, **options: Any) -> Any:
    page = await browser.new_page(**options)
    await page.goto(url)
    return page


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "fr"])
async def test_axe_finds_nothing_on_the_settings(
    browser: Browser, console: Console, keys: Path, theme: Any, language: str
) -> None:
    for filled in (False, True):
        if filled:
            await fill(console, keys)
        for tab in (*TABS, *(["/settings/notifications/2"] if filled else [])):
            page = await show(browser, f"{console.url}{tab}", color_scheme=theme, locale=language)
            await page.evaluate(AXE.read_text("utf-8"))
            script = "axe.run().then((result) => result.violations.map((v) => [v.id, v.nodes[0].html]))"
            assert await page.evaluate(script) == [], tab
            if SHOTS and filled:
                name = tab.strip("/").replace("/", "-")
                for width in (1440, 320):
                    await page.set_viewport_size({"width": width, "height": 900})
                    await page.screenshot(path=f"{SHOTS}/{name}-{language}-{theme}-{width}.png", full_page=True)
            await page.close()


@pytest.mark.parametrize("width", [320, 768, 1440])
async def test_the_settings_never_scroll_sideways(browser: Browser, console: Console, keys: Path, width: int) -> None:
    await fill(console, keys)
    for language in ("en", "fr"):
        for tab in (*TABS, "/settings/notifications/2"):
            size: Any = {"width": width, "height": 800}
            page = await show(browser, f"{console.url}{tab}", viewport=size, locale=language)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, (tab, language)
            await page.close()


async def test_a_leads_morning_with_the_settings_by_keyboard(browser: Browser, console: Console) -> None:
    """A shorter retention is seen, done and undone; an address is added, tested, removed and put back."""
    page = await show(browser, f"{console.url}/settings/retention", viewport={"width": 1440, "height": 900})
    refused: list[str] = []
    page.on(
        "console",
        lambda message: refused.append(message.text) if message.type == "error" and "422" not in message.text else None,
    )
    await page.get_by_label("Days that messages are kept").fill("7")
    async with console.desk.database.transaction(console.desk.workspace) as conn:
        await conn.execute(
            "UPDATE conversation_text SET stored_at = %s - interval '10 days' WHERE conversation < 5010", (NOW,)
        )
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Keep messages 7 days: 10 go in an hour").press("Enter")
    await page.get_by_role("button", name="Keep as long as before").press("Enter")
    await expect(page.get_by_label("Days that messages are kept")).to_have_value("90")
    if SHOTS:
        await page.get_by_label("Days that messages are kept").fill("7")
        await page.keyboard.press("Enter")
        await page.screenshot(path=f"{SHOTS}/plan.png", full_page=True)
    await page.goto(f"{console.url}/settings/notifications")
    await page.get_by_label("Name", exact=True).fill("On call")
    await page.get_by_label("Address", exact=True).fill("json://127.0.0.1:9/")
    await page.get_by_label("Quiet from").fill("22:00")
    await page.get_by_role("button", name="Tell alarms there").press("Enter")
    await page.get_by_text("Quiet hours need both times").wait_for()
    assert await page.get_by_label("Name", exact=True).input_value() == "On call"
    await page.get_by_label("Address", exact=True).fill("json://127.0.0.1:9/")
    await page.get_by_label("Quiet until").fill("07:00")
    await page.get_by_role("button", name="Tell alarms there").press("Enter")
    await page.get_by_role("button", name="Send a test to On call").press("Enter")
    await page.get_by_text("a test is on its way", exact=True).wait_for()
    async with console.desk.database.transaction(console.desk.workspace) as conn:
        await conn.execute("UPDATE notification SET tested_at = NULL, told_at = %s WHERE name = 'On call'", (NOW,))
    await page.get_by_text("took it").wait_for()
    await page.get_by_role("button", name="Remove On call").press("Enter")
    await page.get_by_text("On call is told nothing any more").wait_for()
    await page.wait_for_load_state()  # then its keys are heard
    await page.keyboard.press("z")
    await page.get_by_text("On call is told of alarms again").wait_for()
    assert refused == []
    await page.close()


async def test_a_running_reading_goes_on_without_reloading(browser: Browser, console: Console, keys: Path) -> None:
    await fill(console, keys)
    page = await show(browser, f"{console.url}/settings")
    await page.get_by_text("300 of 1,284 conversations").wait_for()
    async with console.desk.database.transaction(console.desk.workspace) as conn:
        await conn.execute("UPDATE reading SET done = 900 WHERE ended_at IS NULL")
    await page.get_by_text("900 of 1,284 conversations").wait_for()
    async with console.desk.database.transaction(console.desk.workspace) as conn:
        await conn.execute("UPDATE reading SET ended_at = %s, listed = 1284 WHERE ended_at IS NULL", (NOW,))
    await page.get_by_role("button", name="Read everything from Intercom now").wait_for()
    await page.close()
