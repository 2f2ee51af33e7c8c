"""A stranger's workspace: another team, app, region and package code, with conversations from before anybody came."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import random
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ending import ended
from steelyard.demo.intercom import Simulator, conversations, people
from steelyard.demo.intercom.conversations import Actor
from steelyard.demo.intercom.model import Conversation
from steelyard.demo.intercom.seed import Seed
from steelyard.demo.messages import messages

APP = "qz81fnot"
CONFIG: dict[str, Any] = {
    "seed": Seed(77, away=6),
    "app_id": APP,
    "package_code": "their-own-code",
    "region": "US",
    "first_id": 88_000_000_000_001,
}
READING = frozenset(
    {"me", "admins", "admin", "teams", "team", "tags", "conversations", "conversation", "search_conversations"}
    | {"conversation_attributes", "away_status_reasons", "contact", "search_tickets", "ticket"}
)
"""Calls that change nothing."""


def settle_in(simulator: Simulator, number: int = 40) -> list[Conversation]:
    """Conversations of weeks past: a third assigned, some closed, some snoozed; two teams that Intercom balances."""
    workspace, draw = simulator.workspace, random.Random(5)
    first, second, *_ = workspace.teams.values()
    first.distribution, second.distribution = "load_balanced", "round_robin"
    workspace.admins[workspace.owner].name = "Their [bold]Lead[/bold]"
    made: list[Conversation] = []
    for place, message in zip(range(number), messages(draw), strict=False):
        contact = people.customer(workspace, f"Customer {place % 9}", f"c{place % 9}@example.test")
        team = draw.choice([0, *workspace.teams])
        made.append(people.write_in(workspace, contact, message.subject, message.body, team=team))
    lead = Actor(workspace.admins[workspace.owner])
    for place, each in enumerate(made):
        if place % 3 == 0:
            conversations.assign(workspace, each, lead, admin=draw.choice(workspace.available(each)).id)
        if place % 7 == 0:
            conversations.close(workspace, each, lead)
        if place % 11 == 0 and each.state == "open":
            conversations.snooze(workspace, each, lead, workspace.now() + 90_000)
    return made


def open_ones(simulator: Simulator) -> list[Conversation]:
    return [each for each in simulator.workspace.conversations.values() if each.state == "open"]


def writes(simulator: Simulator) -> dict[str, int]:
    """The calls of the record that changed something, by what they asked for."""
    return {name: count for name, count in simulator.record.operations.items() if name not in READING}


@dataclass
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """What it refused with: one line, and no traceback before it."""
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self.err
        assert self.status == 1
        return lines[0].removeprefix("steelyard: ")


@dataclass
class Operator:
    """Somebody at a command line, with the settings of a cell and files that hold a token and a client secret."""

    folder: Path
    environment: dict[str, str]

    def file(self, name: str, content: str) -> str:
        path = self.folder / name
        path.write_text(content)
        path.chmod(0o600)
        return str(path)

    @property
    def program(self) -> list[str]:
        return [sys.executable, "-m", "steelyard"]

    @property
    def keys(self) -> Path:
        return Path(self.environment["STEELYARD_KEYS"])

    async def start(self, *arguments: str, **changes: str | None) -> asyncio.subprocess.Process:
        environment = {**os.environ, **self.environment} | {name: value for name, value in changes.items() if value}
        for name in [name for name, value in changes.items() if value is None]:
            environment.pop(name, None)
        # What serves for long would stop when nobody reads what it logs.
        heard = asyncio.subprocess.DEVNULL if arguments[0] == "serve" else asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *self.program, *arguments, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=heard, stderr=heard
        )

    async def type(self, *arguments: str, **changes: str | None) -> Done:
        """Runs `steelyard …` to its end; `changes` of the environment, None to take a variable away."""
        process = await self.start(*arguments, **changes)
        out, err = await ended(process, f"`steelyard {' '.join(arguments)}`", 60)
        return Done(process.returncode or 0, out.decode(), err.decode())

    async def connect(self, *arguments: str, **changes: str | None) -> Done:
        """Runs `steelyard connect intercom` with the stranger's token and secret, unless `arguments` name others."""
        options: Mapping[str, str] = {
            "--region": "us",
            "--token-file": str(self.folder / "token"),
            "--secret-file": str(self.folder / "secret"),
        }
        given = [word for name, value in options.items() if name not in arguments for word in (name, value)]
        return await self.type("connect", "intercom", *given, *arguments, **changes)


def operator(folder: Path, url: str, simulator: Simulator) -> Operator:
    """Somebody who connects the simulated workspace to a cell on the database at `url`."""
    made = Operator(
        folder,
        {
            "STEELYARD_CELL": "us1",
            "STEELYARD_REGION": "us",
            "STEELYARD_PUBLIC_URL": "https://us1.example.com",
            "STEELYARD_INTERCOM_URL": simulator.base_url,
            "STEELYARD_KEYS": str(folder / "keys"),
            "DATABASE_URL": url,
            "COLUMNS": "100",
        },
    )
    made.file("token", simulator.config.token + "\n")
    made.file("secret", simulator.config.client_secret + "\n")
    return made


def on_a_terminal(them: Operator, command: list[str], answers: Mapping[str, str]) -> str:
    """What a terminal shows of `steelyard …` while each of its questions, by how it begins, is answered. Blocks."""
    terminal, theirs = pty.openpty()
    environment = {**os.environ, **them.environment}
    with subprocess.Popen(
        [*them.program, *command], env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        watching = threading.Timer(60, process.kill)
        watching.start()
        shown, left = b"", dict(answers)
        with suppress(OSError):  # it ended
            while shown_now := os.read(terminal, 65_536):
                shown += shown_now
                for question in [each for each in left if re.search(rf"{each}[^\n]*: $".encode(), shown)]:
                    os.write(terminal, left.pop(question).encode() + b"\n")
        os.close(terminal)
        watching.cancel()
    return shown.decode()


async def until(happened: Callable[[], bool], seconds: float = 60) -> None:
    """Waits for what other processes do."""
    async with asyncio.timeout(seconds):
        while not happened():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
