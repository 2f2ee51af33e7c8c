"""A host that is reached, for one run: who does an action there, with which secrets, and how much of it is told."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from typing import Protocol, cast

from steelyard.toolbox.foreign import lines, received, visible
from steelyard.toolbox.helped import Helped, NoPython, Said, Wanted
from steelyard.toolbox.model import Action, By, Host, HostId, Json, encode
from steelyard.toolbox.plain import Plain
from steelyard.toolbox.reach import Errand, HostError, Line, Progress, Tell
from steelyard.toolbox.way import Way
from steelyard.toolbox.wrong import no_sudo

PYTHONS = ("/usr/bin/python3", "/usr/local/bin/python3", "/usr/libexec/platform-python")
"""Where a host's Python may be."""
LINES = 5000
"""Lines that one run may tell. Then it is said that the rest is left out."""
OFTEN = 0.05
"""Seconds between two tellings of how far a verb is."""
SHORT = 8
"""Characters below which a secret is a common word, and is not looked for in what a host says."""
_ACCOUNT = re.compile(r"[a-z_][a-z0-9_.-]{0,31}\$?", re.I)
_LEVELS = ("info", "warning", "error")


class Doer(Protocol):
    """What does verbs on a host for one account: a helper there, or plain commands."""

    async def call(self, verb: str, args: dict[str, Json], timeout: float, said: Said) -> Json:  # noqa: ASYNC109 - the host's
        """Does a verb. Raises HostError."""
        ...

    async def leave(self) -> None:
        """Ends it with all that it does."""
        ...


class Session:
    """A host, reached: see reach.Reached. Helpers for further accounts start when they are needed."""

    def __init__(
        self, way: Way, host: Host, errand: Errand, reads_code: dict[HostId, bool], pythons: Sequence[str] = PYTHONS
    ) -> None:
        """`reads_code`: which hosts read this worker's bytecode, as far as is known; kept from run to run."""
        self._way, self._host, self._errand = way, host, errand
        self._reads_code, self._pythons = reads_code, pythons
        self._doers: dict[str, Doer] = {}
        self._starting = asyncio.Lock()
        self._making = asyncio.Lock()
        self._made: dict[str, str] = {}
        self._left = LINES
        self._progress_at = 0.0

    async def begin(self) -> None:
        """Starts what acts as the site's user, and takes the lock on the site where the errand holds it."""
        await self._doer(By.SITE)

    async def leave(self) -> None:
        """Ends whatever still runs there."""
        doers = list(self._doers.values())
        self._doers.clear()
        await asyncio.gather(*(each.leave() for each in doers), return_exceptions=True)

    async def call(self, action: Action, tell: Tell) -> Json:
        """Does one action. Raises HostError."""
        try:
            args = cast("dict[str, Json]", await self._filled(encode(action.args)))
            if action.by is By.ROOT:
                args = self._as_root(action, args)
            doer = await self._doer(action.by)
            answer = await doer.call(action.verb, args, action.timeout, lambda told: self._tell(told, tell))
            return self._masked(answer)
        except HostError as error:
            if action.by is By.ROOT and no_sudo(str(error)):
                error = self._not_as_root(action, str(error))
            raise HostError(error.code, self._mask(str(error)), permanent=error.permanent) from None

    # Who does it

    async def _doer(self, by: By) -> Doer:
        if by is By.WORKER:
            raise HostError("failed", "What the worker does is nothing that a host can be asked for")
        site = self._errand.site
        account = site.account if site is not None and by is By.SITE else self._host.account
        if not _ACCOUNT.fullmatch(account):
            raise HostError("failed", f"{account!r} is no name of an account: correct it in the registry")
        become = "" if account == self._way.account else account
        async with self._starting:
            if become not in self._doers:
                self._doers[become] = await self._started(become, hold=self._errand.hold and by is By.SITE)
            return self._doers[become]

    async def _started(self, become: str, *, hold: bool) -> Doer:
        site, host = self._errand.site, self._host
        docroot = site.docroot if site is not None else ""
        wanted = Wanted(
            host.name, self._way.account, self._errand.token, docroot, become, hold=hold and site is not None
        )
        for python in self._pythons:
            try:
                helped = await Helped.start(self._way, wanted, python, code=self._reads_code.get(host.id, True))
            except NoPython:
                continue
            self._reads_code[host.id] = helped.reads_code
            return helped
        return await Plain.start(self._way, wanted)

    def _as_root(self, action: Action, args: dict[str, Json]) -> dict[str, Json]:
        """The arguments of a command that the support account has root run."""
        argv = cast("list[str] | None", args.get("argv"))
        if action.verb != "run" or not argv or not argv[0].startswith("/") or "env" in args:
            raise HostError("failed", "Root only runs commands by their absolute path, with no environment")
        return {**args, "argv": argv if self._host.account == "root" else ["sudo", "-n", "--", *argv]}

    def _not_as_root(self, action: Action, said: str) -> HostError:
        host = self._host
        said = f"{host.account} may not run {visible(str(action.args['argv'][0]))} as root on {host.name} ({said})"
        return HostError("no_sudo", f"{said}: put the rules there that `steelyard host prepare` prints")

    # Secrets

    async def _filled(self, value: Json) -> Json:
        """The value with its secrets in the clear, for the way to the host and nowhere else."""
        match value:
            case {"$secret": str(name), "length": int(length)}:
                return self._errand.secrets.get(name) or await self._secret(name, length)
            case dict():
                return {key: await self._filled(each) for key, each in cast("dict[str, Json]", value).items()}
            case list():
                return [await self._filled(each) for each in cast("list[Json]", value)]
            case _:
                return value

    async def _secret(self, name: str, length: int) -> str:
        """A secret that the host makes at its first use, and keeps: always the site's user, whoever needs it."""
        async with self._making:
            if name not in self._made:
                doer = await self._doer(By.SITE)
                made = await doer.call("secret", {"name": name, "length": length}, 20.0, lambda _: None)
                self._made[name] = str(made)
            return self._made[name]

    def _mask(self, text: str) -> str:
        for secret in (*self._errand.secrets.values(), *self._made.values()):
            if len(secret) >= SHORT:
                text = text.replace(cast("str", received(secret)), "•••")
        return text

    def _masked(self, value: Json) -> Json:
        """An answer without the secrets: it goes into journals."""
        match value:
            case str():
                return self._mask(value)
            case dict():
                return {self._mask(key): self._masked(each) for key, each in cast("dict[str, Json]", value).items()}
            case list():
                return [self._masked(each) for each in cast("list[Json]", value)]
            case _:
                return value

    # What is told

    def _tell(self, told: Mapping[str, Json], tell: Tell) -> None:
        match told:
            case {"said": str(said), "level": level}:
                for line in lines(self._mask(said)):
                    self._line(Line(level if level in _LEVELS else "info", line), tell)
            case {"done": int(done), "total": int(total), "what": str(what)}:
                now = time.monotonic()
                if now - self._progress_at >= OFTEN or done == total:
                    self._progress_at = now
                    tell(Progress(done, total, lines(self._mask(what))[0][:200]))
            case _:
                return

    def _line(self, line: Line, tell: Tell) -> None:
        if self._left > 0:
            tell(line)
        elif self._left == 0:
            tell(Line("warning", f"More than {LINES} lines were told: the rest is left out"))
        self._left -= 1
