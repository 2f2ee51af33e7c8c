"""A browser is connected by a code that works once, for ten minutes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from companion_room import Room
from steelyard.companion.connecting import SCOPES
from steelyard.main.ground import ledger
from steelyard.people.members import Staff
from steelyard.people.permissions import GRANTS, Role
from steelyard.store.retention import expire
from town import Town

Everything = Callable[..., Any]


async def test_a_code_gives_a_token_that_reads_and_plans(room: Room, town: Town) -> None:
    answer = await room.connect(await room.code("engineer"))
    assert answer.status_code == 201
    told = answer.json()
    assert told["workspace"] == {"id": town.home, "name": "Test"}
    assert datetime.fromisoformat(told["expires_at"]) == town.clock.now + timedelta(days=90)
    companion = room.make_client(headers={"Authorization": f"Bearer {told['token']}"})
    team = (await companion.get("/api/companion/team")).json()
    assert team["person"] == {"name": "Engineer", "engineer": None}
    assert team["expires_at"] == told["expires_at"]
    async with town.database.transaction(town.home) as conn:
        row = await (await conn.execute("SELECT name, permissions, browser FROM api_token"
                                        " JOIN companion_browser USING (workspace, token)")).fetchone()  # fmt: skip
    assert row is not None
    allowed = {each.value for each in GRANTS[Role.ENGINEER]}
    assert (row[0], set(row[1]), row[2]) == ("Companion (Chrome on Linux)", set(SCOPES) & allowed, "Chrome on Linux")


async def test_it_is_a_fact_and_told(room: Room, town: Town, enter: Any) -> None:
    await room.companion("engineer")
    ((workspace, person, data),) = town.facts("token.made")
    assert (workspace, person) == (town.home, town.people["engineer"])
    assert data == {"of": person, "token": data["token"], "companion": True}
    audit = await (await enter("lead")).get("/audit")
    assert "Connected a browser" in audit.text


@pytest.mark.parametrize("role", list(Role))
async def test_a_companion_may_no_more_than_its_owner(room: Room, town: Town, role: Role) -> None:
    await room.connect(await room.code(role.value))
    async with town.database.transaction(town.home) as conn:
        row = await (await conn.execute("SELECT permissions FROM api_token")).fetchone()
    assert row is not None
    assert set(row[0]) == set(SCOPES) & {each.value for each in GRANTS[role]}
    assert not {"runbooks.change", "runbooks.destroy", "messages.read"} & set(row[0])


async def test_a_code_works_once(room: Room) -> None:
    code = await room.code("engineer")
    assert (await room.connect(code)).status_code == 201
    again = await room.connect(code)
    assert again.status_code == 410
    assert again.json()["error"]["code"] == "code"


async def test_a_code_used_twice_at_the_same_time_gives_one_token(room: Room, town: Town) -> None:
    code = await room.code("engineer")
    answers = await asyncio.gather(*(room.connect(code) for _ in range(5)))
    assert sorted(each.status_code for each in answers) == [201, 410, 410, 410, 410]
    assert len(town.facts("token.made")) == 1
    assert len(town.everything()["api_token"]) == 1


async def test_a_code_ends_after_ten_minutes(room: Room, town: Town) -> None:
    code = await room.code("engineer")
    town.clock.now += timedelta(minutes=9, seconds=59)
    other = await room.code("lead")
    town.clock.now += timedelta(seconds=1)
    assert (await room.connect(code)).status_code == 410
    assert (await room.connect(other)).status_code == 201


async def test_a_fresh_code_ends_those_before_it_of_the_same_person(room: Room) -> None:
    first, others = await room.code("engineer"), await room.code("lead")
    second = await room.code("engineer")
    assert (await room.connect(first)).status_code == 410
    assert (await room.connect(second)).status_code == 201
    assert (await room.connect(others)).status_code == 201


async def test_whoever_left_connects_nothing(room: Room, town: Town) -> None:
    code = await room.code("engineer")
    staff = Staff(town.database, ledger(), _nobody)
    await staff.remove(town.home, town.people["engineer"], town.people["administrator"], town.clock.now)
    refused = await room.connect(code)
    assert refused.status_code == 410
    assert town.everything()["api_token"] == []


async def test_a_companion_ends_with_its_owner_membership(room: Room, town: Town) -> None:
    companion = await room.companion("engineer")
    assert (await companion.get("/api/companion/team")).status_code == 200
    staff = Staff(town.database, ledger(), _nobody)
    await staff.remove(town.home, town.people["engineer"], town.people["administrator"], town.clock.now)
    assert (await companion.get("/api/companion/team")).status_code == 401


async def test_a_code_is_of_one_workspace(room: Room, town: Town) -> None:
    code = await room.code("engineer")
    elsewhere = f"{town.foreign}~{code.partition('~')[2]}"
    assert (await room.connect(elsewhere)).status_code == 410
    other_cell = f"us1.home~{code.partition('~')[2]}"
    answer = await room.connect(other_cell)
    assert (answer.status_code, answer.json()["error"]["code"]) == (421, "elsewhere")
    assert (await room.connect(code)).status_code == 201


@pytest.mark.parametrize(
    "code",
    ["", "~", "home", "eu1.home", "eu1.home~", "~s", "eu1.home~\x00", "eu1.home~\ud800", "é" * 150, "eu1.h'; --~x"],
)
async def test_hostile_codes_are_refused(room: Room, town: Town, code: str) -> None:
    before = town.everything("attempt")
    answer = await room.make_client().post("/api/companion/connect", content=_json(code))
    assert answer.status_code == 410
    assert town.everything("attempt") == before


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"{", b'"x"', b'{"code": 3}', b'{"code": "x", "browser": []}', b"[" * 50_000, b"\xff"]
)
async def test_what_is_no_request_is_refused(room: Room, body: bytes) -> None:
    answer = await room.make_client().post("/api/companion/connect", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "body")


async def test_the_name_of_a_browser_is_only_a_name(room: Room, town: Town) -> None:
    hostile = "<script>alert(1)</script>\n\x00" + "x" * 500
    assert (await room.connect(await room.code("engineer"), hostile)).status_code == 201
    assert (await room.connect(await room.code("lead"), "\n")).status_code == 201
    async with town.database.transaction(town.home) as conn:
        rows = await (await conn.execute("SELECT browser FROM companion_browser ORDER BY token")).fetchall()
    assert [len(browser) for (browser,) in rows] == [60, 1]
    assert rows[0][0].startswith("<script>alert(1)</script>xx")


async def test_attempts_are_bounded_by_the_place(room: Room, town: Town) -> None:
    code = await room.code("engineer")
    statuses = [(await room.connect(f"{town.home}~{number}")).status_code for number in range(60)]
    assert statuses[:50] == [410] * 50
    assert 429 in statuses
    held = await room.connect(code)
    assert held.status_code == 429
    assert int(held.headers["Retry-After"]) > 0
    assert (await room.connect(code, address="10.9.9.9")).status_code == 201, "another place waits for nobody"


async def test_only_the_digest_of_a_code_is_stored(room: Room, town: Town) -> None:
    secret = (await room.code("engineer")).partition("~")[2]
    assert secret not in str(town.everything())


async def test_so_many_tokens_and_no_more(room: Room, town: Town) -> None:
    for _ in range(50):
        await town.token("engineer")
    code = await room.code("engineer")
    refused = await room.connect(code)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "tokens")
    async with town.database.transaction(town.home) as conn:
        await conn.execute("UPDATE api_token SET revoked_at = %s", [town.clock.now])
    assert (await room.connect(code)).status_code == 201, "a code that was refused for that is not used up"


async def test_refusals_are_told_in_french(room: Room) -> None:
    client = room.make_client(headers={"Accept-Language": "fr"})
    answer = await client.post("/api/companion/connect", json={"code": "x"})
    assert "dix minutes" in answer.json()["error"]["message"]


async def test_codes_that_ended_are_removed(room: Room, town: Town) -> None:
    await room.code("engineer")
    async with town.database.transaction(town.home) as conn:
        await conn.execute("UPDATE companion_code SET expires_at = now() - interval '1 second'")
    gone = await expire(town.database, town.clock.now + timedelta(days=10_000))
    assert gone["companion_code"] == 1


def _json(code: str) -> bytes:
    return json.dumps({"code": code}).encode()


async def _nobody(_: Any) -> list[Any]:
    return []
