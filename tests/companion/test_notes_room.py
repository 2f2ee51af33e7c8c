"""Notes where there is no more room, in a real browser: it is said, and nothing is lost."""

from __future__ import annotations

import pytest
from noting import Notebook, closed_and_offered
from playwright.async_api import expect
from waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

FREE = "chrome.storage.session.getBytesInUse().then((used) => chrome.storage.session.QUOTA_BYTES - used)"
LEFT = "found by nobody else" * 500
FILL = "(size) => chrome.storage.session.set({ filled: 'z'.repeat(size) })"


async def test_what_does_not_fit_is_told_and_nothing_is_lost(book: Notebook) -> None:
    _, tab = await book.tab()
    panel = await book.pad(tab)
    await panel.evaluate(
        "(() => { const { session } = chrome.storage, asked = session.getBytesInUse.bind(session);"
        " session.getBytesInUse = () => new Promise((go) => setTimeout(go, 400)).then(asked); })()"
    )
    await panel.evaluate("document.execCommand('insertText', false, 'x'.repeat(195000))")
    await expect(panel.locator(".notice.warn")).to_have_text("There is room for 5,000 more characters in this note.")
    await book.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await panel.evaluate("navigator.clipboard.writeText('y'.repeat(6000))")
    await panel.keyboard.press("Control+v")
    await expect(panel.locator(".notice:visible").last).to_contain_text("it is 1,000 characters more than the 200,000")
    await panel.wait_for_timeout(600)  # how much room there is was asked before, and is known only now
    await expect(panel.locator(".notice:visible").last).to_contain_text("it is 1,000 characters more than the 200,000")
    await expect(panel.locator(".notice.warn")).to_be_visible()
    await book.has(panel, "x" * 195_000)


async def test_a_full_browser_is_told_and_typing_is_kept_when_there_is_room_again(book: Notebook) -> None:
    _, tab = await book.tab()
    panel = await book.pad(tab)
    await panel.keyboard.type("kept")
    await book.has(panel, "kept")
    await book.run(FILL, await book.run(FREE) - 1200)
    await panel.keyboard.type("!")
    await expect(panel.locator(".notice.warn")).to_contain_text("100% of the room for the notes")
    await panel.evaluate("document.execCommand('insertText', false, ' and this too'.repeat(100))")
    await expect(panel.locator(".notice.bad")).to_contain_text("on this screen only")
    await book.run("chrome.storage.session.remove('filled')")
    await expect(panel.locator(".notice.bad")).to_be_hidden()
    await panel.close()
    await book.has(await book.panel(tab), "kept!" + " and this too" * 100)


@pytest.mark.parametrize("part", ["", " typed 1"], ids=["the note", "what nobody has folded yet"])
async def test_what_a_tab_takes_along_or_leaves_while_there_is_no_room_follows_when_there_is(
    book: Notebook, part: str
) -> None:
    """The worker hears of it once: what cannot be written then is tried again."""
    (one, tab), (_, other) = await book.tab("/1"), await book.tab("/2")
    panel = await book.pad(tab)
    if part:
        await book.hold_notes()
    await panel.keyboard.insert_text(LEFT)
    await until(book.session, lambda kept: kept.get(f"note {tab}{part}", {}).get("text") == LEFT)
    if not part:
        await book.written(tab, LEFT)
    await panel.close()
    await book.run(FILL, await book.run(FREE) - 400)
    if part:
        await book.let_notes_go()
    await one.close()
    told = "(tab) => chrome.action.getTitle({ tabId: tab })"
    await until(lambda: book.run(told, other), lambda title: "cannot be kept" in title)
    assert (await book.session())[f"note {tab}{part}"]["text"] == LEFT
    await book.run("chrome.storage.session.remove('filled')")
    panel = await book.panel(other)
    await expect(panel.locator(".held blockquote")).to_contain_text(LEFT[:40])
    await until(lambda: book.run(told, other), lambda title: "cannot be kept" not in title, "it is still said")


async def test_an_offer_that_finds_no_room_in_a_tab_says_so_and_stays(book: Notebook) -> None:
    await closed_and_offered(book, LEFT)
    _, tab = await book.tab("/other")
    panel = await book.panel(tab)
    await panel.evaluate(
        "() => { const { session } = chrome.storage; window.set = session.set;"
        " session.set = () => Promise.reject(new Error('quota')); }"
    )
    take = panel.get_by_role("button", name="Put into this tab’s notes")
    for _ in range(2):
        await take.click()
        await expect(panel.locator(".held [role=alert]")).to_contain_text("the browser has no more room")
    await panel.evaluate("() => void (chrome.storage.session.set = window.set)")
    await take.click()
    await book.has(panel, LEFT)
    await expect(panel.locator(".held")).to_have_count(0)
