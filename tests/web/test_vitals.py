"""What machines ask a real web process and a worker: alive, ready and why not, and metrics that are true."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from desk_seed import busy_desk
from steelyard.config import Settings
from steelyard.kit.ids import WorkspaceId
from steelyard.kit.instants import micros
from steelyard.kit.metrics import Kind, Metric, Sample
from steelyard.kit.scopes import Scope
from steelyard.main.web import web_app
from steelyard.routing import ready
from steelyard.routing.metrics import CellMetrics
from steelyard.routing.ready import Ready
from steelyard.store.database import Database
from steelyard.store.keys import WEB, WORKER, Keys, add_key, key_file
from steelyard.web.vitals import Vitals, serve_vitals

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]


@asynccontextmanager
async def web(url: str, keys: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A web process's application, asked without a network."""
    async with web_app(Settings(cell="eu1", keys=keys), url) as app:
        transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8420") as client:
            yield client


async def numbers(client: httpx.AsyncClient) -> dict[tuple[str, ...], float]:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    found = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
    return {(each.name, *each.labels.values()): each.value for each in found}


async def reasons(client: httpx.AsyncClient) -> list[str]:
    answer = await client.get("/health/ready")
    body = answer.json()
    assert answer.status_code == (200 if body["ready"] else 503)
    assert body["ready"] == (not body["reasons"])
    return body["reasons"]


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question is a look."""
    monkeypatch.setattr(ready, "KNOWN", 0.0)


async def test_a_process_that_can_work_is_ready(app_url: str, keys: Path, make_workspace: MakeWorkspace) -> None:
    async with web(app_url, keys) as client:
        assert await reasons(client) == [], "also without a workspace"
        await make_workspace()
        assert await reasons(client) == []
        assert (await client.get("/health/live")).text == "ok"


async def test_a_key_file_that_opens_nothing_is_said(
    app_url: str, keys: Path, make_workspace: MakeWorkspace, tmp_path: Path, database: Database
) -> None:
    await make_workspace()
    async with web(app_url, tmp_path / "none") as client:
        assert await reasons(client) == ["keys"]
    for name in (WEB, WORKER):
        add_key(key_file(tmp_path, name))
    async with web(app_url, tmp_path) as client:
        assert await reasons(client) == ["keys"], "a fresh file has the number, not the key"
    of_web, of_worker = (Keys(key_file(keys, name)).unseal for name in (WEB, WORKER))
    assert await Ready(database, of_worker, worker=True).reasons() == ()
    assert await Ready(database, of_web, worker=True).reasons() == ("keys",)


async def test_another_schema_is_said(app_url: str, keys: Path, superuser_url: str) -> None:
    async with web(app_url, keys) as client:
        with psycopg.connect(superuser_url) as conn:
            conn.execute("DELETE FROM migration WHERE number = 2")
        assert await reasons(client) == ["schema"]


async def test_an_inbox_that_cannot_be_written_is_said(
    app_url: str, keys: Path, superuser_url: str, database_name: str
) -> None:
    async with web(app_url, keys) as client:
        with psycopg.connect(superuser_url, autocommit=True) as conn:
            conn.execute("REVOKE INSERT ON inbox FROM steelyard_cell")
            assert await reasons(client) == ["inbox_read_only"]
            conn.execute("GRANT INSERT ON inbox TO steelyard_cell")
        assert await reasons(client) == []
    with psycopg.connect(superuser_url, autocommit=True) as conn:
        conn.execute(f"ALTER DATABASE {database_name} SET default_transaction_read_only = on")
    async with web(app_url, keys) as client:
        assert await reasons(client) == ["inbox_read_only"]


async def test_a_database_that_is_gone_is_said_in_time(app_url: str, keys: Path, superuser_url: str) -> None:
    async with web(app_url, keys) as client:
        assert await reasons(client) == []
        with psycopg.connect(superuser_url, autocommit=True) as conn:
            conn.execute("ALTER ROLE steelyard_app CONNECTION LIMIT 0")
            try:
                conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'steelyard_app'")
                began = asyncio.get_running_loop().time()
                assert await reasons(client) == ["database_unreachable"]
                assert asyncio.get_running_loop().time() - began < 3
                assert (await client.get("/health/live")).status_code == 200, "alive all the same"
                began = asyncio.get_running_loop().time()
                found = await numbers(client)
                assert asyncio.get_running_loop().time() - began < 9, "whoever asks waits ten seconds as a rule"
                assert found["steelyard_database_up",] == 0
                assert found["steelyard_ingest_batch_webhooks_count",] == 0, "what it counted itself is still told"
            finally:
                conn.execute("ALTER ROLE steelyard_app CONNECTION LIMIT -1")


async def test_webhooks_that_were_not_stored_make_it_unready_until_one_is(
    app_url: str, keys: Path, make_workspace: MakeWorkspace, superuser_url: str
) -> None:
    await make_workspace(client_secret="sesame")
    async with web(app_url, keys) as client:
        with psycopg.connect(superuser_url, autocommit=True) as conn:
            conn.execute("ALTER TABLE inbox ADD CONSTRAINT full_disk CHECK (topic <> 'ping')")
            assert (await send(client, 1)).status_code == 503
            assert await reasons(client) == ["inbox_failing"]
            conn.execute("ALTER TABLE inbox DROP CONSTRAINT full_disk")
        assert (await send(client, 2)).status_code == 200
        assert await reasons(client) == []


async def send(client: httpx.AsyncClient, number: int, secret: str = "sesame") -> httpx.Response:
    body = json.dumps({"app_id": "a86dr8yl", "id": f"n{number}", "topic": "ping"}).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()
    return await client.post("/hooks/intercom/eu1", content=body, headers={"X-Hub-Signature": f"sha1={signature}"})


async def test_ingest_is_counted_by_status_batch_and_time(
    app_url: str, keys: Path, make_workspace: MakeWorkspace
) -> None:
    await make_workspace(client_secret="sesame")
    async with web(app_url, keys) as client:
        await asyncio.gather(*(send(client, number) for number in range(7)))
        await send(client, 8, "wrong")
        await client.post("/hooks/intercom/us9", content=b"{}")
        found = await numbers(client)
    assert {key[1]: value for key, value in found.items() if key[0] == "steelyard_webhooks_total"} == {
        "200": 7, "401": 1, "404": 1,
    }  # fmt: skip
    assert found["steelyard_ingest_batch_webhooks_sum",] == 7
    assert found["steelyard_ingest_batch_webhooks_count",] == found["steelyard_ingest_commit_seconds_count",]
    assert found["steelyard_ingest_commit_seconds_sum",] > 0
    assert found["steelyard_ingest_batch_webhooks_bucket", "+Inf"] >= 1
    assert found["process_resident_memory_bytes",] > 1_000_000


async def test_the_tables_are_told_as_they_are(
    app_url: str, keys: Path, database: Database, make_workspace: MakeWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steelyard.routing.metrics.KNOWN", 0.0)
    workspace, other = await make_workspace(), await make_workspace("other")
    clock = datetime(2026, 11, 22, 15, 42, 8, tzinfo=UTC)
    metrics = CellMetrics(database, lambda: micros(clock))

    async def found() -> dict[tuple[str, ...], Any]:
        return {(each.metric.name, *each.labels): each.value for each in await metrics.samples()}

    before = await found()
    assert before["steelyard_database_up",] == 1
    assert before["steelyard_open_conversations", workspace] == 0
    assert ("steelyard_load_max_minus_mean", workspace) not in before, "nobody is there"
    desk = await busy_desk(database, workspace)
    async with database.transaction(workspace) as conn:
        await conn.execute("UPDATE inbox SET handled_at = now(), outcome = 'aside'")
        await conn.execute(
            "INSERT INTO alarm (workspace, kind, since, seen_at, figures) VALUES (%s, 'drift', now(), now(), '{}')",
            (workspace,),
        )
        await conn.execute(
            "INSERT INTO reading (workspace, asked, started_at, ended_at, deep, drift)"
            " VALUES (%s, 'asked', now(), now(), true, 4)",
            (workspace,),
        )
        await conn.execute(
            "INSERT INTO inbox (workspace, notification, topic, body, received_at) VALUES (%s, 'x', 'ping', '', %s)",
            (workspace, clock - timedelta(seconds=30)),
        )
    after = await found()
    async with database.transaction(workspace) as conn:
        told = await conn.execute("SELECT outcome, count(*) FROM decision GROUP BY 1")
        outcomes = dict(await told.fetchall())
    assert outcomes["delivered"] > 40
    assert after["steelyard_decisions_total", workspace, "made"] == len(desk.decided)
    for outcome in ("delivered", "overtaken"):
        assert after["steelyard_decisions_total", workspace, outcome] == outcomes[outcome]
    assert after["steelyard_delivery_seconds", workspace].count == outcomes["delivered"]
    assert after["steelyard_delivery_seconds", workspace].sum == pytest.approx(0.6 * outcomes["delivered"])
    assert after["steelyard_decisions_pending", workspace] == outcomes["pending"]
    assert after["steelyard_pending_oldest_seconds", workspace] > 0
    assert after["steelyard_inbox_unhandled", workspace] == 1
    assert after["steelyard_inbox_oldest_seconds", workspace] == 30
    assert after["steelyard_set_aside", workspace] == 1
    assert after["steelyard_reading_drift", workspace] == 4
    assert after["steelyard_open_conversations", workspace] == len(desk.state.conversations)
    assert after["steelyard_alarms_open", workspace, "drift"] == 1
    assert after["steelyard_alarms_open", workspace, "silence"] == 0
    available = [each.load for each in desk.state.engineers.values() if not each.away]
    expected = max(available) - sum(available) / len(available)
    assert after["steelyard_load_max_minus_mean", workspace] == pytest.approx(expected)
    assert after["steelyard_alarms_open", other, "drift"] == 0
    assert ("steelyard_decisions_total", other, "made") not in after
    again = await found()
    assert again["steelyard_decisions_total", workspace, "made"] == len(desk.decided), "each fact is counted once"


async def test_metrics_and_readiness_answer_to_this_machine_s_names_only(app_url: str, keys: Path) -> None:
    async with web(app_url, keys) as client:
        assert (await client.get("/metrics", headers={"host": "rebound.example"})).status_code == 400


async def test_a_worker_shows_its_vitals_on_this_machine_alone_and_waits_for_its_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        counted = Metric("steelyard_test_total", Kind.COUNTER, Scope.CELL, "A number.")

        async def why() -> tuple[str, ...]:
            return ("keys",)

        async def samples() -> list[Sample]:
            return [Sample(counted, (), 3)]

        serving = asyncio.create_task(serve_vitals(Vitals(why, [counted], samples), port, again=0.05))
        await asyncio.sleep(0.2)
        assert not serving.done(), "a port that is taken ends no worker"
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        for _ in range(100):
            try:
                await client.get("/health/live")
                break
            except httpx.ConnectError:
                await asyncio.sleep(0.05)
        assert await reasons(client) == ["keys"]
        assert (await numbers(client))["steelyard_test_total",] == 3
        assert (await client.get("/desk")).status_code == 404
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert serving.cancelled()
