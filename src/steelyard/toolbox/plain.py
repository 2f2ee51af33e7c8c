"""A host without Python, as the worker works on it: verbs run here, in threads; what they touch is commands there."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from hashlib import sha256

from steelyard.toolbox import bundle
from steelyard.toolbox.foreign import parse, sent
from steelyard.toolbox.helped import HOLD, START, Said, Wanted, nested
from steelyard.toolbox.hosted import scripts
from steelyard.toolbox.hosted.grounds import WAIT
from steelyard.toolbox.hosted.here import Failed, Place
from steelyard.toolbox.hosted.there import Command, There
from steelyard.toolbox.hosted.verbs import module_of, outcome
from steelyard.toolbox.hosted.words import Ran
from steelyard.toolbox.leaving import left
from steelyard.toolbox.model import Json
from steelyard.toolbox.reach import HostError
from steelyard.toolbox.shell import Begun, Shell
from steelyard.toolbox.way import Way
from steelyard.toolbox.wrong import host_error

_WHO = """
uid=$(id -u); home=$(getent passwd "$uid" | cut -d: -f6)
[ -n "$home" ] || home=$(awk -F: -v uid="$uid" '$3 == uid { print $6; exit }' /etc/passwd)
real=$(readlink -f -- "$home"); own=other; [ -O "$real" ] && [ -w "$real" ] && own=own
docroot=; [ -n "$1" ] && docroot=$(readlink -f -- "$1")
printf '%s\\n' "$uid" "$(id -un)" "$home" "$real" "$own" "$docroot"
"""
_HOLD = 'command -v flock >/dev/null || exit 97; exec flock -w "$2" "$1" sh -c "echo held; exec cat"'


class Plain:
    """Does verbs by plain commands, for one account."""

    def __init__(self, shell: Shell, wanted: Wanted, place: Place, docroot: str) -> None:
        """`docroot`: with all links resolved; empty where there is none."""
        self._shell, self._wanted, self._place, self._docroot = shell, wanted, place, docroot
        self._loop = asyncio.get_running_loop()
        self._lock: Begun | None = None

    @classmethod
    async def start(cls, way: Way, wanted: Wanted) -> Plain:
        """Finds out who it is there, and takes the lock on the site where that is wanted. Raises HostError."""
        shell = Shell(way, wanted.host, wanted.become)
        who = wanted.become or wanted.account
        try:
            async with asyncio.timeout(START + (HOLD if wanted.hold else 0)):
                plain = cls(shell, wanted, *await _looked_around(shell, wanted))
                if wanted.hold:
                    await plain._hold()
                return plain
        except TimeoutError:
            said = f"{wanted.host} let {who} in, but runs no command: look for what waits in its start-up files"
            raise HostError("unreachable", said) from None

    async def _hold(self) -> None:
        """Takes the same lock as a helper would."""
        folder = f"{self._place.base}/locks"
        for each in (self._place.base, folder):
            await self._shell.run(Command(["/bin/sh", "-c", scripts.OWN, "sh", each]))
        path = f"{folder}/{sha256(os.fsencode(self._docroot)).hexdigest()[:16]}"
        self._lock = await self._shell.begin(Command(["/bin/sh", "-c", _HOLD, "sh", path, f"{WAIT:.0f}"]))
        with suppress(EOFError):
            if await self._lock.lines.next(100) == b"held":
                return
        if (await self._lock.program.gone()).status == 97:
            said = f"{self._wanted.host} has neither python3 nor flock: install one of them to run what changes sites"
            raise HostError("no_python", said)
        said = f"Another run is at work on {self._wanted.docroot}: wait until it has ended"
        raise HostError("busy", said, permanent=False)

    async def leave(self) -> None:
        """Lets go of the site."""
        if self._lock is not None:
            self._lock.program.no_more()
            await left(self._lock.program)

    async def call(self, verb: str, args: dict[str, Json], timeout: float, said: Said) -> Json:  # noqa: ASYNC109
        """Does a verb and gives its answer. Raises HostError. Cancelling it ends it on the host."""
        self._bring(verb, args)
        running: set[Future[Ran]] = set()
        there = There(self._place, self._teller(said), self._commander(running))
        thread = asyncio.ensure_future(asyncio.to_thread(outcome, there, verb, sent(args)))
        try:
            async with asyncio.timeout(timeout):
                told = await asyncio.shield(thread)
        except TimeoutError:
            there.end("timed_out", "It took longer than it may, and was ended")
            told = await self._stopped(thread, running)
        except asyncio.CancelledError:
            there.end()
            await self._stopped(thread, running)
            raise
        answer = _received(told)
        if "failed" in answer:
            raise host_error(answer)
        return answer["answer"]

    async def _stopped(self, thread: asyncio.Future[dict[str, Json]], running: set[Future[Ran]]) -> dict[str, Json]:
        """What a verb says that is ended, once its commands have gone."""
        while not thread.done():
            for each in list(running):
                each.cancel()
            await asyncio.wait([thread], timeout=0.1)
        await self._shell.settled()
        return thread.result()

    def _bring(self, verb: str, args: dict[str, Json]) -> None:
        """What a helper would be sent beside the modules."""
        names = {module_of(each) for each in (verb, *nested(args))}
        for each in bundle.needed(name for name in names if bundle.exists(name)):
            self._place.resources.update(each.files)

    def _teller(self, said: Said) -> Callable[[Json], None]:
        def tell(told: Json) -> None:
            self._loop.call_soon_threadsafe(said, _received(told))

        return tell

    def _commander(self, running: set[Future[Ran]]) -> Callable[[Command], Ran]:
        """Runs commands for a verb's thread."""

        def command(wanted: Command) -> Ran:
            future = asyncio.run_coroutine_threadsafe(self._shell.run(wanted), self._loop)
            running.add(future)
            try:
                return future.result()
            except CancelledError:
                raise Failed("ended", "It was ended before it was done") from None
            except HostError as error:
                raise Failed(error.code, str(error)) from None
            finally:
                running.discard(future)

        return command


async def _looked_around(shell: Shell, wanted: Wanted) -> tuple[Place, str]:
    """Who a command is there, where the run's folder lies, and the real docroot."""
    ran = await shell.run(Command(["/bin/sh", "-c", _WHO, "sh", sent(wanted.docroot)]))
    said = ran.out.decode("utf-8", "surrogateescape").split("\n", 5)
    if ran.status != 0 or len(said) != 6:
        raise HostError("no_python", f"{wanted.host} has no Python, and does not know the plainest commands either")
    uid, account, home, real, own, docroot = said
    docroot = docroot[:-1]
    shown_on_the_web = docroot and f"{real}/".startswith(docroot.rstrip("/") + "/")
    fits = own == "own" and real not in ("", "/") and not shown_on_the_web
    shell.account, shell.home = account, home or "/"
    base = f"{real}/.steelyard" if fits else f"/var/tmp/steelyard-{uid}"  # noqa: S108
    return Place(account, shell.home, base, wanted.token, {}), docroot


def _received(told: Json) -> dict[str, Json]:
    """What a verb says that ran here: still the host's words, so taken as from a helper."""
    return parse(json.dumps(told).encode())
