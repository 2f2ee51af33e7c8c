"""The page about health over real tables."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest

from desk_seed import NOW
from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Database
from steelyard.web.charts import bars

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]


@pytest.fixture
async def workspace(database: Database, make_workspace: MakeWorkspace) -> WorkspaceId:
    """Something wrong, something over, three readings, and a worker."""
    workspace = await make_workspace()
    async with database.transaction(workspace) as conn:
        for kind, began, ended, figures in (
            ("drift", 7200, 5000, '{"conversations": 31}'),
            ("undelivered", 300, None, '{"seconds": 290, "decisions": 4}'),
            ("of_tomorrow", 60, None, "{}"),
        ):
            since, ended_at = NOW - timedelta(seconds=began), ended and NOW - timedelta(seconds=ended)
            await conn.execute(
                "INSERT INTO alarm (workspace, kind, since, seen_at, ended_at, figures)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                (workspace, kind, since, since, ended_at, figures),
            )
        for minutes, drift in ((15, 31), (10, 0), (5, 2)):
            at = NOW - timedelta(minutes=minutes)
            await conn.execute(
                "INSERT INTO reading (workspace, asked, started_at, ended_at, deep, listed, drift)"
                " VALUES (%s, 'schedule', %s, %s, false, 50, %s)",
                (workspace, at, at, drift),
            )
        await conn.execute(
            "INSERT INTO inbox (workspace, notification, topic, body, received_at, handled_at, outcome)"
            " VALUES (%s, 'n', 'ping', '', %s, now(), 'aside')",
            (workspace, NOW - timedelta(seconds=8)),
        )
        await conn.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() + interval '1 minute')")
    return workspace


async def test_what_is_wrong_stands_with_what_to_do(client: httpx.AsyncClient, workspace: WorkspaceId) -> None:
    text = (await client.get("/health")).text
    assert "4 decisions are not delivered, the oldest for 4 min" in text
    assert "Look at Intercom’s status page" in text
    assert "for 5:00" in text
    assert "31 conversations had changed unheard" in text
    assert "Of_tomorrow" in text, "what a newer release stored goes by its code"
    assert "1 worker looks every ten seconds" in text
    assert 'href="/aside"' in text
    french = (await client.get("/health?lang=fr")).text
    assert "4 décisions ne sont pas livrées, la plus ancienne depuis 4 min" in french
    assert "regarde toutes les dix secondes" in french


async def test_the_same_as_data(client: httpx.AsyncClient, workspace: WorkspaceId) -> None:
    data = (await client.get("/health.json")).json()
    assert [each["kind"] for each in data["open"]] == ["of_tomorrow", "undelivered"]
    assert data["open"][1]["figures"] == {"seconds": 290, "decisions": 4}
    assert [each["kind"] for each in data["past"]] == ["drift"]
    assert [each["drift"] for each in data["readings"]] == [2, 0, 31]
    assert (data["set_aside"], data["unhandled"], data["workers"]) == (1, 0, 1)


async def test_another_workspace_sees_nothing_of_it(
    client: httpx.AsyncClient, workspace: WorkspaceId, make_workspace: MakeWorkspace
) -> None:
    other = await make_workspace("zzz")
    data = (await client.get("/health.json", params={"workspace": other})).json()
    assert (data["open"], data["past"], data["readings"], data["set_aside"]) == ([], [], [], 0)
    assert "Nothing is wrong" in (await client.get("/health", params={"workspace": other})).text


async def test_without_a_worker_nothing_is_said_to_be_well(
    client: httpx.AsyncClient, make_workspace: MakeWorkspace
) -> None:
    await make_workspace()
    text = (await client.get("/health")).text
    assert "No worker is alive" in text
    assert "steelyard serve" in text
    assert "Nothing is wrong" not in text
    assert "Intercom was not read back yet" in text
    assert "No alarm has ended yet" in text


async def test_without_a_workspace_there_is_no_such_page(client: httpx.AsyncClient) -> None:
    assert "No workspace yet" in (await client.get("/health")).text
    assert (await client.get("/health.json")).status_code == 404


def test_bars_stand_side_by_side_and_the_greatest_is_as_high_as_there_is_room() -> None:
    assert bars([]) == ()
    drawn = bars([0, 5, 10, 1])
    assert [each.x for each in drawn] == ["0%", "25%", "50%", "75%"]
    assert [(each.top, each.height) for each in drawn] == [
        ("100%", "0%"),
        ("50%", "50%"),
        ("0%", "100%"),
        ("90%", "10%"),
    ]
    assert {each.height for each in bars([0, 0])} == {"0%"}
