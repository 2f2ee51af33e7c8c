"""Migrations: once, by one starter, to exactly this release's schema."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import resources

import psycopg
import pytest
from psycopg import sql

from steelyard.kit.errors import SchemaError, StoreError
from steelyard.store import migrate
from steelyard.store.database import Database
from steelyard.store.embedded import APP, OWNER
from steelyard.store.migrate import Step, check, prepare, steps

_SCHEMA = """
SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT tablename, indexname, '' FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT '', proname, pg_get_function_identity_arguments(oid) FROM pg_proc
          WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT tgrelid::regclass::text, tgname, '' FROM pg_trigger WHERE NOT tgisinternal
ORDER BY 1, 2, 3
"""


@pytest.fixture
def empty(server) -> Iterator[tuple[str, str]]:
    """The owner's and the application's URL of a database without any schema."""
    name = f"empty_{next(server.numbers)}"
    server.copy("template1", name)
    yield server.url(OWNER, name), server.url(APP, name)
    server.drop(name)


async def test_an_unprepared_database_is_refused(empty: tuple[str, str]) -> None:
    with pytest.raises(SchemaError, match="DATABASE_OWNER_URL"):
        await check(empty[1])


async def test_migrating_twice_changes_nothing(empty: tuple[str, str]) -> None:
    owner_url, app_url = empty
    assert prepare(owner_url, APP) == [step.name for step in steps()]
    assert prepare(owner_url, APP) == []
    await check(app_url)


async def test_starters_at_once_migrate_once(empty: tuple[str, str]) -> None:
    owner_url, app_url = empty
    together = threading.Barrier(4)

    def start(_: int) -> list[str]:
        together.wait()
        return prepare(owner_url, APP)

    with ThreadPoolExecutor(4) as starters:
        ran = list(starters.map(start, range(4)))
    assert sorted(map(len, ran)) == [0, 0, 0, len(steps())]
    await check(app_url)


async def test_a_failed_migration_leaves_nothing(empty: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    owner_url, app_url = empty
    broken = [*steps(), Step(9999, "broken", "CREATE TABLE half (x integer); SELECT 1 / 0;")]
    monkeypatch.setattr(migrate, "steps", lambda: broken)
    with pytest.raises(psycopg.errors.DivisionByZero):
        prepare(owner_url, APP)
    with psycopg.connect(owner_url) as conn:
        found = conn.execute("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace").fetchone()
    assert found == (0,)
    with pytest.raises(SchemaError):
        await check(app_url)


async def test_an_older_schema_is_brought_up(owner_url: str, app_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    later = [*steps(), Step(9999, "later", "CREATE TABLE later (x integer); GRANT SELECT ON later TO {app};")]
    monkeypatch.setattr(migrate, "steps", lambda: later)
    with pytest.raises(SchemaError, match="older than this release, without later"):
        await check(app_url)
    assert prepare(owner_url, APP) == ["later"]
    await check(app_url)


async def test_a_newer_schema_is_left_alone(owner_url: str, app_url: str) -> None:
    with psycopg.connect(owner_url) as conn:
        conn.execute("INSERT INTO migration (number, name, digest) VALUES (9999, 'from_the_future', 'x')")
    with pytest.raises(SchemaError, match=r"newer release .*from_the_future"):
        await check(app_url)
    with pytest.raises(SchemaError, match="newer release"):
        prepare(owner_url, APP)


async def test_a_changed_migration_is_refused(owner_url: str, app_url: str) -> None:
    with psycopg.connect(owner_url) as conn:
        conn.execute("UPDATE migration SET digest = 'other' WHERE number = 1")
    with pytest.raises(SchemaError, match="released migrations never change"):
        await check(app_url)


async def test_an_older_procrastinate_is_upgraded_to_the_same_schema(empty: tuple[str, str], owner_url: str) -> None:
    """Its own migrations since the recorded version lead to what a new installation gets at once."""
    old_url, app_url = empty
    prepare(old_url, APP)
    files = sorted((resources.files("procrastinate.sql") / "migrations").iterdir(), key=lambda file: file.name)
    with psycopg.connect(old_url, autocommit=True) as conn:
        found = conn.execute("SELECT relname FROM pg_class WHERE relname LIKE 'procrastinate%' AND relkind = 'r'")
        for (name,) in found.fetchall():
            conn.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(name)))
        conn.execute(
            "DO $$ DECLARE each record; BEGIN"
            " FOR each IN SELECT oid::regprocedure AS f FROM pg_proc WHERE proname LIKE 'procrastinate%'"
            " LOOP EXECUTE 'DROP FUNCTION ' || each.f || ' CASCADE'; END LOOP;"
            " FOR each IN SELECT typname AS t FROM pg_type WHERE typname LIKE 'procrastinate%' AND typtype <> 'b'"
            " LOOP EXECUTE 'DROP TYPE ' || each.t || ' CASCADE'; END LOOP; END $$"
        )
        for file in files:
            if file.name.endswith(".sql") and migrate._version(file.name) < (3,):
                conn.execute(file.read_text().encode(), prepare=False)
        conn.execute("UPDATE migration SET name = 'procrastinate 2.99.0', digest = 'old' WHERE number = 0")
    with pytest.raises(SchemaError, match="without procrastinate"):
        await check(app_url)
    assert prepare(old_url, APP) == [steps()[0].name]
    await check(app_url)
    assert _schema(old_url) == _schema(owner_url)


def _schema(url: str) -> list[tuple[str, ...]]:
    with psycopg.connect(url) as conn:
        return conn.execute(_SCHEMA).fetchall()


@pytest.fixture
def plain_owner(server) -> Iterator[Callable[[str], tuple[str, str]]]:
    """A database whose owner is an ordinary role with the given attributes, as on a server that a DBA looks after."""
    number = next(server.numbers)
    name, role = f"dba_{number}", f"dba_owner_{number}"
    superuser = server.url("postgres", "postgres")
    with psycopg.connect(superuser, autocommit=True) as conn:

        def make(attributes: str) -> tuple[str, str]:
            conn.execute(sql.SQL("CREATE ROLE {} LOGIN " + attributes).format(sql.Identifier(role)))
            conn.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(role)))
            return server.url(role, name), server.url(APP, name)

        yield make
        conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        for cell in conn.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'cell_%'").fetchall():
            conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(cell[0])))
        conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


async def test_an_owner_who_may_makes_the_crossing_role(plain_owner: Callable[[str], tuple[str, str]]) -> None:
    owner_url, app_url = plain_owner("CREATEROLE")
    prepare(owner_url, APP, "cell_made")
    await check(app_url)


async def test_an_owner_who_may_not_says_what_the_dba_must_run(
    plain_owner: Callable[[str], tuple[str, str]], superuser_url: str
) -> None:
    owner_url, app_url = plain_owner("")
    with pytest.raises(StoreError, match="as a superuser run") as refused:
        prepare(owner_url, APP, "cell_asked")
    asked = str(refused.value).split("as a superuser run")[1]
    with psycopg.connect(superuser_url, autocommit=True) as conn:
        conn.execute(asked.encode(), prepare=False)
    prepare(owner_url, APP, "cell_asked")
    await check(app_url)


def test_a_missing_application_role_is_named(owner_url: str) -> None:
    with pytest.raises(StoreError, match="role nobody_there does not exist"):
        prepare(owner_url, "nobody_there")
    with pytest.raises(StoreError, match="cannot name"):
        prepare(owner_url, "it's")


UNREACHABLE = [
    ("postgresql://someone:s3cret@127.0.0.1:1/none", r"cannot be reached.*127\.0\.0\.1"),
    ("postgresql//someone:s3cret@127.0.0.1/none", "cannot be reached.* its URL cannot be read"),
    ("postgresql://someone:s3cret@127.0.0.1:1/none?sslmode=odd", 'cannot be reached.*"odd"'),
]


@pytest.mark.parametrize(("url", "told"), UNREACHABLE)
async def test_a_server_out_of_reach_is_told_in_a_sentence(url: str, told: str) -> None:
    with pytest.raises(StoreError, match=told) as refused:
        async with Database.open(url):
            pass
    assert "s3cret" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(("url", "told"), [UNREACHABLE[0], UNREACHABLE[2]])
def test_an_owner_out_of_reach_is_told_in_a_sentence(url: str, told: str) -> None:
    with pytest.raises(StoreError, match=f"{told}.*DATABASE_OWNER_URL") as refused:
        prepare(url, APP)
    assert "s3cret" not in "".join(traceback.format_exception(refused.value))


def test_the_migrations_are_numbered_without_gaps() -> None:
    assert [step.number for step in steps()] == list(range(len(steps())))
