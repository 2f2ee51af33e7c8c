"""An engineer's and a lead's day: a browser, the console, a router, its jobs and a simulated Intercom, all real.

Each day is walked in English and in French. On every page axe finds nothing, no policy is violated, no script fails.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, expect
from served_console import ROOT

from served import serving
from steelyard.demo.intercom.model import Admin, Conversation
from steelyard.kit.ids import CellId, WorkspaceId
from steelyard.main.console import Site, console
from steelyard.main.ground import ledger
from steelyard.people.members import join, person_of_address
from steelyard.people.passwords import hashed
from steelyard.people.permissions import Role
from steelyard.store.database import Database
from steelyard.web.console import utc_now
from steelyard.web.static import read_static

sys.path.append(str(Path(__file__).parents[1] / "faults"))
from stage import Ground, Stage, staged

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

AXE = (ROOT / "node_modules/axe-core/axe.min.js").read_text("utf-8")
WATCH_POLICY = (
    "document.addEventListener('securitypolicyviolation', (event) => console.error('CSP ' + event.violatedDirective))"
)
PASSWORD = "weigh it before you carry it"
LANGUAGES = ("en", "fr")


@dataclass
class Office:
    """A workspace at work, its console, and somebody's browser."""

    stage: Stage
    url: str
    language: str
    browser: Browser
    wrong: list[str] = field(default_factory=list[str])

    @property
    def engineers(self) -> list[Admin]:
        return [each for each in self.stage.simulator.workspace.admins.values() if each.seat]

    def carried(self, engineer: int) -> list[Conversation]:
        every = self.stage.simulator.workspace.conversations.values()
        return [each for each in every if each.admin == engineer and each.state == "open"]

    async def member(self, address: str, name: str, role: Role, engineer: int | None = None) -> None:
        """Somebody who can sign in."""
        database, workspace = self.stage.database, self.stage.workspace
        async with database.transaction(workspace) as conn:
            person = await person_of_address(conn, address, name)
            await join(conn, ledger(), workspace, person, (role,), utc_now())
            await conn.execute("UPDATE membership SET engineer = %s WHERE person = %s", [engineer, person])
        async with database.person(person) as conn:
            stored = await hashed(PASSWORD)
            await conn.execute("UPDATE person SET password = %s WHERE person = %s", [stored, person])

    async def enter(self, address: str) -> Page:
        """Signs in as people do."""
        context = await self.browser.new_context(
            locale="fr-FR" if self.language == "fr" else "en-GB", viewport={"width": 1440, "height": 1800}
        )
        await context.add_init_script(WATCH_POLICY)
        page = await context.new_page()
        page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        await page.goto(f"{self.url}/sign-in")
        await page.fill("[name=address]", address)
        await page.fill("[name=password]", PASSWORD)
        await page.press("[name=password]", "Enter")
        await page.wait_for_url("**/desk")
        return page

    async def check(self, page: Page) -> None:
        """What holds on every page."""
        assert await page.locator("html").get_attribute("lang") == self.language
        await page.evaluate(AXE)
        found = await page.evaluate(
            "axe.run().then((result) => result.violations.map((each) => [each.id, each.nodes[0].html]))"
        )
        assert found == [], page.url
        assert self.wrong == [], page.url

    async def open(self, page: Page, path: str) -> None:
        await page.goto(self.url + path)
        await self.check(page)

    def say(self, english: str, french: str) -> str:
        return (english if self.language == "en" else french).replace(" :", "\u202f:").replace(" ;", "\u202f;")


async def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Until Intercom shows it."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - the simulator offers nothing to wait for
            await asyncio.sleep(0.05)


@pytest.fixture(params=LANGUAGES)
async def office(
    request: pytest.FixtureRequest,
    app_url: str,
    database: Database,
    keys: Path,
    unseal: Callable[[str, str], str],
    make_workspace: Callable[..., Awaitable[WorkspaceId]],
    browser: Browser,
) -> AsyncIterator[Office]:
    async with staged(Ground(app_url, database, keys, unseal, make_workspace)) as stage:
        for _ in range(30):
            stage.write()
        await stage.settle()
        app = console(database, read_static(), Site(CellId("eu1"), keys))
        async with serving(app) as port:
            yield Office(stage, f"http://127.0.0.1:{port}", request.param, browser)


async def drag(page: Page, what: Locator, onto: Locator) -> None:
    source, target = await what.bounding_box(), await onto.bounding_box()
    assert source is not None
    assert target is not None
    await page.mouse.move(source["x"] + source["width"] / 2, source["y"] + source["height"] / 2)
    await page.mouse.down()
    await page.mouse.move(target["x"] + 200, target["y"] + target["height"] / 2, steps=6)
    await page.mouse.up()


async def test_an_engineers_day(office: Office) -> None:
    me = next(each for each in office.engineers if office.carried(each.id))
    await office.member("eve@example.com", "Eve", Role.ENGINEER, me.id)
    page = await office.enter("eve@example.com")
    await office.check(page)

    # What is mine, what would come next, and why
    mine = page.locator("#mine [data-conversation]")
    await expect(mine).to_have_count(len(office.carried(me.id)))
    turn = page.locator("#turn dl")
    await expect(turn).to_contain_text(office.say("Your load", "Votre charge"))
    await expect(turn.locator("dd").last).not_to_be_empty()
    assert await page.locator("move-desk, #rotation").count() == 0  # what a lead does is not offered

    # One of them, with its explanation
    await mine.first.locator("a").click()
    await page.wait_for_url("**/conversations/*")
    await office.check(page)
    await expect(page.locator("mark").first).to_be_visible()
    await expect(page.locator(".history")).to_contain_text(office.say("Steelyard chose", "Steelyard a choisi"))
    await page.locator(".answer a[href*='/decisions/']").first.click()
    await page.wait_for_url("**/decisions/*")
    await office.check(page)
    await expect(page.locator("h1")).to_contain_text(me.name)
    await page.go_back()

    # Away, in Intercom too; nothing comes any more; and back
    await office.open(page, "/desk")
    button = page.locator("#turn button[name=away]")
    await button.click()
    await expect(page.locator(".toast")).to_contain_text("Intercom")
    await until(lambda: me.away)
    await expect(page.locator(f"#away [data-engineer='{me.id}']")).to_be_visible()
    await expect(page.locator("#turn button[name=away][value=no]")).to_be_visible()
    await office.check(page)
    before = len(office.carried(me.id))
    for _ in range(5):
        office.stage.write()
    await office.stage.settle()
    assert len(office.carried(me.id)) == before
    await page.locator("#turn button[name=away][value=no]").click()
    await until(lambda: not me.away)
    await expect(page.locator(f"#available [data-engineer='{me.id}']")).to_be_visible()

    # The others' pages are open to read; nothing on them is offered that may not be done
    for path in ("/conversations", f"/engineers/{me.id}", "/decisions", "/account"):
        await office.open(page, path)
    await office.open(page, f"/engineers/{me.id}")
    await expect(page.locator("main")).to_contain_text(office.say("Away in Intercom.", "Absence dans Intercom."))
    assert await page.locator("form[action='/rotation']").count() == 0


async def test_a_leads_day(office: Office) -> None:
    stage = office.stage
    await office.member("leo@example.com", "Leo", Role.LEAD)
    await stage.rows(
        "INSERT INTO inbox (workspace, notification, topic, body, handled_at, outcome, reason)"
        " VALUES (%s, 'broken', 'ping', '{}', now(), 'aside', 'ValueError in receive') RETURNING 1",
        stage.workspace,
    )
    # What was healed is told of the last reading; a conversation that is unheard of for minutes would take them here.
    await stage.rows("UPDATE reading SET drift = 1 WHERE ended_at IS NOT NULL RETURNING 1")
    page = await office.enter("leo@example.com")
    await office.check(page)

    # The whole team, the drift that was healed, what is set aside
    await expect(page.locator("[data-engineer]")).to_have_count(len(office.engineers))
    await expect(page.locator("#aside")).to_contain_text(office.say("1 healed", "1 "))
    await page.locator("#aside a[href='/aside']").click()
    await page.wait_for_url("**/aside")
    await office.check(page)
    await page.locator(".head button[form=again]").click()
    await page.wait_for_url("**/aside?tried=*")

    # A block is dragged onto somebody else's row, and back by the toast
    giver = next(each for each in office.engineers if office.carried(each.id))
    taker = next(each for each in office.engineers if each.id != giver.id and not each.away)
    [moved, *_] = office.carried(giver.id)
    await office.open(page, "/desk")
    block = page.locator(f"#engineer-{giver.id} .block[data-id='{moved.id}']")
    await drag(page, block, page.locator(f"#engineer-{taker.id}"))
    await expect(page.locator(".tray .toast")).to_contain_text(taker.name)
    await until(lambda: moved.admin == taker.id)
    await page.mouse.move(5, 5)
    await expect(page.locator(f"#engineer-{taker.id} .block[data-id='{moved.id}']")).to_be_visible()
    await office.check(page)
    await page.keyboard.press("z")
    await page.wait_for_url("**/desk?done=moved.*")
    await until(lambda: moved.admin == giver.id)
    await expect(page.locator(f"#engineer-{giver.id} .block[data-id='{moved.id}']")).to_be_visible()

    # By keyboard alone; Escape leaves it, Enter moves it
    chooser, status = page.locator("dialog.chooser"), page.locator("move-desk [role=status]")
    await page.focus(f"#engineer-{giver.id} a")
    await page.keyboard.press("m")
    await expect(chooser).to_be_visible()
    await office.check(page)
    await page.keyboard.press("Escape")
    await expect(chooser).to_be_hidden()
    await expect(status).to_have_text(office.say("Left where it is.", "Laissée où elle est."))
    await page.keyboard.press("m")
    await page.keyboard.type(str(moved.id))
    await page.keyboard.press("Enter")
    await page.keyboard.type(taker.name)
    await page.keyboard.press("Enter")
    await expect(page.locator(".tray .toast")).to_contain_text(taker.name)
    await until(lambda: moved.admin == taker.id)

    await stage.settle()  # three moves within a second or two: reading it back tells which came last
    # Somebody else moved it meanwhile: what is there now is told, and nothing is done
    stale = await page.context.request.post(
        f"{office.url}/move",
        form={"conversation": str(moved.id), "engineer": str(giver.id), "expected": "7"},
        headers={"HX-Request": "true"},
    )
    assert stale.status == 409
    assert taker.name in await stale.text()

    # Off rotation, and back, in the row
    await office.open(page, "/desk")
    row = page.locator(f"#engineer-{taker.id}")
    await row.hover()
    await row.locator(".rest").click()
    await page.wait_for_url("**/desk?done=resting.*")
    await expect(page.locator(f"#resting #engineer-{taker.id}")).to_be_visible()
    await office.check(page)
    await page.locator(f"#resting #engineer-{taker.id}").hover()
    await page.locator(f"#resting #engineer-{taker.id} .rest").click()
    await page.wait_for_url("**/desk?done=rotating.*")
    await expect(page.locator(f"#available #engineer-{taker.id}")).to_be_visible()

    # Paused: the queue grows, and nothing can be moved; then it goes on
    await office.open(page, "/switch")
    await page.locator("button[value=pause]").click()
    await page.wait_for_url("**/switch?**")
    await office.check(page)
    waiting = stage.write()
    await office.open(page, "/desk")
    await expect(page.locator(f"#waiting-{waiting.id}")).to_be_visible()
    await office.open(page, f"/conversations/{waiting.id}")
    await page.locator(f".candidates input[value='{taker.id}']").check()
    await page.locator(".give button").click()
    await expect(page.locator(".refused")).to_contain_text(office.say("Steelyard is paused", "Steelyard est en pause"))
    assert await page.locator(f".candidates input[value='{taker.id}']").is_checked()
    office.wrong[:] = [each for each in office.wrong if "409" not in each]  # that it was refused
    await office.check(page)
    await office.open(page, "/switch")
    await page.locator("button[value=resume]").click()
    await until(lambda: waiting.admin != 0)

    # The audit has it all
    await office.open(page, "/audit")
    told = re.sub(r"\s+", " ", await page.locator("main table").inner_text())
    for sentence in (
        office.say(f"Gave the conversation to {taker.name}", taker.name),
        office.say(f"Took {taker.name} off rotation", "rotation"),
        office.say("Paused", "pause"),
    ):
        assert sentence in told, told
    assert told.count("Leo") >= 8
    rows: list[Any] = await stage.rows(
        "SELECT kind, count(*) FROM ledger WHERE person IS NOT NULL GROUP BY kind ORDER BY kind"
    )
    assert dict(rows) | {"person.signed_in": 1} == {
        "aside.retried": 1,
        "conversation.move_asked": 3,
        "engineer.rotation_changed": 2,
        "person.signed_in": 1,
        "routing.switched": 2,
    }
