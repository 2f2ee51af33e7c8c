"""Reaches the machine that the worker itself runs on: for sites beside Steelyard, the demo and tests.

The contract is the one of adapters/ssh.py, without a connection. A host is this machine where its address is `local`.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress

from steelyard.toolbox.hosted.words import PATH
from steelyard.toolbox.model import Host, HostId
from steelyard.toolbox.reach import Errand, HostError, Reached
from steelyard.toolbox.session import PYTHONS, Session
from steelyard.toolbox.way import Gone

ADDRESS = "local"
"""The address of a host that is this machine."""


class LocalReach:
    """The way to this machine, as the account that Steelyard runs as; as others' by sudo, or as root."""

    def __init__(self, pythons: Sequence[str] = PYTHONS) -> None:
        """`pythons`: where a Python for the helper may be."""
        self._pythons = pythons
        self.reads_code: dict[HostId, bool] = {}
        """Which hosts read this Python's bytecode, as far as is known."""

    @asynccontextmanager
    async def open(self, host: Host, errand: Errand) -> AsyncGenerator[Reached]:
        """See reach.Reach."""
        session = Session(_Here(host), host, errand, self.reads_code, self._pythons)
        try:
            await session.begin()
            yield session
        finally:
            await asyncio.shield(session.leave())


class _Here:
    """Starts programs on this machine. Steelyard's own environment stays its own."""

    def __init__(self, host: Host) -> None:
        self.account = pwd.getpwuid(os.geteuid()).pw_name
        self._host = host

    async def start(self, argv: Sequence[str], become: str = "") -> _Program:
        account = become if become and os.geteuid() == 0 else self.account
        clean = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": self._home_of(account), "USER": account}
        line = [*self._as(become), *argv] if become else argv
        try:
            process = await asyncio.create_subprocess_exec(
                *line, stdin=-1, stdout=-1, stderr=-1, env=clean, cwd="/", start_new_session=True
            )
        except OSError as error:
            code = "no_sudo" if become else "missing"
            raise HostError(code, f"{line[0]} cannot be started on {self._host.name}: {error.strerror}") from None
        return _Program(process)

    def _home_of(self, account: str) -> str:
        try:
            return pwd.getpwnam(account).pw_dir
        except KeyError:
            raise HostError("no_sudo", f"{self._host.name} has no account {account}") from None

    def _as(self, account: str) -> list[str]:
        """What has a program run as another account: none of our own groups stays with it."""
        if os.geteuid() != 0:
            return ["/usr/bin/sudo", "-n", "-u", account, "--"]
        group = pwd.getpwnam(account).pw_gid
        return ["/usr/bin/setpriv", f"--reuid={account}", f"--regid={group}", "--init-groups", "--"]


class _Program:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._complained = bytearray()
        self._listening = asyncio.create_task(self._listen())

    async def write(self, data: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101
        try:
            self._process.stdin.write(data)
            await self._process.stdin.drain()
        except (ConnectionError, RuntimeError):
            raise HostError("lost", "What ran here takes no more input", permanent=False) from None

    def no_more(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()

    async def read(self) -> bytes:
        assert self._process.stdout is not None  # noqa: S101
        return await self._process.stdout.read(262_144)

    async def gone(self) -> Gone:
        await asyncio.wait([self._listening], timeout=1.0)
        status = await self._process.wait()
        return Gone(status, self._complained.decode("utf-8", "replace"))

    def end(self) -> None:
        self.no_more()
        with suppress(ProcessLookupError, PermissionError):
            if self._process.returncode is None:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process._transport.close()  # type: ignore[attr-defined]  # nothing else closes pipes that nobody reads

    async def _listen(self) -> None:
        """Keeps the end of what it complains of."""
        assert self._process.stderr is not None  # noqa: S101
        while piece := await self._process.stderr.read(65_536):
            self._complained = (self._complained + piece)[-65_536:]
