"""The options page: every choice is kept, told, shown with where it comes from, and has a way back."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from choosing import HELP, composer, is_accessible, kept, tells, toast, trust
from composing import ROOT
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

TEAM = {
    "server": "https://steelyard.example",
    "token": "secret",
    "workspace": {"id": "eu1-acme", "name": "Acme support"},
    "person": {"name": "Ada Byron", "engineer": "7"},
    "trusted": ["team.example"],
    "rules": {
        "version": 4,
        "rules": [{"name": "Ours", "kind": "host", "ours": True, "confidence": 3, "names": ["*.acme.example"]}],
    },
    "editors": [],
    "names": "",
    "checked_at": 0,
    "expires_at": "2099-02-20T12:00:00Z",
    "ended": False,
    "etag": "",
    "code": "",
}


async def test_it_opens_once_when_installed_with_three_things_to_choose(page: Page) -> None:
    address = page.url
    await page.goto("about:blank")
    await page.goto(f"{address}#welcome")
    await page.wait_for_selector("#choices > li >> nth=2")
    assert await page.locator("#choices > li").count() == 3
    assert await page.locator("#choices > li.is-done").count() == 0
    await trust(page, "example.com")
    await page.wait_for_selector("#choices > li.is-done >> text=Trust your own domains")
    await page.click("#welcomed")
    await expect(page.locator("#welcome")).to_be_hidden()
    await expect(page).to_have_url(address)


async def test_a_domain_is_trusted_told_and_taken_back(page: Page) -> None:
    await trust(page, "*.Example.com, =only.example.net https://docs.example.org/a/b")
    assert await toast(page) == "Links to example.com, only.example.net, docs.example.org stay clickable from now on."
    assert await kept(page) == {"trusted": ["example.com", "=only.example.net", "docs.example.org"]}
    assert (await composer(page))["trusted"] == ["example.com", "=only.example.net", "docs.example.org"]
    await page.click("#domains >> role=button[name='Remove example.com']")
    await tells(page, "trusted", ["=only.example.net", "docs.example.org"])
    await expect(page.locator("#toast p")).to_contain_text("unclickable")
    await page.wait_for_selector("#undo:focus")
    await expect(page.locator("#domains")).not_to_contain_text("www.example.com")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#domains >> text=www.example.com")
    assert set((await composer(page))["trusted"]) == {"example.com", "=only.example.net", "docs.example.org"}


async def test_a_domain_that_cannot_be_trusted_is_refused_with_the_reason_and_stays_typed(page: Page) -> None:
    await trust(page, "good.example com evil@x.example")
    await expect(page.locator("#domain-wrong")).not_to_be_empty()
    said = await page.inner_text("#domain-wrong")
    assert "Anybody can have a name under “com”" in said
    assert "“evil@x.example” is no domain" in said
    assert await page.input_value("#domain") == "good.example com evil@x.example"
    assert await page.get_attribute("#domain", "aria-invalid") == "true"
    assert await kept(page) == {}


async def test_each_level_is_named_and_only_ones_own_can_be_removed(page: Page) -> None:
    await page.evaluate("(team) => chrome.storage.local.set({ team })", TEAM)
    await trust(page, "mine.example")
    await page.wait_for_selector("#domains li >> text=mine.example")
    await page.wait_for_selector("#domains li >> text=team.example")
    row = page.locator("#domains li", has_text="team.example")
    assert "Your team" in await row.inner_text()
    assert await row.locator("button").count() == 0
    assert await page.locator("#domains li", has_text="mine.example").locator("button").count() == 1
    assert set((await composer(page))["trusted"]) == {"mine.example", "team.example"}
    await expect(page.locator("#connected")).to_contain_text("Acme support")
    await expect(page.locator("#connected")).to_contain_text("February 20, 2099")
    await page.wait_for_selector("#in-force >> text=version 4")
    assert "Your team 1 rules in force, for 1 hosts" in await page.inner_text("#in-force")
    await page.click("#connected >> text=Disconnect from steelyard.example")
    await page.wait_for_selector("#connect-link")
    assert (await composer(page))["trusted"] == ["mine.example"]
    assert "team" not in await page.evaluate("chrome.storage.local.get()")


async def test_what_is_broken_in_storage_is_left_out_and_told(page: Page) -> None:
    broken = {
        "trusted": ["sound.example", "com", 7, {"a": 1}],
        "notes": "no",
        "editors": [{"origin": "https://a.example", "editor": "<b>"}],
        "server": 3,
    }
    await page.evaluate("(broken) => chrome.storage.sync.set(broken)", broken)
    team = {
        **TEAM,
        "trusted": ["co m"],
        "rules": {
            "version": 9,
            "rules": [{"name": "<img src=x>", "kind": "host", "confidence": 3, "headers": {"x": "(a+)+"}}],
        },
    }
    await page.evaluate("(team) => chrome.storage.local.set({ team })", team)
    await page.reload()
    await page.wait_for_selector("#wrong li >> nth=6")
    said = await page.inner_text("#wrong")
    for each in ("left out", "“<b>” is no selector", "under “com”", "“co m” is no domain"):
        assert each in said
    assert await composer(page) == {"trusted": ["sound.example"], "kinds": [], "notes": True, "connected": True}
    await page.wait_for_selector("#in-force .notice")
    said = await page.inner_text("#in-force")
    for each in ("Built in", "<img src=x> · headers.x", "repeats a group"):
        assert each in said
    assert await page.locator("img[src=x]").count() == 0
    await trust(page, "more.example")
    await toast(page)
    assert (await kept(page))["trusted"] == ["sound.example", "more.example", "com", 7, {"a": 1}], (
        "a newer version may use it"
    )


async def test_internal_notes_are_left_alone_by_choice(page: Page) -> None:
    await page.uncheck("#notes-too input")
    await toast(page)
    assert (await composer(page))["notes"] is False
    await page.click("#undo")
    await tells(page, "notes", True)
    await page.wait_for_selector("#notes-too input:checked")


async def test_nothing_shows_the_name_of_its_sentence(page: Page) -> None:
    keys = json.loads((ROOT / "extension/_locales/en/messages.json").read_text())
    words = {key.split("_")[0] for key in keys}
    shown = set(re.findall(r"[a-z]+(?:_[a-z]+)+", await page.inner_text("body")))
    assert [each for each in shown if each.split("_")[0] in words] == []


async def test_every_permission_of_the_manifest_says_why(page: Page) -> None:
    manifest = json.loads((ROOT / "extension/manifest.json").read_text())
    rows = await page.locator("#permissions dt").all_text_contents()
    assert {*manifest["permissions"], "*.intercom.com"} <= set(rows)
    said = await page.locator("#permissions dd").all_text_contents()
    assert all(" " in each for each in said), "a key without its sentence"
    assert "Only when you press the button" in await page.inner_text("#every")


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 320)])
async def test_it_is_accessible_in_both_themes_and_narrow(page: Page, theme: Any, width: int) -> None:
    chosen = {"trusted": ["example.com", "com"], "editors": [{"origin": HELP}, {"origin": "https://other.example"}]}
    await page.evaluate("(chosen) => chrome.storage.sync.set(chosen)", chosen)
    await page.wait_for_selector("#places li >> nth=1")
    await trust(page, "new.example")
    await toast(page)
    await trust(page, "co m.")
    await is_accessible(page, theme, width)
    await page.emulate_media(color_scheme="light")
