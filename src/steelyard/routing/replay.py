"""Replaying the ledger to a position, from the nearest snapshot of the state before it."""

from __future__ import annotations

import asyncio
import json

from steelyard.kit.errors import ReplayError
from steelyard.kit.ids import Position, WorkspaceId
from steelyard.routing import codec, store
from steelyard.routing.decide import apply
from steelyard.routing.explain import Explanation, explanation_of
from steelyard.routing.model import Exclusion
from steelyard.routing.policy import parse
from steelyard.routing.router import ignored
from steelyard.routing.state import State
from steelyard.store.database import Connection, Database
from steelyard.store.ledger import facts_after

_PAGE = 1_000


async def explain(database: Database, workspace: WorkspaceId, position: Position) -> Explanation:
    """The decision at `position` in full. Raises ReplayError where there is none, or where it cannot be replayed."""
    async with database.transaction(workspace) as conn:
        found = await facts_after(conn, workspace, Position(position - 1), 1)
        if not found or found[0].position != position or found[0].fact.kind != "decision.made":
            raise ReplayError(f"{workspace} has no decision {position}: see the list of its decisions")
        data = json.loads(found[0].fact.data)
        decision = codec.decision(data["d"])
        policy = parse(await store.policy_text(conn, workspace, decision.policy))
        before = await state_before(conn, workspace, position, ignored(policy))
    shadow = data.get("shadow", False)
    return await asyncio.to_thread(explanation_of, before, position, decision, shadow=shadow)


async def state_before(conn: Connection, workspace: WorkspaceId, position: Position, ignored: Exclusion) -> State:
    """The routing state that the facts before `position` amount to."""
    frozen = await store.snapshot_before(conn, workspace, position)
    # A large one takes a while, in which others go on.
    state = await asyncio.to_thread(codec.thaw, frozen, ignored) if frozen is not None else State(ignored)
    while state.position < position - 1:
        page = await facts_after(conn, workspace, state.position, min(_PAGE, position - 1 - state.position))
        if not page:
            raise ReplayError(f"the ledger of {workspace} ends at {state.position}, before {position}")
        for recorded in page:
            apply(state, recorded.position, recorded.fact)
    return state
