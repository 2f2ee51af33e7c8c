"""Every part of the console in a real browser: accessible, as wide as the window, by keyboard, and losing nothing."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect
from served_console import ROOT, Console, Served

pytestmark = pytest.mark.slow

AXE = (ROOT / "node_modules/axe-core/axe.min.js").read_text("utf-8")
FOUND = "axe.run().then((result) => result.violations.map((each) => [each.id, each.nodes[0].html]))"
MANY = 100_000


@pytest.fixture
async def guide(browser: Browser, served: Served) -> AsyncIterator[Page]:
    """The style guide, where nothing may break the policy or throw."""
    page = await browser.new_page(viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="Europe/Paris")
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
    await page.goto(f"{served.url}/styleguide")
    yield page
    assert wrong == []


async def opened(browser: Browser, url: str, **options: Any) -> Page:
    page = await browser.new_page(**options)
    await page.goto(url)
    return page


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "fr"])
async def test_axe_finds_nothing(browser: Browser, served: Served, theme: Any, language: str) -> None:
    page = await opened(browser, f"{served.url}/styleguide?done=kept", color_scheme=theme, locale=language)
    await page.locator("summary").click()
    await expect(page.locator("log-view .line").first).to_be_visible()
    await expect(page.locator("#fragment-broken .tag")).to_be_visible()
    await page.evaluate(AXE)
    assert await page.evaluate(FOUND) == []
    await page.locator("[data-opens=move]").click()
    assert await page.evaluate(FOUND) == []


@pytest.mark.parametrize("width", [320, 768, 1440])
@pytest.mark.parametrize("language", ["en", "fr"])
async def test_it_never_scrolls_sideways(browser: Browser, served: Served, width: int, language: str) -> None:
    size: Any = {"width": width, "height": 800}
    for query in ("", "?done=kept", "?state_of=empty", "?sort=-free&state=disk&name=w&x=1"):
        page = await opened(browser, f"{served.url}/styleguide{query}", viewport=size, locale=language)
        await page.wait_for_selector("log-view .lines")
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, query
        await page.close()


async def test_a_toast_covers_nothing_and_stays(browser: Browser, served: Served) -> None:
    size: Any = {"width": 320, "height": 640}
    page = await opened(browser, f"{served.url}/styleguide?done=kept", viewport=size)
    toast, title = page.locator("[data-accepted]"), page.locator("h1")
    await expect(toast).to_be_focused()
    told, head = await toast.bounding_box(), await title.bounding_box()
    assert told is not None
    assert head is not None
    assert told["y"] + told["height"] <= head["y"]
    await page.reload()
    await expect(toast).to_be_visible()
    await toast.get_by_role("link", name="Dismiss").click()
    await expect(toast).to_have_count(0)


async def test_without_a_script_a_dialog_is_a_page_and_a_log_its_lines(browser: Browser, served: Served) -> None:
    page = await opened(browser, f"{served.url}/styleguide?lines=1200", java_script_enabled=False)
    await page.locator("#fragment-handbook a").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("A part of another room")
    await expect(page.get_by_text("Another room draws this")).to_be_visible()
    await page.go_back()
    await page.locator("[data-opens=move]").click()
    await expect(page.get_by_text("Another room draws this")).to_be_visible()
    await page.go_back()
    await expect(page.locator("#L500")).to_contain_text("should not exist" if 499 % 4 == 2 else "script")
    await page.get_by_role("link", name="Lines after").click()
    await expect(page.locator("#L501")).to_be_visible()
    assert await page.locator("log-view img, log-view script").count() == 0
    await page.get_by_role("link", name="Show all", exact=True).count()


async def test_keys_press_what_they_stand_beside(guide: Page, served: Served) -> None:
    await guide.keyboard.press("?")
    sheet = guide.locator("#keys")
    await expect(sheet).to_be_visible()
    await expect(sheet.locator("dl")).to_contain_text("Give SSL 2 to Noor")
    await expect(sheet.locator("dl")).to_contain_text("next in the list")
    await guide.keyboard.press("m")  # the dialog comes first: what is below it is not pressed
    await expect(guide.locator("#move")).to_be_hidden()
    await guide.keyboard.press("Escape")
    await expect(sheet).to_be_hidden()
    await guide.keyboard.press("m")
    await expect(guide.locator("#move")).to_be_visible()
    await guide.keyboard.press("Escape")
    await expect(guide.locator("[data-opens=move]")).to_be_focused()
    for press in ("Control+m", "Alt+m", "Meta+m"):
        await guide.keyboard.press(press)
        await expect(guide.locator("#move")).to_be_hidden()
    await guide.locator("#field-note").fill("")
    await guide.locator("#field-note").press("m")
    assert await guide.locator("#field-note").input_value() == "m"
    await expect(guide.locator("#move")).to_be_hidden()


async def test_single_keys_can_be_turned_off(guide: Page) -> None:
    button = guide.locator("[data-keys]")
    await button.click()
    await expect(button).to_have_attribute("aria-pressed", "false")
    await guide.keyboard.press("m")
    await expect(guide.locator("#move")).to_be_hidden()
    await guide.reload()
    await guide.keyboard.press("?")
    await expect(guide.locator("#keys")).to_be_hidden()
    await guide.locator("[data-keys]").click()
    await guide.locator("h1").click()
    await guide.keyboard.press("m")
    await expect(guide.locator("#move")).to_be_visible()


async def test_sequences_and_the_search_field(browser: Browser, console: Console) -> None:
    page = await opened(browser, f"{console.url}/styleguide")
    await page.keyboard.press("/")
    await expect(page.locator("#q")).to_be_focused()
    await page.keyboard.type("g e amira")
    assert page.url.endswith("/styleguide")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/search?q=g+e+amira")
    await page.locator("h1").click()
    await page.keyboard.press("g")
    await page.keyboard.press("e")
    await page.wait_for_url("**/decisions")
    await page.keyboard.press("g")
    await page.wait_for_timeout(1700)  # too late
    await page.keyboard.press("d")
    await page.wait_for_timeout(200)
    assert page.url.endswith("/decisions")


async def test_arrows_walk_the_hits(browser: Browser, console: Console) -> None:
    page = await opened(browser, f"{console.url}/search?q=a")
    await page.locator("#search").focus()
    await page.keyboard.press("ArrowDown")
    first = await page.evaluate("document.activeElement.href")
    await page.keyboard.press("ArrowDown")
    assert await page.evaluate("document.activeElement.href") != first
    await page.keyboard.press("ArrowUp")
    assert await page.evaluate("document.activeElement.href") == first
    await page.keyboard.press("Enter")
    await page.wait_for_url(first)


async def test_times_are_in_the_zone_of_the_browser_and_say_so(guide: Page) -> None:
    shown = guide.locator("#fragment-handbook time")
    await expect(shown).to_have_text("22 Nov 2026, 16:42:08")
    await expect(shown).to_have_attribute("title", "22 November 2026 at 16:42:08 CET")
    await expect(guide.locator(".foot [data-zone]")).to_have_text("CET")


async def test_what_is_refused_is_kept_and_the_first_error_has_the_focus(guide: Page) -> None:
    await guide.locator("#field-weight").fill("80")
    await guide.locator("#field-mail").fill("noor")
    await guide.locator("#field-secret").fill("a secret of mine")
    await guide.get_by_role("button", name="Keep the example").click()
    await expect(guide.locator("#field-weight")).to_be_focused()
    await expect(guide.locator("#field-weight")).to_have_value("80")
    await expect(guide.locator("#field-mail")).to_have_value("noor")
    await expect(guide.locator("#field-secret")).to_have_value("")
    said = await guide.locator("#field-weight").get_attribute("aria-describedby")
    assert said == "field-weight-error field-weight-help"
    await expect(guide.get_by_role("alert")).to_contain_text("2 fields need another look")


async def test_a_draft_outlives_a_reload_and_a_restart_and_ends_when_it_is_accepted(
    guide: Page, served: Served
) -> None:
    note, secret = guide.locator("#field-note"), guide.locator("#field-secret")
    await note.fill("MX record put back.\nWaits for the TTL.")
    await secret.fill("a secret of mine")
    await guide.locator("#field-roles").get_by_label("engineer").check()
    await guide.reload()
    await expect(note).to_have_value("MX record put back.\nWaits for the TTL.")
    await expect(guide.locator("[data-restored]")).to_be_visible()
    await expect(guide.locator("#field-roles").get_by_label("engineer")).to_be_checked()
    await expect(secret).to_have_value("")
    assert "a secret of mine" not in await guide.evaluate("JSON.stringify([sessionStorage, localStorage])")

    await served.stop()
    await guide.get_by_role("button", name="Keep the example").click()
    await expect(guide).to_have_url(re.compile("^chrome-error:"))  # what is asked for next interrupts nothing
    await served.start()
    await guide.goto(f"{served.url}/styleguide")
    await expect(note).to_have_value("MX record put back.\nWaits for the TTL.")

    await guide.get_by_role("button", name="Keep the example").click()
    await expect(guide.locator("[data-accepted]")).to_be_visible()
    await guide.wait_for_load_state()  # then what was typed is forgotten
    await guide.goto(f"{served.url}/styleguide")
    await expect(note).to_have_value("")
    await expect(guide.locator("[data-restored]")).to_be_hidden()


async def test_a_draft_can_be_given_up(guide: Page) -> None:
    await guide.locator("#field-note").fill("Never mind.")
    await guide.reload()
    await guide.get_by_role("button", name="Start afresh").click()
    await expect(guide.locator("#field-note")).to_have_value("")
    await guide.reload()
    await expect(guide.locator("#field-note")).to_have_value("")


async def test_a_draft_is_of_one_workspace_and_of_whoever_is_signed_in(guide: Page, served: Served) -> None:
    note = guide.locator("#field-note")
    await note.fill("Only here.")
    await guide.goto(f"{served.url}/styleguide?workspace=eu1.other")
    await expect(note).to_have_value("")
    await guide.goto(f"{served.url}/styleguide")
    await expect(note).to_have_value("Only here.")
    await guide.evaluate(
        """() => {
            const form = Object.assign(document.createElement("form"), { method: "post", action: "/sign-out" });
            document.body.append(form);
            form.requestSubmit();
        }"""
    )
    await guide.wait_for_url("**/sign-in")
    await guide.goto(f"{served.url}/styleguide")
    await expect(note).to_have_value("")


async def test_a_log_of_100_000_hostile_lines_stays_fast(browser: Browser, served: Served) -> None:
    page = await browser.new_page(viewport={"width": 1280, "height": 900})
    opening: list[float] = []
    for _ in range(3):  # the quickest counts: whatever else the machine does meanwhile
        await page.goto("about:blank")
        began = time.monotonic()
        await page.goto(f"{served.url}/styleguide?lines={MANY}")
        await page.wait_for_selector("log-view .lines .line")
        opening.append(time.monotonic() - began)
    assert min(opening) < 5
    view, lines = page.locator("log-view"), page.locator("log-view .lines")
    assert await view.evaluate("(each) => each.length") == MANY
    took = await lines.evaluate(
        """async (each) => {
            let least = Infinity; // the quickest of three counts, as well
            for (let time = 0; time < 3; time++) {
                const began = performance.now();
                for (let step = 0; step <= 60; step++) {
                    each.scrollTop = (each.scrollHeight * step) / 60;
                    await new Promise(requestAnimationFrame);
                }
                least = Math.min(least, (performance.now() - began) / 61);
            }
            return least;
        }"""
    )
    assert took < 50, "milliseconds for each of sixty leaps through all of it"
    await expect(lines.locator(".line").last).to_contain_text("100000")
    assert await lines.locator("*").count() < 1000
    assert await page.locator("log-view :is(img, script)").count() == 0
    assert "broken" not in await page.title()
    memory = await page.evaluate("performance.memory.usedJSHeapSize")
    assert memory < 120 * 2**20

    await page.goto(f"{served.url}/styleguide?lines={MANY}#L77777")
    await expect(page.locator("log-view .is-marked")).to_contain_text("77777")
    await expect(page.locator("log-view .is-marked")).to_be_in_viewport()
    find = page.get_by_role("searchbox", name="Find in the log")
    await find.fill("14285.57")
    await expect(page.locator("log-view mark").first).to_have_text("14285.57")
    await expect(page.locator("[data-found]")).to_have_text("1 / 1")
    await find.fill("</SPAN></pre>")
    await expect(page.locator("[data-found]")).to_have_text(f"1 / {MANY // 4}")
    await find.press("Enter")
    await expect(page.locator("[data-found]")).to_have_text(f"2 / {MANY // 4}")


async def test_a_log_that_grows_is_followed(guide: Page) -> None:
    view, lines = guide.locator("log-view"), guide.locator("log-view .lines")
    await expect(lines).to_be_visible()
    await view.evaluate("(each) => each.querySelector('[data-follow]').click()")
    await view.evaluate("(each) => each.append('<img src=x onerror=alert(1)> one\\nlast line of all\\n')")
    await expect(lines).to_contain_text("last line of all")
    assert await view.evaluate("(each) => each.length") == 2002
    assert await guide.locator("log-view img").count() == 0


async def test_a_part_that_fails_leaves_the_page_alone(guide: Page, served: Served) -> None:
    await expect(guide.locator("#fragment-handbook")).to_contain_text("Another room draws this")
    await expect(guide.locator("#fragment-broken")).to_contain_text("There is nothing to show here")
    assert await guide.locator("main").count() == 1
    await guide.route("**/styleguide/fragment", lambda route: route.abort())
    await guide.reload()
    await expect(guide.locator("#fragment-handbook [data-failed]")).to_be_visible()
    await expect(guide.locator("#fragment-handbook a")).to_be_visible()


async def test_everything_can_be_reached_by_keyboard(guide: Page) -> None:
    reached: set[str] = set()
    await guide.locator("h1").click()
    for _ in range(150):
        await guide.keyboard.press("Tab")
        where = await guide.evaluate(
            "(() => { const each = document.activeElement;"
            " const box = each.getBoundingClientRect();"
            " return [each.tagName, each.textContent.trim().slice(0, 40), each.name ?? '', box.width > 0] })()"
        )
        if where[0] == "BODY":
            break
        assert where[3], f"{where} has the focus and cannot be seen"
        reached.add(f"{where[1]} {where[2]}")
    wanted = await guide.evaluate(
        "[...document.querySelectorAll('main :is(a[href], button, input:not([type=hidden]), select, textarea)')]"
        ".filter((each) => each.checkVisibility() && !each.disabled && each.tabIndex >= 0"
        " && (each.type !== 'radio' || each.checked))"
        ".map((each) => `${each.textContent.trim().slice(0, 40)} ${each.name ?? ''}`)"
    )
    assert set(wanted) - reached == set()
