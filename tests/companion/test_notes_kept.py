"""Notes across a restart of the browser: kept only where that was asked for, and then only with the passphrase."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from composing import CHROMIUM
from noting import PHRASE, Notebook, closed_and_offered, looked_over, opened
from playwright.async_api import async_playwright, expect
from waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


async def test_without_keeping_a_restart_forgets_with_it_the_passphrase_brings_all_back(tmp_path: Path) -> None:
    if shutil.which(CHROMIUM) is None:
        pytest.skip(f"no {CHROMIUM}: apt-get install chromium")
    async with async_playwright() as playwright:
        book = await opened(playwright, tmp_path)
        (_, tab), (_, other) = await book.tab("/basket"), await book.tab("/gone")
        panel, second = await book.pad(tab), await book.pad(other)
        await panel.keyboard.insert_text("a secret note")
        await book.context.close()

        book = await opened(playwright, tmp_path)
        assert await book.session() == {}
        (_, tab), (_, other) = await book.tab("/basket"), await book.tab("/gone")
        panel = await book.pad(tab)
        await book.has(panel, "")
        await panel.keyboard.insert_text("a secret note")
        await panel.locator("summary").click()
        for text, again, says in [("short", "short", "at least 8"), (PHRASE, "else, else", "not the same")]:
            await panel.get_by_label("Passphrase", exact=True).fill(text)
            await panel.get_by_label("Passphrase, once more").fill(again)
            await panel.keyboard.press("Enter")
            await expect(panel.locator("#keep-wrong")).to_contain_text(says)
        await panel.get_by_label("Passphrase, once more").fill(PHRASE)
        await panel.keyboard.press("Enter")
        await expect(panel.locator("summary")).to_contain_text("Notes are kept across a restart")
        await panel.locator("#note").press("End")
        await panel.keyboard.type(", longer")
        second = await book.pad(other)
        await second.keyboard.type("of a tab that does not come back")
        await book.written(tab, "a secret note, longer")
        await book.written(other, "of a tab that does not come back")
        on_disk = str(await book.kept())
        assert [word for word in ("secret", PHRASE, "basket") if word in on_disk] == []
        assert PHRASE not in str(await book.session())
        await book.context.close()
        for file in (tmp_path / "profile").rglob("*"):
            if file.is_file() and "Cache" not in str(file):
                assert PHRASE.encode() not in file.read_bytes()

        book = await opened(playwright, tmp_path)
        _, tab = await book.tab("/basket")
        panel = await book.panel(tab)
        await expect(panel.locator(".keep")).to_contain_text("Notes kept from before: type the passphrase")
        await looked_over(panel)
        await panel.get_by_label("Passphrase", exact=True).fill("not this one")
        await panel.keyboard.press("Enter")
        await expect(panel.locator("#keep-wrong")).to_have_text("That is not the passphrase. Nothing was changed.")
        await book.has(panel, "")
        await panel.get_by_label("Passphrase", exact=True).fill(PHRASE)
        await panel.keyboard.press("Enter")
        await book.has(panel, "a secret note, longer")
        await expect(panel.locator(".held")).to_contain_text("Notes kept from before, shop.example")
        await expect(panel.locator(".held blockquote")).to_have_text("of a tab that does not come back")
        await panel.locator("summary").click()
        await panel.get_by_role("button", name="Forget the kept notes").click()
        await expect(panel.locator(".held")).to_have_count(0)
        await expect(panel.locator("summary")).to_have_text("Keep notes across a restart")
        await book.has(panel, "a secret note, longer")
        assert not [name for name in await book.kept() if "note" in name]
        await book.context.close()


async def test_a_closed_tab_is_not_kept(book: Notebook) -> None:
    page, tab = await book.tab()
    panel = await book.pad(tab)
    await panel.keyboard.type("kept as long as the tab")
    await book.written(tab, "kept as long as the tab")
    await book.run(f"import('/store/notes.js').then(({{ keep }}) => keep('{PHRASE}')).then(() => 1)")
    sealed = [name for name in await book.kept() if name.startswith("kept note")]
    assert len(sealed) == 1
    await page.close()
    await until(book.kept, lambda kept: not [name for name in kept if name.startswith("kept note")])


async def test_it_speaks_french(tmp_path: Path) -> None:
    if shutil.which(CHROMIUM) is None:
        pytest.skip(f"no {CHROMIUM}: apt-get install chromium")
    async with async_playwright() as playwright:
        book = await opened(playwright, tmp_path, "fr")
        await closed_and_offered(book, "à copier")
        _, tab = await book.tab()
        panel = await book.panel(tab, size=(320, 700))
        assert await panel.evaluate("document.documentElement.lang") == "fr"
        await expect(panel.locator(".held")).to_contain_text("Notes de l’onglet que vous avez fermé, shop.example")
        await panel.locator("#note").fill("déjà vu")
        await expect(panel.locator("#count")).to_have_text("7 caractères")
        await panel.locator("summary").click()
        await looked_over(panel)
        await book.context.close()


DAMAGE = """async (damage) => {
  const { ["notes kept"]: lock } = await chrome.storage.local.get("notes kept");
  await chrome.storage.session.remove("notes key");
  await chrome.storage.local.set({ "notes kept": damage === null ? "nothing of it" : { ...lock, ...damage } });
}"""


@pytest.mark.parametrize(
    "damage",
    [{"rounds": "many"}, {"rounds": 10**12}, {"rounds": -1}, {"salt": "%"}, {"proof": None}, None],
    ids=["no number", "for years", "less than none", "no salt", "no proof", "no lock"],
)
async def test_a_damaged_lock_is_said_and_can_be_discarded_and_taken_back(book: Notebook, damage: Any) -> None:
    _, tab = await book.tab()
    panel = await book.pad(tab)
    await panel.keyboard.type("still open")
    await book.written(tab, "still open")
    await book.run(f"import('/store/notes.js').then(({{ keep }}) => keep('{PHRASE}')).then(() => 1)")
    await book.run(DAMAGE, damage)
    await panel.reload()
    before = await book.kept()
    assert [name for name in before if name.startswith("kept note")]
    await expect(panel.locator(".keep")).to_contain_text("is damaged. You can forget them")
    await expect(panel.locator(".keep input")).to_have_count(0)
    await looked_over(panel)
    await panel.get_by_role("button", name="Forget the kept notes").click()
    await expect(panel.locator("summary")).to_have_text("Keep notes across a restart")
    assert not [name for name in await book.kept() if "note" in name]
    await expect(panel.get_by_role("button", name="Put back")).to_be_focused()
    await panel.keyboard.press("Enter")
    await expect(panel.locator(".keep")).to_contain_text("is damaged")
    assert await book.kept() == before
    await book.has(panel, "still open")


async def test_what_was_forgotten_is_kept_again_when_that_is_taken_back(book: Notebook) -> None:
    _, tab = await book.tab()
    panel = await book.pad(tab)
    await panel.keyboard.type("worth keeping")
    await book.written(tab, "worth keeping")
    await book.run(f"import('/store/notes.js').then(({{ keep }}) => keep('{PHRASE}')).then(() => 1)")
    await panel.locator("summary").click()
    await panel.get_by_role("button", name="Forget the kept notes").click()
    await expect(panel.get_by_role("button", name="Put back")).to_be_focused()
    await panel.keyboard.press("Enter")
    await expect(panel.locator("summary")).to_contain_text("Notes are kept across a restart")
    await panel.locator("#note").press("End")
    await panel.keyboard.type(", more")
    await book.written(tab, "worth keeping, more")
    await book.run("chrome.storage.session.clear()")
    opened = "import('/store/notes.js').then(async (its) => [await its.unlock('%s'), await its.offers()])"
    right, [held] = await book.run(opened % PHRASE)
    assert (right, held["text"]) == (True, "worth keeping, more")
