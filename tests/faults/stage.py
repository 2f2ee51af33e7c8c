"""A whole Steelyard in this process, told of and telling a simulated Intercom over real ports, on a real database.

Unlike processes of their own it can wait for a slow Intercom for a moment only, and fails where one looks.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from test_live import settled

from served import serving
from steelyard.adapters.intercom.client import Intercom
from steelyard.adapters.intercom.signature import verify
from steelyard.demo.intercom import Config, Simulator, people, running
from steelyard.demo.intercom.count import summary
from steelyard.demo.intercom.model import Conversation
from steelyard.demo.intercom.seed import Seed
from steelyard.demo.intercom.webhooks import Timing
from steelyard.jobs.app import job_app, run_worker
from steelyard.kit.ids import CellId, WorkspaceId
from steelyard.main.clients import clients_of
from steelyard.main.ground import adopt_policy, ledger, now, shipped_policy
from steelyard.routing.deeds import Deeds
from steelyard.routing.deliver import Delivery
from steelyard.routing.inbox import CellInbox
from steelyard.routing.ingest import Ingest
from steelyard.routing.reconcile import Reconcile
from steelyard.routing.router import Router
from steelyard.routing.tasks import QUEUES, RoutingJobs
from steelyard.routing.work import work
from steelyard.store.database import Database

CELL, APP = "eu1", "a86dr8yl"
PATIENCE = httpx.Timeout(2.0)
"""How long the client waits for an answer: longer than a busy machine needs for one. The real one waits longer still.
Slow answers come later."""

TIMING = Timing(retry=0.5, window=1, late=1.0, slow=4.0)
ATTRIBUTES = (("weight", "integer"), ("topic", "string"), ("decision", "integer"))


@dataclass
class Ground:
    """What a stage stands on: the fixtures of a test."""

    url: str
    database: Database
    keys: Path
    unseal: Callable[[str, str], str]
    make_workspace: Callable[..., Any]


@dataclass
class Stage:
    """A running Steelyard and its simulated Intercom."""

    simulator: Simulator
    database: Database
    workspace: WorkspaceId
    jobs: RoutingJobs
    hook: str

    async def rows(self, query: Any, *values: object) -> list[Any]:
        async with self.database.transaction(self.workspace) as conn:
            return await (await conn.execute(query, values)).fetchall()

    def write(self, body: str = "Our nameservers do not answer") -> Conversation:
        """A customer begins a conversation."""
        customer = people.customer(self.simulator.workspace, "Alba Moreno", "alba@example.test")
        return people.write_in(self.simulator.workspace, customer, "", body)

    @contextlib.contextmanager
    def unheard(self) -> Any:
        """What happens in this block is told to nobody."""
        self.simulator.faults.set({"drop": 1.0})
        try:
            yield
        finally:
            self.simulator.faults.set({"drop": 0.0})

    async def read_everything(self) -> None:
        """Has roster and open conversations read, as a worker does that starts a while after the last reading."""
        async with self.database.transaction(self.workspace) as conn:
            await conn.execute("UPDATE reading SET started_at = started_at - interval '1 minute'")
            await self.jobs.read_everything(conn, self.workspace, at_start=True)

    async def settle(self, seconds: float = 90) -> None:
        """Until all is told, handled, delivered and read back, and that told nothing new."""
        await settled(self.simulator, self.rows, seconds)

    async def check_told(self, conversations: Iterable[Conversation]) -> None:
        """Each was decided once, and that was assigned once, noted once, and written into its attributes."""
        for each in conversations:
            decided = await self.rows(
                "SELECT decision, winner, weight, topic, outcome FROM decision WHERE conversation = %s", each.id
            )
            assert len(decided) == 1, f"decided {decided}"
            [(number, winner, weight, topic, outcome)] = decided
            assert outcome == "delivered", f"decision {number} is {outcome}"
            found = assigned(self.simulator, each)
            assert found == [winner], f"decision {number} for {winner} was assigned to {found}"
            marked = [f"[d-{number}]" in note for note in notes(each)]
            assert marked == [True], f"decision {number} is noted in {notes(each)}"
            wanted = {"weight": weight, "topic": topic, "decision": number}
            assert each.attributes == wanted, f"{each.attributes} should be {wanted}"
            known = await self.rows("SELECT open, owner, weight FROM conversation WHERE conversation = %s", each.id)
            assert known == [(True, winner, weight)], f"{known} should be {winner}, {weight}"
            assert each.admin == winner
        assert self.simulator.record.counts["failed"] == 0
        told = summary(self.simulator.workspace)
        assert told["lost"] == 0, told["lost_ids"]


def assigned(simulator: Simulator, conversation: Conversation) -> list[int]:
    """Whom the API gave it to, in order."""
    return [each.admin for each in simulator.record.histories[conversation.id].assignments if each.by == "api"]


def notes(conversation: Conversation) -> list[str]:
    """The internal notes on it."""
    return [part.body.plain for part in conversation.parts if part.kind == "note" and part.body is not None]


@asynccontextmanager
async def staged(ground: Ground, *, seed: int = 1) -> AsyncIterator[Stage]:
    """A workspace whose policy asks for notes, connected and ready."""
    async with running(Config(app_id=APP, seed=Seed(seed, away=0), timing=TIMING)) as simulator:
        config = simulator.config
        workspace = await ground.make_workspace(
            APP,
            CELL,
            api_url=simulator.base_url,
            client_secret=config.client_secret,
            access_token=config.token,
            actor=simulator.workspace.owner,
            package_code=config.package_code,
        )
        async with ground.database.transaction(workspace) as conn:
            await adopt_policy(conn, workspace, shipped_policy().replace("note = false", "note = true"))
        async with (
            Intercom(simulator.base_url, config.token, timeout=PATIENCE) as intercom,
            _ingesting(ground) as port,
            _working(ground, intercom) as jobs,
        ):
            for name, data_type in ATTRIBUTES:
                await intercom.create_conversation_attribute(name, data_type)
            stage = Stage(simulator, ground.database, workspace, jobs, f"http://127.0.0.1:{port}/hooks/intercom/{CELL}")
            await stage.read_everything()
            await stage.settle()
            assert await simulator.sender.subscribe(stage.hook) == 200
            yield stage


@asynccontextmanager
async def _ingesting(ground: Ground) -> AsyncIterator[int]:
    async with (
        aclosing(CellInbox(ground.database, now, ground.unseal)) as inbox,
        serving(Ingest(CellId(CELL), {}, inbox, verify)) as port,
    ):
        yield port


@asynccontextmanager
async def _working(ground: Ground, intercom: Intercom) -> AsyncIterator[RoutingJobs]:
    async def of(_: WorkspaceId) -> Intercom:
        return intercom

    async with Database.open(ground.url) as database, clients_of(database, ground.keys) as clients:
        app = job_app(ground.url)
        delivery, reconcile = Delivery(database, of, clients.writes_notes, now), Reconcile(database, of, now)
        jobs = RoutingJobs(app, database, delivery, reconcile, Deeds(database, of, now))
        async with app.open_async():
            tasks = [
                asyncio.create_task(work(database, Router(database, ledger(), jobs, now))),
                asyncio.create_task(run_worker(app, QUEUES, 16)),
            ]
            try:
                yield jobs
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
