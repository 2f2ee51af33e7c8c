"""What tests wait for with a limit is named and killed where it does not end."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from ending import ended, ended_here

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


async def test_what_ends_has_said_what_it_said() -> None:
    process = await asyncio.create_subprocess_exec("echo", "a", stdout=asyncio.subprocess.PIPE)
    assert (await ended(process, "an echo"))[0] == b"a\n"


async def test_what_does_not_end_is_named_and_killed() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", DEAF, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"deaf\n"
    process.terminate()
    with pytest.raises(pytest.fail.Exception, match=rf"the worker, process {process.pid}, did not end within 0 s"):
        await ended(process, "the worker", 0.2)
    assert process.returncode == -9


def test_the_same_without_a_loop() -> None:
    process = subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.DEVNULL)
    with pytest.raises(pytest.fail.Exception, match=rf"a server, process {process.pid}, did not end"):
        ended_here(process, "a server", 0.2)
    assert process.returncode == -9
