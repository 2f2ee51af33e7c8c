"""A console over a database of its own, asked without a network."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from signing_in import Clock, MakeClient
from steelyard.kit.ids import CellId
from steelyard.main import ROOMS, Site, console
from steelyard.store.database import Database
from steelyard.web.pages import Pages
from steelyard.web.static import Static, read_static


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def static() -> Static:
    return read_static()


@pytest.fixture(scope="session")
def pages(static: Static) -> Pages:
    return Pages(static, ROOMS)


@pytest.fixture
async def make_client(database: Database, static: Static, keys: Path, clock: Clock) -> AsyncIterator[MakeClient]:
    """A browser without a browser; `open_to_loopback` is the demo's way in."""
    opened: list[httpx.AsyncClient] = []

    def make(address: str = "127.0.0.1", *, open_to_loopback: bool = True, **options: Any) -> httpx.AsyncClient:
        site = Site(CellId("eu1"), keys, options.pop("url", None), open_to_loopback, clock=clock)
        app = console(database, static, site, options.pop("routes", []))
        transport = httpx.ASGITransport(app, client=(address, 5), raise_app_exceptions=options.pop("loud", True))
        opened.append(httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8420", **options))
        return opened[-1]

    yield make
    for client in opened:
        await client.aclose()


@pytest.fixture
def client(make_client: MakeClient) -> httpx.AsyncClient:
    return make_client()
