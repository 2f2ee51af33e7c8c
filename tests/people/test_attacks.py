"""What somebody with bad intentions would try first. None of it works."""

from __future__ import annotations

import asyncio
import csv
import io
import statistics
import time
from datetime import timedelta

import psycopg
import pytest
import structlog

from signing_in import INVITED, PASSWORD, Enter, MakeClient, become_administrator, link_in, link_to, sign_in
from steelyard.kit.ids import WorkspaceId
from steelyard.people import passwords
from steelyard.people.permissions import Permission, Role
from steelyard.people.sessions import COOKIE, SECURE_COOKIE
from steelyard.store.database import Database
from town import Town

MARKUP = "<img src=x onerror=alert(1)>\"'&"
FORMULA = '=HYPERLINK("http://evil.example","x")'


# Another site


async def test_another_site_cannot_press_a_button(enter: Enter, town: Town) -> None:
    client = await enter("administrator")
    before = town.everything("session", "person")
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        for path in ("/people", f"/people/{town.people['lead']}/remove", "/account/password", "/tokens", "/sign-out"):
            answer = await client.post(path, headers=headers, data={"name": "x"})
            assert answer.status_code == 403, (headers, path)
    assert town.everything("session", "person") == before


async def test_nothing_can_be_framed_or_read_from_outside(enter: Enter) -> None:
    client = await enter("administrator")
    for path in ("/people", "/account", "/sign-in", "/nothing-here", "/people.csv"):
        headers = (await client.get(path)).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "desk.example.com@evil.example", ""])
async def test_another_name_is_not_answered(make_client: MakeClient, town: Town, host: str) -> None:
    client = make_client(url="https://desk.example.com")
    assert (await client.get("/sign-in", headers={"Host": host})).status_code == 400
    assert (await client.get("/sign-in", headers={"Host": "desk.example.com"})).status_code == 200


NEXT = [
    "//evil.example", "https://evil.example/", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", "/\t/evil",
    "/a\r\nSet-Cookie: x=1", "http:/evil.example", "///evil.example", "/%0d%0aX: y\n", "[", "//[", "",
]  # fmt: skip


@pytest.mark.parametrize("next", NEXT)
async def test_signing_in_leads_nowhere_else(make_client: MakeClient, town: Town, next: str) -> None:
    client = make_client()
    answer = await client.post("/sign-in", data={"address": "lead@example.com", "password": PASSWORD, "next": next})
    assert answer.headers["location"] == "/"
    assert len(answer.headers.get_list("set-cookie")) == 1
    assert (await client.get("/sign-in", params={"next": next})).headers["location"] == "/"


# Sessions


async def test_a_session_is_not_taken_over(make_client: MakeClient, town: Town) -> None:
    """A cookie that was planted before signing in is not the one that is signed in."""
    planted = make_client(cookies={COOKIE: "planted"})
    answer = await planted.post("/sign-in", data={"address": "lead@example.com", "password": PASSWORD})
    assert "planted" not in answer.headers["set-cookie"]
    assert (await make_client(cookies={COOKIE: "planted"}).get("/access")).status_code == 401


async def test_every_sign_in_is_another_session(make_client: MakeClient, town: Town) -> None:
    client = make_client()
    cookies: set[str] = set()
    for _ in range(3):
        await client.post("/sign-in", data={"address": "lead@example.com", "password": PASSWORD})
        cookies.add(client.cookies[COOKIE])
    assert len(cookies) == 3


async def test_an_ended_session_stays_ended(enter: Enter, make_client: MakeClient) -> None:
    client = await enter("lead")
    stolen = client.cookies[COOKIE]
    assert (await client.post("/sign-out")).headers["location"] == "/sign-in"
    assert (await make_client(cookies={COOKIE: stolen}).get("/access")).status_code == 401


async def test_under_https_the_cookie_is_for_https_and_this_host_alone(make_client: MakeClient, town: Town) -> None:
    client = make_client(url="https://desk.example.com", base_url="https://desk.example.com")
    answer = await client.post("/sign-in", data={"address": "lead@example.com", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{SECURE_COOKIE}=")
    assert {"secure", "httponly", "path=/", "samesite=lax"} <= {part.strip().lower() for part in cookie.split(";")}
    assert "domain" not in cookie.lower()
    assert (await client.get("/access")).status_code == 200
    value = client.cookies[SECURE_COOKIE]
    planted = make_client(url="https://desk.example.com", base_url="https://desk.example.com", cookies={COOKIE: value})
    assert (await planted.get("/access")).status_code == 401  # the name without the prefix opens nothing


# Tokens


async def test_a_token_opens_what_it_says_and_only_there(make_client: MakeClient, town: Town) -> None:
    token, client = await town.token("administrator", Permission.SEE_AUDIT), make_client(headers={})
    assert (await client.get("/audit.json", headers=token)).status_code == 200
    assert (await client.get("/people.json", headers=token)).status_code == 403
    assert (await client.get("/audit.json", headers=token, params={"workspace": town.foreign})).status_code == 404
    foreign = {"Authorization": token["Authorization"].replace("eu1.home", "eu1.other")}
    assert (await client.get("/audit.json", headers=foreign)).status_code == 401
    elsewhere = {"Authorization": token["Authorization"].replace("eu1.", "us1.")}
    assert (await client.get("/audit.json", headers=elsewhere)).status_code == 421
    for broken in (
        "Bearer",
        "Bearer ",
        "Bearer steelyard~~",
        "Bearer a~b~c",
        "Bearer steelyard~eu1.home~x" + "y" * 300,
    ):
        assert (await client.get("/audit.json", headers={"Authorization": broken})).status_code == 401, broken


async def test_a_token_never_outgrows_its_owner(make_client: MakeClient, enter: Enter, town: Town) -> None:
    token, client = await town.token("lead", Permission.SEE_AUDIT), make_client()
    assert (await client.get("/audit.json", headers=token)).status_code == 200
    admin = await enter("administrator")
    await admin.post(f"/people/{town.people['lead']}/roles", data={"roles": ["engineer"]})
    assert (await client.get("/audit.json", headers=token)).status_code == 403


async def test_a_token_ends(make_client: MakeClient, enter: Enter, town: Town) -> None:
    client, token = make_client(), await town.token("lead", Permission.SEE_AUDIT)
    town.clock.now += timedelta(days=7)
    assert (await client.get("/audit.json", headers=token)).status_code == 401
    fresh = await town.token("lead", Permission.SEE_AUDIT)
    listed = (await (await enter("lead")).get("/tokens.json")).json()["rows"]
    number = next(each["token"] for each in listed if each["revoked_at"] is None and each["used_at"] is None)
    assert (await (await enter("engineer")).post(f"/tokens/{number}/revoke")).status_code == 404
    assert (await client.get("/audit.json", headers=fresh)).status_code == 200
    assert (await (await enter("lead")).post(f"/tokens/{number}/revoke")).status_code == 303
    assert (await client.get("/audit.json", headers=fresh)).status_code == 401


async def test_no_token_makes_tokens_people_or_passwords(make_client: MakeClient, town: Town) -> None:
    token, client = await town.token("administrator", *Permission), make_client()
    before = town.everything("api_token")
    for path in ("/tokens", "/people", "/account", "/account/password", "/account/sessions", "/sign-out"):
        assert (await client.post(path, headers=token, data={"name": "x"})).status_code == 403, path
    for path in ("/account", "/account.json", "/tokens.json"):
        assert (await client.get(path, headers=token)).status_code == 403, path
    assert town.everything("api_token") == before


async def test_no_token_is_made_with_more_than_its_owner_has(enter: Enter, town: Town) -> None:
    client = await enter("engineer")
    for scope in ("people.change", "audit.see", "tokens.own", "everything"):
        page = await client.post("/tokens", data={"name": "x", "scopes": ["desk.see", scope], "life": "7"})
        assert page.status_code == 422, scope
    assert (await client.post("/tokens", data={"name": "x", "scopes": "desk.see", "life": "36500"})).status_code == 422
    assert (await client.get("/tokens.json")).json()["rows"] == []


# Guessing


async def test_many_guesses_at_once_gain_nothing(make_client: MakeClient, town: Town) -> None:
    client = make_client()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(sign_in(client, f"guess {each}", address="lead@example.com")) for each in range(20)]
    statuses = [task.result().status_code for task in tasks]
    assert statuses.count(401) <= 6
    assert statuses.count(429) >= 14
    assert (await sign_in(client, address="lead@example.com")).status_code == 429


@pytest.mark.usefixtures("quick_passwords")
async def test_one_place_cannot_try_everybody(make_client: MakeClient, town: Town) -> None:
    client = make_client("10.66.6.6")
    statuses = [(await sign_in(client, "x", address=f"a{each}@example.com")).status_code for each in range(55)]
    assert statuses[:50] == [401] * 50
    assert 429 in statuses[50:]
    assert (await sign_in(make_client("10.1.1.1"), address="lead@example.com")).status_code == 303


async def test_nobody_learns_who_can_sign_in(make_client: MakeClient, town: Town) -> None:
    client = make_client()
    known, unknown = [
        (await sign_in(client, "a wrong password", address=address))
        for address in ("lead@example.com", "no@example.com")
    ]
    assert known.status_code == unknown.status_code == 401
    assert known.text.replace("lead@", "no@") == unknown.text
    took: dict[str, list[float]] = {"engineer@example.com": [], "author@example.com": [], "x@example.com": []}
    for _ in range(5):
        for address, times in took.items():
            began = time.perf_counter()
            await sign_in(client, "a wrong password", address=address)
            times.append(time.perf_counter() - began)
    there, also, absent = (statistics.median(times) for times in took.values())
    assert absent > 0.5 * min(there, also), "an unknown address is answered without comparing a password"


async def test_a_password_costs_whoever_guesses_and_as_much_where_there_is_nobody() -> None:
    stored = await passwords.hashed(PASSWORD)
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$"), "64 MB, three times: less is a decision"
    assert passwords._NOBODYS.split("$")[:4] == stored.split("$")[:4]
    assert [*map(len, passwords._NOBODYS.split("$"))] == [*map(len, stored.split("$"))]
    assert not await passwords.fits("nobody signs in with this", None)


# Hostile text


async def test_markup_in_names_stays_text(enter: Enter, town: Town) -> None:
    client = await enter("administrator")
    await client.post("/account", data={"name": MARKUP, "language": "en", "theme": "system", "zone": "utc"})
    await client.post("/people", data={"name": MARKUP, "address": "m@example.com", "roles": "lead"})
    made = await client.post("/tokens", data={"name": MARKUP, "scopes": "desk.see", "life": "7"})
    assert made.status_code == 200
    person = (await client.get("/people.json")).json()["rows"][0]["person"]
    for path in (
        "/people",
        "/tokens",
        "/audit",
        "/access",
        "/account",
        f"/people/{person}",
        f"/access?person={person}",
    ):
        page = await client.get(path)
        assert "<img" not in page.text, path
    assert "<img" not in made.text


async def test_no_spreadsheet_runs_what_people_are_called(enter: Enter, town: Town) -> None:
    client = await enter("administrator")
    await client.post("/account", data={"name": FORMULA, "language": "en", "theme": "system", "zone": "utc"})
    await client.post("/tokens", data={"name": FORMULA, "scopes": "desk.see", "life": "7"})
    for path in ("/people.csv", "/audit.csv", "/tokens.csv"):
        rows = list(csv.reader(io.StringIO((await client.get(path)).text)))
        assert any(f"'{FORMULA}" in row for row in rows), path
        assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "@"))], path


async def test_a_browsers_name_is_never_stored_as_it_is_sent(make_client: MakeClient, town: Town) -> None:
    client = make_client(headers={"User-Agent": f"Firefox/{MARKUP} Linux"})
    await sign_in(client, address="lead@example.com")
    assert (await client.get("/account.json")).json()["sessions"][0]["agent"] == "Firefox, Linux"


# More than one's own


async def test_no_field_of_a_form_makes_anybody_more(enter: Enter, town: Town, make_client: MakeClient) -> None:
    """What a form does not offer is not taken from it."""
    client = await enter("engineer")
    fields = {"name": "E", "language": "en", "theme": "system", "zone": "utc", "single_keys": "on"}
    more = {"roles": "administrator", "person": str(town.people["administrator"]), "address": "x@example.com"}
    assert (await client.post("/account", data=fields | more)).status_code == 303
    assert (await client.get("/people")).status_code == 200
    assert (
        await client.post("/people", data={"name": "x", "address": "x@x.example", "roles": "lead"})
    ).status_code == 403
    mine = (await client.get("/account.json")).json()
    assert (mine["person"], mine["address"]) == (town.people["engineer"], "engineer@example.com")
    assert (await client.get(f"/access?person={town.people['abroad']}")).status_code == 404


async def test_an_invitation_does_not_let_anybody_choose_who_they_are(
    enter: Enter, town: Town, make_client: MakeClient
) -> None:
    link = link_in(await (await enter("administrator")).post("/people", data=INVITED))
    fields = {"token": link.partition("token=")[2], "password": PASSWORD, "address": "lead@example.com", "name": "Lead"}
    client = make_client()
    assert (await client.post("/enter", data=fields)).status_code == 303
    assert (await client.get("/account.json")).json()["address"] == "zoe@example.com"
    assert (await sign_in(make_client(), address="lead@example.com")).status_code == 303


async def test_a_workspaces_link_chooses_no_password_that_opens_another(
    make_client: MakeClient, town: Town, database: Database
) -> None:
    """Who was invited elsewhere and has not followed it yet is somebody, too."""
    await town.person("guest", Role.LEAD, at=town.foreign, enters=False)
    client, token = make_client(), await link_to(database, town.home, town.clock)
    answer = await become_administrator(client, token, address="Guest@example.com")
    assert answer.status_code == 422
    assert (await client.get("/people", params={"workspace": town.foreign})).status_code == 401
    assert (await sign_in(make_client(), address="guest@example.com")).status_code == 401
    assert (await become_administrator(client, token)).status_code == 303  # the link is not used up


async def test_the_demos_way_in_is_shut_everywhere_else(make_client: MakeClient, town: Town) -> None:
    person = {"person": str(town.people["administrator"])}
    assert (await make_client("127.0.0.1").post("/sign-in/as", data=person)).status_code == 404
    demo = make_client("127.0.0.1", open_to_loopback=True)
    assert "Sign in as Administrator" in (await demo.get("/sign-in")).text
    assert (await demo.post("/sign-in/as", data={"person": str(town.people["abroad"])})).status_code == 404
    assert (await demo.post("/sign-in/as", data={"person": "x"})).status_code == 404
    assert (await demo.post("/sign-in/as", data={"person": str(town.people["engineer"])})).status_code == 303
    assert (await demo.get("/audit")).status_code == 403  # as an engineer, no longer as this machine
    for outside in (
        make_client("10.1.2.3", open_to_loopback=True),
        make_client("127.0.0.1", open_to_loopback=True, headers={"X-Forwarded-For": "10.1.2.3"}),
    ):
        assert (await outside.post("/sign-in/as", data=person)).status_code == 404
        assert (await outside.get("/people")).status_code == 401


async def test_what_a_proxy_asks_for_makes_nobody_a_program(make_client: MakeClient) -> None:
    """Browsers send a proxy's own password along; they are shown the way in."""
    answer = await make_client().get("/people", headers={"Authorization": "Basic eDp5", "Accept": "text/html"})
    assert (answer.status_code, 'action="/sign-in"' in answer.text) == (401, True)


# Behind the gate


async def test_the_database_stands_behind_a_gate_that_errs(town: Town, database: Database) -> None:
    """Whoever says that they are somewhere else sees nothing of what is at home, nor changes it."""
    await town.token("lead", Permission.SEE_AUDIT)
    await town.cookie("lead")
    tables = ("membership", "link", "api_token", "ledger", "session")
    for workspace in (town.foreign, WorkspaceId("eu1.nowhere"), WorkspaceId("")):
        async with database.transaction(workspace) as conn:
            for table in tables:
                rows = await (await conn.execute(f"SELECT t::text FROM {table} AS t")).fetchall()
                assert "eu1.home" not in str(rows), table
            await conn.execute("UPDATE membership SET roles = '{administrator}'")
            await conn.execute("UPDATE api_token SET revoked_at = now()")
            people = await (await conn.execute("SELECT address FROM person")).fetchall()
            assert people == ([("abroad@example.com",)] if workspace == town.foreign else [])
    async with database.transaction(town.home) as conn:
        row = await (
            await conn.execute("SELECT count(*) FROM membership WHERE 'administrator' = ANY (roles)")
        ).fetchone()
        assert row == (1,)


async def test_nobody_changes_anothers_row(town: Town, database: Database) -> None:
    lead, engineer = town.people["lead"], town.people["engineer"]
    await town.cookie("engineer")
    async with database.person(lead) as conn:
        for statement in (
            "UPDATE person SET name = 'x' WHERE person = %s",
            "UPDATE session SET expires_at = now() + interval '9 days' WHERE person = %s",
            "DELETE FROM session WHERE person = %s",
            "DELETE FROM person WHERE person = %s",
        ):
            assert (await conn.execute(statement, [engineer])).rowcount == 0, statement
        assert (await (await conn.execute("SELECT count(*) FROM session")).fetchone()) == (0,)
    async with database.transaction(town.home) as conn:
        assert (await conn.execute("UPDATE person SET name = 'x' WHERE person = %s", [engineer])).rowcount == 0
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with database.transaction(town.home) as conn:
            await conn.execute("SELECT password FROM person")


async def test_what_was_done_cannot_be_undone_in_the_ledger(town: Town, database: Database) -> None:
    for statement in ("UPDATE ledger SET person = NULL", "DELETE FROM ledger", "TRUNCATE ledger"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with database.transaction(town.home) as conn:
                await conn.execute(statement)
    async with database.cell() as conn:
        assert await (await conn.execute("SELECT count(*) FROM ledger")).fetchone() == (0,)


async def test_facts_and_logs_name_nobody(enter: Enter, town: Town, make_client: MakeClient) -> None:
    with structlog.testing.capture_logs() as lines:
        client = await enter("administrator")
        link = link_in(await client.post("/people", data=INVITED))
        await make_client().post("/enter", data={"token": link.partition("token=")[2], "password": PASSWORD})
        token = await client.post("/tokens", data={"name": "Zoé’s", "scopes": "desk.see", "life": "7"})
        await sign_in(make_client(), "wrong", address="zoe@example.com")
    stored = str(town.everything("person", "api_token", "connection")["ledger"])
    for secret in ("Zoé", "zoe@", "example.com", link.partition("~")[2], PASSWORD, client.cookies[COOKIE]):
        assert secret not in str(lines), secret
        assert secret not in stored, secret
    assert token.status_code == 200
