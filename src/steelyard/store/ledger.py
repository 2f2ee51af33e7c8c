"""The append-only record of what happened: positions without gaps, and folds that keep tables in step with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from steelyard.kit.errors import LedgerError
from steelyard.kit.facts import Fact, Recorded
from steelyard.kit.ids import ConversationId, EngineerId, PersonId, Position, WorkspaceId
from steelyard.kit.instants import Micros
from steelyard.store.database import Connection


class Fold(NamedTuple):
    """What runs, in the same transaction, with the appended facts whose kind starts with `kinds` ("" for all)."""

    kinds: str
    run: Callable[[Connection, WorkspaceId, Sequence[Recorded]], Awaitable[None]]


# The row of `workspace` stays locked until the commit: positions are taken in the order of commits, and a rollback
# leaves no gap. Microseconds are exact here: they stay below 2^53.
_APPEND = """
WITH taken AS (
    UPDATE workspace SET position = position + cardinality(%(kinds)s::text[])
    WHERE workspace = %(workspace)s RETURNING position - cardinality(%(kinds)s::text[]) AS before
), stored AS (
    INSERT INTO ledger (workspace, position, kind, at, conversation, engineer, data, person)
    SELECT %(workspace)s, taken.before + fact.place, fact.kind,
           'epoch'::timestamptz + fact.at * interval '1 microsecond', fact.conversation, fact.engineer,
           fact.data::jsonb, fact.person
    FROM taken, unnest(%(kinds)s::text[], %(ats)s::bigint[], %(conversations)s::bigint[], %(engineers)s::bigint[],
                       %(datas)s::text[], %(persons)s::bigint[])
         WITH ORDINALITY AS fact (kind, at, conversation, engineer, data, person, place)
)
SELECT before FROM taken
"""

_AFTER = """
SELECT position, kind, (extract(epoch FROM at) * 1000000)::bigint, conversation, engineer, data::text, person
FROM ledger WHERE workspace = %s AND position > %s ORDER BY position LIMIT %s
"""


class Ledger:
    """The ledger of every workspace, with the folds that its appends run."""

    def __init__(self, folds: Sequence[Fold] = ()) -> None:
        self._folds = tuple(folds)
        self._of_kind: dict[str, tuple[Fold, ...]] = {}

    async def append(self, conn: Connection, workspace: WorkspaceId, facts: Sequence[Fact]) -> Sequence[Recorded]:
        """Records `facts` in their order and runs the folds, all in `conn`'s transaction, which must name `workspace`.

        The workspace is locked until that transaction ends. Raises LedgerError when it does not exist or is another.
        """
        if not facts:
            return ()
        cursor = await conn.execute(
            _APPEND,
            {
                "workspace": workspace,
                "kinds": [fact.kind for fact in facts],
                "ats": [fact.at for fact in facts],
                "conversations": [fact.conversation for fact in facts],
                "engineers": [fact.engineer for fact in facts],
                "datas": [fact.data for fact in facts],
                "persons": [fact.person for fact in facts],
            },
        )
        row = await cursor.fetchone()
        if row is None:
            raise LedgerError(
                f"no fact can be appended to {workspace}: it is not in this cell, or not this transaction's"
            )
        recorded = [Recorded(Position(position), fact) for position, fact in enumerate(facts, row[0] + 1)]
        for fold in self._folds_of(facts):
            await fold.run(conn, workspace, [each for each in recorded if each.fact.kind.startswith(fold.kinds)])
        return recorded

    def _folds_of(self, facts: Sequence[Fact]) -> Sequence[Fold]:
        """The folds that want any of these facts, in the order they were registered."""
        if not self._folds:
            return ()
        wanted: set[Fold] = set()
        for kind in {fact.kind for fact in facts}:
            folds = self._of_kind.get(kind)
            if folds is None:
                folds = tuple(fold for fold in self._folds if kind.startswith(fold.kinds))
                self._of_kind[kind] = folds
            wanted.update(folds)
        return [fold for fold in self._folds if fold in wanted]


async def facts_after(conn: Connection, workspace: WorkspaceId, position: int, limit: int = 1000) -> list[Recorded]:
    """The facts after `position` in their order, `limit` at most. `data` reads as PostgreSQL writes jsonb."""
    rows = await (await conn.execute(_AFTER, [workspace, position, limit])).fetchall()
    return [
        Recorded(
            Position(place),
            Fact(
                kind,
                Micros(at),
                None if conversation is None else ConversationId(conversation),
                None if engineer is None else EngineerId(engineer),
                data,
                None if person is None else PersonId(person),
            ),
        )
        for place, kind, at, conversation, engineer, data, person in rows
    ]
