"""Tells operators what is wrong, by whatever Apprise knows: Slack, Teams, e-mail, a web address and a hundred others.

The addresses hold secrets, so nothing here names one: an address is the number of its line in STEELYARD_ALARMS.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, ClassVar

from steelyard.kit.errors import RemoteError

TIMEOUT = 20.0
"""Seconds that one address may take."""


class NotifyError(RemoteError):
    """An address of STEELYARD_ALARMS did not take a message. `code` is `unreadable`, `refused` or `timeout`."""

    permanent: ClassVar[bool] = False

    def __init__(self, address: int, code: str) -> None:
        self.code = code
        super().__init__(f"line {address + 1} of STEELYARD_ALARMS {_SAID[code]}")


_SAID = {
    "unreadable": "is no address that Apprise knows: see its list of services for how to write it",
    "refused": "did not take the message: check the address and its token, then `steelyard doctor --try-alarm`",
    "timeout": f"did not answer within {TIMEOUT:.0f} s: is this machine allowed out to it?",
}


class Apprise:
    """The addresses of STEELYARD_ALARMS, one per line. Apprise itself is loaded by the first message."""

    def __init__(self, lines: str) -> None:
        """`lines`: the setting as it is; empty for nobody to tell."""
        self._addresses = [line.strip() for line in lines.splitlines() if line.strip()]

    @property
    def addresses(self) -> int:
        """How many there are."""
        return len(self._addresses)

    async def unreadable(self) -> list[int]:
        """The addresses, from 0, that Apprise cannot read."""
        return [each for each in range(self.addresses) if await asyncio.to_thread(self._target, each) is None]

    async def send(self, address: int, title: str, body: str, over: bool) -> None:
        """Sends a plain text to one address; nothing where the setting no longer has it. Raises NotifyError."""
        if address >= self.addresses:
            return
        try:
            code = await asyncio.wait_for(asyncio.to_thread(self._send, address, title, body, over), TIMEOUT)
        except TimeoutError:
            code = "timeout"
        if code:
            raise NotifyError(address, code)

    def _send(self, address: int, title: str, body: str, over: bool) -> str:
        """A code, empty where it was taken. Blocks."""
        target = self._target(address)
        if target is None:
            return "unreadable"
        library = _library()
        sender = library.Apprise()
        sender.add(target)
        kind = library.NotifyType.SUCCESS if over else library.NotifyType.WARNING
        taken = sender.notify(body, title, kind, body_format=library.NotifyFormat.TEXT, timeout=TIMEOUT)
        return "" if taken else "refused"

    def _target(self, address: int) -> Any:
        return _library().Apprise.instantiate(self._addresses[address], suppress_exceptions=True)


def _library() -> Any:
    """Apprise: a second and 18 MB that a process with nothing to tell never spends."""
    import apprise

    # What it says names hosts and, at its finer levels, tokens.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    return apprise
