"""Every call of the client, as a test can make it, and an Intercom in memory that answers as the description does."""

import asyncio
import copy
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import spec

from steelyard.adapters.intercom import search
from steelyard.adapters.intercom.client import Intercom

URL = "https://api.eu.intercom.io"
TOKEN = "tok_not-for-logs"
OPEN = search.all_of(search.where("open", "=", True), search.where("admin_assignee_id", "IN", [7, 8]))


async def _listed(items: Any) -> list[Any]:
    return [item async for item in items]


CALLS: dict[str, Callable[[Intercom], Awaitable[Any]]] = {
    "me": lambda intercom: intercom.me(),
    "admins": lambda intercom: intercom.admins(),
    "admin": lambda intercom: intercom.admin(7),
    "set_away": lambda intercom: intercom.set_away(7, True, reassign=True),
    "teams": lambda intercom: intercom.teams(),
    "team": lambda intercom: intercom.team(5),
    "conversations": lambda intercom: _listed(intercom.conversations()),
    "search_conversations": lambda intercom: _listed(intercom.search_conversations(OPEN)),
    "roster": lambda intercom: intercom.roster(),
    "open_conversations": lambda intercom: _listed(intercom.open_conversations()),
    "count_open_conversations": lambda intercom: intercom.count_open_conversations(),
    "conversation": lambda intercom: intercom.conversation(17),
    "update_conversation": lambda intercom: intercom.update_conversation(17, {"weight": 5, "topic": "dns"}),
    "assign": lambda intercom: intercom.assign(17, 1, 7),
    "close": lambda intercom: intercom.close(17, 1),
    "open": lambda intercom: intercom.open(17, 1),
    "snooze": lambda intercom: intercom.snooze(17, 1, 1_800_000_000),
    "note": lambda intercom: intercom.note(17, 1, "<p>Why: lightest load</p>"),
    "conversation_attributes": lambda intercom: intercom.conversation_attributes(),
    "create_conversation_attribute": lambda intercom: intercom.create_conversation_attribute("weight", "integer"),
    "create_tag": lambda intercom: intercom.create_tag("weight:8"),
    "tag": lambda intercom: intercom.tag(17, 1, 86),
    "untag": lambda intercom: intercom.untag(17, 1, 86),
    "ticket": lambda intercom: intercom.ticket(17),
    "search_tickets": lambda intercom: _listed(intercom.search_tickets(OPEN)),
    "open_tickets": lambda intercom: _listed(intercom.open_tickets()),
    "assign_ticket": lambda intercom: intercom.assign_ticket(17, 1, 7),
}


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 2))
        until = self.now + seconds
        await asyncio.sleep(0)
        self.now = max(self.now, until)


def client(answer: Callable[[httpx.Request], httpx.Response], clock: Clock | None = None) -> Intercom:
    """A client whose requests `answer` answers, in a time of its own."""
    clock = clock or Clock()
    transport = httpx.MockTransport(answer)
    return Intercom(URL, TOKEN, transport=transport, clock=clock, sleep=clock.sleep, chance=lambda: 0.5)


def target(request: httpx.Request) -> str:
    """Path and query as sent."""
    return request.url.raw_path.decode()


def body(request: httpx.Request) -> Any:
    """The JSON sent, None for nothing."""
    return json.loads(request.content) if request.content else None


def described(request: httpx.Request) -> httpx.Response:
    """Checks the request, and answers with the description's example, about what the path names."""
    spec.check_request(request.method, target(request), body(request))
    template, values = spec.operation(request.method, target(request))
    answer = copy.deepcopy(next(iter(spec.examples(request.method, template).values())))
    asked = values.get("conversation_id") or values.get("ticket_id")
    if asked and "tags" not in template:
        answer["id"] = asked
    return httpx.Response(200, json=answer)
