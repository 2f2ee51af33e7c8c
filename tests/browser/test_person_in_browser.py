"""What somebody chose for themselves holds on every page, and an expired login loses nothing that they typed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from served_console import Served

from desk_seed import NOW, busy_desk
from signing_in import PASSWORD
from steelyard.kit.ids import WorkspaceId
from steelyard.people.links import make_link
from steelyard.store.database import Database

pytestmark = pytest.mark.slow

NOTE = "Amélie “Mél” Desrochers"


@pytest.fixture
async def served(database: Database, keys: Path) -> AsyncIterator[Served]:
    """A console that nobody enters without signing in."""
    served = Served(database, keys, open_to_loopback=False)
    await served.start()
    yield served
    await served.stop()


@pytest.fixture
async def person(
    browser: Browser, database: Database, make_workspace: Callable[..., Awaitable[WorkspaceId]], served: Served
) -> Page:
    """An administrator who has just signed in, in a browser far from the workspace's zone."""
    workspace = await make_workspace()
    await busy_desk(database, workspace)
    async with database.transaction(workspace) as conn:
        await conn.execute("UPDATE workspace SET zone = 'Asia/Kolkata'")
        token = await make_link(conn, workspace, None, None, NOW)
    context = await browser.new_context(locale="en-GB", timezone_id="America/Toronto")
    page = await context.new_page()
    await page.goto(f"{served.url}/enter?token={token}")
    for field, value in (("name", "Amélie"), ("address", "amelie@example.com"), ("password", PASSWORD)):
        await page.fill(f"#{field}", value)
    await page.click("main button")
    await page.wait_for_url("**/desk")
    return page


async def accepted(page: Page) -> None:
    """Waits until it is said, and the page has heard it: what was typed is forgotten then."""
    await expect(page.locator("[data-accepted]")).to_be_visible()
    await page.wait_for_load_state()


async def choose(page: Page, zone: str, keys: bool) -> None:
    await page.goto("/".join([*page.url.split("/")[:3], "account"]))
    await page.select_option("#field-zone", zone)
    await page.set_checked("#field-single_keys", keys)
    await page.click("form[data-draft] .primary")
    await accepted(page)


async def test_zone_and_keys_follow_what_was_chosen(person: Page, served: Served) -> None:
    moment = person.locator("main time[data-show=moment]").first
    for zone, hour, name in (("workspace", "21:12:08", "IST"), ("utc", "15:42:08", "UTC"), ("browser", "10:42:08", "")):
        await choose(person, zone, keys=zone != "utc")
        await expect(moment).to_contain_text(hour)
        if name:
            await expect(person.locator(".foot [data-zone]")).to_have_text(name)
            assert name in (await moment.get_attribute("title") or "")
        # Single keys: off where they were turned off, in this person's every browser.
        await person.goto(f"{served.url}/styleguide")
        await person.keyboard.press("m")
        shown = person.locator("#move")
        await (expect(shown).to_be_hidden() if zone == "utc" else expect(shown).to_be_visible())
        await expect(person.locator("[data-keys]")).to_have_count(0)


async def test_without_a_script_the_server_writes_the_zone(person: Page, served: Served, browser: Browser) -> None:
    await choose(person, "workspace", keys=True)
    state = await person.context.storage_state()
    context = await browser.new_context(java_script_enabled=False, storage_state=state, timezone_id="America/Toronto")
    page = await context.new_page()
    await page.goto(f"{served.url}/account")
    await expect(page.locator("main time[data-show=moment]").first).to_contain_text("21:12:08")
    await expect(page.locator(".foot [data-zone]")).to_have_text("IST")


async def test_an_expired_login_loses_nothing(person: Page, served: Served, database: Database) -> None:
    await person.goto(f"{served.url}/account")
    await person.fill("#field-name", NOTE)
    await person.context.clear_cookies()
    await person.goto(f"{served.url}/sign-in")
    await person.fill("#address", "amelie@example.com")
    await person.fill("#password", PASSWORD)
    await person.click("main .primary")
    await person.wait_for_url("**/desk")
    await person.goto(f"{served.url}/account")
    await expect(person.locator("#field-name")).to_have_value(NOTE)
    await expect(person.locator("[data-restored]")).to_be_visible()
    await person.click("form[data-draft] .primary")
    await accepted(person)
    await person.goto(f"{served.url}/account")
    await expect(person.locator("[data-restored]")).to_be_hidden()


async def test_a_stale_edit_asks_which_one_stands(person: Page, served: Served) -> None:
    await person.goto(f"{served.url}/account")
    other = await person.context.new_page()
    await other.goto(f"{served.url}/account")
    await other.fill("#field-name", "Amélie Elsewhere")
    await other.click("form[data-draft] .primary")
    await accepted(other)
    await person.fill("#field-name", "Amélie Here")
    await person.click("form[data-draft] .primary")
    await expect(person.locator("fieldset.stale del")).to_have_text("Elsewhere")
    await expect(person.locator("fieldset.stale ins")).to_have_text("Here")
    await expect(person.locator("[name='pick.name']").first).to_be_focused()
    await person.click("form[data-draft] .primary")
    await accepted(person)
    await expect(person.locator("button.who")).to_contain_text("Amélie Here")


async def test_what_was_sent_with_an_expired_login_is_sent_again_with_one_press(person: Page, served: Served) -> None:
    await person.goto(f"{served.url}/account")
    await person.fill("#field-name", NOTE)
    await person.context.clear_cookies()
    await person.click("form[data-draft] .primary")
    await person.fill("#address", "amelie@example.com")
    await person.fill("#password", PASSWORD)
    await person.click("main .primary")
    await person.get_by_role("button", name="Send it now").click()
    await accepted(person)
    await person.goto(f"{served.url}/account")
    await expect(person.locator("#field-name")).to_have_value(NOTE)
    await expect(person.locator("[data-restored]")).to_be_hidden()
