"""Two workspaces with people in every role, and a browser or a program for each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from signing_in import PASSWORD, Clock, MakeClient, MakeWorkspace, browsers
from steelyard.main.ground import ROOMS
from steelyard.people.passwords import hashed
from steelyard.people.permissions import Role
from steelyard.store.database import Database
from steelyard.web.pages import Pages
from steelyard.web.static import Static, read_static
from town import Town


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
    async with browsers(database, static, keys, clock, "10.1.2.3", open_to_loopback=False) as make:
        yield make


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
