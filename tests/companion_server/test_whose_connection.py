"""Whom a link connects is told before it does; and a connection ends with what it was made by."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from companion_room import Room
from signing_in import PASSWORD
from steelyard.companion.rules_store import Version, ready
from steelyard.main.ground import ledger
from steelyard.people.links import make_link
from steelyard.people.members import Staff, join
from steelyard.people.permissions import Permission, Role
from town import Town

LOOK, OWN = "/api/companion/connect/look", "/api/companion/token"
NEW = "correct horse battery staple"


async def look(room: Room, code: str, address: str = "10.1.2.3") -> Any:
    return await room.make_client(address=address).post(LOOK, json={"code": code})


async def test_whom_a_code_connects_is_told_and_the_code_goes_on_waiting(room: Room, town: Town) -> None:
    code = await room.code("engineer")
    before = town.everything("attempt")
    for _ in range(2):
        answer = await look(room, code)
        assert answer.json() == {
            "workspace": {"id": town.home, "name": "Test"},
            "person": {"name": "Engineer", "address": "engineer@example.com"},
        }
    assert town.everything("attempt") == before
    assert (await room.connect(code)).status_code == 201


async def test_wrong_used_and_old_codes_are_answered_alike(room: Room, town: Town) -> None:
    old, used, left = await room.code("lead"), await room.code("engineer"), await room.code("author")
    town.clock.now += timedelta(minutes=10)
    used, left = await room.code("engineer"), await room.code("author")
    await room.connect(used)
    staff = Staff(town.database, ledger(), _nobody)
    await staff.remove(town.home, town.people["author"], town.people["administrator"], town.clock.now)
    wrong = f"{town.home}~{'x' * 43}"
    answers = [await look(room, code) for code in (old, used, left, wrong, "", "no code", f"{town.foreign}~x")]
    assert {(each.status_code, each.content) for each in answers} == {(410, answers[0].content)}
    assert (await look(room, f"us1.home~{'x' * 43}")).status_code == 421
    client = room.make_client()
    for body in (b"", b"{}", b'{"code": 3}', json.dumps({"code": "x" * 2000}).encode()):
        assert (await client.post(LOOK, content=body)).status_code == 400
    assert (await client.post(LOOK, content=b'"' + b"x" * 300_000 + b'"')).status_code == 413


async def test_looking_is_an_attempt_like_any_other(room: Room, town: Town) -> None:
    code = await room.code("engineer")
    statuses = [(await look(room, f"{town.home}~{number}")).status_code for number in range(60)]
    assert 429 in statuses
    assert (await look(room, code)).status_code == 429
    assert (await room.connect(code)).status_code == 429
    assert (await look(room, code, "10.9.9.9")).status_code == 200


async def test_a_token_ends_itself_and_no_other(room: Room, town: Town, enter: Any) -> None:
    mine, other = await room.companion("engineer"), await room.companion("engineer")
    assert (await mine.delete(OWN)).status_code == 204
    assert (await mine.get("/api/companion/team")).status_code == 401
    assert (await mine.delete(OWN)).status_code == 401
    assert (await other.get("/api/companion/team")).status_code == 200
    person = town.people["engineer"]
    ((workspace, by, data),) = town.facts("token.revoked")
    assert (workspace, by, data["of"]) == (town.home, person, person)
    assert "Revoked API token" in (await (await enter("lead")).get("/audit")).text
    listed = (await (await enter("engineer")).get("/companion.json")).json()["browsers"]
    assert len(listed) == 1
    assert listed[0]["token"] != data["token"]


async def test_only_a_token_is_ended_so(room: Room, town: Town, enter: Any) -> None:
    before = town.everything("session", "person")
    assert (await room.make_client().delete(OWN)).status_code == 401
    assert (await (await enter("engineer")).delete(OWN)).status_code == 404
    assert town.everything("session", "person") == before
    poor = room.make_client(headers=await town.token("engineer", Permission.SEE_TOOLBOX))
    assert (await poor.delete(f"{OWN}?workspace={town.foreign}")).status_code == 404
    assert (await poor.delete(OWN)).status_code == 204, "whatever else it may"


async def test_a_new_password_ends_the_codes_that_wait_and_no_connection(room: Room, town: Town, enter: Any) -> None:
    companion, others = await room.companion("lead"), await room.code("engineer")
    async with town.database.transaction(town.foreign) as conn:
        await join(conn, ledger(), town.foreign, town.people["lead"], {Role.ENGINEER}, town.clock.now)
    here, abroad = await room.code("lead"), await room.code("lead", town.foreign)
    client = await enter("lead")
    changed = await client.post("/account/password", data={"old": PASSWORD, "password": NEW})
    assert changed.status_code == 303, changed.text
    assert [(await room.connect(each)).status_code for each in (here, abroad)] == [410, 410]
    assert (await room.connect(others)).status_code == 201
    assert (await companion.get("/api/companion/team")).status_code == 200, "as any API token"


async def test_a_password_chosen_by_a_link_ends_them_too(room: Room, town: Town) -> None:
    code = await room.code("engineer")
    async with town.database.transaction(town.home) as conn:
        token = await make_link(conn, town.home, town.people["engineer"], town.people["administrator"], town.clock.now)
    assert (await room.make_client().post("/enter", data={"token": token, "password": NEW})).status_code == 303
    assert (await room.connect(code)).status_code == 410


@pytest.mark.parametrize("text", ["", '[{"name": "Us", "kind": "host", "confidence": 3, "headers": {"x-us": ""}}]'])
def test_the_rules_of_a_version_are_read_once(town: Town, text: str) -> None:
    first, again = (ready(Version(number, text, "", town.clock.now)) for number in (1, 2))
    assert first
    assert all(one is other for one, other in zip(first, again, strict=True))


async def _nobody(_: Any) -> list[Any]:
    return []
