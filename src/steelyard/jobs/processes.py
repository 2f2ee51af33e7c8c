"""Child processes: started, started again when they die, and stopped together with this one."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import AsyncGenerator, Coroutine, Mapping
from typing import Any, TypeVar

import structlog
import uvloop

from steelyard.kit.errors import SteelyardError

_GRACE = 15.0
_PAUSE = 1.0
_TOO_SOON = 5.0
_CHANCES = 3
_FOREVER = -1
_ALLOCATIONS = 20_000
"""Containers that are made between two looks of the collector."""
_PARENT = "STEELYARD_STARTED_BY"
"""How a child knows that somebody else would start it again."""

Result = TypeVar("Result")

log = structlog.get_logger()


class ProcessError(SteelyardError):
    """A child process died as soon as it was started."""


async def keep_running(name: str, arguments: list[str], environment: Mapping[str, str]) -> None:
    """Runs `python -m steelyard ARGUMENTS` until cancelled, again whenever it dies.

    Raises ProcessError when its first starts all end within seconds: then something is wrong that time does not mend.
    """
    loop = asyncio.get_running_loop()
    chances = _CHANCES
    while True:
        started = loop.time()
        async with _running(arguments, environment) as process:
            status = await process.wait()
        if loop.time() - started >= _TOO_SOON:
            chances = _FOREVER
        chances -= 1
        if not chances:
            raise ProcessError(f"the {name} process ends with status {status} as it starts: see its output above")
        log.warning("process.died", process=name, status=status, advice="it is started again")
        await asyncio.sleep(_PAUSE)


@contextlib.asynccontextmanager
async def _running(arguments: list[str], environment: Mapping[str, str]) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "steelyard",
        *arguments,
        env={**os.environ, **environment, _PARENT: str(os.getpid())},
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


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Runs `work` on uvloop; SIGTERM and SIGHUP cancel it, so that what it opened and started ends with it."""
    # What was imported lives as long as the process: the collector need not look at it again and again.
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS, 20, 20)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_cancellable(work))


async def _cancellable(work: Coroutine[Any, Any, Result]) -> Result:
    task = asyncio.current_task()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await work


async def end_with_parent() -> None:
    """Ends this process, in order, when the `keep_running` that started it is gone without having ended it."""
    parent = os.environ.get(_PARENT)
    if parent is None:
        return
    while os.getppid() == int(parent):  # noqa: ASYNC110 - the kernel tells nobody
        await asyncio.sleep(_PAUSE)
    log.warning("process.orphaned", advice="it ends too")
    os.kill(os.getpid(), signal.SIGTERM)
