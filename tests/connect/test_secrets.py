"""`steelyard secrets`: sealing everything anew, cut off or on several machines, while web and worker go on."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from ending import ended
from steelyard import config
from steelyard.demo.intercom import Simulator, people
from steelyard.demo.intercom.webhooks import signature
from steelyard.kit.errors import KeyFileError
from steelyard.kit.ids import WorkspaceId
from steelyard.operations.secrets import key_files, rotate
from steelyard.routing.connections import secret_place, token_place
from steelyard.routing.notifications import (
    Choice,
    add_notification,
    read_addresses,
    remove_notification,
    sealed_at,
)
from steelyard.store.database import Database
from steelyard.store.keys import WEB, WORKER, Keys, add_key, key_file, number_of, read_keys
from stranger import APP, Operator, until

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]
APPS = ("aaa", "bbb", "ccc")


@pytest.fixture
def keys(keys: Path, tmp_path: Path) -> Path:
    """Key files of this test's own, since it changes them."""
    return Path(shutil.copytree(keys, tmp_path / "keys"))


@pytest.fixture
async def cell(make_workspace: MakeWorkspace) -> list[WorkspaceId]:
    """Three workspaces."""
    return [await make_workspace(each, access_token=f"token {each}", client_secret=f"secret {each}") for each in APPS]


def settings(app_url: str, keys: Path) -> config.Settings:
    return config.load({"STEELYARD_CELL": "eu1", "DATABASE_URL": app_url, "STEELYARD_KEYS": str(keys)})


def stored(url: str) -> list[Any]:
    with psycopg.connect(url) as conn:
        return conn.execute("SELECT workspace, client_secret, access_token FROM connection ORDER BY 1").fetchall()


def numbers(url: str) -> list[tuple[int | None, int | None]]:
    return [(number_of(secret), number_of(token)) for _, secret, token in stored(url)]


def all_open(url: str, keys: Path) -> bool:
    """Whether every secret opens, to what it was."""
    web, worker = (Keys(key_file(keys, name)) for name in (WEB, WORKER))
    return [
        (web.unseal(secret, secret_place(workspace)), worker.unseal(token, token_place(workspace)))
        for workspace, secret, token in stored(url)
    ] == [(f"secret {each}", f"token {each}") for each in APPS]


def known(keys: Path) -> list[set[int]]:
    return [set(read_keys(key_file(keys, name))) for name in (WEB, WORKER)]


@pytest.mark.usefixtures("cell")
async def test_everything_is_sealed_anew(app_url: str, superuser_url: str, keys: Path) -> None:
    assert numbers(superuser_url) == [(1, 1)] * 3
    done = await rotate(settings(app_url, keys), only_add=False, forget_old=False)
    assert done == ({"web.keys": 2, "worker.keys": 2}, 6, {})
    assert numbers(superuser_url) == [(2, 2)] * 3
    assert all_open(superuser_url, keys)
    assert known(keys) == [{1, 2}] * 2
    done = await rotate(settings(app_url, keys), only_add=False, forget_old=True)
    assert done == ({"web.keys": 3, "worker.keys": 3}, 6, {"web.keys": [1, 2], "worker.keys": [1, 2]})
    assert known(keys) == [{3}] * 2
    assert all_open(superuser_url, keys)


async def test_where_alarms_are_told_is_sealed_anew_too(
    app_url: str, database: Database, keys: Path, cell: list[WorkspaceId]
) -> None:
    choice = Choice("On call", None, "en", None, None, "UTC")
    web = Keys(key_file(keys, WEB))
    async with database.transaction(cell[1]) as conn:
        numbers = [
            await add_notification(conn, cell[1], choice, f"json://{each}", web, datetime.now(UTC)) for each in "ab"
        ]
        await remove_notification(conn, cell[1], numbers[1], datetime.now(UTC))
    [file, _] = await key_files(database, keys)
    assert dict(file.sealed) == {1: 5}
    done = await rotate(settings(app_url, keys), only_add=False, forget_old=True)
    assert done == ({"web.keys": 2, "worker.keys": 2}, 8, {"web.keys": [1], "worker.keys": [1]})
    async with database.transaction(cell[1]) as conn:
        sealed = await read_addresses(conn, cell[1])
    opened = [Keys(key_file(keys, WEB)).unseal(sealed[each], sealed_at(cell[1], each)) for each in numbers]
    assert opened == ["json://a", "json://b"], "also the one that may be put back"


@pytest.mark.usefixtures("cell")
async def test_several_machines_get_the_key_before_it_is_used(
    app_url: str, superuser_url: str, keys: Path, tmp_path: Path
) -> None:
    done = await rotate(settings(app_url, keys), only_add=True, forget_old=False)
    assert done == ({"web.keys": 2, "worker.keys": 2}, 0, {})
    assert numbers(superuser_url) == [(1, 1)] * 3
    other = Path(shutil.copytree(keys, tmp_path / "other machine"))
    done = await rotate(settings(app_url, keys), only_add=False, forget_old=True)
    assert done == ({}, 6, {"web.keys": [1], "worker.keys": [1]}), "the key that was added is used"
    assert all_open(superuser_url, other)
    assert all_open(superuser_url, keys)


async def test_killed_in_the_middle_it_goes_on(
    app_url: str, superuser_url: str, keys: Path, cell: list[WorkspaceId], tmp_path: Path
) -> None:
    them = Operator(tmp_path, {"STEELYARD_CELL": "eu1", "DATABASE_URL": app_url, "STEELYARD_KEYS": str(keys)})
    with psycopg.connect(superuser_url) as conn:
        conn.execute("SELECT FROM connection WHERE workspace = %s FOR UPDATE", [cell[1]])
        process = await them.start("secrets", "rotate")
        await until(lambda: numbers(superuser_url)[0] == (2, 2))
        process.kill()
        await ended(process, "`steelyard secrets rotate`")
    assert numbers(superuser_url) == [(2, 2), (1, 1), (1, 1)]
    assert all_open(superuser_url, keys)
    done = await rotate(settings(app_url, keys), only_add=False, forget_old=True)
    assert done == ({}, 4, {"web.keys": [1], "worker.keys": [1]}), "no third key"
    assert numbers(superuser_url) == [(2, 2)] * 3
    assert all_open(superuser_url, keys)


async def test_what_cannot_be_opened_stops_nothing_else_and_its_key_is_kept(
    app_url: str, superuser_url: str, keys: Path, cell: list[WorkspaceId]
) -> None:
    with psycopg.connect(superuser_url) as conn:
        conn.execute("UPDATE connection SET access_token = %s WHERE workspace = %s", ["s1.7.AAAA", cell[0]])
        conn.execute("UPDATE connection SET client_secret = %s WHERE workspace = %s", ["s1.1.AAAA", cell[1]])
    with pytest.raises(KeyFileError, match=r"eu1\.aaa connection\.access_token is sealed under key 7, which"):
        await rotate(settings(app_url, keys), only_add=False, forget_old=True)
    assert numbers(superuser_url) == [(1, 7), (1, 1), (2, 8)]
    assert known(keys) == [{1, 2}, {1, 8}], "a number that was used is not used again, and what is needed is kept"


async def test_a_machine_without_a_key_file_does_not_rotate(app_url: str, keys: Path, cell: list[WorkspaceId]) -> None:
    key_file(keys, WORKER).unlink()
    with pytest.raises(KeyFileError, match=r"there is no .*worker\.keys: rotate on a machine that has both key files"):
        await rotate(settings(app_url, keys), only_add=False, forget_old=False)
    assert set(read_keys(key_file(keys, WEB))) == {1}


async def test_show_counts_and_shows_no_key(
    app_url: str, superuser_url: str, keys: Path, cell: list[WorkspaceId], tmp_path: Path
) -> None:
    them = Operator(tmp_path, {"STEELYARD_CELL": "eu1", "DATABASE_URL": app_url, "STEELYARD_KEYS": str(keys)})
    await rotate(settings(app_url, keys), only_add=True, forget_old=False)
    shown = await them.type("secrets", "show", "--json")
    assert shown.status == 0, shown.err
    each = {"keys": [1, 2], "newest": 2, "sealed": {"1": 3}, "missing": [], "other": []}
    told = json.loads(shown.out)
    marks = [file.pop("fingerprints") for file in told]
    assert told == [{"file": str(key_file(keys, name))} | each for name in (WEB, WORKER)]
    assert [list(file) for file in marks] == [["1", "2"]] * 2
    assert len({mark for file in marks for mark in file.values() if re.fullmatch("[0-9a-f]{8}", mark)}) == 4
    for name in (WEB, WORKER):
        for key in read_keys(key_file(keys, name)).values():
            assert urlsafe_b64encode(key).decode() not in shown.out
    key_file(keys, WORKER).unlink()
    async with Database.open(app_url) as database:
        worker = (await key_files(database, keys))[1]
    assert (worker.known, worker.missing, worker.sealed) == (None, [1], {1: 3})
    in_words = (await them.type("secrets", "show", COLUMNS="200")).out
    assert "not on this machine" in in_words
    assert marks[0]["1"] in in_words


async def test_two_machines_compare_their_files_by_fingerprint(
    app_url: str, keys: Path, cell: list[WorkspaceId], tmp_path: Path
) -> None:
    copied = Path(shutil.copytree(keys, tmp_path / "copied"))
    made = Path(shutil.copytree(keys, tmp_path / "made"))
    key_file(made, WORKER).unlink()
    add_key(key_file(made, WORKER))
    async with Database.open(app_url) as database:
        here, there, elsewhere = [await key_files(database, each) for each in (keys, copied, made)]
    assert [each.known for each in here] == [each.known for each in there]
    assert [each.other for each in (*here, *there)] == [frozenset()] * 4
    assert here[0].known == elsewhere[0].known
    assert here[1].known != elsewhere[1].known
    assert (elsewhere[0].other, elsewhere[1].other) == (frozenset(), {1})


# With real processes


@asynccontextmanager
async def serving(them: Operator, role: str, port: int) -> AsyncIterator[None]:
    process = await them.start("serve", "--role", role, STEELYARD_PORT=str(port))
    try:
        if role == "web":
            end = time.monotonic() + 60
            while not await answers(port):
                assert time.monotonic() < end
                assert process.returncode is None
                await asyncio.sleep(0.1)
        yield
        assert process.returncode is None, "it went on"
    finally:
        if process.returncode is None:
            process.terminate()
        await ended(process, f"the {role} process")


async def answers(port: int) -> bool:
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(f"http://127.0.0.1:{port}/health/live")).status_code == 200
    except httpx.TransportError:
        return False


async def webhook(port: int, simulator: Simulator, secret: str) -> int:
    """What the web process answers to a webhook that is signed with `secret`."""
    body = json.dumps(
        {"type": "notification_event", "id": f"notif_{time.monotonic_ns()}", "topic": "ping", "app_id": APP}
        | {"created_at": int(time.time()), "data": {"item": {}}}
    ).encode()
    async with httpx.AsyncClient(trust_env=False) as client:
        headers = {"X-Hub-Signature": signature(secret, body), "Content-Type": "application/json"}
        url = f"http://127.0.0.1:{port}/hooks/intercom/us1"
        return (await client.post(url, content=body, headers=headers)).status_code


@pytest.mark.slow
async def test_a_web_machine_has_no_key_to_the_tokens(them: Operator, simulator: Simulator, free_port: int) -> None:
    assert (await them.connect()).status == 0
    worker = key_file(them.keys, WORKER)
    worker.unlink()
    os.mkfifo(worker)  # whoever opened it would wait for ever
    async with serving(them, "web", free_port):
        assert await webhook(free_port, simulator, simulator.config.client_secret) == 200
        assert await webhook(free_port, simulator, "another secret") == 401
        worker.unlink()
        assert await webhook(free_port, simulator, simulator.config.client_secret) == 200
    web = Keys(key_file(them.keys, WEB))
    with psycopg.connect(them.environment["DATABASE_URL"]) as conn:
        conn.execute(f"SET steelyard.workspace = 'us1.{APP}'")
        [[token]] = conn.execute("SELECT access_token FROM connection").fetchall()
    with pytest.raises(KeyFileError):
        web.unseal(token, token_place(WorkspaceId(f"us1.{APP}")))


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_running_processes_go_on_under_fresh_keys(
    them: Operator, simulator: Simulator, superuser_url: str, free_port: int
) -> None:
    assert (await them.connect()).status == 0
    with psycopg.connect(superuser_url) as conn:
        conn.execute("UPDATE workspace SET routed = NULL")
    async with serving(them, "web", free_port), serving(them, "worker", 0):
        await simulator.sender.subscribe(f"http://127.0.0.1:{free_port}/hooks/intercom/us1")
        await is_assigned(simulator)
        done = await them.type("secrets", "rotate", "--forget-old")
        assert done.status == 0, done.err
        assert "2 secrets were sealed anew." in done.out
        assert [set(read_keys(each)) for each in them.keys.iterdir()] == [{2}, {2}]
        await asyncio.sleep(31)  # until neither believes what it read before
        await is_assigned(simulator)
        assert await webhook(free_port, simulator, simulator.config.client_secret) == 200


async def is_assigned(simulator: Simulator) -> None:
    contact = people.customer(simulator.workspace, "Camille Durand", "camille@example.test")
    conversation = people.write_in(simulator.workspace, contact, "DNS", "Our nameservers do not answer")
    await until(lambda: bool(conversation.admin))
