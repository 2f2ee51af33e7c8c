"""The statement of the hot path: what it sends arrives, what goes wrong is raised, and nothing hangs."""

from __future__ import annotations

import asyncio
import hashlib

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.adapt import PyFormat, Transformer

from steelyard.store.arrays import BYTEA_ARRAY, TEXT_ARRAY, bytea_array, text_array
from steelyard.store.statement import Statement

STORABLE = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.fixture
async def connection(app_url: str):
    async with await psycopg.AsyncConnection.connect(app_url, autocommit=True) as opened:
        yield opened


async def test_large_parameters_go_out_whole(connection) -> None:
    whole = "SELECT 1 / (length(($1)[2]) = 8000001 AND md5(($1)[2]) = '{}')::int"
    for number in range(3):
        value = b"%d" % number + b"x" * 8_000_000
        statement = Statement(connection, whole.format(hashlib.md5(value).hexdigest()), [BYTEA_ARRAY])
        await asyncio.wait_for(statement.execute([bytea_array([b"", value])]), 20)
        await connection.execute("DEALLOCATE ALL")
        statement = Statement(connection, whole.format("0"), [BYTEA_ARRAY])
        with pytest.raises(psycopg.errors.DivisionByZero):
            await statement.execute([bytea_array([b"", value])])
        await connection.execute("DEALLOCATE ALL")


async def test_an_error_is_raised_and_the_next_execution_succeeds(connection) -> None:
    statement = Statement(connection, "SELECT 1 / cardinality($1)", [TEXT_ARRAY])
    with pytest.raises(psycopg.errors.DivisionByZero):
        await statement.execute([text_array([])])
    await statement.execute([text_array(["one"])])


async def test_a_query_that_is_none_is_raised(connection) -> None:
    with pytest.raises(psycopg.errors.SyntaxError):
        await Statement(connection, "SELEC 1", []).execute([])


async def test_a_broken_connection_is_an_operational_error(app_url, connection) -> None:
    statement = Statement(connection, "SELECT pg_sleep(10)", [])
    pid = connection.info.backend_pid
    running = asyncio.create_task(statement.execute([]))
    await asyncio.sleep(0.2)
    with psycopg.connect(app_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])
    with pytest.raises(psycopg.OperationalError):
        await asyncio.wait_for(running, 5)
    with pytest.raises(psycopg.OperationalError):
        await asyncio.wait_for(statement.execute([]), 5)


@given(st.lists(STORABLE))
def test_texts_are_encoded_as_psycopg_does(texts: list[str]) -> None:
    dumper = Transformer().get_dumper(["a"], PyFormat.BINARY)
    expected = dumper.dump(texts) if texts else None
    if expected is not None:
        assert text_array(texts) == bytes(expected)


@given(st.lists(st.binary(), min_size=1))
def test_bytes_are_encoded_as_psycopg_does(values: list[bytes]) -> None:
    dumper = Transformer().get_dumper([b"a"], PyFormat.BINARY)
    assert bytea_array(values) == bytes(dumper.dump(values))
