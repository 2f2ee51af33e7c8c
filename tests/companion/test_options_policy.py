"""What the company manages by a real policy on this machine."""

from __future__ import annotations

import json
import os
import shutil
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
from choosing import composer, copied, is_accessible, start
from composing import CHROMIUM, welcome
from playwright.async_api import async_playwright, expect

pytestmark = pytest.mark.slow

POLICIES = Path("/etc/chromium/policies/managed")
POLICY = {
    "server": "https://steelyard.corp.example/",
    "trusted": ["corp.example", "com"],
    "notes": False,
    "rules": json.dumps(
        {
            "version": 12,
            "rules": [{"name": "Corp", "kind": "host", "ours": True, "confidence": 3, "names": ["*.corp.example"]}],
        }
    ),
    "editors": json.dumps([{"origin": "https://desk.corp.example", "editor": ".reply"}]),
}


BEFORE = """async () => {
  const begun = performance.now();
  const since = () => performance.now() - begun;
  const told = chrome.storage.managed.get().then(since);
  const said = await chrome.runtime.sendMessage({ do: "composer" });
  return [said, since(), await told];
}"""
"""What the worker says, after how many milliseconds, and after how many the browser itself tells the policy."""


def named_by(key: bytes) -> str:
    """The id of an extension with this key, as Chrome computes it."""
    return "".join(chr(ord("a") + int(each, 16)) for each in sha256(key).hexdigest()[:32])


@pytest.fixture
def managed(tmp_path: Path) -> Iterator[Path]:
    """A copy of the extension with a policy of its own on this machine, which is gone afterwards."""
    key = os.urandom(64)
    identity = named_by(key)
    made = [each for each in (POLICIES, *POLICIES.parents) if not each.exists()]
    file = POLICIES / f"steelyard-test-{identity}.json"
    try:
        POLICIES.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"3rdparty": {"extensions": {identity: POLICY}}}))
    except OSError as problem:
        pytest.skip(f"no policy can be written here: {problem}")
    try:
        yield copied(tmp_path / "extension", key=b64encode(key).decode())
    finally:
        file.unlink(missing_ok=True)
        for folder in made:
            with suppress(OSError):  # another test's policy is in it
                folder.rmdir()


async def test_what_the_company_manages_counts_is_shown_as_such_and_cannot_be_changed(
    managed: Path, tmp_path: Path
) -> None:
    if shutil.which(CHROMIUM) is None:
        pytest.skip(f"no {CHROMIUM}: apt-get install chromium")
    async with async_playwright() as playwright:
        context = await start(playwright, managed, tmp_path / "profile")
        page = await welcome(context)
        await page.wait_for_selector("#domains >> text=corp.example")
        assert await page.is_disabled("#notes-too input")
        assert "Your company" in await page.inner_text("#notes-too")
        assert await page.locator("#domains li button").count() == 0
        await expect(page.locator("#connected")).to_contain_text("https://steelyard.corp.example")
        assert await page.locator("#server").count() == 0
        await expect(page.locator("#places li")).to_have_count(1)
        assert await page.locator("#places li button", has_text="Remove").count() == 0
        assert "under “com”" in await page.inner_text("#wrong")
        await page.wait_for_selector("#in-force >> text=version 12")
        said = await composer(page)
        assert (said["trusted"], said["notes"], said["kinds"][0]["hosts"]) == (
            ["corp.example"],
            False,
            ["desk.corp.example"],
        )
        await page.evaluate("chrome.storage.sync.set({ notes: true, server: 'https://evil.example' })")
        await page.wait_for_timeout(100)
        assert (await composer(page))["notes"] is False
        elsewhere = "https://evil.example/companion/connect#eu1-acme~" + "s" * 32
        refused = await page.evaluate("async (link) => (await import('/store/team.js')).connect(link)", elsewhere)
        assert refused["problem"]["say"] == "team_not_companys"
        await context.close()
        context = await start(playwright, managed, tmp_path / "profile", "fr")
        page = await context.new_page()
        key = json.loads((managed / "manifest.json").read_text())["key"]
        await page.goto(f"chrome-extension://{named_by(b64decode(key))}/ui/options.html")
        said, answered, told = await page.evaluate(BEFORE)
        assert (said["trusted"], said["notes"]) == (["corp.example"], False)
        assert told < 1000 or answered < told, "the browser tells the policy only seconds after its start"
        await page.wait_for_selector("#domains >> text=Votre entreprise")
        await is_accessible(page, "light", 320)
        await is_accessible(page, "dark", 1280)
        await context.close()
