"""What a worker does runs with, and how a run ends: one transaction with its fact."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from steelyard.kit.facts import Fact
from steelyard.kit.ids import WorkspaceId
from steelyard.kit.instants import micros
from steelyard.store.database import Connection, Database
from steelyard.store.ledger import Ledger
from steelyard.toolbox import store
from steelyard.toolbox.model import Json, Site
from steelyard.toolbox.reach import Reach
from steelyard.toolbox.runbooks import Runbooks
from steelyard.toolbox.states import Event, Reason, State
from steelyard.toolbox.steps import Workers
from steelyard.toolbox.store import Run

PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds after which a host that was lost is reached again."""

Slots = Callable[[Connection], Awaitable[Mapping[str, Json]]]
"""What this cell holds ahead of need."""
Secrets = Callable[[Connection, WorkspaceId, Run, Site], Awaitable[Mapping[str, str]]]
"""The secrets of a run and of its host, opened, by their names. Raises KeyFileError."""


class Next(Protocol):
    """Where what follows from the end of a run is asked for, in the transaction that ends it."""

    async def ended(self, conn: Connection, workspace: WorkspaceId, run: Run, state: State) -> None:
        """The next run of its batch may begin."""
        ...


@dataclass(frozen=True, slots=True)
class RunGround:
    """What a worker does runs with."""

    database: Database
    ledger: Ledger
    runbooks: Runbooks
    ways: Callable[[WorkspaceId], Reach]
    """The way to the hosts of a workspace."""
    secrets: Secrets
    next: Next
    clock: Callable[[], datetime]
    workers: Workers
    slots: Slots
    pauses: tuple[float, ...] = PAUSES


async def end_run(
    ground: RunGround,
    conn: Connection,
    workspace: WorkspaceId,
    run: Run,
    event: Event,
    reason: Reason | None,
    took_ms: int,
    undo_until: datetime | None,
) -> State:
    """Ends a run with its fact, in `conn`'s transaction."""
    now = ground.clock()
    state = await store.end(conn, run, event, reason, now, took_ms, undo_until)
    data = store.facts_data(run=run.run, site=run.site, state=state.value, ms=took_ms)
    await ground.ledger.append(conn, workspace, [Fact("run.ended", micros(now), run.conversation, None, data)])
    await ground.next.ended(conn, workspace, run, state)
    return state
