"""Which page a tab shows, whatever the browser does: its own responses or none, never those of the page before."""

from __future__ import annotations

import asyncio
import random
from time import monotonic
from typing import Any

import pytest
from origin import Origin
from waiting import until
from watching import Tab, Watched

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


def of(page: dict[str, Any]) -> list[str]:
    """Which path each hop was answered for."""
    return [value for hop in page["hops"] for name, value in hop["headers"] if name == "X-Of"]


def headers(page: dict[str, Any], wanted: str) -> list[str]:
    return [value for name, value in page["hops"][-1]["headers"] if name.lower() == wanted]


# ---- responses


async def test_a_page_has_what_its_response_had(everywhere: Watched, origin: Origin) -> None:
    url = origin.at("/plain", "shop.example", header=["Set-Cookie: a=1", "Set-Cookie: b=2; HttpOnly"])
    begun = monotonic()
    page = await (await everywhere.open(url)).at(url)
    took = (monotonic() - begun) * 1000
    [hop] = page["hops"]
    assert (page["seen"], hop["status"], hop["ip"], hop["from"]) == (True, 200, "127.0.0.1", "network")
    assert of(page) == ["/plain"]
    assert headers(page, "set-cookie") == ["a=1", "b=2; HttpOnly"]
    assert 0 < hop["ms"] <= page["ms"] <= took


async def test_each_redirect_has_its_own_status_and_headers(everywhere: Watched, origin: Origin) -> None:
    end = origin.at("/end", "www.shop.example", header="Set-Cookie: c=3")
    middle = origin.at("/middle", "shop.example", status="302", to=end, header=["Set-Cookie: a=1", "Set-Cookie: b=2"])
    tab = await everywhere.open(origin.at("/start", "old.example", status="301", to=middle))
    page = await tab.at(end)
    assert [hop["status"] for hop in page["hops"]] == [301, 302, 200]
    assert [hop["ip"] for hop in page["hops"]] == ["127.0.0.1"] * 3
    assert of(page) == ["/start", "/middle", "/end"]
    assert [value for name, value in page["hops"][1]["headers"] if name == "Set-Cookie"] == ["a=1", "b=2"]


async def test_what_did_not_change_comes_from_the_cache(everywhere: Watched, origin: Origin) -> None:
    url = origin.at("/same", "news.example", etag="e1", header="Cache-Control: no-cache")
    tab = await everywhere.open()
    await tab.go(url)
    first = await tab.at(url)
    await tab.go(url)
    again = await tab.until(lambda page: page["time"] > first["time"] and page["ms"])
    assert origin.asked.count(url.partition(f":{origin.port}")[2]) == 2
    assert [(hop["status"], hop["from"]) for hop in first["hops"] + again["hops"]] == [(200, "network"), (200, "cache")]


async def test_a_page_out_of_the_cache_says_so(everywhere: Watched, origin: Origin) -> None:
    url = origin.at("/stored", "news.example", header=["Cache-Control: max-age=600"])
    tab = await everywhere.open()
    await tab.go(url)
    first = await tab.at(url)
    await tab.go(origin.at("/between", "news.example"))
    await tab.go(url)
    again = await tab.until(lambda page: page["at"] == url and page["time"] > first["time"] and page["ms"])
    assert origin.asked.count(url.partition(f":{origin.port}")[2]) == 1
    assert (again["seen"], again["hops"][-1]["from"]) == (True, "cache")
    assert headers(again, "x-number") == headers(first, "x-number")


async def test_a_reload_has_new_headers_and_the_load_before_is_kept(everywhere: Watched, origin: Origin) -> None:
    url = origin.at("/again", "shop.example")
    tab = await everywhere.open(url)
    first = await tab.at(url)
    await tab.does("reload")
    second = await tab.until(lambda page: page["time"] > first["time"] and page["ms"])
    assert int(headers(second, "x-number")[0]) > int(headers(first, "x-number")[0])
    kept = (await everywhere.kept())[f"tab {tab.number}"]
    assert [each["time"] for each in kept["earlier"]] == [first["time"]]


async def test_a_page_that_is_reloaded_while_it_loads_has_the_new_headers(everywhere: Watched, origin: Origin) -> None:
    url = origin.at("/halfway", "shop.example", half="rest")
    tab = await everywhere.open(url)
    first = await tab.until(lambda page: page["url"] == url)
    again = asyncio.create_task(tab.does("reload"))
    second = await tab.until(lambda page: page["time"] > first["time"])
    origin.let("rest")
    await again
    assert int(headers(second, "x-number")[0]) > int(headers(first, "x-number")[0])


async def test_frames_in_a_page_are_not_the_page(everywhere: Watched, origin: Origin) -> None:
    url = origin.at("/outer", "shop.example")
    tab = await everywhere.open(url)
    await tab.at(url)
    frame = origin.at("/inner", "shop.example")
    await tab.run(FRAME, frame)
    assert of(await tab.at(url)) == ["/outer"]


FRAME = """(src) => new Promise((done) => {
  const frame = Object.assign(document.createElement("iframe"), { src, onload: done });
  document.body.append(frame);
})"""


# ---- pages without a response, and responses without a page


async def test_a_page_from_its_own_service_worker_has_no_response(everywhere: Watched, origin: Origin) -> None:
    tab = await everywhere.open(origin.at("/own/through"))
    await tab.at(origin.at("/own/through"))
    await tab.run("() => navigator.serviceWorker.register('/worker.js', { scope: '/own/' }).then(() => 0)")
    await tab.run("() => navigator.serviceWorker.ready.then(() => 0)")
    for path in ["/own/page", "/own/asking"]:
        await tab.go(origin.at(path))
        page = await tab.at(origin.at(path))
        assert (page["seen"], page["hops"], page["why"]) == (False, [], "service worker")
        await tab.says("?", "came from its own service worker")
    await tab.go(origin.at("/own/through", n="2"))
    assert of(await tab.at(origin.at("/own/through", n="2"))) == ["/own/through"]


async def test_a_page_put_back_as_it_was_has_no_response(everywhere: Watched, origin: Origin) -> None:
    one, other = origin.at("/one", "back.example"), origin.at("/other", "back.example")
    tab = await everywhere.open(one)
    await tab.at(one)
    await tab.run("() => addEventListener('pageshow', (event) => (window.back = event.persisted))")
    await tab.go(other)
    await tab.at(other)
    await tab.does("goBack")
    page = await tab.at(one)
    assert (page["seen"], page["hops"], page["why"]) == (False, [], "back/forward cache")
    await everywhere.until(lambda: tab.run("() => window.back"), lambda back: back is True)
    await tab.says("?", "back/forward cache")


async def test_an_address_that_a_page_gives_itself_keeps_its_headers(everywhere: Watched, origin: Origin) -> None:
    url = origin.at("/app", "app.example")
    tab = await everywhere.open(url)
    await tab.at(url)
    await tab.run("() => void (history.pushState({}, '', '/app/orders'))")
    page = await tab.at(origin.at("/app/orders", "app.example"))
    assert (page["url"], of(page)) == (url, ["/app"])
    await tab.run("() => void (location.hash = 'third')")
    page = await tab.at(origin.at("/app/orders", "app.example") + "#third")
    assert (page["url"], of(page)) == (url, ["/app"])
    await tab.says("?")


async def test_a_prerendered_page_counts_once_it_is_shown(everywhere: Watched, origin: Origin) -> None:
    url, ahead = origin.at("/now", "shop.example"), origin.at("/ahead", "shop.example", header="X-Ahead: yes")
    tab = await everywhere.open(url)
    await tab.at(url)
    await tab.run(PRERENDER, ahead)
    await asked(origin, ahead)
    await asyncio.sleep(0.3)
    assert of(await tab.at(url)) == ["/now"]
    await tab.says("?")
    await tab.run("(url) => void (location.href = url)", ahead)
    page = await tab.at(ahead)
    assert await tab.run("() => performance.getEntriesByType('navigation')[0].activationStart > 0")
    assert origin.asked.count(ahead.partition(f":{origin.port}")[2]) == 1
    assert (page["seen"], of(page), headers(page, "x-ahead")) == (True, ["/ahead"], ["yes"])
    await tab.says("?")


PRERENDER = """(url) => {
  const rules = Object.assign(document.createElement("script"), { type: "speculationrules" });
  rules.textContent = JSON.stringify({ prerender: [{ urls: [url], eagerness: "immediate" }] });
  document.head.append(rules);
}"""


async def asked(origin: Origin, url: str) -> None:
    """Waits until the origin was asked for it."""

    async def paths() -> list[str]:
        return origin.asked

    await until(paths, lambda asked: url.partition(f":{origin.port}")[2] in asked, f"{url} is not asked for")


@pytest.mark.parametrize("how", ["status", "header"])
async def test_a_response_that_brings_no_page_leaves_the_page_as_it_is(
    everywhere: Watched, origin: Origin, how: str
) -> None:
    url = origin.at("/stays", "shop.example")
    tab = await everywhere.open(url)
    before = await tab.at(url)
    no_page = {"status": {"status": "204"}, "header": {"header": "Content-Disposition: attachment; filename=a.txt"}}[
        how
    ]
    away = origin.at(f"/away-{how}", "shop.example", **no_page)
    await tab.go(away)
    await asked(origin, away)
    await asyncio.sleep(0.2)
    assert await tab.shown() == before
    await tab.says("?")


async def test_a_server_that_does_not_answer_shows_no_headers(everywhere: Watched, origin: Origin) -> None:
    url = origin.at("/fine", "shop.example")
    tab = await everywhere.open(url)
    await tab.at(url)
    dead = origin.at("/dead", "shop.example", drop="1")
    await tab.go(dead)
    page = await tab.until(lambda page: page["url"] == dead)
    assert (page["seen"], page["hops"], page["why"], page["error"]) == (False, [], "failed", "net::ERR_EMPTY_RESPONSE")
    await tab.says("?", "could not reach the server (net::ERR_EMPTY_RESPONSE)")


async def test_a_response_that_breaks_off_keeps_its_headers_and_says_so(everywhere: Watched, origin: Origin) -> None:
    url = origin.at("/broken", "shop.example", cut="1")
    tab = await everywhere.open(url)
    page = await tab.until(lambda page: page["error"])
    assert (page["seen"], of(page), page["error"]) == (True, ["/broken"], "net::ERR_CONTENT_LENGTH_MISMATCH")


async def test_a_navigation_that_is_given_up_leaves_nothing(everywhere: Watched, origin: Origin) -> None:
    tab = await everywhere.open(origin.at("/first", "shop.example"))
    slow, other = origin.at("/slow", "shop.example", wait="never"), origin.at("/instead", "shop.example")
    await tab.go(slow)
    await asked(origin, slow)
    await tab.go(other)
    origin.let("never")
    assert of(await tab.at(other)) == ["/instead"]
    await everywhere.until(everywhere.kept, lambda kept: kept[f"tab {tab.number}"]["pending"] == [])


# ---- tabs


async def test_tabs_that_load_at_once_do_not_mix(everywhere: Watched, origin: Origin) -> None:
    tabs = [await everywhere.open() for _ in range(3)]
    urls = [origin.at(f"/tab{at}", "shop.example", wait=f"w{at}", half=f"h{at}") for at in range(3)]
    for tab, url in zip(tabs, urls, strict=True):
        await tab.go(url)
    for gate in ["w2", "w0", "h0", "w1", "h1", "h2"]:
        origin.let(gate)
        await asyncio.sleep(0.05)
    for at, (tab, url) in enumerate(zip(tabs, urls, strict=True)):
        assert of(await tab.at(url)) == [f"/tab{at}"]


async def test_a_closed_tab_is_forgotten(everywhere: Watched, origin: Origin) -> None:
    url = origin.at("/closing", "shop.example")
    tab = await everywhere.open(url)
    await tab.at(url)
    await everywhere.run("(keys) => chrome.storage.session.set(keys)", {f"composer {tab.number}": {}, "composer 7": {}})
    await everywhere.kill()
    await tab.does("remove")
    gone = {f"tab {tab.number}", f"composer {tab.number}", "composer 7"}
    keys = "async () => Object.keys(await chrome.storage.session.get())"
    await everywhere.until(lambda: everywhere.run(keys), lambda kept: not gone & set(kept))


@pytest.mark.parametrize("killed", [False, True])
async def test_a_discarded_tab_keeps_its_page(everywhere: Watched, origin: Origin, killed: bool) -> None:
    url = origin.at("/asleep", "shop.example")
    tab = await everywhere.open(url)
    page = await tab.at(url)
    await everywhere.open()
    if killed:
        await everywhere.kill()
    number = await everywhere.run("(tab) => chrome.tabs.discard(tab).then((now) => now.id)", tab.number)
    asleep = Tab(number, everywhere)
    assert number != tab.number
    assert await asleep.until(lambda page: page) == page
    await asleep.says("?")
    await asyncio.sleep(2.5 if killed else 0)
    assert await asleep.shown() == page
    await everywhere.until(everywhere.kept, lambda kept: f"tab {tab.number}" not in kept)
    await everywhere.run("(tab) => chrome.tabs.update(tab, {active: true})", number)
    await asleep.until(lambda now: now["time"] > page["time"] and of(now) == ["/asleep"])
    await asleep.says("?")


async def test_tabs_that_went_unnoticed_are_swept(everywhere: Watched, origin: Origin) -> None:
    await everywhere.kill()
    await everywhere.run(
        "() => chrome.storage.session.set({'tab 987654': {page: null, earlier: [], pending: [], time: 0, size: 0}})"
    )
    url = origin.at("/sweeping", "shop.example")
    tab = await everywhere.open(url)
    await everywhere.until(everywhere.kept, lambda kept: "tab 987654" not in kept)
    assert of(await tab.at(url)) == ["/sweeping"]


# ---- the worker is stopped at any time


async def test_a_worker_stopped_between_any_two_events_loses_none(everywhere: Watched, origin: Origin) -> None:
    end = origin.at("/k-end", "shop.example", wait="k2", half="k3")
    start = origin.at("/k-start", "shop.example", status="302", to=end, wait="k1")
    tab = await everywhere.open(origin.at("/k-before", "shop.example"))
    await tab.at(origin.at("/k-before", "shop.example"))
    await everywhere.kill()
    await tab.go(start)
    for hops, gate in [(1, "k1"), (2, "k2"), (0, "k3")]:
        await everywhere.until(everywhere.kept, lambda kept, hops=hops: is_at(kept[f"tab {tab.number}"], hops, end))
        await asyncio.sleep(0.1)
        await everywhere.kill()
        origin.let(gate)
    page = await tab.at(end)
    await tab.says("?")
    await everywhere.kill()
    assert await tab.at(end) == page
    assert ([hop["status"] for hop in page["hops"]], of(page)) == ([302, 200], ["/k-start", "/k-end"])
    await tab.says("?")
    await tab.run("() => void (history.replaceState({}, '', '/k-moved'))")
    assert of(await tab.at(origin.at("/k-moved", "shop.example"))) == ["/k-start", "/k-end"]


def is_at(kept: dict[str, Any], hops: int, end: str) -> bool:
    """Whether that many hops are asked for and the last is not answered; 0: the page that they lead to is shown."""
    if not hops:
        return kept["page"]["url"] == end
    return any(len(each["hops"]) == hops and not each["hops"][-1]["status"] for each in kept["pending"])


async def test_a_worker_stopped_at_random_never_shows_a_page_as_another(everywhere: Watched, origin: Origin) -> None:
    """Also amid its work, as only a crash does: then a page may be missed, and is not known."""
    tab = await everywhere.open()
    chance = random.Random(7)
    for number in range(16):
        url = origin.at(f"/r{number}", f"s{number % 3}.example", wait=f"r{number}")
        await tab.go(url)
        for _ in range(3):
            await asyncio.sleep(chance.random() * 0.1)
            if chance.random() < 0.4:
                await everywhere.kill()
            origin.let(f"r{number}")
        await agrees(tab)
    last = origin.at("/r-last", "shop.example")
    await tab.go(last)
    assert of(await tab.at(last)) == ["/r-last"]
    assert await agrees(tab) == "/r-last"


async def agrees(tab: Tab) -> str:
    """What is shown for the tab is of the address that it has, if anything is."""
    at, url, path, of = await tab.browser.run(JUDGED, tab.number)
    assert at in ("", url)
    assert of in ("", path)
    return of


JUDGED = """async (tab) => {
  const { verdictOf } = await import("/store/pages.js");
  for (;;) {
    const { url } = await chrome.tabs.get(tab);
    const { page } = await verdictOf(tab);
    if ((await chrome.tabs.get(tab)).url !== url) continue;
    return [page?.at ?? "", url, new URL(url).pathname, new Map(page?.hops.at(-1)?.headers).get("X-Of") ?? ""];
  }
}"""


async def test_what_cannot_be_kept_is_told_and_kept_later(everywhere: Watched, origin: Origin) -> None:
    url = origin.at("/unkept", "shop.example")
    tab = await everywhere.open()
    await tab.until(bool)
    await everywhere.run(FILL)
    try:
        await tab.go(url)
        await everywhere.until(lambda: everywhere.run(LOADED, tab.number), lambda loaded: loaded == url)
        await tab.says("!", "cannot be kept")
        await tab.run("() => void (history.pushState({}, '', '/unkept-moved'))")
    finally:
        await everywhere.run(EMPTY)
    page = await tab.at(origin.at("/unkept-moved", "shop.example"))
    assert of(page) == ["/unkept"]
    await tab.says("?")


LOADED = "(tab) => chrome.tabs.get(tab).then((it) => it.status === 'complete' && it.url)"
FILL = """async () => {
  for (let size = 2 ** 20, key = 0; size > 16; key++) {
    await chrome.storage.session.set({ [`full ${key}`]: "x".repeat(size) }).catch(() => (size /= 2));
  }
}"""
EMPTY = """async () => {
  const all = Object.keys(await chrome.storage.session.get());
  await chrome.storage.session.remove(all.filter((key) => key.startsWith("full ")));
}"""
