"""`steelyard link` and `steelyard people`: what whoever runs Steelyard does with people."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from signing_in import PASSWORD, Clock, MakeClient, MakeWorkspace, become_administrator
from steelyard.config import Settings
from steelyard.kit.errors import ConfigError
from steelyard.main.ground import ledger
from steelyard.operations import people
from steelyard.operations.demo import let_people_in
from steelyard.people.members import Staff, members_of
from steelyard.people.permissions import Role
from steelyard.routing.teammates import read_teammates
from steelyard.store.database import Database
from town import Town


@pytest.fixture
def settings(app_url: str, keys: Path) -> Settings:
    return Settings(cell="eu1", database_url=SecretStr(app_url), keys=keys)


async def test_the_first_link_makes_an_administrator_and_then_there_is_none(
    settings: Settings, database: Database, make_workspace: MakeWorkspace, make_client: MakeClient, clock: Clock
) -> None:
    clock.now = datetime.now(UTC)
    workspace = await make_workspace()
    link = await people.link_for_first(database, settings, workspace)
    assert link.startswith(f"http://127.0.0.1:8420/enter?token={workspace}~")
    entered = await become_administrator(make_client(), link.partition("token=")[2])
    assert entered.status_code == 303
    assert await people.link_for_first(database, settings, workspace) == ""
    _, (only,) = await people.who_is_here(settings, None)
    assert (only.address, only.roles) == ("ada@example.com", (Role.ADMINISTRATOR,))
    under = settings.model_copy(update={"console_url": "https://desk.example.com"})
    assert (await people.new_link(under, None, None)).startswith("https://desk.example.com/enter?token=")


async def test_a_link_for_somebody_lets_them_choose(settings: Settings, town: Town, make_client: MakeClient) -> None:
    town.clock.now = datetime.now(UTC)
    with pytest.raises(ConfigError, match="name one with --workspace"):
        await people.new_link(settings, None, "lead@example.com")
    with pytest.raises(ConfigError, match="nobody signs in here"):
        await people.new_link(settings, town.home, "abroad@example.com")
    link = await people.new_link(settings, town.home, "LEAD@example.com")
    chosen = {"token": link.partition("token=")[2], "password": f"{PASSWORD} again"}
    assert (await make_client().post("/enter", data=chosen)).status_code == 303


async def test_people_prints_for_people_and_machines(settings: Settings, town: Town) -> None:
    command = [sys.executable, "-m", "steelyard", "people", "--workspace", town.home]
    environment = {"STEELYARD_CELL": "eu1", "DATABASE_URL": settings.database_url.get_secret_value()}  # type: ignore[union-attr]
    for more, check in ((["--json"], json.loads), ([], str)):
        process = await asyncio.create_subprocess_exec(
            *command, *more, stdout=-1, stderr=-1, env={**os.environ, **environment, "COLUMNS": "140"}
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, err
        found = check(out.decode())
        if isinstance(found, dict):
            assert [each["name"] for each in found["people"]] == sorted(role.title() for role in Role)
        else:
            assert "administrator@example.com" in found


async def test_the_demo_has_somebody_of_every_role(
    database: Database, make_workspace: MakeWorkspace, make_client: MakeClient, clock: Clock
) -> None:
    workspace = await make_workspace()
    await let_people_in(database, workspace)
    async with database.transaction(workspace) as conn:
        members = await members_of(conn, clock.now)
    assert {role for each in members for role in each.roles} >= set(Role) - {Role.ENGINEER}
    client = make_client("127.0.0.1", open_to_loopback=True)
    assert "Sign in as Ada Quinn, administrator" in (await client.get("/sign-in")).text
    assert (await client.get("/people")).status_code == 200  # without signing in, this machine may do all
    only = next(each for each in members if Role.ADMINISTRATOR in each.roles)
    answer = await client.post(f"/people/{only.person}/remove")
    assert answer.status_code == 409
    staff = Staff(database, ledger(), read_teammates)
    await staff.invite(workspace, "B", "b@example.com", [Role.LEAD], None, clock.now + timedelta(seconds=1))
