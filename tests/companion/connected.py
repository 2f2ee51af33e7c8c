"""A real console with real runs, whose requests are noted, and the real extension beside it."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn
from composing import CHROMIUM, welcome
from playwright.async_api import BrowserContext, CDPSession, Locator, Page, Route, async_playwright
from waiting import PATIENCE, until

from desk_seed import Desk
from steelyard.companion.connecting import make_code
from steelyard.kit.ids import CellId, PersonId
from steelyard.main.console import Site, console
from steelyard.main.ground import ledger
from steelyard.people.members import join, person_of_address
from steelyard.people.permissions import Role
from steelyard.people.sessions import COOKIE, open_session
from steelyard.store.database import Database
from steelyard.web.static import read_static

TOOLBOX = Path(__file__).parents[1] / "toolbox"
sys.path.append(str(TOOLBOX))  # its engine, with its runbooks

from engine import Engine, engine_in  # noqa: E402

ENGINEER = 101
SITE = "http://shop.example/"
FORGED = "<img src=x onerror=\"document.title='taken'\"><b>old</b>"
"""What the site's host says: hostile, and text wherever it is shown."""


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Room:
    """The console, and who works there."""

    app: Any
    engine: Engine
    desk: Desk
    person: PersonId
    cookie: str
    port: int = 0
    asked: list[str] = field(default_factory=list[str])
    """Every request, as `GET /path?query`."""
    answered: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    server: uvicorn.Server | None = None
    task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def noted(self, scope: Any, receive: Any, send: Any) -> None:
        query = scope.get("query_string", b"").decode()
        self.asked.append(f"{scope['method']} {scope['path']}{'?' if query else ''}{query}")

        async def answer(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.answered.append((scope["path"], message["status"]))
            await send(message)

        await self.app(scope, receive, answer)

    async def start(self) -> None:
        """Serves on the port that it had before."""
        listening = socket.create_server(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        options = {
            "log_level": "critical",
            "interface": "asgi3",
            "lifespan": "off",
            "timeout_graceful_shutdown": 1,
            "ws": "none",
        }
        self.server = uvicorn.Server(uvicorn.Config(self.noted, **options))  # pyright: ignore[reportArgumentType]
        self.task = asyncio.create_task(self.server.serve([listening]))

    async def stop(self) -> None:
        if self.server is not None and self.task is not None:
            self.server.should_exit = True
            await self.task

    async def link(self) -> str:
        """A connect link, as the page makes one."""
        async with self.engine.database.transaction(self.desk.workspace) as conn:
            return f"{self.url}/companion/connect#{await make_code(conn, self.desk.workspace, self.person, now())}"

    async def rows(self, query: Any, *values: object) -> list[Any]:
        return await self.engine.rows(query, *values)

    async def enters(self, watched: Watched) -> Page:
        """A page of the console in the browser, signed in."""
        await watched.context.add_cookies([{"name": COOKIE, "value": self.cookie, "url": self.url}])
        return await watched.context.new_page()


@asynccontextmanager
async def room(database: Database, desk: Desk, folder: Path, keys: Path, patch: Any) -> AsyncIterator[Room]:
    """The console, served, with an engineer who signed in, and runs that are worked off as they come."""
    engine = await engine_in(database, desk.workspace, folder / "sites", keys)
    engine.docroot().joinpath("motto").write_text(FORGED)
    patch("steelyard.main.toolbox_console.run_acts", lambda database, own, clock: engine.acts)
    async with database.transaction(desk.workspace) as conn:
        person = await person_of_address(conn, "amira@example.com", "Amira Haddad")
        await join(conn, ledger(), desk.workspace, person, (Role.ENGINEER,), now())
        await conn.execute("UPDATE membership SET engineer = %s WHERE person = %s", [ENGINEER, person])
    cookie = await open_session(database, person, "Chromium, Linux", now())
    app = console(database, read_static(), Site(CellId("eu1"), keys, runbooks=TOOLBOX / "runbooks"))
    served = Room(app, engine, desk, person, cookie)
    await served.start()
    working = asyncio.create_task(_work(engine))
    yield served
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    await served.stop()


async def _work(engine: Engine) -> None:
    """What a worker does."""
    while True:
        await engine.settle()
        await asyncio.sleep(0.1)


@dataclass
class Watched:
    """A browser with the extension, and a page of the extension's own to run code in."""

    context: BrowserContext
    probe: Page
    workers: CDPSession
    running: dict[str, str] = field(default_factory=dict[str, str])

    async def open(self, url: str) -> int:
        """The number of a new tab with that page."""
        before = set(await self._tabs())
        await (await self.context.new_page()).goto(url, wait_until="commit")
        [number] = set(await self._tabs()) - before
        return number

    async def go(self, tab: int, url: str) -> None:
        await self.probe.evaluate("([tab, url]) => chrome.tabs.update(tab, { url })", [tab, url])
        address = "(tab) => chrome.tabs.get(tab).then((it) => it.url)"
        await until(lambda: self.probe.evaluate(address, tab), lambda at: at == url, f"the tab is not at {url}")

    async def kill(self) -> None:
        """Stops the worker, as Chrome does with one that has nothing to do."""

        async def states() -> set[str]:
            await self.workers.send("ServiceWorker.stopAllWorkers")  # what was on its way may have woken it again
            await asyncio.sleep(0.05)
            return set(self.running.values())

        await until(states, lambda running: running == {"stopped"}, "it runs")

    async def _tabs(self) -> list[int]:
        return await self.probe.evaluate("async () => (await chrome.tabs.query({})).map((tab) => tab.id)")


@asynccontextmanager
async def watched(extension: Path, profile: Path, language: str = "en") -> AsyncIterator[Watched]:
    """A browser with that extension, in which sites and the inbox answer with a small page."""
    arguments = ["--disable-gpu", "--disable-background-networking", f"--lang={language}"]
    arguments += [f"--disable-extensions-except={extension}", f"--load-extension={extension}"]
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            str(profile), executable_path=CHROMIUM, args=arguments, headless=True, locale=language
        )
        context.set_default_timeout(PATIENCE * 1000)
        for addresses in ("http://*.example/**", "https://app.intercom.com/**"):
            await context.route(addresses, _small)
        worker = (
            context.service_workers[0] if context.service_workers else await context.wait_for_event("serviceworker")
        )
        await (await welcome(context)).close()  # else it opens while a test counts tabs
        probe = context.pages[0]
        await probe.goto(f"chrome-extension://{worker.url.split('/')[2]}/probe.html")
        opened = Watched(context, probe, await context.new_cdp_session(probe))

        def heard(event: dict[str, Any]) -> None:
            for version in event["versions"]:
                opened.running[version["versionId"]] = version["runningStatus"]

        opened.workers.on("ServiceWorker.workerVersionUpdated", heard)
        await opened.workers.send("ServiceWorker.enable")
        yield opened
        await context.close()


async def _small(route: Route) -> None:
    await route.fulfill(body="<!doctype html><title>A shop</title>", content_type="text/html")


@dataclass
class Panel:
    """The side panel's toolbox, opened as a page for one tab."""

    page: Page
    watched: Watched
    room: Room

    async def send(self, code: str, argument: Any = None) -> Any:
        """Runs code in the panel, which may do what its own code may."""
        return await self.page.evaluate(code, argument)

    async def connect(self) -> None:
        """By pasting a link."""
        await self.paste(await self.room.link())
        await self.page.get_by_role("button", name="Connect as Amira Haddad").click()
        await self.page.get_by_text("Connected as Amira Haddad").wait_for()

    async def paste(self, link: str) -> None:
        """As far as a link leads before it is said whether that is oneself."""
        await self.page.get_by_label("Connect link").fill(link)
        await self.page.get_by_role("button", name="Connect this browser").click()

    async def kept(self) -> dict[str, Any]:
        """The connection as the companion keeps it."""
        found: dict[str, Any] = await self.send("async () => (await chrome.storage.local.get('team')).team")
        return found

    def section(self, name: str) -> Locator:
        return self.page.get_by_role("region", name=name)


async def panel(watched: Watched, room: Room, tab: int, width: int = 400) -> Panel:
    """The panel for a tab."""
    page = await watched.context.new_page()
    await page.set_viewport_size({"width": width, "height": 900})
    origin = watched.probe.url.rsplit("/", 1)[0]
    await page.goto(f"{origin}/ui/panel.html?tab={tab}#toolbox")
    return Panel(page, watched, room)
