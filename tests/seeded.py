"""Databases that are written once, for all tests that begin with what is in them: see `database_name`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, NamedTuple, TypeVar

from steelyard.store.database import Database
from steelyard.store.embedded import APP

Written = TypeVar("Written")


class Seeded(NamedTuple, Generic[Written]):
    """The name of a database that tests get copies of, and what was written into it."""

    name: str
    written: Written


def seed(server: Any, name: str, write: Callable[[Database], Awaitable[Written]]) -> Seeded[Written]:
    """Makes a database of that name on `server`, and has `write` fill it."""

    async def filled() -> Written:
        async with Database.open(server.url(APP, name)) as database:
            return await write(database)

    server.copy("ground", name)
    return Seeded(name, asyncio.run(filled()))
