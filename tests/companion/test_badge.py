"""Whose a site is, on the toolbar: a sign, a sentence, and what to do where nothing was seen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from origin import Origin
from watching import Tab, Watched, permitting

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

CLICK = "Click here, then reload the page to see whose site it is and its headers."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bare(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    """As it is installed: with no permission but for Intercom's pages."""
    async with permitting(tmp_path_factory.mktemp("bare"), "https://app.intercom.com/*") as browser:
        yield browser


async def test_a_host_that_is_not_ours_is_named(everywhere: Watched, origin: Origin) -> None:
    tab = await everywhere.open(
        origin.at("/", "kinsta.example", header=["ki-edge: v=20.2.6", "cf-ray: 8a1b2c3d4e5f6071-CDG"])
    )
    await tab.says("✕", "Not ours: Kinsta\nBehind Cloudflare")


async def test_a_cdn_says_nothing_of_the_host(everywhere: Watched, origin: Origin) -> None:
    tab = await everywhere.open(origin.at("/", "cdn.example", header="cf-ray: 8a1b2c3d4e5f6071-CDG"))
    await tab.says("?", "Ours or not is not known.\nBehind Cloudflare")


async def test_a_site_of_the_team_is_ours_as_soon_as_the_team_says_so(everywhere: Watched, origin: Origin) -> None:
    tab, other = [await everywhere.open(origin.at("/", f"{name}.example")) for name in ("ours", "other")]
    await tab.says("?")
    await other.says("?")
    await everywhere.run(TEAM, ["ours.example"])
    await tab.says("✓", "Ours: ours.example")
    await everywhere.run(TEAM, [])
    await tab.says("?")
    assert (await other.badge())[0] == "?"


TEAM = """async (list) => {
  await chrome.storage.local.set({ "team names": { version: `${list.length}`, list } });
  await chrome.storage.local.set({ team: { names: `${list.length}` } });
}"""


async def test_each_page_has_its_own_badge(everywhere: Watched, origin: Origin) -> None:
    """Chrome takes it away with each navigation."""
    tab = await everywhere.open()
    for number in range(3):
        await tab.go(origin.at(f"/{number}", "kinsta.example", header="ki-edge: v=20.2.6"))
        await tab.says("✕", "Kinsta")
        await tab.go(origin.at(f"/{number}", "plain.example"))
        await tab.says("?", "not known")
    await everywhere.kill()
    await tab.go(origin.at("/last", "kinsta.example", header="ki-edge: v=20.2.6"))
    await tab.says("✕", "Kinsta")


async def test_what_a_server_said_of_the_host_counts(everywhere: Watched, origin: Origin) -> None:
    tab = await everywhere.open(origin.at("/", "looked.example"))
    await tab.says("?")
    await everywhere.run(
        "() => import('/store/pages.js').then((it) => it.keepAsked('looked.example', { cname: ['x.kinsta.cloud'] }))"
    )
    await tab.says("✕", "Not ours: Kinsta")


ASKED = "async (all) => (await import('/store/pages.js')).keepAsked(...all)"


async def test_a_connect_link_can_be_used(everywhere: Watched, origin: Origin) -> None:
    at = origin.at("/companion/connect", "127.0.0.1")
    tab = await everywhere.open(f"{at}#w1~abcdefgh12345678")
    await tab.says("+", f"Connect this browser to http://127.0.0.1:{origin.port}")
    await tab.go(f"{at}#nothing")
    await tab.says("?")


async def test_the_browsers_own_pages_say_nothing(everywhere: Watched) -> None:
    tab = await everywhere.open("chrome://version")
    await tab.says("", "does not come from the web")


async def test_headers_say_no_more_than_text(everywhere: Watched, origin: Origin) -> None:
    """The kept headers are the companion's own: no part of it that runs in a page may read them."""
    tab = await everywhere.open(origin.at("/", "shop.example"))
    await tab.says("?")
    refused = "Access to storage is not allowed from this context."
    assert await everywhere.run(IN_CONTENT, [tab.number, "session"]) == refused
    assert await everywhere.run(IN_CONTENT, [tab.number, "local"]) == refused


IN_CONTENT = """async ([tabId, place]) => {
  const func = (place) => chrome.storage[place].get().then(() => "read", (error) => error.message);
  return (await chrome.scripting.executeScript({ target: { tabId }, func, args: [place] }))[0].result;
}"""


# ---- without the permission


async def test_without_permission_the_badge_is_empty_and_says_what_to_do(bare: Watched, origin: Origin) -> None:
    assert await bare.run("() => chrome.action.getTitle({})") == CLICK
    tab = await bare.open(origin.at("/", "kinsta.example", header="ki-edge: v=20.2.6"))
    await tab.says("", "the companion has no permission for this site. Click its button, then reload the page.")
    page = await tab.until(lambda page: page["url"].startswith("http"))
    assert (page["seen"], page["hops"], page["why"]) == (False, [], "not permitted")


async def test_after_a_click_a_reload_is_seen_until_the_site_is_left(bare: Watched, origin: Origin) -> None:
    tab = await bare.open(origin.at("/click", "kinsta.example", header="ki-edge: v=20.2.6"))
    await tab.says("", "Click its button")
    await click(bare, tab)
    await tab.does("reload")
    await tab.says("✕", "Not ours: Kinsta")
    await tab.go(origin.at("/", "elsewhere.example"))
    await tab.says("", "Click its button")


async def test_a_site_of_the_team_is_known_by_its_name_alone(bare: Watched, origin: Origin) -> None:
    await bare.run(TEAM, ["named.example"])
    tab = await bare.open(origin.at("/", "named.example"))
    await tab.says("✓", "Ours: named.example\nNo response seen")


async def click(everywhere: Watched, tab: Tab) -> None:
    """Presses the companion's button on a tab that is in front."""
    targets = (await everywhere.pipe.send("Target.getTargets", filter=[{"type": "tab"}]))["targetInfos"]
    url = (await tab.shown() or {})["at"]
    [target] = [each["targetId"] for each in targets if each["url"] == url]
    await everywhere.pipe.send("Extensions.triggerAction", id=everywhere.id, targetId=target)


# ---- work


async def test_rules_and_names_are_read_once_and_not_for_each_page(everywhere: Watched, origin: Origin) -> None:
    url = origin.at("/", "shop.example", header="cf-ray: 8a1b2c3d4e5f6071-CDG")
    tab = await everywhere.open(url)
    await tab.at(url)
    await everywhere.run(TEAM, [f"site{number}.example" for number in range(20_000)])
    found = await everywhere.run(WORK, tab.number)
    assert found["fetched"] <= 1
    assert found["reads"] >= 50
    assert found["lists"] <= 1
    assert found["writes"] == 0
    await everywhere.run(TEAM, [])


WORK = """async (tab) => {
  const done = { fetched: 0, reads: 0, lists: 0, writes: 0 };
  const { fetch } = globalThis;
  globalThis.fetch = (...all) => (done.fetched++, fetch(...all));
  const { local, session } = chrome.storage;
  const [get, set] = [local.get.bind(local), session.set.bind(session)];
  local.get = (key) => (done.reads++, (done.lists += String(key).includes("team names")), get(key));
  session.set = (all) => (done.writes++, set(all));
  const { verdictOf } = await import("/store/pages.js?work");
  for (let time = 0; time < 50; time++) await verdictOf(tab);
  Object.assign(globalThis, { fetch });
  Object.assign(local, { get });
  Object.assign(session, { set });
  return done;
}"""


async def test_a_page_load_writes_its_own_tab_and_few_times(everywhere: Watched, origin: Origin) -> None:
    quiet = await everywhere.open(origin.at("/", "quiet.example"))
    await quiet.at(origin.at("/", "quiet.example"))
    tab = await everywhere.open()
    await tab.until(bool)
    await everywhere.run(LISTEN)
    url = origin.at("/loud", "shop.example")
    await tab.go(url)
    await tab.at(url)
    seen: list[Any] = await everywhere.run("() => globalThis.seen")
    assert set(seen) == {f"tab {tab.number}"}
    assert len(seen) <= 7


LISTEN = """() => {
  globalThis.seen = [];
  chrome.storage.session.onChanged.addListener((all) => seen.push(...Object.keys(all)));
}"""
