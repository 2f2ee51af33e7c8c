"""What is set aside, on its page, as data and on the desk; and trying it again by a plain form."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest

from desk_seed import NOW, Desk
from steelyard.kit.ids import WorkspaceId
from steelyard.routing import aside
from steelyard.store.database import Database

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]
REASON = "TypeError at receive:143"
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
async def desk(database: Database, make_workspace: MakeWorkspace) -> Desk:
    return Desk(database, await make_workspace())


async def set_aside(desk: Desk, number: int, topic: str = "conversation.user.created", copies: int = 1) -> list[int]:
    """Payloads as the router sets them aside."""
    async with desk.database.transaction(desk.workspace) as conn:
        found = await conn.execute(
            "INSERT INTO inbox (workspace, notification, topic, body, copies, received_at, handled_at, outcome, reason)"
            " SELECT %s, 'aside ' || each, %s, '\\x', %s, %s, %s, 'aside', %s FROM generate_series(1, %s) AS each"
            " RETURNING seq",
            [desk.workspace, topic, copies, NOW - timedelta(hours=2), NOW - timedelta(hours=2), REASON, number],
        )
        return [seq for (seq,) in await found.fetchall()]


async def handle(desk: Desk, *, failing: int) -> None:
    """What the router does next: so many of what is unhandled fail again."""
    async with desk.database.transaction(desk.workspace) as conn:
        await conn.execute(
            "UPDATE inbox SET handled_at = now(), outcome = CASE WHEN place <= %s THEN 'aside' ELSE 'fact' END,"
            " reason = CASE WHEN place <= %s THEN %s END"
            " FROM (SELECT seq, row_number() OVER (ORDER BY seq) AS place FROM inbox WHERE tried_at IS NOT NULL"
            " AND handled_at IS NULL) AS open WHERE open.seq = inbox.seq",
            [failing, failing, REASON],
        )


async def test_nothing_aside_says_why_it_is_empty(client: httpx.AsyncClient, desk: Desk) -> None:
    page = await client.get("/aside")
    assert page.status_code == 200
    assert "Nothing is set aside: everything that came was handled" in page.text
    assert 'method="post" action="/aside' not in page.text
    data = (await client.get("/aside.json")).json()
    assert (data["number"], data["items"], data["tried"]) == (0, [], None)
    assert "set aside" not in (await client.get("/desk")).text


async def test_what_is_aside_says_when_how_often_and_why(client: httpx.AsyncClient, desk: Desk) -> None:
    [seq] = await set_aside(desk, 1, copies=3)
    page = (await client.get("/aside")).text
    for shown in ("conversation.user.created", REASON, "3\u202f×", "22 Nov 2026, 13:42:08", f'value="{seq}"'):
        assert shown in page
    [item] = (await client.get("/aside.json")).json()["items"]
    assert item == {
        "seq": seq,
        "topic": "conversation.user.created",
        "received_at": "2026-11-22T13:42:08+00:00",
        "copies": 3,
        "reason": REASON,
        "tried_at": None,
    }
    french = (await client.get("/aside?lang=fr")).text
    for shown in ("Mis de côté", "3\u202f×", "Tout réessayer", REASON):
        assert shown in french


async def test_the_desk_says_how_many(client: httpx.AsyncClient, desk: Desk) -> None:
    await set_aside(desk, 4)
    page = (await client.get("/desk")).text
    assert "4 set aside" in page
    assert 'href="/aside"' in page
    assert (await client.get("/desk.json")).json()["aside"] == 4


async def test_more_than_are_shown_are_counted(
    client: httpx.AsyncClient, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aside, "MOST_SHOWN", 3)
    await set_aside(desk, 5)
    page = (await client.get("/aside")).text
    assert page.count('name="seq"') == 3
    assert "and 2 more" in page


async def test_one_is_tried_again(client: httpx.AsyncClient, desk: Desk) -> None:
    first, second, third = await set_aside(desk, 3)
    answer = await client.post("/aside", data={"seq": str(second)})
    assert answer.status_code == 303
    page = await client.get(answer.headers["location"])
    assert "1 tried again. It is being handled." in page.text
    await handle(desk, failing=0)
    page = await client.get(answer.headers["location"])
    assert "1 tried again, and handled." in page.text
    left = (await client.get("/aside.json")).json()["items"]
    assert [each["seq"] for each in left] == [first, third]


async def test_all_are_tried_again_and_it_says_what_happened(client: httpx.AsyncClient, desk: Desk) -> None:
    await set_aside(desk, 3)
    seen = (await client.post("/aside")).headers["location"]
    assert "3 tried again. They are being handled." in (await client.get(seen)).text
    await handle(desk, failing=1)
    page = (await client.get(seen)).text
    assert "3 tried again: 2 handled, 1 set aside again." in page
    assert "22 Nov 2026, 15:42:08" in page  # the last try
    assert "Nouveaux essais\u202f: 3, dont 2 réussis, 1 remis de côté." in (await client.get(f"{seen}&lang=fr")).text
    assert (await client.get(seen.replace("/aside", "/aside.json"))).json()["tried"] == {
        "handled": 2, "aside": 1, "waiting": 0
    }  # fmt: skip


async def test_a_form_of_another_site_tries_nothing(client: httpx.AsyncClient, desk: Desk) -> None:
    await set_aside(desk, 2)
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
        assert (await client.post("/aside", headers=headers)).status_code == 403
    assert (await client.get("/aside.json")).json()["number"] == 2


async def test_what_is_no_number_is_refused(client: httpx.AsyncClient, desk: Desk) -> None:
    await set_aside(desk, 1)
    for chosen in ("", "x", "-1", "1.5", "²", "9" * 40, "1 OR 1=1"):
        assert (await client.post("/aside", data={"seq": chosen})).status_code == 400, chosen
    assert (await client.get("/aside.json")).json()["number"] == 1


async def test_any_time_in_the_address_is_a_page(client: httpx.AsyncClient, desk: Desk) -> None:
    for tried in ("", "x", "-1", "9" * 16, "9" * 17, "9" * 400, "²"):
        page = await client.get("/aside", params={"tried": tried})
        assert page.status_code == 200, tried
        assert (await client.get("/aside.json", params={"tried": tried})).json()["tried"] is None


async def test_another_workspace_stays_apart(
    client: httpx.AsyncClient, desk: Desk, make_workspace: MakeWorkspace
) -> None:
    [seq] = await set_aside(desk, 1)
    other = await make_workspace("zzz")
    answer = await client.post("/aside", params={"workspace": other}, data={"seq": str(seq)})
    assert answer.headers["location"].startswith(f"/aside?workspace={other}&tried=")
    assert "Nothing is set aside" in (await client.get(answer.headers["location"])).text
    assert (await client.get("/aside.json")).json()["number"] == 1
    assert (await client.post("/aside", params={"workspace": "eu1.unknown"})).status_code == 404


async def test_a_hostile_topic_stays_text(client: httpx.AsyncClient, desk: Desk) -> None:
    await set_aside(desk, 1, HOSTILE)
    page = (await client.get("/aside")).text
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


async def test_who_did_not_come_in_sees_and_tries_nothing(make_client: Callable[..., httpx.AsyncClient]) -> None:
    stranger = make_client("203.0.113.9", open_to_loopback=False)
    for method, path in (("GET", "/aside"), ("GET", "/aside.json"), ("POST", "/aside")):
        assert (await stranger.request(method, path)).status_code == 401
