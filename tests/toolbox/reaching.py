"""A host for tests: the machine they run on, and verbs as they run there."""

from __future__ import annotations

import asyncio
import os
import pwd
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncssh

from steelyard.adapters.local import LocalReach
from steelyard.adapters.ssh import SshWay
from steelyard.demo.hosting import Hosting
from steelyard.toolbox.hosted.here import Failed, Place
from steelyard.toolbox.hosted.there import Command, There
from steelyard.toolbox.hosted.words import Ran
from steelyard.toolbox.model import Host, HostId, Site, SiteId, Token
from steelyard.toolbox.reach import Errand, HostError, Login, Reached
from steelyard.toolbox.shell import Shell

ACCOUNT = pwd.getpwuid(os.geteuid()).pw_name
HOST = Host(HostId(1), "here", "local", 22, ACCOUNT)
TOKEN = Token("0a1b2c3d")


def a_site(docroot: Path | str, **more: Any) -> Site:
    """A site on this machine, whose files are the tests' own."""
    fields: dict[str, Any] = {"name": "shop.example", "url": "https://shop.example", "account": ACCOUNT, "host": HOST}
    return Site(SiteId(1), docroot=str(docroot), **(fields | more))


@asynccontextmanager
async def reaching(
    site: Site | None, *, hold: bool = False, secrets: Mapping[str, str] | None = None
) -> AsyncGenerator[Reached]:
    """This machine, reached for a site as a run reaches it."""
    async with LocalReach().open(HOST, Errand(TOKEN, site, hold, secrets or {})) as reached:
        yield reached


class Keys:
    """How hosts are signed in on, for tests: by one log-in each, which a test may change."""

    def __init__(self, **logins: Login) -> None:
        self.logins = logins

    async def of(self, host: Host) -> Login:
        return self.logins[host.name]


def login_of(hosting: Hosting, **more: Any) -> Login:
    """How a real SSH server is signed in on."""
    sshd = hosting.sshd
    fields: dict[str, Any] = {"account": sshd.user, "host_key": sshd.host_key, "private_key": sshd.client_key}
    return Login("127.0.0.1", sshd.port, **(fields | more))


def host_of(hosting: Hosting, name: str = "web1") -> Host:
    """A real SSH server as a host."""
    return Host(HostId(7), name, "127.0.0.1", hosting.sshd.port, hosting.sshd.user)


@contextmanager
def there_over(hosting: Hosting, place: Place, said: Callable[[Any], None]) -> Generator[There]:
    """What verbs may touch of a host without Python, over a real SSH server."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def wait(what: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(what, loop).result()

    login = login_of(hosting)

    async def connected() -> asyncssh.SSHClientConnection:
        key = asyncssh.import_private_key(login.private_key)
        return await asyncssh.connect(
            login.address, login.port, username=login.account, known_hosts=None, config=None, client_keys=[key]
        )

    connection: asyncssh.SSHClientConnection = wait(connected())
    shell = Shell(SshWay(connection, "web1", login.account), "web1", "")
    shell.account, shell.home = place.account, place.home

    def command(wanted: Command) -> Ran:
        try:
            return wait(shell.run(wanted))
        except HostError as error:
            raise Failed(error.code, str(error)) from None

    try:
        yield There(place, said, command)
    finally:
        connection.close()
        wait(connection.wait_closed())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
