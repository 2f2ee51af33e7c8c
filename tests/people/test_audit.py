"""The audit: who did what, to whom, found by every filter, and told in words."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import psycopg
import pytest

from desk_seed import busy_desk
from signing_in import INVITED, Enter
from steelyard.kit.facts import Fact
from steelyard.kit.ids import ConversationId, EngineerId
from steelyard.kit.instants import micros
from steelyard.main.console import TELLINGS
from steelyard.main.ground import ledger
from steelyard.people.audit import AUDITED
from steelyard.people.audit_pages import TELLING
from steelyard.people.record import KINDS
from town import Town


async def done(town: Town, kind: str, by: str = "lead", data: str = "{}", **about: int) -> None:
    conversation, engineer = about.get("conversation"), about.get("engineer")
    fact = Fact(
        kind,
        micros(town.clock.now),
        None if conversation is None else ConversationId(conversation),
        None if engineer is None else EngineerId(engineer),
        data,
        town.people[by] if by else None,
    )
    async with town.database.transaction(town.home) as conn:
        await ledger().append(conn, town.home, [fact])


async def test_what_is_done_is_told_with_who_and_to_whom(enter: Enter, town: Town) -> None:
    client = await enter("administrator")
    await client.post("/people", data=INVITED)
    page = await client.get("/audit?kind=person.joined&who=" + str(town.people["administrator"]))
    for words in ("Administrator", "Became a member, as: lead", "Zoé Roux"):
        assert words in page.text


async def test_every_filter_finds_its_own(enter: Enter, town: Town) -> None:
    await busy_desk(town.database, town.home)
    await done(town, "conversation.move_asked", conversation=5001, engineer=101)
    await done(town, "engineer.away_asked", by="engineer", engineer=102, data='{"away":true}')
    town.clock.now += timedelta(days=3)
    await done(town, "person.removed", data=f'{{"of":{town.people["author"]}}}')
    client, lead = await enter("operator"), town.people["lead"]
    for query, kinds in {
        f"who={lead}": ["person.removed", "conversation.move_asked"],
        f"whom={town.people['author']}": ["person.removed", "person.joined"],
        "conversation=5001": ["conversation.move_asked"],
        "engineer=102": ["engineer.away_asked"],
        "kind=conversation.move_asked": ["conversation.move_asked"],
        f"at.from={town.clock.now:%Y-%m-%d}": ["person.removed"],
        f"at.to={town.clock.now - timedelta(days=3):%Y-%m-%d}&who={lead}": ["conversation.move_asked"],
        "kind=conversation.move_asked&conversation=1": [],
    }.items():
        found = (await client.get(f"/audit.json?{query}")).json()
        assert [each["kind"] for each in found["rows"]] == kinds, query
        assert found["ignored"] == []
        page = await client.get(f"/audit?{query}")
        assert page.status_code == 200
    assert "Gave the conversation to Amira Haddad" in (await client.get("/audit?conversation=5001")).text
    assert 'href="/conversations/5001"' in (await client.get("/audit?conversation=5001")).text


async def test_what_the_router_does_by_itself_is_not_in_it(enter: Enter, town: Town) -> None:
    desk = await busy_desk(town.database, town.home)
    kinds = {each["kind"] for each in (await (await enter("lead")).get("/audit.json")).json()["rows"]}
    assert len(desk.decided) > 20
    assert not [kind for kind in kinds if kind.startswith(("decision.", "conversation.", "team."))]


async def test_pages_and_files_hold_the_same(enter: Enter, town: Town) -> None:
    for number in range(120):
        await done(town, "aside.retried", data=f'{{"count":{number}}}')
    client = await enter("lead")
    pages = [(await client.get(f"/audit?kind=aside.retried&page={page}")).text for page in (1, 2, 3)]
    assert [text.count("set-aside message") for text in pages] == [50, 50, 20]
    assert "Had 119 set-aside" in pages[0]
    rows = list(csv.DictReader(io.StringIO((await client.get("/audit.csv?kind=aside.retried")).text)))
    assert [each["data"] for each in rows] == [f'{{"count":{number}}}' for number in reversed(range(120))]
    assert {each["who_name"] for each in rows} == {"Lead"}


async def test_somebody_who_left_is_still_called_by_name(enter: Enter, town: Town) -> None:
    client = await enter("administrator")
    await done(town, "person.sessions_ended", by="engineer", data='{"count":1}')
    await client.post(f"/people/{town.people['engineer']}/remove")
    assert "Engineer" in (await client.get(f"/audit?who={town.people['engineer']}")).text


@pytest.mark.parametrize(
    "data", ["{}", '{"of":"x","roles":7,"was":[null,9,"a"],"count":"<b>","switch":5,"e":3}', "[1]"]
)
async def test_every_kind_is_told_whatever_its_data(enter: Enter, town: Town, data: str) -> None:
    """Those of a release that is newer, too."""
    kinds = [*TELLING.kinds, *(kind for each in TELLINGS for kind in each.kinds), "person.teleported"]
    for kind in kinds:
        await done(town, kind, data=data)
    client = await enter("lead")
    for language in ("en", "fr"):
        page = await client.get("/audit", params={"lang": language, "who": town.people["lead"]})
        assert page.status_code == 200
        assert "<code>person.teleported</code>" in page.text
        assert "<b>" not in page.text


def test_every_kind_that_is_recorded_is_told() -> None:
    assert set(KINDS) == set(TELLING.kinds)


async def test_its_index_answers(town: Town, superuser_url: str) -> None:
    """The condition of the query is that of the index, word for word."""
    chosen = AUDITED.replace("%%", "%")
    query = f"SELECT position {chosen} AND workspace = 'eu1.home' ORDER BY position DESC LIMIT 50"
    with psycopg.connect(superuser_url) as conn:
        conn.execute("SET enable_seqscan = off")
        plan = "\n".join(row for (row,) in conn.execute(f"EXPLAIN {query}").fetchall())  # type: ignore[arg-type]
    assert "ledger_audit" in plan, plan


def test_whatever_is_told_of_people_is_listed_also_of_nobody_in_particular() -> None:
    kinds = [kind for telling in (TELLING, *TELLINGS) for kind in telling.kinds]
    listed = [kind for kind in kinds if f"'{kind}'" in AUDITED or f"'{kind.partition('.')[0]}.%%'" in AUDITED]
    assert listed == kinds
