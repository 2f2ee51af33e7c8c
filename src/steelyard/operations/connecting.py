"""Connecting a workspace: storing how it is reached, reading it, and weighing what is open. In the shadow at first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple, TypeVar

import psycopg

from steelyard.adapters.intercom.client import Intercom
from steelyard.config import Settings
from steelyard.kit.errors import ConfigError, RemoteError, StoreError
from steelyard.kit.ids import CellId, WorkspaceId, workspace_id
from steelyard.kit.instants import SECOND
from steelyard.main import ground, worker
from steelyard.operations.checking import Asked, Found, address, check_secrets, look, make_attributes
from steelyard.operations.database import ready_database
from steelyard.operations.people import link_for_first
from steelyard.operations.secrets import key_files, make_ready
from steelyard.routing.connections import Link, Overview, other_of_app, overview, unhandled, write_link
from steelyard.routing.receive import TOPICS
from steelyard.routing.router import Router
from steelyard.store.database import Database, end_if_cancelled
from steelyard.store.keys import WEB, WORKER, Keys, key_file

READ, WEIGHED = "Read", "Weighed"
"""What is counted while a workspace is connected."""

Progress = Callable[[str, int, int | None], None]
"""Told what is counted, how many there are so far, and of how many where that is known."""

_WINDOWS = 30
"""Windows of Intercom's rate limit that others may fill before reading is given up."""
_PATIENCE = 60.0
"""Seconds without anything handled, after which somebody has to look."""

Result = TypeVar("Result")


class Connected(NamedTuple):
    """A workspace that was connected."""

    workspace: WorkspaceId
    name: str
    region: str
    new: bool
    """Whether it was not known before: then it is in the shadow."""
    attributes: frozenset[str]
    """Which of our attributes Intercom had already."""
    overview: Overview
    webhook: str
    """The address to enter in Intercom; only its path where the cell does not know under which name it is reached."""
    canvas: tuple[str, str]
    """The same of the inbox app: the addresses of initialize and submit."""
    link: str = ""
    """Where somebody becomes its administrator; empty where it has one."""


def topics() -> dict[str, list[str]]:
    """The topics to tick in Intercom, by what they tell of."""
    groups: dict[str, list[str]] = {"conversation": [], "ticket": [], "admin": []}
    for topic in TOPICS:
        kind = topic.partition(".")[0].partition("_")[0]
        if kind in groups:
            groups[kind].append(topic)
    return groups


async def connect(settings: Settings, asked: Asked, new_keys: bool, progress: Progress) -> Connected:
    """Checks what was entered, stores it, reads the workspace and weighs what is open in it.

    May be cut off anywhere and done again. Raises ConfigError, KeyFileError, StoreError or RemoteError, each before
    anything is stored where that was possible.
    """
    check_secrets(asked)
    api_url = address(settings, asked.region)
    async with Intercom(api_url, asked.token) as intercom:
        found = await look(intercom, settings, asked)
        with ready_database(settings) as (url, _):
            async with Database.open(url, size=4, name="steelyard connect") as database:
                try:
                    await _check_name(database, found)
                    make_ready(await key_files(database, settings.keys), new_keys)
                    await make_attributes(intercom)
                    new = await _store(database, settings, _link(found, asked, api_url), ())
                    known = await _read_and_weigh(database, url, settings, found, progress)
                    link = await link_for_first(database, settings, found.workspace)
                except psycopg.OperationalError as error:
                    raise StoreError(
                        f"the database went away ({type(error).__name__}): run this again, it goes on from there"
                    ) from None
    public = settings.public_url or ""
    webhook, canvas = f"{public}/hooks/intercom/{settings.cell}", f"{public}/canvas/{settings.cell}"
    return Connected(
        workspace=found.workspace,
        name=found.me.app.name,
        region=asked.region,
        new=new,
        attributes=found.attributes,
        overview=known,
        webhook=webhook,
        canvas=(f"{canvas}/initialize", f"{canvas}/submit"),
        link=link,
    )


async def _check_name(database: Database, found: Found) -> None:
    async with database.cell() as conn:
        other = await other_of_app(conn, found.workspace, found.me.app.id)
    if other is not None:
        raise ConfigError(
            f"this database holds the workspace as {other}, not as {found.workspace}: STEELYARD_CELL was"
            f" {other.partition('.')[0]} when it was connected. Set it so again, or name another database"
        )


def _link(found: Found, asked: Asked, api_url: str) -> Link:
    me = found.me
    return Link(me.app.id, me.app.name, asked.region, api_url, me.id, asked.client_secret, asked.token)


async def store_workspace(
    database: Database, settings: Settings, link: Link, routed: tuple[int, ...] | None
) -> WorkspaceId:
    """Makes the workspace in this cell with the shipped policy, or renews how a known one is reached.

    `routed`: the teams that a new one assigns for; all of them where it is None.
    """
    await _store(database, settings, link, routed)
    return workspace_id(CellId(settings.cell), link.app_id)


async def _store(database: Database, settings: Settings, link: Link, routed: tuple[int, ...] | None) -> bool:
    """All of it in one transaction; whether the workspace is new."""
    workspace = workspace_id(CellId(settings.cell), link.app_id)
    web, worker = (Keys(key_file(settings.keys, name)) for name in (WEB, WORKER))
    async with database.transaction(workspace) as conn:
        made = await conn.execute(
            "INSERT INTO workspace (workspace, routed) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (workspace, list(routed) if routed is not None else None),
        )
        await write_link(conn, workspace, link, web, worker)
        if made.rowcount:
            await ground.adopt_policy(conn, workspace, ground.shipped_policy())
        return made.rowcount > 0


async def _read_and_weigh(
    database: Database, url: str, settings: Settings, found: Found, progress: Progress
) -> Overview:
    workspace = found.workspace
    async with worker.routing(database, url, settings.keys) as parts:
        progress(READ, 0, found.open)
        await _patiently(lambda: parts.reconcile.roster(workspace))
        await _patiently(lambda: parts.reconcile.open_conversations(workspace, "asked", partial(progress, READ)))
        await _weigh(database, parts.router, workspace, progress)
    async with database.transaction(workspace) as conn:
        return await overview(conn, workspace)


async def _patiently(read: Callable[[], Awaitable[Result]]) -> Result:
    """What `read` reads, in another window of Intercom's rate limit where other apps filled this one."""
    for _ in range(_WINDOWS):
        try:
            return await read()
        except RemoteError as error:
            if error.retry_at is None:
                raise
            await asyncio.sleep(max(0.0, error.retry_at - ground.now() / SECOND))
    return await read()


async def _weigh(database: Database, router: Router, workspace: WorkspaceId, progress: Progress) -> None:
    """Handles what is stored of the workspace, beside workers that may do the same, until nothing is left."""
    clock = asyncio.get_running_loop().time
    done, left, moved_at = 0, await _unhandled(database, workspace), clock()
    progress(WEIGHED, 0, left)
    while left:
        end_if_cancelled()
        if not await router.route(workspace):
            await asyncio.sleep(0.1)  # a worker is at it
        before, left = left, await _unhandled(database, workspace)
        if left < before:
            done, moved_at = done + before - left, clock()
        elif clock() > moved_at + _PATIENCE:
            raise StoreError(
                f"{left} stored payloads of {workspace} are not handled: look at the worker's log, then run this again"
            )
        progress(WEIGHED, done, done + left)


async def _unhandled(database: Database, workspace: WorkspaceId) -> int:
    async with database.transaction(workspace) as conn:
        return await unhandled(conn, workspace)
