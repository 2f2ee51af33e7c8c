"""What counts in the composer is what counts now; an extension that was updated under a page is in nobody's way."""

from __future__ import annotations

from typing import Any

import pytest
from composing import open_composer, worker_of
from playwright.async_api import BrowserContext
from waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

TEAM = {
    "server": "https://desk.test",
    "token": "t",
    "workspace": {"id": "w", "name": "W"},
    "person": {"name": "P", "engineer": None},
    "trusted": ["team.test"],
    "rules": None,
    "editors": [],
    "names": "",
    "checked_at": 0,
    "expires_at": "2099-01-01T00:00:00Z",
    "ended": False,
    "etag": "",
    "code": "",
}


async def test_what_the_team_trusts_from_now_on(inbox: BrowserContext) -> None:
    composer = await open_composer(inbox, "prosemirror")
    await composer.type("http://team.test/a ")
    await composer.until("hxxp://team[.]test/a ")
    worker = await worker_of(inbox)
    try:
        await worker.evaluate("(team) => chrome.storage.local.set({ team })", TEAM)
        await until(lambda: worker.evaluate(TRUSTS, "team.test"), bool, "the page has not heard of it")
        await composer.type("http://team.test/b ")
        await composer.until("hxxp://team[.]test/a http://team.test/b ")
    finally:
        await worker.evaluate("chrome.storage.local.remove('team')")


async def test_what_was_proposed_is_told_and_so_is_why_it_was_not(inbox: BrowserContext) -> None:
    composer = await open_composer(inbox, "prosemirror")
    worker = await worker_of(inbox)
    try:
        await worker.evaluate("(team) => chrome.storage.local.set({ team })", {**TEAM, "server": "http://127.0.0.1:9"})
        await until(lambda: worker.evaluate(TRUSTS, "team.test"), bool, "the page has not heard of it")
        await composer.type("http://evil.com/a ")
        await composer.until("hxxp://evil[.]com/a ")
        await composer.choose("Propose evil.com to the team")
        sentence = "http://127.0.0.1:9 cannot be reached. Check the network or the VPN, then try again."
        await until(composer.hint, lambda said: [*said] == [sentence])
        await worker.evaluate(
            "() => { self.real = fetch; self.fetch = async () => new Response(null, { status: 204 }); }"
        )
        await composer.type("http://evil.org/a ")
        await composer.choose("Propose evil.org to the team")
        sentence = "Proposed: evil.org"
        await until(composer.hint, lambda said: [*said] == [sentence])
    finally:
        await worker.evaluate("self.fetch = self.real ?? fetch; chrome.storage.local.remove('team')")


TRUSTS = """async (domain) => {
  const [{ id }] = await chrome.tabs.query({ url: "https://app.intercom.com/*" });
  const func = async (domain) => {
    const { known } = await import(chrome.runtime.getURL("composer/worker.js"));
    return known.trusted.has(domain);
  };
  return (await chrome.scripting.executeScript({ target: { tabId: id }, func, args: [domain] }))[0].result;
}"""
"""Whether the part of the companion in the page, where it is asked, trusts a domain."""


async def test_nothing_of_the_storage_can_be_read_in_a_page(inbox: BrowserContext) -> None:
    composer = await open_composer(inbox, "plain")
    session: Any = await inbox.new_cdp_session(composer.page)
    worlds: list[dict[str, Any]] = []

    def begun(event: dict[str, Any]) -> None:
        worlds.append(event["context"])

    session.on("Runtime.executionContextCreated", begun)
    await session.send("Runtime.enable")
    [inside] = [each for each in worlds if str(each["origin"]).startswith("chrome-extension:")]
    for place in ("local", "session"):
        options = {"expression": f"chrome.storage.{place}.get()", "uniqueContextId": inside["uniqueId"]}
        answer = await session.send("Runtime.evaluate", {**options, "awaitPromise": True})
        assert "not allowed" in str(answer.get("exceptionDetails")), answer


@pytest.mark.asyncio
async def test_an_update_under_an_open_page(context: BrowserContext) -> None:
    composer = await open_composer(context, "prosemirror")
    worker = await worker_of(context)
    async with context.expect_event("serviceworker"):
        await worker.evaluate("void setTimeout(() => chrome.runtime.reload(), 50)")
    await composer.type("see http://evil.com/x now ")
    await until(composer.hint, lambda hint: any("reload this page" in text for text in hint))
    await composer.paste("http://evil.org/y ")
    await composer.page.keyboard.press("Control+Enter")
    assert (await composer.text()).rstrip() == "see http://evil.com/x now http://evil.org/y"
    assert len(await composer.sent()) == 1
    assert composer.wrong == []
