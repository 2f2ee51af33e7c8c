"""The real extension in a real Chromium, on pages of Intercom's address with real editors, all answered here."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import connected
import pytest
import pytest_asyncio
from choosing import HELP, copied, start
from composing import CHROMIUM, ESBUILD, ROOT, bundled, launch, serve, welcome
from noting import Notebook
from origin import Origin, serving
from playwright.async_api import BrowserContext, Page, async_playwright, expect
from waiting import PATIENCE
from watching import Watched, permitted, permitting

from desk_seed import busy_desk
from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Database

expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The editors as one script, as a page would have them."""
    if not ESBUILD.exists():
        pytest.skip("no editors: npm ci")
    return bundled(tmp_path_factory.mktemp("editors"))


@pytest.fixture
async def context(tmp_path: Path, bundle: str) -> AsyncIterator[BrowserContext]:
    """A browser of the test's own with the extension, in which every address is answered here."""
    async with launched(tmp_path, bundle) as context:
        yield context


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory, bundle: str) -> AsyncIterator[BrowserContext]:
    """One browser for all tests of a module."""
    async with launched(tmp_path_factory.mktemp("profile"), bundle) as context:
        yield context


@pytest_asyncio.fixture(loop_scope="module")
async def inbox(shared: BrowserContext) -> AsyncIterator[BrowserContext]:
    """The module's browser without a page of another test; `open_composer` sets all that is chosen anew."""
    yield shared
    for page in shared.pages[1:]:
        await page.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def notebook(shared: BrowserContext) -> Notebook:
    """The module's browser, in which notes are written."""
    return await Notebook(shared).start()


@pytest_asyncio.fixture(loop_scope="module")
async def book(notebook: Notebook) -> AsyncIterator[Notebook]:
    """It without the notes of another test; afterwards, no page may have met an error."""
    await notebook.clean()
    yield notebook
    assert notebook.wrong == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def origin() -> AsyncIterator[Origin]:
    """A web server that answers as each address asks it to."""
    async with serving() as origin:
        yield origin


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def everywhere(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    """One browser for all tests of a module, in which the companion sees every site."""
    async with permitting(tmp_path_factory.mktemp("everywhere"), "<all_urls>") as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def options(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Page]:
    """The page as it opens by itself, in a browser that all tests share."""
    if shutil.which(CHROMIUM) is None:
        pytest.skip(f"no {CHROMIUM}: apt-get install chromium")
    folder = tmp_path_factory.mktemp("options")
    given = json.loads((ROOT / "extension/manifest.json").read_text())["host_permissions"]
    extension = copied(folder / "extension", host_permissions=[*given, f"{HELP}/*"])
    async with async_playwright() as playwright:
        context = await start(playwright, extension, folder / "profile")
        yield await welcome(context)
        await context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(options: Page) -> Page:
    """The page with nothing chosen."""
    await options.evaluate("async () => { await chrome.storage.sync.clear(); await chrome.storage.local.clear(); }")
    await options.set_viewport_size({"width": 1280, "height": 900})
    address = options.url.partition("#")[0]
    await options.goto("about:blank")
    await options.goto(address)
    await options.wait_for_selector("#in-force .tag")
    return options


@asynccontextmanager
async def launched(folder: Path, bundle: str) -> AsyncGenerator[BrowserContext]:
    """A browser with the extension."""
    if shutil.which(CHROMIUM) is None:
        pytest.skip(f"no {CHROMIUM}: apt-get install chromium")
    async with async_playwright() as playwright:
        context = await launch(playwright, folder)
        await context.grant_permissions(["clipboard-read", "clipboard-write"], origin="https://app.intercom.com")
        await serve(context, bundle)
        yield context
        await context.close()


@pytest.fixture
async def desk(
    database: Database,
    make_workspace: Callable[..., Awaitable[WorkspaceId]],
    tmp_path: Path,
    keys: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[connected.Room]:
    async with connected.room(
        database, await busy_desk(database, await make_workspace()), tmp_path, keys, monkeypatch.setattr
    ) as served:
        yield served


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[connected.Watched]:
    async with connected.watched(permitted(tmp_path / "extension", "<all_urls>"), tmp_path / "profile") as opened:
        yield opened


@pytest.fixture
async def shown(browser: connected.Watched, desk: connected.Room) -> connected.Panel:
    """The toolbox beside a tab with shop.example, connected."""
    opened = await connected.panel(browser, desk, await browser.open(connected.SITE))
    await opened.connect()
    await opened.page.get_by_text("shop.example", exact=True).first.wait_for()
    return opened
