"""Looking at a host or a site that is asked for on its page and done by a worker: since when, and what was found."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, Final, Literal, LiteralString, NamedTuple, Protocol

from psycopg.types.json import Jsonb

from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Connection, Database
from steelyard.toolbox.checks import unreached
from steelyard.toolbox.ground import RunGround
from steelyard.toolbox.journal import Scrub
from steelyard.toolbox.looking import Looking
from steelyard.toolbox.model import HostId, Json, SiteId
from steelyard.toolbox.reach import HostError
from steelyard.toolbox.registry import find_host, find_site
from steelyard.toolbox.registry_rows import HostRow, SiteRow
from steelyard.web.said import Said

PATIENCE: Final = timedelta(minutes=5)
"""After this long without an answer, looking can be asked for again."""

MOST_ADDED: Final = 200
"""Sites that are added at once."""

What = Literal["site", "host", "sites"]
"""What is looked at: a site, a host, or which sites are on a host."""


_ASK_SITE: Final[LiteralString] = """
UPDATE site SET look_asked_at = %(now)s
WHERE site = %(number)s AND (look_asked_at IS NULL OR look_asked_at < %(late)s) AND removed_at IS NULL RETURNING 1
"""
_ASK_HOST: Final[LiteralString] = """
UPDATE host SET look_asked_at = %(now)s
WHERE host = %(number)s AND (look_asked_at IS NULL OR look_asked_at < %(late)s) AND removed_at IS NULL RETURNING 1
"""


class Jobs(Protocol):
    """What pages ask to have done, each in their own transaction."""

    async def look(self, conn: Connection, workspace: WorkspaceId, what: What, number: int) -> None:
        """Has a worker look."""
        ...


class FoundSite(NamedTuple):
    """A site as its host tells it: hostile text."""

    name: str
    docroot: str
    account: str
    url: str
    wordpress: str
    """Its version; empty where there is none, or where it may not be read."""
    known: bool
    """Whether it is in the registry."""


class Found(NamedTuple):
    """What was found on a host when it was looked through for sites."""

    at: datetime
    sites: tuple[FoundSite, ...]
    closed: int
    """Folders that may not be looked into."""
    cut: bool
    """Whether there is more than was looked at."""
    failed: Said | None
    """Why nothing could be found out."""

    @property
    def fresh(self) -> tuple[FoundSite, ...]:
        """Those that can be added as they are: with a name, and not in the registry yet."""
        return tuple(each for each in self.sites if each.name and not each.known)[:MOST_ADDED]

    def listed(self, host: str) -> str:
        """The same as a list that sites are imported from."""
        kept = ({"host": host, **each._asdict()} for each in self.fresh)
        return json.dumps([{key: each[key] for key in ("name", "host", "docroot", "account", "url")} for each in kept])


async def ask(conn: Connection, jobs: Jobs, workspace: WorkspaceId, what: What, number: int, now: datetime) -> bool:
    """Has a worker look, in `conn`'s transaction, unless one was just asked to; whether it was asked."""
    query = _ASK_SITE if what == "site" else _ASK_HOST
    cursor = await conn.execute(query, {"now": now, "number": number, "late": now - PATIENCE})
    asked = await cursor.fetchone() is not None
    if asked:
        await jobs.look(conn, workspace, what, number)
    return asked


async def look(ground: RunGround, workspace: WorkspaceId, what: What, number: int) -> None:
    """What a worker does: looks, and keeps what was found. What was removed meanwhile is left alone."""
    looking = Looking(ground.database, workspace, ground.ways(workspace), ground.clock)
    if what == "site":
        async with ground.database.transaction(workspace) as conn:
            site = await find_site(conn, SiteId(number))
        if site is not None and site.removed_at is None:
            await looking.check_site(site)
        return
    async with ground.database.transaction(workspace) as conn:
        host = await find_host(conn, HostId(number))
    if host is None or host.removed_at is not None:
        return
    if what == "host":
        await looking.check_host(host)
        return
    try:
        found: dict[str, Json] = dict(await looking.discover(host))
    except HostError as error:
        found = {"failed": [error.code, str(error)]}
    await _keep(ground.database, workspace, host.host.id, found, ground.clock())


async def _keep(
    database: Database, workspace: WorkspaceId, host: HostId, found: dict[str, Json], now: datetime
) -> None:
    async with database.transaction(workspace) as conn:
        await conn.execute(
            "UPDATE host SET found = %s, found_at = %s, look_asked_at = NULL WHERE host = %s",
            [Jsonb(Scrub(()).json(found)), now, host],
        )


async def read_found(conn: Connection, host: HostId, name: str, sites: list[SiteRow]) -> Found | None:
    """What was found on a host of this name, beside all `sites` of the registry; None where nobody looked."""
    row = await (await conn.execute("SELECT found, found_at FROM host WHERE host = %s", [host])).fetchone()
    if row is None or row[0] is None:
        return None
    told: dict[str, Any] = row[0]
    failed = unreached(name, *map(str, told["failed"])).says if "failed" in told else None
    places = {(each.site.host.id, each.site.docroot) for each in sites}
    names = {each.site.name for each in sites}
    return Found(
        row[1],
        tuple(
            _site(each, (host, each["docroot"]) in places or each["name"] in names) for each in told.get("sites", ())
        ),
        len(told.get("closed", ())),
        bool(told.get("cut")),
        failed,
    )


def waiting(row: SiteRow | HostRow, now: datetime) -> bool:
    """Whether a worker was just asked to look at it, and did not answer yet."""
    return row.look_asked_at is not None and row.look_asked_at >= now - PATIENCE


def _site(told: dict[str, Any], known: bool) -> FoundSite:
    wordpress: dict[str, Any] = told.get("wordpress") or {}
    name, docroot, account, url = (str(told[key] or "") for key in ("name", "docroot", "account", "url"))
    return FoundSite(name, docroot, account, url, str(wordpress.get("version", "")), known)
