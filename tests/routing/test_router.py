"""The router on a real database: what is stored is decided, recorded in one transaction, and can be explained."""

from __future__ import annotations

import asyncio

import pytest
from payloads import (
    BEGAN,
    CREATED,
    admin,
    conversation,
    note,
    notification,
    roster,
    tag,
    with_parts,
    with_tags,
)

from steelyard.kit.ids import Position
from steelyard.main.ground import adopt_policy, shipped_policy
from steelyard.routing import replay, router, store

ASSIGNED = "conversation.admin.assigned"
AWAY = "admin.away_mode_updated"


def created(id: int, **changes) -> bytes:
    return notification(CREATED, conversation(id, **changes), id=f"created {id}")


async def test_the_engineer_who_carries_the_least_gets_it(bench) -> None:
    await bench.route(roster([admin(1), admin(2)]))
    await bench.route(created(10, source={"subject": "Reverse proxy", "body": "nginx reverse proxy gives 502"}))
    await bench.route(created(11), created(12), created(13))
    owners = await bench.owners()
    assert owners[10] == 1
    assert [owners[11], owners[12], owners[13]] == [2, 2, 2]
    assert [conversation for _, conversation in bench.asked.delivered] == [10, 11, 12, 13]


async def test_it_waits_until_somebody_is_available(bench) -> None:
    await bench.route(roster([admin(1, away_mode_enabled=True)]))
    await bench.route(created(10), created(11))
    assert await bench.owners() == {10: None, 11: None}
    await bench.route(notification(AWAY, admin(1), id="back", created_at=BEGAN + 60))
    assert await bench.owners() == {10: 1, 11: 1}
    assert [conversation for _, conversation in bench.asked.delivered] == [10, 11]


async def test_only_the_team_is_asked(bench) -> None:
    teams = [{"type": "team", "id": "7", "name": "Premium", "admin_ids": [2]}]
    await bench.route(roster([admin(1), admin(2)], teams))
    await bench.route(*(created(id, team_assignee_id=7) for id in range(10, 15)))
    assert set((await bench.owners()).values()) == {2}
    await bench.route(created(20, team_assignee_id=99))
    assert (await bench.owners())[20] is None


async def test_people_count(bench) -> None:
    await bench.route(roster([admin(1), admin(2)]))
    await bench.route(created(10, admin_assignee_id=1, **with_tags(tag("weight:8"))))
    await bench.route(created(11))
    assert (await bench.owners())[11] == 2
    moved = conversation(10, updated_at=BEGAN + 5, admin_assignee_id=2)
    await bench.route(notification(ASSIGNED, moved, id="moved", created_at=BEGAN + 5))
    noted = conversation(11, updated_at=BEGAN + 6, admin_assignee_id=2, **with_parts(note("/weight 20", BEGAN + 6)))
    await bench.route(notification("conversation.admin.noted", noted, id="noted", created_at=BEGAN + 6))
    [(weight,)] = await bench.rows("SELECT weight FROM conversation WHERE conversation = 11")
    assert weight == 20
    await bench.route(created(12))
    assert (await bench.owners())[12] == 1
    closed = conversation(12, updated_at=BEGAN + 9, admin_assignee_id=1, state="closed", open=False)
    await bench.route(notification("conversation.admin.closed", closed, id="closed", created_at=BEGAN + 9))
    assert 12 not in await bench.owners()


async def test_unassigned_by_hand_is_decided_again(bench) -> None:
    await bench.route(roster([admin(1)]))
    await bench.route(created(10, admin_assignee_id=1))
    freed = conversation(10, updated_at=BEGAN + 5)
    await bench.route(notification(ASSIGNED, freed, id="freed", created_at=BEGAN + 5))
    assert len(bench.asked.delivered) == 1


async def test_the_echo_of_a_delivery_moves_nothing(bench) -> None:
    await bench.route(roster([admin(1), admin(2)]))
    await bench.route(created(10))
    part = {"type": "conversation_part", "id": "5", "part_type": "assignment", "app_package_code": "steelyard-app"}
    echo = conversation(10, updated_at=BEGAN + 1, admin_assignee_id=1, **with_parts(part))
    await bench.route(notification(ASSIGNED, echo, id="echo", created_at=BEGAN + 1))
    assert len(bench.asked.delivered) == 1
    [(ours,)] = await bench.rows("SELECT data->'ours' FROM ledger WHERE kind = 'conversation.assigned'")
    assert ours is True


async def test_a_payload_is_handled_once_and_says_what_became_of_it(bench) -> None:
    await bench.route(roster([admin(1)]))
    await bench.route(created(10), created(10), notification("ping", {}, id="p"), notification("odd", {}, id="o"))
    rows = await bench.rows("SELECT notification, copies, outcome, reason FROM inbox ORDER BY seq")
    assert [tuple(row) for row in rows[1:]] == [
        ("created 10", 2, "fact", None),
        ("p", 1, "ignored", "a test of the address"),
        ("o", 1, "ignored", "unknown topic"),
    ]


async def test_a_batch_is_marked_without_reading_all_that_waits(bench) -> None:
    """A plan that a worker kept would be that of its first day, when nothing waited."""
    async with bench.database.transaction(bench.workspace) as conn:
        for _ in range(12):  # what is prepared at all has its final plan by then
            await store.write_handled(conn, bench.workspace, [store.Handled(0, "fact")])
        await conn.execute(
            "INSERT INTO inbox (workspace, notification, topic, body)"
            " SELECT %s, number::text, 'odd', '' FROM generate_series(1, 3000) AS number",
            (bench.workspace,),
        )
        seqs = [seq for (seq,) in await (await conn.execute("SELECT seq FROM inbox ORDER BY seq LIMIT 50")).fetchall()]
        touched = "SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'inbox'"
        [before] = await (await conn.execute(touched)).fetchone()
        await store.write_handled(conn, bench.workspace, [store.Handled(seq, "ignored", f"{seq}") for seq in seqs[::2]])
        [after] = await (await conn.execute(touched)).fetchone()
    assert after - before <= 100
    marked = await bench.rows("SELECT seq, outcome, reason FROM inbox WHERE handled_at IS NOT NULL ORDER BY seq")
    assert [tuple(row) for row in marked] == [(seq, "ignored", f"{seq}") for seq in seqs[::2]]


async def test_a_roster_that_contradicts_a_webhook_of_its_second_is_read_again(bench) -> None:
    gone = notification("admin.away_mode_updated", admin(1, away_mode_enabled=True), id="gone")
    await bench.route(gone)
    await bench.route(roster([admin(1)]))
    assert bench.asked.rosters == 1


async def test_every_decision_is_explained_and_equals_its_digest(bench, monkeypatch) -> None:
    monkeypatch.setattr(router, "SNAPSHOT_EVERY", 7)
    teams = [{"type": "team", "id": "7", "name": "Premium", "admin_ids": [2, 3]}]
    await bench.route(roster([admin(id, away_mode_enabled=id == 4) for id in range(1, 6)], teams))
    for id in range(10, 40):
        await bench.route(created(id, team_assignee_id=7 if id % 3 == 0 else 0))
        if id % 5 == 0:
            closed = conversation(id, updated_at=BEGAN + id, admin_assignee_id=1, state="closed", open=False)
            await bench.route(notification("conversation.admin.closed", closed, id=f"closed {id}"))
    assert await bench.rows("SELECT count(*) FROM snapshot") != [(0,)]
    decisions = await bench.rows("SELECT decision, winner FROM decision ORDER BY decision")
    assert len(decisions) == 30
    for position, winner in decisions:
        explained = await replay.explain(bench.database, bench.workspace, Position(position))
        assert explained.identical
        free = [each for each in explained.candidates if not each.exclusions]
        assert min(free, key=lambda each: (each.load, each.last_assigned, each.engineer)).engineer == winner


async def test_a_second_router_goes_on_where_the_first_stopped(bench) -> None:
    await bench.route(roster([admin(1), admin(2)]))
    other = bench.another_router()
    for id in range(10, 20):
        await bench.put(created(id))
        await (bench.router if id % 2 else other).route(bench.workspace)
    owners = list((await bench.owners()).values())
    assert owners.count(1) == owners.count(2) == 5


async def test_two_routers_at_once_decide_nothing_twice(bench) -> None:
    await bench.route(roster([admin(1), admin(2)]))
    await bench.put(*(created(id) for id in range(10, 80)))
    others = [bench.another_router() for _ in range(4)]

    async def run(each) -> None:
        for _ in range(60):
            await each.route(bench.workspace)

    await asyncio.gather(*map(run, others))
    owners = list((await bench.owners()).values())
    assert owners.count(1) == owners.count(2) == 35
    [(count, distinct)] = await bench.rows("SELECT count(*), count(DISTINCT conversation) FROM decision")
    assert count == distinct == 70


async def test_what_fails_to_commit_is_decided_again(bench) -> None:
    await bench.route(roster([admin(1), admin(2)]))
    deliver = bench.asked.deliver

    async def fail(*_: object) -> None:
        raise RuntimeError("the job was not deferred")

    bench.asked.deliver = fail
    await bench.put(created(10))
    with pytest.raises(RuntimeError):
        await bench.router.route(bench.workspace)
    assert await bench.rows("SELECT count(*) FROM decision") == [(0,)]
    bench.asked.deliver = deliver
    await bench.route(created(11))
    assert await bench.owners() == {10: 1, 11: 2}


async def test_away_and_back_in_one_second_are_read_from_intercom(bench) -> None:
    await bench.route(roster([admin(1)]))
    await bench.route(notification(AWAY, admin(1, away_mode_enabled=True), id="b", created_at=BEGAN + 5))
    assert bench.asked.rosters == 0
    await bench.route(notification(AWAY, admin(1), id="a", created_at=BEGAN + 5))
    assert bench.asked.rosters == 1
    await bench.route(roster([admin(1)], at=BEGAN + 5), created(10))
    assert await bench.owners() == {10: 1}


async def test_a_policy_that_is_adopted_gives_what_waits(bench) -> None:
    await bench.route(roster([admin(1)]))
    await bench.route(notification("admin.logged_out", admin(1), id="out", created_at=BEGAN + 1), created(10))
    assert await bench.owners() == {10: None}
    async with bench.database.transaction(bench.workspace) as conn:
        text = shipped_policy().replace('logged_out = "away"', 'logged_out = "available"')
        await adopt_policy(conn, bench.workspace, text)
    await bench.route()
    assert await bench.owners() == {10: 1}
    [(position,)] = await bench.rows("SELECT decision FROM decision")
    assert (await replay.explain(bench.database, bench.workspace, Position(position))).identical


async def test_a_team_that_is_not_known_is_asked_for(bench) -> None:
    await bench.route(roster([admin(1)]))
    await bench.route(created(10, team_assignee_id=7))
    assert bench.asked.rosters == 1
    teams = [{"type": "team", "id": "7", "name": "New", "admin_ids": [1]}]
    await bench.route(roster([admin(1)], teams, at=BEGAN + 2))
    assert await bench.owners() == {10: 1}


async def test_a_team_that_is_gone_has_nobody(bench) -> None:
    teams = [{"type": "team", "id": "7", "name": "Old", "admin_ids": [1]}]
    await bench.route(roster([admin(1)], teams), roster([admin(1)], at=BEGAN + 300))
    await bench.route(created(10, team_assignee_id=7))
    assert await bench.owners() == {10: None}
