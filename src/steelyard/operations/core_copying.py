"""Copying core slots to hosts, and beside sites, ahead of need."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import NamedTuple

from steelyard.config import Settings
from steelyard.kit.errors import SlotError
from steelyard.main.hosts import Hosts
from steelyard.operations.core_slots import Say
from steelyard.operations.registry import Room, room
from steelyard.toolbox.model import Token
from steelyard.toolbox.reach import Errand
from steelyard.toolbox.registry_rows import HostRow
from steelyard.toolbox.slots import offered, read_slots, read_trusted
from steelyard.toolbox.slots_bring import bring
from steelyard.toolbox.slots_keys import TRUSTED
from steelyard.toolbox.tools import core


class Copied(NamedTuple):
    """What came of copying to a host."""

    host: str
    name: str
    brought: bool
    spares: int
    failed: str


async def copy(
    settings: Settings, workspace: str | None, hosts: Sequence[str], sites: Sequence[str], say: Say
) -> list[Copied]:
    """Brings the newest slot of each language to hosts (all of them where none is named), and makes spares for sites.

    A spare is a copy beside the site's folder that its next reset takes, so that it copies nothing then.
    """
    async with room(settings, workspace, "core") as found:
        known = [await found.host(name) for name in hosts] or ([] if sites else await found.hosts())
        wanted = await _offered(settings, found)
        done = [await _copy_to(settings, found, host, slot, say) for host in known for slot in wanted]
        for name in sites:
            done += [await _spare(settings, found, name, slot, say) for slot in wanted]
    return done


async def _offered(settings: Settings, found: Room) -> list[core.Slot]:
    async with found.database.cell() as conn:
        all = core.slots(offered(await read_slots(conn), read_trusted(settings.keys / TRUSTED)))
    newest: dict[str, core.Slot] = {}
    for each in all:
        newest.setdefault(each.locale, each)
    if not newest:
        raise SlotError("there is no slot that this machine trusts: add one by `steelyard core add`")
    return list(newest.values())


async def _copy_to(settings: Settings, found: Room, row: HostRow, slot: core.Slot, say: Say) -> Copied:
    host = row.host
    hosts = Hosts(found.database, found.workspace, settings.keys)
    folder = str(row.hints.get("slots", ""))
    token = _token()
    asked = {"name": slot.name, "sha256": slot.sha256, "account": host.account, "mark": token}
    try:
        async with hosts.open(host, Errand(token)) as reached:
            told = await bring(reached, settings.slots, asked, folder, lambda _: None)
    except Exception as error:  # the other hosts get theirs
        return Copied(host.name, slot.name, False, 0, str(error))
    say(f"{host.name}: {slot.name} {'brought' if told['brought'] else 'is there already'}")
    return Copied(host.name, slot.name, bool(told["brought"]), 0, "")


async def _spare(settings: Settings, found: Room, name: str, slot: core.Slot, say: Say) -> Copied:
    site = (await found.site(name)).site
    copied = await _copy_to(settings, found, await found.host(site.host.name), slot, say)
    if copied.failed:
        return copied
    hosts = Hosts(found.database, found.workspace, settings.keys)
    try:
        async with hosts.open(site.host, Errand(_token(), site)) as reached:
            there = await reached.call(core.look(site, [slot]), lambda _: None)
            action = core.spare(site.docroot, f"{there['folder']}/{slot.name}", slot.sha256)
            await reached.call(action, lambda _: None)
    except Exception as error:
        return copied._replace(failed=str(error))
    say(f"{name}: a spare of {slot.name} lies beside the site")
    return copied._replace(spares=1)


def _token() -> Token:
    return Token(secrets.token_hex(4))
