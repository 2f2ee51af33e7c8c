"""Hosts: adding them with their key pinned, what is put on them, and the keys with which workers sign in."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import NamedTuple

from steelyard.adapters.ssh import SshReach
from steelyard.config import Settings
from steelyard.kit.errors import ConfigError, KeyFileError
from steelyard.kit.ids import WorkspaceId
from steelyard.operations.pinning import Pin, pinned
from steelyard.operations.registry import Room, room
from steelyard.toolbox import fields
from steelyard.toolbox.access import Keyring
from steelyard.toolbox.changes import host_as_new
from steelyard.toolbox.fields import Unfit
from steelyard.toolbox.host_secrets import host_secret_names
from steelyard.toolbox.keys import Certified, SshKey, key_named, list_keys
from steelyard.toolbox.looking import Checked, unheard
from steelyard.toolbox.model import Action, By, Host, HostId, Token
from steelyard.toolbox.prepare import Prepared
from steelyard.toolbox.reach import Errand, HostError, Login
from steelyard.toolbox.registry_rows import HostRow, NewHost


class Wanted(NamedTuple):
    """A host as it was asked for. None: as it is, or the usual."""

    address: str | None = None
    port: int | None = None
    account: str | None = None
    via: str | None = None
    """The name of a host; empty: none any more."""
    key: str | None = None
    hints: str | None = None
    local: bool = False


class Revoked(NamedTuple):
    """What a revocation did. `left`: for each host, the line that lets the key in, and whether it was taken out."""

    keys: tuple[SshKey, ...]
    left: tuple[Left, ...]


class Left(NamedTuple):
    """What of a revoked key may still be on a host."""

    host: str
    account: str
    line: str
    removed: bool
    why: str = ""


def fit(said: Callable[[], str]) -> str:
    """A text that was judged. Raises ConfigError in place of Unfit."""
    try:
        return said()
    except Unfit as unfit:
        raise ConfigError(str(unfit)) from None


async def add(settings: Settings, wanted: str | None, name: str, host: Wanted, pin: Pin) -> HostRow:
    """Adds a host with its key pinned. Raises ConfigError, RegistryError."""
    async with room(settings, wanted, "host") as here:
        new = await _new(here, NewHost(fit(lambda: fields.host_name(name)), "", "steelyard", local=host.local), host)
        if not new.local:
            new = new._replace(host_key=await pinned(here, new, pin))
            if new.key is None:
                new = new._replace(key=await _only_key(here))
        await here.changes.add_host(here.by, new)
        return await here.host(new.name)


async def change(settings: Settings, wanted: str | None, name: str, host: Wanted) -> HostRow:
    """Changes what is given of a host; its pinned key stays. Raises ConfigError, RegistryError."""
    async with room(settings, wanted, "host") as here:
        row = await here.host(name)
        await here.changes.change_host(here.by, row.host.id, await _new(here, host_as_new(row), host))
        return await here.host(name)


async def rekey(settings: Settings, wanted: str | None, name: str, pin: Pin) -> HostRow:
    """Pins another key of a host, whose key was changed on purpose. Raises ConfigError, RegistryError."""
    async with room(settings, wanted, "host") as here:
        row = await here.host(name)
        if row.local:
            raise ConfigError(f"{name} is the machine of the workers: it has no host key to pin")
        new = host_as_new(row)
        await here.changes.change_host(here.by, row.host.id, new._replace(host_key=await pinned(here, new, pin)))
        return await here.host(name)


async def remove(settings: Settings, wanted: str | None, name: str) -> None:
    """Takes a host out of the registry. Raises RegistryError where something depends on it."""
    async with room(settings, wanted, "host") as here:
        await here.changes.remove_host(here.by, (await here.host(name)).host.id)


async def listed(settings: Settings, wanted: str | None) -> list[HostRow]:
    """All hosts."""
    async with room(settings, wanted, "host") as here:
        return await here.hosts()


async def prepare(
    settings: Settings, wanted: str | None, name: str, versions: Sequence[str], source: str
) -> tuple[HostRow, Prepared]:
    """What goes onto a host. Raises RegistryError."""
    async with room(settings, wanted, "host") as here:
        row = await here.host(name)
        if row.key is None and not row.local:
            raise ConfigError(f"{name} has no key: `steelyard host change {name} --key KEY`")
        return row, await here.looking.prepared(row, versions, source)


async def check(settings: Settings, wanted: str | None, name: str) -> Checked:
    """What is missing on a host. Raises RegistryError."""
    async with room(settings, wanted, "host") as here:
        return await here.looking.check_host(await here.host(name))


async def _new(here: Room, new: NewHost, wanted: Wanted) -> NewHost:
    """`new` with what was asked for in its places."""
    via = new.via
    if wanted.via is not None:
        via = (await here.host(wanted.via)).host.id if wanted.via else None
    key = new.key
    if wanted.key is not None:
        async with here.database.transaction(here.workspace) as conn:
            key = (await key_named(conn, wanted.key)).key
    try:
        return new._replace(
            address=new.address if wanted.address is None else fields.address(wanted.address),
            port=new.port if wanted.port is None else fields.port(wanted.port),
            account=new.account if wanted.account is None else fields.account(wanted.account),
            hints=new.hints if wanted.hints is None else fields.hints(wanted.hints),
            via=via,
            key=key,
        )
    except Unfit as unfit:
        raise ConfigError(str(unfit)) from None


async def _only_key(here: Room) -> int:
    async with here.database.transaction(here.workspace) as conn:
        keys = [each for each in await list_keys(conn) if each.revoked_at is None]
    if len(keys) != 1:
        have = ", ".join(each.name for each in keys)
        raise ConfigError(
            f"say which key signs in, with --key: there are {have}"
            if keys
            else "there is no key to sign in with yet: make one with `steelyard host key make NAME`"
        )
    return keys[0].key


# Keys


async def make_key(settings: Settings, wanted: str | None, name: str) -> SshKey:
    """Makes a key with which workers sign in. Raises RegistryError, KeyFileError."""
    async with room(settings, wanted, "host key") as here:
        return await here.changes.make_key(here.by, fit(lambda: fields.host_name(name)), here.keys)


async def keys(settings: Settings, wanted: str | None) -> list[SshKey]:
    """All keys, the revoked ones too."""
    async with room(settings, wanted, "host key") as here, here.database.transaction(here.workspace) as conn:
        return await list_keys(conn)


async def certify(settings: Settings, wanted: str | None, name: str, line: str) -> Certified:
    """Gives a key the certificate that the operator's authority made for it. Raises RegistryError."""
    async with room(settings, wanted, "host key") as here:
        return await here.changes.certify(here.by, name, line)


async def revoke(settings: Settings, wanted: str | None, names: Sequence[str] | None, *, remove: bool) -> Revoked:
    """Revokes keys, all of them where `names` is None: their private halves are erased, nothing runs with them again.

    With `remove`, each host is asked to take the key out, with what was opened before; that may fail, the revocation
    does not.
    """
    async with room(settings, wanted, "host revoke") as here:
        rows = await here.hosts()
        logins = await _logins(here, rows) if remove else {}
        gone = await here.changes.revoke(here.by, names)
        numbers = {each.key: each for each in gone}
        left = [(row, numbers[row.key]) for row in rows if row.key in numbers]
        taken = await asyncio.gather(*(_taken_out(here.workspace, row, key, logins) for row, key in left))
        return Revoked(tuple(gone), tuple(taken))


async def _logins(here: Room, rows: Sequence[HostRow]) -> dict[HostId, Login]:
    """How each host is signed in on, while that can still be opened."""
    keyring = Keyring(here.database, here.workspace, here.keys, lambda: here.by.now)
    found: dict[HostId, Login] = {}
    for row in rows:
        try:
            found[row.host.id] = await keyring.of(row.host)
        except (HostError, KeyFileError):
            continue  # it is revoked all the same
    return found


class _Known(NamedTuple):
    """Access by what was opened before."""

    login: Login

    async def of(self, host: Host) -> Login:
        return self.login


async def _taken_out(workspace: WorkspaceId, row: HostRow, key: SshKey, logins: dict[HostId, Login]) -> Left:
    left = Left(row.host.name, row.host.account, key.public, removed=False)
    login = logins.get(row.host.id)
    if login is None:
        return left
    action = Action("keys.remove", {"keys": [key.public.split()[1]]}, By.SUPPORT)
    try:
        async with SshReach(_Known(login)).open(row.host, Errand(Token(secrets.token_hex(4)))) as reached:
            answer = await reached.call(action, unheard)
    except HostError as error:
        return left._replace(why=str(error))
    return left._replace(removed=answer["removed"] > 0)


# Secrets of a host's services


async def keep_secret(settings: Settings, wanted: str | None, host: str, name: str, value: str) -> None:
    """Keeps what a service of a host asks for, sealed for workers. Raises RegistryError, KeyFileError."""
    async with room(settings, wanted, "host secret") as here:
        row = await here.host(host)
        await here.changes.keep_secret(here.by, row.host.id, name, value, here.keys)


async def drop_secret(settings: Settings, wanted: str | None, host: str, name: str) -> None:
    """Erases such a secret. Raises ConfigError where it is not there."""
    async with room(settings, wanted, "host secret") as here:
        row = await here.host(host)
        if await here.changes.drop_secret(here.by, row.host.id, name):
            return
        async with here.database.transaction(here.workspace) as conn:
            known = ", ".join(await host_secret_names(conn, row.host.id)) or "none"
        raise ConfigError(f"{host} has no secret of that name: it has {known}")
