"""Positions, folds and what they promise."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.kit.errors import LedgerError
from steelyard.kit.facts import Fact, Recorded
from steelyard.kit.ids import ConversationId, EngineerId, WorkspaceId
from steelyard.kit.instants import Micros
from steelyard.store.database import Connection, Database
from steelyard.store.ledger import Fold, Ledger, facts_after

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]


def fact(kind: str = "conversation.opened", at: int = 1_800_000_000_123_457, conversation: int | None = 7) -> Fact:
    return Fact(kind, Micros(at), None if conversation is None else ConversationId(conversation), None)


async def test_facts_come_back_as_they_were_appended(database: Database, make_workspace: MakeWorkspace) -> None:
    workspace = await make_workspace()
    facts = [
        fact(at=0),
        fact(at=2**53 - 1, conversation=None),
        Fact("engineer.away", Micros(1_799_999_999_999_999), None, EngineerId(2**63 - 1), '{"until": 5}'),
        fact(at=-1, conversation=1),
    ]
    async with database.transaction(workspace) as conn:
        recorded = await Ledger().append(conn, workspace, facts)
    assert [each.position for each in recorded] == [1, 2, 3, 4]
    async with database.transaction(workspace) as conn:
        assert await facts_after(conn, workspace, 0) == list(recorded)
        assert [each.position for each in await facts_after(conn, workspace, 1, limit=2)] == [2, 3]


async def test_positions_have_no_gaps_under_eight_writers(database: Database, make_workspace: MakeWorkspace) -> None:
    workspace = await make_workspace()
    ledger = Ledger()

    async def write(writer: int) -> None:
        for turn in range(20):
            try:
                async with database.transaction(workspace) as conn:
                    await ledger.append(conn, workspace, [fact(conversation=writer + 1)] * (1 + turn % 3))
                    if turn % 5 == 0:
                        raise asyncio.CancelledError
            except asyncio.CancelledError:
                pass

    await asyncio.gather(*(write(writer) for writer in range(8)))
    async with database.transaction(workspace) as conn:
        positions = [each.position for each in await facts_after(conn, workspace, 0, limit=10_000)]
    kept = sum(1 + turn % 3 for turn in range(20) if turn % 5)
    assert positions == list(range(1, 8 * kept + 1))


async def test_positions_become_visible_in_their_order(database: Database, make_workspace: MakeWorkspace) -> None:
    """A reader who has seen position n will never meet a smaller one later: what an identity column cannot promise."""
    workspace = await make_workspace()
    ledger = Ledger()
    async with database.transaction(workspace) as first:
        await ledger.append(first, workspace, [fact()])

        async def second() -> None:
            async with database.transaction(workspace) as conn:
                await ledger.append(conn, workspace, [fact()])

        waiting = asyncio.create_task(second())
        await asyncio.sleep(0.1)
        assert not waiting.done()
    await waiting


async def test_folds_run_in_the_transaction_of_their_facts(database: Database, make_workspace: MakeWorkspace) -> None:
    workspace = await make_workspace()
    seen: list[tuple[str, list[int]]] = []

    async def count(conn: Connection, workspace: WorkspaceId, recorded: Sequence[Recorded]) -> None:
        seen.append(("conversation.", [each.position for each in recorded]))
        for each in recorded:
            await conn.execute(
                "INSERT INTO team (workspace, team, version, members) VALUES (%s, %s, 0, '{}')",
                [workspace, each.position],
            )

    async def refuse(conn: Connection, workspace: WorkspaceId, recorded: Sequence[Recorded]) -> None:
        raise ValueError("no")

    async def watch(conn: Connection, workspace: WorkspaceId, recorded: Sequence[Recorded]) -> None:
        seen.append(("", [each.position for each in recorded]))

    ledger = Ledger([Fold("", watch), Fold("conversation.", count), Fold("bad.", refuse)])
    mixed = [fact("engineer.away"), fact("conversation.opened"), fact("conversation.closed")]
    async with database.transaction(workspace) as conn:
        await ledger.append(conn, workspace, mixed)
        await ledger.append(conn, workspace, [fact("engineer.back")])
    assert seen == [("", [1, 2, 3]), ("conversation.", [2, 3]), ("", [4])]

    with pytest.raises(ValueError, match="no"):
        async with database.transaction(workspace) as conn:
            await ledger.append(conn, workspace, [fact("conversation.opened"), fact("bad.idea")])
    async with database.transaction(workspace) as conn:
        assert len(await facts_after(conn, workspace, 0)) == 4
        cursor = await conn.execute("SELECT team FROM team ORDER BY team")
        assert await cursor.fetchall() == [(2,), (3,)]


async def test_nothing_appended_takes_no_position(database: Database, make_workspace: MakeWorkspace) -> None:
    workspace = await make_workspace()
    async with database.transaction(workspace) as conn:
        assert await Ledger().append(conn, workspace, []) == ()


async def test_another_workspace_cannot_be_written(database: Database, make_workspace: MakeWorkspace) -> None:
    mine, other = await make_workspace("mine"), await make_workspace("other")
    with pytest.raises(LedgerError, match=r"eu1\.other"):
        async with database.transaction(mine) as conn:
            await Ledger().append(conn, other, [fact()])
    with pytest.raises(LedgerError, match=r"eu1\.mine"):
        async with database.cell() as conn:
            await Ledger().append(conn, mine, [fact()])


async def test_facts_are_append_only(database: Database, make_workspace: MakeWorkspace) -> None:
    workspace = await make_workspace()
    async with database.transaction(workspace) as conn:
        await Ledger().append(conn, workspace, [fact()])
    for statement in ("UPDATE ledger SET kind = 'x'", "DELETE FROM ledger", "TRUNCATE ledger"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with database.transaction(workspace) as conn:
                await conn.execute(statement.encode())


@given(st.lists(st.sampled_from(["a.x", "a.y", "b.x", "ab"]), max_size=6), st.permutations(["", "a", "a.", "b.x"]))
async def test_a_fold_gets_exactly_its_kinds(kinds: list[str], prefixes: list[str]) -> None:
    ledger = Ledger([Fold(prefix, _unused) for prefix in prefixes])
    wanted = [prefix for prefix in prefixes if any(kind.startswith(prefix) for kind in kinds)]
    assert [fold.kinds for fold in ledger._folds_of([fact(kind) for kind in kinds])] == wanted


async def _unused(conn: Connection, workspace: WorkspaceId, recorded: Sequence[Recorded]) -> None: ...
