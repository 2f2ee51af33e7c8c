"""The page of the companion: connecting by a link, disconnecting, and what the team trusts, with the way back."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import httpx
import pytest

from companion_room import Room
from signing_in import MakeClient
from steelyard.people.permissions import Permission
from town import Town


def plain(page: httpx.Response) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text)))


async def test_the_link_leads_to_the_page_with_the_code_behind_the_sign(enter: Any, room: Room) -> None:
    engineer = await enter("engineer")
    answer = await engineer.post("/companion/code")
    assert answer.status_code == 303
    path, _, code = answer.headers["location"].partition("#")
    assert path == "/companion/connect"
    page = await engineer.get(path)
    assert (page.status_code, code in page.text) == (200, False)
    assert (await room.connect(code)).status_code == 201


async def test_the_link_can_be_shown_once_for_another_browser(enter: Any, room: Room) -> None:
    page = await (await enter("engineer")).post("/companion/code", data={"show": "link"})
    found = re.search(r'value="(http://127\.0\.0\.1:8420/companion/connect#([^"]+))"', page.text)
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    assert found is not None
    assert (await room.connect(found[2])).status_code == 201


async def test_the_link_is_of_the_address_under_which_people_open_it(town: Town, make_client: MakeClient) -> None:
    options: Any = {"url": "https://desk.example.com", "base_url": "https://desk.example.com"}
    client = make_client(
        cookies={f"__Host-{name}": text for name, text in (await town.cookies("engineer")).items()}, **options
    )
    page = await client.post("/companion/code", data={"show": "link"})
    assert 'value="https://desk.example.com/companion/connect#' in page.text


async def test_who_asks_with_a_token_makes_no_link(room: Room, town: Town) -> None:
    client = room.make_client(headers=await town.token("administrator", *Permission))
    before = town.everything("api_token")
    assert (await client.post("/companion/code")).status_code == 403
    assert town.everything("api_token") == before


async def test_another_site_makes_no_link_and_trusts_nothing(enter: Any, town: Town) -> None:
    lead = await enter("lead")
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    before = town.everything("session")
    for path in ("/companion/code", "/companion/domains", "/api/companion/trust", "/api/companion/connect"):
        assert (await lead.post(path, headers=foreign, data={"domain": "evil.com"})).status_code == 403
    assert town.everything("session") == before


async def test_browsers_are_listed_and_disconnected(enter: Any, room: Room, town: Town) -> None:
    companion = await room.companion("engineer")
    engineer, lead, administrator = await enter("engineer"), await enter("lead"), await enter("administrator")
    (shown,) = (await engineer.get("/companion.json")).json()["browsers"]
    assert (shown["browser"], shown["owner"]) == ("Chrome on Linux", "Engineer")
    assert (await lead.get("/companion.json")).json()["browsers"] == []
    assert len((await administrator.get("/companion.json")).json()["browsers"]) == 1
    path = f"/companion/browsers/{shown['token']}/revoke"
    assert (await lead.post(path)).status_code == 404
    told = await engineer.post(path)
    assert told.status_code == 303
    assert "The companion in Chrome on Linux is disconnected" in plain(await engineer.get(told.headers["location"]))
    assert (await engineer.post(path)).status_code == 404
    assert (await companion.get("/api/companion/team")).status_code == 401
    ((_, person, data),) = town.facts("token.revoked")
    assert (person, data["token"]) == (town.people["engineer"], shown["token"])


async def test_a_token_that_is_no_companion_is_not_disconnected_here(enter: Any, room: Room, town: Town) -> None:
    await town.token("engineer", Permission.SEE_DESK)
    engineer = await enter("engineer")
    assert (await engineer.get("/companion.json")).json()["browsers"] == []
    assert (await engineer.post("/companion/browsers/1/revoke")).status_code == 404


async def test_a_proposal_is_accepted_and_that_is_undone(enter: Any, room: Room, town: Town) -> None:
    await (await room.companion("engineer")).post("/api/companion/trust", json={"domain": "shop.com"})
    lead = await enter("lead")
    (asked,) = (await lead.get("/companion.json")).json()["proposed"]
    assert (asked["domain"], asked["proposed_by"]) == ("shop.com", "Engineer")
    path = f"/companion/domains/{asked['trust']}"
    told = await lead.post(path, data={"seen": "proposed", "to": "trusted"})
    page = await lead.get(told.headers["location"])
    assert "shop.com is trusted: its links stay clickable" in plain(page)
    assert '<input type="hidden" name="to" value="proposed">' in page.text
    again = await lead.post(path, data={"seen": "proposed", "to": "declined"})
    assert again.status_code == 409
    assert "Somebody decided on “shop.com” meanwhile" in plain(again)
    back = await lead.post(path, data={"seen": "trusted", "to": "proposed"})
    assert back.status_code == 303
    (asked,) = (await lead.get("/companion.json")).json()["proposed"]
    assert (asked["proposed_by"], asked["decided_at"]) == ("Engineer", None)
    kinds = ("proposed", "trusted", "proposed")
    assert [len(town.facts(f"companion.domain_{kind}")) for kind in ("proposed", "trusted", "declined")] == [2, 1, 0], (
        kinds
    )


async def test_an_engineer_proposes_and_decides_nothing(enter: Any, town: Town) -> None:
    engineer = await enter("engineer")
    told = await engineer.post("/companion/domains", data={"domain": "shop.com"})
    assert "shop.com is proposed. A lead decides." in plain(await engineer.get(told.headers["location"]))
    page = await engineer.get("/companion")
    assert "Propose this domain" in page.text
    assert "Trust shop.com" not in page.text
    refused = await engineer.post("/companion/domains/1", data={"seen": "proposed", "to": "trusted"})
    assert refused.status_code == 403


async def test_a_lead_adds_and_removes_with_the_way_back(enter: Any) -> None:
    lead = await enter("lead")
    told = await lead.post("/companion/domains", data={"domain": "Ours.Example.com"})
    page = await lead.get(told.headers["location"])
    assert "ours.example.com is trusted" in plain(page)
    again = await lead.post("/companion/domains", data={"domain": "ours.example.com"})
    assert "ours.example.com is trusted already" in plain(await lead.get(again.headers["location"]))
    (known,) = (await lead.get("/companion.json")).json()["trusted"]
    gone = await lead.post(f"/companion/domains/{known['trust']}", data={"seen": "trusted", "to": "removed"})
    after = await lead.get(gone.headers["location"])
    assert "ours.example.com is trusted no longer" in plain(after)
    assert '<input type="hidden" name="to" value="trusted">' in after.text
    assert (await lead.get("/companion.json")).json()["trusted"] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "“Domain” is missing"), ("http://x.com/", "is no domain"), ("co.uk", "anybody can have a site"),
        ("<script>alert(1)</script>", "is no domain"), ("x" * 400, "300 at most"),
    ],
)  # fmt: skip
async def test_bad_domains_are_refused_and_stay_typed(enter: Any, town: Town, text: str, said: str) -> None:
    answer = await (await enter("lead")).post("/companion/domains", data={"domain": text})
    assert answer.status_code == 422
    assert said in plain(answer)
    assert "<script>alert" not in answer.text
    if text and len(text) < 300:
        assert text in unescape(answer.text)
    assert town.everything()["companion_trust"] == []


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/companion/domains/1", {"seen": "trusted", "to": "proposed"}, 404),
        ("/companion/domains/1", {"seen": "x", "to": "trusted"}, 404),
        ("/companion/domains/99999999999999999999999", {"seen": "trusted", "to": "removed"}, 404),
        ("/companion/browsers/99999999999999999999999/revoke", {}, 404),
    ],
)
async def test_what_is_not_there_is_not_found(enter: Any, path: str, fields: dict[str, str], status: int) -> None:
    assert (await (await enter("lead")).post(path, data=fields)).status_code == status


async def test_a_domain_of_another_workspace_is_not_found(enter: Any, town: Town) -> None:
    lead, abroad = await enter("lead"), await enter("abroad")
    await lead.post("/companion/domains", data={"domain": "ours.com"})
    (known,) = (await lead.get("/companion.json")).json()["trusted"]
    asked = await abroad.post(f"/companion/domains/{known['trust']}", data={"seen": "trusted", "to": "removed"})
    assert asked.status_code == 404
    assert (await abroad.get("/companion.json")).json()["trusted"] == []


async def test_the_deeds_are_told_in_the_audit(enter: Any, room: Room) -> None:
    await room.companion("engineer")
    lead = await enter("lead")
    await lead.post("/companion/domains", data={"domain": "ours.com"})
    text = plain(await lead.get("/audit"))
    assert "Connected a browser with the companion, by API token" in text
    assert "Had domain" in text
    assert "Domaine de confiance" in plain(await lead.get("/audit?lang=fr"))


async def test_the_page_in_french(enter: Any) -> None:
    text = plain(await (await enter("lead")).get("/companion?lang=fr"))
    assert "Connecter ce navigateur" in text
    assert "Rien n’attend de décision" in text


async def test_nobody_in_particular_connects_nothing(make_client: MakeClient, town: Town) -> None:
    machine = make_client("127.0.0.1", open_to_loopback=True)
    assert "Sign in to connect" in (await machine.get(f"/companion?workspace={town.home}")).text
    assert (await machine.post("/companion/code")).status_code == 404


EXTENSION = {"Origin": "chrome-extension://dihebcdoodabiknhhdjmcpbdggddnpgh", "Sec-Fetch-Mode": "cors"}


async def test_the_companion_is_let_through_as_the_browser_sends_it(room: Room) -> None:
    companion = await room.companion("engineer")
    own, foreign = EXTENSION | {"Sec-Fetch-Site": "none"}, EXTENSION | {"Sec-Fetch-Site": "cross-site"}
    sent = {"domain": "shop.com"}
    assert (await companion.post("/api/companion/trust", json=sent, headers=foreign)).status_code == 403
    assert (await companion.post("/api/companion/trust", json=sent, headers=own)).status_code == 200
    code = await room.code("lead")
    browser = room.make_client()
    assert (await browser.post("/api/companion/connect", json={"code": code}, headers=foreign)).status_code == 403
    assert (await browser.post("/api/companion/connect", json={"code": code}, headers=own)).status_code == 201


@pytest.mark.parametrize("origin", ["chrome-extension://dihebcdoodabiknhhdjmcpbdggddnpgh", "https://evil.com", "null"])
async def test_another_extension_does_nothing_with_somebodys_cookies(enter: Any, town: Town, origin: str) -> None:
    lead = await enter("lead")
    headers = {"Origin": origin, "Sec-Fetch-Site": "none"}
    answer = await lead.post("/companion/domains", data={"domain": "evil.com"}, headers=headers)
    assert answer.status_code == 403
    assert town.everything()["companion_trust"] == []
