"""How fast a host is reached over SSH: a new connection with its helper, and calls over it.

Paired with a command over asyncssh alone on the same server, in the same round; medians of five rounds.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from pathlib import Path

import asyncssh

from _ground import median, result, rounds, say
from steelyard.adapters.ssh import SshReach
from steelyard.demo.hosting import Hosting
from steelyard.toolbox.model import Action, Host, HostId, Site, SiteId, Token
from steelyard.toolbox.reach import Errand, Line, Login, Progress, Reached
from steelyard.toolbox.tools import commands, files

CALLS = 50


def main() -> None:
    """Runs the rounds and prints the result."""
    folder = Path(tempfile.mkdtemp(prefix="steelyard-bench-reach-"))
    folder.chmod(0o755)
    try:
        with Hosting.start(folder / "host", {"sshd"}) as hosting:
            asyncio.run(measured(hosting))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def measured(hosting: Hosting) -> None:
    """Five rounds: each a new connection of ours, and one of the library alone."""
    ways = {"helper": SshReach(Keys(hosting)), "plain": SshReach(Keys(hosting), ("/none",))}
    taken: dict[str, list[float]] = {}
    for number in rounds():
        for name, reach in ways.items():
            for what, seconds in (await reached(reach, hosting)).items():
                taken.setdefault(f"{name}_{what}", []).append(seconds * 1000)
        taken.setdefault("alone_connect", []).append(await alone(hosting) * 1000)
        say(f"round {number}: { ({name: round(each[-1], 1) for name, each in taken.items()}) }")
    middle = {name: round(median(each), 2) for name, each in taken.items()}
    result(
        connect_ms=middle["helper_connect"],
        look_ms=middle["helper_look"],
        command_ms=middle["helper_command"],
        plain_connect_ms=middle["plain_connect"],
        plain_look_ms=middle["plain_look"],
        alone_connect_ms=middle["alone_connect"],
        ratio=round(middle["plain_look"] / middle["helper_look"], 1),
        paired_with="one command over asyncssh alone; ratio: a look by a plain command over one by the helper",
    )


async def reached(reach: SshReach, hosting: Hosting) -> dict[str, float]:
    """Seconds until the first call is answered over a new connection, and of a call after that."""
    host = Host(HostId(1), "bench", "127.0.0.1", hosting.sshd.port, hosting.sshd.user)
    site = Site(SiteId(1), "shop.example", "https://shop.example", str(hosting.folder), hosting.sshd.user, host)
    began = time.perf_counter()
    async with reach.open(host, Errand(Token("0a1b2c3d"), site, hold=True)) as there:
        look = files.stat([str(hosting.folder)])
        await there.call(look, unheard)
        taken = {"connect": time.perf_counter() - began}
        for what, action in (("look", look), ("command", commands.run(["true"]))):
            taken[what] = await calls(there, action)
    return taken


async def calls(there: Reached, action: Action) -> float:
    """Seconds of one of many calls."""
    began = time.perf_counter()
    for _ in range(CALLS):
        await there.call(action, unheard)
    return (time.perf_counter() - began) / CALLS


async def alone(hosting: Hosting) -> float:
    """Seconds of a new connection and one command, by the library alone."""
    sshd = hosting.sshd
    pinned, key = asyncssh.import_public_key(sshd.host_key), asyncssh.import_private_key(sshd.client_key)
    began = time.perf_counter()
    async with asyncssh.connect(
        "127.0.0.1", sshd.port, username=sshd.user, config=None, known_hosts=([pinned], [], []), client_keys=[key]
    ) as connection:
        await connection.run("exec true")
        return time.perf_counter() - began


class Keys:
    """How the host is signed in on."""

    def __init__(self, hosting: Hosting) -> None:
        self._hosting = hosting

    async def of(self, host: Host) -> Login:
        """The same for every host."""
        sshd = self._hosting.sshd
        return Login("127.0.0.1", sshd.port, sshd.user, sshd.host_key, sshd.client_key)


def unheard(_: Line | Progress) -> None:
    """Nobody listens."""


if __name__ == "__main__":
    main()
