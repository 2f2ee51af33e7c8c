"""The forms of people's acts: what is asked for, what is refused and why, and the way back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from html import unescape
from typing import Any

import httpx
import pytest

from desk_seed import Desk
from signing_in import Enter
from steelyard.kit.ids import EngineerId
from steelyard.people.permissions import Role
from steelyard.store.database import Database

SCRIPT = {"HX-Request": "true"}


async def asked(database: Database, desk: Desk, kind: str) -> list[tuple[Any, ...]]:
    async with database.transaction(desk.workspace) as conn:
        found = await conn.execute(
            "SELECT conversation, engineer, person IS NOT NULL, data FROM ledger WHERE kind = %s ORDER BY position",
            [kind],
        )
        return await found.fetchall()


def owner_of(desk: Desk, conversation: int) -> int:
    return desk.state.conversations[conversation].owner or 0  # type: ignore[index]


def sent(desk: Desk, to: int | str, conversation: int = 5010, **more: str) -> dict[str, str]:
    fields = {"conversation": str(conversation), "engineer": str(to), "expected": str(owner_of(desk, conversation))}
    return fields | more


# Moving


async def test_a_lead_gives_it_to_somebody_and_back(desk: Desk, database: Database, enter: Enter) -> None:
    lead, before = await enter(Role.LEAD), owner_of(desk, 5010)
    answer = await lead.post("/move", data=sent(desk, 105))
    assert answer.headers["location"] == f"/conversations/5010?done=moved.5010.105.{before}"
    page = unescape((await lead.get(answer.headers["location"])).text)
    assert "Conversation 5010 goes to Mateo Rojas. Intercom is being told." in page
    assert "Lead gave it to Mateo Rojas." in page
    assert "It goes to Mateo Rojas; Intercom is being told." in page
    assert "Give it back to Tom Becker" in page
    assert (await lead.get("/conversations/5010.json")).json()["expected"] == 105
    back = {"conversation": "5010", "engineer": str(before), "expected": "105", "from": ""}
    for name, value in back.items():
        assert f'name="{name}" value="{value}"' in page
    assert (await lead.post("/move", data=back)).status_code == 303
    moves = await asked(database, desk, "conversation.move_asked")
    assert [(c, e, p, d["from"]) for c, e, p, d in moves] == [(5010, 105, True, before), (5010, before, True, 105)]
    assert "Give it back to" not in (await lead.get(answer.headers["location"])).text  # it holds no longer


async def test_from_the_desk_one_comes_back_to_the_desk(desk: Desk, enter: Enter) -> None:
    lead = await enter(Role.LEAD)
    answer = await lead.post("/move", data=sent(desk, 105, **{"from": "desk"}))
    assert answer.headers["location"].startswith("/desk?done=moved.")
    for nowhere in ("https://evil.example/", "//evil.example", "/switch"):
        answer = await lead.post("/rotation", data={"off": "105", "from": nowhere})
        assert answer.headers["location"].startswith("/engineers/105?")


async def test_a_script_is_answered_with_the_toast_alone(desk: Desk, enter: Enter) -> None:
    lead = await enter(Role.LEAD)
    answer = await lead.post("/move", data=sent(desk, 105, **{"from": "desk"}), headers=SCRIPT)
    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert "goes to Mateo Rojas" in answer.text
    assert 'name="from" value="desk"' in answer.text
    refused = await lead.post("/move", data=sent(desk, 106), headers=SCRIPT)
    assert refused.status_code == 409
    assert "it is with Mateo Rojas by now" in refused.text


async def test_a_program_is_answered_with_data(desk: Desk, enter: Enter) -> None:
    lead = await enter(Role.LEAD)
    json_wanted = {"Accept": "application/json"}
    answer = await lead.post("/move", data=sent(desk, 105), headers=json_wanted)
    assert answer.json()["done"]["engineer"] == {"id": 105, "name": "Mateo Rojas"}
    answer = await lead.post("/move", data=sent(desk, 106), headers=json_wanted)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "stale")


async def test_somebody_was_faster(desk: Desk, database: Database, enter: Enter) -> None:
    """What is there now is told, what was chosen stays chosen, and nothing is asked of Intercom."""
    lead = await enter(Role.LEAD)
    page = await lead.post("/move", data=sent(desk, 105, expected="111"))
    assert page.status_code == 409
    text = unescape(page.text)
    assert "it is with Tom Becker by now" in text
    assert 'name="engineer" value="105" checked' in text
    assert f'name="expected" value="{owner_of(desk, 5010)}"' in text
    assert await asked(database, desk, "conversation.move_asked") == []


async def test_nobody_chosen(desk: Desk, enter: Enter) -> None:
    lead = await enter(Role.LEAD)
    page = await lead.post("/move", data=sent(desk, ""))
    assert page.status_code == 422
    assert "choose who it goes to" in page.text


@pytest.mark.parametrize(
    ("to", "conversation", "arrange", "sentence"),
    [
        (105, 5010, "UPDATE workspace SET paused = true", "Steelyard is paused"),
        (105, 5010, "DELETE FROM connection", "not connected to an Intercom"),
        (999, 5010, "", "nobody of that number"),
        (102, 5010, "", "they have it already"),
        (0, 6000, "", "they have it already"),
    ],
)
async def test_refusals_are_sentences(
    desk: Desk, database: Database, enter: Enter, to: int, conversation: int, arrange: Any, sentence: str
) -> None:
    lead = await enter(Role.LEAD)
    async with database.transaction(desk.workspace) as conn:
        if arrange:
            await conn.execute(arrange)
    page = await lead.post("/move", data=sent(desk, to, conversation))
    assert page.status_code == 409
    assert sentence in unescape(page.text)
    french = await lead.post("/move?lang=fr", data=sent(desk, to, conversation))
    assert french.status_code == 409


@pytest.mark.parametrize(
    "fields", [{}, {"conversation": "x"}, {"conversation": "5010", "expected": "-1", "engineer": "1"}]
)
async def test_what_is_no_form_of_ours_is_refused(desk: Desk, enter: Enter, fields: dict[str, str]) -> None:
    assert (await (await enter(Role.LEAD)).post("/move", data=fields)).status_code == 400


async def test_an_unknown_conversation(desk: Desk, enter: Enter) -> None:
    fields = {"conversation": "777", "engineer": "105", "expected": "0"}
    page = await (await enter(Role.LEAD)).post("/move", data=fields)
    assert page.status_code == 404
    assert "not known here" in page.text


async def test_candidates_stand_by_team_then_load(desk: Desk, enter: Enter) -> None:
    lead = await enter(Role.LEAD)
    found = (await lead.get("/conversations/5010.json")).json()["candidates"]
    near = [each for each in found if each["in_team"] and each["group"] == "available"]
    assert [each["person"]["id"] for each in near] == [107, 109]
    assert all(each["then"] == each["load"] + 4 for each in found)
    assert {each["person"]["id"] for each in found if each["group"] == "away"} == {112, 113}
    assert 102 not in {each["person"]["id"] for each in found}  # has it
    text = (await lead.get("/conversations/5010")).text
    assert text.index("Jonas Lindqvist</span>") < text.index("Not in Security") < text.index("Amira Haddad</span>")


# Who may


@pytest.mark.parametrize("path", ["/move", "/rotation"])
async def test_engineers_may_not(desk: Desk, enter: Enter, path: str) -> None:
    engineer = await enter(Role.ENGINEER, 101)
    assert (await engineer.post(path, data=sent(desk, 105))).status_code == 403
    for page in ("/conversations/5010", "/engineers/105", "/engineers/101"):
        assert f'action="{path}"' not in (await engineer.get(page)).text


# Rotation


async def test_off_rotation_and_back(desk: Desk, database: Database, enter: Enter) -> None:
    lead = await enter(Role.LEAD)
    assert "Take Mateo Rojas off rotation" in (await lead.get("/engineers/105")).text
    answer = await lead.post("/rotation", data={"off": "105"})
    assert answer.headers["location"] == "/engineers/105?done=resting.105"
    page = unescape((await lead.get(answer.headers["location"])).text)
    assert "Mateo Rojas is off rotation from the next decision on" in page
    assert 'name="back" value="105"' in page
    answer = await lead.post("/rotation", data={"back": "105", "from": "desk"})
    assert answer.headers["location"] == "/desk?done=rotating.105"
    async with database.transaction(desk.workspace) as conn:
        told = await (
            await conn.execute("SELECT body FROM inbox WHERE topic = 'steelyard.rotation' ORDER BY seq")
        ).fetchall()
    assert [(each["engineer"], each["resting"]) for each in (json.loads(bytes(body)) for (body,) in told)] == [
        (105, True),
        (105, False),
    ]
    assert (await lead.post("/rotation", data={"off": "999"})).status_code == 404


async def test_somebody_off_rotation_says_so(desk: Desk, enter: Enter) -> None:
    from steelyard.routing.seen import SeenEngineer

    seen = SeenEngineer("engineer.rotation_changed", EngineerId(105), desk.second, desk.order(), resting=True)
    await desk.see(seen)
    text = unescape((await (await enter(Role.LEAD)).get("/engineers/105")).text)
    assert "They are given nothing new, and keep what they have." in text
    assert "Put Mateo Rojas back on rotation" in text
    assert "Somebody at this machine took them off rotation." in text


# Going away


async def test_an_engineer_goes_away_and_it_is_under_way(
    desk: Desk, database: Database, enter: Enter, clock: Any
) -> None:
    clock.now = datetime.now(UTC)
    engineer = await enter(Role.ENGINEER, 101)
    page = await engineer.get("/engineers/101")
    assert "Go away" in page.text
    assert "It sets you away in Intercom too." in page.text
    answer = await engineer.post("/away", data={"away": "yes", "from": "desk"})
    assert answer.headers["location"] == "/desk?done=away"
    assert await asked(database, desk, "engineer.away_asked") == [(None, 101, True, {"away": True})]
    page = await engineer.get("/engineers/101?done=away")
    assert "Intercom is being told that you go away." in page.text
    assert "You are being set away in Intercom." in page.text
    assert 'name="away" value="no"' in page.text


async def test_it_was_refused(desk: Desk, database: Database, enter: Enter) -> None:
    from steelyard.kit.ids import Position
    from steelyard.routing.seen import SeenRefusal

    engineer = await enter(Role.ENGINEER, 101)
    await engineer.post("/away", data={"away": "yes"})
    async with database.transaction(desk.workspace) as conn:
        row = await (await conn.execute("SELECT position FROM ledger WHERE kind = 'engineer.away_asked'")).fetchone()
    assert row is not None
    await desk.see(SeenRefusal(Position(row[0]), EngineerId(101), True, "away_reason_required", desk.second))
    text = unescape((await engineer.get("/engineers/101")).text)
    assert "Intercom refused it (away_reason_required)." in text
    assert "under way" not in text


async def test_paused_is_told_in_place(desk: Desk, database: Database, enter: Enter) -> None:
    engineer = await enter(Role.ENGINEER, 101)
    async with database.transaction(desk.workspace) as conn:
        await conn.execute("UPDATE workspace SET paused = true")
    page = await engineer.post("/away", data={"away": "yes"})
    assert page.status_code == 409
    assert "Steelyard is paused" in page.text
    assert await asked(database, desk, "engineer.away_asked") == []


async def test_nobody_goes_away_for_others(desk: Desk, enter: Enter) -> None:
    lead = await enter(Role.LEAD)
    assert (await lead.post("/away", data={"away": "yes"})).status_code == 409
    assert (await (await enter(Role.ENGINEER, 101)).post("/away", data={"away": "maybe"})).status_code == 400
    assert 'action="/away"' not in (await lead.get("/engineers/101")).text


# An engineer's page


async def test_the_page_of_an_engineer(desk: Desk, client: httpx.AsyncClient) -> None:
    text = unescape((await client.get("/engineers/102")).text)
    data = (await client.get("/engineers/102.json")).json()
    assert "Tom Becker" in text
    owned = {id for id, each in desk.state.conversations.items() if each.owner == 102 and each.counts}
    assert {each["conversation"] for each in data["conversations"]} == owned
    assert data["row"]["load"] == sum(desk.state.conversations[id].weight for id in owned)
    assert {each["winner"]["id"] for each in data["entries"]} == {102}
    assert (await client.get("/engineers/999")).status_code == 404
    assert (await client.get(f"/engineers/{2**63}")).status_code == 404
    assert "They are away in Intercom" in (await client.get("/engineers/112")).text


@pytest.mark.parametrize(("sent", "done"), [(True, "away"), ("yes", "away"), (False, "back")])
async def test_a_program_goes_away_by_json(desk: Desk, enter: Enter, sent: object, done: str) -> None:
    engineer = await enter(Role.ENGINEER, 101)
    answer = await engineer.post("/away", json={"away": sent}, headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()["done"]["what"]) == (200, done)
    wrong = await engineer.post("/away", json={"away": "maybe"}, headers={"accept": "application/json"})
    assert (wrong.status_code, wrong.json()["error"]["status"]) == (400, 400)
