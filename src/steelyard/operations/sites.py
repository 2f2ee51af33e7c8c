"""Sites: adding, importing, finding them on their hosts, and looking whether everything that runs need is there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from steelyard.config import Settings
from steelyard.kit.errors import ConfigError
from steelyard.operations.hosts import fit
from steelyard.operations.registry import Room, room
from steelyard.toolbox import fields
from steelyard.toolbox.changes import as_new
from steelyard.toolbox.fields import Unfit
from steelyard.toolbox.imports import Imported, read_import, site_of
from steelyard.toolbox.looking import Checked, unheard
from steelyard.toolbox.reach import Tell
from steelyard.toolbox.registry_rows import HostRow, NewSite, SiteRow

MOST_BYTES: Final = 8_000_000


class Wanted(NamedTuple):
    """A site as it was asked for. None: as it is, or found on its host."""

    host: str | None = None
    docroot: str | None = None
    account: str | None = None
    url: str | None = None
    group: str | None = None
    hints: str | None = None


class Found(NamedTuple):
    """What was found on a host: each site as `discover.find` tells it, and whether it is in the registry."""

    host: str
    sites: tuple[tuple[Mapping[str, Any], bool], ...]
    about: Mapping[str, Any]
    """All else that was told: `php`, `redis`, `closed`, `cut`."""


async def listed(settings: Settings, wanted: str | None, group: str | None = None) -> list[SiteRow]:
    """The sites, of one group where that is given."""
    async with room(settings, wanted, "site") as here:
        return [row for row in await here.sites() if group is None or row.site.group == group]


async def shown(settings: Settings, wanted: str | None, name: str) -> SiteRow:
    """One site. Raises RegistryError."""
    async with room(settings, wanted, "site") as here:
        return await here.site(name)


async def add(settings: Settings, wanted: str | None, name: str, site: Wanted) -> SiteRow:
    """Adds a site; what was not given is looked up on its host. Raises ConfigError, RegistryError, HostError."""
    async with room(settings, wanted, "site") as here:
        row = await here.host(site.host or "")
        name = fit(lambda: fields.site_name(name))
        texts = {"name": name, "host": row.host.name} | _texts(site)
        if not site.docroot or not site.account:
            texts = await _found_of(here, row, name) | texts
        await here.changes.add_site(here.by, _judged(texts, row))
        return await here.site(name)


async def change(settings: Settings, wanted: str | None, name: str, site: Wanted) -> SiteRow:
    """Changes what is given of a site. Raises ConfigError, RegistryError."""
    async with room(settings, wanted, "site") as here:
        row = await here.site(name)
        host = await here.host(site.host or row.site.host.name)
        before = {
            "name": name,
            "host": host.host.name,
            "docroot": row.site.docroot,
            "account": row.site.account,
            "url": row.site.url,
            "group": row.site.group,
            "hints": json.dumps(dict(row.hints)),
        }
        await here.changes.change_site(here.by, row.site.id, _judged(before | _texts(site), host))
        return await here.site(name)


async def remove(settings: Settings, wanted: str | None, name: str) -> SiteRow:
    """Takes a site out of the registry; its runs stay on record. Raises RegistryError."""
    async with room(settings, wanted, "site") as here:
        row = await here.site(name)
        await here.changes.remove_site(here.by, row.site.id)
        return row


async def set_group(settings: Settings, wanted: str | None, group: str, names: Sequence[str]) -> int:
    """Puts sites into a group, or with an empty one into none; how many were elsewhere. Raises RegistryError."""
    async with room(settings, wanted, "site") as here:
        fitting = fit(lambda: fields.group(group))
        return await here.changes.set_group(here.by, [(await here.site(name)).site.id for name in names], fitting)


async def take_in(
    settings: Settings, wanted: str | None, text: str, *, partly: bool, dry: bool
) -> tuple[Imported, bool]:
    """What a text of sites would do, and whether it was done. Nothing is where a line is refused, unless `partly`."""
    async with room(settings, wanted, "site") as here:
        hosts = {row.host.name: row.host.id for row in await here.hosts()}
        known = {row.site.name: as_new(row) for row in await here.sites()}
        imported = read_import(text, hosts, known)
        if dry or (imported.refused and not partly):
            return imported, False
        await here.changes.take_in(here.by, imported, partly=partly)
        return imported, True


async def discover(
    settings: Settings, wanted: str | None, host: str, places: Sequence[str] = (), tell: Tell = unheard
) -> Found:
    """The sites that are on a host. Raises RegistryError, HostError."""
    async with room(settings, wanted, "site") as here:
        return await _discovered(here, await here.host(host), places, tell)


async def add_found(settings: Settings, wanted: str | None, found: Found, names: Sequence[str] | None) -> Imported:
    """Adds sites that were found, all with a name of their own where `names` is None. Raises RegistryError.

    Raises ConfigError where one of `names` was not found, or is in the registry.
    """
    fresh = {str(site["name"]): site for site, known in found.sites if not known and site["name"]}
    unknown = [name for name in names or () if name not in fresh]
    if unknown:
        raise ConfigError(f"{unknown[0][:80]} was not found on {found.host}, or is here already: nothing was added")
    chosen = [fresh[name] for name in (fresh if names is None else names)]
    entries = [
        {"host": found.host} | {key: site[key] for key in ("name", "docroot", "account", "url")} for site in chosen
    ]
    if not entries:
        return Imported((), (), 0, ())
    imported, _ = await take_in(settings, wanted, json.dumps(entries), partly=True, dry=False)
    return imported


async def check(settings: Settings, wanted: str | None, names: Sequence[str], tell: Tell = unheard) -> list[Checked]:
    """What is missing: on the hosts of these sites, or on all, then on each site of a host that could be reached."""
    async with room(settings, wanted, "site") as here:
        rows = [await here.site(name) for name in names] if names else await here.sites()
        wanted_hosts = {row.site.host.id for row in rows}
        hosts = [row for row in await here.hosts() if not names or row.host.id in wanted_hosts]
        looking = here.looking
        of_hosts = [await looking.check_host(host, tell) for host in hosts]
        away = {
            each.name for each in of_hosts if any(one.name == "reach" and one.state != "ok" for one in each.findings)
        }
        there = [row for row in rows if row.site.host.name not in away]
        return [*of_hosts, *await looking.check_sites(there, tell)]


async def _discovered(here: Room, row: HostRow, places: Sequence[str] = (), tell: Tell = unheard) -> Found:
    told = dict(await here.looking.discover(row, tell, places))
    known = {(each.site.host.id, each.site.docroot) for each in await here.sites()}
    names = {each.site.name for each in await here.sites()}
    sites = tuple(
        (site, (row.host.id, site["docroot"]) in known or site["name"] in names) for site in told.pop("sites", ())
    )
    return Found(row.host.name, sites, told)


async def _found_of(here: Room, row: HostRow, name: str) -> dict[str, str]:
    """Docroot, user and address of a site, as its host has them. Raises ConfigError where it is not there once."""
    found = await _discovered(here, row)
    fitting = [site for site, _ in found.sites if name == site["name"] or name in site["aliases"]]
    if len(fitting) != 1:
        what = "is not found" if not fitting else "is found more than once"
        raise ConfigError(f"{name} {what} on {row.host.name}: say where it is with --docroot PATH --account USER")
    return {key: str(fitting[0][key]) for key in ("docroot", "account", "url") if fitting[0][key]}


def _texts(site: Wanted) -> dict[str, str]:
    given = site._asdict()
    given.pop("host")
    return {key: str(text) for key, text in given.items() if text is not None}


def _judged(texts: Mapping[str, str], host: HostRow) -> NewSite:
    try:
        return site_of(texts, {host.host.name: host.host.id})
    except Unfit as unfit:
        raise ConfigError(str(unfit)) from None
