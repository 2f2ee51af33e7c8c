"""The desk's addresses: small however much is on it, for a team alone, with what is one's own, and as a stream."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from desk_seed import Desk
from served import serving
from signing_in import Clock, MakeClient
from steelyard.kit.ids import CellId, WorkspaceId
from steelyard.main.console import Site, console
from steelyard.main.ground import ledger
from steelyard.people.members import join, person_of_address
from steelyard.people.permissions import Role
from steelyard.people.sessions import COOKIE, open_session
from steelyard.store.database import Database
from steelyard.web import sse
from steelyard.web.static import Static

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]

FIRST_LOAD = 120_000
ENGINEERS, OPEN_EACH = 200, 100


async def cookie_of(desk: Desk, clock: Clock, role: Role, engineer: int | None = None) -> dict[str, str]:
    """Somebody with that role who has signed in."""
    async with desk.database.transaction(desk.workspace) as conn:
        person = await person_of_address(conn, f"{role}@example.com", role.title())
        await join(conn, ledger(), desk.workspace, person, [role], clock.now)
        await conn.execute("UPDATE membership SET engineer = %s WHERE person = %s", [engineer, person])
    return {COOKIE: await open_session(desk.database, person, "a browser", clock.now)}


async def crowd(desk: Desk) -> None:
    """200 engineers with 20,000 conversations of all topics, of which some are at every width of a rail."""
    async with desk.database.transaction(desk.workspace) as conn:
        await conn.execute(
            "INSERT INTO engineer (workspace, engineer, version, value)"
            " SELECT workspace, 1000 + number, version, value FROM generate_series(1, %s) AS number,"
            " (SELECT * FROM engineer WHERE engineer = 101) AS one",
            [ENGINEERS],
        )
        await conn.execute(
            "INSERT INTO conversation"
            " (workspace, conversation, open, owner, team, topic, weight, since, version, value)"
            " SELECT workspace, 100000 + number, true, 1001 + number %% %s, NULL,"
            " (SELECT array_agg(DISTINCT topic) FROM conversation)[1 + number %% 8], 1 + number %% 8, since, version,"
            " jsonb_set(jsonb_set(value, '{0}', to_jsonb(100000 + number)), '{3}', to_jsonb(1001 + number %% %s))"
            " FROM generate_series(1, %s) AS number,"
            " (SELECT * FROM conversation WHERE owner IS NOT NULL LIMIT 1) AS one",
            [ENGINEERS, ENGINEERS, ENGINEERS * OPEN_EACH],
        )
        await conn.execute(
            "INSERT INTO teammate_name (workspace, engineer, name, zone)"
            " SELECT workspace, engineer, 'Somebody of some length ' || engineer, 'Europe/Paris' FROM engineer"
            " ON CONFLICT DO NOTHING"
        )


async def first_load(client: httpx.AsyncClient, path: str) -> int:
    """Bytes of a page with its styles and scripts, each compressed."""
    page = await client.get(path)
    assert page.status_code == 200
    wanted, files = set(re.findall(r'(?:href|src)="(/static/[^"]+\.(?:css|js))"', page.text)), dict[str, bytes]()
    while wanted:
        file = wanted.pop()
        files[file] = (await client.get(file)).content
        imported = re.findall(rb'from "(\./[^"]+\.js)"', files[file])
        wanted |= {httpx.URL(file).join(each.decode()).path for each in imported} - files.keys()
    assert len(files) > 2
    return sum(len(gzip.compress(each)) for each in (page.content, *files.values()))


async def test_a_first_load_is_small_however_much_is_on_it(desk: Desk, make_client: MakeClient, clock: Clock) -> None:
    await crowd(desk)
    client = make_client(cookies=await cookie_of(desk, clock, Role.LEAD, 1004), open_to_loopback=False)
    for language in ("en", "fr"):
        assert await first_load(client, f"/desk?lang={language}") < FIRST_LOAD
    data = (await client.get("/desk.json")).json()
    assert data["figures"]["open"] > ENGINEERS * OPEN_EACH
    assert sum(row["open"] for row in data["available"]) > ENGINEERS * OPEN_EACH


async def test_one_team_alone_is_an_address_and_data(desk: Desk, client: httpx.AsyncClient) -> None:
    page = (await client.get("/desk?team=8")).text
    assert set(re.findall(r'id="(engineer-\d+)"', page)) == {"engineer-102", "engineer-107", "engineer-109"}
    assert "/desk/live?team=8" in page
    assert "/desk.json?team=8" in page
    data = (await client.get("/desk.json?team=8")).json()
    assert {row["person"]["id"] for row in data["available"]} == {102, 107, 109}
    assert data["team"] == 8
    everybody = (await client.get("/desk.json")).json()
    assert data["figures"] == everybody["figures"]
    for nobodys in ("999", "x", "-8", "8" * 40, "٨"):
        assert (await client.get("/desk.json", params={"team": nobodys})).json()["team"] is None


async def test_an_engineer_sees_their_own_first_and_nobody_else_does(
    desk: Desk, make_client: MakeClient, clock: Clock
) -> None:
    engineer = make_client(cookies=await cookie_of(desk, clock, Role.ENGINEER, 104), open_to_loopback=False)
    page = (await engineer.get("/desk")).text
    own = sorted(id for id, each in desk.state.conversations.items() if each.owner == 104)
    mine = page[page.index('id="mine"') : page.index('id="figures"')]
    assert sorted(int(id) for id in re.findall(r'data-conversation="(\d+)"', mine)) == own
    assert all(f'href="/conversations/{id}"' in mine for id in own)
    data = (await engineer.get("/desk.json")).json()["mine"]
    assert data["load"] == desk.state.engineers[104].load
    assert data["turn"] == "behind"
    assert data["first"]["id"] == desk.state.standings[0][2]
    lead = make_client(cookies=await cookie_of(desk, clock, Role.LEAD), open_to_loopback=False)
    assert 'id="mine"' not in (await lead.get("/desk")).text
    assert (await lead.get("/desk.json")).json()["mine"] is None


async def test_who_is_next_is_told_so(desk: Desk, make_client: MakeClient, clock: Clock) -> None:
    first, second = (id for *_, id in desk.state.standings[:2])
    client = make_client(cookies=await cookie_of(desk, clock, Role.ENGINEER, first), open_to_loopback=False)
    assert "The next conversation comes to you" in (await client.get("/desk")).text
    async with desk.database.transaction(desk.workspace) as conn:
        await conn.execute("UPDATE membership SET engineer = %s", [second])
    data = (await client.get("/desk.json")).json()["mine"]
    assert (data["turn"], data["ahead"]) == ("behind", 1)


# The stream


@pytest.fixture
async def served(
    database: Database, static: Static, keys: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[str]:
    """The address of the console behind a real server, with a short beat."""
    monkeypatch.setattr(sse, "BEAT_SECONDS", 0.2)
    async with serving(console(database, static, Site(CellId("eu1"), keys, clock=clock))) as port:
        yield f"http://127.0.0.1:{port}"


async def told(lines: AsyncIterator[str], many: int) -> list[str]:
    """The next events, each as its lines."""
    events, event = list[str](), ""
    async for line in lines:
        if line:
            event += line + "\n"
            continue
        events.append(event)
        event = ""
        if len(events) == many:
            break
    return events


async def test_a_stream_goes_on_from_its_page(desk: Desk, served: str, clock: Clock) -> None:
    cookies = await cookie_of(desk, clock, Role.ENGINEER, 104)
    async with httpx.AsyncClient(base_url=served, cookies=cookies) as client:
        page = (await client.get("/desk")).text
        [frame] = re.findall(r'data-frame="(\w+)"', page)
        async with client.stream("GET", "/desk/live", params={"frame": frame}) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = stream.aiter_lines()
            hello, own = await asyncio.wait_for(told(lines, 2), 5)
            assert hello.startswith("retry: 3000")
            assert set(re.findall(r'id="([\w-]+)" data-part', own)) <= {"mine", "turn"}
            await desk.ask(7001, "DNS", "nameservers", "new.example")
            changed = "".join(await asyncio.wait_for(told(lines, 8), 10))
            assert f'id="engineer-{desk.known[7001].owner}"' in changed
            assert 'id="queue"' not in changed
            assert changed.count('id="engineer-') <= 3


async def test_a_stream_ends_with_its_session(desk: Desk, served: str, clock: Clock) -> None:
    cookies = await cookie_of(desk, clock, Role.LEAD)
    async with (
        httpx.AsyncClient(base_url=served, cookies=cookies) as client,
        client.stream("GET", "/desk/live") as stream,
    ):
        lines = stream.aiter_lines()
        await asyncio.wait_for(told(lines, 4), 10)
        async with desk.database.transaction(desk.workspace) as conn:
            await conn.execute("UPDATE membership SET ended_at = now()")
        await asyncio.wait_for(told(lines, 1_000), 10)  # until it ends
        assert (await client.get("/desk/live")).status_code in (401, 404)


async def test_one_session_watches_so_many_times_and_others_theirs(
    desk: Desk, served: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "MOST_OF_ONE", 1)
    first, second = [await cookie_of(desk, clock, Role.LEAD) for _ in range(2)]
    async with (
        httpx.AsyncClient(base_url=served, cookies=first) as one,
        httpx.AsyncClient(base_url=served, cookies=second) as other,
        one.stream("GET", "/desk/live") as stream,
    ):
        lines = stream.aiter_lines()  # held: the stream ends with it
        await asyncio.wait_for(told(lines, 1), 5)
        refused = await one.get("/desk/live")
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        async with other.stream("GET", "/desk/live") as theirs:
            assert theirs.status_code == 200


async def test_there_is_room_for_so_many_and_then_it_says_when_to_come_again(
    desk: Desk, served: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "MOST_VIEWERS", 1)
    cookies = await cookie_of(desk, clock, Role.LEAD)
    async with httpx.AsyncClient(base_url=served, cookies=cookies) as client:
        async with client.stream("GET", "/desk/live") as stream:
            lines = stream.aiter_lines()
            await asyncio.wait_for(told(lines, 1), 5)
            refused = await client.get("/desk/live")
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) > 0
            assert (await client.get("/desk")).status_code == 200
        for _ in range(50):  # until the server has noticed
            await asyncio.sleep(0.1)
            async with client.stream("GET", "/desk/live") as again:
                if again.status_code == 200:
                    break
        assert again.status_code == 200
