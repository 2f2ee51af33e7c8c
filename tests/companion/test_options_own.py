"""One's own settings: to a file and back, all away, each with a way back, and none lost for want of room."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from choosing import keeps, kept, toast, trust
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


async def test_settings_go_to_a_file_and_come_back(page: Page, tmp_path: Path) -> None:
    await trust(page, "example.com")
    await toast(page)
    async with page.expect_download() as waiting:
        await page.click("#export")
    saved = tmp_path / "saved.json"
    await (await waiting.value).save_as(saved)
    assert json.loads(saved.read_text()) == {"trusted": ["example.com"]}
    await page.wait_for_selector("#domains >> text=www.example.com")
    await page.click("#reset")
    await keeps(page, {})
    await page.wait_for_selector("#domains .empty")
    await page.set_input_files("#import", saved)
    await page.wait_for_selector("#domains >> text=www.example.com")
    other = tmp_path / "other.json"
    other.write_text('{"trusted": ["other.example", "com"], "token": 1}')
    await page.set_input_files("#import", other)
    await page.wait_for_selector("#import-wrong .error >> nth=1")
    assert await kept(page) == {"trusted": ["other.example"]}
    await page.wait_for_selector("#domains >> text=www.other.example")
    await page.click("#undo")
    await page.wait_for_selector("#domains >> text=www.example.com")
    other.write_text("<html>")
    await page.set_input_files("#import", other)
    await page.wait_for_selector("#import-wrong >> text=Nothing was taken over from other.json")
    assert await kept(page) == {"trusted": ["example.com"]}


async def test_settings_that_find_no_room_are_not_lost_silently(page: Page) -> None:
    many = [f"a-rather-long-name-for-a-domain-{number}.example" for number in range(250)]
    await trust(page, " ".join(many))
    assert "no more room" in await toast(page)
    assert (await page.input_value("#domain")).startswith(many[0])
    assert await kept(page) == {}


async def test_a_file_that_finds_no_room_changes_nothing(page: Page, tmp_path: Path) -> None:
    """The browser takes 8,192 bytes an entry: what was set stays whole, and it is said."""
    await page.evaluate("chrome.storage.sync.set({ trusted: ['mine.example'], notes: false })")
    large = tmp_path / "large.json"
    many = [f"a-rather-long-name-for-a-domain-{number}.example" for number in range(250)]
    large.write_text(json.dumps({"server": "https://other.example", "trusted": many}))
    await page.set_input_files("#import", large)
    assert "no more room" in await toast(page)
    assert await page.is_hidden("#undo")
    assert await kept(page) == {"trusted": ["mine.example"], "notes": False}


async def test_what_cannot_be_undone_for_want_of_room_says_so(page: Page) -> None:
    many = [f"a{number:040}.example" for number in range(150)]
    await page.evaluate("(all) => chrome.storage.sync.set({ trusted: all })", ["first.example", *many])
    await page.click("#domains >> role=button[name='Remove first.example']")
    await page.wait_for_selector("#undo:focus")
    meanwhile = [*many, *(f"b{number:042}.example" for number in range(7))]
    await page.evaluate("(all) => chrome.storage.sync.set({ trusted: all })", meanwhile)
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#toast p >> text=no more room")
    assert await kept(page) == {"trusted": meanwhile}


async def test_all_that_was_reset_and_an_address_come_back(page: Page) -> None:
    chosen = {"trusted": ["mine.example"], "notes": False, "server": "https://one.example"}
    await page.evaluate("(chosen) => chrome.storage.sync.set(chosen)", chosen)
    await page.wait_for_selector("#domains >> text=www.mine.example")
    await page.click("#reset")
    await page.wait_for_selector("#undo:focus")
    assert await kept(page) == {}
    await expect(page.locator("#server")).to_have_value("")  # drawn: what is typed there is drawn over no more
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#domains >> text=www.mine.example")
    await keeps(page, chosen)
    await expect(page.locator("#server")).to_have_value("https://one.example")
    await page.fill("#server", "https://two.example/x")
    await page.press("#server", "Enter")
    await keeps(page, {**chosen, "server": "https://two.example"})
    await page.wait_for_selector("#undo:focus")
    await expect(page.locator("#server")).to_have_value("https://two.example")
    await page.keyboard.press("Enter")
    await keeps(page, chosen)
    await expect(page.locator("#server")).to_have_value("https://one.example")
