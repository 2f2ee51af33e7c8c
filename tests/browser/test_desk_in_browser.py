"""The desk in a real browser: accessible, narrow and wide, by keyboard, live, held under the pointer, and safe."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect
from served_console import ROOT, Console, Served

from desk_seed import Desk
from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Database

pytestmark = pytest.mark.slow

AXE = ROOT / "node_modules/axe-core/axe.min.js"
WATCH_POLICY = (
    "document.addEventListener('securitypolicyviolation', (event) => console.error('CSP ' + event.violatedDirective))"
)
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


async def open_page(browser: Browser, url: str, **options: Any) -> tuple[Page, list[str]]:
    """A page, and what goes wrong in it: errors of scripts, of the policy, dialogs."""
    page = await browser.new_page(**{"viewport": {"width": 1440, "height": 900}, **options})
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"error {error}"))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("dialog", lambda dialog: wrong.append(f"dialog {dialog.message}"))
    await page.add_init_script(WATCH_POLICY)
    await page.goto(url)
    return page, wrong


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "fr"])
async def test_axe_finds_nothing(browser: Browser, console: Console, theme: Any, language: str) -> None:
    axe = AXE.read_text("utf-8")
    for path in ("/desk", f"/decisions/{console.desk.decided[12][0]}", "/decisions", "/decisions/1", "/enter?token=x"):
        page, wrong = await open_page(browser, console.url + path, color_scheme=theme, locale=language)
        await expect(page.locator(".meanwhile")).to_have_count(0)  # the replay has come
        await page.evaluate(axe)
        found = await page.evaluate("axe.run().then((result) => result.violations.map((v) => [v.id, v.nodes[0].html]))")
        assert found == [], path
        assert await page.locator("html").get_attribute("lang") == language
        assert [each for each in wrong if "404" not in each and "410" not in each] == [], path
        await page.close()


@pytest.mark.parametrize("width", [320, 768, 1440])
async def test_no_page_scrolls_sideways(browser: Browser, console: Console, width: int) -> None:
    for path in ("/desk", f"/decisions/{console.desk.decided[12][0]}", "/decisions"):
        for language in ("en", "fr"):
            page, _ = await open_page(
                browser, console.url + path, viewport={"width": width, "height": 800}, locale=language
            )
            await expect(page.locator(".meanwhile")).to_have_count(0)  # the replay has come
            await page.wait_for_timeout(200)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, (path, language)
            await page.close()


async def test_a_decision_is_made_again_by_itself(browser: Browser, console: Console) -> None:
    page, wrong = await open_page(browser, f"{console.url}/decisions/{console.desk.decided[12][0]}")
    await expect(page.get_by_text("✓ identical")).to_be_visible()
    await expect(page.get_by_role("heading", name="Who could take it", exact=True)).to_be_visible()
    await expect(page.get_by_text("Make the decision again")).to_have_count(0)
    assert await page.locator("h1").count() == 1
    assert wrong == []


async def test_a_replay_that_cannot_be_loaded_leaves_a_link(browser: Browser, console: Console) -> None:
    page = await browser.new_page()
    await page.route("**/replay", lambda route: route.abort())
    await page.goto(f"{console.url}/decisions/{console.desk.decided[12][0]}")
    await expect(page.get_by_text("It could not be loaded here")).to_be_visible()
    await expect(page.get_by_text("The decision is being made again")).to_be_hidden()
    await page.unroute("**/replay")
    await page.get_by_role("link", name="Make the decision again").click()
    await page.wait_for_url("**/replay")
    await expect(page.get_by_text("✓ identical")).to_be_visible()


async def test_a_change_arrives_by_itself(browser: Browser, console: Console) -> None:
    page, wrong = await open_page(browser, f"{console.url}/desk")
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    before = console.desk.state.engineers[101].load
    await expect(page.locator("#engineer-101 .load")).to_contain_text(str(before))
    await console.desk.ask(7001, "DNS", "nameservers", "new.example")
    winner = console.desk.known[7001].owner
    load = console.desk.state.engineers[winner].load
    await expect(page.locator(f"#engineer-{winner} .load")).to_contain_text(str(load))
    await expect(page.locator("#stream li").first).to_have_id(f"decision-{console.desk.decided[-1][0]}")
    assert wrong == []


async def test_nothing_moves_under_the_pointer(browser: Browser, console: Console) -> None:
    page, _ = await open_page(browser, f"{console.url}/desk")
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    stream = page.locator("#stream li").first
    first = await stream.get_attribute("id")
    await stream.hover()
    await console.desk.ask(7001, "DNS", "nameservers", "new.example")
    await expect(page.locator("#stream .held")).to_be_visible()
    await expect(page.locator("#figures div:nth-child(4) dd").first).to_have_text(str(len(console.desk.decided)))
    assert await stream.get_attribute("id") == first
    await page.mouse.move(5, 5)
    await expect(page.locator("#stream li").first).to_have_id(f"decision-{console.desk.decided[-1][0]}")
    await expect(page.locator("#stream .held")).to_be_hidden()


async def order(page: Page) -> list[str]:
    return await page.locator("#available > li").evaluate_all("rows => rows.map((row) => row.id)")


async def test_rows_stay_where_they_are_under_the_pointer(browser: Browser, console: Console) -> None:
    page, wrong = await open_page(browser, f"{console.url}/desk")
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    before = await order(page)
    assert before == [f"engineer-{id}" for *_, id in console.desk.state.standings]
    await page.locator(f"#{before[3]}").hover()
    await console.desk.ask(7001, "DNS", "malware in wp-content", "new.example")
    winner = console.desk.known[7001].owner
    load = console.desk.state.engineers[winner].load
    await expect(page.locator(f"#engineer-{winner} .load")).to_contain_text(str(load))  # as it is, where it was
    await expect(page.locator("#roster .held")).to_be_visible()
    assert await order(page) == before
    await page.mouse.move(5, 5)
    after = [f"engineer-{id}" for *_, id in console.desk.state.standings]
    assert after != before
    await expect(page.locator("#available > li").first).to_have_id(after[0])
    assert await order(page) == after
    assert wrong == []


async def test_engineers_come_and_go_where_they_belong(browser: Browser, console: Console) -> None:
    page, wrong = await open_page(browser, f"{console.url}/desk")
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    await console.desk.person(199, "Newcomer")
    await console.desk.person(101, "Amira Haddad", away=True)
    await expect(page.locator("#available #engineer-199")).to_be_visible()
    await expect(page.locator("#away #engineer-101")).to_be_visible()
    await expect(page.locator("#available #engineer-101")).to_have_count(0)
    assert await order(page) == [f"engineer-{id}" for *_, id in console.desk.state.standings]
    assert wrong == []


async def test_the_focus_stays_while_everything_around_it_changes(browser: Browser, console: Console) -> None:
    page, _ = await open_page(browser, f"{console.url}/desk")
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    link = page.locator("#waiting-6000 a")
    await link.focus()
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Tab")
    await console.desk.ask(7001, "DNS", "nameservers", "new.example", team=7)
    await expect(page.locator("#queue .held")).to_be_visible()
    await expect(page.locator("#figures dd").first).to_have_text("4")
    assert await page.evaluate("document.activeElement.closest('li').id") == "waiting-6000"
    await page.get_by_role("button", name="Pause updates").focus()
    await expect(page.locator("#waiting-7001")).to_be_visible()


async def test_one_team_alone_goes_on_live(browser: Browser, console: Console) -> None:
    page, wrong = await open_page(browser, f"{console.url}/desk")
    await page.get_by_role("link", name="Security", exact=True).click()
    await page.wait_for_url("**/desk?*")
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    assert sorted(await order(page)) == ["engineer-102", "engineer-107", "engineer-109"]
    await console.desk.ask(7001, "DNS", "malware in wp-content", "new.example", team=8)
    winner = console.desk.known[7001].owner
    load = console.desk.state.engineers[winner].load
    await expect(page.locator(f"#engineer-{winner} .load")).to_contain_text(str(load))
    assert len(await order(page)) == 3
    assert wrong == []


async def test_times_go_by(browser: Browser, console: Console) -> None:
    page, _ = await open_page(browser, f"{console.url}/desk")
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    age = page.locator("#figures time").last
    first = await age.text_content()
    await expect(age).not_to_have_text(first or "")
    minutes, seconds = (await age.text_content() or "").split(":")
    assert (int(minutes), int(seconds)) <= (1, 0)  # as by the server's clock, whatever this one says
    assert await page.locator("#engineer-101 .local time").text_content() == "16:42"


async def test_paused_is_said_and_ends(browser: Browser, console: Console) -> None:
    page, _ = await open_page(browser, f"{console.url}/desk")
    await page.get_by_role("button", name="Pause updates").click()
    await expect(page.locator(".head .actions > [role=status]")).to_contain_text("Paused at")
    await console.desk.ask(7001, "DNS", "nameservers", "new.example")
    await page.wait_for_timeout(1500)
    assert await page.locator(f"#decision-{console.desk.decided[-1][0]}").count() == 0
    await page.get_by_role("button", name="Go on").click()
    await expect(page.locator(f"#decision-{console.desk.decided[-1][0]}")).to_be_visible()


async def test_a_lost_connection_is_said_and_comes_back(browser: Browser, console: Console) -> None:
    page, _ = await open_page(browser, f"{console.url}/desk")
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    await console.served.stop()
    await expect(page.locator(".head .actions > [role=status]")).to_contain_text("Stale since")
    await console.served.start()
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()


async def test_by_keyboard_alone(browser: Browser, console: Console) -> None:
    page, _ = await open_page(browser, f"{console.url}/desk")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    await page.keyboard.press("Enter")
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("k")
    number = console.desk.decided[-1][0]
    assert await page.evaluate("document.activeElement.getAttribute('href')") == f"/decisions/{number}"
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/decisions/{number}")
    await page.keyboard.press("k")
    await page.wait_for_url(f"**/decisions/{console.desk.decided[-2][0]}")
    await page.get_by_role("button", name="Single keys").press("Enter")
    await page.keyboard.press("j")
    await page.wait_for_timeout(300)
    assert page.url.endswith(f"/decisions/{console.desk.decided[-2][0]}")


async def test_without_scripts_it_is_still_a_desk(browser: Browser, console: Console) -> None:
    page, _ = await open_page(browser, f"{console.url}/desk", java_script_enabled=False)
    await expect(page.locator(".head .actions > [role=status]")).to_contain_text("As of 15:42 UTC")
    await page.locator("#stream a").first.press("Enter")
    await page.wait_for_url("**/decisions/*")
    await expect(page.get_by_text("The decision is being made again")).to_be_hidden()
    await page.get_by_role("link", name="Make the decision again").click()
    await expect(page.get_by_text("✓ identical")).to_be_visible()


async def test_a_theme_is_remembered(browser: Browser, console: Console) -> None:
    page, _ = await open_page(browser, f"{console.url}/decisions", color_scheme="light")
    await page.get_by_role("link", name="Dark").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await page.get_by_role("link", name="Desk", exact=True).click()
    await page.wait_for_url("**/desk")
    assert await page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(17, 19, 21)"


async def test_hostile_names_and_texts_stay_text(
    browser: Browser,
    database: Database,
    make_workspace: Callable[[], Awaitable[WorkspaceId]],
    served: Served,
) -> None:
    desk = Desk(database, await make_workspace())
    await desk.adopt()
    await desk.person(1, HOSTILE)
    await desk.team(7, HOSTILE)
    await desk.ask(11, HOSTILE, f"{HOSTILE} nameservers", HOSTILE)
    await desk.ask(12, HOSTILE, HOSTILE, HOSTILE, team=7)
    for path in ("/desk", f"/decisions/{desk.decided[0][0]}", "/decisions"):
        page, wrong = await open_page(browser, served.url + path)
        await page.wait_for_timeout(1500)  # the live stream has drawn the desk again
        assert await page.locator("main img, main script").count() == 0
        assert HOSTILE in await page.inner_text("main")
        assert wrong == []


async def test_what_to_press_to_sign_in_stays_in_one_line(console: Any, browser: Browser) -> None:
    page = await browser.new_page(locale="fr")
    for width in (320, 1000, 1100, 1440):
        await page.set_viewport_size({"width": width, "height": 800})
        await page.goto(f"{console.url}/companion")
        assert await page.locator("a.who").evaluate("(link) => link.offsetHeight") < 36, width
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
