"""A workspace with its shipped policy, a router on it, and the jobs it asks for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Iterator
from importlib import resources
from typing import Any

import pytest
from receiver import Receiver
from ward import Ward

from steelyard.kit.ids import ConversationId, Position, WorkspaceId
from steelyard.kit.instants import SECOND, Micros
from steelyard.routing import store
from steelyard.routing.decisions import fold_decisions
from steelyard.routing.router import Router
from steelyard.store.database import Database
from steelyard.store.ledger import Fold, Ledger

POLICY = resources.files("steelyard.routing").joinpath("policy.toml").read_text("utf-8")


class Asked:
    """Collects the jobs a router defers, where a test looks at those alone."""

    def __init__(self) -> None:
        self.delivered: list[tuple[Position, ConversationId]] = []
        self.read: list[ConversationId] = []
        self.rosters = 0

    async def deliver(
        self, conn: Any, workspace: WorkspaceId, decisions: list[tuple[Position, ConversationId]]
    ) -> None:
        self.delivered += decisions

    async def read_back(self, conn: Any, workspace: WorkspaceId, conversations: list[ConversationId]) -> None:
        self.read += conversations

    async def read_roster(self, conn: Any, workspace: WorkspaceId) -> None:
        self.rosters += 1

    async def keep_snapshot(self, conn: Any, workspace: WorkspaceId) -> None:
        await store.write_snapshot(conn, workspace)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = Micros(1_700_000_000 * SECOND)

    def __call__(self) -> Micros:
        self.now = Micros(self.now + 1_000)
        return self.now


class Bench:
    """One workspace and its router."""

    def __init__(self, database: Database, workspace: WorkspaceId) -> None:
        self.database, self.workspace = database, workspace
        self.asked, self.clock = Asked(), Clock()
        self.router = self.another_router()

    def another_router(self) -> Router:
        ledger = Ledger([Fold("decision.", fold_decisions)])
        return Router(self.database, ledger, self.asked, self.clock)

    async def put(self, *bodies: bytes) -> None:
        """Stores bodies as ingest does."""
        wholes = [json.loads(body) for body in bodies]
        async with self.database.cell() as conn:
            for whole, body in zip(wholes, bodies, strict=True):
                await conn.execute(
                    "SELECT store_batch(%s, %s, %s, %b::bytea[])",
                    ([self.workspace], [whole["id"]], [whole["topic"]], [body]),
                )

    async def route(self, *bodies: bytes) -> None:
        """Stores bodies and routes until nothing is left."""
        await self.put(*bodies)
        while await self.router.route(self.workspace):
            pass

    async def rows(self, query: str, *values: object) -> list[Any]:
        async with self.database.transaction(self.workspace) as conn:
            return await (await conn.execute(query, values)).fetchall()

    async def owners(self) -> dict[int, int | None]:
        return dict(await self.rows("SELECT conversation, owner FROM conversation WHERE open"))


@pytest.fixture
async def bench(database: Database, make_workspace: Callable[..., Awaitable[WorkspaceId]]) -> Bench:
    workspace = await make_workspace(package_code="steelyard-app")
    async with database.transaction(workspace) as conn:
        await store.adopt_policy(conn, workspace, hashlib.sha256(POLICY.encode()).hexdigest(), POLICY)
    return Bench(database, workspace)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """An address that can be told something."""
    found = Receiver()
    yield found
    found.close()


@pytest.fixture
async def ward(database: Database, make_workspace: Callable[..., Awaitable[WorkspaceId]]) -> Ward:
    return Ward(database, await make_workspace())
