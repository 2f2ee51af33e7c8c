"""Conversations as pages: the list, the page of one, and the same as data."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import pytest

from desk_seed import Desk, busy_desk
from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Database


@pytest.fixture
async def desk(database: Database, make_workspace: Callable[[], Awaitable[WorkspaceId]]) -> Desk:
    return await busy_desk(database, await make_workspace())


async def test_the_list_shows_what_is_open(desk: Desk, client: httpx.AsyncClient) -> None:
    page = await client.get("/conversations")
    assert page.status_code == 200
    assert "atelier0.example" in page.text
    page = await client.get("/conversations/5010")
    assert page.status_code == 200
    page = await client.get("/engineers/101")
    assert page.status_code == 200
