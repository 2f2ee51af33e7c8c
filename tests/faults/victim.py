"""A worker that takes up one run and dies, or loses its host, or finds its disk full, at one step of it.

Everything is real: the database, the way to the host, the files. Only where it happens is chosen.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from steelyard.kit.ids import WorkspaceId
from steelyard.main.toolbox import run_ground
from steelyard.store.database import Connection, Database
from steelyard.toolbox.model import Action, Host, Json, RunId, encode
from steelyard.toolbox.reach import Errand, HostError, Reach, Reached, Tell
from steelyard.toolbox.run import work_on

Fault = Literal["kill", "lose", "fill", "cut", "full"]
When = Literal["before", "during", "after"]
READS = ("files.stat", "files.disk", "files.part", "http.get", "wordpress.read", "php.read")
"""Verbs that change nothing: nothing is lost with them."""


class Struck:
    """A way to hosts on which something happens at the `nth` call that changes anything, from 0."""

    def __init__(
        self, way: Reach, nth: int, fault: Fault, when: When, changes: Callable[[Action], bool], server: int = 0
    ) -> None:
        """`server`: the process whose connections are cut."""
        self.way, self.nth, self.fault, self.when, self.changes = way, nth, fault, when, changes
        self.server = server
        self.calls = 0
        self.struck = False

    @asynccontextmanager
    async def open(self, host: Host, errand: Errand) -> AsyncGenerator[Reached]:
        async with self.way.open(host, errand) as reached:
            yield _Struck(self, reached)

    async def strike(self) -> None:
        """What happens."""
        match self.fault:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "lose":
                for child in children(os.getpid()):
                    with suppress(ProcessLookupError):
                        os.killpg(child, signal.SIGKILL)  # each has a session of its own
                await asyncio.sleep(0.02)
                if self.when == "after":  # it had answered: what is lost is the answer
                    raise HostError("lost", "the connection broke", permanent=False)
            case "cut":
                for each in connections(self.server):
                    os.kill(each, signal.SIGKILL)
            case "fill":
                raise HostError("disk_full", "There is no room left on the disk")


class _Struck:
    def __init__(self, of: Struck, reached: Reached) -> None:
        self._of, self._reached = of, reached

    async def call(self, action: Action, tell: Tell) -> Json:
        of = self._of
        if not of.changes(action):
            return await self._reached.call(action, tell)
        number, of.calls = of.calls, of.calls + 1
        if number != of.nth or of.struck:
            return await self._reached.call(action, tell)
        of.struck = True
        if of.when == "before":
            await of.strike()
            return await self._reached.call(action, tell)
        work = asyncio.ensure_future(self._reached.call(action, tell))
        if of.when == "during":
            await asyncio.sleep(0.002)
        else:
            await asyncio.wait([work])
        await of.strike()
        return await work


def children(of: int) -> list[int]:
    """The processes that one started, such as a helper."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == of:
                found.append(int(entry.name))
    return found


def connections(server: int) -> list[int]:
    """The processes of an SSH server that serve connections; what they started for people is left to notice."""
    own = [each for each in children(server) if "sshd" in Path(f"/proc/{each}/comm").read_text()]
    return [*own, *(each for child in own for each in connections(child))]


def touches_of(reads: frozenset[str]) -> Callable[[Action], bool]:
    """What counts as a call that changes something: all but verbs that read, and commands that only show."""
    shows = ("/bin/cat", "/bin/sleep")
    return lambda action: (
        action.verb not in reads and not (action.verb == "run" and str(action.args.get("argv", [""])[0]) in shows)
    )


def among(actions: list[Json]) -> Callable[[Action], bool]:
    """What counts are these actions, which steps of a plan do."""
    return lambda action: encode(action) in actions


async def be_struck(asked: dict[str, Any]) -> None:
    """Takes up one run."""
    runbooks = Path(asked["runbooks"]) if asked["runbooks"] else None
    async with Database.open(asked["url"], size=4) as database:
        ground = run_ground(database, runbooks, Path(asked["keys"]), Path(asked["keys"]))
        way = ground.ways(WorkspaceId(asked["workspace"]))
        changes = among(asked["actions"]) if "actions" in asked else touches_of(frozenset(READS))
        struck = Struck(way, asked["nth"], asked["fault"], asked["when"], changes)

        async def slots(_: Connection) -> dict[str, Json]:
            return asked.get("slots", {})

        ground = replace(ground, ways=lambda _: struck, slots=slots, pauses=(0.05, 0.05))
        await work_on(ground, WorkspaceId(asked["workspace"]), RunId(asked["run"]))
        sys.stdout.write(json.dumps({"struck": struck.struck, "calls": struck.calls}))


if __name__ == "__main__":
    asyncio.run(be_struck(json.loads(sys.argv[1])))
