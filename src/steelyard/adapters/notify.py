"""Tells operators what is wrong, by whatever Apprise knows: Slack, Teams, e-mail, a web address and a hundred others.

The addresses hold secrets, so nothing here names one: it is a line of STEELYARD_ALARMS by its number, or what
the page of notifications calls it.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any, ClassVar
from urllib.parse import unquote_plus

from steelyard.kit.errors import RemoteError

TIMEOUT = 20.0
"""Seconds that one address may take."""


class NotifyError(RemoteError):
    """An address did not take a message. `code` is `unreadable`, `refused` or `timeout`."""

    permanent: ClassVar[bool] = False

    def __init__(self, where: str, code: str) -> None:
        self.code = code
        super().__init__(f"{where} {_SAID[code]}")


_SAID = {
    "unreadable": "is no address that Apprise knows: see its list of services for how to write it",
    "refused": "did not take the message: check the address and its token, then send a test to it",
    "timeout": f"did not answer within {TIMEOUT:.0f} s: is this machine allowed out to it?",
}

_OF_THE_MACHINE = frozenset(
    {"dbus", "fcm", "gio", "glib", "gnome", "growl", "kde", "macosx", "qt", "syslog", "vapid", "windows"}
)
"""Services that show a message on the worker's own machine, or read files there: no page may name one."""

_NAMES_A_FILE = re.compile(r"[?&;]\s*(template|keyfile|subfile|pgpkey)\s*=")
"""What makes a service send along, or read, a file of the worker's machine: its key files, say."""


class Apprise:
    """The addresses of STEELYARD_ALARMS, one per line, and any other. Apprise itself is loaded by the first message."""

    def __init__(self, lines: str) -> None:
        """`lines`: the setting as it is; empty for nobody to tell."""
        self._addresses = [line.strip() for line in lines.splitlines() if line.strip()]

    @property
    def addresses(self) -> int:
        """How many there are."""
        return len(self._addresses)

    async def unreadable(self) -> list[int]:
        """The addresses, from 0, that Apprise cannot read."""
        return [number for number, each in enumerate(self._addresses) if await asyncio.to_thread(_target, each) is None]

    async def send(self, address: int, title: str, body: str, over: bool) -> None:
        """Sends a plain text to one address; nothing where the setting no longer has it. Raises NotifyError."""
        if address < self.addresses:
            where = f"line {address + 1} of STEELYARD_ALARMS"
            await self.send_to(self._addresses[address], where, title, body, over)

    async def send_to(self, address: str, where: str, title: str, body: str, over: bool) -> None:
        """Sends a plain text to an address that errors call `where`. Raises NotifyError."""
        try:
            code = await asyncio.wait_for(asyncio.to_thread(_send, address, title, body, over), TIMEOUT)
        except TimeoutError:
            code = "timeout"
        if code:
            raise NotifyError(where, code)


async def usable(address: str) -> bool:
    """Whether somebody may enter `address` on a page: Apprise can read it, and it is not of the worker's machine."""
    service, plain = address.partition("://")[0].strip().lower(), address
    while (clearer := unquote_plus(plain)) != plain:
        plain = clearer
    if service in _OF_THE_MACHINE or _NAMES_A_FILE.search(plain.lower()):
        return False
    return await asyncio.to_thread(_target, address) is not None


def _send(address: str, title: str, body: str, over: bool) -> str:
    """A code, empty where it was taken. Blocks."""
    target = _target(address)
    if target is None:
        return "unreadable"
    library = _library()
    sender = library.Apprise()
    sender.add(target)
    kind = library.NotifyType.SUCCESS if over else library.NotifyType.WARNING
    taken = sender.notify(body, title, kind, body_format=library.NotifyFormat.TEXT, timeout=TIMEOUT)
    return "" if taken else "refused"


def _target(address: str) -> Any:
    return _library().Apprise.instantiate(address, suppress_exceptions=True)


def _library() -> Any:
    """Apprise: a second and 18 MB that a process with nothing to tell never spends."""
    import apprise

    # What it says names hosts and, at its finer levels, tokens.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    return apprise
