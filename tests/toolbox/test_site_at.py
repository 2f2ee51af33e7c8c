"""What the companion asks of the registry: the names of all sites, and what is at a host name."""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from engine import Engine

from signing_in import Clock, browsers
from steelyard.kit.ids import ConversationId, WorkspaceId
from steelyard.main.ground import ledger
from steelyard.people.members import join, person_of_address
from steelyard.people.permissions import Permission as P
from steelyard.people.permissions import Role
from steelyard.people.tokens import make_token
from steelyard.store.database import Database
from steelyard.toolbox.acts import Request
from steelyard.toolbox.registry import NewHost, NewSite, add_host, add_site
from steelyard.toolbox.rules import Rule
from steelyard.toolbox.rules_store import Safety, change_rules
from steelyard.web.static import read_static

MANY = 20_000
COMPANION = (P.SEE_DESK, P.SEE_TOOLBOX, P.RUN_READS, P.RUN_PLANS, P.SET_OWN_AWAY)
Program = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def program(database: Database, engine: Engine, keys: Path) -> AsyncIterator[Program]:
    """A program with a companion's token of somebody's, in the engine's workspace or another one."""
    clock = Clock()
    async with browsers(database, read_static(), keys, clock, "10.1.2.3", open_to_loopback=False) as make:

        async def made(
            role: Role = Role.ENGINEER, *scopes: P, at: WorkspaceId | None = None, **headers: str
        ) -> httpx.AsyncClient:
            workspace, asks = at or engine.workspace, scopes or COMPANION
            async with database.transaction(workspace) as conn:
                person = await person_of_address(conn, f"{role}@example.com", role.title())
                await join(conn, ledger(), workspace, person, (role,), clock.now)
                life = timedelta(days=7)
                _, token = await make_token(conn, workspace, person, "Companion", asks, life, clock.now)
            return make(headers={"Authorization": f"Bearer {token}", **headers})

        yield made


async def sites(database: Database, workspace: WorkspaceId, *names: tuple[str, str]) -> list[int]:
    """Sites of these names and addresses, on one host."""
    async with database.transaction(workspace) as conn:
        now = Clock().now
        host = await add_host(conn, workspace, NewHost(f"on-{names[0][0]}", "127.0.0.1", "support", local=True), now)
        return [
            int(await add_site(conn, workspace, NewSite(name, host, "/srv/x", "x", url), now)) for name, url in names
        ]


async def at(client: httpx.AsyncClient, host: str) -> dict[str, Any]:
    answer = await client.get("/sites/at.json", params={"host": host})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_all_names_and_whether_they_are_still_the_same(
    engine: Engine, database: Database, program: Program
) -> None:
    await sites(database, engine.workspace, ("store.example", "https://www.store.test:8443/en"))
    client = await program()
    answer = await client.get("/sites/names.json")
    assert answer.json() == {
        "names": sorted(
            f"{www}{name}" for www in ("", "www.") for name in ("shop.example", "store.example", "store.test")
        )
    }
    tag = answer.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}'):
        same = await client.get("/sites/names.json", headers={"If-None-Match": known})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    async with database.transaction(engine.workspace) as conn:
        await conn.execute("UPDATE site SET removed_at = now() WHERE name = 'shop.example'")
    changed = await client.get("/sites/names.json", headers={"If-None-Match": tag})
    assert (changed.status_code, "shop.example" in changed.json()["names"]) == (200, False)


async def test_every_name_leads_to_its_site(engine: Engine, database: Database, program: Program) -> None:
    pairs = [
        ("a.example", "https://a.example"),
        ("www.b.example", "https://b.example/en"),
        ("c.example", "http://c.test:8080"),
        ("c.test", "https://c.test"),
        ("xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("d.example", "https://d.test:8443/fr"),
    ]
    numbers = dict(zip((name for name, _ in pairs), await sites(database, engine.workspace, *pairs), strict=True))
    client = await program()
    named = (await client.get("/sites/names.json")).json()["names"]
    for name in named:
        assert (await at(client, name))["site"], name
    for host, name in (
        ("WWW.A.example.:443", "a.example"),
        ("b.example", "www.b.example"),
        ("c.test", "c.test"),
        ("www.c.test", "c.test"),
        ("d.test", "d.example"),
        ("www.d.test", "d.example"),
        ("bücher.example", "xn--bcher-kva.example"),
    ):
        found = await at(client, host)
        assert (found["site"]["site"], found["site"]["name"]) == (numbers[name], name), host


@pytest.mark.parametrize(
    "host", ["x.a.example", "a.example.evil.test", "example", "aa.example", "a.exampl", "_.example", "a_example", "%"]
)
async def test_what_only_looks_like_a_site_is_none(
    engine: Engine, database: Database, program: Program, host: str
) -> None:
    await sites(database, engine.workspace, ("a.example", "https://a.example"))
    answer = await (await program()).get("/sites/at.json", params={"host": host})
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        assert answer.json() == {"host": host, "site": None, "runs": [], "runbooks": [], "handbook": []}


@pytest.mark.parametrize(
    "host", ["", "a@shop.example", "shop.example/x", "\0", "' OR 1=1 --", "<script>", "x" * 5000, "shop.example\n"]
)
async def test_what_is_no_host_is_refused(program: Program, host: str) -> None:
    answer = await (await program()).get("/sites/at.json", params={"host": host})
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, 400)


async def test_what_there_is_for_an_engineer_at_a_site(engine: Engine, program: Program) -> None:
    asked = Request("set_motto", [engine.sites["shop.example"]], {"text": "new"}, conversation=ConversationId(7))
    run = await engine.acts.ask(engine.here, asked)
    await engine.settle()
    async with engine.database.transaction(engine.workspace) as conn:
        facts = '{"wordpress": {"version": "6.6"}, "php": {"version": "8.2.1"}, "findings": []}'
        await conn.execute("UPDATE site SET facts = %s, checked_at = now()", [facts])
    found = await at(await program(), "shop.example")
    assert (found["site"]["name"], found["site"]["host"]) == ("shop.example", "here")
    assert found["site"]["facts"] == {"state": "ok", "says": "All there", "wordpress": "6.6", "php": "8.2.1"}
    assert found["site"]["href"].startswith(f"/sites/{engine.sites['shop.example']}")
    (seen,) = found["runs"]
    assert (seen["run"], seen["runbook"], seen["state"], seen["person"]) == (run, "set_motto", "planned", None)
    offered = {each["name"]: each for each in found["runbooks"]}
    assert all(each["may"] and each["why_not"] is None for each in offered.values())
    assert offered["reset_wordpress"]["risk"] == "destroys"
    assert f"site={engine.sites['shop.example']}" in offered["reset_wordpress"]["href"]
    assert all(page["href"].startswith("/handbook/") for page in found["handbook"])
    assert found["handbook"]


async def test_in_the_askers_language(engine: Engine, program: Program) -> None:
    await engine.acts.ask(engine.here, Request("diagnose_site", [engine.sites["shop.example"]], {}))
    english = await at(await program(), "shop.example")
    french = await at(await program(**{"Accept-Language": "fr-FR,fr;q=0.9"}), "shop.example")
    assert french["runs"][0]["title"] != english["runs"][0]["title"] == "Diagnose the site"
    for one, other in zip(english["runbooks"], french["runbooks"], strict=True):
        assert (one["name"], one["title"] != other["title"]) == (other["name"], True)
    labels = [
        [each["label"] for book in found["runbooks"] for each in book["parameters"]] for found in (english, french)
    ]
    assert labels[0] != labels[1]


async def test_what_one_may_not_says_why(engine: Engine, program: Program) -> None:
    await engine.rows("UPDATE site SET site_group = 'vip' RETURNING 1")
    rules = [Rule("vip", Role.ENGINEER, "reads")]
    await change_rules(engine.database, engine.acts.ledger, engine.here, rules, Safety(), engine.clock)

    async def said(*asker: Any) -> dict[str, str | None]:
        offered = (await at(await program(*asker), "shop.example"))["runbooks"]
        assert all(each["may"] is (each["why_not"] is None) for each in offered)
        return {each["risk"]: each["why_not"] for each in offered}

    engineer, author = await said(), await said(Role.AUTHOR)
    assert (engineer["reads"], "rule of this workspace" in str(engineer["destroys"])) == (None, True)
    assert "roles do not allow" in str(author["changes"])
    before = await said(Role.LEAD, P.SEE_TOOLBOX, P.RUN_READS)
    assert (before["reads"], "API token" in str(before["changes"])) == (None, True)
    refused = await (await program(Role.LEAD, P.SEE_DESK)).get("/sites/at.json", params={"host": "shop.example"})
    assert (refused.status_code, refused.json()["error"]["status"]) == (403, 403)


async def test_no_workspace_sees_anothers_sites(
    engine: Engine, program: Program, make_workspace: Callable[..., Awaitable[WorkspaceId]]
) -> None:
    await engine.done("set_motto", text="new")
    other = await make_workspace("other")
    client = await program(at=other)
    assert (await client.get("/sites/names.json")).json() == {"names": []}
    assert (await at(client, "shop.example"))["site"] is None
    for path in ("/sites/names.json", "/sites/at.json"):
        wanted = {"workspace": engine.workspace, "host": "shop.example"}
        assert (await client.get(path, params=wanted)).status_code == 404


async def test_twenty_thousand_sites_are_asked_as_fast_as_few(
    engine: Engine, database: Database, program: Program
) -> None:
    """One host costs little more than what needs no site; all names cost no more than the table of all sites."""
    async with database.transaction(engine.workspace) as conn:
        await conn.execute(
            "INSERT INTO site (workspace, host, name, url, docroot, account, facts, added_at)"
            " SELECT %s, host, 's' || n || '.example', 'https://s' || n || '.example', '/srv/x', 'x',"
            " jsonb_build_object('findings', repeat('x', 500)), now() FROM host, generate_series(1, %s) AS n",
            [engine.workspace, MANY],
        )
        await conn.execute("ANALYZE site")
    client = await program()
    names = (await client.get("/sites/names.json")).json()["names"]
    assert len(names) == 2 * (MANY + 1)

    async def took(path: str, **params: str) -> float:
        begun = time.perf_counter()
        assert (await client.get(path, params=params)).status_code == 200
        return time.perf_counter() - begun

    rounds = [
        (
            await took("/sites/at.json", host=f"s{n}000.example"),
            await took("/sites/at.json", host=f"not{n}.example"),
            await took("/sites/names.json"),
            await took("/runbooks.json"),
            await took("/sites.json"),
        )
        for n in range(1, 6)
    ]
    at_host, nowhere, all_names, small, table = map(statistics.median, zip(*rounds, strict=True))
    print(f"at {at_host:.4f} nowhere {nowhere:.4f} names {all_names:.4f} small {small:.4f} table {table:.4f}")
    assert at_host < 20 * small
    assert nowhere < 20 * small
    assert all_names < table
