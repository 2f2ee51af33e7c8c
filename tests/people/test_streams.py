"""An answer without end ends when whoever asked for it may no longer see it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from desk_seed import busy_desk
from steelyard.kit.ids import CellId
from steelyard.main.console import Site, console
from steelyard.main.ground import ROOMS
from steelyard.people.gate import Gate
from steelyard.people.permissions import Permission
from steelyard.people.sessions import COOKIE, IDLE, sessions_of
from steelyard.web import sse
from steelyard.web.pages import Pages
from steelyard.web.static import Static
from town import Town


async def watch(app: Any, headers: dict[str, str], begun: asyncio.Event) -> None:
    """Reads the desk's stream as a browser does, to its end."""
    pairs = {"host": "127.0.0.1", **headers}
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": "GET",
        "path": "/desk/live", "raw_path": b"/desk/live", "root_path": "", "client": ("10.1.2.3", 5),
        "server": ("127.0.0.1", 8420), "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in pairs.items()],
    }  # fmt: skip

    messages = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        first = next(messages, None)
        if first is None:
            await asyncio.Event().wait()  # the browser stays
        return first or {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            begun.set()
        else:
            assert message["status"] == 200

    await app(scope, receive, send)


@pytest.mark.parametrize("way", ["session ended", "removed", "role taken", "token revoked", "nothing"])
async def test_a_stream_ends_with_what_opened_it(
    town: Town, static: Static, keys: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(sse, "BEAT_SECONDS", 0.1)
    await busy_desk(town.database, town.home)
    app = console(town.database, static, Site(CellId("eu1"), keys, clock=town.clock))
    headers = {"Cookie": f"{COOKIE}={await town.cookie('lead')}"}
    if way == "token revoked":
        headers = await town.token("lead", Permission.SEE_DESK)
    begun = asyncio.Event()
    watching = asyncio.create_task(watch(app, headers, begun))
    await asyncio.wait_for(begun.wait(), 10)
    statement = {
        "removed": "UPDATE membership SET ended_at = now() WHERE person = %s",
        "role taken": "UPDATE membership SET roles = '{}' WHERE person = %s",
        "token revoked": "UPDATE api_token SET revoked_at = now() WHERE person = %s",
    }.get(way)
    if statement is not None:
        async with town.database.transaction(town.home) as conn:
            await conn.execute(statement, [town.people["lead"]])
    elif way == "session ended":
        async with town.database.person(town.people["lead"]) as conn:
            await conn.execute("DELETE FROM session")
    done, _ = await asyncio.wait({watching}, timeout=1 if way == "nothing" else 10)
    assert bool(done) == (way != "nothing")
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_watching_does_not_keep_a_session_open(town: Town, static: Static, keys: Path) -> None:
    gate = Gate(town.database, Pages(static, ROOMS), CellId("eu1"), clock=town.clock)
    cookie = f"{COOKIE}={await town.cookie('lead')}".encode()
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/desk/live",
        "query_string": b"",
        "headers": [(b"cookie", cookie)],
    }
    request = Request(scope)
    await gate.identify(request)
    ended = gate.ended(request)
    (before,) = await sessions_of(town.database, town.people["lead"], town.clock.now)
    town.clock.now += IDLE / 2
    assert not await ended()
    (after,) = await sessions_of(town.database, town.people["lead"], town.clock.now)
    assert after.expires_at == before.expires_at
    town.clock.now += IDLE / 2
    assert await ended()
