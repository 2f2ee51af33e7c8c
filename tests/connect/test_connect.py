"""`steelyard connect intercom` on a stranger's workspace: what it stores and says, and what is nowhere in clear."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from ending import ended
from steelyard.demo.intercom import Simulator
from steelyard.demo.intercom.model import Attribute
from steelyard.routing.receive import TOPICS
from stranger import APP, Operator, on_a_terminal, open_ones, writes

pytestmark = pytest.mark.slow

WORKSPACE = f"us1.{APP}"
MADE = {"create_conversation_attribute": 3}
"""All that connecting writes in Intercom."""


def rows(url: str, query: str) -> list[Any]:
    with psycopg.connect(url) as conn:
        return conn.execute(query).fetchall()  # pyright: ignore


async def test_a_stranger_is_connected_in_the_shadow(them: Operator, simulator: Simulator, superuser_url: str) -> None:
    done = await them.connect()
    assert done.status == 0, done.err
    unassigned = [each for each in open_ones(simulator) if not each.admin]
    assert f"is connected as {WORKSPACE}, region us." in done.out
    assert "25 teammates, 24 of them with an inbox, in 3 teams" in done.out
    weight = rows(superuser_url, "SELECT sum(weight) FROM conversation WHERE open")[0][0]
    assert (
        f"{len(open_ones(simulator))} open conversations, {len(unassigned)} of them unassigned;"
        f" they weigh {weight} together" in done.out
    )
    assert "in the shadow" in done.out
    assert "assigns in the team Support (balanced)" in done.out
    assert "assigns in the team Support francophone (round robin)" in done.out
    assert "team Premium" not in done.out
    assert "https://us1.example.com/hooks/intercom/us1" in done.out
    assert not [topic for topic in TOPICS if topic.startswith("steelyard.") and topic in done.out]
    words = done.out.split()
    assert [topic for topic in TOPICS if not topic.startswith("steelyard.") and words.count(topic) != 1] == []
    assert rows(superuser_url, "SELECT routed, paused FROM workspace") == [([], False)]
    assert {kind for (kind,) in rows(superuser_url, "SELECT DISTINCT outcome FROM decision")} == {"shadow"}
    assert rows(superuser_url, "SELECT count(*) FROM inbox WHERE handled_at IS NULL") == [(0,)]
    assert rows(superuser_url, "SELECT task_name FROM procrastinate_jobs WHERE task_name = 'routing.deliver'") == []
    assert writes(simulator) == MADE


async def test_machines_read_one_object(them: Operator, simulator: Simulator) -> None:
    done = await them.connect("--json")
    assert done.err == ""
    told = done.json
    assert (told["workspace"], told["region"], told["new"]) == (WORKSPACE, "us", True)
    assert told["open_conversations"] == len(open_ones(simulator))
    assert told["teammates"] == len(simulator.workspace.admins)
    assert [each["name"] for each in told["teams"] if each["distribution"]] == ["Support", "Support francophone"]
    ticked = {topic for group in told["topics"].values() for topic in group}
    assert ticked == {topic for topic in TOPICS if not topic.startswith("steelyard.")}
    again = (await them.connect("--json")).json
    assert again == told | {"new": False, "attributes_there_before": ["decision", "topic", "weight"]}


async def test_without_a_public_address_it_says_what_must_stand_in_front(them: Operator) -> None:
    done = await them.connect(STEELYARD_PUBLIC_URL=None)
    assert re.search(r"^  /hooks/intercom/us1$", done.out, re.MULTILINE)
    assert "put a proxy with a certificate in front of 127.0.0.1:8420 and set STEELYARD_PUBLIC_URL" in done.out


async def test_renewing_keeps_what_is_on_and_the_policy(
    them: Operator, simulator: Simulator, superuser_url: str
) -> None:
    assert (await them.connect()).status == 0
    with psycopg.connect(superuser_url) as conn:
        conn.execute("UPDATE workspace SET routed = '{5017690}', paused = true")
        conn.execute("UPDATE connection SET refused_at = now(), package_code = 'seen'")
    before = rows(superuser_url, "SELECT routed, paused, policy FROM workspace")
    sealed = rows(superuser_url, "SELECT client_secret, access_token FROM connection")
    done = await them.connect("--secret-file", them.file("other", "another-client-secret"), "--workspace", WORKSPACE)
    assert "Its token and client secret are renewed; which teams are on, and its policy, are as they were" in done.out
    assert "shadow" not in done.out
    assert rows(superuser_url, "SELECT routed, paused, policy FROM workspace") == before
    assert rows(superuser_url, "SELECT refused_at, package_code FROM connection") == [(None, "seen")]
    assert rows(superuser_url, "SELECT client_secret, access_token FROM connection") != sealed
    assert writes(simulator) == MADE


async def test_attributes_that_were_there_are_used_and_said(them: Operator, simulator: Simulator) -> None:
    attribute(simulator, "topic", "string")
    done = await them.connect()
    assert "The conversation attributes topic were there already: where a team is on, Steelyard overwrites" in done.out
    assert {"weight", "topic", "decision"} <= simulator.workspace.attributes.keys()


async def test_secrets_are_in_clear_text_nowhere(them: Operator, simulator: Simulator, superuser_url: str) -> None:
    process = await them.start(
        *("connect", "intercom", "--region", "us"),
        *("--token-file", str(them.folder / "token"), "--secret-file", str(them.folder / "secret")),
    )
    seen = ""
    saying = asyncio.create_task(ended(process, "`steelyard connect`", 60))
    while not saying.done():
        with suppress(OSError):
            seen += await asyncio.to_thread(Path(f"/proc/{process.pid}/cmdline").read_text)
        await asyncio.wait([saying], timeout=0.05)
    out, err = await saying
    assert process.returncode == 0
    assert "intercom" in seen
    everywhere = {"output": (out + err).decode(), "process list": seen, "database": everything(superuser_url)}
    everywhere |= {each.name: each.read_text() for each in them.keys.iterdir()}
    for secret in (simulator.config.token, simulator.config.client_secret):
        for place, content in everywhere.items():
            assert secret not in content, place
            assert secret.encode().hex() not in content, place
    for key in re.findall(r"^\d+ (\S+)$", "".join(each.read_text() for each in them.keys.iterdir()), re.MULTILINE):
        assert key not in everywhere["database"]
    assert WORKSPACE in everywhere["database"]


def everything(url: str) -> str:
    """Every row of every table, as text."""
    found: list[str] = []
    with psycopg.connect(url) as conn:
        tables = conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        assert len(tables) > 20
        for (table,) in tables:
            each = sql.Identifier(table)
            found += [row for (row,) in conn.execute(sql.SQL("SELECT {}::text FROM {}").format(each, each))]
            bodies = "SELECT convert_from(body, 'UTF8') FROM inbox"
        found += [row for (row,) in conn.execute(bodies)]
    return "\n".join(found)


async def test_what_it_asks_for_is_not_shown(them: Operator, simulator: Simulator) -> None:
    typed = {
        "region": "Us",
        "Access token": f"  {simulator.config.token}  ",
        "Client secret": simulator.config.client_secret,
    }
    shown = await asyncio.to_thread(on_a_terminal, them, ["connect", "intercom"], typed)
    assert f"is connected as {WORKSPACE}" in shown
    assert "Us" in shown
    assert simulator.config.token not in shown
    assert simulator.config.client_secret not in shown
    assert "Weighed" in shown


async def test_without_a_terminal_it_says_what_to_give(them: Operator) -> None:
    for missing in ("--region", "--token-file", "--secret-file"):
        options = {"--region": "us", "--token-file": "token", "--secret-file": "secret"}
        given = [
            word
            for name, value in options.items()
            if name != missing
            for word in (name, value if name == "--region" else str(them.folder / value))
        ]
        done = await them.type("connect", "intercom", *given)
        assert done.sentence == f"there is no terminal to ask on: give {missing}"


def attribute(simulator: Simulator, name: str, data_type: str) -> None:
    """The stranger made an attribute of their own."""
    workspace = simulator.workspace
    workspace.attributes[name] = Attribute(workspace.number("attribute"), name, data_type, workspace.now(), 1)


@pytest.mark.parametrize("beside", ["worker", "another connect"])
async def test_it_is_safe_beside_others(them: Operator, simulator: Simulator, superuser_url: str, beside: str) -> None:
    if beside == "worker":
        assert (await them.connect()).status == 0
        other = await them.start("serve", "--role", "worker")
        done = await them.connect()
        other.terminate()
        await ended(other, "the worker")
    else:
        done, second = await asyncio.gather(them.connect(), them.connect())
        assert second.status == 0, second.err
    assert done.status == 0, done.err
    assert rows(superuser_url, "SELECT count(*) FROM workspace") == [(1,)]
    opened = {int(each.id) for each in open_ones(simulator)}
    assert {id for (id,) in rows(superuser_url, "SELECT conversation FROM conversation WHERE open")} == opened
    counts = rows(superuser_url, "SELECT count(*), count(DISTINCT conversation) FROM decision")
    assert counts[0][0] == counts[0][1], "each was decided once"
    assert {"weight", "topic", "decision"} <= simulator.workspace.attributes.keys()
    assert writes(simulator).keys() == MADE.keys()
