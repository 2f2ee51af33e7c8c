"""Signing in, links that work once, and sessions."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from signing_in import PASSWORD, Clock, MakeClient, MakeWorkspace, become_administrator, link_to, sign_in
from steelyard.people.links import LINK_LIFE
from steelyard.people.sessions import COOKIE, IDLE, LONGEST
from steelyard.store.database import Database


async def test_without_a_session_one_signs_in_first(make_client: MakeClient, make_workspace: MakeWorkspace) -> None:
    await make_workspace()
    client = make_client(open_to_loopback=False)
    for path in ("/desk", "/decisions", "/health"):
        page = await client.get(path)
        assert page.status_code == 401, path
        assert 'action="/sign-in"' in page.text
    for path in ("/desk.json", "/desk/live", "/decisions.csv"):
        assert (await client.get(path)).json()["error"]["status"] == 401


async def test_a_link_makes_an_administrator_once(
    make_client: MakeClient, make_workspace: MakeWorkspace, database: Database, clock: Clock
) -> None:
    token = await link_to(database, await make_workspace(), clock)
    preview = make_client(open_to_loopback=False)
    assert (await preview.get("/enter", params={"token": token})).status_code == 200  # a preview uses nothing up
    client = make_client(open_to_loopback=False)
    answer = await become_administrator(client, token)
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"].lower()
    for part in ("httponly", "samesite=lax", "path=/", f"max-age={int(LONGEST.total_seconds())}"):
        assert part in cookie
    assert (await client.get("/desk")).status_code == 200
    again = await become_administrator(make_client(open_to_loopback=False), token)
    assert again.status_code == 410
    other = make_client(open_to_loopback=False)
    assert (await sign_in(other)).status_code == 303
    assert (await other.get("/desk")).status_code == 200


async def test_links_and_sessions_expire(
    make_client: MakeClient, make_workspace: MakeWorkspace, database: Database, clock: Clock
) -> None:
    workspace = await make_workspace()
    token = await link_to(database, workspace, clock)
    client = make_client(open_to_loopback=False)
    await become_administrator(client, token)
    for _ in range(3):  # used, it goes on
        clock.now += IDLE - timedelta(seconds=1)
        assert (await client.get("/desk")).status_code == 200
    clock.now += IDLE
    assert (await client.get("/desk")).status_code == 401
    late = await link_to(database, workspace, clock)
    clock.now += LINK_LIFE
    assert (await make_client(open_to_loopback=False).get("/enter", params={"token": late})).status_code == 410


async def test_no_session_outlives_its_longest_time(
    make_client: MakeClient, make_workspace: MakeWorkspace, database: Database, clock: Clock
) -> None:
    token = await link_to(database, await make_workspace(), clock)
    client = make_client(open_to_loopback=False)
    await become_administrator(client, token)
    end = clock.now + LONGEST
    while clock.now + timedelta(hours=6) < end:
        clock.now += timedelta(hours=6)
        assert (await client.get("/desk")).status_code == 200
    clock.now = end
    assert (await client.get("/desk")).status_code == 401


async def test_only_hashes_are_stored(
    make_client: MakeClient, make_workspace: MakeWorkspace, database: Database, clock: Clock, superuser_url: str
) -> None:
    workspace = await make_workspace()
    client = make_client(open_to_loopback=False)
    await become_administrator(client, await link_to(database, workspace, clock))
    unused = await link_to(database, workspace, clock)
    with psycopg.connect(superuser_url) as conn:
        stored = str(
            [conn.execute(f"SELECT t::text FROM {table} AS t").fetchall() for table in ("session", "link", "person")]
        )
    assert "argon2id" in stored
    for secret in (unused.partition("~")[2], client.cookies[COOKIE], PASSWORD):
        for written in (secret, secret.encode().hex()):
            assert written not in stored


async def test_what_was_sent_to_an_ended_session_is_kept(
    make_client: MakeClient, make_workspace: MakeWorkspace, database: Database, clock: Clock
) -> None:
    client = make_client(open_to_loopback=False)
    await become_administrator(client, await link_to(database, await make_workspace(), clock))
    clock.now += IDLE
    page = await client.post("/switch?x=1", data={"change": "pause", "note": 'a "quoted" <word>', "password": "p"})
    assert page.status_code == 401
    assert 'name="kept" value="/switch?x=1"' in page.text
    assert 'name="kept.note" value="a &#34;quoted&#34; &lt;word&gt;"' in page.text
    assert "kept.password" not in page.text
    again = await sign_in(client, kept="/switch?x=1", **{"kept.change": "pause"})
    assert 'action="/switch?x=1"' in again.text
    assert (await client.get("/switch.json")).json()["reach"]["paused"] is False  # not before it is sent again


@pytest.mark.usefixtures("quick_passwords")
async def test_signing_in_goes_nowhere_else(
    make_client: MakeClient, make_workspace: MakeWorkspace, database: Database, clock: Clock
) -> None:
    client = make_client(open_to_loopback=False)
    await become_administrator(client, await link_to(database, await make_workspace(), clock))
    for next in ("//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/a\r\nX: y", ""):
        answer = await sign_in(client, next=next)
        assert answer.headers["location"] == "/", next
        assert "x" not in answer.headers
        kept = await sign_in(client, kept=next or "//evil.example")
        assert 'action="/"' in kept.text
    assert (await sign_in(client, next="/decisions?before=7")).headers["location"] == "/decisions?before=7"


async def test_a_made_up_cookie_opens_nothing_and_is_not_taken_over(
    make_client: MakeClient, make_workspace: MakeWorkspace, database: Database, clock: Clock
) -> None:
    workspace = await make_workspace()
    client = make_client(open_to_loopback=False, cookies={COOKIE: "made-up"})
    assert (await client.get("/desk")).status_code == 401
    await become_administrator(client, await link_to(database, workspace, clock))
    assert (await make_client(open_to_loopback=False, cookies={COOKIE: "made-up"}).get("/desk")).status_code == 401


@pytest.mark.usefixtures("quick_passwords")
async def test_guessing_has_to_wait(
    make_client: MakeClient, make_workspace: MakeWorkspace, database: Database, clock: Clock
) -> None:
    client = make_client(open_to_loopback=False)
    await become_administrator(client, await link_to(database, await make_workspace(), clock))
    other = make_client("10.9.8.7", open_to_loopback=False)
    answers = [(await sign_in(other, f"wrong guess {number}")).status_code for number in range(8)]
    assert answers == [401] * 6 + [429] * 2
    assert (await sign_in(other)).status_code == 429  # the right one has to wait, too
    clock.now += timedelta(minutes=15)
    assert (await sign_in(other)).status_code == 303


async def test_a_link_for_somebody_new_opens_nobody_elses_account(
    make_client: MakeClient, make_workspace: MakeWorkspace, database: Database, clock: Clock
) -> None:
    first, second = await make_workspace("a"), await make_workspace("b")
    ada = make_client(open_to_loopback=False)
    await become_administrator(ada, await link_to(database, first, clock))
    token = await link_to(database, second, clock)
    thief = await become_administrator(make_client(open_to_loopback=False), token, password="chosen by somebody else")
    assert thief.status_code == 422
    assert (await sign_in(make_client(open_to_loopback=False))).status_code == 303
    assert (await become_administrator(make_client(open_to_loopback=False), token)).status_code == 303
    assert (await ada.get("/desk", params={"workspace": second})).status_code == 200


async def test_the_demo_is_open_to_this_machine_only(make_client: MakeClient, make_workspace: MakeWorkspace) -> None:
    await make_workspace()
    assert (await make_client("127.0.0.1").get("/desk")).status_code == 200
    assert (await make_client("10.1.2.3").get("/desk")).status_code == 401
