"""A browser is connected by a link: whom it connects is told first, and the token ends with the connection."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from connected import SITE, Panel, Room, Watched, now, panel
from playwright.async_api import Route, expect
from waiting import until

from steelyard.main.ground import ledger
from steelyard.people.members import join, person_of_address
from steelyard.people.permissions import Role

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"


async def test_connecting_outlives_the_worker_and_a_link_is_good_once(browser: Watched, desk: Room) -> None:
    opened = await panel(browser, desk, await browser.open(SITE))
    field = opened.page.get_by_label("Connect link")
    await field.fill("https://steelyard.example/companion")
    await opened.page.get_by_role("button", name="Connect this browser").click()
    await expect(opened.page.locator(".notice", has_text="The link leads to another page.")).to_be_visible()
    assert await field.input_value() == "https://steelyard.example/companion"
    assert not desk.asked, "nothing is sent before a link is one"
    link = await desk.link()
    await browser.kill()
    await opened.paste(link)
    await expect(opened.page.get_by_role("heading", name="Are you Amira Haddad?")).to_be_focused()
    assert desk.asked == ["POST /api/companion/connect/look"], "whom it connects is asked first, and no more"
    await browser.kill()
    await opened.page.get_by_role("button", name="Connect as Amira Haddad").click()
    await opened.page.get_by_text("Connected as Amira Haddad").wait_for()
    assert [each for each in desk.asked if "connect" in each][1:] == ["POST /api/companion/connect"]
    await browser.kill()
    await opened.page.get_by_role("button", name="Disconnect from").click()
    await opened.paste(link)
    await expect(opened.page.locator(".notice", has_text="This link was used already")).to_be_visible()
    assert await opened.send("async () => Object.keys(await chrome.storage.local.get())") == []
    assert await desk.rows("SELECT count(*) FROM api_token WHERE revoked_at IS NULL") == [(0,)]


async def test_a_link_that_somebody_else_made_says_so_before_it_connects(browser: Watched, desk: Room) -> None:
    async with desk.engine.database.transaction(desk.desk.workspace) as conn:
        other = await person_of_address(conn, "mallory@example.com", "Amira Haddad\u202e <b>")
        await join(conn, ledger(), desk.desk.workspace, other, (Role.ENGINEER,), now())
    link = await Room.link(replace(desk, person=other))
    opened = await panel(browser, desk, await browser.open(SITE))
    await opened.paste(link)
    told = opened.page.locator("section.notice")
    await expect(told.get_by_text("mallory@example.com")).to_be_visible()
    assert "\u202e" not in await told.inner_text()
    await opened.page.set_viewport_size({"width": 320, "height": 900})
    await opened.send(AXE.read_text())
    assert await opened.send("() => axe.run().then((all) => all.violations.map((one) => one.id))") == []
    assert await opened.send("() => document.documentElement.scrollWidth <= innerWidth")
    await told.get_by_role("button", name="This is not me").click()
    await expect(opened.page.get_by_label("Connect link")).to_have_value("")
    assert await opened.send("async () => Object.keys(await chrome.storage.local.get())") == []
    assert await desk.rows("SELECT count(*) FROM companion_code") == [(1,)], "it was not used"


async def test_the_popup_connects_in_two_presses_and_a_newer_link_ends_the_older_token(
    browser: Watched, desk: Room
) -> None:
    origin = browser.probe.url.rsplit("/", 1)[0]
    console = await desk.enters(browser)
    tokens: list[str] = []
    for _ in range(2):
        await console.goto(await desk.link())
        tab = (await browser.probe.evaluate("() => chrome.tabs.query({ url: '*://*/companion/connect' })"))[0]["id"]
        await console.reload()
        desk.asked.clear()
        popup = await browser.context.new_page()
        await popup.goto(f"{origin}/ui/popup.html?tab={tab}")
        first = popup.get_by_role("button", name=f"Connect to {desk.url}")
        await expect(first).to_be_visible()
        assert not [each for each in desk.asked if "api" in each], "nothing is sent before the press"
        await first.click()
        await popup.get_by_role("button", name="Connect as Amira Haddad").click()
        await expect(popup.get_by_role("heading", name="Connected")).to_be_visible()
        kept = await browser.probe.evaluate("async () => (await chrome.storage.local.get('team')).team.token")
        tokens.append(kept)
        await popup.close()
    assert tokens[0] != tokens[1]
    revoked = "SELECT revoked_at IS NULL FROM api_token ORDER BY token"
    await until(lambda: desk.rows(revoked), lambda rows: rows == [(False,), (True,)])


async def test_a_server_that_cannot_be_told_of_the_end_is_named(shown: Panel, desk: Room) -> None:
    until = (await shown.kept())["expires_at"][:10]
    await desk.stop()
    await shown.page.get_by_role("button", name="Disconnect from").click()
    told = shown.page.locator(".notice", has_text=f"still valid until {until}. Revoke it at {desk.url}/companion")
    await expect(told).to_be_visible()
    await desk.start()


async def test_the_console_makes_the_link_that_connects(browser: Watched, desk: Room) -> None:
    console = await desk.enters(browser)
    await console.goto(f"{desk.url}/companion")
    await console.get_by_role("button", name="Connect this browser").click()
    await console.wait_for_url("**/companion/connect#*")
    assert not [each for each in desk.asked if "api" in each], "nothing is sent before the press"
    opened = await panel(browser, desk, await browser.open(SITE))
    await opened.paste(console.url)
    await opened.page.get_by_role("button", name="Connect as Amira Haddad").click()
    await opened.page.get_by_text("Connected as Amira Haddad").wait_for()
    await console.goto(f"{desk.url}/companion/connect")
    await expect(console.get_by_text("There is no link in this page’s address.")).to_be_visible()
    await expect(console.get_by_text("Its badge shows a +")).to_be_hidden()


async def test_a_link_that_is_being_typed_stays_while_the_tab_changes(browser: Watched, desk: Room) -> None:
    tab = await browser.open(SITE)
    opened = await panel(browser, desk, tab)
    field = opened.page.get_by_label("Connect link")
    await field.fill("https://steelyard.exam")
    func = "() => void (document.title = 'Renamed')"
    await browser.probe.evaluate(
        f"(tabId) => chrome.scripting.executeScript({{ target: {{ tabId }}, func: {func} }})", tab
    )
    await expect(opened.page.locator("#title")).to_have_text("Renamed")
    await opened.page.wait_for_timeout(500)  # it would be drawn anew by then
    await expect(field).to_have_value("https://steelyard.exam")


async def test_a_link_that_is_typed_while_the_server_is_told_of_the_end_stays(browser: Watched, desk: Room) -> None:
    opened = await panel(browser, desk, await browser.open(SITE))
    await opened.connect()
    lost = {"link": "https://steelyard.example/x", "problem": {"say": "connect_lost", "values": [], "why": ""}}
    await browser.kill()  # what it had still to do is done
    await opened.send("(left) => chrome.storage.session.set({ connecting: { ...left, at: Date.now() } })", lost)

    async def late(route: Route) -> None:
        await asyncio.sleep(1)
        await route.continue_()

    await opened.page.route("**/api/companion/token", late)
    await opened.page.get_by_role("button", name="Disconnect from").click()
    field = opened.page.get_by_label("Connect link")
    await field.fill("typed")
    await until(lambda: asyncio.sleep(0, desk.asked), lambda asked: "DELETE /api/companion/token" in asked)
    await opened.page.wait_for_timeout(500)  # it would be drawn anew by then
    await expect(field).to_have_value("typed")
