"""A console over a database of its own, asked without a network."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from desk_seed import Desk, busy_desk, connected
from seeded import Seeded, seed
from signing_in import Clock, Enter, MakeClient, browsers
from steelyard.main.ground import ledger
from steelyard.people.members import join, person_of_address
from steelyard.people.permissions import Role
from steelyard.people.sessions import COOKIE, open_session
from steelyard.store.database import Database
from steelyard.web.static import Static


@pytest.fixture
async def make_client(database: Database, static: Static, keys: Path, clock: Clock) -> AsyncIterator[MakeClient]:
    """A browser without a browser; `open_to_loopback` is the demo's way in."""
    async with browsers(database, static, keys, clock, "127.0.0.1", open_to_loopback=True) as make:
        yield make


@pytest.fixture
def client(make_client: MakeClient) -> httpx.AsyncClient:
    return make_client()


@pytest.fixture(scope="session")
def seeded(server: Any, keys: Path) -> Seeded[Desk]:
    async def write(database: Database) -> Desk:
        return await busy_desk(database, await connected(database, keys))

    return seed(server, "desk", write)


@pytest.fixture
def desk(database: Database, seeded: Seeded[Desk]) -> Desk:
    return seeded.written.copied(database)


@pytest.fixture
async def enter(desk: Desk, database: Database, make_client: MakeClient, clock: Clock) -> Enter:
    """A browser in which somebody of that role has signed in; `engineer`: whom they are in Intercom."""

    async def made(role: Role, engineer: int | None = None) -> httpx.AsyncClient:
        async with database.transaction(desk.workspace) as conn:
            person = await person_of_address(conn, f"{role}@example.com", role.title())
            await join(conn, ledger(), desk.workspace, person, (role,), clock.now)
            await conn.execute("UPDATE membership SET engineer = %s WHERE person = %s", [engineer, person])
        cookie = await open_session(database, person, "Firefox, Linux", clock.now)
        return make_client("10.1.2.3", cookies={COOKIE: cookie})

    return made
