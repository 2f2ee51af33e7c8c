"""What one durable decision costs at 40, 200 and 2,000 engineers, and how many the pure core makes in a second.

A decision here is all of it: payload read, conversation weighed, facts, state, decision and job in one commit. Sizes
take turns within one run, so that noise meets all. Then 100 decisions are explained: each must equal its digest.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import psycopg

from _ground import add_keys, add_workspace, median, result, rounds, say, server
from steelyard.jobs.app import job_app
from steelyard.jobs.processes import run as run_until_done
from steelyard.kit.ids import ConversationId, EngineerId, Position, TopicId, WorkspaceId
from steelyard.kit.instants import Micros
from steelyard.main import ground
from steelyard.routing import replay, store
from steelyard.routing.decide import Scale, decide
from steelyard.routing.deeds import Deeds
from steelyard.routing.deliver import Delivery
from steelyard.routing.model import (
    Conversation,
    Engineer,
    Exclusion,
    Match,
    Order,
    Phase,
    Text,
    Weighed,
)
from steelyard.routing.reconcile import Reconcile
from steelyard.routing.router import Router
from steelyard.routing.seen import SeenConversation
from steelyard.routing.state import State, build
from steelyard.routing.tasks import RoutingJobs
from steelyard.store.database import Database

SIZES = (40, 200, 2_000)
OPEN_EACH = 10
DECISIONS = int(os.environ.get("DECISIONS", "60"))
"""Of each size in each round."""
CORE_DECISIONS = 20_000
EXPLAINED = 100

_BEGAN = 1_700_000_000
_now = _BEGAN * 1_000_000


def clock() -> Micros:
    """A clock that goes on by a second and a bit each time it is read."""
    global _now
    _now += 1_000_003
    return Micros(_now)


def state_of(engineers: int) -> State:
    """So many engineers with ten open conversations each, of unequal weights, assigned at different times."""
    team = [Engineer(EngineerId(100 + n), last_assigned=Micros(n * 7_919 % engineers)) for n in range(engineers)]
    carried = [
        Conversation(
            ConversationId(10_000 + n),
            Order(_BEGAN, 1, _BEGAN, "1seed"),
            Phase.OPEN,
            EngineerId(100 + n % engineers),
            None,
            0,
            _BEGAN,
            TopicId("dns"),
            1 + n * 31 % 8,
            (),
            None,
            None,
            None,
        )
        for n in range(engineers * OPEN_EACH)
    ]
    return build(Exclusion.NONE, Position(0), 0, (team, [], carried))


def core_per_second() -> float:
    """Decisions per second of the pure core, digest included, at 40 engineers. Engineers take turns, time goes on."""
    matches = (Match(TopicId("dns"), "dns/1", "body", 9, 20, 4), Match(TopicId("dns"), "dns/2", "body", 47, 56, 4))
    weighed = Weighed(TopicId("dns"), 3, matches)

    def weigh(text: Text) -> Weighed:
        del text
        return weighed

    scale = Scale("d" * 64, weigh)
    state = state_of(SIZES[0])
    text = Text("", "", (), (), "")
    seen = [
        SeenConversation(
            "conversation.created",
            ConversationId(10**6 + n),
            _BEGAN + n,
            Order(_BEGAN + n, 0, _BEGAN + n, f"0notif_{n}"),
            Phase.OPEN,
            None,
            None,
            0,
            _BEGAN + n,
            text,
            "",
        )
        for n in range(CORE_DECISIONS)
    ]
    winners: set[EngineerId] = set()
    begun = time.perf_counter()
    for each in seen:
        changes = decide(state, each, None, scale, clock())
        winners.add(changes.decisions[0][1].winner)
    took = time.perf_counter() - begun
    if len(winners) != SIZES[0]:
        raise SystemExit(f"only {len(winners)} of {SIZES[0]} engineers were given anything")
    return CORE_DECISIONS / took


class Desk:
    """A workspace of one size with a router that has it in its cache."""

    def __init__(self, database: Database, jobs: RoutingJobs, workspace: WorkspaceId, engineers: int) -> None:
        self.database, self.workspace, self.engineers = database, workspace, engineers
        self.router = Router(database, ground.ledger(), jobs, clock)
        self.count = 0

    async def fill(self) -> None:
        """Stores the engineers and conversations to begin with, and a snapshot of them."""
        state = state_of(self.engineers)
        state.changed_conversations = dict(state.conversations)
        state.changed_engineers = set(state.engineers)
        async with self.database.transaction(self.workspace) as conn:
            await store.write_state(conn, self.workspace, state)
            await store.write_snapshot(conn, self.workspace)
            await ground.adopt_policy(conn, self.workspace, ground.shipped_policy())
        await self.router.route(self.workspace)  # that the policy was adopted is a payload, too

    async def put(self) -> None:
        """A new conversation comes in."""
        self.count += 1
        body = json.dumps(payload(10**6 + self.count)).encode()
        async with self.database.cell() as conn:
            await conn.execute(
                "SELECT store_batch(%s, %s, %s, %b::bytea[])",
                ([self.workspace], [str(uuid.uuid4())], ["conversation.user.created"], [body]),
            )

    async def decide(self) -> float:
        """Routes what came in; milliseconds."""
        begun = time.perf_counter()
        handled = await self.router.route(self.workspace)
        took = time.perf_counter() - begun
        if handled != 1:
            raise SystemExit(f"{handled} payloads were routed instead of one")
        return took * 1000


def payload(id: int) -> dict[str, Any]:
    """A new conversation, as Intercom tells of it."""
    text = "Since we changed nameservers yesterday the DNS of our domain is wrong. Could you have a look, please?"
    return {
        "type": "notification_event", "id": f"notif_{id}", "topic": "conversation.user.created", "app_id": "a86dr8yl",
        "created_at": _BEGAN + id,
        "data": {"item": {
            "type": "conversation", "id": str(id), "created_at": _BEGAN + id, "updated_at": _BEGAN + id,
            "state": "open", "open": True, "admin_assignee_id": 0, "team_assignee_id": 0, "priority": "none",
            "tags": {"tags": []}, "custom_attributes": {}, "source": {"subject": "", "body": f"{text} {id}"},
            "conversation_parts": {"conversation_parts": []},
        }},
    }  # fmt: skip


async def run(url: str, keys: Path) -> None:
    """The rounds, then the explanations."""
    app = job_app(url)
    async with Database.open(url, size=4) as database, app.open_async():

        async def nobody(_: WorkspaceId) -> Any:
            raise SystemExit("no job runs in this benchmark")

        async def no_notes(_: WorkspaceId, __: str) -> bool:
            return False

        delivery, reconcile = Delivery(database, nobody, no_notes, clock), Reconcile(database, nobody, clock)
        jobs = RoutingJobs(app, database, delivery, reconcile, Deeds(database, nobody, clock))
        desks = [Desk(database, jobs, add_workspace(url, keys, f"size-{size}"), size) for size in SIZES]
        for desk in desks:
            await desk.fill()
            await desk.put()
            await desk.decide()
        took: dict[int, list[float]] = {size: [] for size in SIZES}
        ratios: list[float] = []
        core: list[float] = []
        for number in rounds():
            this_round: dict[int, list[float]] = {size: [] for size in SIZES}
            for _ in range(DECISIONS):
                for desk in desks:
                    await desk.put()
                    this_round[desk.engineers].append(await desk.decide())
            medians = {size: statistics.median(each) for size, each in this_round.items()}
            ratios.append(medians[2_000] / medians[40])
            core.append(core_per_second())
            for size, median_ms in medians.items():
                took[size].append(median_ms)
            say(
                f"round {number}: "
                + ", ".join(f"{size} engineers {each:.2f} ms" for size, each in medians.items())
                + f": {ratios[-1]:.2f}; core {core[-1]:.0f}/s"
            )
        slowest = max([await explain(desk) for desk in desks])
        result(
            ratio=median(ratios),
            core_per_s=round(statistics.median(core)),
            ms_at_40=median(took[40]),
            ms_at_2000=median(took[2_000]),
            statements=await statements(desks[0]),
            explained=EXPLAINED,
            slowest_explanation_ms=round(slowest),
        )


async def explain(desk: Desk) -> float:
    """Explains some of the decisions; the milliseconds that the slowest took. Each must equal its digest."""
    async with desk.database.transaction(desk.workspace) as conn:
        rows = await (await conn.execute("SELECT decision FROM decision ORDER BY decision DESC")).fetchall()
    wanted = rows[:: max(1, len(rows) // (EXPLAINED // len(SIZES)))][: EXPLAINED // len(SIZES) + 1]
    slowest = 0.0
    for (position,) in wanted:
        begun = time.perf_counter()
        explained = await replay.explain(desk.database, desk.workspace, Position(position))
        slowest = max(slowest, (time.perf_counter() - begun) * 1000)
        if not explained.identical or len(explained.candidates) != desk.engineers:
            raise SystemExit(f"decision {position} of {desk.workspace} does not equal its digest")
    say(f"{len(wanted)} decisions at {desk.engineers} engineers explained, the slowest in {slowest:.0f} ms")
    return slowest


async def statements(desk: Desk) -> int:
    """Statements of one decision as the driver sends them, BEGIN and COMMIT included."""
    sent = 0
    cursor: Any = psycopg.AsyncCursor
    execute, executemany = cursor.execute, cursor.executemany

    async def counted(self: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal sent
        sent += 1
        return await execute(self, *arguments, **options)

    async def counted_many(self: Any, query: Any, seq: Any, **options: Any) -> Any:
        nonlocal sent
        rows = list(seq)
        sent += len(rows)
        return await executemany(self, query, rows, **options)

    await desk.put()
    cursor.execute, cursor.executemany = counted, counted_many
    try:
        await desk.decide()
    finally:
        cursor.execute, cursor.executemany = execute, executemany
    return sent + 1


if __name__ == "__main__":
    with server() as embedded, tempfile.TemporaryDirectory() as folder:
        run_until_done(run(embedded.app_url, add_keys(Path(folder))))
