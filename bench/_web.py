"""A web process under test: the real one, or another that is compared with it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from _ground import CELL

WEB = ("-m", "steelyard", "serve", "--role", "web")


class Web(NamedTuple):
    """A web process under test."""

    pid: int
    port: int


@contextmanager
def process(arguments: Sequence[str], url: str, keys: Path, port_argument: str = "") -> Generator[Web]:
    """A web process on a free port, answering."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "DATABASE_URL": url,
        "STEELYARD_CELL": CELL,
        "STEELYARD_KEYS": str(keys),
        "STEELYARD_PORT": str(port),
        "STEELYARD_LOG_LEVEL": "warning",
    }
    started = subprocess.Popen([sys.executable, *arguments, *([str(port)] if port_argument else [])], env=environment)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield Web(started.pid, port)
    finally:
        started.terminate()
        started.wait(20)
