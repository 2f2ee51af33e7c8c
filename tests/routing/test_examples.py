"""The example payloads of Intercom's own API description, through ingest and the router."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import aclosing
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from payloads import BEGAN, CREATED, admin, conversation, notification, roster

from steelyard.adapters.intercom.signature import sign, verify
from steelyard.kit.ids import CellId
from steelyard.kit.instants import Micros
from steelyard.routing.inbox import CellInbox
from steelyard.routing.ingest import Ingest
from steelyard.routing.receive import TOPICS, UNWANTED

FILE = Path(__file__).parents[2] / ".." / "shared" / "intercom" / "openapi-2.16.yaml"

DELIVERED = [topic for topic in (*TOPICS, *UNWANTED, "visitor.signed_up") if not topic.startswith("steelyard.")]


@cache
def items() -> tuple[Any, ...]:
    """Every JSON object in an example of the description, at whatever depth; each once."""
    if not FILE.exists():
        pytest.skip("Intercom's API description is not there: put openapi-2.16.yaml into ../shared/intercom")
    with FILE.open("rb") as file:
        description = yaml.load(file, Loader=yaml.CSafeLoader)
    return tuple(map(json.loads, dict.fromkeys(json.dumps(each, default=str) for each in _objects(description))))


def _objects(node: Any, inside: bool = False) -> Iterator[Any]:
    if isinstance(node, dict):
        if inside:
            yield node
        for name, each in node.items():
            yield from _objects(each, inside or name in ("example", "examples"))
    elif isinstance(node, list):
        for each in node:
            yield from _objects(each, inside)


def topics_for(item: Any) -> list[str]:
    """The topics whose item it could be; what is of no such type is told as a new conversation."""
    kind = str(item.get("type", ""))
    prefix = {"conversation": "conversation", "conversation_part": "conversation_part", "admin": "admin"}.get(
        kind, kind
    )
    fitting = [topic for topic in DELIVERED if prefix and topic.split(".")[0] == prefix]
    return fitting or [CREATED]


async def test_every_example_goes_through_and_holds_nobody_up(bench: Any, unseal: Any) -> None:
    bodies = [
        notification(topic, item, id=f"example {number} {topic}", created_at=BEGAN + number)
        for number, item in enumerate(items())
        for topic in topics_for(item)
    ]
    kinds = {item.get("type") for item in items()}
    assert kinds >= {"conversation", "ticket", "admin", "team", "conversation_part", "tag"}
    assert len(bodies) > 300
    await bench.route(roster([admin(1), admin(2)]))
    ingest = Ingest(CellId("eu1"), {}, CellInbox(bench.database, lambda: Micros(0), unseal), verify)
    async with (
        aclosing(ingest._inbox),
        httpx.AsyncClient(transport=httpx.ASGITransport(ingest), base_url="http://eu1.test") as client,
    ):

        async def post(body: bytes) -> None:
            headers = {"x-hub-signature": sign(b"sesame", body)}
            answer = await client.post("/hooks/intercom/eu1", content=body, headers=headers)
            assert answer.status_code == 200, body[:200]

        for start in range(0, len(bodies), 100):
            await asyncio.gather(*map(post, bodies[start : start + 100]))
        await post(notification(CREATED, conversation(77), id="the last"))
    before = 0
    while await bench.router.route(bench.workspace):
        [(position,)] = await bench.rows("SELECT position FROM workspace")
        assert position >= before, "the router was set back"
        before = position
    assert await bench.rows("SELECT count(*) FROM inbox WHERE handled_at IS NULL") == [(0,)]
    outcomes = dict(await bench.rows("SELECT outcome, count(*) FROM inbox GROUP BY outcome"))
    assert outcomes["fact"] > 50
    reasons = {reason for (reason,) in await bench.rows("SELECT DISTINCT reason FROM inbox WHERE outcome = 'ignored'")}
    assert None not in reasons
    assert "not JSON" not in reasons
    [(position, last, count)] = await bench.rows(
        "SELECT position, (SELECT max(position) FROM ledger), (SELECT count(*) FROM ledger) FROM workspace"
    )
    assert position == last == count
    assert (await bench.owners())[77] is not None
    loaded = await bench.rows(
        "SELECT owner, sum(weight) FROM conversation WHERE open AND owner IS NOT NULL GROUP BY owner"
    )
    other = bench.another_router()
    await bench.put(notification("ping", {}, id="p"))
    await other.route(bench.workspace)
    engineers = other._cache[bench.workspace].state.engineers
    assert {owner: load for owner, load in loaded if owner in engineers} == {
        id: each.load for id, each in engineers.items() if each.load
    }
