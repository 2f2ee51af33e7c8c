"""The fold of decisions: keeps their table in step with the facts `decision.*`, in the ledger's own transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence

from steelyard.kit.facts import Fact, Recorded
from steelyard.kit.ids import WorkspaceId
from steelyard.kit.instants import moment
from steelyard.routing import codec
from steelyard.store.database import Connection

_SETTLED = ("decision.delivered", "decision.overtaken", "decision.failed")


async def fold_decisions(conn: Connection, workspace: WorkspaceId, recorded: Sequence[Recorded]) -> None:
    """Writes what the facts say of decisions: made, compared with what Intercom did, or settled."""
    made = [each for each in recorded if each.fact.kind == "decision.made"]
    if made:
        await _insert(conn, workspace, made)
    for fact in (each.fact for each in recorded):
        if fact.kind in _SETTLED:
            await _settle(conn, workspace, fact)
        elif fact.kind == "decision.compared":
            await _compare(conn, workspace, fact)


async def _insert(conn: Connection, workspace: WorkspaceId, made: Sequence[Recorded]) -> None:
    facts = [(each.position, json.loads(each.fact.data)) for each in made]
    decisions = [(position, codec.decision(data["d"]), data.get("shadow", False)) for position, data in facts]
    rows = [
        (
            position,
            new.conversation,
            moment(new.at),
            new.topic,
            new.weight,
            new.team,
            codec.dump(new.matches),
            new.winner,
            new.winner_load,
            new.runner_up,
            new.runner_up_load,
            new.policy,
            new.engine,
            bytes.fromhex(new.digest),
            "shadow" if shadow else "pending",
        )
        for position, new, shadow in decisions
    ]
    await conn.execute(_INSERT, (workspace, *(list(column) for column in zip(*rows, strict=True))))


_INSERT = """
INSERT INTO decision (workspace, decision, conversation, at, topic, weight, team, matches, winner, winner_load,
                      runner_up, runner_up_load, policy, engine, digest, outcome)
SELECT %s, new.*
FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::text[], %s::int[], %s::bigint[], %s::jsonb[],
            %s::bigint[], %s::int[], %s::bigint[], %s::int[], %s::text[], %s::int[], %s::bytea[], %s::text[]) AS new
"""


async def _settle(conn: Connection, workspace: WorkspaceId, fact: Fact) -> None:
    data = json.loads(fact.data)
    await conn.execute(
        """UPDATE decision SET outcome = %s, reason = nullif(%s, ''), settled_at = %s
           WHERE workspace = %s AND decision = %s AND outcome = 'pending'""",
        (fact.kind.partition(".")[2], data["reason"], moment(fact.at), workspace, data["decision"]),
    )


async def _compare(conn: Connection, workspace: WorkspaceId, fact: Fact) -> None:
    data = json.loads(fact.data)
    await conn.execute(
        """UPDATE decision SET outcome = 'compared', settled_at = %s, instead = %s, instead_load = %s,
                  instead_exclusions = %s, winner_load_then = %s
           WHERE workspace = %s AND decision = %s AND outcome = 'shadow'""",
        (
            moment(fact.at),
            data["engineer"],
            data["load"],
            data["exclusions"],
            data["winner_load"],
            workspace,
            data["decision"],
        ),
    )
