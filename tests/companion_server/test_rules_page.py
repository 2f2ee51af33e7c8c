"""Host rules: edited as JSON, refused by rule and field, tried before they hold, in versions with the way back."""

from __future__ import annotations

import asyncio
import json
import re
import time
from html import unescape
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion_room import Room
from steelyard.companion.hosts import BUILT_IN
from steelyard.companion.pasted import pages_in
from steelyard.companion.rules_text import changes, read_rules, text_of
from town import Town

OURS = {"name": "Us", "kind": "host", "ours": True, "confidence": 3, "headers": {"x-served-by-us": ""}}
TEXT = json.dumps([OURS])


def plain(page: httpx.Response) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text)))


async def keep(client: httpx.AsyncClient, text: str, **fields: str) -> httpx.Response:
    return await client.post("/companion/rules", data={"rules": text, "then": "keep", **fields})


async def test_rules_are_put_in_force_and_served_at_once(enter: Any, room: Room, town: Town) -> None:
    lead, companion = await enter("lead"), await room.companion("engineer")
    told = await keep(lead, TEXT)
    assert told.status_code == 303
    assert "Version 1 of the host rules holds" in plain(await lead.get(told.headers["location"]))
    team = (await companion.get("/api/companion/team")).json()
    assert team["rules"] == {"version": 1, "rules": [OURS]}
    ((_, person, data),) = town.facts("companion.rules_changed")
    assert (person, data) == (town.people["lead"], {"version": 1, "rules": 1})
    assert "Put version 1 of the host rules in force, with 1 rule" in plain(await lead.get("/audit"))


async def test_the_change_is_undone_and_the_built_in_ones_put_back(enter: Any, room: Room) -> None:
    lead, companion = await enter("lead"), await room.companion("engineer")
    told = await keep(lead, TEXT)
    page = await lead.get(told.headers["location"])
    fields = dict(re.findall(r'name="(version|seen)" value="(\d+)"', page.text.partition("data-accepted")[2])[:2])
    assert fields == {"version": "0", "seen": "1"}
    assert (await lead.post("/companion/rules/back", data=fields)).status_code == 303
    assert (await companion.get("/api/companion/team")).json()["rules"] is None
    assert "Version 2: built in" in plain(await lead.get("/companion/rules"))
    assert (await lead.post("/companion/rules/back", data={"version": "1", "seen": "2"})).status_code == 303
    assert (await companion.get("/api/companion/team")).json()["rules"] == {"version": 3, "rules": [OURS]}
    versions = (await lead.get("/companion/rules.json")).json()["versions"]
    assert [(each["version"], each["person"], each["built_in"]) for each in versions] == [
        (3, "Lead", False), (2, "Lead", True), (1, "Lead", False),
    ]  # fmt: skip


async def test_going_back_from_what_somebody_else_changed_is_refused(enter: Any) -> None:
    lead = await enter("lead")
    await keep(lead, TEXT)
    answer = await lead.post("/companion/rules/back", data={"version": "0", "seen": "7"})
    assert answer.status_code == 409
    assert "somebody put other rules in force meanwhile" in plain(answer)
    assert (await lead.post("/companion/rules/back", data={"version": "9", "seen": "1"})).status_code == 404


async def test_who_was_slower_keeps_what_they_typed(enter: Any) -> None:
    lead, administrator = await enter("lead"), await enter("administrator")
    seen = text_of(BUILT_IN["rules"]).strip()
    assert (await keep(administrator, TEXT, loaded="yes", **{"was.rules": seen})).status_code == 303
    mine = json.dumps([OURS | {"name": "Mine"}])
    answer = await keep(lead, mine, loaded="yes", **{"was.rules": seen})
    assert answer.status_code == 409
    assert '"Mine"' in unescape(answer.text)
    assert (await lead.get("/companion/rules.json")).json()["rules"] == [OURS]


async def test_two_at_once_make_two_versions(enter: Any) -> None:
    lead = await enter("lead")
    answers = await asyncio.gather(*(keep(lead, json.dumps([OURS | {"name": f"Us {n}"}])) for n in range(4)))
    assert [each.status_code for each in answers] == [303] * 4
    assert len((await lead.get("/companion/rules.json")).json()["versions"]) == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "“Rules” is missing"),
        ("{", "This is no JSON: line 1, column 2"),
        ('[{"name": "x",}]', "This is no JSON: line 1"),
        ("[1,\n 2,\n oops]", "line 3, column 2, a value is missing"),
        ("[]", "There is no rule in it"),
        ('{"rules": []}', "There is no rule in it"),
        ("3", "The rules are a list"),
        ("[1e999, NaN]", "There is a number or a nesting in it"),
        ("[" * 100_000, "There is a number or a nesting in it"),
        ("[" + "9" * 5000 + "]", "There is a number or a nesting in it"),
        ('[{"name": "a", "name": "b"}]', "This field stands there twice"),
        ('[{"name": "A", "kind": "hots", "confidence": 3, "names": ["x.com"]}]', "A kind"),
        ('[{"name": "A", "kind": "host", "confidence": 3, "headers": {"x": "(a+)+"}}]', "A headers.x"),
        ('[{"name": "A", "kind": "host", "confidence": 3, "cidrs": ["10.0.0.0/2"]}]', "A cidrs"),
        ('[{"name": "<b>x</b>", "kind": "host", "confidence": 9, "names": ["x.com"]}]', "<b>x</b> confidence"),
        ('[{"name": "A", "kind": "host", "confidence": 3, "eval": "1"}]', "A eval There is no such field."),
    ],
)
async def test_refusals_name_the_rule_and_the_field(enter: Any, town: Town, text: str, said: str) -> None:
    answer = await keep(await enter("lead"), text)
    assert answer.status_code == 422
    assert said in plain(answer)
    assert "<b>x</b>" not in answer.text
    if text and len(text) < 1000:
        assert text in unescape(answer.text)
    assert town.everything()["companion_rules"] == []


async def test_refusals_in_french(enter: Any) -> None:
    lead = await enter("lead", headers={"Accept-Language": "fr"})
    text = plain(await keep(lead, '[{"name": "A", "kind": "hots", "confidence": 3, "names": ["x.com"]},]'))
    assert "Ce n’est pas du JSON : ligne 1, colonne" in text


async def test_what_they_would_do_is_shown_and_nothing_stored(enter: Any, town: Town) -> None:
    lead = await enter("lead")
    rules = [*(each for each in BUILT_IN["rules"] if each["name"] != "Kinsta"), OURS]
    pasted = "https://shop.example.com/\nHTTP/2 200\nX-Served-By-Us: 1\n\nHTTP/1.1 200 OK\nX-Kinsta-Cache: HIT\n"
    answer = await lead.post("/companion/rules", data={"rules": json.dumps(rules), "pasted": pasted, "then": "see"})
    text = plain(answer)
    assert answer.status_code == 200
    assert "Hosts added Us Hosts left out Kinsta" in text, text[text.find("What these rules would do") :][:1500]
    assert re.search(r"https://shop.example.com/ Now \? unknown .*With these rules ✓ ours", text)
    assert re.search(r"Page 2 Now ✕ not ours Kinsta .*With these rules \? unknown", text)
    assert town.everything()["companion_rules"] == []


async def test_what_is_pasted_is_only_text(enter: Any) -> None:
    pasted = "https://x.com/<script>alert(1)</script>\nx-served-by-us: <img src=x onerror=alert(1)>"
    answer = await (await enter("lead")).post("/companion/rules", data={"rules": TEXT, "pasted": pasted})
    assert answer.status_code == 200
    assert "<img src=x" not in answer.text
    assert "<script>alert" not in answer.text


async def test_an_engineer_sees_them_and_changes_nothing(enter: Any, town: Town) -> None:
    engineer = await enter("engineer")
    page = await engineer.get("/companion/rules")
    assert "A lead changes them." in page.text
    assert "Put these rules in force" not in page.text
    assert (await keep(engineer, TEXT)).status_code == 403
    assert (await engineer.post("/companion/rules/back", data={"version": "0", "seen": "0"})).status_code == 403


async def test_an_older_version_can_be_looked_at(enter: Any) -> None:
    lead = await enter("lead")
    await keep(lead, TEXT)
    await keep(lead, json.dumps([OURS | {"name": "Later"}]))
    assert "Later" not in unescape((await lead.get("/companion/rules?version=1")).text.partition("<textarea")[2])
    for odd in ("9", "0", "x", "99999999999999999999"):
        assert (await lead.get(f"/companion/rules?version={odd}")).status_code in (200, 404)


async def test_rules_of_another_workspace_are_not_seen(enter: Any) -> None:
    await keep(await enter("lead"), TEXT)
    abroad = (await (await enter("abroad")).get("/companion/rules.json")).json()
    assert (abroad["version"], len(abroad["rules"])) == (0, len(BUILT_IN["rules"]))


def test_the_built_in_rules_read_as_they_are_laid_out() -> None:
    read = read_rules(text_of(BUILT_IN["rules"]))
    assert (read.problems, read.written) == ((), BUILT_IN["rules"])
    assert read_rules(json.dumps(BUILT_IN)).written == BUILT_IN["rules"]
    assert not changes(BUILT_IN["rules"], read.written)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    read = read_rules(text)
    assert read.rules or read.problems


def nested(each: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(each, max_size=4) | st.dictionaries(st.text(max_size=8), each, max_size=4)


LEAVES = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5)


@given(st.recursive(LEAVES, nested))
def test_any_json_is_read_or_refused(value: Any) -> None:
    read = read_rules(json.dumps(value))
    assert read.rules or read.problems
    assert changes(read.written, read.written) == ((), (), ())


@given(st.text(max_size=500))
def test_anything_can_be_pasted(text: str) -> None:
    assert len(pages_in(text)) <= 20


def test_what_tools_print_is_read() -> None:
    (first, second, third) = pages_in(
        "* https://a.com/\n< HTTP/1.1 301 Moved\n< Location: https://www.a.com/\r\n\r\n"
        "GET https://b.com/x\nServer: nginx\n\ncname = shop.wpengine.com, other.net\nns = ns1.x.com\nip = 192.0.2.1\n"
    )
    assert (first.url, first.status, first.headers) == ("https://a.com/", 301, (("Location", "https://www.a.com/"),))
    assert (second.url, second.headers, second.seen) == ("https://b.com/x", (("Server", "nginx"),), True)
    assert (third.cname, third.ns, third.ip) == (("shop.wpengine.com", "other.net"), ("ns1.x.com",), "192.0.2.1")


def test_what_is_pasted_takes_no_longer_than_it_is_long() -> None:
    begun = time.thread_time()  # what else the machine does meanwhile does not count
    assert pages_in("$ curl" + " " * 50_000 + "x") == []
    assert time.thread_time() - begun < 1
    (page,) = pages_in("$ curl -sI -H 'a: b'  https://shop.example/x\nserver: nginx")
    assert page.url == "https://shop.example/x"
