"""Somebody who signs in: what tests of people share."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from desk_seed import NOW
from steelyard.kit.ids import CellId, WorkspaceId
from steelyard.main.console import Site, console
from steelyard.main.ground import ROOMS
from steelyard.people.links import make_link
from steelyard.store.database import Database
from steelyard.web.pages import Pages
from steelyard.web.static import Static, read_static

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]
MakeClient = Callable[..., httpx.AsyncClient]
Enter = Callable[..., Awaitable[httpx.AsyncClient]]


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def static() -> Static:
    return read_static()


@pytest.fixture(scope="session")
def pages(static: Static) -> Pages:
    return Pages(static, ROOMS)


@asynccontextmanager
async def browsers(
    database: Database, static: Static, keys: Path, clock: Clock, address: str, *, open_to_loopback: bool
) -> AsyncIterator[MakeClient]:
    """Browsers without a browser: of the machine at `address`, where nothing else is said. Closed at the end."""
    opened: list[httpx.AsyncClient] = []

    def make(address: str = address, *, open_to_loopback: bool = open_to_loopback, **options: Any) -> httpx.AsyncClient:
        site = Site(CellId("eu1"), keys, options.pop("url", None), open_to_loopback, clock=clock)
        app = console(database, static, site, options.pop("routes", []))
        transport = httpx.ASGITransport(app, client=(address, 5), raise_app_exceptions=options.pop("loud", True))
        options.setdefault("base_url", ADDRESS)
        opened.append(httpx.AsyncClient(transport=transport, **options))
        return opened[-1]

    yield make
    for client in opened:
        await client.aclose()


@pytest.fixture
async def make_client(database: Database, static: Static, keys: Path, clock: Clock) -> AsyncIterator[MakeClient]:
    """A browser without a browser, from another machine where nothing else is said."""
    async with browsers(database, static, keys, clock, "10.1.2.3", open_to_loopback=False) as make:
        yield make


ADDRESS = "http://127.0.0.1:8420"
PASSWORD = "weigh it before you carry it"


async def link_to(database: Database, workspace: WorkspaceId, clock: Clock) -> str:
    async with database.transaction(workspace) as conn:
        return await make_link(conn, workspace, None, None, clock.now)


async def become_administrator(client: httpx.AsyncClient, token: str, **fields: str) -> httpx.Response:
    return await client.post(
        "/enter",
        data={"token": token, "name": "Ada Quinn", "address": "Ada@example.com", "password": PASSWORD, **fields},
    )


async def sign_in(client: httpx.AsyncClient, password: str = PASSWORD, **fields: str) -> httpx.Response:
    return await client.post("/sign-in", data={"address": "ada@example.com", "password": password, **fields})


INVITED = {"name": "Zoé Roux", "address": "Zoe@Example.com", "roles": ["lead"]}


def link_in(page: httpx.Response) -> str:
    found = re.search(r'value="(http://[^"]+/enter\?token=[^"]+)"', page.text)
    assert found is not None, page.text
    return found[1]
