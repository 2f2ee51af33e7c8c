"""How a host's key comes to be pinned: given as a line, or shown by the host and compared by somebody."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from steelyard.adapters.host_key import read_host_key
from steelyard.kit.errors import ConfigError, KeyFileError
from steelyard.main.hosts import Hosts
from steelyard.operations.registry import Room
from steelyard.toolbox import fields
from steelyard.toolbox.fields import Unfit
from steelyard.toolbox.keys import fingerprint
from steelyard.toolbox.looking import unheard
from steelyard.toolbox.model import By, HostId, Token
from steelyard.toolbox.reach import Errand, HostError
from steelyard.toolbox.registry import find_host
from steelyard.toolbox.registry_rows import NewHost
from steelyard.toolbox.tools import commands

_SCAN: Final = ("ssh-keyscan", "-T", "10", "-t", "ed25519,ecdsa,rsa")
"""Asked of the host before: it opens ways to registered hosts alone, and this one is none yet."""

Compare = Callable[[str, str], bool]
"""Asks somebody whether the key of a host, by its kind and fingerprint, is the one that they see on it."""


class Pin(NamedTuple):
    """How a host's key comes to be pinned: as a line, by its fingerprint, or by somebody who compares it."""

    line: str = ""
    fingerprint: str = ""
    compare: Compare | None = None


async def pinned(here: Room, new: NewHost, pin: Pin) -> str:
    """The key of a host that somebody vouched for. Raises ConfigError where nobody did."""
    if pin.line:
        try:
            return fields.host_key(pin.line)
        except Unfit as unfit:
            raise ConfigError(str(unfit)) from None
    if new.via is None:
        shown = await read_host_key(new.address, new.port)
    else:
        shown = await _shown_to(here, HostId(new.via), new)
    print_of = fingerprint(shown)
    if pin.fingerprint:
        if pin.fingerprint != print_of:
            raise ConfigError(
                f"{new.address}:{new.port} shows a key with the fingerprint {print_of}, not {pin.fingerprint[:60]}: do"
                " not go on before you know why"
            )
        return shown
    if pin.compare is None or not pin.compare(shown.split()[0], print_of):
        raise ConfigError(
            f"nothing was pinned: compare {print_of} with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` says"
            " on the host, then answer yes, or give it with --fingerprint"
        )
    return shown


async def _shown_to(here: Room, via: HostId, new: NewHost) -> str:
    """The best key that a host shows to the one before it."""
    async with here.database.transaction(here.workspace) as conn:
        row = await find_host(conn, via)
    assert row is not None  # noqa: S101 - it was looked up by its name
    by_hand = "copy the line of its /etc/ssh/ssh_host_ed25519_key.pub and give it with --host-key"
    scan = commands.run([*_SCAN, "-p", str(new.port), "--", new.address], good=(0, 1), by=By.SUPPORT)
    hosts = Hosts(here.database, here.workspace, here.settings.keys)
    try:
        async with hosts.open(row.host, Errand(Token(secrets.token_hex(4)))) as reached:
            said = str((await reached.call(scan, unheard))["out"])
    except (HostError, KeyFileError) as error:
        raise ConfigError(f"its key cannot be read by way of {row.host.name} ({error}): {by_hand}") from None
    lines = [line for line in said.splitlines() if not line.startswith("#")]
    for line in (line for kind in fields.KEY_KINDS for line in lines if kind in line.split()):
        with suppress(Unfit):
            return fields.host_key(line)
    raise ConfigError(f"{row.host.name} finds no SSH server at {new.address}:{new.port}: is it on? Or {by_hand}")
