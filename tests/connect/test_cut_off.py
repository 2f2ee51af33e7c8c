"""Connecting that is cut off anywhere, and run again: it finishes, and nothing of it ever routes."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ending import ended
from steelyard import config
from steelyard.demo.intercom import Config, Simulator, running
from steelyard.demo.intercom.webhooks import Timing
from steelyard.kit.errors import RemoteError
from steelyard.operations.checking import Asked
from steelyard.operations.connecting import connect
from stranger import APP, CONFIG, Operator, open_ones, operator, settle_in, until, writes

WORKSPACE = f"us1.{APP}"

STEPS = (
    *(("me", 1), ("teams", 1), ("search_conversations", 1), ("conversation_attributes", 2)),
    *(("create_conversation_attribute", 1), ("create_conversation_attribute", 1)),
    *(("create_conversation_attribute", 1), ("admins", 2), ("search_conversations", 2), ("search_conversations", 3)),
)
"""Calls of Intercom in the order of a connecting, each with its place among those of its name in one run."""


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with running(Config(**CONFIG, timing=Timing(window=1, slow=5.0))) as simulator:
        settle_in(simulator)
        yield simulator


def rows(url: str, query: str) -> list[Any]:
    with psycopg.connect(url) as conn:
        return conn.execute(query).fetchall()  # pyright: ignore


async def start(them: Operator) -> asyncio.subprocess.Process:
    files = ("--token-file", str(them.folder / "token"), "--secret-file", str(them.folder / "secret"))
    return await them.start("connect", "intercom", "--region", "us", *files)


async def cut_off_at(them: Operator, simulator: Simulator, operation: str, place: int, how: int) -> Any:
    """Starts connecting and ends it while that call waits for its answer; the status and what it said."""
    before = simulator.record.operations[operation]
    simulator.faults.plan(operation, [*["fine"] * (place - 1), "slow"])
    process = await start(them)
    await until(lambda: simulator.record.operations[operation] == before + place or process.returncode is not None)
    process.send_signal(how)
    _, err = await ended(process, "`steelyard connect`", 30)
    simulator.faults.plan(operation, [])
    return process.returncode, err.decode()


def is_as_it_should(simulator: Simulator, url: str) -> None:
    assert rows(url, "SELECT workspace, routed FROM workspace") == [(WORKSPACE, [])]
    opened = {int(each.id) for each in open_ones(simulator)}
    assert {id for (id,) in rows(url, "SELECT conversation FROM conversation WHERE open")} == opened
    assert rows(url, "SELECT count(*) FROM inbox WHERE handled_at IS NULL OR outcome = 'aside'") == [(0,)]
    unassigned = {int(each.id) for each in open_ones(simulator) if not each.admin}
    decided = [id for (id,) in rows(url, "SELECT conversation FROM decision")]
    assert (set(decided), len(decided)) == (unassigned, len(unassigned))
    assert rows(url, "SELECT DISTINCT outcome FROM decision") == [("shadow",)]
    assert {"weight", "topic", "decision"} <= simulator.workspace.attributes.keys()
    assert writes(simulator).keys() == {"create_conversation_attribute"}


@pytest.mark.slow
async def test_killed_at_every_call_it_finishes_when_it_is_run_again(
    them: Operator, simulator: Simulator, superuser_url: str
) -> None:
    for operation, place in STEPS:
        status, _ = await cut_off_at(them, simulator, operation, place, signal.SIGKILL)
        assert status == -signal.SIGKILL, (operation, place)
        assert rows(superuser_url, "SELECT routed FROM workspace") in ([], [([],)]), "at most in the shadow"
    done = await them.connect()
    assert done.status == 0, done.err
    is_as_it_should(simulator, superuser_url)


@pytest.mark.slow
async def test_killed_while_it_weighs_it_finishes_when_it_is_run_again(
    them: Operator, simulator: Simulator, superuser_url: str
) -> None:
    waiting = "SELECT count(*) > 20 FROM inbox WHERE handled_at IS NULL"
    assert (await them.connect()).status == 0
    with psycopg.connect(superuser_url) as conn:
        # All is unknown again, while somebody else holds the workspace.
        conn.execute("DELETE FROM conversation; DELETE FROM decision; DELETE FROM reading; DELETE FROM inbox")
        conn.execute("DELETE FROM ledger WHERE conversation IS NOT NULL")
        conn.execute("UPDATE workspace SET version = version + 10000, position = position + 10000")
        conn.commit()
        conn.execute("SELECT FROM workspace FOR UPDATE")
        process = await start(them)
        await until(lambda: rows(superuser_url, waiting) == [(True,)] or process.returncode is not None)
        process.kill()
        await ended(process, "`steelyard connect`")
    assert rows(superuser_url, waiting) == [(True,)]
    assert (await them.connect()).status == 0
    is_as_it_should(simulator, superuser_url)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_stopped_by_hand_it_says_how_to_go_on(
    them: Operator, simulator: Simulator, superuser_url: str, number: int, status: int
) -> None:
    ended, err = await cut_off_at(them, simulator, "search_conversations", 3, number)
    assert ended == status
    assert "Stopped. Nothing is assigned by this; run the command again, and it goes on from here." in err
    assert "Traceback" not in err
    assert (await them.connect()).status == 0
    is_as_it_should(simulator, superuser_url)


async def test_a_network_that_fails_half_way(tmp_path: Path, app_url: str, simulator: Simulator, superuser_url: str):
    them = operator(tmp_path, app_url, simulator)
    wanted = Asked("us", simulator.config.token, simulator.config.client_secret)
    for operation, place in (("create_conversation_attribute", 2), ("admins", 2), ("search_conversations", 3)):
        simulator.faults.plan(operation, [*["fine"] * (place - 1), *["unavailable"] * 3])
        with pytest.raises(RemoteError, match="it failed to handle the call"):
            await connect(config.load(them.environment), wanted, False, lambda *_: None)
        simulator.faults.plan(operation, [])
    await connect(config.load(them.environment), wanted, False, lambda *_: None)
    is_as_it_should(simulator, superuser_url)


async def test_other_apps_fill_the_rate_limit(tmp_path: Path, app_url: str, simulator: Simulator, superuser_url: str):
    them = operator(tmp_path, app_url, simulator)
    wanted = Asked("us", simulator.config.token, simulator.config.client_secret)
    simulator.faults.plan("search_conversations", ["fine", "fine", *["rate_limit"] * 4])
    told: list[tuple[str, int, int | None]] = []
    await connect(config.load(them.environment), wanted, False, lambda *each: told.append(each))
    assert simulator.record.counts["calls_429"] == 4
    is_as_it_should(simulator, superuser_url)
    for what in ("Read", "Weighed"):
        _, done, total = [each for each in told if each[0] == what][-1]
        assert done == total
        assert total is not None
        assert total >= len(open_ones(simulator))
