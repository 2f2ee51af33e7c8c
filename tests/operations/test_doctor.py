"""`steelyard doctor` on a real installation: all is well, then each thing is broken and its sentence is seen."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
import uvicorn

from steelyard.adapters.intercom.client import Intercom
from steelyard.config import Settings, load, to_environment
from steelyard.demo.intercom import Config, Simulator, running
from steelyard.kit.errors import ConfigError
from steelyard.kit.ids import WorkspaceId
from steelyard.main.web import uvicorn_config, web_app
from steelyard.operations import doctor, patient
from steelyard.operations.checking import make_attributes
from steelyard.operations.doctor import examine
from steelyard.operations.findings import Finding, State
from steelyard.routing.connections import token_place
from steelyard.routing.notifications import sealed_at
from steelyard.store.keys import WEB, WORKER, Keys, key_file

# Apprise loads a module of Python's own that is on its way out.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]


@dataclass
class Installation:
    """A cell that works, and ways to look at it and to break it."""

    values: dict[str, Any]
    simulator: Simulator
    workspace: WorkspaceId
    superuser_url: str
    keys: Path
    taken: list[Any] = field(default_factory=list)

    async def look(self, **options: bool) -> list[Finding]:
        return [each async for each in examine(lambda: Settings(**self.values), **options)]

    async def wrong(self, **options: bool) -> dict[str, str]:
        """What is not good, by its check."""
        return {each.check: f"{each.said} {each.mend}" for each in await self.look(**options) if each.state != "good"}

    def run(self, query: str, *values: object) -> None:
        with psycopg.connect(self.superuser_url, autocommit=True) as conn:
            assert conn.execute(query, values).rowcount != 0, query


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[Any]]]:
    took: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            took.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"json://127.0.0.1:{server.server_port}/", took
    server.shutdown()
    server.server_close()


@pytest.fixture
async def cell(
    app_url: str,
    superuser_url: str,
    keys: Path,
    make_workspace: MakeWorkspace,
    tmp_path: Path,
    receiver: tuple[str, list[Any]],
) -> AsyncIterator[Installation]:
    shutil.copytree(keys, tmp_path / "keys")
    address, took = receiver
    async with running(Config(region="EU")) as simulator:
        async with Intercom(simulator.base_url, simulator.config.token) as intercom:
            await make_attributes(intercom)
            me = await intercom.me()
        workspace = await make_workspace(
            me.app.id, api_url=simulator.base_url, access_token=simulator.config.token, actor=me.id
        )
        values = {
            "cell": "eu1", "region": "eu", "database_url": app_url, "keys": tmp_path / "keys", "alarms": address,
            "data": tmp_path / "data",
        }  # fmt: skip
        made = Installation(values, simulator, workspace, superuser_url, tmp_path / "keys", took)
        live(made)
        async with web_app(Settings(**values), app_url) as app:
            listening = socket.create_server(("127.0.0.1", 0))
            values["port"] = listening.getsockname()[1]
            server = uvicorn.Server(uvicorn_config(app, "127.0.0.1", 0))
            serving = asyncio.create_task(server.serve([listening]))
            yield made
            server.should_exit = True
            await serving


def live(made: Installation) -> None:
    """A worker that is alive, a webhook that came and a reading that was made."""
    made.run("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() + interval '1 hour')")
    made.run(
        "INSERT INTO inbox (workspace, notification, topic, body, handled_at) VALUES (%s, 'n', 'ping', '', now())",
        made.workspace,
    )
    made.run(
        "INSERT INTO reading (workspace, asked, started_at, ended_at, deep) VALUES (%s, 'start', now(), now(), true)",
        made.workspace,
    )


async def test_all_is_well(cell: Installation) -> None:
    found = await cell.look()
    assert [each for each in found if each.state != "good"] == [each for each in found if each.check == "public_url"], (
        "whether Intercom reaches us cannot be known here"
    )
    assert {each.check for each in found} >= {
        "settings", "region", "web", "alarms", "database", "role", "schema", "clock", "keys", "workers",
        "secrets", "token", "attributes", "teams", "webhooks", "flow", "reading",
    }  # fmt: skip
    assert all(each.said.endswith((".", "each.")) for each in found)


# Each is one thing broken, and a part of the sentence that says so.


def old_schema(cell: Installation) -> None:
    cell.run("DELETE FROM migration WHERE number = 2")


def no_worker(cell: Installation) -> None:
    cell.run("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'")


def failed_job(cell: Installation) -> None:
    cell.run("INSERT INTO procrastinate_jobs (queue_name, task_name, status) VALUES ('deliver', 'x', 'failed')")


def no_key_files(cell: Installation) -> None:
    shutil.rmtree(cell.keys)


def readable_key_file(cell: Installation) -> None:
    key_file(cell.keys, WEB).chmod(0o644)


def another_worker_key(cell: Installation) -> None:
    text = key_file(cell.keys, WORKER).read_text()
    key_file(cell.keys, WORKER).write_text(text[:2] + text[3:43] + "A" + text[43:])


def told(cell: Installation, failing: bool = False) -> None:
    number = 1
    sealed = Keys(key_file(cell.keys, WEB)).seal("json://user:hunter2@a", sealed_at(cell.workspace, number))
    cell.run(
        "INSERT INTO notification (workspace, name, address, language, created_at, failed_at)"
        " VALUES (%s, 'On call', %s, 'en', now(), CASE WHEN %s THEN now() END)",
        *(cell.workspace, sealed, failing),
    )


def told_and_failing(cell: Installation) -> None:
    told(cell, failing=True)


def told_and_sealed_elsewhere(cell: Installation) -> None:
    told(cell)
    cell.run("UPDATE notification SET address = replace(address, 's1.1.', 's1.7.')")


def another_region(cell: Installation) -> None:
    cell.values["region"] = "us"


def no_region(cell: Installation) -> None:
    del cell.values["region"]


def revoked(cell: Installation) -> None:
    sealed = Keys(key_file(cell.keys, WORKER)).seal("another", token_place(cell.workspace))
    cell.run("UPDATE connection SET access_token = %s", sealed)


def no_attribute(cell: Installation) -> None:
    attributes = cell.simulator.workspace.attributes
    for key in [key for key, each in attributes.items() if each.name == "weight"]:
        del attributes[key]


def balanced_team(cell: Installation) -> None:
    cell.run("INSERT INTO team (workspace, team, version, members) VALUES (%s, 7, 1, '{1}')", cell.workspace)
    cell.run(
        "INSERT INTO team_name (workspace, team, name, distribution) VALUES (%s, 7, 'Seven', 'round_robin')",
        cell.workspace,
    )


def paused(cell: Installation) -> None:
    cell.run("UPDATE workspace SET paused = true")


def never_heard(cell: Installation) -> None:
    cell.run("DELETE FROM inbox")


def unhandled(cell: Installation) -> None:
    cell.run("UPDATE inbox SET handled_at = NULL, received_at = now() - interval '5 minutes'")


def aside(cell: Installation) -> None:
    cell.run("UPDATE inbox SET outcome = 'aside'")


def drifted(cell: Installation) -> None:
    cell.run("UPDATE reading SET drift = 21")


def read_long_ago(cell: Installation) -> None:
    cell.run("UPDATE reading SET ended_at = now() - interval '2 hours'")


def never_read(cell: Installation) -> None:
    cell.run("DELETE FROM reading")


def no_alarms(cell: Installation) -> None:
    del cell.values["alarms"]


def odd_alarms(cell: Installation) -> None:
    cell.values["alarms"] = cell.values["alarms"] + "\nno-such-service://hunter2"


def no_web(cell: Installation) -> None:
    cell.values["port"] = 9


def not_connected(cell: Installation) -> None:
    cell.run("DELETE FROM connection")


def no_database(cell: Installation) -> None:
    cell.values["database_url"] = "postgresql://app:hunter2@127.0.0.1:9/steelyard"


def no_data(cell: Installation) -> None:
    del cell.values["database_url"]


def superuser(cell: Installation) -> None:
    cell.values["database_url"] = cell.superuser_url


def unreachable(cell: Installation) -> None:
    cell.values["public_url"] = "https://127.0.0.1:9"


@pytest.mark.parametrize(
    ("break_it", "check", "sentence"),
    [
        (old_schema, "schema", "without connected"),
        (no_worker, "workers", "Start one with `steelyard serve`"),
        (failed_job, "jobs", "1 jobs failed for good"),
        (no_key_files, "keys", "there is no key file"),
        (readable_key_file, "keys", "chmod 600"),
        (another_worker_key, "secrets", "was not sealed here under key 1"),
        (another_region, "region", "It is in eu, this cell in us"),
        (no_region, "region", "STEELYARD_REGION is not set"),
        (revoked, "token", "Intercom refuses the access token"),
        (no_attribute, "attributes", "no conversation attribute weight"),
        (balanced_team, "teams", "Intercom assigns in team 7 (round robin)"),
        (paused, "teams", "paused"),
        (never_heard, "webhooks", "No webhook has come"),
        (unhandled, "unhandled", "1 webhook waits to be handled"),
        (aside, "set_aside", "1 payload is set aside"),
        (drifted, "drift", "21 conversations had changed unheard"),
        (read_long_ago, "reading", "last read back 2:00:"),
        (never_read, "reading", "never read back"),
        (no_alarms, "alarms", "STEELYARD_ALARMS_FILE"),
        (odd_alarms, "alarms", "Line 2 of STEELYARD_ALARMS"),
        (no_web, "web", "No web process answers on 127.0.0.1:9"),
        (told_and_failing, "notifications", "Nothing goes through to the addresses 1 "),
        (told_and_sealed_elsewhere, "notifications", "1 of 1 addresses that are told of alarms cannot be opened"),
        (not_connected, "connection", "steelyard connect intercom"),
        (no_database, "database", "cannot be reached"),
        (no_data, "database", "`steelyard serve` makes one"),
        (superuser, "role", "row-level security would not hold"),
        (unreachable, "public_url", "https://127.0.0.1:9/hooks/intercom/eu1 does not answer"),
    ],
)
async def test_what_is_broken_is_said(
    cell: Installation, break_it: Callable[[Installation], None], check: str, sentence: str
) -> None:
    break_it(cell)
    wrong = await cell.wrong()
    assert sentence in wrong[check]
    assert "hunter2" not in " ".join(wrong.values())
    assert "could not be looked at" not in " ".join(wrong.values()), "a sentence of its own, not the last resort"


async def test_addresses_that_are_told_of_alarms_are_counted(cell: Installation) -> None:
    told(cell)
    [found] = [each for each in await cell.look() if each.check == "notifications"]
    assert (found.state, found.said) == ("good", "1 more addresses are told of alarms.")


async def test_a_machine_that_only_serves_the_web_needs_no_workers_keys(cell: Installation) -> None:
    key_file(cell.keys, WORKER).unlink()
    assert set(await cell.wrong(worker=False)) == {"public_url"}
    assert "keys" in await cell.wrong()


async def test_a_clock_that_is_off_is_said(cell: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ahead(patient.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return super().now(tz) + timedelta(hours=1)

    monkeypatch.setattr(doctor, "datetime", Ahead)
    assert "differ by 3600 s" in (await cell.wrong())["clock"]
    monkeypatch.undo()
    monkeypatch.setattr(patient, "datetime", Ahead)
    assert "Intercom's differ by 3" in (await cell.wrong())["clock"]


async def test_little_room_is_said(cell: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    del cell.values["database_url"]
    cell.values["data"].mkdir()
    monkeypatch.setattr(doctor, "FULL", 1 << 60)
    assert "Make room now" in (await cell.wrong())["disk"]


async def test_an_unforeseen_fault_of_one_check_hides_no_other(
    cell: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("hunter2")

    monkeypatch.setattr(patient, "read_figures", fail)
    found = {each.check: each for each in await cell.look()}
    assert (found["flow"].state, found["reading"].state) == (State.BAD, State.GOOD)
    assert "RuntimeError" in found["flow"].said
    assert "hunter2" not in found["flow"].said


async def test_alarms_are_tried_when_asked(cell: Installation) -> None:
    found = await cell.look(try_alarm=True)
    assert [each["title"] for each in cell.taken] == ["Steelyard: a test"]
    assert "Line 1 of STEELYARD_ALARMS took a test message." in [each.said for each in found]
    cell.values["alarms"] = "json://127.0.0.1:9/hunter2"
    assert "did not take the message" in (await cell.wrong(try_alarm=True))["alarms"]


async def test_settings_that_cannot_be_read_are_the_first_and_last_line() -> None:
    def refuse() -> Settings:
        return load({"STEELYARD_CELL": "eu1", "STEELYARD_PORT": "many"})

    [only] = [each async for each in examine(refuse)]
    assert (only.check, only.state) == ("settings", State.BAD)
    assert "STEELYARD_PORT" in only.said
    with pytest.raises(ConfigError):
        refuse()


@pytest.mark.slow
async def test_the_command_says_it_in_lines_and_by_its_status(cell: Installation) -> None:
    async def typed(*arguments: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "steelyard", "doctor", *arguments,
            env=os.environ | to_environment(Settings(**cell.values)) | {"COLUMNS": "500"},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, error = await asyncio.wait_for(process.communicate(), 60)
        assert error == b""
        return process.returncode, out.decode()

    status, said = await typed()
    assert (status, "All is well." in said) == (0, True)
    assert f"\n{cell.workspace}\n✓ Its client secret can be opened." in said
    never_read(cell)
    status, said = await typed("--json")
    told = json.loads(said)
    assert (status, told["well"]) == (1, False)
    [wrong] = [each for each in told["findings"] if each["state"] == "bad"]
    assert (wrong["check"], wrong["workspace"]) == ("reading", cell.workspace)
    assert "✗ Intercom was never read back.\n  A worker does it" in (await typed())[1]


async def test_steelyards_own_server_is_started_looked_at_and_left_as_it_was(open_folder: Path, keys: Path) -> None:
    data = open_folder / "doctored"
    from steelyard.operations.database import own_server
    from steelyard.store.embedded import APP
    from steelyard.store.migrate import prepare

    with own_server(data) as (embedded, _):
        prepare(embedded.owner_url, APP)
    settings = Settings(cell="eu1", region="eu", data=data, keys=keys)
    found = {each.check: each for each in [each async for each in examine(lambda: settings)]}
    assert found["database"].state is State.GOOD
    assert found["schema"].state is State.GOOD
    assert found["disk"].said.startswith(tuple("0123456789"))
    assert found["workspace"].state is State.WARN
    assert not embedded.alive(), "who started it ends it"
