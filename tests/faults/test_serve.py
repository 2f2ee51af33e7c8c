"""`steelyard serve` as people run it: a link opens the desk once, a dead database comes back, nothing stays behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.slow

PATIENCE = 30


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
        [file] = self.data.glob("postgres-*/postmaster.pid")
        return int(file.read_text().splitlines()[0])

    def link(self) -> str:
        command = [sys.executable, "-m", "steelyard", "link"]
        done = subprocess.run(command, env=self.environment, check=False, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""


def processes_of(data: Path) -> list[str]:
    """Command lines of processes that name `data`, or were started with it."""
    found = subprocess.run(["ps", "-ewwo", "pid,args"], check=True, capture_output=True, text=True).stdout
    return [line for line in found.splitlines() if str(data) in line and "pytest" not in line]


@pytest.fixture
def served(open_folder: Path) -> Iterator[Served]:
    served = Served(open_folder / f"serve-{time.monotonic_ns()}")
    try:
        served.wait_for(401)
        yield served
    finally:
        served.process.send_signal(signal.SIGTERM)
        served.process.wait(PATIENCE)


def test_a_link_opens_the_desk_once(served: Served) -> None:
    address = served.link()
    assert re.fullmatch(re.escape(served.address) + r"/enter\?token=[\w-]{40,}", address)
    token = address.partition("token=")[2]
    origin = {"Origin": served.address}
    with httpx.Client(base_url=served.address, trust_env=False) as browser:
        assert browser.get("/enter", params={"token": token}).status_code == 200
        assert browser.post("/enter", data={"token": token}, headers=origin).status_code == 303
        assert browser.get("/desk").status_code == 200
    with httpx.Client(base_url=served.address, trust_env=False) as second:
        assert second.post("/enter", data={"token": token}, headers=origin).status_code == 401


def test_a_database_that_is_killed_comes_back(served: Served) -> None:
    before = served.postmaster()
    os.kill(before, signal.SIGKILL)
    end = time.monotonic() + PATIENCE
    while not served.link():  # reads and writes
        assert time.monotonic() < end, f"no link within {PATIENCE} s"
        time.sleep(0.5)
    assert served.postmaster() != before
    served.wait_for(401)


def test_nothing_stays_behind(served: Served) -> None:
    assert processes_of(served.data)
    served.process.send_signal(signal.SIGTERM)
    served.process.wait(PATIENCE)
    assert served.process.returncode == 143
    assert processes_of(served.data) == []
    assert served.status("/desk") == 0
