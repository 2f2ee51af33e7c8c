"""Somebody who signs in: what tests of people share."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import datetime

import httpx

from desk_seed import NOW
from steelyard.kit.ids import WorkspaceId
from steelyard.people.links import make_link
from steelyard.store.database import Database

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]
MakeClient = Callable[..., httpx.AsyncClient]


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


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
