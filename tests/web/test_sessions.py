"""One-time links and sessions."""

from __future__ import annotations

from datetime import timedelta

import httpx

from conftest import Clock, MakeClient
from steelyard.store.database import Database
from steelyard.web.sessions import COOKIE, LINK_LIFE, SESSION_LIFE, new_link, open_session


async def enter(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post("/enter", data={"token": token})


async def test_without_a_session_a_page_says_how_to_come_by_one(make_client: MakeClient) -> None:
    client = make_client(open_to_loopback=False)
    for path in ("/desk", "/desk/live", "/decisions", "/decisions.csv", "/nowhere"):
        page = await client.get(path)
        assert page.status_code == 401, path
        assert "steelyard link" in page.text
    assert (await client.get("/desk.json")).json()["error"]["status"] == 401


async def test_a_link_opens_one_session(make_client: MakeClient, database: Database, clock: Clock) -> None:
    token = await new_link(database, clock.now)
    preview = make_client(open_to_loopback=False)
    assert (await preview.get("/enter", params={"token": token})).status_code == 200  # a preview uses nothing up
    client = make_client(open_to_loopback=False)
    answer = await enter(client, token)
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/" in cookie
    assert f"max-age={12 * 3600}" in cookie
    assert (await client.get("/desk")).status_code == 200
    assert (await enter(make_client(open_to_loopback=False), token)).status_code == 401


async def test_links_and_sessions_expire(make_client: MakeClient, database: Database, clock: Clock) -> None:
    late = await new_link(database, clock.now)
    token = await new_link(database, clock.now)
    client = make_client(open_to_loopback=False)
    await enter(client, token)
    clock.now += LINK_LIFE
    assert (await enter(make_client(open_to_loopback=False), late)).status_code == 401
    assert (await client.get("/desk")).status_code == 200
    clock.now += SESSION_LIFE - LINK_LIFE - timedelta(seconds=1)
    assert (await client.get("/desk")).status_code == 200
    clock.now += timedelta(seconds=1)
    assert (await client.get("/desk")).status_code == 401


async def test_only_hashes_are_stored(database: Database, clock: Clock) -> None:
    token = await new_link(database, clock.now)
    other = await new_link(database, clock.now)
    session = await open_session(database, other, clock.now)
    assert session is not None
    async with database.cell() as conn:
        links = await (await conn.execute("SELECT desk_link::text FROM desk_link")).fetchall()
        sessions = await (await conn.execute("SELECT desk_session::text FROM desk_session")).fetchall()
    assert (len(links), len(sessions)) == (1, 1)
    for secret in (token, other, session):
        for stored in (secret, secret.encode().hex()):
            assert stored not in str(links + sessions)


async def test_a_made_up_cookie_opens_nothing(make_client: MakeClient) -> None:
    client = make_client(open_to_loopback=False, cookies={COOKIE: "made-up"})
    assert (await client.get("/desk")).status_code == 401


async def test_the_demo_is_open_to_this_machine_only(make_client: MakeClient) -> None:
    assert (await make_client("127.0.0.1").get("/desk")).status_code == 200
    assert (await make_client("10.1.2.3").get("/desk")).status_code == 401
