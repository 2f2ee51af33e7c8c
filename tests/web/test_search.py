"""Search finds what it should, for whom it may, in a short time, and a part that fails leaves the others standing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest

from desk_seed import Desk
from signing_in import Clock, MakeClient
from steelyard.kit.ids import WorkspaceId
from steelyard.kit.scopes import Scope
from steelyard.people.gate import standing_of
from steelyard.people.permissions import Permission
from steelyard.routing.search import find_conversations
from steelyard.store.database import Database
from steelyard.web import search
from steelyard.web.navigation import NAVIGATION
from steelyard.web.pages import Pages
from steelyard.web.place import Place
from steelyard.web.routes import PageRoute
from steelyard.web.search import MOST, Asked, Hit, Searcher
from steelyard.web.viewer import Viewer

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]


async def found(client: httpx.AsyncClient, words: str, **query: str) -> dict[str, list[list[str]]]:
    answer = await client.get("/search.json", params={"q": words, **query})
    assert answer.status_code == 200
    return {
        group["kind"]: [[hit["title"], hit["href"], hit["note"]] for hit in group["hits"]]
        for group in answer.json()["groups"]
        if group["hits"]
    }


async def test_everything_of_routing_is_found(client: httpx.AsyncClient, desk: Desk) -> None:
    assert (await found(client, "AMIRA"))["engineers"] == [["Amira Haddad", "/conversations?engineer=101", "101"]]
    by_number = await found(client, "#5003")
    assert [hit[:2] for hit in by_number["conversations"]] == [["shop3.example", "/conversations/5003"]]
    [[number, href, _]] = by_number["decisions"]
    assert href == f"/decisions/{number}"
    assert (await client.get(href)).status_code == 200
    assert (await found(client, number))["decisions"][0][0] == number
    assert ["SSL", "/conversations?topic=ssl"] in [hit[:2] for hit in (await found(client, "ssl"))["topics"]]
    by_contact = await found(client, "atelier1 hacked")
    assert [hit[1] for hit in by_contact["conversations"]] == ["/conversations/6001"]
    assert (await found(client, "sett"))["pages"] == [["Settings", "/settings", ""]]
    assert (await found(client, "réglages", lang="fr"))["pages"] == [["Réglages", "/settings", ""]]


async def test_words_are_words_and_no_patterns(client: httpx.AsyncClient, desk: Desk) -> None:
    for words in ("%", "_", "\\", "' OR 1=1 --", "qq\x00zz", "9" * 40, "(", "[a-z]"):
        # The handbook is searched as a text: it may know "1", whatever stands around it.
        assert {name: hits for name, hits in (await found(client, words)).items() if name != "handbook"} == {}, words
    assert (await client.get("/search", params={"q": "<b>x</b>"})).text.count("<b>x") == 0


async def test_there_are_never_many(client: httpx.AsyncClient, desk: Desk) -> None:
    assert all(len(hits) <= MOST for hits in (await found(client, "o")).values())


async def test_who_may_not_read_messages_finds_none_by_them(database: Database, desk: Desk) -> None:
    granted = frozenset({str(Permission.SEE_DESK)})
    asked = Asked(desk.workspace, Place("N", "eu"), Viewer(granted=granted), "en", ("atelier1",))
    reader = asked._replace(viewer=Viewer(granted=granted | {str(Permission.READ_MESSAGES)}))
    async with database.transaction(desk.workspace) as connection:
        assert await find_conversations(connection, asked) == []
        [hit] = await find_conversations(connection, reader)
        assert hit.title == "atelier1.example"
        [hit] = await find_conversations(connection, asked._replace(words=("6001",)))
        assert hit.title == "6001"
        assert "atelier" not in hit.note


async def test_nothing_of_another_workspace_is_found(
    client: httpx.AsyncClient, desk: Desk, database: Database, make_workspace: MakeWorkspace
) -> None:
    other = await make_workspace("zzother")
    assert await found(client, "amira", workspace=other) == {}
    assert await found(client, "5003", workspace=other) == {}
    linked = await found(client, "amira", workspace=desk.workspace)
    assert linked["engineers"][0][1].startswith("/conversations?")


async def test_one_that_fails_leaves_the_others(
    make_client: MakeClient, pages: Pages, clock: Clock, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(asked: Asked) -> list[Hit]:
        raise RuntimeError(f"no {asked.words}")

    async def slow(asked: Asked) -> list[Hit]:
        await asyncio.sleep(30)
        return []

    async def well(asked: Asked) -> list[Hit]:
        return [Hit(f"<i>{number}</i>", "/desk") for number in range(MOST + 5)]

    async def forbidden(asked: Asked) -> list[Hit]:
        raise AssertionError("asked for somebody who may not")

    monkeypatch.setattr(search, "_SECONDS", 0.2)
    searchers = [
        Searcher("broken", "Broken", broken, "desk.see"),
        Searcher("slow", "Slow", slow, "desk.see"),
        Searcher("well", "Well", well, "desk.see"),
        Searcher("forbidden", "Forbidden", forbidden, "no.such"),
    ]
    shown = search.Search(pages, searchers, lambda request: standing_of(request).workspace).show
    client = make_client(routes=[PageRoute("/other", shown, Scope.WORKSPACE, "desk.see")])
    page = (await client.get("/other?q=x")).text
    assert page.count("could not be searched in time") == 2
    assert page.count("&lt;i&gt;") == MOST
    assert "<i>" not in page


def test_pages_of_the_bar_need_permissions_that_exist() -> None:
    assert {each.needs for each in NAVIGATION} <= {str(each) for each in Permission}
    assert len({each.keys for each in NAVIGATION}) == len(NAVIGATION)
