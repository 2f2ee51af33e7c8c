"""The tutorial "your own workspace" works as it is written: its commands connect a stranger's workspace and route it.

Only what differs from reader to reader is replaced: names and addresses, the region, and where Intercom is.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from steelyard.demo.intercom import Config, Simulator, conversations, people, running
from steelyard.demo.intercom.conversations import Actor
from steelyard.demo.intercom.model import Conversation
from stranger import APP, CONFIG, Operator, on_a_terminal, open_ones, settle_in, until, writes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorials" / "your-own-workspace.md"
INSTALLING = ("git", "cd", "make")
OURS = {"STEELYARD_CELL": "us1", "STEELYARD_REGION": "us", "STEELYARD_PUBLIC_URL": "https://us1.example.com"}
"""What a reader would put in place of the tutorial's own values."""

MADE = {"create_conversation_attribute": 3}
"""All that is written in the shadow."""


def commands() -> list[list[str]]:
    """Every line that the tutorial lets people type, but for installing, which `make setup` did before tests run."""
    blocks = re.findall(r"^ *```bash\n(.*?)^ *```$", TUTORIAL.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    lines = [shlex.split(line, comments=True) for line in "".join(blocks).replace("\\\n", " ").splitlines()]
    typed = [words for words in lines if words and words[0] not in INSTALLING]
    return [words for words in typed if not words[-1].startswith("PATH=")]


class Reader(Operator):
    """Somebody who follows the tutorial, in a folder of their own."""

    def export(self, setting: str) -> None:
        name, _, value = setting.partition("=")
        assert name in OURS, f"{name} is new in the tutorial"
        self.environment[name] = OURS[name]
        assert value


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that the system user of the embedded server can pass."""
    folder = Path(tempfile.mkdtemp(prefix="steelyard-tutorial-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def reader(home: Path) -> Reader:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    where = {"STEELYARD_DATA": str(home / "data"), "STEELYARD_KEYS": str(home / "keys"), "STEELYARD_PORT": str(port)}
    return Reader(home, {"COLUMNS": "120", "HOME": str(home)} | where)


@asynccontextmanager
async def serving(reader: Reader) -> AsyncIterator[str]:
    """`steelyard serve`, as in a terminal of its own; the address of its web process."""
    desk = f"http://127.0.0.1:{reader.environment['STEELYARD_PORT']}"
    process = await asyncio.create_subprocess_exec(
        *reader.program, "serve", env={**os.environ, **reader.environment}, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await until(lambda: process.returncode is not None or answers(f"{desk}/health/live"))
        assert process.returncode is None
        yield desk
        assert process.returncode is None
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 60)


def answers(address: str) -> bool:
    try:
        return httpx.get(address, trust_env=False, timeout=1).status_code == 200
    except httpx.TransportError:
        return False


async def test_the_tutorial_connects_a_strangers_workspace_and_routes_it(reader: Reader) -> None:
    typed = iter(commands())
    async with running(Config(**CONFIG)) as simulator:
        settle_in(simulator)
        reader.environment["STEELYARD_INTERCOM_URL"] = simulator.base_url
        words = next(typed)
        while words[0] == "export":
            reader.export(words[1])
            words = next(typed)
        assert words == ["steelyard", "serve"]
        async with serving(reader) as desk:
            await connect(reader, simulator, next(typed))
            await simulator.sender.subscribe(f"{desk}/hooks/intercom/us1")
            words = next(typed)
            assert words == ["steelyard", "link"]
            with closing(await browser(reader, desk, words)) as page:
                await lives_in_the_shadow(simulator, page)


async def connect(reader: Reader, simulator: Simulator, words: list[str]) -> None:
    """Types the tutorial's command at a terminal, and what it asks for."""
    assert words == ["steelyard", "connect", "intercom"]
    config = simulator.config
    typed = {"region": "us", "Access token": config.token, "Client secret": config.client_secret}
    typed = {f".*{question}": answer for question, answer in typed.items()}
    shown = await asyncio.to_thread(on_a_terminal, reader, words[1:], typed)
    assert f"is connected as us1.{APP}, region us." in shown
    assert f"{len(open_ones(simulator))} open conversations" in shown
    assert "team Support (balanced)" in shown
    assert "https://us1.example.com/hooks/intercom/us1" in shown
    assert f"http://127.0.0.1:{reader.environment['STEELYARD_PORT']}/enter?token=us1.{APP}~" in shown
    assert config.token not in shown
    assert writes(simulator) == MADE


async def browser(reader: Reader, desk: str, words: list[str]) -> httpx.Client:
    """A browser in which somebody became an administrator by the printed link."""
    done = await reader.type(*words[1:])
    link = done.out.strip()
    assert link.startswith(f"{desk}/enter?token="), done.err
    page = httpx.Client(base_url=desk, trust_env=False, timeout=20)
    token = link.partition("token=")[2]
    typed = {"token": token, "name": "Ada Quinn", "address": "ada@example.com", "password": "weigh it, then carry it"}
    entered = await asyncio.to_thread(page.post, "/enter", data=typed, headers={"Origin": desk})
    assert entered.status_code == 303
    people = await reader.type("people", "--json")
    assert [each["roles"] for each in people.json["people"]] == [["administrator"]]
    listed = await asyncio.to_thread(page.get, "/people.json")
    assert [each["name"] for each in listed.json()["rows"]] == ["Ada Quinn"]
    return page


def new_conversations(simulator: Simulator, team: int, number: int) -> list[Conversation]:
    contact = people.customer(simulator.workspace, "Camille Durand", "camille@example.test")
    return [
        people.write_in(simulator.workspace, contact, f"DNS {place}", "Our nameservers do not answer", team=team)
        for place in range(number)
    ]


async def lives_in_the_shadow(simulator: Simulator, page: httpx.Client) -> None:
    """People go on as before; Steelyard decides, compares and writes nothing."""
    workspace = simulator.workspace
    for team in workspace.teams:
        for each in new_conversations(simulator, team, 3):
            who = workspace.available(each)[0]
            await asyncio.sleep(0.05)
            conversations.assign(workspace, each, Actor(who), admin=who.id)
    assert await simulator.sender.drain(60)
    await until(lambda: decisions(page, "compared") >= 9)
    assert writes(simulator) == MADE
    for path in ("/desk", "/shadow"):
        shown = await asyncio.to_thread(page.get, path)
        assert shown.status_code == 200, path


async def switches_on(reader: Reader, simulator: Simulator, typed: list[list[str]]) -> None:
    """One team is on: its conversations are assigned, with their attributes; the others stay in the shadow."""
    (show, on), (support, other, *_) = typed, simulator.workspace.teams.values()
    shown = await reader.type(*show[1:])
    assert "Support francophone" in shown.out, shown.err
    assert writes(simulator) == MADE
    support.distribution = None
    done = await reader.type(*on[1:])
    assert done.status == 0, done.err
    theirs, others = new_conversations(simulator, support.id, 5), new_conversations(simulator, other.id, 5)
    waiting = [each for each in open_ones(simulator) if each.team == support.id]
    assert len(waiting) > len(theirs), "those from before are given to somebody, too"
    await until(lambda: all(each.admin for each in waiting))
    assert {each.admin for each in theirs} <= set(support.members)
    assert all({"weight", "topic", "decision"} <= each.attributes.keys() for each in theirs)
    assert not [each for each in others if each.admin or each.attributes], "another team is still in the shadow"


async def falls_back(reader: Reader, simulator: Simulator, typed: list[list[str]]) -> None:
    """Nothing more is written."""
    support = next(iter(simulator.workspace.teams))
    for words in typed:
        done = await reader.type(*words[1:])
        assert done.status == 0, done.err
        assert await simulator.sender.drain(60)
        before = writes(simulator)
        left = new_conversations(simulator, support, 3)
        assert await simulator.sender.drain(60)
        await asyncio.sleep(3)
        assert writes(simulator) == before
        assert not any(each.admin for each in left)


def decisions(page: httpx.Client, outcome: str) -> int:
    found: list[dict[str, Any]] = page.get("/decisions.json").json()["decisions"]
    return sum(each["outcome"] == outcome for each in found)
