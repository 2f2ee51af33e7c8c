"""Child processes: started, started again when they die, and stopped together with this one."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import select
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping
from types import FrameType
from typing import Any, TypeVar

import structlog
import uvloop

from steelyard.kit.errors import SteelyardError

_GRACE = 15.0
_PAUSE = 1.0
_AS_STARTED = 2
"""Looks at its parent, one in _PAUSE, after which a child says that it has started: what keeps it from that is soon."""
_CHANCES = 3
_FOREVER = -1
_ENDED = 128 + signal.SIGTERM
_ALLOCATIONS = 20_000
"""Containers that are made between two looks of the collector."""
_PARENT = "STEELYARD_STARTED_BY"
"""How a child knows that somebody else would start it again."""
_TELLS = "STEELYARD_TELLS_STARTED"
"""The number of the open file to which a child says so."""

Result = TypeVar("Result")

log = structlog.get_logger()


class ProcessError(SteelyardError):
    """A child process died as soon as it was started."""


async def keep_running(name: str, arguments: list[str], environment: Mapping[str, str]) -> None:
    """Runs `python -m steelyard ARGUMENTS` until cancelled, again whenever it dies.

    Raises ProcessError when its first starts all end before it said that it has started, however long they took: then
    something is wrong that time does not mend.
    """
    chances = _CHANCES
    while True:
        with _told() as (telling, has_started):
            async with _running(arguments, environment, telling) as process:
                status = await process.wait()
            if has_started():
                chances = _FOREVER
        chances -= 1
        if not chances:
            raise ProcessError(f"the {name} process ends with status {status} as it starts: see its output above")
        log.warning("process.died", process=name, status=status, advice="it is started again")
        await asyncio.sleep(_PAUSE)


@contextlib.contextmanager
def _told() -> Generator[tuple[int, Callable[[], bool]]]:
    """The number of an open file for a child to write to, and whether it has."""
    reading, writing = os.pipe()
    try:
        yield writing, lambda: bool(select.select([reading], [], [], 0)[0])
    finally:
        os.close(reading)
        os.close(writing)


@contextlib.asynccontextmanager
async def _running(
    arguments: list[str], environment: Mapping[str, str], telling: int
) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "steelyard",
        *arguments,
        env={**os.environ, **environment, _PARENT: str(os.getpid()), _TELLS: str(telling)},
        pass_fds=(telling,),
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), _GRACE)
            except TimeoutError:
                process.kill()
                await process.wait()


# Ending in order


def end_in_order() -> None:
    """From now on SIGTERM and SIGHUP raise SystemExit(143) where nothing else handles them, so `finally` blocks run."""
    for number in _endings():
        signal.signal(number, _exit)


@contextlib.contextmanager
def uninterrupted() -> Generator[None]:
    """Signals that would end this process wait until the block is left: a program it starts is not left half-way.

    What the block made must be known to a `finally` outside before the block is left.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Runs `work` on uvloop; SIGTERM and SIGHUP cancel it, so that what it opened and started ends with it."""
    # What was imported lives as long as the process: the collector need not look at it again and again.
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS, 20, 20)
    after: dict[signal.Signals, Any] = {number: signal.getsignal(number) for number in _endings()}
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_cancellable(work))
    except asyncio.CancelledError:
        after = dict.fromkeys(after, _nothing)  # it ends already: a second signal must not disturb that
        raise
    finally:
        for number, handler in after.items():
            signal.signal(number, handler)


async def _cancellable(work: Coroutine[Any, Any, Result]) -> Result:
    task = asyncio.current_task()
    for number in _endings():
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await work


def _endings() -> list[signal.Signals]:
    """The signals that end this process; not those that `nohup` has it ignore."""
    return [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is not signal.SIG_IGN]


def _exit(number: int, frame: FrameType | None) -> None:
    for each in _endings():
        signal.signal(each, _nothing)
    sys.exit(_ENDED)


def _nothing(number: int, frame: FrameType | None) -> None:
    """Unlike SIG_IGN not inherited by programs that are started."""


async def end_with_parent() -> None:
    """Ends this process, in order, when the `keep_running` that started it is gone without having ended it.

    To be begun with what this process serves: a moment later it tells that it has started.
    """
    parent = os.environ.get(_PARENT)
    if parent is None:
        return
    looks = 0
    while os.getppid() == int(parent):
        await asyncio.sleep(_PAUSE)
        looks += 1
        if looks == _AS_STARTED:
            with contextlib.suppress(OSError):  # the parent is gone
                os.write(int(os.environ[_TELLS]), b".")
    log.warning("process.orphaned", advice="it ends too")
    os.kill(os.getpid(), signal.SIGTERM)
