"""Looking at hosts and sites over their connections: what is missing on them, which sites there are. Changes nothing.

What was found is kept with the host and the site, without secrets.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import Any, Final, NamedTuple

from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Database
from steelyard.toolbox import checks
from steelyard.toolbox.checks import Finding
from steelyard.toolbox.keys import SshKey, authority_of, list_keys
from steelyard.toolbox.model import Action, By, Json, Token
from steelyard.toolbox.prepare import PHP_VERSIONS, Key, Prepared, needed, prepared
from steelyard.toolbox.reach import Errand, HostError, Line, Progress, Reach, Reached, Tell
from steelyard.toolbox.registry import read_hosts, read_sites, write_checked, write_host_checked
from steelyard.toolbox.registry_rows import HostRow, SiteRow

AT_ONCE: Final = 5
"""How many sites are looked at side by side."""


class Checked(NamedTuple):
    """What was found on a host, or on a site."""

    name: str
    findings: tuple[Finding, ...]

    @property
    def state(self) -> checks.State:
        """What stands out."""
        return checks.worst(self.findings)


def unheard(_: Line | Progress) -> None:
    """For who does not listen to what a verb says while it works."""


class Looking:
    """Looks at what is in one workspace's registry. `reach`: its way to hosts."""

    def __init__(self, database: Database, workspace: WorkspaceId, reach: Reach, clock: Callable[[], datetime]) -> None:
        self._database, self._workspace, self._reach, self._clock = database, workspace, reach, clock

    async def check_host(self, host: HostRow, tell: Tell = unheard) -> Checked:
        """Looks at a host, and keeps what was found."""
        asked, sites = await self._asked(host)
        began = monotonic()
        try:
            async with self._reach.open(host.host, _errand()) as reached:
                said: Any = await reached.call(Action("check.host", {}, By.SUPPORT), tell)
                took = monotonic() - began
                found = checks.judge_host(asked, said, took, self._clock(), local=host.local)
                found += await self._sudo(reached, host, sites, asked, said, tell)
        except HostError as error:
            found, said = [checks.unreached(host.host.name, error.code, str(error))], dict(host.facts)
        kept = {key: said[key] for key in ("system", "python", "php", "free", "total") if key in said}
        async with self._database.transaction(self._workspace) as conn:
            await write_host_checked(conn, host.host.id, checks.stored(found, **kept), self._clock())
        return Checked(host.host.name, tuple(found))

    async def check_site(self, row: SiteRow, tell: Tell = unheard) -> Checked:
        """Looks at a site as its own user, and keeps what was found."""
        said: dict[str, Any] = {}
        try:
            async with self._reach.open(row.site.host, _errand(row)) as reached:
                for name, action in checks.asks_of(row.site).items():
                    said[name] = await _answer(reached, action, tell)
        except HostError as error:
            found = [checks.unreached(row.site.host.name, error.code, str(error))]
        else:
            found = checks.judge_site(row.site, said)
        async with self._database.transaction(self._workspace) as conn:
            facts = checks.stored(found, **_kept(said, row.facts))
            await write_checked(conn, row.site.id, facts, self._clock())
        return Checked(row.site.name, tuple(found))

    async def check_sites(self, rows: Sequence[SiteRow], tell: Tell = unheard) -> list[Checked]:
        """Looks at several sites side by side; in their order."""
        room = asyncio.Semaphore(AT_ONCE)

        async def one(row: SiteRow) -> Checked:
            async with room:
                return await self.check_site(row, tell)

        return list(await asyncio.gather(*(one(row) for row in rows)))

    async def discover(self, host: HostRow, tell: Tell = unheard, places: Sequence[str] = ()) -> Mapping[str, Any]:
        """The sites that are on a host, as `discover.find` tells them. Raises HostError."""
        async with self._reach.open(host.host, _errand()) as reached:
            args: dict[str, Json] = {"places": list(places)} if places else {}
            return await reached.call(Action("discover.find", args, By.SUPPORT, timeout=300.0), tell)

    async def prepared(self, host: HostRow, versions: Sequence[str] = (), source: str = "") -> Prepared:
        """What goes onto a host. `versions` of PHP: those that were found on it, where none are given."""
        async with self._database.transaction(self._workspace) as conn:
            hosts, sites, keys = await read_hosts(conn), await read_sites(conn, host.host.id), await list_keys(conn)
        return printed(host, hosts, sites, keys, versions, source)

    async def _asked(self, host: HostRow) -> tuple[checks.Asked, list[SiteRow]]:
        async with self._database.transaction(self._workspace) as conn:
            sites, keys = await read_sites(conn, host.host.id), await list_keys(conn)
        key = next((each for each in keys if each.key == host.key), None)
        until = key.certified_until if key is not None else None
        line = await self.prepared(host)
        return checks.Asked(host.host.name, host.host.account, host.key_name, until, line), sites

    async def _sudo(
        self, reached: Reached, host: HostRow, sites: Sequence[SiteRow], asked: checks.Asked, said: Any, tell: Tell
    ) -> list[Finding]:
        """Whether sudo allows what runs need, with the versions of PHP that are there."""
        wanted = needed(host.host, [row.site for row in sites], versions_of(said))
        tries = [(user, argv) for user, commands in wanted.items() for argv in commands]
        if not tries:
            return checks.judge_sudo(asked, (), {})
        args = {"tries": [{"user": user, "argv": list(argv)} for user, argv in tries]}
        answer: Any = await reached.call(Action("check.sudo", args, By.SUPPORT, timeout=120.0), tell)
        return checks.judge_sudo(asked, tries, answer)


def printed(
    host: HostRow,
    hosts: Sequence[HostRow],
    sites: Sequence[SiteRow],
    keys: Sequence[SshKey],
    versions: Sequence[str] = (),
    source: str = "",
) -> Prepared:
    """What goes onto a host with these `sites`, among all `hosts` and `keys` of its workspace."""
    key = next((each for each in keys if each.key == host.key), None)
    opens = [f"{each.host.address}:{each.host.port}" for each in hosts if each.via == host.host.id]
    found = list(versions) or versions_of(host.facts)
    what = prepared(host.host, [row.site for row in sites], shown(key), found, opens=opens, source=source)
    return what._replace(authorized_keys="") if host.local else what


def versions_of(facts: Mapping[str, Any]) -> list[str]:
    """The versions of PHP-FPM that were found on a host, known ones alone."""
    found = [each.get("version", "") for each in facts.get("php") or () if each.get("fpm")]
    return [version for version in PHP_VERSIONS if version in found]


def shown(key: SshKey | None) -> Key:
    """What lets workers in with a key: the authority of its certificate, where it has one."""
    if key is None:
        return Key("ssh-ed25519 NO-KEY-YET", "none")
    said = authority_of(key.certificate) if key.certificate else None
    return Key(key.public, key.name) if said is None else Key(said.authority, key.name, authority=True)


async def _answer(reached: Reached, action: Action, tell: Tell) -> Any:
    """What was answered; where only this could not be done, why."""
    try:
        return await reached.call(action, tell)
    except HostError as error:
        if error.code in ("lost", "unreachable", "no_sudo"):
            raise
        return str(error)


def _errand(row: SiteRow | None = None) -> Errand:
    return Errand(Token(secrets.token_hex(4)), row.site if row is not None else None)


def _kept(said: Mapping[str, Any], before: Mapping[str, Json]) -> dict[str, Json]:
    """Of what a site said, what is worth keeping; what could not be asked stays as it was known."""
    kept = {key: before[key] for key in ("wordpress", "php") if key in before}
    wordpress: Any = said.get("wordpress", "")
    php: Any = said.get("php", "")
    if "version" in wordpress and not isinstance(wordpress, str):
        names = ("version", "locale", "prefix", "multisite", "url", "object_cache", "core", "content")
        kept["wordpress"] = {key: wordpress.get(key) for key in names} | {"database": wordpress["database"]["name"]}
    if php and not isinstance(php, str):
        kept["php"] = {"version": php["version"], "pool": php["fpm"]["pool"] if php["fpm"] else ""}
    return kept
