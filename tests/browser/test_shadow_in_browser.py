"""From the shadow to being on, in a real browser: accessible, narrow and wide, by keyboard, without scripts, live."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect
from served_console import ROOT, Console, Served

from shadow_seed import SUPPORT, shadow_desk, switch
from steelyard.kit.ids import TeamId, WorkspaceId
from steelyard.routing.model import Switch
from steelyard.store.database import Database

pytestmark = pytest.mark.slow

AXE = ROOT / "node_modules/axe-core/axe.min.js"
FOUND = "axe.run().then((result) => result.violations.map((each) => [each.id, each.nodes[0].html]))"
WATCH_POLICY = (
    "document.addEventListener('securitypolicyviolation', (event) => console.error('CSP ' + event.violatedDirective))"
)
PATHS = ("/desk", "/shadow", "/switch", "/decisions")


@pytest.fixture
async def shadowed(database: Database, make_workspace: Callable[[], Awaitable[WorkspaceId]], served: Served) -> Console:
    return Console(served, await shadow_desk(database, await make_workspace()))


async def open_page(browser: Browser, url: str, **options: Any) -> tuple[Page, list[str]]:
    """A page, and what goes wrong in it: errors of scripts and of the policy."""
    page = await browser.new_page(**{"viewport": {"width": 1440, "height": 900}, **options})
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"error {error}"))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    await page.add_init_script(WATCH_POLICY)
    await page.goto(url)
    return page, wrong


async def why(shadowed: Console) -> str:
    """The page of a decision in the shadow that Intercom did not follow."""
    async with shadowed.desk.database.transaction(shadowed.desk.workspace) as conn:
        [found] = await (
            await conn.execute("SELECT max(decision) FROM decision WHERE outcome = 'compared' AND instead != winner")
        ).fetchall()
    return f"/decisions/{found[0]}"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "fr"])
async def test_axe_finds_nothing(browser: Browser, shadowed: Console, theme: Any, language: str) -> None:
    paused = Switch((TeamId(SUPPORT),), paused=True)
    for state, paths in ((None, (*PATHS, await why(shadowed))), (paused, ("/desk", "/switch?done=pause&was=6"))):
        if state is not None:
            await switch(shadowed.desk, state)
        for path in paths:
            page, wrong = await open_page(browser, shadowed.url + path, color_scheme=theme, locale=language)
            await page.evaluate(AXE.read_text("utf-8"))
            assert await page.evaluate(FOUND) == [], path
            assert await page.locator("html").get_attribute("lang") == language
            assert wrong == []
            await page.close()


@pytest.mark.parametrize("width", [320, 768, 1440])
async def test_no_page_scrolls_sideways(browser: Browser, shadowed: Console, width: int) -> None:
    for path in (*PATHS, await why(shadowed)):
        for language in ("en", "fr"):
            page, _ = await open_page(
                browser, shadowed.url + path, viewport={"width": width, "height": 800}, locale=language
            )
            await page.wait_for_timeout(100)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, (path, language)
            await page.close()


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_team_is_switched_on_and_taken_back_by_keyboard(
    browser: Browser, shadowed: Console, scripts: bool
) -> None:
    page, wrong = await open_page(browser, f"{shadowed.url}/desk", java_script_enabled=scripts)
    await page.get_by_role("link", name="Switch teams on").press("Enter")
    await page.wait_for_url("**/switch")
    await page.get_by_role("button", name="Switch on for Support", exact=True).press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("On for Support. What waits is being given to somebody.")
    await page.get_by_role("button", name="Pause").press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("Paused. From now on nothing is written to Intercom")
    await expect(page.get_by_role("heading", name="Paused since")).to_be_visible()
    await page.get_by_role("button", name="Undo").press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("Undone: it is as it was before.")
    await expect(page.get_by_role("heading", name="On for 1 of 3 teams")).to_be_visible()
    await page.get_by_role("button", name="Back to the shadow Support", exact=True).press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("Support is back in the shadow")
    await expect(page.get_by_role("heading", name="In the shadow: nothing is written to Intercom")).to_be_visible()
    assert wrong == []


async def test_the_pause_is_the_first_button_and_large(browser: Browser, shadowed: Console) -> None:
    page, _ = await open_page(browser, f"{shadowed.url}/switch")
    first = page.locator("main button").first
    assert await first.inner_text() == "Pause"
    box = await first.bounding_box()
    assert box is not None
    assert box["height"] >= 48
    assert box["y"] < 400


async def test_the_largest_difference_leads_to_its_reason(browser: Browser, shadowed: Console) -> None:
    page, wrong = await open_page(browser, f"{shadowed.url}/shadow")
    await page.locator(".wide a").first.click()
    await page.wait_for_url("**/decisions/*")
    await expect(page.get_by_text("Decided in the shadow: nothing was written to Intercom.")).to_be_visible()
    await expect(page.get_by_text("✓ identical")).to_be_visible()
    assert wrong == []


async def test_columns_stand_on_the_axis_and_are_as_tall_as_their_number(browser: Browser, shadowed: Console) -> None:
    page, _ = await open_page(browser, f"{shadowed.url}/shadow")
    ground = await page.evaluate("document.querySelector('.histogram .rail').getBoundingClientRect().bottom")
    columns = await page.evaluate(
        "[...document.querySelectorAll('.histogram svg svg svg')].map((each) => {"
        " const box = each.querySelector('rect').getBoundingClientRect();"
        " return [Number(each.querySelector('title').textContent), box.bottom, box.height] })"
    )
    assert len(columns) > 4
    one = columns[0][2] / columns[0][0]
    for times, bottom, height in columns:
        assert bottom == pytest.approx(ground, abs=2)
        assert height == pytest.approx(one * times, abs=1)


async def test_the_band_appears_and_goes_by_itself(browser: Browser, shadowed: Console) -> None:
    page, wrong = await open_page(browser, f"{shadowed.url}/desk")
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    await expect(page.locator("#reach")).to_contain_text("In the shadow")
    hollow = page.locator("#roster .hollow.block")
    assert await hollow.count() == 4
    await switch(shadowed.desk, Switch())
    await expect(page.locator("#reach")).to_be_hidden()
    await expect(hollow).to_have_count(0)
    assert wrong == []
