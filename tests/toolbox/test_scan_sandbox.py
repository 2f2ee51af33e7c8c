"""The scanner is locked in before it reads a byte, and what is put into it harms nothing but itself."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import platform
import signal
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

from steelyard.toolbox.hosted.scanner.looking import Pack
from steelyard.toolbox.scanning.model import Layout
from steelyard.toolbox.scanning.packs import own_pack
from steelyard.toolbox.scanning.sandbox import LOCKS
from steelyard.toolbox.scanning.scanners import ScannerError, Scanners, scanners

OWN_STATUS = Path("/proc/self/status").read_text() if Path("/proc/self/status").exists() else ""
LAYOUT = Layout("/s", "/s", "/s/wp-content", "/s/wp-content/plugins")
FILTERS = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64") or "\nSeccomp:" not in OWN_STATUS,
    reason="this system has no filters of system calls",
)
TRYING = """
import os, socket, threading
from steelyard.toolbox.scanning.sandbox import lock
print(",".join(lock()), flush=True)
def tried(name, what):
    try:
        what()
        print(name, "worked", flush=True)
    except (OSError, MemoryError, RuntimeError) as error:
        print(name, "refused", flush=True)
tried("open", lambda: open("/etc/hostname"))
tried("write", lambda: open("/tmp/steelyard-sandbox", "w"))
tried("fork", os.fork)
tried("exec", lambda: os.execv("/bin/true", ["true"]))
tried("socket", socket.socket)
tried("kill", lambda: os.kill(os.getppid(), 0))
tried("listdir", lambda: os.listdir("/"))
tried("unlink", lambda: os.unlink("/tmp/nothing-of-this-name"))
tried("memory", lambda: bytearray(4 << 30))
tried("thread", lambda: threading.Thread(target=print).start())
"""


def status_of(pid: int) -> str:
    """What the system says of a process; nothing once it is gone."""
    try:
        return Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""


def batch(**files: bytes) -> dict[str, Any]:
    data = zlib.compress(b"".join(files.values()))
    return {
        "names": list(files),
        "sizes": [len(each) for each in files.values()],
        "data": base64.b64encode(data).decode(),
    }


@FILTERS
def test_locked_in_it_can_compute_and_nothing_else() -> None:
    done = subprocess.run([sys.executable, "-c", TRYING], capture_output=True, text=True, check=False, timeout=60)
    locks, *told = done.stdout.split("\n")
    assert locks == ",".join(each for each in LOCKS if each != "user" or os.geteuid() == 0)
    said = dict(line.split(" ") for line in told if " " in line)
    assert said.pop("thread") == "worked"
    assert said == dict.fromkeys(
        ["open", "write", "fork", "exec", "socket", "kill", "listdir", "unlink", "memory"], "refused"
    )


async def test_files_go_in_and_hits_come_out() -> None:
    async with scanners([own_pack()], LAYOUT) as running:
        door = "<?php @ev~al($_PO~ST['c']);".replace("~", "").encode()
        bad, good = await running.look(batch(**{"/s/a.php": door, "/s/b.php": b"<?php echo 1;"}))
        assert "eval_of_request" in {each.rule for each in bad.hits}
        assert (good.hits, good.problem) == ((), "")
        assert bad.sha256 == hashlib.sha256(door).hexdigest()
        assert set(running.locks) <= set(LOCKS)
        assert "limits" in running.locks


@FILTERS
async def test_it_is_locked_before_it_reads_a_file() -> None:
    async with scanners([own_pack()], LAYOUT) as running:
        await running.look(batch(a=b"x"))
        (process,) = [each.process for each in running._all]
        status = status_of(process.pid)
        assert "Seccomp:\t2" in status
        assert "NoNewPrivs:\t1" in status
        if os.geteuid() == 0:
            assert "Uid:\t65534\t65534\t65534\t65534" in status
            assert os.readlink(f"/proc/{process.pid}/ns/net") != os.readlink("/proc/self/ns/net")


async def test_a_batch_that_says_less_than_it_holds_is_refused_and_nothing_is_unpacked_beyond_it() -> None:
    async with scanners([own_pack()], LAYOUT) as running:
        bomb = batch(a=b"\0" * 50_000_000) | {"sizes": [10]}
        with pytest.raises(ScannerError):
            await running.look(bomb)
        assert len(await running.look(batch(a=b"x"))) == 1


async def test_a_scanner_that_is_killed_is_said_so_and_the_next_works() -> None:
    running = Scanners([own_pack()], LAYOUT, 1)
    try:
        await running.look(batch(a=b"x"))
        (first,) = [each.process for each in running._all]
        first.kill()
        await first.wait()
        with pytest.raises(ScannerError):
            await running.look(batch(a=b"x"))
        assert len(await running.look(batch(a=b"x"))) == 1
    finally:
        await running.close()


async def test_rules_that_take_for_ever_are_ended() -> None:
    slow = "rule slow { condition: for all i in (0..100000000) : (for all j in (0..1000000) : (uint8(0) != j + 300)) }"
    code = (
        "import sys; from steelyard.toolbox.hosted.scanner import looking; looking.SECONDS = 1;"
        "from steelyard.toolbox.scanning.model import Layout;"
        f"s = looking.Scanning([looking.Pack('slow', 'MIT', 'odd', {slow!r})], Layout('', '', '', ''));"
        "print(s.of('/a.php', b'x' * 1000)[2])"
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "timed_out", done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent ended")
async def test_it_ends_with_its_parent() -> None:
    code = (
        "import asyncio, sys\n"
        "from steelyard.toolbox.scanning.model import Layout\n"
        "from steelyard.toolbox.scanning.packs import own_pack\n"
        "from steelyard.toolbox.scanning.scanners import Scanners\n"
        "async def main():\n"
        "    running = Scanners([own_pack()], Layout('', '', '', ''), 1)\n"
        "    started = await running._start()\n"
        "    print(started.process.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert "State" in status_of(pid)
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    for _ in range(100):
        if "State" not in status_of(pid) or "Z (zombie)" in status_of(pid):
            return
        await asyncio.sleep(0.05)
    pytest.fail("the scanner outlived the worker")


async def test_rules_of_packs_say_their_severity_author_and_licence() -> None:
    rules = (
        'rule told { meta: author = "Ana\\x1b" license = "GPL" severity = "odd" description = "d" condition: true }'
        "\nrule silent { condition: true }"
    )
    async with scanners([Pack("theirs", "MIT", "malicious", rules)], LAYOUT) as running:
        (looked,) = await running.look(batch(**{"/s/a.bin": b"x"}))
    told = {each.rule: (each.severity, each.pack, each.author, each.licence, each.about) for each in looked.hits}
    assert told == {
        "told": ("odd", "theirs", "Ana·", "GPL", "d"),
        "silent": ("malicious", "theirs", "", "MIT", ""),
    }
