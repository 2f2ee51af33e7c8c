"""A helper that runs on a host, as the worker speaks with it: calls, answers, and what is told meanwhile."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from steelyard.toolbox import bundle
from steelyard.toolbox.foreign import Foreign, parse, sent
from steelyard.toolbox.hosted.verbs import module_of
from steelyard.toolbox.leaving import LEAVING, ended, left
from steelyard.toolbox.lines import Lines
from steelyard.toolbox.model import Json
from steelyard.toolbox.reach import HostError
from steelyard.toolbox.way import Gone, Program, Way
from steelyard.toolbox.wrong import host_error, last_words, no_sudo

MESSAGE = 16_000_000
"""Bytes of the longest message, either way, as in hosted/serve.py."""
NOISE = 1_000_000
"""Bytes that start-up files of the account's shell may print before the helper speaks."""
START = 15.0
"""Seconds in which a helper has to speak."""
HOLD = 25.0
"""Seconds more where it has to wait for another run at the site."""
SLACK = 10.0
"""Seconds that an answer may come after its time: the host itself ends what takes too long."""
STILL_THERE = 4.0
"""Seconds between two words to the helper, which takes silence for a lost worker."""
FLOOD = 500_000
"""Messages that a helper may send in a run."""

Said = Callable[[dict[str, Json]], None]


class NoPython(Exception):
    """The host cannot run the helper: it has no Python at that path, or one that is too old."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a helper is started for."""

    host: str
    account: str
    token: str
    docroot: str = ""
    become: str = ""
    hold: bool = False


class Helped:
    """A helper at work. Calls may be made side by side."""

    def __init__(self, program: Program, wanted: Wanted, *, code: bool) -> None:
        """`code`: whether the host's Python is believed to read this worker's bytecode."""
        self._program, self._wanted, self.reads_code = program, wanted, code
        self._lines = Lines(program.read)
        self._calls: dict[int, tuple[asyncio.Future[Json], Said]] = {}
        self._numbers = itertools.count(1)
        self._sent = {each.name for each in bundle.needed(["serve"])}
        self._writing = asyncio.Lock()
        self._broken: HostError | None = None
        self._tasks: list[asyncio.Task[None]] = []

    # Starting and ending

    @classmethod
    async def start(cls, way: Way, wanted: Wanted, python: str, *, code: bool) -> Helped:
        """Starts a helper and waits until it speaks. Raises HostError, NoPython."""
        try:
            program = await way.start([python, "-I", "-S", "-u", "-c", bundle.BOOT], wanted.become)
        except HostError as error:
            raise NoPython if error.code == "missing" else error from None
        helped = cls(program, wanted, code=code)
        try:
            async with asyncio.timeout(START + (HOLD if wanted.hold else 0)):
                await helped._begin()
        except TimeoutError:
            await ended(program)
            raise HostError("unreachable", _hangs(wanted)) from None
        except BaseException:
            await ended(program)
            raise
        return helped

    async def _begin(self) -> None:
        marker = secrets.token_hex(16)
        modules = bundle.needed(["serve"])
        more = {"token": self._wanted.token, "docroot": sent(self._wanted.docroot), "hold": self._wanted.hold}
        with suppress(HostError):  # what never started reads nothing: how it ended says more
            await self._program.write(bundle.opening(marker, modules, code=self.reads_code, **more))
        try:
            await self._lines.after(marker.encode(), NOISE)
        except EOFError:
            raise await self._ended() from None
        except Foreign as error:
            raise self._bad(error) from None
        first = await self._message()
        if first.get("want") == "source":
            self.reads_code = False
            await self._program.write(bundle.first(marker, modules, code=False, **more))
            first = await self._message()
        if first.get("want") == "python":
            raise NoPython
        if "failed" in first:
            raise host_error(first)
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._stay())]

    async def _message(self) -> dict[str, Json]:
        """The next message. Raises HostError where there is none."""
        try:
            line = await self._lines.next(MESSAGE)
        except EOFError:
            raise await self._ended() from None
        except Foreign as error:
            raise self._bad(error) from None
        try:
            return await asyncio.to_thread(parse, line) if len(line) > 200_000 else parse(line)
        except Foreign as error:
            raise self._bad(error) from None

    async def leave(self) -> None:
        """Ends the helper with all that it does, and waits until it has gone."""
        self._program.no_more()
        await left(self._program)
        self._break(HostError("lost", f"The run has left {self._wanted.host}", permanent=False))

    # Calls

    async def call(self, verb: str, args: dict[str, Json], timeout: float, said: Said) -> Json:  # noqa: ASYNC109 - the host's
        """Does a verb and gives its answer. Raises HostError. Cancelling it ends it on the host."""
        if self._broken is not None:
            raise self._broken
        number = next(self._numbers)
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._calls[number] = (answer, said)
        try:
            async with asyncio.timeout(timeout + SLACK):
                await self._say(*self._modules(verb, args), _call(number, verb, args, timeout))
                return await answer
        except TimeoutError:
            self._break(HostError("lost", _silent(self._wanted, verb), permanent=False))
            raise self._broken or AssertionError from None
        except asyncio.CancelledError:
            await self._cancel(number)
            raise
        finally:
            del self._calls[number]

    async def _cancel(self, number: int) -> None:
        """Waits until the verb has ended on the host; a helper that does not end it is ended itself."""
        ended: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._calls[number] = (ended, lambda _: None)
        try:
            async with asyncio.timeout(LEAVING):
                await self._say({"cancel": number})
                await ended
        except TimeoutError:
            self._break(HostError("lost", _silent(self._wanted, "what was ended"), permanent=False))
        except HostError:
            return

    def _modules(self, verb: str, args: dict[str, Json]) -> list[dict[str, Json]]:
        """The message that brings the modules a verb needs and the host has not got yet."""
        names = {module_of(each) for each in (verb, *nested(args))}
        modules = bundle.needed([each for each in names if bundle.exists(each)], self._sent)
        self._sent |= {each.name for each in modules}
        packed = bundle.packed(modules, code=self.reads_code)
        return [{"modules": base64.b64encode(packed).decode()}] if modules else []

    async def _say(self, *messages: dict[str, Json]) -> None:
        data = b"".join(json.dumps(each).encode() + b"\n" for each in messages)
        if len(data) > MESSAGE:
            raise HostError("failed", f"{len(data)} bytes are too many to be sent in one call: send them in pieces")
        async with self._writing:
            await self._program.write(data)

    # Listening

    async def _read(self) -> None:
        """Hands out what the helper says, until it ends."""
        try:
            for _ in range(FLOOD):
                self._take(await self._message())
            raise self._bad("more messages than any run has")
        except HostError as error:
            self._break(error)

    def _take(self, message: dict[str, Json]) -> None:
        call = self._calls.get(message.get("id", 0))
        if call is None or call[0].done():
            return
        answer, said = call
        if "answer" in message:
            answer.set_result(message["answer"])
        elif "failed" in message:
            answer.set_exception(host_error(message))
        else:
            said(message)

    async def _stay(self) -> None:
        with suppress(HostError):
            while True:
                await asyncio.sleep(STILL_THERE)
                await self._say({})

    def _break(self, error: HostError) -> None:
        """From now on there is no helper: all that wait for it are told why."""
        if self._broken is None:
            self._broken = error
            self._program.end()
        for answer, _ in self._calls.values():
            if not answer.done():
                answer.set_exception(self._broken)
        for task in self._tasks:
            task.cancel()

    async def _ended(self) -> HostError | NoPython:
        """Why there is no helper where there should be one."""
        return _why(self._wanted, await self._program.gone(), started=bool(self._tasks))

    def _bad(self, what: object) -> HostError:
        said = f"{self._wanted.host} sent what is no answer ({what}): look at what it runs for {self._wanted.account}"
        return HostError("bad_output", said)


def _call(number: int, verb: str, args: dict[str, Json], timeout: float) -> dict[str, Json]:
    return {"call": number, "verb": verb, "args": sent(args), "timeout": timeout}


def nested(args: Json) -> Iterator[str]:
    """The verbs of actions within arguments, as `together` has them."""
    match args:
        case {"$do": str(verb), "args": inner}:
            yield verb
            yield from nested(inner)
        case dict():
            for each in cast("dict[str, Json]", args).values():
                yield from nested(each)
        case list():
            for each in cast("list[Json]", args):
                yield from nested(each)
        case _:
            return


def _hangs(wanted: Wanted) -> str:
    return (
        f"{wanted.host} let {wanted.become or wanted.account} in, but nothing started within {START:.0f} s: "
        "look for what waits in the account's start-up files, such as .bashrc"
    )


def _silent(wanted: Wanted, verb: str) -> str:
    return f"{wanted.host} did not answer {verb} in time and was left: look at its load, then try again"


def _why(wanted: Wanted, gone: Gone, *, started: bool) -> HostError | NoPython:
    """Why a helper is no more, or never was."""
    if started:
        said = f"What ran on {wanted.host} ended before its answer, with {last_words(gone)}: try again"
        return HostError("lost", said, permanent=False)
    if wanted.become and (no_sudo(gone.complained) or (gone.status == _NOT_FOUND and "sudo" in gone.complained)):
        said = f"{wanted.account} may not act as {wanted.become} on {wanted.host} ({last_words(gone)})"
        return HostError("no_sudo", f"{said}: put the rules there that `steelyard host prepare` prints")
    if gone.status in (_NOT_FOUND, _CANNOT_RUN) or (wanted.become and _NOT_THERE.search(gone.complained)):
        return NoPython()
    said = f"{wanted.host} let {wanted.become or wanted.account} in, but Python did not start ({last_words(gone)})"
    return HostError("unreachable", f"{said}: look at the account's shell and its start-up files, such as .bashrc")


_NOT_THERE = re.compile("command not found|No such file or directory")
"""What sudo and setpriv say of one."""
_NOT_FOUND, _CANNOT_RUN = 127, 126
"""What a shell answers for a command that is not there, or cannot be run."""
