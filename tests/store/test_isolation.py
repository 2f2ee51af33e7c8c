"""Row-level security, seen as the application: a forgotten WHERE cannot leak."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql

from steelyard.kit.ids import WorkspaceId
from steelyard.kit.scopes import Scope
from steelyard.routing.connections import Unseal, secret_place
from steelyard.store.database import Database
from steelyard.store.embedded import APP, CELL
from steelyard.store.retention import TABLES

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]

CROSSING = {
    "secret_of_app",
    "store_batch",
    "workspaces_with_work",
    "workspaces_of_cell",
    "expire_inbox",
    "expire_conversation_text",
    "expire_teammate_name",
    "expire_reading",
    "expire_alarm",
    "places_of_cell",
    "person_signing_in",
    "person_of_session",
    "person_of_address",
    "workspaces_of_person",
    "workspaces_beyond",
    "sessions_of_members",
    "expire_session",
    "expire_link",
    "expire_api_token",
    "expire_notification",
    "expire_run",
    "expire_run_line",
    "expire_finding",
    "expire_companion_code",
    "drop_companion_codes",
}
VALUES = {
    "text": "'x'",
    "bigint": "1",
    "integer": "1",
    "boolean": "true",
    "timestamp with time zone": "now()",
    "jsonb": "'{}'",
    "bytea": "'\\x00'",
    "ARRAY": "'{}'",
}
OF_WORKSPACE = [table.name for table in TABLES if table.scope is Scope.WORKSPACE]


def fill(superuser_url: str, workspace: str) -> None:
    """One row of `workspace` in every table that has none of it, whatever its columns are."""
    with psycopg.connect(superuser_url) as conn:
        conn.execute("SET session_replication_role = replica")  # rows may name others that are not there
        for table in OF_WORKSPACE:
            columns = conn.execute(
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s"
                " AND table_schema = 'public' AND is_identity = 'NO' AND is_nullable = 'NO' AND is_generated = 'NEVER'",
                [table],
            ).fetchall()
            values = [
                sql.Literal(workspace) if name == "workspace" else sql.SQL(VALUES[kind]) for name, kind in columns
            ]
            insert = sql.SQL("INSERT INTO {} ({}) SELECT {} WHERE NOT EXISTS (SELECT FROM {} WHERE workspace = {})")
            names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns)
            here = sql.Identifier(table)
            conn.execute(insert.format(here, names, sql.SQL(", ").join(values), here, sql.Literal(workspace)))


async def counts(database: Database, workspace: WorkspaceId | None) -> dict[str, int]:
    found = {}
    transaction = database.cell() if workspace is None else database.transaction(workspace)
    async with transaction as conn:
        for table in OF_WORKSPACE:
            cursor = await conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
            found[table] = (await cursor.fetchone())[0]
    return found


async def test_a_forgotten_where_sees_one_workspace(
    database: Database, make_workspace: MakeWorkspace, superuser_url: str
) -> None:
    mine, other = await make_workspace("mine"), await make_workspace("other")
    fill(superuser_url, other)
    assert set((await counts(database, other)).values()) == {1}
    only_itself = {table: int(table in ("workspace", "connection")) for table in OF_WORKSPACE}
    assert await counts(database, mine) == only_itself


async def test_without_a_workspace_nothing_is_seen(
    database: Database, make_workspace: MakeWorkspace, superuser_url: str
) -> None:
    fill(superuser_url, await make_workspace())
    assert set((await counts(database, None)).values()) == {0}
    assert set((await counts(database, WorkspaceId(""))).values()) == {0}


async def test_the_workspace_ends_with_its_transaction(app_url: str, make_workspace: MakeWorkspace) -> None:
    workspace = await make_workspace()
    async with Database.open(app_url, size=1) as database:
        assert (await counts(database, workspace))["workspace"] == 1
        assert (await counts(database, None))["workspace"] == 0
        with pytest.raises(ZeroDivisionError):
            async with database.transaction(workspace):
                raise ZeroDivisionError
        assert (await counts(database, None))["workspace"] == 0


@pytest.mark.parametrize("name", ["eu1.'; DROP TABLE ledger; --", "eu1.\\'", 'eu1."', "eu1.%s{}é"])
async def test_a_hostile_workspace_name_is_only_a_name(database: Database, name: str) -> None:
    async with database.transaction(WorkspaceId(name)) as conn:
        cursor = await conn.execute("SELECT current_setting('steelyard.workspace')")
        assert await cursor.fetchone() == (name,)


@pytest.mark.parametrize("table", OF_WORKSPACE)
async def test_rows_of_another_cannot_be_written(
    database: Database, make_workspace: MakeWorkspace, superuser_url: str, table: str
) -> None:
    mine, other = await make_workspace("mine"), await make_workspace("other")
    for workspace in (mine, other):
        fill(superuser_url, workspace)
    here = sql.Identifier(table)
    async with database.transaction(mine) as conn:
        if table != "ledger":
            changed = await conn.execute(sql.SQL("UPDATE {} SET workspace = workspace").format(here))
            assert changed.rowcount == 1
    for statement in (
        sql.SQL("UPDATE {} SET workspace = {}").format(here, sql.Literal("eu1.elsewhere")),
        sql.SQL("INSERT INTO {} (workspace) VALUES ({})").format(here, sql.Literal("eu1.elsewhere")),
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with database.transaction(mine) as conn:
                await conn.execute(statement)


async def test_every_table_of_a_workspace_is_guarded(superuser_url: str) -> None:
    """Every table there is, Procrastinate's too, is registered; those with workspaces' rows are guarded."""
    with psycopg.connect(superuser_url) as conn:
        found = conn.execute(
            "SELECT relname, relrowsecurity AND relforcerowsecurity,"
            " EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'workspace'),"
            " EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid"
            "   AND pg_get_expr(polqual, polrelid) LIKE '%steelyard.workspace%')"
            " FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')"
        ).fetchall()
    assert {name for name, *_ in found} == {table.name for table in TABLES}
    assert {name for name, _, has_workspace, _ in found if has_workspace} == set(OF_WORKSPACE)
    assert {name for name, guarded, has_workspace, policy in found if has_workspace and guarded and policy} == set(
        OF_WORKSPACE
    )


async def test_only_the_known_functions_cross(superuser_url: str) -> None:
    with psycopg.connect(superuser_url) as conn:
        functions = conn.execute(
            "SELECT proname, rolname, proconfig, has_function_privilege('public', pg_proc.oid, 'EXECUTE')"
            " FROM pg_proc JOIN pg_roles ON pg_roles.oid = proowner"
            " WHERE prosecdef AND pronamespace = 'public'::regnamespace"
        ).fetchall()
        roles = conn.execute(
            "SELECT rolname, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb, rolcanlogin FROM pg_roles"
            " WHERE rolname = ANY(%s) ORDER BY 1",
            [[APP, CELL]],
        ).fetchall()
        may_create = conn.execute(
            "SELECT has_schema_privilege(%s, 'public', 'CREATE'), has_schema_privilege(%s, 'public', 'CREATE')",
            [APP, CELL],
        ).fetchone()
        readable = conn.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            " AND has_table_privilege(%s, oid, 'SELECT')",
            [CELL],
        ).fetchall()
    assert {name for name, *_ in functions} == CROSSING
    assert {(owner, *config, public) for _, owner, config, public in functions} == {
        (CELL, "search_path=public, pg_temp", False)
    }
    assert roles == [(APP, False, True), (CELL, False, False)]
    assert may_create == (False, False)
    assert {name for (name,) in readable} == {
        "connection",
        "workspace",
        "inbox",
        "conversation_text",
        "teammate_name",
        "reading",
        "alarm",
        "person",
        "membership",
        "session",
        "link",
        "api_token",
        "notification",
        "run",
        "run_line",
        "finding",
        "companion_code",
    }


async def test_the_application_cannot_become_another_role(database: Database) -> None:
    for role in ("steelyard_cell", "steelyard_owner", "postgres"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with database.cell() as conn:
                await conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))


async def test_crossing_functions_say_no_more_than_they_must(
    database: Database, make_workspace: MakeWorkspace, unseal: Unseal
) -> None:
    mine, other = await make_workspace("mine"), await make_workspace("other", client_secret="hidden")
    async with database.transaction(mine) as conn:
        ((found, secret),) = await (await conn.execute("SELECT * FROM secret_of_app('other')")).fetchall()
        assert found == other
        assert unseal(secret, secret_place(other)) == "hidden"
        assert await (await conn.execute("SELECT * FROM secret_of_app('nobody')")).fetchall() == []
        stored = await conn.execute(
            "SELECT store_batch(%s, %s, %s, %s)",
            [[other, mine, other, other], ["n1", "n1", "n2", "n1"], ["t"] * 4, [b"a", b"b", b"c", b"d"]],
        )
        assert await stored.fetchone() == (3,)
    async with database.transaction(other) as conn:
        rows = await (await conn.execute("SELECT notification, body, copies FROM inbox ORDER BY seq")).fetchall()
    assert rows == [("n1", b"a", 2), ("n2", b"c", 1)]
    async with database.cell() as conn:
        await conn.execute("SELECT store_batch(%s, %s, %s, %s)", [[other], ["n1"], ["t"], [b"z"]])
        work = await (await conn.execute("SELECT workspaces_with_work()")).fetchall()
        assert work == [(other,), (mine,)]
    async with database.transaction(other) as conn:
        assert await (await conn.execute("SELECT copies FROM inbox WHERE notification = 'n1'")).fetchone() == (3,)


async def test_no_caller_can_expire_what_is_young(database: Database, make_workspace: MakeWorkspace) -> None:
    workspace = await make_workspace()
    async with database.transaction(workspace) as conn:
        await conn.execute(
            "INSERT INTO inbox (workspace, notification, topic, body, handled_at) VALUES (%s, 'n', 't', '', now())",
            [workspace],
        )
    async with database.cell() as conn:
        far = datetime.now(UTC) + timedelta(days=10_000)
        assert await (await conn.execute("SELECT expire_inbox(%s, 10)", [far])).fetchone() == (0,)
