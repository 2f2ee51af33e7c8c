"""The registry: which sites there are, on which hosts. Every change is one transaction with its fact, by ids only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from steelyard.kit.errors import ActError
from steelyard.kit.ids import WorkspaceId
from steelyard.toolbox.model import Host, HostId, Json, Site, SiteId
from steelyard.toolbox.registry_rows import HostRow, NewHost, NewSite, SiteRow
from steelyard.web.said import N_, Said, term

Conn = AsyncConnection[Any]


class RegistryError(ActError):
    """What cannot be done to the registry: `says` tells what is in the way, of what, and what to do next."""

    def __init__(self, code: str, says: Said) -> None:
        super().__init__(code, term(says, str))
        self.says = says


_HOSTS: Final[LiteralString] = """
SELECT host.host, host.name, host.address, host.port, host.account, host.host_key, host.via, coalesce(via.name, ''),
       host.ssh_key, coalesce(ssh_key.name, ''), host.local,
       (SELECT count(*) FROM site WHERE site.workspace = host.workspace AND site.host = host.host
                                    AND site.removed_at IS NULL),
       host.hints, host.facts, host.checked_at, host.added_at, host.removed_at, host.look_asked_at
FROM host
LEFT JOIN host AS via ON via.workspace = host.workspace AND via.host = host.via
LEFT JOIN ssh_key ON ssh_key.workspace = host.workspace AND ssh_key.ssh_key = host.ssh_key
"""

_SITES: Final[LiteralString] = """
SELECT site.site, site.name, site.url, site.docroot, site.account, site.site_group,
       host.host, host.name, host.address, host.port, host.account, host.hints,
       site.hints, site.facts, site.checked_at, site.added_at, site.removed_at, site.look_asked_at
FROM site JOIN host USING (workspace, host)
"""


async def read_hosts(conn: Conn) -> list[HostRow]:
    """The hosts of the transaction's workspace that were not removed, by name."""
    rows = await (await conn.execute(_HOSTS + " WHERE host.removed_at IS NULL ORDER BY host.name")).fetchall()
    return [_host_row(row) for row in rows]


async def find_host(conn: Conn, host: HostId) -> HostRow | None:
    """A host by its id, also one that was removed; None where there never was one."""
    row = await (await conn.execute(_HOSTS + " WHERE host.host = %s", [host])).fetchone()
    return None if row is None else _host_row(row)


async def host_named(conn: Conn, name: str) -> HostRow:
    """A host by its name. Raises RegistryError, with names that are like it."""
    hosts = await read_hosts(conn)
    found = next((each for each in hosts if each.host.name == name), None)
    if found is None:
        raise RegistryError("no_host", _unknown(N_("There is no host “%(name)s”."), name, [h.host.name for h in hosts]))
    return found


async def read_sites(conn: Conn, host: HostId | None = None) -> list[SiteRow]:
    """The sites of the transaction's workspace that were not removed, by name; of one host where that is given."""
    rows = await (
        await conn.execute(
            _SITES + " WHERE site.removed_at IS NULL AND (%(host)s::bigint IS NULL OR site.host = %(host)s)"
            " ORDER BY site.name",
            {"host": host},
        )
    ).fetchall()
    return [_site_row(row) for row in rows]


async def find_site(conn: Conn, site: SiteId) -> SiteRow | None:
    """A site by its id, also one that was removed; None where there never was one."""
    row = await (await conn.execute(_SITES + " WHERE site.site = %s", [site])).fetchone()
    return None if row is None else _site_row(row)


async def read_site(conn: Conn, site: SiteId) -> Site:
    """A site by its id, for a run. Raises RegistryError where it was removed, or never was there."""
    found = await find_site(conn, site)
    if found is None or found.removed_at is not None:
        message = N_("Site %(site)s is not in the registry any more. Add it again with `steelyard site add`.")
        raise RegistryError("no_site", Said(message, {"site": site}))
    return found.site


async def site_named(conn: Conn, name: str) -> SiteRow:
    """A site by its name. Raises RegistryError, with names that are like it."""
    sites = await read_sites(conn)
    found = next((each for each in sites if each.site.name == name), None)
    if found is None:
        raise RegistryError("no_site", _unknown(N_("There is no site “%(name)s”."), name, [s.site.name for s in sites]))
    return found


async def add_host(conn: Conn, workspace: WorkspaceId, new: NewHost, now: datetime) -> HostId:
    """Adds a host. Raises RegistryError where its name is taken."""
    try:
        async with conn.transaction():
            row = await (
                await conn.execute(
                    "INSERT INTO host (workspace, name, address, port, account, host_key, via, ssh_key, local, hints,"
                    " added_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING host",
                    [workspace, new.name, new.address, new.port, new.account, new.host_key, new.via, new.key,
                     new.local, Jsonb(dict(new.hints)), now],
                )
            ).fetchone()  # fmt: skip
    except UniqueViolation:
        raise _taken(N_("A host “%(name)s” is here already: choose another name."), new.name) from None
    assert row is not None  # noqa: S101 - RETURNING gives one
    return HostId(row[0])


async def add_site(conn: Conn, workspace: WorkspaceId, new: NewSite, now: datetime) -> SiteId:
    """Adds a site. Raises RegistryError where its name is taken."""
    try:
        async with conn.transaction():
            row = await (
                await conn.execute(
                    "INSERT INTO site (workspace, host, name, url, docroot, account, site_group, hints, added_at)"
                    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING site",
                    [workspace, new.host, new.name, new.url, new.docroot, new.account, new.group,
                     Jsonb(dict(new.hints)), now],
                )
            ).fetchone()  # fmt: skip
    except UniqueViolation:
        raise _taken(N_("A site “%(name)s” is here already: change that one instead."), new.name) from None
    assert row is not None  # noqa: S101 - RETURNING gives one
    return SiteId(row[0])


async def change_site(conn: Conn, site: SiteId, new: NewSite) -> None:
    """Writes all of a site anew. Raises RegistryError where its name is taken."""
    try:
        async with conn.transaction():
            await conn.execute(
                "UPDATE site SET host = %s, name = %s, url = %s, docroot = %s, account = %s, site_group = %s,"
                " hints = %s WHERE site = %s",
                [new.host, new.name, new.url, new.docroot, new.account, new.group, Jsonb(dict(new.hints)), site],
            )
    except UniqueViolation:
        raise _taken(N_("A site “%(name)s” is here already: change that one instead."), new.name) from None


async def write_checked(conn: Conn, site: SiteId, facts: Mapping[str, Json], now: datetime) -> None:
    """Keeps what a check found on a site. No secrets."""
    await conn.execute(
        "UPDATE site SET facts = %s, checked_at = %s, look_asked_at = NULL WHERE site = %s",
        [Jsonb(dict(facts)), now, site],
    )


async def write_host_checked(conn: Conn, host: HostId, facts: Mapping[str, Json], now: datetime) -> None:
    """Keeps what a check found on a host. No secrets."""
    await conn.execute(
        "UPDATE host SET facts = %s, checked_at = %s, look_asked_at = NULL WHERE host = %s",
        [Jsonb(dict(facts)), now, host],
    )


def _host_row(row: Sequence[Any]) -> HostRow:
    host, name, address, port, account = row[:5]
    return HostRow(Host(HostId(host), name, address, port, account), *row[5:])


def _site_row(row: Sequence[Any]) -> SiteRow:
    (site, name, url, docroot, account, group), at = row[:6], Host(*row[6:11])
    host_hints, hints = row[11:13]
    return SiteRow(
        Site(SiteId(site), name, url, docroot, account, at, group, {**host_hints, **hints}), hints, *row[13:]
    )


def _taken(message: str, name: str) -> RegistryError:
    return RegistryError("taken", Said(message, {"name": name}))


def _unknown(message: str, name: str, known: Sequence[str]) -> Said:
    like = get_close_matches(name, known, 3)
    unknown = Said(message, {"name": name[:100]})
    if not like:
        return unknown
    return Said(N_("%(unknown)s Is it one of these: %(like)s?"), {"unknown": unknown, "like": ", ".join(like)})
