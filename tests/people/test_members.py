"""Inviting, roles, teammates, links, removing and taking back: through the forms, as an administrator uses them."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import httpx
import pytest

from desk_seed import busy_desk
from signing_in import INVITED, PASSWORD, Enter, MakeClient, link_in
from steelyard.main.ground import ledger
from steelyard.people.links import LINK_LIFE, make_link
from steelyard.people.members import MemberError, Staff, members_of
from steelyard.people.permissions import Permission, Role
from steelyard.routing.teammates import read_teammates
from town import Town


def undo_in(page: httpx.Response) -> dict[str, list[str]]:
    """What the undo of the toast sends."""
    toast = page.text.partition('class="toast')[2].partition("</form>")[0]
    fields: dict[str, list[str]] = {}
    for name, value in re.findall(r'name="([a-z.]+)" value="([^"]*)"', toast):
        fields.setdefault(name, []).append(value)
    return fields


async def roles_of(town: Town, name: str) -> tuple[Role, ...]:
    async with town.database.transaction(town.home) as conn:
        found = {each.person: each.roles for each in await members_of(conn, town.clock.now)}
    return found.get(town.people[name], ())


async def test_somebody_is_invited_and_comes_in(town: Town, enter: Enter, make_client: MakeClient) -> None:
    page = await (await enter("administrator")).post("/people", data=INVITED)
    link = link_in(page)
    theirs = make_client()
    shown = await theirs.get(link)
    assert "zoe@example.com" in shown.text
    token = link.partition("token=")[2]
    assert (await theirs.post("/enter", data={"token": token, "password": PASSWORD})).status_code == 303
    mine = (await theirs.get("/access.json")).json()["rows"]
    assert {each["need"]: each["allowed"] for each in mine}["audit.see"] is True
    assert (await theirs.post("/people", data=INVITED)).status_code == 403
    assert (await make_client().post("/enter", data={"token": token, "password": PASSWORD})).status_code == 410
    ((_, by, data),) = [each for each in town.facts("person.joined") if each[1] is not None]
    assert by == town.people["administrator"]
    assert data["roles"] == [1]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"name": ""}, "is missing"),
        ({"name": "x" * 101}, "100 at most"),
        ({"address": "nowhere"}, "is no e-mail address"),
        ({"roles": []}, "Choose at least one"),
        ({"roles": ["superuser"]}, "choose from the list"),
        ({"address": "lead@example.com"}, "is a member already"),
    ],
)
async def test_what_cannot_be_invited_is_said_and_kept(
    enter: Enter, town: Town, change: dict[str, object], complaint: str
) -> None:
    client = await enter("administrator")
    before = town.everything()
    page = await client.post("/people", data=INVITED | change)
    assert page.status_code == 422
    assert complaint in page.text
    if "name" not in change:
        assert 'value="Zoé Roux"' in page.text
    assert town.everything() == before


async def test_roles_change_with_a_way_back(enter: Enter, town: Town) -> None:
    client, person = await enter("administrator"), town.people["engineer"]
    answer = await client.post(
        f"/people/{person}/roles",
        data={"loaded": "yes", "was.roles": "engineer", "roles": ["engineer", "author"]},
    )
    assert answer.status_code == 303
    assert await roles_of(town, "engineer") == (Role.ENGINEER, Role.AUTHOR)
    page = await client.get(answer.headers["location"])
    assert "engineer, author" in page.text
    undone = await client.post(f"/people/{person}/roles", data=undo_in(page))
    assert undone.status_code == 303
    assert await roles_of(town, "engineer") == (Role.ENGINEER,)
    assert [data["roles"] for _, _, data in town.facts("person.roles_changed")] == [[0, 2], [0]]


async def test_a_stale_change_of_roles_shows_both(enter: Enter, town: Town) -> None:
    client, path = await enter("administrator"), f"/people/{town.people['engineer']}/roles"
    await client.post(path, data={"loaded": "yes", "was.roles": "engineer", "roles": ["lead"]})
    page = await client.post(path, data={"loaded": "yes", "was.roles": "engineer", "roles": ["author"]})
    assert page.status_code == 409
    assert "meanwhile" in page.text
    assert 'class="difference"' in page.text
    assert await roles_of(town, "engineer") == (Role.LEAD,)


async def test_the_last_administrator_stays(enter: Enter, town: Town) -> None:
    client, person = await enter("administrator"), town.people["administrator"]
    for path, data in (("roles", {"roles": ["lead"]}), ("remove", {})):
        page = await client.post(f"/people/{person}/{path}", data=data)
        assert page.status_code == 409
        assert "only administrator who can sign in" in page.text
    await town.person("invited", Role.ADMINISTRATOR, enters=False)  # who has not come yet cannot keep it
    assert (await client.post(f"/people/{person}/remove")).status_code == 409
    await town.person("second", Role.ADMINISTRATOR)
    assert (await client.post(f"/people/{person}/remove")).status_code == 303
    assert (await client.get("/people")).status_code == 404


async def test_two_administrators_cannot_remove_each_other_at_once(town: Town) -> None:
    second = await town.person("second", Role.ADMINISTRATOR)
    first, staff = town.people["administrator"], Staff(town.database, ledger(), read_teammates)
    pairs = ((first, second), (second, first))
    results = await asyncio.gather(
        *(staff.remove(town.home, whom, by, town.clock.now) for by, whom in pairs), return_exceptions=True
    )
    assert [type(each) for each in results].count(MemberError) == 1


async def test_removed_is_removed_at_once_and_can_be_taken_back(enter: Enter, town: Town) -> None:
    client, theirs = await enter("administrator"), await enter("lead")
    token = await town.token("lead", Permission.SEE_PEOPLE)
    answer = await client.post(f"/people/{town.people['lead']}/remove")
    assert "/people/" in (page := await client.get(answer.headers["location"])).text
    assert "Make Lead a member again" in page.text
    assert (await theirs.get("/people")).status_code == 404
    assert (await theirs.get("/people.json", headers=token)).status_code == 401
    back = await client.post(f"/people/{town.people['lead']}/back")
    assert back.status_code == 303
    assert "Their API tokens stay revoked" in (await client.get(back.headers["location"])).text
    assert (await theirs.get("/people")).status_code == 200
    assert await roles_of(town, "lead") == (Role.LEAD,)
    assert (await theirs.get("/people.json", headers=token)).status_code == 401
    assert (await client.post("/people/999999/back")).status_code == 404


async def test_who_is_removed_has_their_tokens_of_that_workspace_revoked(enter: Enter, town: Town) -> None:
    lead, administrator = await town.person("lead", Role.LEAD, at=town.foreign), town.people["administrator"]
    tokens = [await town.token("lead", Permission.SEE_PEOPLE) for _ in range(2)]
    abroad = await town.token("lead", Permission.SEE_PEOPLE, at=town.foreign)
    others = await town.token("administrator", Permission.SEE_PEOPLE)
    client = await enter("administrator")
    await client.post("/tokens/1/revoke")
    await client.post(f"/people/{lead}/remove")
    assert [(workspace, by, data["of"], data["token"]) for workspace, by, data in town.facts("token.revoked")] == [
        (town.home, administrator, lead, 1),
        (town.home, administrator, lead, 2),
    ]
    async with town.database.transaction(town.home) as conn:
        await conn.execute("UPDATE membership SET ended_at = NULL")  # not by this are they closed
    for token, status in ((tokens[0], 401), (tokens[1], 401), (abroad, 200), (others, 200)):
        assert (await client.get("/people.json", headers=token)).status_code == status


async def test_a_link_for_an_administrator_adds_to_the_roles_of_a_member(town: Town, make_client: MakeClient) -> None:
    lead = town.people["lead"]
    async with town.database.transaction(town.home) as conn:
        await conn.execute("UPDATE membership SET engineer = 7 WHERE person = %s", [lead])
        since = await (await conn.execute("SELECT since FROM membership WHERE person = %s", [lead])).fetchone()
    town.clock.now += timedelta(hours=1)
    for _ in range(2):
        async with town.database.transaction(town.home) as conn:
            token = await make_link(conn, town.home, None, None, town.clock.now)
        sent = {"token": token, "name": "Lead", "address": "lead@example.com", "password": PASSWORD}
        assert (await make_client().post("/enter", data=sent)).status_code == 303
    assert await roles_of(town, "lead") == (Role.LEAD, Role.ADMINISTRATOR)
    facts = town.facts("person.roles_changed")
    assert facts == [(town.home, None, {"of": lead, "was": [1], "roles": [1, 4]})]
    assert [data["of"] for _, _, data in town.facts("person.joined")].count(lead) == 1
    async with town.database.transaction(town.home) as conn:
        row = await (await conn.execute("SELECT since, engineer FROM membership WHERE person = %s", [lead])).fetchone()
    assert row == (since[0] if since else None, 7)


async def test_an_engineer_is_one_person(enter: Enter, town: Town) -> None:
    await busy_desk(town.database, town.home)
    client, lead, engineer = await enter("administrator"), town.people["lead"], town.people["engineer"]
    assert (await client.post(f"/people/{engineer}/teammate", data={"engineer": "101"})).status_code == 303
    assert "Amira Haddad" in (await client.get(f"/people/{engineer}")).text
    taken = await client.post(f"/people/{lead}/teammate", data={"engineer": "101"})
    assert taken.status_code == 409
    assert "is somebody else already" in taken.text
    unknown = await client.post(f"/people/{lead}/teammate", data={"engineer": "999"})
    assert unknown.status_code == 422
    assert (await client.post(f"/people/{engineer}/teammate", data={"engineer": "0"})).status_code == 303
    assert (await client.post(f"/people/{lead}/teammate", data={"engineer": "101"})).status_code == 303
    assert [data["was"] for _, _, data in town.facts("person.engineer_changed")] == [0, 101, 0]


async def test_a_link_for_a_new_password_ends_every_session(enter: Enter, town: Town, make_client: MakeClient) -> None:
    client, theirs = await enter("administrator"), await enter("engineer")
    link = link_in(await client.post(f"/people/{town.people['engineer']}/link"))
    assert (await theirs.get("/access")).status_code == 200
    chosen = {"token": link.partition("token=")[2], "password": "another sentence altogether"}
    assert (await make_client().post("/enter", data=chosen)).status_code == 303
    assert (await theirs.get("/access")).status_code == 401
    signing_in = {"address": "engineer@example.com", "password": PASSWORD}
    assert (await make_client().post("/sign-in", data=signing_in)).status_code == 401


async def test_nobody_resets_who_is_elsewhere_too(enter: Enter, town: Town, make_client: MakeClient) -> None:
    """Ben is at home and abroad: the administrator at home could open what is abroad by a new password."""
    ben = await town.person("ben", Role.ENGINEER)
    await town.person("ben", Role.LEAD, at=town.foreign)
    page = await (await enter("administrator")).post(f"/people/{ben}/link")
    assert page.status_code == 409
    assert "that you do not administer" in page.text
    await town.person("administrator", Role.ADMINISTRATOR, at=town.foreign)
    assert link_in(await (await enter("administrator")).post(f"/people/{ben}/link"))


async def test_a_link_ends_when_it_would_open_more_than_its_maker_may(
    enter: Enter, town: Town, make_client: MakeClient
) -> None:
    """Made for somebody of home alone, who is invited abroad before it is used."""
    client = await enter("administrator")
    link = link_in(await client.post(f"/people/{town.people['engineer']}/link"))
    await town.person("engineer", Role.ADMINISTRATOR, at=town.foreign)
    token = link.partition("token=")[2]
    assert (await make_client().get(link)).status_code == 410
    used = await make_client().post("/enter", data={"token": token, "password": "another sentence altogether"})
    assert used.status_code == 410


async def test_inviting_somebody_from_elsewhere_gives_no_link(enter: Enter, town: Town) -> None:
    page = await (await enter("administrator")).post("/people", data=INVITED | {"address": "abroad@example.com"})
    assert "They have a password already" in page.text
    assert "/enter?token=" not in page.text
    assert "Zoé" not in page.text  # what they are called is their own business
    await town.person("waiting", Role.LEAD, at=town.foreign, enters=False)
    refused = await (await enter("administrator")).post("/people", data=INVITED | {"address": "waiting@example.com"})
    assert refused.status_code == 422
    assert "that you do not administer" in refused.text


async def test_a_link_of_somebody_who_left_is_dead(enter: Enter, town: Town, make_client: MakeClient) -> None:
    client = await enter("administrator")
    link = link_in(await client.post(f"/people/{town.people['engineer']}/link"))
    await client.post(f"/people/{town.people['engineer']}/remove")
    assert (await make_client().get(link)).status_code == 410
    town.clock.now += LINK_LIFE + timedelta(seconds=1)


async def test_sessions_are_counted_for_those_who_may_end_things(enter: Enter, town: Town) -> None:
    await town.cookie("engineer")
    seen = (await (await enter("administrator")).get("/people.json")).json()["rows"]
    assert {each["name"]: each["sessions"] for each in seen}["Engineer"] == 1
    for who in ("lead", "engineer"):
        assert "sessions" not in (await (await enter(who)).get("/people.json")).json()["rows"][0]
        person = (await (await enter(who)).get(f"/people/{town.people['administrator']}.json")).json()
        assert person["member"]["sessions"] == 0
