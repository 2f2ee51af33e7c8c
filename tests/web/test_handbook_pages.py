"""The pages of the handbook over real tables: read, written, checked, imported, found, and offered to conversations."""

from __future__ import annotations

import csv
import io
import json
import re
import statistics
import time
import zipfile
from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import psycopg
import pytest

from desk_seed import NOW, Desk
from signing_in import Clock, Enter
from steelyard.kit.ids import WorkspaceId
from steelyard.main.ground import ledger
from steelyard.people.permissions import Role
from steelyard.store.database import Database
from steelyard.toolbox.handbook.model import Text
from steelyard.toolbox.handbook.searching import find
from steelyard.toolbox.handbook.shipped import shipped
from steelyard.toolbox.handbook.store import Handbook, HandbookError, read_pages

HOSTILE = "<img src=x onerror=alert(1)>'\"{{7*7}} %(name)s"


def book(conn: object, workspace: WorkspaceId) -> Handbook:
    return Handbook(conn, ledger(), workspace, None, NOW)  # pyright: ignore[reportArgumentType]


def hidden(page: httpx.Response, name: str) -> str:
    found = re.search(rf'name="{re.escape(name)}" value="([^"]*)"', page.text)
    assert found is not None, name
    return found[1]


async def version(client: httpx.AsyncClient, path: str = "/handbook/dns.json") -> str:
    return (await client.get(path)).json()["version"]


async def facts(database: Database, workspace: WorkspaceId) -> list[tuple[str, dict[str, int]]]:
    async with database.transaction(workspace) as conn:
        query = "SELECT kind, data FROM ledger WHERE workspace = %s AND kind LIKE 'handbook.%%' ORDER BY position"
        return [(kind, data) for kind, data in await (await conn.execute(query, [workspace])).fetchall()]


def edited(body: str = "1. New", title: str = "DNS", topics: str = "dns", runbooks: str = "") -> dict[str, str]:
    return {"title": title, "body": body, "topics": topics, "runbooks": runbooks}


def loaded(**was: str) -> dict[str, str]:
    return {"loaded": "yes", **{f"was.{name}": text for name, text in was.items()}}


def archive(**files: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, text in files.items():
            packed.writestr(name, text)
    return out.getvalue()


# Reading


async def test_the_list_shows_each_page_once_in_the_readers_language(client: httpx.AsyncClient, desk: Desk) -> None:
    slugs = {slug for slug, _ in shipped()}
    for language in ("en", "fr"):
        rows = (await client.get("/handbook.json", params={"lang": language})).json()["rows"]
        assert {row["slug"] for row in rows} == slugs
        assert {row["language"] for row in rows} == {language}
    both = (await client.get("/handbook.json?language=all")).json()
    assert both["total"] == 2 * len(slugs)
    page = await client.get("/handbook?lang=fr")
    assert "Redis et cache" in page.text
    assert next(csv.DictReader(io.StringIO((await client.get("/handbook.csv")).text))).keys() >= {
        "slug",
        "automated",
    }


async def test_the_list_is_filtered(client: httpx.AsyncClient, desk: Desk, clock: Clock) -> None:
    caching = (await client.get("/handbook.json?topic=caching")).json()["rows"]
    assert {"caching", "set-up-redis", "clear-caches"} == {row["slug"] for row in caching}
    assert (await client.get("/handbook.json?stale=yes")).json()["total"] == 0
    assert (await client.get("/handbook.json?broken=yes")).json()["total"] == len(
        {row["slug"] for row in (await client.get("/handbook.json")).json()["rows"] if row["broken"]}
    )
    assert (await client.get("/handbook.json?stale&days=1")).json()["total"] == len(shipped()) // 2
    clock.now += timedelta(days=200)
    assert (await client.get("/handbook.json?stale")).json()["total"] == len(shipped()) // 2
    assert "Nobody has said for 180 days" in (await client.get("/handbook")).text


async def test_a_page_is_read_as_html_json_and_markdown(client: httpx.AsyncClient, desk: Desk) -> None:
    page = await client.get("/handbook/set-up-redis")
    assert page.status_code == 200
    assert 'data-copies="code-1"' in page.text
    assert "On this page" in page.text
    data = (await client.get("/handbook/set-up-redis.json")).json()
    assert data["runbooks"] == ["set_up_redis"]
    assert (data["own"], data["ships"], data["stale"]) == (False, True, False)
    markdown = await client.get("/handbook/set-up-redis.md?in=fr")
    assert markdown.headers["content-type"].startswith("text/markdown")
    assert markdown.text.startswith("---\ntitle: Mettre en place Redis pour un site\nlanguage: fr\n")
    french = await client.get("/handbook/set-up-redis?in=fr")
    assert "This is the page in the other language" in french.text
    assert (await client.get("/handbook/nothing")).status_code == 404
    assert (await client.get("/handbook/nothing.json")).json()["error"]["status"] == 404


async def test_a_page_in_the_other_language_alone_is_shown_and_said_so(
    client: httpx.AsyncClient, desk: Desk, database: Database
) -> None:
    async with database.transaction(desk.workspace) as conn:
        await book(conn, desk.workspace).create(("seul", "fr"), Text("Seule", "Texte"))
    page = await client.get("/handbook/seul?lang=en")
    assert "There is no page in your language yet" in page.text
    assert 'lang="fr"' in page.text


async def test_the_draft_of_a_runbook_is_shown_and_downloaded(client: httpx.AsyncClient, desk: Desk) -> None:
    page = await client.get("/handbook/clear-caches/draft")
    assert "clear_caches/runbook.toml" in page.text
    assert "#!/bin/bash" in page.text
    packed = await client.get("/handbook/clear-caches/draft.zip")
    assert packed.headers["content-disposition"] == 'attachment; filename="clear_caches.zip"'
    with zipfile.ZipFile(io.BytesIO(packed.content)) as opened:
        assert "clear_caches/run" in opened.namelist()
    assert (await client.get("/handbook/clear-caches/draft.json")).json()["name"] == "clear_caches"


# Writing


async def test_a_page_is_changed_and_the_change_undone(
    client: httpx.AsyncClient, desk: Desk, database: Database
) -> None:
    before = shipped()["dns", "en"].text
    form = await client.get("/handbook/dns/edit")
    was = loaded(title=before.title, body=before.body, topics="dns", runbooks="diagnose_site")
    assert 'name="was.body"' in form.text
    answer = await client.post("/handbook/dns/edit", data=was | edited("1. " + HOSTILE))
    assert answer.status_code == 303, answer.text
    page = await client.get(answer.headers["location"])
    assert "The page is changed." in page.text
    assert "<img src=x" not in page.text
    data = (await client.get("/handbook/dns.json")).json()
    assert (data["body"], data["own"], data["runbooks"]) == ("1. " + HOSTILE, True, [])
    undo = re.search(r'action="(/handbook/pages/\d+/undo)', page.text)
    assert undo is not None
    back = await client.post(undo[1], data={"seen": hidden(page, "seen")})
    assert back.status_code == 303
    assert (await client.get("/handbook/dns.json")).json()["body"] == before.body
    assert (await client.get("/handbook/dns.json")).json()["own"] is False
    assert [kind for kind, _ in await facts(database, desk.workspace)] == ["handbook.changed"] * 2
    assert all(isinstance(each, int) for _, data in await facts(database, desk.workspace) for each in data.values())


async def test_a_stale_edit_is_refused_and_keeps_what_was_typed(client: httpx.AsyncClient, desk: Desk) -> None:
    before = shipped()["dns", "en"].text
    was = loaded(title=before.title, body=before.body, topics="dns", runbooks="diagnose_site")
    assert (await client.post("/handbook/dns/edit", data=was | edited("1. First"))).status_code == 303
    late = await client.post("/handbook/dns/edit", data=was | edited("1. Second"))
    assert late.status_code == 409
    assert "1. Second" in late.text
    assert "First" in late.text
    assert (await client.get("/handbook/dns.json")).json()["body"] == "1. First"
    for action in ("checked", "remove", "as-shipped"):
        assert (await client.post(f"/handbook/dns/{action}", data={"seen": "0" * 16})).status_code == 409


async def test_a_preview_stores_nothing(client: httpx.AsyncClient, desk: Desk, database: Database) -> None:
    sent = edited("## Seen\n\n1. **bold**") | {"preview": "yes"}
    page = await client.post("/handbook/dns/edit", data=sent)
    assert page.status_code == 200
    assert "<strong>bold</strong>" in page.text
    assert "Nothing is stored yet." in page.text
    new = await client.post("/handbook/new", data=sent | {"slug": "x", "language": "en"})
    assert "<strong>bold</strong>" in new.text
    assert await facts(database, desk.workspace) == []


async def test_a_page_is_made_and_taken_away_again(client: httpx.AsyncClient, desk: Desk) -> None:
    sent = edited("Text", "Été") | {"slug": "my-page", "language": "fr", "topics": "ssl"}
    made = await client.post("/handbook/new", data=sent)
    assert made.status_code == 303
    page = await client.get(made.headers["location"])
    assert "The page is in the handbook." in page.text
    again = await client.post("/handbook/new", data=sent)
    assert again.status_code == 422
    assert "already" in again.text
    undo = re.search(r'action="(/handbook/pages/\d+/undo)', page.text)
    assert undo is not None
    assert (await client.post(undo[1], data={"seen": hidden(page, "seen")})).status_code == 303
    assert (await client.get("/handbook/my-page")).status_code == 404


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"slug": "../x"}, "no address"), ({"slug": "import"}, "no address"), ({"title": ""}, "is missing"),
        ({"body": ""}, "is missing"), ({"runbooks": "rm -rf"}, "Name runbooks"),
        ({"language": "de"}, "choose one of the list"),
        ({"topics": "nothing"}, "choose from the list"), ({"title": "a\u0007b"}, "cannot be seen"),
    ],
)  # fmt: skip
async def test_what_cannot_be_a_page_is_refused_and_kept(
    client: httpx.AsyncClient, desk: Desk, changed: dict[str, str], said: str
) -> None:
    sent = edited("Kept text") | {"slug": "x", "language": "en"} | changed
    answer = await client.post("/handbook/new", data=sent)
    assert answer.status_code == 422
    assert said in answer.text
    assert "Kept text" in answer.text or not sent["body"]


async def test_a_long_french_page_can_be_sent(client: httpx.AsyncClient, desk: Desk) -> None:
    sent = edited("é" * 100_000, "Titre\u202f: long") | {"slug": "long", "language": "fr"}
    assert (await client.post("/handbook/new", data=sent)).status_code == 303
    assert (await client.post("/handbook/new", data=sent | {"body": "é" * 100_001, "slug": "b"})).status_code == 422


async def test_a_page_is_checked_and_the_check_taken_back(enter: Enter, desk: Desk, database: Database) -> None:
    author = await enter(Role.AUTHOR)
    sent = {"seen": await version(author)}
    answer = await author.post("/handbook/dns/checked", data=sent)
    page = await author.get(answer.headers["location"])
    assert "Checked: this page is right" in page.text
    data = (await author.get("/handbook/dns.json")).json()
    assert (data["checked_by"], data["checked_at"], data["own"]) == ("Author", NOW.isoformat(), False)
    taken = re.search(r'action="(/handbook/pages/\d+/unchecked)', page.text)
    assert taken is not None
    assert (await author.post(taken[1])).status_code == 303
    data = (await author.get("/handbook/dns.json")).json()
    assert (data["checked_by"], data["checked_at"][:10]) == (None, "2026-11-20")
    assert (await author.post(taken[1])).status_code == 409
    assert [kind for kind, _ in await facts(database, desk.workspace)] == ["handbook.checked"] * 2


async def test_somebody_elses_check_cannot_be_taken_back(enter: Enter, desk: Desk) -> None:
    author, lead = await enter(Role.AUTHOR), await enter(Role.LEAD)
    answer = await author.post("/handbook/dns/checked", data={"seen": await version(author)})
    number = answer.headers["location"].rpartition(".")[2]
    assert (await lead.post(f"/handbook/pages/{number}/unchecked")).status_code == 409


async def test_a_page_is_removed_and_put_back(client: httpx.AsyncClient, desk: Desk) -> None:
    gone = await client.post("/handbook/dns/remove", data={"seen": await version(client)})
    page = await client.get(gone.headers["location"])
    assert "is removed" in page.text
    assert (await client.get("/handbook/dns?in=en")).text.count("There is no page in your language") == 1
    back = re.search(r'action="(/handbook/pages/\d+/back)', page.text)
    assert back is not None
    assert (await client.post(back[1])).status_code == 303
    assert (await client.get("/handbook/dns.json")).json()["language"] == "en"
    assert (await client.post(back[1])).status_code == 409
    assert "is removed" not in (await client.get(gone.headers["location"])).text


async def test_the_shipped_text_comes_back_and_ours_again(client: httpx.AsyncClient, desk: Desk) -> None:
    await client.post("/handbook/dns/edit", data=edited("1. Ours"))
    answer = await client.post("/handbook/dns/as-shipped", data={"seen": await version(client)})
    page = await client.get(answer.headers["location"])
    assert (await client.get("/handbook/dns.json")).json()["own"] is False
    undo = re.search(r'action="(/handbook/pages/\d+/undo)', page.text)
    assert undo is not None
    assert (await client.post(undo[1], data={"seen": hidden(page, "seen")})).status_code == 303
    assert (await client.get("/handbook/dns.json")).json()["body"] == "1. Ours"


async def test_who_may_not_change_it_is_offered_nothing(enter: Enter, desk: Desk) -> None:
    engineer = await enter(Role.ENGINEER)
    page = await engineer.get("/handbook/dns")
    for offered in ("/handbook/dns/edit", "/handbook/dns/checked", "/handbook/dns/remove"):
        assert offered not in page.text
    assert "/handbook/import" not in (await engineer.get("/handbook")).text
    assert (await engineer.post("/handbook/dns/checked", data={"seen": await version(engineer)})).status_code == 403
    assert (await engineer.get("/handbook/new")).status_code == 403


async def test_a_workspace_sees_its_own_pages_alone(
    desk: Desk, database: Database, make_workspace: Callable[..., Awaitable[WorkspaceId]]
) -> None:
    other = await make_workspace("other")
    async with database.transaction(desk.workspace) as conn:
        number = await book(conn, desk.workspace).create(("ours", "en"), Text("Ours", "zinzolin"))
    async with database.transaction(other) as conn:
        assert ("ours", "en") not in await read_pages(conn, other)
        assert await find(conn, other, "zinzolin", "en") == []
        with pytest.raises(HandbookError):
            await book(conn, other).put_back(number)


async def test_the_audit_tells_of_it(client: httpx.AsyncClient, desk: Desk) -> None:
    await client.post("/handbook/dns/checked", data={"seen": await version(client)})
    assert "Checked page" in (await client.get("/audit")).text


# Importing


async def test_an_import_shows_what_it_would_do_and_then_does_it(
    client: httpx.AsyncClient, desk: Desk, database: Database
) -> None:
    files = archive(
        **{"a.md": "# A\n[b](fr/b.md)", "fr/b.md": "# Bé\ntopics", "bad.md": "no title", "dns.md": "# DNS, ours"}
    )
    shown = await client.post("/handbook/import", files={"archive": ("wiki.zip", files)}, data={"language": "en"})
    assert shown.status_code == 200
    assert "Import 3 pages" in shown.text
    assert "It has neither a title nor a heading." in shown.text
    assert await facts(database, desk.workspace) == []
    sent = {name: hidden(shown, name) for name in ("carried", "agreed", "language")}
    done = await client.post("/handbook/import", files={"none": ("", b"")}, data=sent)
    assert done.status_code == 303, done.text
    assert "3 pages are imported." in (await client.get(done.headers["location"])).text
    assert (await client.get("/handbook/a.json")).json()["source"] == "a.md"
    assert "/handbook/b" in (await client.get("/handbook/a")).text
    assert (await client.get("/handbook/dns.json")).json()["title"] == "DNS, ours"
    assert (await facts(database, desk.workspace))[-1] == ("handbook.imported", {"count": 3})
    again = await client.post("/handbook/import.json", files={"archive": ("wiki.zip", files)})
    assert again.json()["counts"] == {"unchanged": 3, "refused": 1}


async def test_an_import_that_somebody_overtook_is_shown_again(client: httpx.AsyncClient, desk: Desk) -> None:
    files = archive(**{"dns.md": "# DNS, ours"})
    shown = await client.post("/handbook/import", files={"archive": ("wiki.zip", files)})
    await client.post("/handbook/dns/edit", data=edited("1. Faster"))
    sent = {name: hidden(shown, name) for name in ("carried", "agreed", "language")}
    late = await client.post("/handbook/import", files={"none": ("", b"")}, data=sent)
    assert late.status_code == 409
    assert "The handbook changed meanwhile" in late.text
    assert (await client.get("/handbook/dns.json")).json()["body"] == "1. Faster"


@pytest.mark.parametrize("sent", [b"", b"no zip", archive(**{"a.txt": "x"})])
async def test_what_cannot_be_imported_is_refused(client: httpx.AsyncClient, desk: Desk, sent: bytes) -> None:
    answer = await client.post("/handbook/import", files={"archive": ("wiki.zip", sent)})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


@pytest.mark.parametrize("carried", ["x", "eJw=", "eJyrrgUAAXUA+Q==", "AAAA"])
async def test_what_is_carried_along_is_not_believed(client: httpx.AsyncClient, desk: Desk, carried: str) -> None:
    answer = await client.post("/handbook/import", data={"carried": carried, "agreed": "x"})
    assert answer.status_code == 422


# Searching


async def test_words_are_found_with_or_without_accents(client: httpx.AsyncClient, desk: Desk) -> None:
    for query in ("réinitialiser", "reinitialiser", "RÉINITIALISER"):
        hits = (await client.get("/handbook/search.json", params={"q": query, "lang": "fr"})).json()["hits"]
        assert "reset-wordpress" in [each["slug"] for each in hits]
        assert not any(each["elsewhere"] for each in hits)
    page = await client.get("/handbook/search", params={"q": "certificat expiré", "lang": "fr"})
    assert "<mark>certificat" in page.text.lower()


async def test_the_title_weighs_more_and_the_last_word_may_be_begun(client: httpx.AsyncClient, desk: Desk) -> None:
    first = (await client.get("/handbook/search.json", params={"q": "set up red"})).json()["hits"][0]
    assert first["slug"] == "set-up-redis"
    assert any(part["marked"] for part in first["snippet"])
    assert (await client.get("/handbook/search.json", params={"q": "permis"})).json()["hits"][0][
        "slug"
    ] == "fix-permissions"


async def test_the_readers_language_comes_first_and_the_other_is_said_so(
    client: httpx.AsyncClient, desk: Desk, database: Database
) -> None:
    async with database.transaction(desk.workspace) as conn:
        await book(conn, desk.workspace).create(("gris", "fr"), Text("Le zinzolin", "Une couleur: zinzolin."))
        await book(conn, desk.workspace).create(("grey", "en"), Text("Colours", "One is zinzolin."))
    hits = (await client.get("/handbook/search.json", params={"q": "zinzolin", "lang": "en"})).json()["hits"]
    assert [(each["slug"], each["elsewhere"]) for each in hits] == [("grey", False), ("gris", True)]
    assert "Français" in (await client.get("/handbook/search", params={"q": "zinzolin", "lang": "en"})).text
    everywhere = (await client.get("/search.json", params={"q": "zinzolin"})).json()["groups"]
    [group] = [each for each in everywhere if each["kind"] == "handbook"]
    assert len(group["hits"]) == 2


async def test_a_page_written_here_hides_the_shipped_one_and_a_removed_one_is_not_found(
    client: httpx.AsyncClient, desk: Desk, database: Database
) -> None:
    async def slugs(query: str) -> list[str]:
        return [
            each["slug"]
            for each in (await client.get("/handbook/search.json", params={"q": query, "lang": "en"})).json()["hits"]
        ]

    assert "dns" in await slugs("propagated")
    await client.post("/handbook/dns/edit", data=edited("Quite another text"))
    assert "dns" not in await slugs("propagated")
    assert await slugs("quite another text") == ["dns"]
    await client.post("/handbook/dns/remove", data={"seen": await version(client)})
    assert await slugs("quite another text") == []


@pytest.mark.parametrize("query", ["", "' OR 1=1 --", "a:*b & !", "\\", "(((", "the", "é" * 200, HOSTILE, "\u0000x"])
async def test_odd_queries_find_nothing_bad(client: httpx.AsyncClient, desk: Desk, query: str) -> None:
    answer = await client.get("/handbook/search", params={"q": query})
    assert answer.status_code == 200
    assert "<img src=x" not in answer.text


async def test_a_search_of_500_pages_answers_at_once(desk: Desk, database: Database, superuser_url: str) -> None:
    words = [text.text.body for text in shipped().values()]
    async with database.transaction(desk.workspace) as conn:
        for number in range(500):
            text = Text(f"Page {number}", words[number % len(words)], ("dns",))
            await book(conn, desk.workspace).take_in(
                (f"page-{number}", "en" if number % 2 else "fr"), text, f"{number}.md"
            )
    with psycopg.connect(superuser_url, autocommit=True) as conn:
        conn.execute("ANALYZE handbook_page")
    took: list[float] = []
    async with database.transaction(desk.workspace) as conn:
        assert len(await find(conn, desk.workspace, "redis cache", "en")) == 30
        for query in ("redis cache", "certificat expiré", "wp search-repl", "the site"):
            for _ in range(5):
                began = time.perf_counter()
                await find(conn, desk.workspace, query, "en")
                took.append(time.perf_counter() - began)
    print(json.dumps({"search_ms": round(statistics.median(took) * 1000, 1), "worst_ms": round(max(took) * 1000, 1)}))
    assert statistics.median(took) < 0.05


# Conversations


async def test_a_conversation_shows_the_pages_and_runbooks_of_its_topic(client: httpx.AsyncClient, desk: Desk) -> None:
    known = {conversation.topic: id for id, conversation in desk.known.items()}
    number = known["caching"]
    data = (await client.get(f"/toolbox/for/{number}.json")).json()
    assert data["topic"]["id"] == "caching"
    assert data["pages"][0]["slug"] == "caching"
    assert {each["slug"] for each in data["pages"]} == {"caching", "set-up-redis", "clear-caches"}
    assert all(each["href"].endswith(f"?conversation={number}") for each in data["pages"] + data["buttons"])
    whole = await client.get(f"/toolbox/for/{number}")
    part = await client.get(f"/toolbox/for/{number}", headers={"HX-Request": "true"})
    assert "<h1>" in whole.text
    assert "<h1>" not in part.text
    assert "/handbook/set-up-redis" in part.text
    page = await client.get(data["pages"][1]["href"])
    assert f"conversation={number}" in page.text
    conversation = await client.get(f"/conversations/{number}")
    assert f'hx-get="/toolbox/for/{number}"' in conversation.text
    assert (await client.get("/toolbox/for/999999")).status_code == 404
    assert (await client.get(f"/toolbox/for/{10**30}")).status_code == 404
