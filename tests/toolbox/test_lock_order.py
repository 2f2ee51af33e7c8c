"""What several do at the same moment with runs that belong together: each waits for its turn, none for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest
from engine import Engine

from steelyard.kit.errors import KeyFileError
from steelyard.kit.facts import Fact, Recorded
from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Connection
from steelyard.store.ledger import Ledger
from steelyard.toolbox.acts import Request, RunRefused
from steelyard.toolbox.batches import Batches
from steelyard.toolbox.model import RunId
from steelyard.toolbox.run import work_on
from steelyard.toolbox.states import State
from steelyard.toolbox.store import Run

_WAITING = """
SELECT FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND query NOT LIKE 'SELECT cancel_at%'
"""


class Gate:
    """Where a transaction is held, in the middle, until the test lets it go on."""

    def __init__(self) -> None:
        self.reached, self.open = asyncio.Event(), asyncio.Event()

    async def passed(self) -> None:
        self.reached.set()
        await self.open.wait()


class Held:
    """The turns of a request, given away when the gate opens."""

    def __init__(self, engine: Engine, gate: Gate) -> None:
        self._next, self._gate = engine.ground.next, gate

    async def ended(self, conn: Connection, workspace: WorkspaceId, run: Run, state: State) -> None:
        await self._gate.passed()
        await self._next.ended(conn, workspace, run, state)


class HeldLedger(Ledger):
    """A ledger whose appends hold their transaction until the gate opens."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self._gate = gate

    async def append(self, conn: Connection, workspace: WorkspaceId, facts: Sequence[Fact]) -> Sequence[Recorded]:
        recorded = await super().append(conn, workspace, facts)
        await self._gate.passed()
        return recorded


async def until_waiting(engine: Engine, count: int = 1) -> None:
    """Until so many connections wait for what others have locked. What a run says is kept beside it, and may wait."""
    while True:
        async with engine.database.cell() as conn:
            rows = await (await conn.execute(_WAITING)).fetchall()
        if len(rows) >= count:
            return
        await asyncio.sleep(0.02)


@dataclass
class CalledOff:
    """A request for two sites that is being called off: held when its first run is, and its second is not yet."""

    batch: int
    runs: list[RunId]
    gate: Gate = field(default_factory=Gate)

    async def begin(self, engine: Engine) -> asyncio.Task[None]:
        held = Batches(replace(engine.acts, ledger=HeldLedger(self.gate)))
        task = asyncio.create_task(held.cancel(engine.here, self.batch))
        await self.gate.reached.wait()
        return task


async def confirmed(engine: Engine, at_once: int = 2) -> CalledOff:
    await engine.rows("UPDATE workspace SET runs_at_once = %s RETURNING 1", at_once)
    await engine.add_site("a.example")
    batch = await engine.batches.ask(engine.here, Request("set_motto", list(engine.sites.values()), {"text": "new"}))
    await engine.settle()
    await engine.batches.confirm(engine.here, batch)
    return CalledOff(batch, [RunId(run) for (run,) in await engine.rows("SELECT run FROM run ORDER BY run")])


async def states(engine: Engine, runs: Sequence[RunId]) -> list[State]:
    return [(await engine.run(run)).state for run in runs]


@pytest.mark.parametrize("found", ["new", "other"])
async def test_a_run_ends_or_is_shown_anew_while_its_request_is_called_off(engine: Engine, found: str) -> None:
    request = await confirmed(engine)
    (engine.docroot("a.example") / "motto").write_text(found)
    async with asyncio.timeout(20):
        async with engine.database.transaction(engine.workspace) as conn:  # what its worker is about to write
            await conn.execute("SELECT FROM run_step WHERE run = %s FOR UPDATE", [request.runs[1]])
            working = asyncio.create_task(engine.work(request.runs[1]))
            await until_waiting(engine)
            cancelling = asyncio.create_task(engine.batches.cancel(engine.here, request.batch))
            await until_waiting(engine, 2)
        await asyncio.gather(working, cancelling)
    assert await states(engine, request.runs) == [State.CANCELLED, {"new": State.NOTHING}.get(found, State.CANCELLED)]


async def test_a_run_that_cannot_begin_ends_while_its_request_is_called_off(engine: Engine) -> None:
    request, key = await confirmed(engine), Gate()

    async def no_secrets(*_: object) -> Mapping[str, str]:
        await key.passed()
        raise KeyFileError("the worker's key is not here")

    working = asyncio.create_task(
        work_on(replace(engine.ground, secrets=no_secrets), engine.workspace, request.runs[1])
    )
    async with asyncio.timeout(20):
        await key.reached.wait()
        cancelling = asyncio.create_task(engine.batches.cancel(engine.here, request.batch))
        await until_waiting(engine)
        key.open.set()
        await asyncio.gather(working, cancelling)
    assert await states(engine, request.runs) == [State.CANCELLED, State.FAILED]


async def test_one_run_is_called_off_while_its_request_is(engine: Engine) -> None:
    request = await confirmed(engine)
    async with asyncio.timeout(20):
        cancelling = await request.begin(engine)
        one = asyncio.create_task(engine.batches.cancel_run(engine.here, request.runs[1]))
        await until_waiting(engine)
        request.gate.open.set()
        await cancelling
        with pytest.raises(RunRefused):
            await one
    assert await states(engine, request.runs) == [State.CANCELLED] * 2


async def test_one_plan_is_confirmed_while_its_request_is_called_off(engine: Engine) -> None:
    request = await confirmed(engine, at_once=1)
    plan = await engine.run(request.runs[1])
    async with asyncio.timeout(20):
        cancelling = await request.begin(engine)
        confirming = asyncio.create_task(engine.acts.confirm(engine.here, plan.run, plan.plan_digest))
        await until_waiting(engine)
        request.gate.open.set()
        await cancelling
        with pytest.raises(RunRefused):
            await confirming
    assert await states(engine, request.runs) == [State.CANCELLED] * 2


async def test_a_run_is_asked_for_again_while_it_is_put_back(engine: Engine) -> None:
    done = (await engine.done("set_motto", text="new")).run
    back, gate = await engine.acts.undo(engine.here, done), Gate()
    ending = asyncio.create_task(work_on(replace(engine.ground, next=Held(engine, gate)), engine.workspace, back))
    async with asyncio.timeout(20):
        await gate.reached.wait()
        asking = asyncio.create_task(engine.acts.again(engine.here, done))
        await until_waiting(engine)
        gate.open.set()
        await asyncio.gather(ending, asking)
    assert (await engine.run(done)).undone_by == back
