"""A real browser on a real server over a real database."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright, expect
from served_console import Console, Served

from desk_seed import busy_desk
from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Database

CHROMIUM = "/usr/bin/chromium"
expect.set_options(timeout=30_000)  # a machine may be slow: no such wait says how fast anything is


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    if shutil.which(CHROMIUM) is None:
        pytest.skip(f"no {CHROMIUM}: apt-get install chromium")
    async with async_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        await browser.close()


@pytest.fixture
async def served(database: Database, keys: Path) -> AsyncIterator[Served]:
    served = Served(database, keys)
    await served.start()
    yield served
    await served.stop()


@pytest.fixture
async def console(database: Database, make_workspace: Callable[[], Awaitable[WorkspaceId]], served: Served) -> Console:
    return Console(served, await busy_desk(database, await make_workspace()))
