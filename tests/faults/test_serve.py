"""`steelyard serve` as people run it: a link opens the desk once, a dead database comes back, nothing stays behind."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import httpx
import psycopg
import pytest

from steelyard.jobs.processes import ProcessError
from steelyard.main import ground
from steelyard.operations.database import own_server
from steelyard.operations.serving import processes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PATIENCE = 60
"""Seconds for a process to come or to go, on a machine that does much else."""


class Served:
    """A running `steelyard serve`."""

    def __init__(self, data: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.data, self.address = data, f"http://127.0.0.1:{port}"
        self.environment = os.environ | {
            "STEELYARD_CELL": "eu1",
            "STEELYARD_DATA": str(data),
            "STEELYARD_PORT": str(port),
        }
        command = [sys.executable, "-m", "steelyard", "serve"]
        self.process = subprocess.Popen(command, env=self.environment)

    def status(self, path: str) -> int:
        with suppress(httpx.TransportError):
            return httpx.get(self.address + path, timeout=5, trust_env=False).status_code
        return 0

    def wait_for(self, status: int, path: str = "/desk") -> None:
        end = time.monotonic() + PATIENCE
        while self.status(path) != status:
            assert time.monotonic() < end, f"{path} does not answer {status} within {PATIENCE} s"
            assert self.process.poll() is None, "serve has ended"
            time.sleep(0.2)

    def postmaster(self) -> int:
        return postmaster(self.data)

    def make_workspace(self) -> None:
        """Whoever opens a link becomes the administrator of one."""
        with own_server(self.data) as (embedded, _), psycopg.connect(embedded.app_url) as conn:
            conn.execute("SELECT set_config('steelyard.workspace', 'eu1.a', true)")
            conn.execute("INSERT INTO workspace (workspace) VALUES ('eu1.a')")

    def link(self) -> str:
        done = steelyard(self.environment, "link")
        return done.stdout.strip() if done.returncode == 0 else ""


def steelyard(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "steelyard", *arguments]
    return subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=2 * PATIENCE)


def postmaster(data: Path) -> int:
    """The number of the server's first process; 0 where none runs."""
    for file in data.glob("postgres-*/postmaster.pid"):
        with suppress(FileNotFoundError, IndexError):
            return int(file.read_text().splitlines()[0])
    return 0


def processes_of(data: Path) -> list[str]:
    """Command lines of processes that name `data`, or were started with it."""
    found = subprocess.run(["ps", "-ewwo", "pid,args"], check=True, capture_output=True, text=True).stdout
    return [line for line in found.splitlines() if str(data) in line and "pytest" not in line]


@pytest.fixture
def served(open_folder: Path) -> Iterator[Served]:
    served = Served(open_folder / f"serve-{time.monotonic_ns()}")
    try:
        served.wait_for(401)
        served.make_workspace()
        yield served
    finally:
        served.process.send_signal(signal.SIGTERM)
        served.process.wait(PATIENCE)


def test_a_link_opens_the_desk_once(served: Served) -> None:
    address = served.link()
    assert re.fullmatch(re.escape(served.address) + r"/enter\?token=eu1\.a~[\w-]{40,}", address)
    token = address.partition("token=")[2]
    origin = {"Origin": served.address}
    chosen = {"name": "Ada Quinn", "address": "ada@example.com", "password": "weigh it before you carry it"}
    sent = {"token": token, **chosen}
    with httpx.Client(base_url=served.address, trust_env=False) as browser:
        assert browser.get("/enter", params={"token": token}).status_code == 200
        assert browser.post("/enter", data=sent, headers=origin).status_code == 303
        assert browser.get("/desk").status_code == 200
    with httpx.Client(base_url=served.address, trust_env=False) as second:
        assert second.post("/enter", data=sent, headers=origin).status_code == 410


def test_a_database_that_is_killed_comes_back(served: Served) -> None:
    before = served.postmaster()
    os.kill(before, signal.SIGKILL)
    end = time.monotonic() + PATIENCE
    while not served.link():  # reads and writes
        assert time.monotonic() < end, f"no link within {PATIENCE} s"
        time.sleep(0.5)
    while served.postmaster() in (0, before):  # `link` may have been the one to start it, and ended it again
        assert time.monotonic() < end, f"no server within {PATIENCE} s"
        time.sleep(0.2)
    served.wait_for(401)
    end_of(served)
    assert processes_of(served.data) == []


def test_nothing_stays_behind(served: Served) -> None:
    assert processes_of(served.data)
    end_of(served)
    assert served.process.returncode == 143
    assert processes_of(served.data) == []
    assert served.status("/desk") == 0


def test_a_second_serve_leaves_the_first_ones_database_alone(served: Served) -> None:
    before = served.postmaster()
    second = steelyard(served.environment, "serve")  # its port is taken
    assert second.returncode == 1
    assert re.search(r"^steelyard: the web process ends with status", second.stderr, re.MULTILINE)
    assert "Traceback" not in second.stderr
    assert served.postmaster() == before
    assert served.link()
    assert served.postmaster() == before


def test_commands_end_the_server_that_they_started(open_folder: Path) -> None:
    data = open_folder / f"commands-{time.monotonic_ns()}"
    environment = os.environ | {"STEELYARD_CELL": "eu1", "STEELYARD_DATA": str(data)}
    assert steelyard(environment, "migrate").returncode == 0
    assert processes_of(data) == []
    assert "has 0 workspaces" in steelyard(environment, "link").stderr
    assert processes_of(data) == []
    policy = open_folder / "policy.toml"
    policy.write_text(ground.shipped_policy())
    refused = steelyard(environment, "policy", "adopt", str(policy))
    assert "has 0 workspaces" in refused.stderr
    assert processes_of(data) == []
    worker = subprocess.Popen([sys.executable, "-m", "steelyard", "serve", "--role", "worker"], env=environment)
    end = time.monotonic() + PATIENCE
    while not postmaster(data) and time.monotonic() < end:
        time.sleep(0.1)
    assert postmaster(data)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(PATIENCE) == 143
    assert processes_of(data) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("stage", ["postgres-*.new", "postgres-*", "postgres-*/postmaster.pid", "socket/.s.PGSQL.*"])
def test_a_demo_that_is_ended_as_it_starts_leaves_nothing(open_folder: Path, stage: str, number: int) -> None:
    folder = open_folder / f"demo-{time.monotonic_ns()}"
    folder.mkdir()
    folder.chmod(0o755)
    command = [sys.executable, "-m", "steelyard", "demo", "--port", "0", "--json", "--duration", "60"]
    demo = subprocess.Popen(command, env=os.environ | {"TMPDIR": str(folder)}, start_new_session=True)
    end = time.monotonic() + PATIENCE
    while not any(folder.glob(f"steelyard-demo-*/{stage}")) and time.monotonic() < end:
        time.sleep(0.005)
    os.killpg(demo.pid, number)
    assert demo.wait(PATIENCE) == (130 if number == signal.SIGINT else 143)
    assert processes_of(folder) == []
    assert list(folder.iterdir()) == []


async def test_processes_that_cannot_start_end_what_waits_for_them() -> None:
    with pytest.raises(ExceptionGroup) as ended:
        async with asyncio.timeout(PATIENCE), processes({"STEELYARD_CELL": "no cell!"}):
            await asyncio.Event().wait()
    assert ended.group_contains(ProcessError, match="as it starts", depth=1)


async def test_so_they_do_where_starting_takes_long(tmp_path: Path) -> None:
    """That each try took seconds does not mean that it had begun to serve."""
    slow = tmp_path / "sitecustomize.py"
    slow.write_text("import time\ntime.sleep(5.5)\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    with pytest.raises(ExceptionGroup) as ended:
        async with asyncio.timeout(2 * PATIENCE), processes({"STEELYARD_CELL": "no cell!", "PYTHONPATH": path}):
            await asyncio.Event().wait()
    assert ended.group_contains(ProcessError, match="as it starts", depth=1)


def end_of(served: Served) -> None:
    served.process.send_signal(signal.SIGTERM)
    served.process.wait(PATIENCE)
