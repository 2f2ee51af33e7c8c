"""A worker process as it is started: what it sees of Intercom is counted, written down, told, and over again."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from test_health_watch import Receiver

from steelyard.config import Settings, to_environment
from steelyard.demo.intercom import Config, running
from steelyard.kit.ids import WorkspaceId
from steelyard.routing.connections import token_place
from steelyard.store.database import Database
from steelyard.store.keys import WORKER, Keys, key_file

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_refused_token_is_told_and_a_new_one_ends_it(
    app_url: str, keys: Path, database: Database, make_workspace: MakeWorkspace, port: int
) -> None:
    receiver = Receiver()
    async with running(Config(region="EU")) as simulator:
        workspace = await make_workspace(api_url=simulator.base_url, access_token="revoked")
        settings = Settings(
            cell="eu1", region="eu", database_url=app_url, keys=keys, metrics_port=port, alarms=receiver.url,
            alarm_language="fr", log_level="warning",
        )  # fmt: skip
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "steelyard", "serve", "--role", "worker",
            env=os.environ | to_environment(settings), stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            await until(lambda: len(receiver.took) == 1)
            assert receiver.took[0]["title"] == f"Steelyard {workspace}: Intercom refuse le jeton d’accès"
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
                assert await readiness(client) == {"ready": True, "reasons": []}
                metrics = (await client.get("/metrics")).text
            assert f'status="401",workspace="{workspace}"' in metrics
            assert "steelyard_intercom_rate_left" in metrics
            sealed = Keys(key_file(keys, WORKER)).seal(simulator.config.token, token_place(workspace))
            async with database.transaction(workspace) as conn:
                await conn.execute("UPDATE connection SET access_token = %s", (sealed,))
            await until(lambda: len(receiver.took) == 2, 220)
            assert receiver.took[1]["title"].startswith(f"Steelyard {workspace}: terminé après ")
            async with database.transaction(workspace) as conn:
                row = await (await conn.execute("SELECT refused_at FROM connection")).fetchone()
            assert row == (None,)
        finally:
            if worker.returncode is None:
                worker.terminate()
            _, said = await asyncio.wait_for(worker.communicate(), 30)
            receiver.close()
    assert "hunter2" not in said.decode()


async def readiness(client: httpx.AsyncClient) -> dict[str, Any]:
    """What the worker says of it; a machine that stood still may have kept it from looking in time."""
    for _ in range(20):
        said = (await client.get("/health/ready")).json()
        if said["ready"]:
            break
        await asyncio.sleep(1)
    return said


async def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    for _ in range(int(seconds * 5)):
        if holds():
            return
        await asyncio.sleep(0.2)
    pytest.fail("it did not come to that")
