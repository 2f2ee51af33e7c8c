"""Every page of the console in a real browser: generated from the routes that are served, so that none is left out.

Each is opened in both themes and languages: axe finds nothing, no policy is violated, nothing scrolls sideways from
320 px on, what is loaded first is light, and every control can be reached by keyboard.
"""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, Page, Response, expect
from psycopg.types.json import Jsonb
from served_console import ROOT, Served

from desk_seed import NOW, busy_desk
from steelyard.kit.ids import CellId, WorkspaceId
from steelyard.main.console import Site, console_routes
from steelyard.main.ground import ROOMS
from steelyard.people.links import make_link
from steelyard.store.database import Connection, Database
from steelyard.toolbox.checks import Finding, stored
from steelyard.toolbox.model import RunId
from steelyard.toolbox.registry import add_host, add_site, write_checked
from steelyard.toolbox.registry_rows import NewHost, NewSite
from steelyard.toolbox.scanning.findings import keep_findings
from steelyard.toolbox.scanning.model import Finding as Found
from steelyard.toolbox.scanning.model import Kind, Severity, own
from steelyard.web.pages import Pages
from steelyard.web.said import N_, Said
from steelyard.web.static import read_static

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

AXE = ROOT / "node_modules/axe-core/axe.min.js"
WATCH_POLICY = (
    "document.addEventListener('securitypolicyviolation', (event) => console.error('CSP ' + event.violatedDirective))"
)
MOST_BYTES = 120_000
WIDTHS = (320, 375, 768, 1024, 1440)
PARAMETERS = {
    "number": "{decision}",
    "conversation": "5000",
    "engineer": "101",
    "person": "1",
    "id": "5000",
    "notification": "1",
    "site": "1",
    "host": "1",
    "slug": "set-up-redis",
    "run": "1",
    "batch": "1",
    "name": "reset_wordpress",
}
"""What stands for a parameter in an address. A page with another one has to be added here."""
NO_PAGES = (".json", ".csv", ".md", ".zip", "/live", "/log")
"""Endings of addresses that are data."""


def paths() -> list[str]:
    """Every page, as its route is written."""
    nothing = cast(Any, None)
    site = Site(CellId("eu1"), Path("nowhere"))
    found = console_routes(nothing, Pages(read_static(), ROOMS), site)
    pages = {route.path for route in found if "GET" in (route.methods or ())}
    return sorted(path for path in pages if not path.endswith(NO_PAGES) and not path.startswith("/api/"))


@pytest.fixture
async def address(
    database: Database, make_workspace: Callable[[], Awaitable[WorkspaceId]], served: Served
) -> Callable[[str], str]:
    """The address of a page over a busy desk."""
    workspace = await make_workspace()
    desk = await busy_desk(database, workspace)
    await a_site(database, workspace)

    def of(path: str) -> str:
        for name, value in PARAMETERS.items():
            for converter in ("", ":int", ":str"):
                written = value.format(decision=desk.decided[12][0])
                path = path.replace("{" + name + converter + "}", written)
        assert "{" not in path, f"{path}: say in PARAMETERS what stands for it"
        return served.url + path

    return of


async def a_site(database: Database, workspace: WorkspaceId) -> None:
    """A site on a host, with something to look at."""
    missing = Finding(
        "docroot", "missing", Said(N_("There is nothing at %(path)s."), {"path": "/srv/shop"}), None, "ls"
    )
    async with database.transaction(workspace) as conn:
        host = await add_host(conn, workspace, NewHost("web1", "web1.example", "support", local=True), NOW)
        site = NewSite("shop.example", host, "/srv/shop", "shop", "https://shop.example", "vip")
        facts = {"version": "7.1.1", "prefix": "wp_", "database": "shop"}
        added = await add_site(conn, workspace, site, NOW)
        await write_checked(conn, added, stored([missing], wordpress=facts), NOW)
        await a_scan(conn, workspace, added)


async def a_scan(conn: Connection, workspace: WorkspaceId, site: int) -> None:
    """A scan of the site that found files with long names and much in them."""
    report = {
        "compared": {"manifests": ["WordPress 7.1.1 en_US"], "without": ["akismet 5.5"], "known": 3700, "changed": 1,
                     "missing": 0, "added": 0, "took_ms": 300},
        "searched": {"unchanged": 4, "read": 12, "bytes": 120000, "looked_through": 90, "links": 1, "seen": 3806,
                     "skipped": [["/srv/shop/" + "x" * 300, "cut"]], "skipped_count": 1, "lacking": ["calls"],
                     "took_ms": 900, "packs": [["steelyard", "Apache-2.0"]]},
        "findings": {"malicious": 1, "suspicious": 0, "odd": 1},
    }  # fmt: skip
    await conn.execute(
        "INSERT INTO batch (workspace, runbook, at_once, most_failures, asked_at)"
        " VALUES (%s, 'scan_malware', 5, 2, %s)",
        [workspace, NOW],
    )
    cursor = await conn.execute(
        "INSERT INTO run (workspace, token, runbook, digest, risk, site, batch, params, state, minutes, asked_at,"
        " ended_at, took_ms, report) VALUES (%s, '0a1b2c3d', 'scan_malware', '', 'reads', %s, 1, '{}', 'done', 20, %s,"
        " %s, 912, %s) RETURNING run",
        [workspace, site, NOW, NOW, Jsonb(report)],
    )
    row = await cursor.fetchone()
    assert row is not None
    found = (
        Found(
            Kind.FILE,
            "/srv/shop/" + "y" * 300 + ".php",
            own(Severity.MALICIOUS, "eval_of_request", "z" * 900),
            "a" * 64,
        ),
        Found(Kind.USER, "wp-backup", own(Severity.ODD, "administrator_out_of_place", "<b>3\nwp-backup")),
    )
    await keep_findings(conn, workspace, RunId(row[0]), list(Kind), found, NOW)


@pytest.fixture
async def cookies(database: Database, served: Served, address: object) -> dict[str, str]:
    """Of a session of an administrator: somebody who may see every page."""
    async with database.cell() as conn:
        row = await (await conn.execute("SELECT workspaces_of_cell()")).fetchone()
    assert row is not None
    workspace = WorkspaceId(row[0])
    async with database.transaction(workspace) as conn:
        token = await make_link(conn, workspace, None, None, NOW)
    fields = {"name": "Ada Quinn", "address": "ada@example.com", "password": "weigh it before you carry it"}
    async with httpx.AsyncClient(base_url=served.url, trust_env=False) as client:
        answer = await client.post("/enter", data={"token": token, **fields})
        assert answer.status_code == 303, answer.text
        return dict(client.cookies)


@pytest.fixture
async def open_page(
    browser: Browser, served: Served, cookies: dict[str, str]
) -> AsyncIterator[Callable[..., Awaitable[tuple[Page, list[str], list[Response]]]]]:
    """Opens a page as the administrator; what goes wrong in it, and what it loads."""
    contexts: list[BrowserContext] = []

    async def open(url: str, theme: Any, language: str) -> tuple[Page, list[str], list[Response]]:
        context = await browser.new_context(
            color_scheme=theme, locale=language, viewport={"width": 1440, "height": 900}
        )
        contexts.append(context)
        await context.add_cookies(
            [{"name": name, "value": value, "url": served.url} for name, value in cookies.items()]
        )
        page = await context.new_page()
        wrong: list[str] = []
        loaded: list[Response] = []
        page.on("pageerror", lambda error: wrong.append(f"error {error}"))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("dialog", lambda dialog: wrong.append(f"dialog {dialog.message}"))
        page.on("response", lambda response: loaded.append(response))
        await page.add_init_script(WATCH_POLICY)
        await page.goto(url)
        return page, wrong, loaded

    yield open
    for context in contexts:
        await context.close()


def test_there_are_pages() -> None:
    found = paths()
    assert len(found) > 15
    assert "/desk" in found


@pytest.mark.parametrize("path", paths())
async def test_a_page(path: str, address: Callable[[str], str], open_page: Any) -> None:
    axe = AXE.read_text("utf-8")
    for language in ("en", "fr"):
        for theme in ("light", "dark"):
            page, wrong, loaded = await open_page(address(path), theme, language)
            await expect(page.locator("[data-fragment] [data-failed][hidden]")).to_have_count(0)  # all parts are there
            await page.evaluate(axe)
            found = await page.evaluate(
                "axe.run().then((result) => result.violations.map((each) => [each.id, each.nodes[0].html]))"
            )
            assert found == [], (language, theme)
            assert [each for each in wrong if "Failed to load resource" not in each] == [], (language, theme)
            if theme == "light":
                assert await page.locator("html").get_attribute("lang") == language
                await scrolls_nowhere(page, language)
                await is_reached_by_keyboard(page)
                assert await weight(loaded) < MOST_BYTES


async def scrolls_nowhere(page: Page, language: str) -> None:
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 800})
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, (width, language)
    await page.set_viewport_size({"width": 1440, "height": 900})


async def is_reached_by_keyboard(page: Page) -> None:
    """Whoever presses Tab long enough meets every control that can be seen, and sees where they are."""
    controls = "a[href], button, input:not([type=hidden]), select, textarea, summary"
    wanted = await page.evaluate(
        """(controls) => {
            const seen = [...document.querySelectorAll(controls)].filter((each) =>
                each.checkVisibility() && !each.disabled && each.tabIndex >= 0 && !each.closest('dialog:not([open])'));
            const radios = new Set();
            window.wanted = seen.filter((each) => {
                if (each.type !== 'radio') return true;
                const group = each.form + each.name;
                if (radios.has(group)) return false;
                radios.add(group);
                return true;
            });
            window.met = new Set();
            document.addEventListener('focusin', (event) => window.met.add(event.target));
            return window.wanted.length;
        }""",
        controls,
    )
    await page.evaluate("document.activeElement.blur()")
    for _ in range(min(wanted + 40, 400)):
        await page.keyboard.press("Tab")
    if wanted <= 300:
        missed = await page.evaluate(
            "window.wanted.filter((each) => !window.met.has(each) && each.type !== 'radio')"
            ".map((each) => each.outerHTML.slice(0, 120))"
        )
        assert missed == []


async def weight(loaded: list[Response]) -> int:
    """Bytes of the page, its styles and its scripts, compressed."""
    kinds = ("document", "stylesheet", "script")
    bodies = [await each.body() for each in loaded if each.request.resource_type in kinds and each.ok]
    return sum(len(gzip.compress(body, 6)) for body in bodies)
