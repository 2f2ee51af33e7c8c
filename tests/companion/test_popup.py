"""What popup and headers say of a page, and how they are used: in the real extension, filled by its real background."""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from composing import CHROMIUM, MODULES
from origin import Origin, serving
from playwright.async_api import Page, expect
from popping import Popping, Site, copied, popping
from watching import permitted

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SOURCE = MODULES / "axe-core/axe.min.js"
AXE = SOURCE.read_text() if SOURCE.exists() else ""
# The view of the headers by itself, as a page: the panel has more around it.
VIEW = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Headers</title>
<link rel="stylesheet" href="tokens.css"><link rel="stylesheet" href="ui.css">
<main class="stack"><h1>Headers</h1><div id="view" class="stack"></div></main>
<script type="module" src="view.js"></script>"""
DRAWN = """import { drawHeaders } from "./headers.js"; import { fill, tabIn } from "./parts.js";
fill(); drawHeaders(document.querySelector("#view"), await tabIn());"""
HOSTILE = "<img src=x onerror=alert(1)>\u202e".encode().decode("latin-1")
BEHIND = ["Server: cloudflare", "CF-RAY: 8c5f0e7d1f2e9b1a-FRA", "CF-Cache-Status: DYNAMIC"]
WORDPRESS = [
    *BEHIND,
    "X-Powered-By: PHP/7.4.33",
    "Cache-Control: no-cache, must-revalidate, max-age=0",
    "Expires: Wed, 11 Jan 1984 05:00:00 GMT",
    "X-Content-Type-Options: nosniff",
    "Set-Cookie: PHPSESSID=secret0123456789; path=/",
    "Content-Type: text/html; charset=UTF-8",
]
KINSTA = ["Ki-Edge: v=20.2.6;mv=3.0.2", "X-Kinsta-Cache: HIT", "CF-RAY: 8c5f0e7d1f2e9b1a-CDG", "cf-cache-status: HIT"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def origin() -> AsyncIterator[Origin]:
    async with serving() as origin:
        yield origin


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Popping]:
    """One for all tests: each has tabs of its own."""
    if shutil.which(CHROMIUM) is None:
        pytest.skip(f"no {CHROMIUM}: apt-get install chromium")
    folder = tmp_path_factory.mktemp("popup")
    extension = permitted(folder / "extension", "http://*/*", "https://app.intercom.com/*")
    (extension / "ui/view.html").write_text(VIEW)
    (extension / "ui/view.js").write_text(DRAWN)
    async with popping(extension, folder / "profile") as browser:
        await browser.context.grant_permissions(["clipboard-read", "clipboard-write"])
        yield browser


@pytest.fixture(autouse=True)
def nothing_wrong(request: pytest.FixtureRequest) -> Any:
    yield
    if "browser" in request.fixturenames:
        browser: Popping = request.getfixturevalue("browser")
        wrong, browser.wrong = browser.wrong, []
        assert wrong == []


async def accessible(page: Page) -> None:
    """axe finds nothing, and nothing is wider than the page."""
    await page.evaluate(AXE)
    found = await page.evaluate(
        "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes[0].html]))"
    )
    assert found == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_cdn_is_told_apart_from_the_host_that_is_not_seen(browser: Popping, origin: Origin) -> None:
    site = await browser.site(origin.at("/cdn", "shop.example", header=WORDPRESS))
    popup = await browser.open("popup", site)
    await expect(popup.get_by_role("heading", level=1)).to_have_text(f"shop.example:{origin.port}")
    await expect(popup.locator(".verdict")).to_have_text(
        "?UnknownBehind Cloudflare (CDN): the host itself is not seen."
    )
    await expect(popup.locator(".layers > li").first).to_have_text("Hostnot seen: a CDN stands before it")
    await expect(popup.get_by_text("Header cf-ray")).to_be_hidden()
    await popup.locator("summary", has_text="Cloudflare").click()
    await expect(popup.get_by_text("Header cf-ray")).to_contain_text("8c5f0e7d1f2e9b1a-FRA")
    await expect(popup.locator(".sure")).to_have_text("sure")


async def test_a_known_host_is_not_ours_and_every_header_that_speaks_for_it_is_shown(
    browser: Popping, origin: Origin
) -> None:
    popup = await browser.open("popup", await browser.site(origin.at("/kinsta", "k.example", header=KINSTA)))
    await expect(popup.locator(".verdict")).to_have_text("✕Not oursHosted by Kinsta: the header ki-edge says so.")
    host = popup.locator(".layers > li", has_text="Kinsta")
    await host.locator("summary").click()
    await expect(host.locator(".bullets li")).to_have_text(
        ["Header ki-edge v=20.2.6;mv=3.0.2", "Header x-kinsta-cache HIT"]
    )
    await expect(popup.locator(".layers > li", has_text="Cloudflare")).to_contain_text("CDN")


async def test_a_site_of_the_teams_list_is_ours_and_doubts_are_sentences(browser: Popping, origin: Origin) -> None:
    site = await browser.site(origin.at("/listed", "listed.example", header=KINSTA))
    popup = await browser.open("popup", site)
    await expect(popup.locator(".verdict")).to_contain_text("Not ours")
    names = {
        "team": {"server": "https://s.example", "token": "t", "names": "1"},
        "team names": {"version": "1", "list": ["listed.example"]},
    }
    try:
        await browser.run("(all) => chrome.storage.local.set(all)", names)
        await expect(popup.locator(".verdict")).to_have_text("✓Ours“listed.example” is in your team’s list of sites.")
        await expect(popup.locator(".notice.warn")).to_contain_text(
            "listed.example is ours, but Kinsta answered: it may have moved away"
        )
    finally:
        await browser.run("() => chrome.storage.local.clear()")


async def test_redirects_stand_in_a_line_and_each_in_the_way_with_time_address_and_source(
    browser: Popping, origin: Origin
) -> None:
    last = origin.at("/fr/", "way.example", header=WORDPRESS)
    middle = origin.at("/old", "way.example", status="302", to=last, header=["X-Redirect-By: WordPress"])
    site = await browser.site("about:blank")
    await site.page.goto(origin.at("/", "way.example", status="301", to=middle))
    await browser.known(site, last)
    popup = await browser.open("popup", site)
    await expect(popup.locator(".way-line .status")).to_have_text(["301", "302", "200"])
    await expect(popup.locator(".way-line .quiet")).to_contain_text("redirects: 2 · ")
    view = await browser.open("view", site, 420)
    steps = view.locator(".way > li")
    await expect(steps).to_have_count(3)
    for place in range(3):
        text = await steps.nth(place).inner_text()
        assert "127.0.0.1 · network" in text
        assert text.split(" ms")[0].split()[-1].isdigit()
    await steps.nth(1).locator("summary").click()
    await expect(steps.nth(1).locator(".log")).to_contain_text("X-Redirect-ByWordPress")


async def test_every_header_is_there_explained_and_what_may_explain_a_problem_stands_first(
    browser: Popping, origin: Origin
) -> None:
    site = await browser.site(origin.at("/all", "all.example", header=WORDPRESS))
    view = await browser.open("view", site, 420)
    sent = {line.split(":")[0] for line in WORDPRESS}
    await expect(view.locator(".group").first).to_be_visible()
    names = [name.strip() for name in await view.locator(".group dt").all_inner_texts()]
    assert sent <= {name.rstrip(":") for name in names}
    assert await view.locator(".group h2").all_inner_texts() == [
        "Cache",
        "CDN and firewall",
        "Server",
        "Security",
        "Cookies",
        "Other",
    ]
    look = view.locator(".look")
    await expect(look).to_contain_text("PHP 7.4.33 gets no more security fixes.")
    await expect(look).to_contain_text("A PHP session begins")
    await expect(look).not_to_contain_text("nosniff")
    assert await look.evaluate("(look) => look.compareDocumentPosition(document.querySelector('.group')) & 4")
    popup = await browser.open("popup", site)
    await expect(popup.locator("#glance dt")).to_have_text(["Cache-Control", "Expires", "X-Powered-By"])


async def test_the_filter_finds_names_values_and_meanings_even_folded_ones(browser: Popping, origin: Origin) -> None:
    long = "X-Long: " + "a" * 900 + " needle"
    view = await browser.open(
        "view", await browser.site(origin.at("/filter", "f.example", header=[*WORDPRESS, long])), 420
    )
    await expect(view.get_by_text("show 707 more characters")).to_be_visible()
    field = view.get_by_role("searchbox")
    shown = view.locator(".group dt:visible")
    for wanted, names in [
        ("needle", ["X-Long"]),
        ("PHPSESSID", ["Set-Cookie"]),
        ("airport", ["CF-RAY"]),
        ("x-powered", ["X-Powered-By"]),
    ]:
        await field.fill(wanted)
        await expect(shown).to_have_text(names)
        await expect(view.locator(".filter .quiet")).to_have_text("Shown: 1")
    await field.fill("<b>nothing")
    await expect(view.locator(".filter .quiet")).to_have_text(
        "No header has “<b>nothing” in its name, value or meaning."
    )


async def test_a_second_load_is_compared_and_noise_is_folded(browser: Popping, origin: Origin) -> None:
    url = origin.at("/again", "again.example")
    origin.replies["/again"] = ["X-Cache: MISS", "Age: 1", "X-Gone: was here", "CF-Ray: 1-FRA"]
    site = await browser.site(url)
    view = await browser.open("view", site, 420)
    await expect(view.get_by_text("Load the page once more")).to_be_visible()
    origin.replies["/again"] = ["X-Cache: HIT", "Age: 2", "X-New: is here", "CF-Ray: 2-FRA"]
    now = time.time() * 1000
    await site.page.reload()
    await browser.known(site, url, now)
    panel = view.locator(".panel", has=view.get_by_role("heading", name="Since the last load"))
    read = "(all) => all.map((each) => [each.firstChild.textContent, each.textContent])"
    await expect(panel).to_be_visible()
    lines: dict[str, str] = dict(await panel.locator(":scope > dl > div").evaluate_all(read))
    assert ("MISS" in lines["x-cache"], "HIT" in lines["x-cache"]) == (True, True)
    assert ("new" in lines["x-new"], "gone" in lines["x-gone"]) == (True, True)
    assert not {"age", "cf-ray"} & set(lines)
    await expect(panel.get_by_text("cf-ray")).to_be_hidden()
    await panel.get_by_text("Differs with each load").click()
    await expect(panel.get_by_text("cf-ray")).to_be_visible()


async def test_what_is_copied_has_the_way_and_no_cookie(browser: Popping, origin: Origin) -> None:
    origin.replies["/copy"] = WORDPRESS
    popup = await browser.open("popup", await browser.site(origin.at("/copy", "copy.example")))
    text, markdown, curl = [await copied(popup, label) for label in ("Text", "Markdown", "curl")]
    assert "CF-RAY: 8c5f0e7d1f2e9b1a-FRA" in text
    assert markdown.startswith("### Headers of `http://copy.example")
    assert "secret0123456789" not in text + markdown
    assert curl.startswith("curl --silent")


async def test_curl_takes_the_headers_that_are_chosen(browser: Popping, origin: Origin) -> None:
    view = await browser.open("view", await browser.site(origin.at("/curl", "curl.example")), 420)
    await view.get_by_text("curl with the browser’s headers").click()
    await expect(view.locator("pre")).not_to_contain_text("User-Agent")
    await view.get_by_label("User-Agent").check()
    await expect(view.locator("pre")).to_contain_text("--header 'User-Agent: Mozilla")
    command = await copied(view, "Copy the command")
    assert ("User-Agent: Mozilla" in command, "Accept-Language" in command) == (True, False)


async def test_the_note_says_where_no_conversation_is_open(browser: Popping, origin: Origin) -> None:
    view = await browser.open("view", await browser.site(origin.at("/note", "note.example")), 420)
    await view.get_by_role("button", name="Into the conversation’s note").click()
    await expect(view.locator(".notice.warn")).to_contain_text("No conversation is open")


async def test_hostile_names_and_values_are_text(browser: Popping, origin: Origin) -> None:
    evil = [f"X-Evil: {HOSTILE}", "X-<b>: name", f"Server: {HOSTILE}", f"Ki-Edge: {HOSTILE}"]
    site = await browser.site(origin.at("/evil", "evil.example", header=evil))
    for name in ("popup", "view"):
        page = await browser.open(name, site, 420)
        await expect(page.get_by_text("<img src=x onerror=alert(1)>").first).to_be_attached()
        assert await page.locator("main img, main b:has-text('name')").count() == 0
        assert "\u202e" not in await page.inner_text("body")


async def test_a_huge_page_is_drawn_quickly(browser: Popping, origin: Origin) -> None:
    origin.replies["/huge"] = [f"X-Number-{number}: {'value ' * 40}" for number in range(200)]
    view = await browser.open("view", await browser.site(origin.at("/huge", "huge.example")), 420)
    await expect(view.locator(".group dt", has_text="X-Number-199")).to_be_attached()
    drawn = [await view.evaluate(DRAWN_AT)]
    for _ in range(2):  # whatever else the machine does meanwhile
        await view.reload()
        await expect(view.locator(".group dt", has_text="X-Number-199")).to_be_attached()
        drawn.append(await view.evaluate(DRAWN_AT))
    assert min(drawn) < 1500


DRAWN_AT = "performance.getEntriesByName('drawn')[0].startTime"


@pytest.mark.parametrize(("why", "button"), [("service worker", "Reload without cache"), ("before", "Reload the page")])
async def test_what_was_not_seen_is_said_with_what_to_do(
    browser: Popping, origin: Origin, why: str, button: str
) -> None:
    site = await browser.site(origin.at("/home", "localhost" if why == "service worker" else "before.example"))
    if why == "service worker":
        await site.page.evaluate(
            "navigator.serviceWorker.register('/worker.js').then(() => navigator.serviceWorker.ready)"
        )
        await site.page.wait_for_function("navigator.serviceWorker.controller")
        await browser.go(site, origin.at("/own/"))
    else:
        await browser.run("(tab) => chrome.storage.session.remove(`tab ${tab}`)", site.number)
    popup = await browser.open("popup", site)
    await expect(popup.locator(".empty")).to_contain_text("No response seen: ")
    await expect(popup.locator("#glance dl")).to_have_count(0)
    asked = len(origin.asked)
    await popup.get_by_role("button", name=button).click()
    await expect(popup.locator("#glance .status")).to_have_text(["200"])
    assert len(origin.asked) > asked


async def test_dns_names_are_asked_for_by_a_press_alone_and_only_where_connected(
    browser: Popping, origin: Origin
) -> None:
    site = await browser.site(origin.at("/dns", "dns.example"))
    popup = await browser.open("popup", site)
    button = popup.get_by_role("button", name="Look up its DNS names")
    await button.click()
    await expect(popup.locator(".error")).not_to_be_empty()
    origin.replies["/api/companion/names?host=dns.example"] = ["Content-Type: application/json"]
    origin.bodies["/api/companion/names?host=dns.example"] = (
        '{"host": "dns.example", "a": ["192.0.2.1"], "aaaa": [], "cname": ["x.kinsta.cloud"], "ns": []}'
    )
    team = {
        "team": {"server": origin.at("").rstrip("/"), "token": "t", "names": "", "workspace": {"id": "w", "name": "W"}}
    }
    assert not [path for path in origin.asked if path.startswith("/api/")]
    try:
        await browser.run("(team) => chrome.storage.local.set(team)", team)
        await expect(popup.locator(".error")).to_be_empty()  # it is drawn anew: a press while it is would be lost
        await popup.get_by_role("button", name="Look up its DNS names").click()
        await expect(popup.locator(".names dd")).to_have_text(["192.0.2.1", "x.kinsta.cloud"])
        await expect(popup.locator(".verdict")).to_contain_text("Hosted by Kinsta: the name x.kinsta.cloud is theirs.")
    finally:
        await browser.run("() => chrome.storage.local.clear()")
    assert [path for path in origin.asked if "names?host=" in path] == ["/api/companion/names?host=dns.example"]


async def test_a_connect_link_is_offered_and_nothing_is_sent_before_the_press(browser: Popping, origin: Origin) -> None:
    url = origin.at("/companion/connect") + "#w1~0123456789abcdef"
    popup = await browser.open("popup", await browser.site(url))
    await expect(popup.get_by_role("button", name=f"Connect to {origin.at('')}")).to_be_visible()
    await expect(popup.locator("#site")).to_be_empty()
    assert "w1~" not in await popup.inner_text("body")
    assert not [path for path in origin.asked if path.startswith("/api/companion/connect")]


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_popup_and_headers_are_accessible_at_any_width(browser: Popping, origin: Origin, theme: str) -> None:
    if not AXE:
        pytest.skip("no axe: npm ci")
    last = origin.at("/a", "axe.example", header=[*WORDPRESS, *KINSTA, "X-Long: " + "x" * 3000])
    site: Site = await browser.site(last)
    now = time.time() * 1000
    await site.page.reload()
    await browser.known(site, last, now)
    for name, width in [("popup", 380), ("view", 320)]:
        page = await browser.open(name, site, width, theme)
        await expect(page.locator("dl").first).to_be_visible()
        for summary in await page.locator("summary").all():
            await summary.click()
        await accessible(page)


async def test_a_long_name_leaves_room_for_what_stands_beside_it(browser: Popping, origin: Origin) -> None:
    long = await browser.site(origin.at("/", "a-very-long-name-of-a-shop.with.many.labels.and.more-labels.example"))
    popup = await browser.open("popup", long)
    await expect(popup.locator("#glance dl")).to_be_visible()
    assert await popup.locator("#options").evaluate("(button) => button.getClientRects()[0].height") < 30
    panel = await browser.open("panel#site", await browser.site(origin.at("/", "customers-shop.example")), 320)
    await expect(panel.locator("#name")).to_have_text(f"customers-shop.example:{origin.port}")
    assert await panel.locator("#name").evaluate("(name) => name.scrollWidth <= name.clientWidth")


async def test_what_is_no_page_of_the_web_is_called_so(browser: Popping, origin: Origin) -> None:
    site = await browser.site(origin.at("/"))
    await site.page.goto("chrome://version")
    await expect((await browser.open("popup", site)).locator("h1")).to_have_text("Not a web page")
    await expect((await browser.open("panel#site", site)).locator("h1")).to_have_text("Not a web page")


async def test_the_popup_is_used_by_keyboard(browser: Popping, origin: Origin) -> None:
    popup = await browser.open("popup", await browser.site(origin.at("/keys", "keys.example", header=BEHIND)))
    await expect(popup.locator("#glance dl")).to_be_visible()
    await expect(popup.locator(".layers summary")).to_be_visible()
    for _ in range(2):
        await popup.keyboard.press("Tab")
    await popup.keyboard.press("Enter")
    await expect(popup.get_by_text("Header cf-ray")).to_be_visible()
    assert await popup.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "2px"


async def test_without_permission_two_buttons_say_what_each_allows(tmp_path: Path, origin: Origin) -> None:
    extension = permitted(tmp_path / "extension", "https://app.intercom.com/*")
    async with popping(extension, tmp_path / "profile", "fr") as browser:
        site = await browser.site(origin.at("/bare", "bare.example"))
        popup = await browser.open("popup", site)
        buttons = popup.locator(".empty button")
        await expect(buttons).to_have_text(["Voir les en-têtes de chaque site ouvert", "Ce site seulement"])
        assert await popup.evaluate("document.documentElement.lang") == "fr"
        await expect(popup.locator(".verdict h2")).to_have_text("Inconnu")
        assert browser.wrong == []
