"""The toolbox's pages in a real browser: on a phone, and what is drawn to be pressed; what a worker found by itself."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect
from psycopg.types.json import Jsonb
from served_console import ROOT, Console

from desk_seed import NOW
from steelyard.kit.ids import PersonId
from steelyard.store.database import Database
from steelyard.toolbox.checks import Finding, stored
from steelyard.toolbox.model import HostId, SiteId
from steelyard.toolbox.registry import add_host, add_site, write_checked
from steelyard.toolbox.registry_rows import NewHost, NewSite
from steelyard.web.said import N_, Said

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

AXE = (ROOT / "node_modules/axe-core/axe.min.js").read_text("utf-8")
LONG = "x" * 300
LINES = [
    {"what": "wordpress", "state": "good", "says": "wordpress", "value": {"version": "7.1.1", "locale": "fr_FR"}},
    {"what": "plugins", "state": "good", "says": "plugins", "value": {"count": 0, "names": ""}},
    {"what": "log", "state": "bad", "says": "log_fatal",
     "value": {"path": f"/srv/{LONG}", "size": 3_000_000_000, "count": 2, "last": LONG}},
    {"what": "autoload", "state": "look", "says": "autoload_large", "value": {"size": 900_000}},
]  # fmt: skip


@dataclass
class Shop:
    """A site on a host of the console's workspace."""

    console: Console
    database: Database
    host: HostId
    site: SiteId

    async def run(self, state: str, risk: str, person: PersonId | None, report: Any = None, **more: Any) -> int:
        """Somebody's run in this state. `person` None: this machine's."""
        given = {"undo_until": None, "started_at": None, "ended_at": None} | more
        async with self.database.transaction(self.console.desk.workspace) as conn:
            row = await (
                await conn.execute(
                    "INSERT INTO run (workspace, token, runbook, digest, risk, site, params, state, minutes, asked_at,"
                    " person, confirmed_by, confirmed_at, started_at, ended_at, undo_until, report)"
                    " VALUES (%s, %s, 'reset_wordpress', '', %s, %s, '{}', %s, 15, %s, %s, %s, %s, %s, %s, %s, %s)"
                    " RETURNING run",
                    [self.console.desk.workspace, secrets.token_hex(4), risk, self.site,
                     state, NOW, person, person, NOW, given["started_at"], given["ended_at"], given["undo_until"],
                     Jsonb(report)],
                )
            ).fetchone()  # fmt: skip
        assert row is not None
        return int(row[0])


@pytest.fixture
async def shop(console: Console, database: Database) -> Shop:
    workspace = console.desk.workspace
    async with database.transaction(workspace) as conn:
        host = await add_host(conn, workspace, NewHost("web1", "web1.example", "support", local=True), NOW)
        site = await add_site(
            conn, workspace, NewSite("shop.example", host, "/srv/shop", "shop", "https://shop.example"), NOW
        )
    return Shop(console, database, host, site)


@pytest.fixture
async def phone(browser: Browser) -> Page:
    context = await browser.new_context(viewport={"width": 320, "height": 700})
    return await context.new_page()


async def is_fit(page: Page) -> None:
    """Axe finds nothing, and nothing scrolls sideways."""
    await page.evaluate(AXE)
    found = await page.evaluate(
        "axe.run().then((result) => result.violations.map((each) => [each.id, each.nodes[0].html]))"
    )
    assert found == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("language", ["en", "fr"])
async def test_a_diagnosis_is_read_on_a_phone(shop: Shop, phone: Page, language: str) -> None:
    run = await shop.run("done", "reads", None, {"diagnosis": LINES}, started_at=NOW, ended_at=NOW)
    await phone.goto(f"{shop.console.url}/runs/{run}?lang={language}")
    said = {"en": "None is active.", "fr": "Aucune n’est active."}[language]
    await expect(phone.get_by_text(said)).to_be_visible()
    await is_fit(phone)


async def test_only_what_may_be_pressed_is_drawn_and_who_can_is_said(shop: Shop, phone: Page) -> None:
    """On this machine somebody is who asked where nobody signed in asked."""
    async with shop.database.transaction(shop.console.desk.workspace) as conn:
        await conn.execute("UPDATE workspace SET approve_destroys = true")
    mine, others = await shop.run("waits", "destroys", None), await shop.run("waits", "destroys", PersonId(7))
    approve = phone.get_by_role("button", name=re.compile("^Reset WordPress on"))
    await phone.goto(f"{shop.console.url}/runs/{mine}")
    await expect(phone.get_by_text("Somebody else than who asked for it or confirmed it")).to_be_visible()
    await expect(phone.get_by_text("lead, administrator")).to_be_visible()
    await expect(approve).to_have_count(0)
    await expect(phone.get_by_role("button", name=re.compile("^Refuse"))).to_have_count(0)
    await expect(phone.get_by_role("button", name="Drop this plan: do nothing")).to_be_visible()
    await is_fit(phone)
    await phone.goto(f"{shop.console.url}/runs/{others}")
    await expect(approve).to_be_visible()


async def test_a_check_is_pressed_on_a_phone_and_what_it_found_comes_by_itself(shop: Shop, phone: Page) -> None:
    await phone.goto(f"{shop.console.url}/sites/{shop.site}")
    await phone.get_by_role("button", name="Check shop.example now").click()
    await expect(phone.get_by_text("A worker is looking at shop.example")).to_have_count(1)
    await is_fit(phone)
    missing = Finding("docroot", "missing", Said(N_("There is nothing at %(path)s."), {"path": "/srv/shop"}), None, "")
    async with shop.database.transaction(shop.console.desk.workspace) as conn:
        await write_checked(conn, shop.site, stored([missing]), NOW)
    await expect(phone.get_by_text("There is nothing at /srv/shop.")).to_be_visible()
    await expect(phone.locator("#state").get_by_text("Something is missing")).to_be_visible()
    await expect(phone.get_by_role("button", name="Check shop.example now")).to_be_visible()


async def test_sites_that_were_found_are_added_on_a_phone(shop: Shop, phone: Page) -> None:
    found = {"name": "blog.example", "docroot": f"/srv/{LONG}", "account": "blog", "url": "", "wordpress": None}
    async with shop.database.transaction(shop.console.desk.workspace) as conn:
        await conn.execute(
            "UPDATE host SET found = %s, found_at = %s WHERE host = %s",
            [json.dumps({"sites": [found], "closed": ["/root"], "cut": False}), NOW, shop.host],
        )
    await phone.goto(f"{shop.console.url}/hosts/{shop.host}")
    await is_fit(phone)
    await phone.get_by_role("button", name="Show what adding 1 site would do").click()
    await phone.get_by_role("button", name="Take in 1 site").click()
    await expect(phone.get_by_role("link", name="blog.example")).to_be_visible()
