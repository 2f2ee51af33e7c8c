"""Two workspaces with people in every role, and a browser or a program for each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from desk_seed import connected
from seeded import Seeded, seed
from signing_in import PASSWORD, Clock, MakeClient, browsers
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


@pytest.fixture(scope="session")
def seeded(server: Any, keys: Path, stored_password: str) -> Seeded[Town]:
    async def write(database: Database) -> Town:
        home, foreign = [await connected(database, keys, each) for each in ("home", "other")]
        made = Town(database, Clock(), stored_password, home, foreign, "")
        for role in Role:
            await made.person(role.value, role)
        await made.person("abroad", Role.ADMINISTRATOR, at=made.foreign)
        await made.person("nobody")
        return made

    return seed(server, "town", write)


@pytest.fixture
def town(database: Database, clock: Clock, superuser_url: str, seeded: Seeded[Town]) -> Town:
    """Everybody at home under the name of their role, one abroad, and one who belongs nowhere."""
    there = seeded.written
    return replace(there, database=database, clock=clock, superuser_url=superuser_url, people=dict(there.people))


@pytest.fixture
async def enter(town: Town, make_client: MakeClient) -> Callable[..., Any]:
    """A browser in which somebody has signed in."""

    async def made(name: str, **options: Any) -> httpx.AsyncClient:
        return make_client(cookies=await town.cookies(name), **options)

    return made
