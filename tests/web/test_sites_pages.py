"""The pages of sites and hosts: forms that keep what was typed, imports seen before they are done, programs too."""

from __future__ import annotations

import json
from html import unescape
from typing import Any

import httpx
import pytest

from desk_seed import NOW
from signing_in import MakeClient, MakeWorkspace
from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Database
from steelyard.store.keys import WORKER, Keys, add_key, key_file
from steelyard.toolbox.checks import Finding, stored
from steelyard.toolbox.keys import make_key
from steelyard.toolbox.model import SiteId
from steelyard.toolbox.registry import add_host, add_site, write_checked
from steelyard.toolbox.registry_rows import NewHost, NewSite
from steelyard.web.said import N_, Said

HOSTILE = "<script>alert(1)</script>"
FORM = {"name": "blog.example", "docroot": "/srv/blog", "account": "blog", "url": "", "group": "", "hints": ""}


class Office:
    """A workspace with one host and one site, and a browser that may do everything."""

    def __init__(
        self, database: Database, workspace: WorkspaceId, client: httpx.AsyncClient, host: int, site: int
    ) -> None:
        self.database, self.workspace, self.client, self.host, self.site = database, workspace, client, host, site

    async def facts(self) -> list[str]:
        async with self.database.transaction(self.workspace) as conn:
            rows = await (
                await conn.execute(
                    "SELECT kind FROM ledger WHERE kind LIKE 'site.%%' OR kind LIKE 'host.%%' ORDER BY position"
                )
            ).fetchall()
        return [kind for (kind,) in rows]

    async def text(self, path: str) -> str:
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        return unescape(answer.text)


@pytest.fixture
async def office(database: Database, make_workspace: MakeWorkspace, make_client: MakeClient, tmp_path: Any) -> Office:
    workspace = await make_workspace()
    add_key(key_file(tmp_path, WORKER))
    async with database.transaction(workspace) as conn:
        key = await make_key(conn, workspace, "main", Keys(key_file(tmp_path, WORKER)), NOW)
        pinned = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFxAo6TdHcXwNDn3u2vJ5ZqGf3M7yLhRr1vB0bN8m0Qd"
        host = await add_host(
            conn, workspace, NewHost("web1", "web1.example", "support", host_key=pinned, key=key.key), NOW
        )
        new = NewSite("shop.example", host, "/srv/shop", "shop", "https://shop.example", "vip")
        site = await add_site(conn, workspace, new, NOW)
    return Office(database, workspace, make_client(), host, site)


async def test_the_list_filters_and_is_data(office: Office) -> None:
    page = await office.text("/sites")
    assert "shop.example" in page
    assert "Not checked yet" in page
    assert (await office.client.get("/sites.json?group=vip")).json()["rows"][0]["name"] == "shop.example"
    assert (await office.client.get("/sites.json?name=nothing")).json()["rows"] == []
    assert "shop.example,web1,/srv/shop" in (await office.client.get("/sites.csv")).text
    hosts = (await office.client.get("/hosts.json")).json()["rows"]
    assert (hosts[0]["name"], hosts[0]["sites"]) == ("web1", 1)
    assert hosts[0]["fingerprint"].startswith("SHA256:")


async def test_a_site_is_added_changed_removed_and_put_back(office: Office) -> None:
    made = await office.client.post("/sites", data=FORM | {"host": str(office.host)})
    assert made.status_code == 303
    path = made.headers["location"].partition("?")[0]
    assert "blog.example is in the registry." in await office.text(made.headers["location"])
    loaded = {"loaded": "yes", "was.name": "blog.example", "was.host": str(office.host), "was.docroot": "/srv/blog",
              "was.account": "blog", "was.url": "https://blog.example"}  # fmt: skip
    changed = await office.client.post(path, data=FORM | {"host": str(office.host), "docroot": "/srv/new", **loaded})
    assert changed.status_code == 303, changed.text
    assert (await office.client.get(f"{path}.json")).json()["docroot"] == "/srv/new"
    stale = await office.client.post(path, data=FORM | {"host": str(office.host), "docroot": "/srv/mine", **loaded})
    assert stale.status_code == 409
    assert "/srv/new" in stale.text
    removed = await office.client.post(f"{path}/remove")
    listed = await office.text(removed.headers["location"])
    assert "blog.example is not in the registry any more" in listed
    assert f'action="{path}/back' in listed
    assert "blog.example" not in json.dumps((await office.client.get("/sites.json")).json())
    assert "Put blog.example back" in await office.text(path)  # history stays
    assert (await office.client.post(path, data=FORM)).status_code == 404
    assert (await office.client.post(f"{path}/back")).status_code == 303
    assert (await office.client.post(f"{path}/back")).status_code == 409
    assert await office.facts() == ["site.added", "site.changed", "site.removed", "site.added"]


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("name", HOSTILE, "is no domain"),
        ("name", "shop.example", "is here already"),
        ("docroot", "srv/../etc", "is no path"),
        ("account", "root", "Nothing here works as root"),
        ("url", "javascript:alert(1)", "is no address of a site"),
        ("hints", '{"nothing": 1}', "There is no hint “nothing”"),
        ("host", "999", "choose one of the list"),
    ],
)
async def test_what_cannot_be_is_refused_and_kept(office: Office, field: str, typed: str, words: str) -> None:
    answer = await office.client.post("/sites", data=FORM | {"host": str(office.host), field: typed})
    assert answer.status_code == 422
    assert words in unescape(answer.text)
    assert HOSTILE not in answer.text
    assert "/srv/blog" in answer.text or field == "docroot"
    assert await office.facts() == []


async def test_an_import_is_seen_before_it_is_done(office: Office) -> None:
    text = "name,host,docroot,account\nblog.example,web1,/srv/blog,blog\nshop.example,web1,/srv/new,shop\n"
    seen = await office.client.post("/sites/import", data={"text": text})
    assert seen.status_code == 200
    assert "Take in 2 sites" in seen.text
    assert await office.facts() == []
    done = await office.client.post("/sites/import", data={"text": text, "sure": "yes"})
    assert done.status_code == 303
    assert await office.facts() == ["site.added", "site.changed"]
    again = await office.client.post("/sites/import", data={"text": text, "sure": "yes"})
    assert (await office.facts()) == ["site.added", "site.changed"]
    assert again.status_code == 303
    bad = text + f"{HOSTILE},web1,/srv/x,x\n"
    refused = await office.client.post("/sites/import", data={"text": bad, "sure": "yes"})
    assert refused.status_code == 422
    assert "Line 4:" in refused.text
    assert HOSTILE not in refused.text
    assert "&lt;script&gt;" in refused.text  # what was typed is kept
    partly = await office.client.post("/sites/import", data={"text": bad, "partly": "on"})
    assert "All of them are here" not in partly.text
    assert partly.status_code == 200


async def test_programs_add_and_import_with_json(office: Office) -> None:
    sent = {"accept": "application/json"}
    new = {"name": "api.example", "host": "web1", "docroot": "/srv/api", "account": "api"}
    made = await office.client.post("/sites", json=new, headers=sent)
    assert made.status_code == 201
    site = made.json()["site"]
    assert (await office.client.get(f"/sites/{site}.json")).json()["host"] == "web1"
    again = await office.client.post("/sites", json=new, headers=sent)
    assert (again.status_code, again.json()["error"]["fields"][0]["field"]) == (409, "name")
    wrong = await office.client.post("/sites", json=new | {"docroot": "x"}, headers=sent)
    assert (wrong.status_code, wrong.json()["error"]["fields"][0]["field"]) == (422, "docroot")
    assert (
        await office.client.post("/sites", content=b"[", headers=sent | {"content-type": "application/json"})
    ).status_code == 409
    listed = await office.client.post("/sites/import", json=[new | {"group": "vip"}, {"name": "odd"}], headers=sent)
    assert listed.status_code == 422
    assert listed.json()["refused"][0]["line"] == 2
    listed = await office.client.post(
        "/sites/import?partly=yes", json=[new | {"group": "vip"}, {"name": "odd"}], headers=sent
    )
    assert (listed.status_code, listed.json()["changed"]) == (200, ["api.example"])
    assert (await office.client.post(f"/sites/{site}/remove", headers=sent)).json() == {"done": "removed"}


async def test_what_a_check_found_is_shown_as_text(office: Office) -> None:
    found = [Finding("docroot", "missing", Said(N_("There is nothing at %(path)s."), {"path": HOSTILE}), None, HOSTILE)]
    async with office.database.transaction(office.workspace) as conn:
        facts = stored(found, wordpress={"version": HOSTILE, "prefix": "wp_", "database": "x"})
        await write_checked(conn, SiteId(office.site), facts, NOW)
    page = await office.client.get(f"/sites/{office.site}")
    assert HOSTILE not in page.text
    assert f"There is nothing at {HOSTILE}." in unescape(page.text)
    assert "Something is missing" in (await office.text("/sites?state=missing"))
    data = (await office.client.get(f"/sites/{office.site}.json")).json()
    assert data["findings"][0]["says"] == f"There is nothing at {HOSTILE}."
    french = await office.client.get(f"/sites/{office.site}?lang=fr")
    assert "Il n’y a rien" in unescape(french.text)


async def test_a_hosts_page_says_what_goes_onto_it_and_nothing_secret(office: Office) -> None:
    page = await office.text(f"/hosts/{office.host}")
    assert "useradd --create-home" in page
    assert "Runas_Alias STEELYARD_SITES = shop" in page
    assert "PRIVATE KEY" not in page
    data = (await office.client.get(f"/hosts/{office.host}.json")).json()
    assert "private" not in json.dumps(data).lower()
    assert data["sites"] == [{"site": office.site, "name": "shop.example"}]
    kept = await office.client.post(
        f"/hosts/{office.host}", data={"loaded": "yes", "hints": '{"php": "/usr/bin/php8.2"}'}
    )
    assert kept.status_code == 303
    assert (await office.client.get(f"/hosts/{office.host}.json")).json()["hints"] == {"php": "/usr/bin/php8.2"}
    refused = await office.client.post(
        f"/hosts/{office.host}", data={"loaded": "yes", "was.hints": '{\n  "php": "/usr/bin/php8.2"\n}', "hints": "{"}
    )
    assert refused.status_code == 422
    assert await office.facts() == ["host.changed"]
    assert "main" in await office.text("/hosts")


async def test_search_finds_sites_and_hosts(office: Office) -> None:
    found = await office.text("/search?q=SHOP")
    assert f'href="/sites/{office.site}"' in found
    assert f'href="/hosts/{office.host}"' in await office.text("/search?q=web1.ex")
    assert f'href="/sites/{office.site}"' not in await office.text("/search?q=s_op")


async def test_what_is_not_there_is_404(office: Office) -> None:
    for path in ("/sites/999", "/sites/999.json", "/hosts/999", "/hosts/999.json"):
        assert (await office.client.get(path)).status_code == 404


async def test_looking_is_pressed_on_the_page_and_shown_until_it_is_answered(office: Office) -> None:
    path = f"/sites/{office.site}"
    assert "Check shop.example now" in await office.text(path)
    assert (await office.client.post(f"{path}/check")).status_code == 303
    page = await office.text(path)
    assert "A worker is looking at shop.example" in page
    assert "Check shop.example now" not in page
    assert 'hx-get="' in page
    assert (await office.client.get(f"{path}.json")).json()["looking"] is True
    host = f"/hosts/{office.host}"
    assert "Find the sites on web1" in await office.text(host)
    assert (await office.client.post(f"{host}/discover")).status_code == 303
    assert "A worker is looking at web1" in await office.text(host)
    assert (await office.client.get(f"{host}.json")).json()["looking"] is True
    assert (await office.client.post("/hosts/999/check")).status_code == 404


async def test_what_was_found_on_a_host_is_text_and_is_added_from_its_page(office: Office) -> None:
    found = {"name": "blog.example", "docroot": f"/srv/{HOSTILE}", "account": "blog", "url": "", "wordpress": None}
    told = {"sites": [found], "closed": ["/root"], "cut": True}
    async with office.database.transaction(office.workspace) as conn:
        await conn.execute(
            "UPDATE host SET found = %s, found_at = %s WHERE host = %s", [json.dumps(told), NOW, office.host]
        )
    raw = (await office.client.get(f"/hosts/{office.host}")).text
    assert HOSTILE not in raw
    assert "Show what adding 1 site would do" in raw
    listed = unescape(raw.split('name="text" value="', 1)[1].split('"', 1)[0])
    seen = await office.client.post("/sites/import", data={"text": listed, "partly": "on"})
    assert seen.status_code == 200
    assert "blog.example" in seen.text
