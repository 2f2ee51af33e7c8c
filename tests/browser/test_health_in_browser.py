"""The page about health in a real browser: accessible and no wider than the window, in both themes and languages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import Browser
from served_console import ROOT, Console

from desk_seed import NOW

pytestmark = pytest.mark.slow

AXE = ROOT / "node_modules/axe-core/axe.min.js"
DRIFTS = [0, 0, 3, 0, 0, 0, 41, 2, 0, 0, 1, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 2, 0] * 4


async def fill(console: Console) -> None:
    """Alarms open and over, and eight hours of readings."""
    workspace = console.desk.workspace
    async with console.desk.database.transaction(workspace) as conn:
        for kind, minutes, lasted, figures in (
            ("drift", 300, 40, '{"conversations": 41}'),
            ("rate_low", 200, 2, "{}"),
            ("silence", 55, None, '{"minutes": 30, "weeks": 4}'),
            ("undelivered", 5, None, '{"seconds": 290, "decisions": 4}'),
        ):
            since = NOW - timedelta(minutes=minutes)
            ended = since + timedelta(minutes=lasted) if lasted is not None else None
            await conn.execute(
                "INSERT INTO alarm (workspace, kind, since, seen_at, ended_at, figures)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                (workspace, kind, since, since, ended, figures),
            )
        for place, drift in enumerate(DRIFTS):
            at = NOW - timedelta(minutes=5 * (len(DRIFTS) - place) - 3)
            await conn.execute(
                "INSERT INTO reading (workspace, asked, started_at, ended_at, deep, listed, drift)"
                " VALUES (%s, 'schedule', %s, %s, false, 1284, %s)",
                (workspace, at, at, drift),
            )
        await conn.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() + interval '1 hour')")


async def show(browser: Browser, url: str, **options: Any) -> Any:
    page = await browser.new_page(**options)
    await page.goto(url)
    return page


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "fr"])
async def test_axe_finds_nothing_on_the_page_about_health(
    browser: Browser, console: Console, theme: Any, language: str
) -> None:
    for filled in (False, True):
        if filled:
            await fill(console)
        page = await show(browser, f"{console.url}/health", color_scheme=theme, locale=language)
        await page.locator("summary").click() if filled else None
        await page.evaluate(AXE.read_text("utf-8"))
        found = await page.evaluate("axe.run().then((result) => result.violations.map((v) => [v.id, v.nodes[0].html]))")
        assert found == []
        await page.close()


@pytest.mark.parametrize("width", [320, 375, 768, 1024, 1440])
async def test_health_never_scrolls_sideways(browser: Browser, console: Console, width: int) -> None:
    await fill(console)
    for language in ("en", "fr"):
        page = await show(browser, f"{console.url}/health", viewport={"width": width, "height": 800}, locale=language)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, language
        await page.close()
