"""The companion of somebody, as its requests come from a browser extension."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from signing_in import MakeClient
from steelyard.companion.connecting import make_code
from steelyard.kit.ids import WorkspaceId
from town import Town


@dataclass
class Room:
    """What tests of the companion's server ask."""

    town: Town
    make_client: MakeClient

    async def code(self, name: str, at: WorkspaceId | None = None) -> str:
        workspace = at or self.town.home
        async with self.town.database.transaction(workspace) as conn:
            return await make_code(conn, workspace, self.town.people[name], self.town.clock.now)

    async def connect(self, code: object, browser: object = "Chrome on Linux", **options: Any) -> httpx.Response:
        """Asks as nobody who signed in."""
        return await self.make_client(**options).post("/api/companion/connect", json={"code": code, "browser": browser})

    async def companion(self, name: str, at: WorkspaceId | None = None) -> httpx.AsyncClient:
        """A connected companion of somebody."""
        answer = await self.connect(await self.code(name, at))
        assert answer.status_code == 201, answer.text
        return self.make_client(headers={"Authorization": f"Bearer {answer.json()['token']}"})
