"""Two workspaces with people in every role, by a word for each."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from desk_seed import connected
from seeded import Seeded, seed
from signing_in import PASSWORD, Clock, Enter, MakeClient
from steelyard.kit.ids import PersonId, WorkspaceId
from steelyard.main.ground import ledger
from steelyard.people.members import join, person_of_address
from steelyard.people.passwords import hashed
from steelyard.people.permissions import Permission, Role
from steelyard.people.sessions import COOKIE, open_session
from steelyard.people.tokens import make_token
from steelyard.store.database import Database


@dataclass
class Town:
    """The people of a database, by a word for each."""

    database: Database
    clock: Clock
    stored: str
    home: WorkspaceId
    foreign: WorkspaceId
    superuser_url: str
    people: dict[str, PersonId] = field(default_factory=dict[str, PersonId])

    async def person(self, name: str, *roles: Role, at: WorkspaceId | None = None, enters: bool = True) -> PersonId:
        """Somebody with these roles, who can sign in with PASSWORD."""
        workspace = at or self.home
        async with self.database.transaction(workspace) as conn:
            person = await person_of_address(conn, f"{name}@example.com", name.title())
            if roles:
                await join(conn, ledger(), workspace, person, roles, self.clock.now)
        if enters:
            async with self.database.person(person) as conn:
                await conn.execute("UPDATE person SET password = %s WHERE person = %s", [self.stored, person])
        self.people[name] = person
        return person

    async def cookie(self, name: str) -> str:
        return await open_session(self.database, self.people[name], "Firefox, Linux", self.clock.now)

    async def cookies(self, name: str) -> dict[str, str]:
        return {COOKIE: await self.cookie(name)}

    async def token(self, name: str, *scopes: Permission, at: WorkspaceId | None = None) -> dict[str, str]:
        """The header of a program that asks with a token of theirs."""
        workspace = at or self.home
        async with self.database.transaction(workspace) as conn:
            _, secret = await make_token(
                conn, workspace, self.people[name], "a program", scopes, timedelta(days=7), self.clock.now
            )
        return {"Authorization": f"Bearer {secret}"}

    def everything(self, *without: str) -> dict[str, list[Any]]:
        """All rows of all tables, so that nothing changed can be said of a request."""
        with psycopg.connect(self.superuser_url) as conn:
            tables = conn.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            ).fetchall()
            return {
                table: conn.execute(f"SELECT t::text FROM {table} AS t ORDER BY 1").fetchall()
                for (table,) in tables
                if table not in without
            }

    def facts(self, kind: str) -> list[tuple[Any, ...]]:
        """Person and data of all facts of a kind."""
        with psycopg.connect(self.superuser_url) as conn:
            return conn.execute(
                "SELECT workspace, person, data FROM ledger WHERE kind = %s ORDER BY workspace, position", [kind]
            ).fetchall()


@pytest.fixture(scope="session")
def stored_password() -> str:
    return asyncio.run(hashed(PASSWORD))


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
async def enter(town: Town, make_client: MakeClient) -> Enter:
    """A browser in which somebody has signed in."""

    async def made(name: str, **options: Any) -> httpx.AsyncClient:
        return make_client(cookies=await town.cookies(name), **options)

    return made
