"""The pages of people in a real browser, signed in: accessible in both themes and languages, narrow and wide."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page
from served_console import ROOT, Served

from desk_seed import busy_desk
from signing_in import PASSWORD, Clock, MakeWorkspace
from steelyard.kit.ids import EngineerId
from steelyard.main.ground import ledger
from steelyard.people.members import Staff
from steelyard.people.passwords import hashed
from steelyard.people.permissions import Permission, Role
from steelyard.people.sessions import COOKIE
from steelyard.routing.teammates import read_teammates
from steelyard.store.database import Database
from town import Town

pytestmark = pytest.mark.slow

AXE = ROOT / "node_modules/axe-core/axe.min.js"
FOUND = "axe.run().then((result) => result.violations.map((each) => [each.id, each.nodes[0].html]))"
SHOTS = os.environ.get("STEELYARD_SHOTS")
"""A folder for pictures of every page, to look at."""


@pytest.fixture
async def town(database: Database, make_workspace: MakeWorkspace, superuser_url: str) -> Town:
    home, foreign = await make_workspace("home"), await make_workspace("other")
    made = Town(database, Clock(), await hashed(PASSWORD), home, foreign, superuser_url)
    await busy_desk(database, made.home)
    for role in Role:
        await made.person(role.value, role)
    await made.person("élodie de la villardière-fontaine", Role.ENGINEER, Role.AUTHOR, Role.OPERATOR, enters=False)
    staff = Staff(database, ledger(), read_teammates)
    now, administrator = made.clock.now, made.people["administrator"]
    await staff.link_engineer(made.home, made.people["engineer"], EngineerId(101), administrator, now)
    await staff.change_roles(
        made.home, made.people["lead"], [Role.LEAD], [Role.LEAD, Role.ENGINEER], administrator, now
    )
    await made.token("administrator", Permission.SEE_DESK, Permission.SEE_AUDIT)
    await made.cookie("administrator")
    return made


async def signed_in(browser: Browser, served: Served, town: Town, who: str, **options: Any) -> Page:
    context = await browser.new_context(**options)
    await context.add_cookies([{"name": COOKIE, "value": await town.cookie(who), "url": served.url}])
    return await context.new_page()


def paths(town: Town) -> dict[str, str]:
    person = town.people["lead"]
    return {
        "account": "/account?done=kept",
        "people": "/people",
        "member": f"/people/{person}",
        "tokens": "/tokens",
        "audit": "/audit",
        "access": f"/access?person={person}",
        "refused": "/audit",
        "sign-in": "/sign-in",
    }


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "fr"])
async def test_axe_finds_nothing(browser: Browser, served: Served, town: Town, theme: Any, language: str) -> None:
    found: list[Any] = []
    for width in (320, 1440):
        options: dict[str, Any] = {"color_scheme": theme, "locale": language}
        options["viewport"] = {"width": width, "height": 900}
        for name, path in paths(town).items():
            who = "engineer" if name == "refused" else "administrator"
            page = await signed_in(browser, served, town, who, **options)
            if name == "sign-in":
                await page.context.clear_cookies()
            said: list[str] = []
            page.on("console", lambda each, into=said: into.append(each.text) if each.type == "error" else None)
            await page.goto(served.url + path)
            if SHOTS:
                await page.screenshot(path=Path(SHOTS) / f"{name}-{width}-{theme}-{language}.png", full_page=True)
            wide = await page.evaluate("document.documentElement.scrollWidth")
            await page.evaluate(AXE.read_text("utf-8"))
            found += [(name, width, each) for each in await page.evaluate(FOUND)]
            found += [(name, width, each) for each in said if "403" not in each]
            found += [(name, width, f"it is {wide} wide")] if wide > width else []
            await page.context.close()
    assert found == []


async def test_an_administrator_invites_somebody_who_comes_in(browser: Browser, served: Served, town: Town) -> None:
    page = await signed_in(browser, served, town, "administrator")
    await page.goto(f"{served.url}/people")
    await page.get_by_role("link", name="Invite somebody").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("Zoé Roux")
    await dialog.get_by_label("E-mail address").fill("zoe@example.com")
    await dialog.get_by_label("lead").check()
    await dialog.get_by_role("button", name="Invite this person").click()
    link = await page.get_by_label("The link for zoe@example.com").input_value()
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / "handed.png", full_page=True)
    theirs = await (await browser.new_context()).new_page()
    await theirs.goto(link)
    if SHOTS:
        await theirs.screenshot(path=Path(SHOTS) / "enter.png", full_page=True)
    await theirs.get_by_label("Password").fill(PASSWORD)
    await theirs.get_by_role("button", name="Choose this password and sign in").click()
    await theirs.wait_for_url("**/desk*")
    await theirs.goto(f"{served.url}/access")
    assert await theirs.get_by_text("You are in this workspace as: lead.").is_visible()


async def test_everything_of_people_works_by_keyboard(browser: Browser, served: Served, town: Town) -> None:
    """Somebody is removed and taken back without touching the mouse."""
    page = await signed_in(browser, served, town, "administrator")
    await page.goto(f"{served.url}/people/{town.people['author']}")
    button = page.get_by_role("button", name="Remove Author from this workspace")
    for _ in range(80):
        if await button.evaluate("each => each === document.activeElement"):
            break
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/people?done=removed*")
    await page.keyboard.press("z")
    await page.wait_for_url("**/people?done=back*")
    assert await page.get_by_text("Author is a member again").is_visible()
