"""Notes of a tab, in a real browser: they live as long as the tab, and no letter of them is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from composing import INBOX, open_composer
from noting import SHOP, Notebook, closed_and_offered, looked_over
from playwright.async_api import expect
from waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

HOSTILE = '<img src=x onerror="window.hit=1"><b>"\'&lt;\u202etxt.exe\u0000</b>${1}'


async def test_a_note_stays_while_its_tab_goes_elsewhere_and_the_worker_stops(book: Notebook) -> None:
    page, tab = await book.tab("/one")
    panel = await book.pad(tab)
    copy = panel.get_by_role("button", name="Copy", exact=True)
    await expect(copy).to_be_disabled()
    await panel.keyboard.type("price is old")
    await expect(copy).to_be_enabled()
    await page.goto(f"{SHOP}/two")
    await book.stop_worker()
    await panel.keyboard.type(", after the purge too")
    await panel.reload()
    await book.has(panel, "price is old, after the purge too")
    await page.goto(f"{SHOP}/three")
    await expect(panel.locator("#name")).to_have_text("shop.example")
    await until(book.session, lambda kept: kept[f"note {tab}"]["address"] == f"{SHOP}/three")


async def test_each_tab_has_its_own(book: Notebook) -> None:
    (_, one), (_, two) = await book.tab("/1"), await book.tab("/2")
    for tab in (one, two):
        panel = await book.pad(tab)
        await panel.keyboard.type(f"of {tab}")
        await panel.close()
    for tab in (one, two):
        await book.has(await book.panel(tab), f"of {tab}")


async def test_the_last_key_is_kept_when_panel_and_worker_are_killed_right_after_it(book: Notebook) -> None:
    _, tab = await book.tab()
    text = ""
    for letter in "abcde":
        panel = await book.pad(tab)
        await panel.keyboard.press("Control+End")
        await panel.keyboard.press(letter)
        text += letter
        await asyncio.gather(panel.close(), book.stop_worker())
    await book.has(await book.panel(tab), text)


async def test_the_last_key_is_kept_when_the_process_of_the_panel_dies(book: Notebook) -> None:
    _, tab = await book.tab()
    panel = await book.pad(tab)
    session: Any = await book.context.new_cdp_session(panel)
    await panel.keyboard.type("all bu")
    await panel.keyboard.press("t")
    dying = asyncio.ensure_future(session.send("Page.crash"))
    await panel.wait_for_event("crash")
    dying.cancel()
    await book.probe.close()
    await book.start()
    await book.has(await book.panel(tab), "all but")


async def test_a_page_that_ends_before_its_typing_was_folded_loses_nothing(book: Notebook) -> None:
    """What is sent before anything is waited for suffices, also where nobody comes to fold it but the tab's closing."""
    page, tab = await book.tab()
    panel = await book.pad(tab)
    await book.hold_notes()
    await panel.keyboard.type("not folded")
    await panel.close()
    assert f"note {tab}" not in await book.session()
    await page.close()
    await book.let_notes_go()
    other, number = await book.tab("/other")
    await expect((await book.panel(number)).locator(".held blockquote")).to_have_text("not folded")
    await other.close()


async def test_a_discarded_tab_keeps_its_note(book: Notebook) -> None:
    _, tab = await book.tab("/old")
    panel = await book.pad(tab)
    await panel.keyboard.type("still here")
    await book.written(tab, "still here")
    new = await book.run("(tab) => chrome.tabs.discard(tab).then((is) => is?.id)", tab)
    assert isinstance(new, int)
    await book.has(panel, "still here")
    await panel.locator("#note").press("End")
    await panel.keyboard.type("!")
    await book.has(await book.panel(new), "still here!")
    await book.written(new, "still here!")
    notes = [name for name in await book.session() if name.startswith("note ") and "typed" not in name]
    assert notes == [f"note {new}"]


async def test_a_tab_with_another_number_takes_its_note_along(book: Notebook) -> None:
    """As discarding did for long, and prerendering may: told by the browser as `tabs.onReplaced`."""
    (_, one), (_, two) = await book.tab("/1"), await book.tab("/2")
    panel = await book.pad(one)
    await panel.keyboard.type("moved")
    await book.written(one, "moved")
    await book.run(
        "([to, from]) => import('/store/notes.js').then(({ move }) => move(from, to)).then(() => 1)", [two, one]
    )
    await book.has(await book.panel(two), "moved")
    assert f"note {one}" not in await book.session()


async def test_what_a_closed_tab_held_is_offered_and_can_be_taken_copied_or_let_go(book: Notebook) -> None:
    await closed_and_offered(book, "of the first", "/first")
    await closed_and_offered(book, "of the second", "/second")
    _, tab = await book.tab()
    panel = await book.panel(tab)
    held = panel.locator(".held")
    await expect(held.locator("blockquote")).to_have_text(["of the second", "of the first"])
    await expect(held.first).to_contain_text("Notes of the tab you closed, shop.example")
    await book.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await held.first.get_by_role("button", name="Copy").click()
    await expect(held.first.get_by_role("button", name="✓ Copied")).to_be_visible()
    assert await panel.evaluate("navigator.clipboard.readText()") == "of the second"
    await held.first.get_by_role("button", name="Put into this tab’s notes").click()
    await book.has(panel, "of the second")
    await held.first.get_by_role("button", name="Discard").click()
    await expect(held).to_have_count(0)
    await until(book.session, lambda kept: "of the first" not in str(kept))


async def test_the_popup_offers_it_too(book: Notebook) -> None:
    await closed_and_offered(book, "from the popup")
    _, tab = await book.tab()
    popup = await book.context.new_page()
    await popup.goto(book.address(f"ui/popup.html?tab={tab}"))
    await expect(popup.locator(".held blockquote")).to_have_text("from the popup")
    await popup.get_by_role("button", name="Put into this tab’s notes").click()
    await expect(popup.locator(".held")).to_have_count(0)
    await book.has(await book.panel(tab), "from the popup")


async def test_an_offer_ends_after_ten_minutes(book: Notebook) -> None:
    await closed_and_offered(book, "soon gone")
    _, tab = await book.tab()
    panel = await book.panel(tab)
    await expect(panel.locator(".held")).to_have_count(1)
    assert (
        await book.run(
            "chrome.storage.session.get('notes offered').then((all) => all['notes offered'][0].until - Date.now())"
        )
        <= 600_000
    )
    await book.run(
        "chrome.storage.session.get('notes offered').then(({ 'notes offered': [one] }) =>"
        " chrome.storage.session.set({ 'notes offered': [{ ...one, until: Date.now() + 600 }] }))"
    )
    await expect(panel.locator(".held")).to_have_count(0)


async def test_nothing_is_offered_of_a_tab_without_notes(book: Notebook) -> None:
    await closed_and_offered(book, "  \n ")
    _, tab = await book.tab()
    panel = await book.panel(tab)
    await panel.locator("#note").wait_for()
    await expect(panel.locator(".held")).to_have_count(0)


async def test_two_views_of_a_note_see_each_other_and_lose_nothing(book: Notebook) -> None:
    _, tab = await book.tab()
    one, two = await book.pad(tab), await book.pad(tab)
    await one.locator("#note").press_sequentially("first ")
    await book.has(two, "first ")
    await two.locator("#note").evaluate("(field) => field.setSelectionRange(6, 6)")
    await asyncio.gather(
        one.locator("#note").press_sequentially("abcdefghij", delay=7),
        two.locator("#note").press_sequentially("0123456789", delay=5),
    )

    async def texts() -> list[str]:
        return [await each.locator("#note").input_value() for each in (one, two)]

    both = await until(texts, lambda seen: seen[0] == seen[1] and len(seen[0]) == 26)
    assert sorted(both[0]) == sorted("first abcdefghij0123456789")


async def test_it_goes_into_the_composer_and_is_made_safe_there(book: Notebook) -> None:
    composer = await open_composer(book.context, "prosemirror")
    tab = await book.run("chrome.tabs.query({ url: 'https://app.intercom.com/*' }).then(([one]) => one.id)")
    panel = await book.pad(tab)
    await panel.keyboard.insert_text("see http://evil.com/x and https://example.com/a now")
    await panel.get_by_role("button", name="Put into the reply").click()
    await expect(panel.locator(".notice:visible")).to_contain_text("It stands in the reply of")
    safe = "see hxxp://evil[.]com/x and https://example.com/a now"
    await until(composer.text, lambda text: text.rstrip() == safe)
    await panel.locator("#note").evaluate("(field) => field.setSelectionRange(0, 3)")
    await panel.get_by_role("button", name="Put into the reply").click()
    await until(composer.text, lambda text: text.rstrip().endswith("nowsee"))


async def test_from_another_tab_it_goes_to_the_inbox_or_says_that_there_is_none(book: Notebook) -> None:
    _, tab = await book.tab()
    panel = await book.pad(tab)
    await panel.keyboard.insert_text("a finding")
    await panel.get_by_role("button", name="Put into the reply").click()
    await expect(panel.locator(".notice:visible")).to_contain_text("No conversation is open")
    composer = await open_composer(book.context, "prosemirror")
    await panel.get_by_role("button", name="Put into the reply").click()
    await expect(panel.locator(".notice:visible")).to_contain_text("It stands in the reply of")
    await until(composer.text, lambda text: text.rstrip() == "a finding")


async def test_monospace_is_the_notes_own_and_tab_can_leave(book: Notebook) -> None:
    (_, one), (_, two) = await book.tab("/1"), await book.tab("/2")
    panel = await book.pad(one)
    await panel.locator("#mono").check()
    await expect(panel.locator("#note")).to_have_class("mono")
    await expect(panel.locator("#note-hint")).to_contain_text("Esc, then Tab")
    await panel.locator("#note").click()
    await panel.keyboard.type("if\tx\ny")
    await book.has(panel, "if\tx\ny")
    await panel.keyboard.press("Escape")
    await panel.keyboard.press("Tab")
    await expect(panel.locator("#note")).not_to_be_focused()
    await expect((await book.panel(two)).locator("#note")).to_have_class("")
    again = await book.panel(one)
    await expect(again.locator("#mono")).to_be_checked()


async def test_cleared_notes_can_be_put_back(book: Notebook) -> None:
    _, tab = await book.tab()
    panel = await book.pad(tab)
    await panel.keyboard.type("precious")
    await expect(panel.locator("#count")).to_have_text("8 characters")
    await panel.get_by_role("button", name="Clear").click()
    await book.has(panel, "")
    await panel.get_by_role("button", name="Put back").click()
    await book.has(panel, "precious")
    await panel.close()
    await book.has(await book.panel(tab), "precious")


async def test_what_can_be_put_back_is_still_offered_when_little_room_is_left(book: Notebook) -> None:
    _, tab = await book.tab()
    panel = await book.pad(tab)
    await panel.evaluate("document.execCommand('insertText', false, 'x'.repeat(195000))")
    await panel.get_by_role("button", name="Clear").click()
    await book.written(tab, "")
    other = await book.pad(tab)
    await other.evaluate("document.execCommand('insertText', false, 'y'.repeat(199000))")
    await expect(panel.locator(".notice.warn")).to_have_text("There is room for 1,000 more characters in this note.")
    await expect(panel.get_by_role("button", name="Put back")).to_be_visible()


async def test_hostile_text_is_text(book: Notebook) -> None:
    await closed_and_offered(book, HOSTILE, "/<b>")
    _, tab = await book.tab()
    panel = await book.panel(tab)
    await panel.locator(".held").get_by_role("button", name="Put into").click()
    await book.has(panel, HOSTILE)
    assert await panel.evaluate("[window.hit, document.querySelectorAll('img').length]") == [None, 0]


async def test_a_part_in_a_page_reads_no_notes(book: Notebook) -> None:
    composer = await open_composer(book.context, "plain")
    assert composer.page.url.startswith(INBOX)
    for place in ("session", "local"):
        told = await book.run(
            "async (place) => (await chrome.scripting.executeScript({"
            " target: { tabId: (await chrome.tabs.query({ url: 'https://app.intercom.com/*' }))[0].id }, args: [place],"
            " func: async (place) => { try { return await chrome.storage[place].get(); }"
            " catch (why) { return String(why); } } }))[0].result",
            place,
        )
        assert "not allowed" in told


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_and_nothing_is_cut_at_320(book: Notebook, scheme: str) -> None:
    await closed_and_offered(book, "offered")
    _, tab = await book.tab("/a-very-long-path-that-goes-on-and-on-and-on-and-on")
    panel = await book.panel(tab, size=(320, 700))
    await panel.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await panel.locator("#note").fill("x" * 300)
    await panel.locator("summary").click()
    await looked_over(panel)
