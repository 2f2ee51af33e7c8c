"""`steelyard switch`: by the names that Intercom has, as people and machines read it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import SecretStr

from desk_seed import Desk
from ending import ended
from shadow_seed import switch
from steelyard.cli import switching as cli
from steelyard.config import Settings
from steelyard.kit.errors import ConfigError
from steelyard.kit.ids import WorkspaceId
from steelyard.operations import switching
from steelyard.routing.model import Switch
from steelyard.routing.switching import Verb
from steelyard.store.database import Database


@pytest.fixture
async def desk(database: Database, make_workspace: Callable[..., Awaitable[WorkspaceId]]) -> Desk:
    """Three teams, two of the same name; nothing is on, and one conversation waits."""
    desk = Desk(database, await make_workspace())
    await desk.adopt()
    await desk.person(1, "Ana")
    for id, name in ((6, "Support"), (7, "Premium"), (8, "premium")):
        await desk.team(id, name, 1)
    await switch(desk, Switch(()))
    await desk.ask(5000, "DNS", "nameservers", team=6)
    return desk


@pytest.fixture
def settings(app_url: str) -> Settings:
    return Settings(cell="eu1", database_url=SecretStr(app_url))


def on(shown: switching.Shown) -> list[int]:
    return [each.team for each in shown.teams if each.on]


async def test_teams_go_by_name_or_id(desk: Desk, settings: Settings) -> None:
    shown = await switching.change(settings, None, Verb.ON, ["support", "8"])
    assert on(shown) == [6, 8]
    assert on(await switching.change(settings, None, Verb.SHADOW, ["Support"])) == [8]
    assert on(await switching.change(settings, None, Verb.ON, ["0"])) == [8, 0]
    assert on(await switching.change(settings, None, Verb.ON, [switching.WITHOUT_TEAM])) == [8, 0]


async def test_all_and_pause(desk: Desk, settings: Settings) -> None:
    shown = await switching.change(settings, desk.workspace, Verb.ON, None)
    assert (shown.reach.state, shown.reach.later) == ("on", True)
    assert (await switching.change(settings, None, Verb.PAUSE, None)).reach.state == "paused"
    assert (await switching.show(settings, None)).reach.state == "paused"
    assert (await switching.change(settings, None, Verb.RESUME, None)).reach.state == "on"
    assert (await switching.change(settings, None, Verb.SHADOW, None)).reach.state == "shadow"


@pytest.mark.parametrize(
    ("wanted", "said"), [("Sales", "no team is called Sales"), ("Premium", "2 teams are called Premium")]
)
async def test_what_is_unknown_or_ambiguous_is_refused_with_the_list(
    desk: Desk, settings: Settings, wanted: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        await switching.change(settings, None, Verb.ON, ["Support", wanted])
    for listed in ("Support (6)", "Premium (7)", "premium (8)", "conversations without a team (0)"):
        assert listed in str(refused.value)
    assert on(await switching.show(settings, None)) == [], "nothing was changed"


async def test_a_name_is_no_command_to_the_terminal(
    desk: Desk, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = "Bell\x1b]0;owned\x07\x1b[2J"
    await desk.team(9, odd, 1)
    async with desk.database.transaction(desk.workspace) as conn:
        await conn.execute("UPDATE team_name SET distribution = E'\\x1b[31m' WHERE team = 9")
    told = await switching.show(settings, None)
    cli._say(told, as_json=False)
    said = capsys.readouterr().out
    assert "Bell?]0;owned" in said
    assert "Intercom itself assigns in Bell" in said
    assert not {each for each in said if not each.isprintable()} - {"\n"}
    with pytest.raises(ConfigError, match="no team is called Sales") as refused:
        switching.team_of(told.teams, "Sales\x1b[2J")
    assert "Bell?]0;owned" in str(refused.value)
    assert str(refused.value).isprintable()
    assert switching.team_of(told.teams, odd) == switching.team_of(told.teams, switching.name_of(told.teams[0])) == 9
    with pytest.raises(ConfigError, match="no team is called"):
        switching.team_of(told.teams, "")


async def typed(url: str, *words: str) -> tuple[int, str, str]:
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "steelyard", "switch", *words),
        env={**os.environ, "DATABASE_URL": url, "STEELYARD_CELL": "eu1", "COLUMNS": "160"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await ended(program, f"`steelyard switch {' '.join(words)}`", 60)
    return program.returncode or 0, out.decode(), err.decode()


@pytest.mark.slow
async def test_people_and_machines_read_it(desk: Desk, app_url: str) -> None:
    status, out, err = await typed(app_url, "show")
    assert (status, err) == (0, "")
    assert "in the shadow. Steelyard decides and compares, and writes nothing to Intercom." in out
    assert "1, 1 available" in out
    status, out, _ = await typed(app_url, "on", "--team", "Support", "--json")
    told: Any = json.loads(out)
    assert (status, told["reach"]["on"], told["reach"]["teams"]) == (0, 1, 3)
    status, out, _ = await typed(app_url, "pause")
    assert "paused since" in out
    assert "until `steelyard switch resume`" in out
    for words, said in ((["on"], "--team NAME"), (["on", "--all", "--team", "x"], "--team NAME")):
        status, _, err = await typed(app_url, *words)
        assert status == 1
        assert said in err
