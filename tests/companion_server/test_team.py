"""What a connected browser asks: the team's trust and rules, and the same judgements as its own."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from companion_room import Room
from steelyard.companion.hosts import BUILT_IN
from steelyard.people.permissions import Permission
from town import Town

OURS = {"name": "Us", "kind": "host", "ours": True, "confidence": 3, "headers": {"x-kinsta-cache": ""}}


async def test_the_team_begins_with_nothing_of_its_own(room: Room, town: Town) -> None:
    team = (await (await room.companion("engineer")).get("/api/companion/team")).json()
    assert team["workspace"] == {"id": town.home, "name": "Test"}
    assert set(team) == {"workspace", "person", "trusted", "rules", "expires_at"}
    assert (team["trusted"], team["rules"]) == ([], None)


async def test_what_is_known_is_not_sent_again(room: Room, town: Town) -> None:
    engineer = await room.companion("engineer")
    first = await engineer.get("/api/companion/team")
    tag = first.headers["ETag"]
    known = await engineer.get("/api/companion/team", headers={"If-None-Match": f'"other", W/{tag}'})
    assert (known.status_code, known.content) == (304, b"")
    assert known.headers["ETag"] == tag
    async with town.database.transaction(town.home) as conn:
        await conn.execute(
            "INSERT INTO companion_trust (workspace, domain, state, proposed_at)"
            " VALUES (%s, 'ours.com', 'trusted', now())",
            [town.home],
        )
    changed = await engineer.get("/api/companion/team", headers={"If-None-Match": tag})
    assert (changed.status_code, changed.json()["trusted"]) == (200, ["ours.com"])


async def test_a_domain_is_proposed_once(room: Room, town: Town) -> None:
    engineer, lead = await room.companion("engineer"), await room.companion("lead")
    spelled = ((engineer, "Shop.Example.com"), (lead, "*.shop.example.com."), (lead, "shop.example.com"))
    asked = (each.post("/api/companion/trust", json={"domain": text}) for each, text in spelled)
    answers = await asyncio.gather(*asked)
    assert [each.json() for each in answers] == [{"domain": "shop.example.com", "state": "proposed"}] * 3
    assert len(town.facts("companion.domain_proposed")) == 1
    assert (await engineer.get("/api/companion/team")).json()["trusted"] == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "domain"), ("com", "domain"), ("http://x.com", "domain"), ("user@x.com", "domain"),
        ("x.com/path", "domain"), ("a b.com", "domain"), ("x.com:80", "domain"),
        ("\x00.com", "domain"), ("%2e.com", "domain"),
        ("<img src=x>.com", "domain"), ("a." * 130 + "com", "domain"), ("\ud800.com", "domain"),
        ("co.uk", "shared"), ("github.io", "shared"), ("GitHub.IO", "shared"), ("*.com.au", "shared"),
        ("wpengine.com", "shared"), ("pages.dev", "shared"),
        ("amazonaws.com", "shared"), ("s3.eu-west-1.amazonaws.com", "shared"), ("blob.core.windows.net", "shared"),
        ("blogspot.co.uk", "shared"), ("translate.goog", "shared"), ("storage.googleapis.com", "shared"),
    ],
)  # fmt: skip
async def test_what_cannot_be_trusted_is_refused(room: Room, town: Town, text: str, code: str) -> None:
    answer = await (await room.companion("engineer")).post("/api/companion/trust", content=_json(domain=text))
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)
    assert town.everything()["companion_trust"] == []


@pytest.mark.parametrize("text", ["=github.io", "name.github.io", "example.co.uk", "пример.рф", "192.0.2.7"])
async def test_one_host_of_such_a_domain_can_be(room: Room, text: str) -> None:
    answer = await (await room.companion("engineer")).post("/api/companion/trust", json={"domain": text})
    assert answer.json()["state"] == "proposed", answer.text


async def test_so_many_proposals_and_no_more(room: Room, town: Town) -> None:
    engineer = await room.companion("engineer")
    async with town.database.transaction(town.home) as conn:
        await conn.execute(
            "INSERT INTO companion_trust (workspace, domain, state, proposed_at)"
            " SELECT %s, 'x' || n || '.com', 'proposed', now() FROM generate_series(1, 200) AS n",
            [town.home],
        )
    answer = await engineer.post("/api/companion/trust", json={"domain": "one-more.com"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "full")
    assert (await engineer.post("/api/companion/trust", json={"domain": "x7.com"})).status_code == 200


async def test_nothing_of_another_workspace_is_told(room: Room, town: Town) -> None:
    home, abroad = await room.companion("engineer"), await room.companion("abroad", town.foreign)
    await home.post("/api/companion/trust", json={"domain": "ours.com"})
    async with town.database.transaction(town.home) as conn:
        await conn.execute("UPDATE companion_trust SET state = 'trusted'")
    assert (await home.get("/api/companion/team")).json()["trusted"] == ["ours.com"]
    assert (await abroad.get("/api/companion/team")).json()["trusted"] == []
    assert (await home.get(f"/api/companion/team?workspace={town.foreign}")).status_code == 404
    text = {"text": "see http://ours.com/x and http://evil.com/x"}
    assert (await home.post("/api/companion/defang", json=text)).json()[
        "text"
    ] == "see http://ours.com/x and hxxp://evil[.]com/x"
    assert "hxxp://ours[.]com" in (await abroad.post("/api/companion/defang", json=text)).json()["text"]


async def test_a_verdict_is_by_the_rules_in_force(room: Room, town: Town) -> None:
    engineer = await room.companion("engineer")
    evidence: dict[str, Any] = {
        "url": "https://shop.example.com/", "seen": True, "status": 200, "headers": [["X-Kinsta-Cache", "HIT"]]
    }  # fmt: skip
    first = (await engineer.post("/api/companion/verdict", json={"evidence": evidence})).json()
    assert (first["state"], first["hosts"][0]["name"]) == ("not_ours", "Kinsta")
    async with town.database.transaction(town.home) as conn:
        await conn.execute(
            "INSERT INTO companion_rules (workspace, version, rules, at) VALUES (%s, 1, %s, now())",
            [
                town.home,
                '[{"name": "Us", "kind": "host", "ours": true, "confidence": 3, "headers": {"x-kinsta-cache": ""}}]',
            ],
        )
    second = (await engineer.post("/api/companion/verdict", json={"evidence": evidence})).json()
    assert (second["state"], second["ours"]) == ("ours", ["Us"])
    rules = (await engineer.get("/api/companion/team")).json()["rules"]
    assert (rules["version"], [each["name"] for each in rules["rules"]]) == (1, ["Us"])


@pytest.mark.parametrize(
    ("evidence", "what"),
    [
        ({}, "url"), ({"url": 3}, "url"), ({"url": "x", "headers": {}}, "headers"),
        ({"url": "x", "headers": [["a"]]}, "headers"),
        ({"url": "x", "a": "1.2.3.4"}, "a"), ({"url": "x", "ns": [1]}, "ns"), ({"url": "x", "status": True}, "status"),
        ({"url": "x", "status": 10**30}, "status"), ({"url": "x", "seen": 1}, "seen"), ({"url": "x" * 9000}, "url"),
        ({"url": "x", "cname": ["y"] * 501}, "cname"),
    ],
)  # fmt: skip
async def test_evidence_that_cannot_be_read_is_refused(room: Room, evidence: Any, what: str) -> None:
    answer = await (await room.companion("engineer")).post("/api/companion/verdict", json={"evidence": evidence})
    assert answer.status_code == 422
    assert f"“{what}”" in answer.json()["error"]["message"]


async def test_the_built_in_rules_judge_where_there_are_no_others(room: Room) -> None:
    assert len(BUILT_IN["rules"]) > 20
    evidence = {
        "url": "https://x.example.com/",
        "seen": True,
        "status": 200,
        "headers": [["cf-ray", "8a1b2c3d4e5f6a7b-AMS"]],
    }
    answer = await (await room.companion("engineer")).post("/api/companion/verdict", json={"evidence": evidence})
    assert [each["kind"] for each in answer.json()["hosts"]] == ["cdn"]


@pytest.mark.parametrize("path", ["trust", "defang", "verdict"])
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"text": 1, "domain": 1, "evidence": 1}', b"[" * 60_000])
async def test_what_is_no_request_is_refused(room: Room, path: str, body: bytes) -> None:
    engineer = await room.companion("engineer")
    answer = await engineer.post(f"/api/companion/{path}", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "body")


async def test_what_is_too_large_is_refused(room: Room) -> None:
    engineer = await room.companion("engineer")
    answer = await engineer.post("/api/companion/defang", json={"text": "x" * 300_000})
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["team", "names?host=example.com"])
async def test_a_token_without_the_scope_sees_nothing(room: Room, town: Town, path: str) -> None:
    client = room.make_client(headers=await town.token("administrator", Permission.SEE_TOOLBOX))
    assert (await client.get(f"/api/companion/{path}")).status_code == 403
    assert (await room.make_client().get(f"/api/companion/{path}")).status_code == 401


def _json(**sent: str) -> bytes:
    return json.dumps(sent).encode()
