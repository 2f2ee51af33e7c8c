"""Who may serve: nobody whom row-level security does not bind."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from steelyard.kit.errors import StoreError, SuperuserError
from steelyard.store.database import Database
from steelyard.store.embedded import CELL, OWNER
from steelyard.store.migrate import check, prepare
from steelyard.store.roles import role_of


@pytest.fixture
def as_role(superuser_url: str, database_name: str) -> Iterator[object]:
    """Makes a role of this test's own with the given attributes and membership; returns the URL it logs in with."""
    role = sql.Identifier(f"role_of_{database_name}")
    with psycopg.connect(superuser_url, autocommit=True) as conn:

        def make(attributes: str, member_of: str | None = None) -> str:
            conn.execute(sql.SQL("CREATE ROLE {} LOGIN " + attributes).format(role))
            if member_of:
                conn.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(member_of), role))
            return make_conninfo(superuser_url, user=f"role_of_{database_name}")

        yield make
        conn.execute(sql.SQL("DROP OWNED BY {}").format(role))
        conn.execute(sql.SQL("DROP ROLE {}").format(role))


@pytest.mark.parametrize(
    ("attributes", "member_of", "why"),
    [
        ("SUPERUSER", None, "is a superuser or has BYPASSRLS"),
        ("BYPASSRLS", None, "is a superuser or has BYPASSRLS"),
        ("NOINHERIT", "postgres", "can become postgres"),
        ("", OWNER, "owns the tables"),
        ("NOINHERIT", CELL, "crosses workspaces"),
    ],
)
async def test_power_is_refused(as_role, attributes: str, member_of: str | None, why: str) -> None:
    url = as_role(attributes, member_of)
    with pytest.raises(SuperuserError, match=why) as refused:
        async with Database.open(url):
            pass
    assert "Let DATABASE_URL log in as a plain role" in str(refused.value)


async def test_the_owner_and_the_superuser_are_refused(owner_url: str, superuser_url: str) -> None:
    for url in (owner_url, superuser_url):
        with pytest.raises(SuperuserError):
            await check(url)


async def test_the_application_is_not(app_url: str) -> None:
    await check(app_url)


def test_owner_and_application_are_two_roles(owner_url: str) -> None:
    with pytest.raises(SuperuserError, match="cannot be both"):
        prepare(owner_url, OWNER)


def test_the_role_of_a_url() -> None:
    assert role_of("postgresql://app:secret@db.example/steelyard?sslmode=require") == "app"
    assert role_of("host=/tmp user=app dbname=x") == "app"
    with pytest.raises(StoreError, match="names no role"):
        role_of("postgresql://db.example/steelyard")
