"""What is old goes, what is young or still work stays."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from procrastinate.jobs import Status

from steelyard.jobs.app import job_app
from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Database
from steelyard.store.retention import TABLES, expire

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]

# Taken once: the database refuses to expire rows that are young by its own clock.
NOW = datetime.now(UTC)


async def receive(database: Database, workspace: WorkspaceId, days: int, handled: bool) -> None:
    async with database.transaction(workspace) as conn:
        await conn.execute(
            "INSERT INTO inbox (workspace, notification, topic, body, received_at, handled_at)"
            " VALUES (%s, %s, 't', '', %s, %s)",
            [workspace, f"{days} {handled}", NOW - timedelta(days=days), NOW if handled else None],
        )


async def test_handled_webhooks_go_after_thirty_days(database: Database, make_workspace: MakeWorkspace) -> None:
    for workspace in (await make_workspace("one"), await make_workspace("two")):
        for days in (29, 31, 40, 50):
            await receive(database, workspace, days, handled=True)
        await receive(database, workspace, 400, handled=False)
    assert (await expire(database, NOW, batch=4))["inbox"] == 6
    async with database.transaction(WorkspaceId("eu1.one")) as conn:
        left = await (await conn.execute("SELECT notification FROM inbox ORDER BY 1")).fetchall()
    assert left == [("29 True",), ("400 False",)]
    assert (await expire(database, NOW))["inbox"] == 0


async def test_texts_names_links_and_sessions_go(database: Database, make_workspace: MakeWorkspace) -> None:
    workspace = await make_workspace()
    async with database.transaction(workspace) as conn:
        for conversation, days in ((1, 89), (2, 91)):
            await conn.execute(
                "INSERT INTO conversation_text (workspace, conversation, subject, body, tags, attributes, language,"
                " contact, stored_at) VALUES (%s, %s, '', '', '{}', '{}', '', '', %s)",
                [workspace, conversation, NOW - timedelta(days=days)],
            )
        for engineer, days in ((1, 364), (2, 366)):
            await conn.execute(
                "INSERT INTO teammate_name (workspace, engineer, name, seen_at) VALUES (%s, %s, 'Ada', %s)",
                [workspace, engineer, NOW - timedelta(days=days)],
            )
        [(person,)] = await (await conn.execute("SELECT person_of_address('ada@example.com', 'Ada')")).fetchall()
        for token, seconds in ((b"old", -1), (b"new", 60)):
            await conn.execute(
                "INSERT INTO link (workspace, token_hash, expires_at) VALUES (%s, %s, %s)",
                [workspace, token, NOW + timedelta(seconds=seconds)],
            )
        await conn.execute("SELECT set_config('steelyard.person', %s, true)", [str(person)])
        for token, seconds in ((b"old", -1), (b"new", 60)):
            await conn.execute(
                "INSERT INTO session (token_hash, person, started_at, seen_at, expires_at, agent)"
                " VALUES (%s, %s, %s, %s, %s, '')",
                [token, person, NOW, NOW, NOW + timedelta(seconds=seconds)],
            )
    gone = {table: count for table, count in (await expire(database, NOW)).items() if count}
    assert gone == {"conversation_text": 1, "teammate_name": 1, "link": 1, "session": 1}
    async with database.transaction(workspace) as conn:
        assert await (await conn.execute("SELECT conversation FROM conversation_text")).fetchall() == [(1,)]
        assert await (await conn.execute("SELECT engineer FROM teammate_name")).fetchall() == [(1,)]
        assert await (await conn.execute("SELECT token_hash FROM link")).fetchall() == [(b"new",)]


async def choose(database: Database, workspace: WorkspaceId, messages: int, webhooks: int, minutes_ago: int) -> None:
    async with database.transaction(workspace) as conn:
        await conn.execute(
            "UPDATE workspace SET keep_messages = %s, keep_webhooks = %s,"
            " keep_chosen_at = now() - make_interval(mins => %s) WHERE workspace = %s",
            [messages, webhooks, minutes_ago, workspace],
        )


async def write(database: Database, workspace: WorkspaceId, days: int) -> None:
    async with database.transaction(workspace) as conn:
        await conn.execute(
            "INSERT INTO conversation_text (workspace, conversation, subject, body, tags, attributes, language,"
            " contact, stored_at) VALUES (%s, %s, '', '', '{}', '{}', '', '', %s)",
            [workspace, days, NOW - timedelta(days=days)],
        )


async def test_each_workspace_keeps_as_long_as_it_chose(database: Database, make_workspace: MakeWorkspace) -> None:
    short, long = await make_workspace("short"), await make_workspace("long")
    for workspace in (short, long):
        for days in (6, 8, 89, 91):
            await receive(database, workspace, days, handled=True)
            await write(database, workspace, days)
    await choose(database, short, 7, 7, minutes_ago=61)
    await choose(database, long, 365, 90, minutes_ago=61)
    gone = await expire(database, NOW)
    assert (gone["conversation_text"], gone["inbox"]) == (3, 4)
    async with database.transaction(short) as conn:
        assert await (await conn.execute("SELECT conversation FROM conversation_text")).fetchall() == [(6,)]
    async with database.transaction(long) as conn:
        assert len(await (await conn.execute("SELECT FROM conversation_text")).fetchall()) == 4
        assert len(await (await conn.execute("SELECT FROM inbox")).fetchall()) == 3


async def test_for_an_hour_after_the_choice_nothing_goes(database: Database, make_workspace: MakeWorkspace) -> None:
    chosen, other = await make_workspace("chosen"), await make_workspace("other")
    for workspace in (chosen, other):
        await receive(database, workspace, 31, handled=True)
        await write(database, workspace, 91)
    await choose(database, chosen, 7, 7, minutes_ago=59)
    gone = await expire(database, NOW)
    assert (gone["conversation_text"], gone["inbox"]) == (1, 1), "those of the other"
    await choose(database, chosen, 7, 7, minutes_ago=61)
    gone = await expire(database, NOW)
    assert (gone["conversation_text"], gone["inbox"]) == (1, 1)


async def test_a_removed_notification_can_be_put_back_for_a_day(
    database: Database, make_workspace: MakeWorkspace
) -> None:
    workspace = await make_workspace()
    async with database.transaction(workspace) as conn:
        for name, removed in (("used", None), ("fresh", 23), ("old", 25)):
            await conn.execute(
                "INSERT INTO notification (workspace, name, address, language, created_at, removed_at)"
                " VALUES (%s, %s, '', 'en', %s, %s)",
                [workspace, name, NOW, NOW - timedelta(hours=removed) if removed else None],
            )
    assert (await expire(database, NOW))["notification"] == 1
    async with database.transaction(workspace) as conn:
        left = await (await conn.execute("SELECT name FROM notification ORDER BY name")).fetchall()
    assert left == [("fresh",), ("used",)]


async def test_failed_jobs_go_after_a_month_and_waiting_ones_never(database: Database, app_url: str) -> None:
    jobs = job_app(app_url, size=2)
    async with jobs.open_async():
        waiting = await jobs.configure_task("nothing").defer_async(x=1)
        failed = await jobs.configure_task("nothing").defer_async(x=2)
        await jobs.job_manager.finish_job_by_id_async(failed, status=Status.FAILED, delete_job=False)
        assert (await expire(database, NOW + timedelta(days=29)))["procrastinate_jobs"] == 0
        assert (await expire(database, NOW + timedelta(days=31)))["procrastinate_jobs"] == 1
        left = [job.id for job in await jobs.job_manager.list_jobs_async()]
        assert left == [waiting]


async def test_a_round_is_bounded(database: Database, make_workspace: MakeWorkspace) -> None:
    workspace = await make_workspace()
    for days in range(31, 41):
        await receive(database, workspace, days, handled=True)
    assert (await expire(database, NOW, batch=2, rounds=3))["inbox"] == 6


def test_every_table_says_why() -> None:
    assert all(table.why for table in TABLES)
    assert [table.name for table in TABLES if table.expire is not None and table.keep is None] == []
