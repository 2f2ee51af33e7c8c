"""Changes of the registry: each is one transaction with its fact, and each that takes away can be taken back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from steelyard.kit.facts import Fact
from steelyard.kit.ids import PersonId, WorkspaceId
from steelyard.people.record import act
from steelyard.store.database import Connection, Database
from steelyard.store.keys import Keys
from steelyard.store.ledger import Ledger
from steelyard.toolbox.host_secrets import remove_host_secret, write_host_secret
from steelyard.toolbox.imports import Imported
from steelyard.toolbox.keys import Certified, SshKey, certify, key_named, list_keys, make_key, revoke
from steelyard.toolbox.model import HostId, SiteId
from steelyard.toolbox.registry import (
    RegistryError,
    add_host,
    add_site,
    change_site,
    find_host,
    find_site,
    read_hosts,
    read_sites,
)
from steelyard.toolbox.registry_rows import HostRow, NewHost, NewSite, SiteRow
from steelyard.toolbox.states import AT_WORK, State
from steelyard.web.said import N_, Said

KINDS: Final = {
    "site.added": "A customer’s site was added to the registry, or put back into it.",
    "site.changed": "What the registry says of a site changed.",
    "site.removed": "A site was taken out of the registry. Its runs stay.",
    "host.added": "A host was added to the registry.",
    "host.changed": "What the registry says of a host changed, such as its key.",
    "host.removed": "A host was taken out of the registry.",
    "host.key_made": "A key was made with which workers sign in on hosts.",
    "host.key_certified": "A certificate was given to such a key.",
    "host.key_revoked": "Such a key was revoked, and its private half erased.",
    "host.secret_kept": "What a service of a host asks for was sealed for workers.",
    "host.secret_removed": "Such a secret was erased.",
}
"""What each fact of the registry says."""


class By(NamedTuple):
    """Who changes something, where and when. `person` is nobody for the command line."""

    workspace: WorkspaceId
    person: PersonId | None
    now: datetime

    def fact(self, kind: str, **ids: object) -> Fact:
        """The fact of it, by ids."""
        return act(kind, self.person, self.now, None, **ids)


class Changes:
    """What can be done to the registry. Every method raises RegistryError where it cannot, and then changed nothing."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self._database, self._ledger = database, ledger

    async def add_site(self, by: By, new: NewSite) -> SiteId:
        """Adds a site."""
        async with self._database.transaction(by.workspace) as conn:
            await _standing_host(conn, new.host)
            site = await add_site(conn, by.workspace, new, by.now)
            await self._told(conn, by, [by.fact("site.added", site=site)])
            return site

    async def change_site(self, by: By, site: SiteId, new: NewSite) -> None:
        """Writes all of a site anew."""
        async with self._database.transaction(by.workspace) as conn:
            before = await _standing_site(conn, site)
            if new == as_new(before):
                return
            await _standing_host(conn, new.host)
            await _settled_where_it_moves(conn, before, new)
            await change_site(conn, site, new)
            await self._told(conn, by, [by.fact("site.changed", site=site)])

    async def remove_site(self, by: By, site: SiteId) -> None:
        """Takes a site out of the registry: no run begins on it any more. What ran on it stays on record."""
        async with self._database.transaction(by.workspace) as conn:
            row = await _standing_site(conn, site)
            if (run := await _at_work(conn, site)) is not None:
                message = N_("Run %(run)s is at work on %(name)s: wait until it has ended, or cancel it.")
                raise RegistryError("at_work", Said(message, {"run": run, "name": row.site.name}))
            await conn.execute("UPDATE site SET removed_at = %s WHERE site = %s", [by.now, site])
            await self._told(conn, by, [by.fact("site.removed", site=site)])

    async def put_site_back(self, by: By, site: SiteId) -> None:
        """Takes the removal back, with everything as it was."""
        async with self._database.transaction(by.workspace) as conn:
            row = await find_site(conn, site)
            if row is None or row.removed_at is None:
                raise RegistryError("no_site", Said(N_("That site was not removed, so it cannot be put back.")))
            await _standing_host(conn, row.site.host.id)
            try:
                async with conn.transaction():
                    await conn.execute("UPDATE site SET removed_at = NULL WHERE site = %s", [site])
            except UniqueViolation:
                message = N_("Another site is called %(name)s by now: rename that one first.")
                raise RegistryError("taken", Said(message, {"name": row.site.name})) from None
            await self._told(conn, by, [by.fact("site.added", site=site)])

    async def set_group(self, by: By, sites: Sequence[SiteId], group: str) -> int:
        """Puts sites into one group, or into none; how many were in another."""
        async with self._database.transaction(by.workspace) as conn:
            cursor = await conn.execute(
                "UPDATE site SET site_group = %(group)s WHERE site = ANY (%(sites)s) AND removed_at IS NULL"
                " AND site_group <> %(group)s RETURNING site",
                {"group": group, "sites": list(sites)},
            )
            changed = [site for (site,) in await cursor.fetchall()]
            await self._told(conn, by, [by.fact("site.changed", site=site) for site in changed])
            return len(changed)

    async def take_in(self, by: By, imported: Imported, *, partly: bool = False) -> int:
        """Adds and changes what an import says; how many. Nothing where a line is refused, unless `partly`."""
        if imported.refused and not partly:
            message = N_("%(count)s lines cannot be taken, so nothing was changed. Mend them, or take in the others.")
            raise RegistryError("refused", Said(message, {"count": len(imported.refused)}))
        async with self._database.transaction(by.workspace) as conn:
            known = {row.site.name: row for row in await read_sites(conn)}
            facts = [
                by.fact("site.added", site=await add_site(conn, by.workspace, new, by.now)) for new in imported.added
            ]
            for new in imported.changed:
                if new.name not in known:
                    raise RegistryError("stale", Said(N_("The registry changed meanwhile: look at the import again.")))
                before = known[new.name]
                await _settled_where_it_moves(conn, before, new)
                await change_site(conn, before.site.id, new)
                facts.append(by.fact("site.changed", site=before.site.id))
            await self._told(conn, by, facts)
            return len(facts)

    async def add_host(self, by: By, new: NewHost) -> HostId:
        """Adds a host."""
        async with self._database.transaction(by.workspace) as conn:
            if new.via is not None:
                await _standing_host(conn, new.via)
            host = await add_host(conn, by.workspace, new, by.now)
            await self._told(conn, by, [by.fact("host.added", host=host)])
            return host

    async def change_host(self, by: By, host: HostId, new: NewHost) -> None:
        """Writes all of a host anew; its name and whether it is local stay. Refused where it would be its own way."""
        async with self._database.transaction(by.workspace) as conn:
            await _standing_host(conn, host)
            if new.via is not None:
                _no_circle(await read_hosts(conn), host, new.via)
            await conn.execute(
                "UPDATE host SET address = %s, port = %s, account = %s, host_key = %s, via = %s, ssh_key = %s,"
                " hints = %s WHERE host = %s",
                [new.address, new.port, new.account, new.host_key, new.via, new.key, Jsonb(dict(new.hints)), host],
            )
            await self._told(conn, by, [by.fact("host.changed", host=host)])

    async def remove_host(self, by: By, host: HostId) -> None:
        """Takes a host out of the registry. Refused where sites are on it, or others are reached through it."""
        async with self._database.transaction(by.workspace) as conn:
            row = await _standing_host(conn, host)
            behind = [each.host.name for each in await read_hosts(conn) if each.via == host]
            if row.sites or behind:
                message = N_("%(name)s is in use by %(sites)s sites, and on the way to: %(behind)s. Move those first.")
                values = {"name": row.host.name, "sites": row.sites, "behind": ", ".join(behind) or "–"}
                raise RegistryError("in_use", Said(message, values))
            await conn.execute("UPDATE host SET removed_at = %s WHERE host = %s", [by.now, host])
            await self._told(conn, by, [by.fact("host.removed", host=host)])

    async def make_key(self, by: By, name: str, keys: Keys) -> SshKey:
        """Makes a key. `keys`: the worker's. Raises KeyFileError where this machine does not hold them."""
        async with self._database.transaction(by.workspace) as conn:
            made = await make_key(conn, by.workspace, name, keys, by.now)
            await self._told(conn, by, [by.fact("host.key_made", key=made.key)])
            return made

    async def certify(self, by: By, name: str, line: str) -> Certified:
        """Gives a key its certificate."""
        async with self._database.transaction(by.workspace) as conn:
            key = await key_named(conn, name)
            said = await certify(conn, key, line, by.now)
            await self._told(conn, by, [by.fact("host.key_certified", key=key.key)])
            return said

    async def revoke(self, by: By, names: Sequence[str] | None = None) -> list[SshKey]:
        """Revokes the keys of these names, or all there are; those that were revoked just now."""
        async with self._database.transaction(by.workspace) as conn:
            if names is None:
                chosen = [key for key in await list_keys(conn) if key.revoked_at is None]
            else:
                chosen = [await key_named(conn, name) for name in names]
            gone = [key for key in chosen if await revoke(conn, key.key, by.now)]
            await self._told(conn, by, [by.fact("host.key_revoked", key=key.key) for key in gone])
            return gone

    async def keep_secret(self, by: By, host: HostId, name: str, value: str, keys: Keys) -> None:
        """Keeps what a service of a host asks for, sealed. `keys`: the worker's. Raises KeyFileError."""
        async with self._database.transaction(by.workspace) as conn:
            await write_host_secret(conn, by.workspace, host, name, value, keys, by.now)
            await self._told(conn, by, [by.fact("host.secret_kept", host=host)])

    async def drop_secret(self, by: By, host: HostId, name: str) -> bool:
        """Erases such a secret; whether it was there."""
        async with self._database.transaction(by.workspace) as conn:
            gone = await remove_host_secret(conn, host, name)
            await self._told(conn, by, [by.fact("host.secret_removed", host=host)] if gone else [])
            return gone

    async def _told(self, conn: Connection, by: By, facts: Sequence[Fact]) -> None:
        await self._ledger.append(conn, by.workspace, facts)


def as_new(row: SiteRow) -> NewSite:
    """A site as it would be added."""
    site = row.site
    return NewSite(site.name, site.host.id, site.docroot, site.account, site.url, site.group, row.hints)


def host_as_new(row: HostRow) -> NewHost:
    """A host as it would be added."""
    host = row.host
    return NewHost(
        host.name, host.address, host.account, host.port, row.host_key, row.key, row.via, row.local, row.hints
    )


async def _standing_site(conn: Connection, site: SiteId) -> SiteRow:
    row = await find_site(conn, site)
    if row is None or row.removed_at is not None:
        raise RegistryError("no_site", Said(N_("That site is not in the registry any more.")))
    return row


async def _settled_where_it_moves(conn: Connection, before: SiteRow, new: NewSite) -> None:
    """A run that has not ended would go on at another place than where it began."""
    site = before.site
    if (new.host, new.docroot, new.account) == (site.host.id, site.docroot, site.account):
        return
    if (run := await _at_work(conn, site.id, stopped=True)) is not None:
        message = N_(
            "Run %(run)s on %(name)s has not ended. Let it end, resume it or put it back before the site moves."
        )
        raise RegistryError("at_work", Said(message, {"run": run, "name": site.name}))


async def _at_work(conn: Connection, site: SiteId, *, stopped: bool = False) -> int | None:
    """A run that a worker does at a site, or is about to; `stopped`: or one that stopped in the middle."""
    states = [*AT_WORK, State.STOPPED] if stopped else [*AT_WORK]
    query = "SELECT min(run) FROM run WHERE site = %s AND state = ANY(%s)"
    row = await (await conn.execute(query, [site, [state.value for state in states]])).fetchone()
    return row[0] if row is not None else None


async def _standing_host(conn: Connection, host: HostId) -> HostRow:
    row = await find_host(conn, host)
    if row is None or row.removed_at is not None:
        raise RegistryError("no_host", Said(N_("That host is not in the registry any more.")))
    return row


def _no_circle(hosts: Sequence[HostRow], host: HostId, via: HostId) -> None:
    """A host that is reached through itself is never reached."""
    ways = {each.host.id: each.via for each in hosts}
    names = {each.host.id: each.host.name for each in hosts}
    at: HostId | None = via
    for _ in range(len(ways) + 1):
        if at is None:
            return
        if at == host:
            break
        at = ways.get(at)
    message = N_("The way to %(name)s would lead in a circle through %(via)s: choose another one.")
    raise RegistryError("circle", Said(message, {"name": names.get(host, ""), "via": names.get(via, "")}))
