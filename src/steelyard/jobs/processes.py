"""Child processes: started, started again when they die, and stopped together with this one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping

import structlog

from steelyard.kit.errors import SteelyardError

_GRACE = 15.0
_PAUSE = 1.0
_TOO_SOON = 5.0

log = structlog.get_logger()


class ProcessError(SteelyardError):
    """A child process died as soon as it was started."""


async def keep_running(name: str, arguments: list[str], environment: Mapping[str, str]) -> None:
    """Runs `python -m steelyard ARGUMENTS` until cancelled, again whenever it dies.

    Raises ProcessError when it dies within seconds of its first start: then something is wrong that time does not mend.
    """
    loop = asyncio.get_running_loop()
    first = True
    while True:
        started = loop.time()
        async with _running(arguments, environment) as process:
            status = await process.wait()
        if first and loop.time() - started < _TOO_SOON:
            raise ProcessError(
                f"the {name} process ended with status {status} right after its start: see its output above"
            )
        first = False
        log.warning("process.died", process=name, status=status, advice="it is started again")
        await asyncio.sleep(_PAUSE)


@contextlib.asynccontextmanager
async def _running(arguments: list[str], environment: Mapping[str, str]) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "steelyard", *arguments, env={**os.environ, **environment}, start_new_session=True
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


def cancel_on_signals(task: asyncio.Task[None]) -> None:
    """Lets SIGINT and SIGTERM end `task` instead of the process at once."""
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


async def run_until_signal(work: asyncio.Task[None]) -> None:
    """Awaits `work`; SIGINT and SIGTERM cancel it, which is no error."""
    cancel_on_signals(work)
    with contextlib.suppress(asyncio.CancelledError):
        await work
