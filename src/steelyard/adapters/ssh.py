"""Reaches hosts over SSH: one connection a run, only to the pinned host key, by way of jump hosts.

Nothing of the worker's machine takes part: no known_hosts, no configuration, no agent, no key but the host's own.
"""

from __future__ import annotations

import asyncio
import shlex
import socket
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import asyncssh

from steelyard.toolbox.model import Host, HostId
from steelyard.toolbox.reach import Access, Errand, HostError, Login, Reached
from steelyard.toolbox.session import PYTHONS, Session
from steelyard.toolbox.way import Gone

asyncssh.set_log_level("WARNING")  # below, it logs command lines

CONNECT = 15.0
"""Seconds in which a host has to let us in."""
ALIVE, MISSED = 5.0, 3
"""Seconds between two signs of life, and how many may be missed before a connection is lost."""


class SshReach:
    """The way to a workspace's hosts."""

    def __init__(self, access: Access, pythons: Sequence[str] = PYTHONS) -> None:
        """`access`: the keys. `pythons`: where a Python for the helper may be on hosts."""
        self._access, self._pythons = access, pythons
        self.reads_code: dict[HostId, bool] = {}
        """Which hosts read this Python's bytecode, as far as is known."""

    @asynccontextmanager
    async def open(self, host: Host, errand: Errand) -> AsyncGenerator[Reached]:
        """See reach.Reach."""
        login = await self._access.of(host)
        async with AsyncExitStack() as connections:
            way = SshWay(await _signed_in(login, host.name, connections), host.name, login.account)
            session = Session(way, host, errand, self.reads_code, self._pythons)
            try:
                await session.begin()
                yield session
            finally:
                await asyncio.shield(session.leave())


async def _signed_in(login: Login, name: str, connections: AsyncExitStack) -> asyncssh.SSHClientConnection:
    """A connection, through those of the jump hosts, all of which end with `connections`."""
    tunnel = await _signed_in(login.via, f"the jump host of {name}", connections) if login.via else None
    try:
        async with asyncio.timeout(CONNECT):
            connection = await asyncssh.connect(
                login.address, login.port, tunnel=tunnel, username=login.account, **_credentials(login, name), **_ALONE
            )
    except TimeoutError:
        said = f"{name} ({login.address}:{login.port}) did not let us in within {CONNECT:.0f} s"
        raise HostError("unreachable", f"{said}: is it up, and is this machine allowed to it?") from None
    except (OSError, asyncssh.Error) as error:
        raise _not_in(error, login, name) from None
    connections.push_async_callback(_closed, connection)
    return connection


async def _closed(connection: asyncssh.SSHClientConnection) -> None:
    connection.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(2.0):
            await connection.wait_closed()
    connection.abort()


_ALONE: dict[str, Any] = {
    "config": None,
    "agent_path": None,
    "agent_forwarding": False,
    "x11_forwarding": False,
    "password_auth": False,
    "kbdint_auth": False,
    "host_based_auth": False,
    "gss_kex": False,
    "gss_auth": False,
    "preferred_auth": "publickey",
    "disable_trivial_auth": True,
    "x509_trusted_certs": None,
    "x509_trusted_cert_paths": [],
    "send_env": None,
    "connect_timeout": CONNECT,
    "login_timeout": CONNECT,
    "keepalive_interval": ALIVE,
    "keepalive_count_max": MISSED,
}


_KINDS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
"""Of host keys. A host without one of the pinned kind shall show what it has, and so be known for another."""


def _credentials(login: Login, name: str) -> dict[str, Any]:
    """The one key the host may show, and the one key we show."""
    try:
        pinned = asyncssh.import_public_key(login.host_key)
    except asyncssh.KeyImportError:
        raise HostError("host_key", f"The pinned key of {name} cannot be read: pin it again") from None
    try:
        key = asyncssh.import_private_key(login.private_key)
        shown: Any = (key, asyncssh.import_certificate(login.certificate)) if login.certificate else key
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
        raise HostError("refused", f"The key for {name} cannot be read: replace it") from None
    kinds = [each.decode() for each in pinned.sig_algorithms]
    return {
        "known_hosts": ([pinned], [], []),
        "server_host_key_algs": [*kinds, *(each for each in _KINDS if each not in kinds)],
        "client_keys": [shown],
    }


def _not_in(error: Exception, login: Login, name: str) -> HostError:
    """Why a host did not let us in."""
    where = f"{name} ({login.address}:{login.port})"
    if isinstance(error, asyncssh.HostKeyNotVerifiable | asyncssh.KeyExchangeFailed):
        said = f"{where} shows another host key than the one that was pinned, and was left at once"
        return HostError("host_key", f"{said}: find out why, and pin the new key only if its owner confirms it")
    if isinstance(error, asyncssh.PermissionDenied | asyncssh.IllegalUserName):
        said = f"{where} does not let {login.account} in with this key"
        return HostError("refused", f"{said}: put the lines there that `steelyard host prepare` prints")
    if isinstance(error, asyncssh.ChannelOpenError):
        return HostError("unreachable", f"{where} cannot be reached from the host before it: {error.reason}")
    why = getattr(error, "strerror", None) or getattr(error, "reason", None) or type(error).__name__
    return HostError("unreachable", f"{where} cannot be reached ({why}): is it up, and is this machine allowed to it?")


class SshWay:
    """Starts programs over one connection. The account's shell only ever sees words that are quoted."""

    def __init__(self, connection: asyncssh.SSHClientConnection, host: str, account: str) -> None:
        """`host`: its name, for messages."""
        self.account = account
        self._connection, self._host = connection, host

    async def start(self, argv: Sequence[str], become: str = "") -> _Program:
        """See way.Way."""
        line = ["/usr/bin/sudo", "-n", "-u", become, "--", *argv] if become else argv
        command: Any = ("exec " + " ".join(shlex.quote(each) for each in line)).encode("utf-8", "surrogateescape")
        asking = asyncio.ensure_future(self._connection.create_process(command, encoding=None, request_pty=False))
        try:
            await asyncio.sleep(0)  # it has asked
            self._acknowledge()
            process = await asking
        except (asyncssh.Error, OSError) as error:
            raise _lost(self._host, error) from None
        finally:
            asking.cancel()
        return _Program(process, self._host)

    def _acknowledge(self) -> None:
        """Has the kernel acknowledge at once what comes next.

        After signing in, sshd sends two small messages that nobody answers, and holds back its answer to us until they
        are acknowledged (Nagle): by themselves, kernels do that 40 ms later.
        """
        connected = self._connection.get_extra_info("socket")
        if connected is not None and sys.platform == "linux":  # None: it goes through another connection
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class _Program:
    def __init__(self, process: asyncssh.SSHClientProcess[bytes], host: str) -> None:
        self._process, self._host = process, host
        self._complained = bytearray()
        self._listening = asyncio.create_task(self._listen())

    async def write(self, data: bytes) -> None:
        try:
            self._process.stdin.write(data)
            await self._process.stdin.drain()
        except (asyncssh.Error, OSError) as error:
            raise _lost(self._host, error) from None

    def no_more(self) -> None:
        with suppress(asyncssh.Error, OSError):
            self._process.stdin.write_eof()

    async def read(self) -> bytes:
        try:
            return await self._process.stdout.read(262_144)
        except (asyncssh.Error, OSError) as error:
            raise _lost(self._host, error) from None

    async def gone(self) -> Gone:
        await asyncio.wait([self._listening], timeout=1.0)
        await self._process.wait_closed()
        status = self._process.returncode
        return Gone(-1 if status is None else status, self._complained.decode("utf-8", "replace"))

    def end(self) -> None:
        with suppress(asyncssh.Error, OSError):
            self._process.close()

    async def _listen(self) -> None:
        """Keeps the end of what it complains of."""
        with suppress(asyncssh.Error, OSError):
            while piece := await self._process.stderr.read(65_536):
                self._complained = (self._complained + piece)[-65_536:]


def _lost(host: str, error: Exception) -> HostError:
    why = getattr(error, "reason", "") or type(error).__name__
    return HostError("lost", f"The connection with {host} was lost ({why}): try again", permanent=False)
