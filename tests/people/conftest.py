"""Two workspaces with people in every role, and a browser or a program for each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from signing_in import PASSWORD, Clock, MakeClient, MakeWorkspace
from steelyard.kit.ids import CellId
from steelyard.main import ROOMS, Site, console
from steelyard.people.passwords import hashed
from steelyard.people.permissions import Role
from steelyard.store.database import Database
from steelyard.web.pages import Pages
from steelyard.web.static import Static, read_static
from town import Town

ADDRESS = "http://127.0.0.1:8420"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def static() -> Static:
    return read_static()


@pytest.fixture(scope="session")
def pages(static: Static) -> Pages:
    return Pages(static, ROOMS)


@pytest.fixture(scope="session")
def stored_password() -> str:
    return asyncio.run(hashed(PASSWORD))


@pytest.fixture
async def make_client(database: Database, static: Static, keys: Path, clock: Clock) -> AsyncIterator[MakeClient]:
    """A browser without a browser, from another machine where nothing else is said."""
    opened: list[httpx.AsyncClient] = []

    def make(address: str = "10.1.2.3", *, open_to_loopback: bool = False, **options: Any) -> httpx.AsyncClient:
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
async def town(
    database: Database, make_workspace: MakeWorkspace, clock: Clock, stored_password: str, superuser_url: str
) -> Town:
    """Everybody at home under the name of their role, one abroad, and one who belongs nowhere."""
    made = Town(
        database, clock, stored_password, await make_workspace("home"), await make_workspace("other"), superuser_url
    )
    for role in Role:
        await made.person(role.value, role)
    await made.person("abroad", Role.ADMINISTRATOR, at=made.foreign)
    await made.person("nobody")
    return made


@pytest.fixture
async def enter(town: Town, make_client: MakeClient) -> Callable[..., Any]:
    """A browser in which somebody has signed in."""

    async def made(name: str, **options: Any) -> httpx.AsyncClient:
        return make_client(cookies=await town.cookies(name), **options)

    return made
