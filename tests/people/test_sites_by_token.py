"""The registry of sites over HTTP with an API token: all that people do with it, as far as the token says."""

from __future__ import annotations

import pytest

from signing_in import MakeClient
from steelyard.people.permissions import Permission
from steelyard.toolbox.registry import add_host
from steelyard.toolbox.registry_rows import NewHost
from town import Town

NEW = {"name": "shop.example", "host": "web1", "docroot": "/srv/shop", "account": "shop"}


@pytest.fixture
async def host(town: Town) -> None:
    async with town.database.transaction(town.home) as conn:
        await add_host(conn, town.home, NewHost("web1", "localhost", "support", local=True), town.clock.now)


@pytest.mark.usefixtures("host")
async def test_a_token_adds_changes_removes_and_puts_sites_back(make_client: MakeClient, town: Town) -> None:
    token, client = (
        await town.token("operator", Permission.SEE_TOOLBOX, Permission.CHANGE_SITES),
        make_client(headers={}),
    )
    ask = token | {"accept": "application/json"}
    made = await client.post("/sites", json=NEW, headers=ask)
    assert made.status_code == 201
    site = f"/sites/{made.json()['site']}"
    assert (await client.post(site, json=NEW | {"group": "vip"}, headers=ask)).status_code == 200
    assert (await client.get(f"{site}.json", headers=ask)).json()["group"] == "vip"
    assert [row["name"] for row in (await client.get("/sites.json", headers=ask)).json()["rows"]] == ["shop.example"]
    assert (await client.post(f"{site}/remove", headers=ask)).json() == {"done": "removed"}
    assert (await client.post(f"{site}/back", headers=ask)).json() == {"done": "back"}
    assert (await client.post("/sites/import", json=[NEW], headers=ask)).json()["changed"] == ["shop.example"]
    assert [row["name"] for row in (await client.get("/hosts.json", headers=ask)).json()["rows"]] == ["web1"]
    assert {person for _, person, _ in town.facts("site.added")} == {town.people["operator"]}


@pytest.mark.usefixtures("host")
async def test_what_is_refused_says_why_to_a_program(make_client: MakeClient, town: Town) -> None:
    ask = await town.token("operator", Permission.SEE_TOOLBOX, Permission.CHANGE_SITES) | {"accept": "application/json"}
    client = make_client(headers={})
    site = (await client.post("/sites", json=NEW, headers=ask)).json()["site"]
    async with town.database.transaction(town.home) as conn:
        await conn.execute(
            "INSERT INTO run (workspace, token, runbook, digest, risk, site, params, state, minutes, asked_at)"
            " VALUES (%s, '0a1b2c3d', 'x', '', 'changes', %s, '{}', 'running', 1, now())",
            [town.home, site],
        )
    for path, sent in ((f"/sites/{site}/remove", {}), (f"/sites/{site}", NEW | {"docroot": "/srv/elsewhere"})):
        answer = await client.post(path, json=sent, headers=ask)
        assert (answer.status_code // 100, "Run 1" in answer.text) == (4, True)
    assert (await client.post(f"/sites/{site}/remove", headers=ask)).json()["error"]["code"] == "at_work"


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("scopes", [[Permission.SEE_TOOLBOX], [Permission.RUN_DESTROYS]])
async def test_a_token_without_the_permission_changes_nothing(
    make_client: MakeClient, town: Town, scopes: list[Permission]
) -> None:
    ask = await town.token("administrator", *scopes) | {"accept": "application/json"}
    client = make_client(headers={})
    for path in ("/sites", "/sites/import", "/sites/1/remove"):
        assert (await client.post(path, json=NEW, headers=ask)).status_code == 403
    assert town.facts("site.added") == []
    assert (await client.post("/hosts", json={"name": "web2"}, headers=ask)).status_code in (
        403,
        404,
        405,
    )  # nobody may
