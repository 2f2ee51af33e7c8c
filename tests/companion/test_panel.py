"""The side panel: it shows the tab that is in front, and never what belongs to another."""

from __future__ import annotations

import re

import pytest
from noting import Notebook
from playwright.async_api import expect
from waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


async def test_the_panel_follows_the_active_tab_and_is_never_of_another(book: Notebook) -> None:
    tabs = [await book.tab(f"/{number}") for number in range(3)]
    for page, tab in tabs:
        panel = await book.pad(tab)
        await panel.keyboard.insert_text(page.url)
        await panel.close()
    panel = await book.panel()
    for _ in range(4):
        for page, _ in tabs:
            await page.bring_to_front()
    page = tabs[1][0]
    await page.bring_to_front()
    await book.has(panel, page.url)
    await expect(panel.locator("#stay")).to_have_attribute("aria-pressed", "false")
    await panel.evaluate("document.querySelector('#stay').click()")
    await expect(panel.locator("#stay")).to_have_attribute("aria-pressed", "true")
    await tabs[0][0].bring_to_front()
    await panel.wait_for_timeout(300)
    await book.has(panel, page.url)
    await page.close()
    await expect(panel.locator("#stay")).to_have_attribute("aria-pressed", "false")


async def test_what_is_drawn_is_always_of_the_tab_that_is_named(book: Notebook) -> None:
    """Switched faster than anything is drawn: name and note are looked at in the same moment."""
    tabs = [await book.tab(f"/{number}") for number in range(3)]
    for _, tab in tabs:
        panel = await book.pad(tab)
        await panel.keyboard.insert_text(f"of /{[each for _, each in tabs].index(tab)}")
        await panel.close()
    panel = await book.panel()
    await panel.evaluate("""() => {
      window.mixed = [];
      const look = () => {
        const [name, note] = [document.querySelector("#title").textContent, document.querySelector("#note")?.value];
        if (note && !name.endsWith(note.slice(3))) window.mixed.push([name, note]);
      };
      new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
      setInterval(look, 1);
    }""")
    await book.run(
        "async (all) => { for (let n = 0; n < 40; n++) { await chrome.tabs.update(all[n % 3], { active: true });"
        " await new Promise((go) => setTimeout(go, n % 13)); } }",
        [tab for _, tab in tabs],
    )
    await book.has(panel, "of /0")
    assert await panel.evaluate("window.mixed") == []


@pytest.mark.parametrize("nth", [1, 2])
async def test_what_was_begun_for_a_tab_that_was_left_meanwhile_is_thrown_away(book: Notebook, nth: int) -> None:
    """The browser tells of the tab that was left only once the next one is drawn: wherever the panel waits for it."""
    tabs = [await book.tab(f"/{number}") for number in range(2)]
    for at, (_, tab) in enumerate(tabs):
        panel = await book.pad(tab)
        await panel.keyboard.insert_text(f"of /{at}")
        await panel.close()
    panel = await book.panel()
    await tabs[1][0].bring_to_front()
    await book.has(panel, "of /1")
    await panel.evaluate(
        """([slow, nth]) => {
          const get = chrome.tabs.get.bind(chrome.tabs);
          let asked = 0;
          chrome.tabs.get = async (id) => {
            const { url, ...is } = await get(id); // as without a permission: its address is asked for as well
            if (id === slow && (asked += 1) === nth) await new Promise((go) => (window.go = go));
            return is;
          };
        }""",
        [tabs[0][1], nth],
    )
    await tabs[0][0].bring_to_front()
    # `wait_for_function` asks once only: the page's policy forbids what it would do then.
    await until(lambda: panel.evaluate("window.go !== undefined"), bool, "it does not ask")
    await tabs[1][0].bring_to_front()
    await book.has(panel, "of /1")
    await panel.evaluate("window.go()")
    await panel.wait_for_timeout(300)
    await expect(panel.locator("#title")).to_have_text(re.compile("1$"))
    await book.has(panel, "of /1")


async def test_the_parts_are_tabs_by_keyboard_and_address(book: Notebook) -> None:
    _, tab = await book.tab()
    panel = await book.panel(tab, part="notes")
    await panel.locator("#note").wait_for()  # it hears the keys
    await panel.locator("#tab-notes").focus()
    await panel.keyboard.press("ArrowRight")
    await expect(panel.locator("#tab-toolbox")).to_be_focused()
    await panel.keyboard.press("ArrowRight")
    await expect(panel).to_have_url(re.compile("#site$"))
    await panel.keyboard.press("End")
    await panel.keyboard.press("ArrowLeft")
    await expect(panel.locator("#tab-notes")).to_have_attribute("aria-selected", "true")
    await panel.locator("#note").wait_for()
    await panel.keyboard.press("Tab")
    await panel.keyboard.press("Tab")
    await expect(panel.locator("#note")).to_be_focused()
    await panel.evaluate("location.hash = 'headers'")
    await expect(panel.locator("#tab-headers")).to_have_attribute("aria-selected", "true")
