"""Reaching a host: what a run needs of it. adapters/ssh.py and adapters/local.py pass the same tests. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from steelyard.kit.errors import RemoteError
from steelyard.toolbox.model import Action, Host, Json, Site, Token


class HostError(RemoteError):
    """Something on a host did not succeed. The message says what, on which host, and what to do next.

    Codes of what keeps a host from being reached: `unreachable`, `lost`, `host_key` (it is not the pinned one),
    `refused` (the key), `no_python`, `no_sudo`, `revoked`. Of a verb: `failed`, `timed_out`, `disk_full`, `denied`,
    `missing`, `bad_output`, `busy` (another run holds the site), or the verb's own.
    """

    def __init__(self, code: str, message: str, *, permanent: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.permanent = permanent  # pyright: ignore[reportIncompatibleVariableOverride, reportAttributeAccessIssue]


class Line(NamedTuple):
    """Something said while a verb works: hostile text, already cut to a length."""

    level: str
    """info, warning or error."""
    said: str


class Progress(NamedTuple):
    """How far a verb is: `done` of `total` (0: not known), and of what, such as `files`."""

    done: int
    total: int
    what: str


Tell = Callable[[Line | Progress], None]


@dataclass(frozen=True, slots=True)
class Errand:
    """What a host is reached for."""

    token: Token
    site: Site | None = None
    """Where it is for a site: whose user acts, and what is held."""
    hold: bool = False
    """Whether no other errand may be at this site meanwhile: a lock on the host, which ends with the connection."""
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """By the names of `Secret`s."""


class Reached(Protocol):
    """A host, reached: one connection, for one run."""

    async def call(self, action: Action, tell: Tell) -> Json:
        """Does one action and returns its answer. Raises HostError. Cancelling it ends the action on the host."""
        ...


class Reach(Protocol):
    """The way to hosts. Only a worker has one: it holds the keys."""

    def open(self, host: Host, errand: Errand) -> AbstractAsyncContextManager[Reached]:
        """Connects; raises HostError. Leaving the block ends whatever still runs there."""
        ...


@dataclass(frozen=True, slots=True)
class Login:
    """How a host is signed in on. Never logged, never kept longer than the connection."""

    address: str
    port: int
    account: str
    host_key: str
    """The only one it may show, as in known_hosts: kind and key."""
    private_key: str = field(repr=False)
    """OpenSSH's or PEM text, without a passphrase."""
    certificate: str = ""
    """OpenSSH's, of that key; empty where the key itself is authorized."""
    via: Login | None = None
    """The host through which it is reached."""


class Access(Protocol):
    """The keys of one workspace: what signs in on its hosts."""

    async def of(self, host: Host) -> Login:
        """How to sign in on a host. Raises HostError `revoked` where its key is no longer to be used."""
        ...
