"""Every route of the console, asked by everybody there can be, in their own workspace and in another one.

The table of routes is the one that is served: a route that is added is asked too.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest

from desk_seed import busy_desk
from steelyard.kit.ids import CellId, WorkspaceId
from steelyard.kit.scopes import Scope
from steelyard.main.console import Site, console
from steelyard.people.permissions import OWN_ACCOUNT_ONLY, Permission, Role, Standing, judge
from steelyard.people.sessions import COOKIE
from steelyard.web.routes import OPEN, SIGNED_IN, PageRoute
from steelyard.web.static import Static
from town import Town

REFUSED = (401, 403, 404)
ALL_SCOPES = frozenset(Permission)
EVERYBODY = [*(role.value for role in Role), "nobody", "stranger", "machine", "token with all", "token with none"]


class Asked(NamedTuple):
    """One request of the matrix."""

    route: PageRoute
    method: str
    workspace: WorkspaceId


def routes_of(app: Any) -> list[PageRoute]:
    return [route for route in app._app.routes if route.shows is not Scope.GLOBAL]


def requests(routes: list[PageRoute], town: Town) -> Iterator[Asked]:
    for route in routes:
        for method in sorted(route.methods or ()):
            for workspace in (town.home, town.foreign):
                yield Asked(route, method, workspace)


def is_open(asked: Asked) -> bool:
    return asked.route.needs == OPEN


def expected(who: str, asked: Asked, town: Town) -> int | None:
    """The status of a refusal; None where the route itself answers."""
    needs, shows = asked.route.needs, asked.route.shows
    if is_open(asked):
        return None
    if who == "nobody":
        return 401
    is_token = who.startswith("token")
    if needs == SIGNED_IN and shows is Scope.CELL:
        return 403 if is_token else None
    if who == "machine":
        return None
    if who == "stranger" or asked.workspace == town.foreign:
        return 404
    if needs == SIGNED_IN:
        return None
    role = Role.ADMINISTRATOR if is_token else Role(who)
    scopes = {"token with all": ALL_SCOPES, "token with none": frozenset[Permission]()}.get(who)
    standing = Standing(town.home, town.people[role.value], frozenset({role}), None, scopes)
    return None if judge(standing, Permission(needs)).allowed else 403


async def credentials(who: str, town: Town) -> dict[str, str]:
    match who:
        case "nobody" | "machine":
            return {}
        case "token with all":
            return await town.token("administrator", *ALL_SCOPES)
        case "token with none":
            return await town.token("administrator")
        case _:
            return {"Cookie": f"{COOKIE}={await town.cookie('nobody' if who == 'stranger' else who)}"}


async def ask(app: Any, asked: Asked, headers: Mapping[str, str], address: str, victim: int) -> int:
    """The status of the answer. An answer without end is left when it begins."""
    path = re.sub(r"\{[a-z_]+:?[a-z]*\}", str(victim), asked.route.path)
    pairs = {"host": "127.0.0.1:8420", **headers}
    if asked.method == "POST":
        pairs["content-type"] = "application/x-www-form-urlencoded"
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": asked.method,
        "path": path, "raw_path": path.encode(), "root_path": "", "client": (address, 5), "server": ("127.0.0.1", 8420),
        "query_string": f"workspace={asked.workspace}".encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in pairs.items()],
    }  # fmt: skip
    sent: list[dict[str, Any]] = []
    messages = iter([{"type": "http.request", "body": b"", "more_body": False}])
    begun = asyncio.Event()

    async def receive() -> dict[str, Any]:
        first = next(messages, None)
        if first is None:
            await begun.wait()
        return first or {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)
        begun.set()

    await asyncio.wait_for(app(scope, receive, send), 20)
    return cast("int", sent[0]["status"])


@pytest.fixture
def serve(town: Town, static: Static, keys: Path) -> Callable[[bool], Any]:
    def made(open_to_loopback: bool) -> Any:
        site = Site(CellId("eu1"), keys, open_to_loopback=open_to_loopback, clock=town.clock)
        return console(town.database, static, site)

    return made


@pytest.mark.timeout(300)
@pytest.mark.parametrize("who", EVERYBODY)
async def test_everybody_may_what_the_rules_say_and_nothing_else(
    who: str, town: Town, serve: Callable[[bool], Any]
) -> None:
    await busy_desk(town.database, town.home)
    victim = await town.person("victim", Role.ENGINEER)
    app = serve(who == "machine")
    address = "127.0.0.1" if who == "machine" else "10.1.2.3"
    every = list(requests(routes_of(app), town))
    refused = [asked for asked in every if expected(who, asked, town) is not None]
    wrong: list[str] = []

    async def look(asked: Asked, headers: Mapping[str, str]) -> None:
        status, should = await ask(app, asked, headers, address, victim), expected(who, asked, town)
        # What is open to all refuses by itself: a wrong password, a link that is used up.
        fine = status == should if should is not None else status < 500 and (status not in (401, 403) or is_open(asked))
        if not fine:
            wrong.append(f"{asked.method} {asked.route.path} in {asked.workspace}: {status}, not {should or 'its own'}")

    same = await credentials(who, town)
    if refused:
        await ask(app, refused[0], same, address, victim)  # a token notes that it is used
    before = town.everything()
    for asked in refused:
        await look(asked, same)
    assert wrong == []
    assert town.everything() == before, "what was refused changed something"
    for asked in every:
        if expected(who, asked, town) is None:
            await look(asked, await credentials(who, town))
    assert wrong == []


async def test_pages_answer_whom_they_are_open_to(town: Town, serve: Callable[[bool], Any]) -> None:
    """Every page without a number in its address is there for an administrator: allowed is more than not refused."""
    await busy_desk(town.database, town.home)
    app = serve(False)
    found: dict[str, int] = {}
    for asked in requests(routes_of(app), town):
        if asked.method == "GET" and asked.workspace == town.home and "{" not in asked.route.path:
            headers = await credentials("administrator", town)
            found[asked.route.path] = await ask(app, asked, headers, "10.1.2.3", 1)
    assert {path: status for path, status in found.items() if status not in (200, 303)} == {
        "/enter": 410,
        "/api/companion/names": 422,
        "/sites/at.json": 400,
    }


def test_a_route_without_a_rule_cannot_be_made() -> None:
    made: Any = PageRoute
    with pytest.raises(TypeError):
        made("/loose", lambda request: None, Scope.WORKSPACE)


async def test_a_route_with_an_unknown_rule_opens_to_nobody(town: Town, static: Static, keys: Path) -> None:
    async def leak(request: Any) -> Any:
        raise AssertionError("it was opened")

    loose = PageRoute("/loose", leak, Scope.WORKSPACE, "everything.see")
    app: Any = console(town.database, static, Site(CellId("eu1"), keys, clock=town.clock), [loose])
    asked = Asked(loose, "GET", town.home)
    with pytest.raises(ValueError, match="everything"):
        await ask(app, asked, await credentials("administrator", town), "10.1.2.3", 1)


def test_tokens_never_hold_what_makes_tokens_or_people() -> None:
    for permission in OWN_ACCOUNT_ONLY:
        standing = Standing(WorkspaceId("eu1.x"), None, frozenset(Role), None, ALL_SCOPES)
        assert not judge(standing, permission).allowed
