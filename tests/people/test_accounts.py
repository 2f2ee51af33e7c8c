"""What is one's own: preferences, the password, and the browsers one is signed in with."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import LiteralString

import psycopg
import pytest

from signing_in import PASSWORD, Enter, MakeClient
from steelyard.people.links import make_link
from steelyard.people.permissions import Role
from town import Town

WISHES = {"name": "Ada Quinn", "language": "fr", "theme": "dark", "zone": "utc", "single_keys": "on"}
NEW = "carry what you have weighed"


async def test_preferences_are_followed_by_every_page(enter: Enter) -> None:
    client = await enter("lead")
    answer = await client.post("/account", data=WISHES)
    assert answer.headers["location"] == "/account?done=kept"
    page = await client.get("/access", headers={"Accept-Language": "en"})
    assert '<html lang="fr" data-theme="dark"' in page.text
    assert (await client.get("/account.json")).json()["preferences"]["zone"] == "utc"
    keyless = {name: value for name, value in WISHES.items() if name != "single_keys"}
    await client.post("/account", data=keyless)
    assert (await client.get("/account.json")).json()["preferences"]["single_keys"] is False


@pytest.mark.parametrize("wrong", [{"name": ""}, {"theme": "plaid"}, {"zone": "Mars/Crater"}, {"language": "xx"}])
async def test_a_wish_that_cannot_be_is_refused_and_the_others_kept(enter: Enter, wrong: dict[str, str]) -> None:
    client = await enter("lead")
    page = await client.post("/account", data=WISHES | wrong)
    assert page.status_code == 422
    assert (await client.get("/account.json")).json()["name"] == "Lead"


async def test_a_password_changes_with_the_old_one_and_ends_other_sessions(
    enter: Enter, town: Town, make_client: MakeClient
) -> None:
    client, other = await enter("lead"), await enter("lead")
    answer = await client.post("/account/password", data={"old": PASSWORD, "password": NEW})
    assert answer.status_code == 303
    assert (await client.get("/access")).status_code == 200
    assert (await other.get("/access")).status_code == 401
    for password, status in ((PASSWORD, 401), (NEW, 303)):
        signed = await make_client().post("/sign-in", data={"address": "lead@example.com", "password": password})
        assert signed.status_code == status
    assert town.facts("person.password_chosen")


async def test_a_password_chosen_by_a_link_is_told_wherever_it_opens(town: Town, make_client: MakeClient) -> None:
    lead = await town.person("lead", Role.LEAD, at=town.foreign)
    async with town.database.transaction(town.home) as conn:
        token = await make_link(conn, town.home, lead, None, town.clock.now)
    assert (await make_client().post("/enter", data={"token": token, "password": NEW})).status_code == 303
    told = [(workspace, person) for workspace, person, _ in town.facts("person.password_chosen")]
    assert told == [(town.home, lead), (town.foreign, lead)]


@contextmanager
def failing(town: Town, what: LiteralString) -> Generator[None]:
    """Whatever writes `what` fails meanwhile."""
    with psycopg.connect(town.superuser_url, autocommit=True) as conn:
        conn.execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not now'; END $$"
        )
        conn.execute("CREATE TRIGGER fail BEFORE " + what)
        try:
            yield
        finally:
            conn.execute("DROP FUNCTION fail CASCADE")


ENDING: LiteralString = "DELETE ON session FOR EACH ROW EXECUTE FUNCTION fail()"
TELLING: LiteralString = (
    "INSERT ON ledger FOR EACH ROW WHEN (NEW.kind IN ('person.password_chosen', 'person.sessions_ended'))"
    " EXECUTE FUNCTION fail()"
)


@pytest.mark.parametrize("what", [ENDING, TELLING], ids=["ending sessions", "telling"])
@pytest.mark.parametrize("way", ["/enter", "/account/password", "/account/sessions"])
async def test_a_password_its_sessions_and_its_fact_change_together_or_not_at_all(
    enter: Enter, town: Town, way: str, what: LiteralString
) -> None:
    client, other = await enter("lead"), await enter("lead")
    async with town.database.transaction(town.home) as conn:
        token = await make_link(conn, town.home, town.people["lead"], None, town.clock.now)
    sent = {"token": token, "old": PASSWORD, "password": NEW, "session": "others"}
    before = town.everything("attempt", "api_token")
    with failing(town, what), pytest.raises(psycopg.errors.RaiseException):
        await client.post(way, data=sent)
    assert town.everything("attempt", "api_token") == before
    assert (await client.post(way, data=sent)).status_code == 303
    assert (await other.get("/access")).status_code == 401


async def test_who_is_a_member_of_nothing_chooses_a_password_all_the_same(enter: Enter) -> None:
    client, other = await enter("nobody"), await enter("nobody")
    assert (await client.post("/account/password", data={"old": PASSWORD, "password": NEW})).status_code == 303
    assert (await other.get("/account")).status_code == 401


@pytest.mark.usefixtures("quick_passwords")
async def test_guessing_the_old_password_has_to_wait(enter: Enter) -> None:
    client = await enter("lead")
    guesses = [
        (await client.post("/account/password", data={"old": f"guess {number}", "password": NEW})).status_code
        for number in range(8)
    ]
    assert guesses == [422] * 6 + [429] * 2
    right = await client.post("/account/password", data={"old": PASSWORD, "password": NEW})
    assert right.status_code == 429


@pytest.mark.parametrize("password", ["short", "x" * 201, "aaaaaaaaaaaaaaaa", "lead lead lead lead"])
async def test_a_bad_password_is_refused(enter: Enter, password: str) -> None:
    page = await (await enter("lead")).post("/account/password", data={"old": PASSWORD, "password": password})
    assert page.status_code == 422
    assert password not in page.text.replace("Lead", "").replace("lead@example.com", "") or password == "short"


async def test_sessions_end_one_by_one_and_all_at_once(enter: Enter, town: Town) -> None:
    clients = [await enter("lead") for _ in range(4)]
    first, second, *_ = clients
    listed = (await first.get("/account.json")).json()
    assert len(listed["sessions"]) == 4
    number = (await second.get("/account.json")).json()["session"]
    await first.post("/account/sessions", data={"session": str(number)})
    assert [(await each.get("/access")).status_code for each in clients] == [200, 401, 200, 200]
    await first.post("/account/sessions", data={"session": "others"})
    assert [(await each.get("/access")).status_code for each in clients] == [200, 401, 401, 401]
    assert [data["count"] for _, _, data in town.facts("person.sessions_ended")] == [1, 2]


async def test_nobody_ends_anothers_session(enter: Enter) -> None:
    mine, theirs = await enter("administrator"), await enter("lead")
    number = (await theirs.get("/account.json")).json()["session"]
    await mine.post("/account/sessions", data={"session": str(number)})
    assert (await theirs.get("/access")).status_code == 200
    assert (await mine.post("/account/sessions", data={"session": "x"})).status_code == 400


async def test_this_machine_has_no_account(make_client: MakeClient, town: Town) -> None:
    client = make_client("127.0.0.1", open_to_loopback=True)
    assert (await client.get("/account")).headers["location"] == "/sign-in?next=/account"
    for path in ("/account", "/account/password", "/account/sessions"):
        assert (await client.post(path, data=WISHES)).status_code == 404
