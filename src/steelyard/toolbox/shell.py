"""Runs plain commands on a host, below whatever start-up files of the account's shell print, with limits."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress

from steelyard.toolbox.foreign import Foreign
from steelyard.toolbox.hosted.running import environment
from steelyard.toolbox.hosted.there import Command
from steelyard.toolbox.hosted.words import Ran
from steelyard.toolbox.leaving import ended
from steelyard.toolbox.lines import Lines
from steelyard.toolbox.reach import HostError
from steelyard.toolbox.way import Program, Way
from steelyard.toolbox.wrong import last_words, no_sudo

AT_ONCE = 6
"""Commands on a host at a time: servers commonly allow ten sessions in a connection."""
NOISE = 1_000_000
"""Bytes that start-up files may print before a command."""

_BEGIN = """
printf '\\n%s\\n%s\\n' "$0" "$$"; umask 022; cd -- "$1" || exit 97
if [ -n "$2" ]; then (: <"$2") || exit 98; exec <"$2"; fi
if [ -n "$3" ]; then umask 077; rm -f -- "$3"; (: >"$3") || exit 98; exec >"$3"; umask 022; fi
shift 3; exec "$@"
"""
"""Says a marker and its process; then it is the command."""


class Begun:
    """A command that runs on a host."""

    def __init__(self, program: Program, lines: Lines, process: int) -> None:
        self.program, self.lines, self.process = program, lines, process


class Shell:
    """Commands of one account of a host. Each is told by words, none of which a shell reads as more than a word."""

    def __init__(self, way: Way, host: str, become: str) -> None:
        self._way, self._host, self._become = way, host, become
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._endings: set[asyncio.Task[None]] = set()
        self.account, self.home = become or way.account, "/"

    async def run(self, command: Command) -> Ran:
        """Runs a command until it ends. Raises HostError: `timed_out`, `lost`, `no_sudo`. Cancelling it ends it."""
        async with self._slots:
            begun: Begun | None = None
            try:
                async with asyncio.timeout(command.timeout):
                    begun = await self.begin(command)
                    writing = asyncio.create_task(_write(begun.program, command.stdin))
                    out, cut = await _gathered(begun.lines, command.most)
                    gone = await begun.program.gone()
                    writing.cancel()
                    return Ran(gone.status, out, gone.complained.encode(), cut)
            except BaseException as error:
                if begun is not None:
                    ending = asyncio.create_task(self._end(begun))
                    self._endings.add(ending)
                    await asyncio.shield(ending)
                if not isinstance(error, TimeoutError):
                    raise
                said = f"{command.argv[0]} did not end within {command.timeout:.0f} s on {self._host}"
                raise HostError("timed_out", said) from None

    async def settled(self) -> None:
        """Waits until what was ended has gone."""
        await asyncio.gather(*self._endings)
        self._endings.clear()

    async def begin(self, command: Command) -> Begun:
        """Starts a command; what it writes comes from the lines."""
        marker = secrets.token_hex(16)
        clean = environment(self.account, self.home, command.env)
        argv = ["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in clean.items()), "/bin/sh", "-c", _BEGIN]
        argv += [marker, command.cwd, command.stdin_file, command.stdout_file, *command.argv]
        program = await self._way.start(argv, self._become)
        lines = Lines(program.read)
        try:
            await lines.after(marker.encode(), NOISE)
            return Begun(program, lines, int(await lines.next(20)))
        except (EOFError, Foreign, ValueError) as error:
            program.end()
            raise await self._why(program, error) from None
        except BaseException:
            await ended(program)
            raise

    async def _why(self, program: Program, error: Exception) -> HostError:
        """Why a command did not even begin."""
        where = f"{self._host} let {self._way.account} in"
        if not isinstance(error, EOFError):
            return HostError("bad_output", f"{where}, but sent no answer ({error}): look at its start-up files")
        gone = await program.gone()
        if self._become and (no_sudo(gone.complained) or (gone.status == 127 and "sudo" in gone.complained)):
            said = f"{self._way.account} may not act as {self._become} on {self._host} ({last_words(gone)})"
            return HostError("no_sudo", f"{said}: put the rules there that `steelyard host prepare` prints")
        return HostError("unreachable", f"{where}, but it runs no command ({last_words(gone)}): look at its shell")

    async def _end(self, begun: Begun) -> None:
        """Ends a command on the host, with what it started: closing the connection to it would not."""
        if begun.process > 1:
            script = 'kill -s TERM -- "-$1" || kill -s TERM "$1"; sleep 0.2; kill -s KILL -- "-$1" || kill -s KILL "$1"'
            with suppress(HostError, TimeoutError):
                async with asyncio.timeout(5.0):
                    killing = await self.begin(Command(["/bin/sh", "-c", script, "sh", str(begun.process)]))
                    await killing.program.gone()
        await ended(begun.program)


async def _write(program: Program, data: bytes) -> None:
    with suppress(HostError):  # it read no more than it wanted
        await program.write(data)
    program.no_more()


async def _gathered(lines: Lines, most: int) -> tuple[bytes, bool]:
    """The beginning of what a command writes, and whether there was more."""
    kept = bytearray()
    cut = False
    while piece := await lines.some():
        room = most - len(kept)
        kept += piece[:room]
        cut = cut or len(piece) > room
    return bytes(kept), cut
