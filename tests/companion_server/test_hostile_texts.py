"""What hostile JSON, texts and rules do to the companion's server: a refusal or an answer, never a fault."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from companion_room import Room
from steelyard.companion.domains import MOST_TRUSTED
from town import Town

LONE = "\\ud800"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("trust", '{"domain": "%s"}'),
        ("trust", '{"domain": "a%s.com"}'),
        ("defang", '{"text": "http://evil.com/%s"}'),
        ("verdict", '{"evidence": {"url": "https://a.com/%s", "headers": [["x-%s", "%s"]]}}'),
        ("verdict", '{"evidence": {"url": "https://a.com/", "site": "%s", "cname": ["%s"], "ip": "%s"}}'),
        (
            "verdict",
            '{"evidence": {"url": "https://a.com/", "headers": [["server", "%s"], ["x-powered-by", "\\u0000"]]}}',
        ),
        ("connect", '{"code": "%s", "browser": "%s"}'),
        ("connect", '{"code": "a.b~%s"}'),
        ("defang", '{"text": NaN}'),
        ("trust", '{"domain": "\\u0000"}'),
    ],
)
async def test_texts_that_no_answer_can_hold_are_no_fault(room: Room, path: str, body: str) -> None:
    client = await room.companion("engineer")
    answer = await client.post(f"/api/companion/{path}", content=body.replace("%s", LONE), headers=JSON)
    assert answer.status_code < 500
    answer.json()


@pytest.mark.parametrize(
    "rules",
    [
        '[{"name": "\\ud800", "kind": "host", "confidence": 1, "names": ["a.com"]}]',
        '[{"\\ud800": 1, "\\ud800": 2}]',
        '[{"name": "a", "kind": "\\ud800", "\\ud800": 1, "names": ["\\ud800"], "headers": {"\\ud800": "\\ud800"}}]',
    ],
)
@pytest.mark.parametrize("act", ["try", "keep"])
async def test_rules_that_no_table_can_hold_are_refused(enter: Any, rules: str, act: str) -> None:
    client = await enter("lead")
    answer = await client.post("/companion/rules", data={"rules": rules, "then": act})
    assert answer.status_code < 500


@pytest.mark.parametrize(
    "path",
    [
        "/companion/rules?version=99999999999999999999",
        "/companion/rules?version=9223372036854775807",
        "/companion/rules?version=" + "9" * 5000,
        "/companion?done=trusted&of=" + "9" * 5000,
        "/companion?done=trusted.1.99",
        "/api/companion/names?host=%00",
        "/api/companion/names?host=%ff%fe.com",
        "/api/companion/names?host=%ed%a0%80.com",
        "/sites/at.json?host=%00",
        "/sites/at.json?host=%ff.com",
        "/sites/at.json?host=%ed%a0%80.com",
        "/sites/at.json?host=" + "a." * 400 + "com",
        "/runs/" + "9" * 5000 + ".json",
        "/runs/99999999999999999999.json",
    ],
)
async def test_odd_addresses_are_no_fault(room: Room, path: str) -> None:
    client = await room.companion("engineer")
    assert (await client.get(path)).status_code < 500


@pytest.mark.parametrize("number", ["9" * 5000, "99999999999999999999", "9223372036854775808", "0"])
@pytest.mark.parametrize("path", ["/companion/browsers/{}/revoke", "/companion/domains/{}"])
async def test_numbers_that_are_none_are_not_found(enter: Any, path: str, number: str) -> None:
    client = await enter("lead")
    fields = {"seen": "proposed", "to": "trusted"}
    assert (await client.post(path.format(number), data=fields)).status_code in (404, 405)


async def test_bad_numbers_of_versions_are_not_found(enter: Any) -> None:
    client = await enter("lead")
    for version in ("9" * 5000, "99999999999999999999", "-1", "x", ""):
        answer = await client.post("/companion/rules/back", data={"version": version, "seen": "0"})
        assert answer.status_code == 404


async def test_what_is_trusted_after_all_counts_too(enter: Any, town: Town) -> None:
    async with town.database.transaction(town.home) as conn:
        await conn.execute(
            "INSERT INTO companion_trust (workspace, domain, state, proposed_at)"
            " SELECT %s, 'x' || n || '.com', CASE n WHEN 1 THEN 'declined' ELSE 'trusted' END, now()"
            " FROM generate_series(1, %s) AS n",
            [town.home, MOST_TRUSTED + 1],
        )
        row = await (await conn.execute("SELECT trust FROM companion_trust WHERE state = 'declined'")).fetchone()
    assert row is not None
    client = await enter("lead")
    answer = await client.post(f"/companion/domains/{row[0]}", data={"seen": "declined", "to": "trusted"})
    assert (answer.status_code, "So many domains are trusted already" in answer.text) == (422, True)


async def test_trying_rules_holds_nobody_else_up(enter: Any) -> None:
    slow = {f"x{n}": "(a|a)?(a|a)?(a|a)?(a|a)?(a|a)?b" for n in range(6)}
    rules = [{"name": f"r{n}", "kind": "host", "confidence": 1, "headers": slow} for n in range(2)]
    pasted = "\n\n".join("\n".join(f"x{n}: {'a' * (255 - k)}" for n in range(6) for k in range(7)) for _ in range(4))
    client, gaps = await enter("lead"), [0.0]

    async def beats() -> None:
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            await asyncio.sleep(0.01)
            gaps.append(loop.time() - begun)

    beating = asyncio.create_task(beats())
    fields = {"rules": json.dumps(rules), "pasted": pasted, "then": "try"}
    begun = time.perf_counter()
    answer = await client.post("/companion/rules", data=fields)
    took = time.perf_counter() - begun
    beating.cancel()
    assert answer.status_code == 200
    assert max(gaps) < took / 2
