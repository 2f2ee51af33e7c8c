"""The way programs are started on a host: what adapters give, and sessions use. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Gone(NamedTuple):
    """How a program ended."""

    status: int
    """Its exit status; negative where a signal or the loss of the connection ended it."""
    complained: str
    """The end of what it wrote as errors."""


class Program(Protocol):
    """A program that runs on a host. Raises HostError `lost` where the connection is."""

    async def write(self, data: bytes) -> None:
        """Gives it input, as fast as it takes it."""
        ...

    def no_more(self) -> None:
        """Its input ends."""
        ...

    async def read(self) -> bytes:
        """Some of what it writes, 256 kB at most; empty at the end."""
        ...

    async def gone(self) -> Gone:
        """Waits until it has ended."""
        ...

    def end(self) -> None:
        """Ends it, as far as that is possible from here."""
        ...


class Way(Protocol):
    """The way to one host, while it is reached."""

    account: str
    """Who programs are run by."""

    async def start(self, argv: Sequence[str], become: str = "") -> Program:
        """Starts a program, never by a shell. `become`: another account of the host. Raises HostError."""
        ...
