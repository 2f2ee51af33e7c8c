"""The companion with a real console: connected by a link, it shows what the team knows, plans, and confirms nothing."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from connected import ENGINEER, FORGED, Panel, Room, Watched, panel
from playwright.async_api import expect
from waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
ASK = "([path, how]) => import('/store/team.js').then(({ ask }) => ask(path, how))"


async def test_what_destroys_is_planned_in_the_panel_and_confirmed_in_the_console(
    shown: Panel, desk: Room, browser: Watched
) -> None:
    page = shown.page
    await page.locator("summary", has_text="Wipe the motto").click()
    await expect(
        page.locator("li", has_text="Wipe the motto").locator(".tag", has_text="Destroys").first
    ).to_be_visible()
    await page.locator("li", has_text="Wipe the motto").get_by_role("button", name="Show what it would do").click()
    run = page.get_by_role("article")
    await expect(run.get_by_text("Planned", exact=True)).to_be_visible()
    assert desk.engine.motto() == FORGED, "a plan changes nothing"
    [[number, digest]] = await desk.rows("SELECT run, plan_digest FROM run")

    refused = await shown.send(
        ASK, [f"/runs/{number}/confirm", {"method": "POST", "body": {"digest": digest, "typed": "shop.example"}}]
    )
    assert (refused["ok"], refused["status"]) == (False, 403), "the companion's token confirms nothing"
    assert desk.engine.motto() == FORGED

    console = await desk.enters(browser)
    await console.goto(str(await run.get_by_role("link", name="Confirm in the console").get_attribute("href")))
    await console.get_by_label("Type shop.example to confirm").fill("shop.example")
    await console.get_by_role("button", name="Wipe the motto on shop.example").click()
    await page.bring_to_front()
    await expect(run.get_by_text("✓ Done")).to_be_visible()
    assert not (desk.engine.docroot() / "motto").exists()
    await expect(run.get_by_text(re.compile("^took "))).to_be_visible()


async def test_a_diagnosis_takes_one_press_and_is_told_as_it_goes(shown: Panel, desk: Room) -> None:
    page = shown.page
    await page.get_by_role("button", name="Diagnose the site · shop.example").click()
    run = page.get_by_role("article")
    await expect(run.get_by_text("✓ Done")).to_be_visible()
    await expect(run.get_by_role("heading", name="What it found")).to_be_visible()
    await expect(run.get_by_text(re.compile("There is none in .*shop.example"))).to_be_visible()
    await expect(
        page.get_by_role("heading", name="Recent runs").locator("..").get_by_text("Diagnose the site")
    ).to_be_visible()
    looked = [each for each in desk.asked if each.startswith("GET /runs/")]
    await asyncio.sleep(2.5)
    assert [each for each in desk.asked if each.startswith("GET /runs/")] == looked, (
        "what is over is not asked for again"
    )


async def test_what_a_host_says_is_text(shown: Panel, desk: Room) -> None:
    page = shown.page
    await page.locator("summary", has_text="Set the motto").click()
    form = page.locator("li", has_text="Set the motto")
    await form.get_by_role("button", name="Show what it would do").click()
    await expect(form.locator(".error", has_text="This is needed.")).to_be_visible()
    await expect(form.get_by_label(re.compile("^Text"))).to_be_focused()
    await form.get_by_label(re.compile("^Text")).fill("new")
    await form.get_by_label("Seconds that staging takes").fill("2")
    await form.get_by_role("button", name="Show what it would do").click()
    run = page.get_by_role("article")
    await expect(run.get_by_text(FORGED)).to_be_visible()
    assert await page.locator("img").count() == 0
    assert await page.title() != "taken"
    await run.get_by_role("button", name="Drop this plan").click()
    await expect(run.get_by_text("Cancelled", exact=True)).to_be_visible()
    assert await desk.rows("SELECT state FROM run") == [("cancelled",)]


async def test_nothing_is_asked_about_a_host_that_is_on_no_list(shown: Panel, desk: Room, browser: Watched) -> None:
    tab = await browser.open("http://private.example/diary")
    await browser.go(tab, "http://another.example/")
    await browser.go(tab, "http://private.example/diary")
    other = await panel(browser, desk, tab)
    await expect(other.page.get_by_text("so Steelyard was not asked about it")).to_be_visible()
    await asyncio.sleep(0.5)
    assert not [each for each in desk.asked if "private" in each or "another" in each]
    await other.page.get_by_role("button", name="Look private.example up in Steelyard").click()
    await expect(other.page.get_by_text("private.example is no site of your team.")).to_be_visible()
    assert [each for each in desk.asked if "private" in each] == ["GET /sites/at.json?host=private.example"]


async def test_away_and_back(shown: Panel, desk: Room) -> None:
    mine = shown.section("My load")
    await expect(mine.get_by_text(re.compile(r"^Load \d+, open conversations: \d+"))).to_be_visible()
    await mine.get_by_role("button", name="Go away").click()
    await expect(mine.get_by_text("Intercom is being told that you go away.")).to_be_visible()
    await mine.get_by_role("button", name="Undo").click()
    await expect(mine.get_by_text("Intercom is being told that you are back.")).to_be_visible()
    facts = await desk.rows(
        "SELECT data FROM ledger WHERE kind = 'engineer.away_asked' AND engineer = %s ORDER BY position", ENGINEER
    )
    assert [each["away"] for (each,) in facts] == [True, False]


async def test_a_revoked_token_ends_the_connection_and_a_new_link_begins_another(shown: Panel, desk: Room) -> None:
    before = await shown.kept()
    async with desk.engine.database.transaction(desk.desk.workspace) as conn:
        await conn.execute("UPDATE api_token SET revoked_at = now()")
    await shown.page.get_by_role("button", name="Diagnose the site · shop.example").click()
    await expect(shown.page.get_by_role("heading", name="Connect again")).to_be_visible()
    await expect(shown.page.locator(".notice", has_text="its token was revoked or is too old")).to_be_visible()
    names = (
        "() => import('/store/team.js').then(({ siteNames }) => siteNames()).then((names) => names.has('shop.example'))"
    )
    assert await shown.send(names), "what was fetched before stays in use"
    asked = len(desk.asked)
    assert (await shown.send(ASK, ["/engineers/101.json", {}]))["status"] == 401
    assert len(desk.asked) == asked, "a token that was refused is not sent again"
    await shown.connect()
    assert (await shown.kept())["token"] != before["token"]


async def test_a_server_that_goes_and_comes_back(shown: Panel, desk: Room) -> None:
    page = shown.page
    await page.locator("summary", has_text="Wipe the motto").click()
    await page.locator("li", has_text="Wipe the motto").get_by_role("button", name="Show what it would do").click()
    run = page.get_by_role("article")
    await expect(run.get_by_text("Planned", exact=True)).to_be_visible()
    await desk.stop()
    await expect(run.locator(".notice", has_text="cannot be reached. Check the network")).to_be_visible()
    await expect(run.get_by_text("Planned", exact=True)).to_be_visible()
    await page.reload()
    await expect(shown.section("This site").get_by_text(re.compile("cannot be reached"))).to_be_visible()
    await desk.start()
    await shown.section("This site").get_by_role("button", name="Try again").first.click()
    await expect(page.get_by_role("article").get_by_text("Planned", exact=True)).to_be_visible()


ODD = re.compile("answered in a way that this companion does not understand")


@pytest.mark.parametrize("answer", ["null", '{"site": {}, "runbooks": 5}', '{"site": 1, "runs": [null]}'])
async def test_an_answer_of_another_shape_is_told(shown: Panel, answer: str) -> None:
    """A newer or older server: what cannot be drawn is said, and what comes right is drawn again."""
    page = shown.page
    odd: list[str] = []
    page.on("pageerror", lambda error: odd.append(str(error)))
    for path in ("**/sites/at.json*", "**/engineers/*.json"):
        await page.route(path, lambda route: route.fulfill(body=answer, content_type="application/json"))
    await page.reload()
    await expect(shown.section("This site").get_by_text(ODD)).to_be_visible()
    await expect(shown.section("My load").get_by_text(ODD)).to_be_visible()
    await page.unroute_all()
    await shown.section("This site").get_by_role("button", name="Try again").click()
    await expect(page.locator("summary", has_text="Wipe the motto")).to_be_visible()
    assert odd == []


@pytest.mark.parametrize("answer", ["null", "{}", '{"lines": 5}', '{"run": 1, "lines": [], "steps": 7, "words": {}}'])
async def test_a_run_of_another_shape_is_told(shown: Panel, answer: str) -> None:
    page = shown.page
    odd: list[str] = []
    page.on("pageerror", lambda error: odd.append(str(error)))
    await page.locator("summary", has_text="Wipe the motto").click()
    button = page.locator("li", has_text="Wipe the motto").get_by_role("button", name="Show what it would do")
    await page.route("**/plan", lambda route: route.fulfill(body=answer, content_type="application/json"))
    await page.route("**/runs/*.json*", lambda route: route.fulfill(body=answer, content_type="application/json"))
    if "run" not in answer:
        await button.click()
        await expect(page.locator("form").get_by_text(ODD)).to_be_visible()
    await page.unroute("**/plan")
    await button.click()
    await expect(page.get_by_role("article").get_by_text(ODD)).to_be_visible()
    await page.unroute_all()
    await page.get_by_role("article").get_by_role("button", name="Try again").click()
    await expect(page.get_by_role("article").get_by_text("Planned", exact=True)).to_be_visible()
    assert odd == []


async def test_a_run_is_followed_though_the_worker_is_stopped(shown: Panel, desk: Room, browser: Watched) -> None:
    page = shown.page
    await page.locator("summary", has_text="Set the motto").click()
    form = page.locator("li", has_text="Set the motto")
    await form.get_by_label(re.compile("^Text")).fill("new")
    await form.get_by_label("Seconds that staging takes").fill("4")
    await form.get_by_role("button", name="Show what it would do").click()
    run = page.get_by_role("article")
    await expect(run.get_by_text("Planned", exact=True)).to_be_visible()
    [[number, digest]] = await desk.rows("SELECT run, plan_digest FROM run")
    await desk.engine.acts.confirm(desk.engine.here, number, digest)
    await expect(run.get_by_text("Running", exact=True)).to_be_visible()
    await browser.kill()
    seen = len(desk.asked)
    await expect(run.get_by_text("✓ Done")).to_be_visible()
    assert set(browser.running.values()) <= {"stopped"}, "nothing woke it"
    assert any(each.startswith(f"GET /runs/{number}.json") for each in desk.asked[seen:])
    assert desk.engine.motto() == "new"


async def test_the_token_is_not_sent_where_the_server_sends_to(shown: Panel, desk: Room) -> None:
    taken: list[dict[str, str]] = []
    app = desk.app

    async def elsewhere(scope: Any, receive: Any, send: Any) -> None:
        taken.append({name.decode(): value.decode() for name, value in scope["headers"]})
        to = f"http://localhost:{desk.port}{scope['path']}"
        await send({"type": "http.response.start", "status": 307, "headers": [(b"location", to.encode())]})
        await send({"type": "http.response.body", "body": b""})

    desk.app = elsewhere
    answer = await shown.send(ASK, ["/engineers/101.json", {}])
    desk.app = app
    assert (answer["ok"], answer["problem"]["say"]) == (False, "team_moved")
    assert {each["host"] for each in taken} == {f"127.0.0.1:{desk.port}"}
    assert not [each for each in taken if "cookie" in each]


async def test_twenty_thousand_sites_are_known_at_once(shown: Panel, desk: Room, browser: Watched) -> None:
    async with desk.engine.database.transaction(desk.desk.workspace) as conn:
        await conn.execute(
            "INSERT INTO site (workspace, host, name, url, docroot, account, added_at)"
            " SELECT workspace, host, made, 'https://' || made, docroot || n, account, added_at"
            " FROM site, generate_series(1, 20000) AS n, format('site%s.example', n) AS made"
        )
    seconds, count = await shown.send(
        "async () => { const { refresh, siteNames } = await import('/store/team.js'); const from = performance.now();"
        " await refresh(true); const { size } = await siteNames(); return [(performance.now() - from) / 1000, size]; }"
    )
    assert count >= 40_000, "with and without www."
    assert seconds < 3
    quick = await shown.send(
        "async () => { const { siteNames } = await import('/store/team.js'); let least = Infinity;"
        " for (let times = 0; times < 5; times++) { const from = performance.now();"
        " for (let n = 0; n < 20; n++) (await siteNames()).has(`site${n}.example`);"
        " least = Math.min(least, (performance.now() - from) / 20); } return least; }"
    )
    assert quick < 5, "milliseconds, for a badge at each page, whatever else the machine does meanwhile"
    await shown.send("() => import('/store/team.js').then(({ refresh }) => refresh(true))")
    assert desk.answered[-2:] == [("/api/companion/team", 304), ("/sites/names.json", 304)], "nothing is sent twice"
    other = await panel(browser, desk, await browser.open("http://www.site19999.example/"))
    await expect(other.page.get_by_text("site19999.example", exact=True).first).to_be_visible()


async def test_the_topic_of_the_conversation_in_front_of_one(shown: Panel, desk: Room, browser: Watched) -> None:
    tab = await browser.open("https://app.intercom.com/a/inbox/x/conversation/5003")
    other = await panel(browser, desk, tab)
    await expect(other.section("This conversation").get_by_text(re.compile("^Topic: "))).to_be_visible()
    await expect(other.section("This site").get_by_text("This tab shows no site.")).to_be_visible()
    assert "GET /toolbox/for/5003.json" in desk.asked
    assert not [each for each in desk.asked if "intercom" in each]


async def test_a_domain_is_proposed_to_the_team(shown: Panel, desk: Room) -> None:
    assert await shown.send("() => chrome.runtime.sendMessage({ do: 'propose', domain: 'Partner.example' })") is True
    assert await desk.rows("SELECT domain, state FROM companion_trust") == [("partner.example", "proposed")]


async def test_nothing_is_asked_while_nobody_looks(shown: Panel, desk: Room) -> None:
    page = shown.page
    await page.locator("summary", has_text="Wipe the motto").click()
    await page.locator("li", has_text="Wipe the motto").get_by_role("button", name="Show what it would do").click()
    await expect(page.get_by_role("article").get_by_text("Planned", exact=True)).to_be_visible()
    await page.get_by_role("tab", name="Site").click()
    asked = -1
    while asked != len(desk.asked):  # what was on its way arrives
        asked = len(desk.asked)
        await asyncio.sleep(1)
    await asyncio.sleep(4)
    assert desk.asked[asked:] == []
    await page.get_by_role("tab", name="Toolbox").click()
    await expect(page.get_by_role("article").get_by_text("Planned", exact=True)).to_be_visible()

    async def again() -> bool:
        return any("/runs/" in each for each in desk.asked[asked:])

    await until(again, bool, "the run is not followed again")


@pytest.mark.parametrize("width", [320, 400])
async def test_everybody_can_use_it(shown: Panel, desk: Room, width: int) -> None:
    page = shown.page
    await page.set_viewport_size({"width": width, "height": 900})
    await page.locator("summary", has_text="Set the motto").click()
    await page.get_by_role("button", name="Diagnose the site · shop.example").click()
    await expect(page.get_by_role("article").get_by_text("✓ Done")).to_be_visible()
    await shown.send(AXE.read_text())
    for theme in ("light", "dark"):
        await page.emulate_media(color_scheme=theme)  # pyright: ignore[reportArgumentType]
        found = await shown.send(
            "() => axe.run().then((all) => all.violations.map((one) => [one.id, one.nodes.map((node) => node.html)]))"
        )
        assert found == []
    assert await shown.send("() => document.documentElement.scrollWidth <= innerWidth"), "nothing is cut off"
