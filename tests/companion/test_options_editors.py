"""Editors on other sites, set in the options: begun where the browser lets the companion in, and ended with it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from choosing import HELP, REGISTERED, composer, copied, kept, start, tells, toast
from composing import CHROMIUM, ROOT, welcome
from playwright.async_api import Page, async_playwright, expect
from waiting import until as eventually

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


async def fill_editor(page: Page, **fields: str) -> None:
    if not await page.is_visible("#editor"):
        await page.click("#edit summary")
    for name, value in fields.items():
        await page.fill(f"#{name.replace('_', '-')}", value)
    await page.press("#origin", "Enter")


ALLOWED = "(origin) => chrome.permissions.contains({ origins: [`${origin}/*`] })"
RECORDED = """() => {
  globalThis.asked = [];
  for (const how of ["remove", "request"]) {
    chrome.permissions[how] = async ({ origins }) => globalThis.asked.push(`${how} ${origins}`) > 0;
  }
}"""
"""The browser's own prompt can be pressed by no test: what it would be asked is written down."""


async def test_an_editor_is_watched_on_its_origin_and_no_longer_when_removed(page: Page) -> None:
    await fill_editor(page, origin="help.example/inbox", editor_field=".reply", note=".note", words="Go, Send it")
    await page.wait_for_selector("#places >> text=Watched")
    [kind] = (await composer(page))["kinds"]
    assert (kind["hosts"], kind["editor"], kind["note"], kind["says"]) == (
        ["help.example"],
        ".reply",
        ".note",
        "^(?:Go|Send it)",
    )
    await page.evaluate(RECORDED)
    await page.click("#places >> role=button[name='Remove https://help.example']")
    await tells(page, "kinds", [])
    await asked_for(page, "remove https://help.example/*")
    await expect(page.locator("#places li")).to_have_count(0)
    await page.click("#undo")
    await page.wait_for_selector("#places >> text=Watched")
    await asked_for(page, "remove https://help.example/*", "request https://help.example/*")


async def asked_for(page: Page, *wanted: str) -> None:
    """Waits until the browser would have been asked for this: that comes after what was chosen is kept and told."""
    await eventually(lambda: page.evaluate("asked"), lambda asked: asked == [*wanted])


async def test_a_permission_that_something_else_needs_is_not_given_back(page: Page) -> None:
    await fill_editor(page, origin="https://help.example:8443")
    await page.wait_for_selector("#places >> text=Watched")
    await expect(page.locator("#editor")).to_be_hidden()  # it is done with what was typed
    await fill_editor(page, origin="https://help.example")
    await page.wait_for_selector("#places li >> nth=1")
    await page.evaluate(RECORDED)
    await page.click("#places >> role=button[name='Remove https://help.example']")
    await expect(page.locator("#places li")).to_have_count(1)
    await page.wait_for_selector("#undo:focus")
    await page.wait_for_timeout(100)
    assert await page.evaluate("asked") == []


async def test_an_editor_is_begun_where_it_is_allowed_and_ended_when_that_is_taken_back(page: Page) -> None:
    identity = page.url.split("/")[2]
    browser = await page.context.new_page()
    await browser.goto("chrome://extensions")

    async def access(how: str) -> None:
        chosen = {"extensionId": identity, "hostAccess": how}
        await browser.evaluate("(chosen) => chrome.developerPrivate.updateExtensionConfiguration(chosen)", chosen)

    await fill_editor(page, origin=HELP)
    await page.wait_for_selector("#places >> text=Watched")
    await until(page, [f"{HELP}/*"])
    await access("ON_CLICK")
    await page.wait_for_selector("#places >> text=Not allowed yet")
    await page.wait_for_selector("#every >> text=Safe links are off in Intercom")
    await until(page, [])
    await access("ON_ALL_SITES")
    await page.wait_for_selector("#places >> text=Watched")
    await until(page, [f"{HELP}/*"])
    await browser.close()
    await stop_workers(page)
    assert (await composer(page))["kinds"][0]["hosts"] == ["help.example"]
    assert await page.evaluate(REGISTERED) == [f"{HELP}/*"]
    await writes_safely(page)
    await page.evaluate("chrome.storage.sync.clear()")
    await until(page, [])


async def until(page: Page, matches: list[str]) -> None:
    """Waits for the worker to have told the browser where to begin."""
    await eventually(lambda: page.evaluate(REGISTERED), lambda told: told == matches)


async def stop_workers(page: Page) -> None:
    """As the browser does with one that has nothing to do."""
    session: Any = await page.context.new_cdp_session(page)
    running: dict[str, str] = {}
    session.on(
        "ServiceWorker.workerVersionUpdated",
        lambda told: running.update({each["versionId"]: each["runningStatus"] for each in told["versions"]}),
    )
    await session.send("ServiceWorker.enable")

    async def states() -> set[str]:
        await session.send("ServiceWorker.stopAllWorkers")  # what was on its way may have woken it again
        return set(running.values())

    await eventually(states, lambda told: told == {"stopped"}, "it runs")
    await session.detach()


AT_WORK = "chrome.storage.session.get().then((all) => Object.keys(all).some((name) => name.startsWith('composer ')))"


async def writes_safely(page: Page) -> None:
    """In a text field of the site that was set, untrusted links become unclickable."""
    context = page.context
    await context.route(
        f"{HELP}/**", lambda route: route.fulfill(body="<textarea></textarea>", content_type="text/html")
    )
    site = await context.new_page()
    await site.goto(f"{HELP}/inbox")
    await site.click("textarea")
    await eventually(lambda: page.evaluate(AT_WORK), bool, "the companion is not at work in it")
    await site.keyboard.type("see http://evil.com/x now ", delay=5)
    await expect(site.locator("textarea")).to_have_value(re.compile(r"^see hxxp://evil\[\.\]com/x now"))
    await site.close()


async def test_an_editor_that_cannot_be_is_refused_at_its_field(page: Page) -> None:
    await fill_editor(page, origin="https://help.example", editor_field="div:has(")
    await expect(page.locator("#editor-wrong")).to_contain_text("“div:has(” is no selector")
    assert await page.get_attribute("#editor-field", "aria-invalid") == "true"
    await fill_editor(page, origin="javascript:alert(1)", editor_field="")
    await expect(page.locator("#editor-wrong")).to_contain_text("is no address of a site")
    assert await page.get_attribute("#editor-field", "aria-invalid") is None
    assert await kept(page) == {}


async def test_without_the_permission_an_editor_is_kept_but_not_watched(page: Page) -> None:
    await page.evaluate("chrome.permissions.request = () => Promise.resolve(false)")
    await fill_editor(page, origin="https://other.example")
    assert "press “Allow” in its row" in await toast(page)
    row = page.locator("#places li", has_text="other.example")
    await expect(row).to_contain_text("Not allowed yet")
    await expect(row.locator("text=Allow other.example")).to_have_count(1)
    assert await page.evaluate(REGISTERED) == []


async def test_every_selector_that_is_taken_is_one_in_chromium(page: Page) -> None:
    cases = json.loads((ROOT / "extension/tests/selectors.json").read_text())
    refused = (
        "(all) => all.filter((each) => { try { document.querySelector(each); return false; } catch { return true; } })"
    )
    assert await page.evaluate(refused, cases["good"]) == []
    random = """async (words) => {
      const pieces = [...words.split(" "), " ", "[d=e i]"];
      const { isSelector } = await import("/lib/settings.js");
      let state = 1, taken = 0;
      const wrong = [], below = (most) => (state = (state * 48271) % 2147483647) % most;
      for (let round = 0; round < 60000; round++) {
        const text = Array.from({ length: 1 + below(6) }, () => pieces[below(pieces.length)]).join("");
        if (!isSelector(text)) continue;
        taken++;
        try { document.querySelector(text); } catch { wrong.push(text); }
      }
      return [taken, wrong];
    }"""
    pieces = "a * .b #c [d] [d='e'] [ ] ' :not( :is( ) , > ~ + - 1 :empty :: \\ | /**/ é :first-child \u00a0 \n"
    taken, wrong = await page.evaluate(random, pieces)
    assert wrong == []
    assert taken > 2000


async def test_a_removed_editor_gives_its_permission_back_unless_something_else_needs_it(tmp_path: Path) -> None:
    """It was given at an earlier start: no test can press the browser's own prompt. What is asked is written down."""
    if shutil.which(CHROMIUM) is None:
        pytest.skip(f"no {CHROMIUM}: apt-get install chromium")
    sites = [HELP, "https://desk.example", "https://steelyard.example"]
    manifest = json.loads((ROOT / "extension/manifest.json").read_text())
    given = [*manifest["host_permissions"], *(f"{each}/*" for each in sites)]
    extension = copied(tmp_path / "extension", host_permissions=given)
    async with async_playwright() as playwright:
        context = await start(playwright, extension, tmp_path / "profile")
        address = (await welcome(context)).url.partition("#")[0]
        await context.close()
        (extension / "manifest.json").write_text(json.dumps(manifest))
        context = await start(playwright, extension, tmp_path / "profile")
        page = await context.new_page()
        await page.goto(address)
        editors = [{"origin": each} for each in (HELP, "https://desk.example:8443", *sites[1:])]
        chosen = {"editors": editors, "server": "https://steelyard.example"}
        await page.evaluate("(chosen) => chrome.storage.sync.set(chosen)", chosen)
        await page.evaluate(
            "() => { chrome.permissions.request = async (what) => (window.asked ??= []).push(...what.origins) > 0; }"
        )
        for origin, stays in [
            (HELP, False),
            ("https://desk.example:8443", True),
            ("https://desk.example", False),
            ("https://steelyard.example", True),
        ]:
            assert await page.evaluate(ALLOWED, origin.removesuffix(":8443"))
            await page.click(f"#places >> role=button[name='Remove {origin}']")
            await page.wait_for_selector("#undo:focus")
            await settled(page, origin.removesuffix(":8443"), stays)
            await eventually(
                lambda: page.evaluate(REGISTERED), lambda told, gone=f"{origin}/*": gone not in told, "it is told"
            )
        assert await page.evaluate("window.asked") is None
        await page.click("#undo")
        await page.wait_for_selector("#places li")
        assert await page.evaluate("window.asked") is None, "what was not given back need not be asked for"
        await page.evaluate("chrome.storage.sync.remove('server')")
        await page.click("#places >> role=button[name='Remove https://steelyard.example']")
        await page.wait_for_selector("#undo:focus")
        await settled(page, "https://steelyard.example", False)
        await page.click("#undo")
        await page.wait_for_selector("#places >> text=Not allowed yet")
        assert await page.evaluate("window.asked") == ["https://steelyard.example/*"]
        await context.close()


async def settled(page: Page, origin: str, stays: bool) -> None:
    """What was removed is told first, and its permission is given back then."""
    if stays:
        await page.wait_for_timeout(300)
    await eventually(lambda: page.evaluate(ALLOWED, origin), lambda allowed: allowed is stays, origin)
