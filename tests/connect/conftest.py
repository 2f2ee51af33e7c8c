"""A stranger's workspace, and somebody who connects it."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from steelyard.demo.intercom import Config, Simulator, running
from stranger import CONFIG, Operator, operator, settle_in


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with running(Config(**CONFIG)) as simulator:
        settle_in(simulator)
        yield simulator


@pytest.fixture
def them(tmp_path: Path, app_url: str, simulator: Simulator) -> Operator:
    return operator(tmp_path, app_url, simulator)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
