"""The router: takes what ingest stored, decides, and records everything about it in one transaction per batch.

One writer per workspace: a transaction holds the workspace's row, so a killed worker frees it at once and another goes
on. The cached state is a fork that became the cache only after its commit; its version tells whether it is the newest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from time import monotonic
from typing import Any, Protocol

from psycopg import AsyncConnection
from structlog import get_logger

from steelyard.kit.errors import LedgerError
from steelyard.kit.ids import ConversationId, EngineerId, Position, TeamId, WorkspaceId
from steelyard.kit.instants import SECOND, Micros
from steelyard.routing import store
from steelyard.routing.decide import Changes, Scale, apply, decide
from steelyard.routing.fault import Unhandled, can_be_a_payloads
from steelyard.routing.model import Conversation, Exclusion
from steelyard.routing.policy import Policy, parse
from steelyard.routing.receive import AskFor, receive
from steelyard.routing.seen import (
    Gone,
    Ignored,
    Seen,
    SeenConversation,
    SeenEngineer,
    SeenMove,
    SeenRoster,
    SeenTeam,
    Settled,
)
from steelyard.routing.shown import Reader
from steelyard.routing.state import State
from steelyard.routing.told import GO_ON
from steelyard.routing.weigh import weigh
from steelyard.store.database import Database
from steelyard.store.ledger import Ledger, facts_after

BATCH = 50
"""Payloads of one transaction. More would make the first of them wait."""

CATCH_UP = 1_000
"""Facts that a stale cache reads before it is cheaper to rebuild it from the tables."""

SNAPSHOT_EVERY = 2_000
"""Positions between two snapshots: what an explanation has to replay at most."""

READ_AFRESH = 10.0
"""Seconds. A remembered state that is older is read from the tables again after a failure. Large ones take seconds."""

_KEPT_TEXTS = 10_000

log = get_logger()


class Jobs(Protocol):
    """What the router asks to have done, in its own transaction."""

    async def deliver(
        self, conn: AsyncConnection[Any], workspace: WorkspaceId, decisions: list[tuple[Position, ConversationId]]
    ) -> None:
        """Delivers decisions, in order per conversation."""
        ...

    async def read_back(
        self, conn: AsyncConnection[Any], workspace: WorkspaceId, conversations: list[ConversationId]
    ) -> None:
        """Reads conversations from Intercom, a little later."""
        ...

    async def read_roster(self, conn: AsyncConnection[Any], workspace: WorkspaceId) -> None:
        """Reads teammates and teams from Intercom, a little later."""
        ...

    async def keep_snapshot(self, conn: AsyncConnection[Any], workspace: WorkspaceId) -> None:
        """Keeps the state as it is by then, to replay from."""
        ...


@dataclass
class _Cached:
    """What a worker remembers of a workspace between transactions."""

    policy: Policy
    scale: Scale
    reader: Reader
    state: State
    loaded_at: float
    """In seconds of a clock that nobody sets."""
    texts: dict[ConversationId, int] = field(default_factory=dict[ConversationId, int])
    """Hashes of the texts that were written, so that they are written once."""


@dataclass
class _Batch:
    """What one transaction collects."""

    handled: list[store.Handled] = field(default_factory=list[store.Handled])
    changes: list[Changes] = field(default_factory=list[Changes])
    texts: dict[ConversationId, SeenConversation] = field(default_factory=dict[ConversationId, SeenConversation])
    engineers: dict[EngineerId, str] = field(default_factory=dict[EngineerId, str])
    teams: dict[TeamId, tuple[str, str]] = field(default_factory=dict[TeamId, tuple[str, str]])
    unsure: set[ConversationId] = field(default_factory=set[ConversationId])
    unsure_of_roster: bool = False
    snapshot_due: bool = False


class Router:
    """Routes the workspaces of a cell. Safe to run in any number of processes at once."""

    def __init__(self, database: Database, ledger: Ledger, jobs: Jobs, clock: Callable[[], Micros]) -> None:
        self._database = database
        self._ledger = ledger
        self._jobs = jobs
        self._clock = clock
        self._cache: dict[WorkspaceId, _Cached] = {}

    async def route(self, workspace: WorkspaceId) -> int:
        """Handles one batch of the workspace's stored payloads; how many. 0 also where another worker is at it.

        What cannot be handled is set aside, so that the others go on; raises where that is not a payload's fault.
        """
        try:
            return await self._route(workspace, BATCH)
        except Unhandled as failed:
            most = len(failed.seqs)
        return await self._one_by_one(workspace, most)

    async def _one_by_one(self, workspace: WorkspaceId, most: int) -> int:
        """After a batch failed: one payload a transaction, until one fails alone, which is set aside; how many."""
        for before in range(most):
            try:
                if not await self._route(workspace, 1):
                    return before
            except Unhandled as failed:
                return before + await self._set_aside(workspace, failed)
        return most

    async def _set_aside(self, workspace: WorkspaceId, failed: Unhandled) -> int:
        [seq] = failed.seqs
        async with self._database.transaction(workspace) as conn:
            if await store.lock(conn, workspace) is None:
                return 0
            await store.write_handled(conn, workspace, [store.Handled(seq, store.ASIDE, failed.reason)])
        log.warning("routing.set_aside", workspace=workspace, seq=seq, reason=failed.reason)
        return 1

    async def _route(self, workspace: WorkspaceId, most: int) -> int:
        """Handles at most so many payloads in one transaction. Raises Unhandled where that can be a payload's fault."""
        try:
            async with self._database.transaction(workspace) as conn:
                head = await store.lock(conn, workspace)
                if head is None:
                    return 0
                items = await store.unhandled(conn, workspace, most)
                if not items:
                    return 0
                cached = await self._current(conn, workspace, head)
                state = cached.state.fork()
                try:
                    batch = await self._decide(conn, workspace, cached, state, items)
                    await self._record(conn, workspace, cached, state, batch)
                except Exception as error:
                    if can_be_a_payloads(error):
                        raise Unhandled([item.seq for item in items], error) from error
                    raise
                await self._defer(conn, workspace, batch)
        except Unhandled:
            # Rolled back for certain. What is remembered may be at fault: it is read afresh, but not for each of many.
            if monotonic() - self._cache[workspace].loaded_at > READ_AFRESH:
                self._cache.pop(workspace)
            raise
        except BaseException:
            # Whether it was committed is not known: the tables are asked again.
            self._cache.pop(workspace, None)
            raise
        cached.state = state
        for id, seen in batch.texts.items():
            cached.texts[id] = hash(seen.text)
        if len(cached.texts) > _KEPT_TEXTS:
            cached.texts.clear()
        return len(batch.handled)

    async def _decide(
        self,
        conn: AsyncConnection[Any],
        workspace: WorkspaceId,
        cached: _Cached,
        state: State,
        items: list[store.Item],
    ) -> _Batch:
        batch = _Batch()
        received = [(item, receive(item.body, int(item.received_at), cached.reader)) for item in items]
        unknown = {id for _, each in received if (id := _conversation_of(each)) and id not in state.conversations}
        recorded = await store.conversations(conn, workspace, unknown) if unknown else {}
        for item, seen in received:
            if isinstance(seen, Ignored):
                batch.handled.append(store.Handled(item.seq, "ignored", seen.reason))
                continue
            if isinstance(seen, AskFor):
                batch.unsure.add(seen.conversation)
                batch.handled.append(store.Handled(item.seq, "fact", "read back"))
                continue
            id = _conversation_of(seen)
            known = _known(state, recorded, id) if id is not None else None
            changes = decide(state, seen, known, cached.scale, self._clock())
            batch.changes.append(changes)
            batch.handled.append(store.Handled(item.seq, "late" if changes.late else "fact"))
            _collect(batch, cached, seen, changes)
            if isinstance(seen, SeenConversation) and _is_of_unknown_team(state, seen):
                batch.unsure_of_roster = True
            if changes.more:
                break  # what it led to is enough for one transaction
        return batch

    async def _record(
        self, conn: AsyncConnection[Any], workspace: WorkspaceId, cached: _Cached, state: State, batch: _Batch
    ) -> None:
        facts = [fact for changes in batch.changes for fact in changes.facts]
        before = cached.state.position
        if facts:
            recorded = await self._ledger.append(conn, workspace, facts)
            if recorded[-1].position != state.position:
                raise LedgerError(
                    f"the ledger of {workspace} is at {recorded[-1].position}, its routing state at {state.position}: "
                    "the batch is rolled back and decided again from the tables"
                )
            state.version = state.position
            await store.write_state(conn, workspace, state)
        await store.write_handled(conn, workspace, batch.handled)
        if batch.texts:
            await store.write_texts(conn, workspace, list(batch.texts.values()))
        if batch.engineers or batch.teams:
            await store.write_names(conn, workspace, batch.engineers, batch.teams)
        batch.snapshot_due = before // SNAPSHOT_EVERY != state.position // SNAPSHOT_EVERY

    async def _defer(self, conn: AsyncConnection[Any], workspace: WorkspaceId, batch: _Batch) -> None:
        """Asks for the jobs of what was recorded. Their arguments are ids: no payload can make this fail."""
        if any(changes.more for changes in batch.changes):
            at = self._clock()
            await store.put_in_inbox(conn, workspace, GO_ON, [(f"go on {at}", {"created_at": at // SECOND})])
        decisions = [(position, made.conversation) for changes in batch.changes for position, made in changes.decisions]
        if decisions:
            await self._jobs.deliver(conn, workspace, decisions)
        if batch.unsure:
            await self._jobs.read_back(conn, workspace, sorted(batch.unsure))
        if batch.unsure_of_roster:
            await self._jobs.read_roster(conn, workspace)
        if batch.snapshot_due:
            await self._jobs.keep_snapshot(conn, workspace)

    async def _current(self, conn: AsyncConnection[Any], workspace: WorkspaceId, head: store.Head) -> _Cached:
        cached = self._cache.get(workspace)
        if cached is None or cached.policy.digest != head.policy:
            cached = self._cache[workspace] = await self._load(conn, workspace, head)
        elif cached.state.version != head.version:
            await self._catch_up(conn, workspace, head, cached)
        cached.state.position = head.position
        if cached.reader.package_code is None:
            cached.reader = cached.reader._replace(package_code=await store.package_code(conn, workspace))
        return cached

    async def _catch_up(
        self, conn: AsyncConnection[Any], workspace: WorkspaceId, head: store.Head, cached: _Cached
    ) -> None:
        if head.position - cached.state.position > CATCH_UP:
            cached.state = await store.load_state(conn, workspace, head, ignored(cached.policy))
            return
        for recorded in await facts_after(conn, workspace, cached.state.position, CATCH_UP):
            apply(cached.state, recorded.position, recorded.fact)
        cached.state.version = head.version

    async def _load(self, conn: AsyncConnection[Any], workspace: WorkspaceId, head: store.Head) -> _Cached:
        policy = parse(await store.policy_text(conn, workspace, head.policy))
        code = await store.package_code(conn, workspace)
        state = await store.load_state(conn, workspace, head, ignored(policy))
        log.info("routing.loaded", workspace=workspace, position=head.position, open=len(state.conversations))
        return _Cached(policy, scale(policy), Reader(code, policy.heaviest), state, monotonic())


def scale(policy: Policy) -> Scale:
    """What `policy` weighs conversations with. Most payloads show a text that was weighed before."""
    return Scale(policy.digest, lru_cache(maxsize=2_000)(partial(weigh, policy=policy)))


def ignored(policy: Policy) -> Exclusion:
    """The exclusions that exclude nobody under `policy`."""
    return Exclusion.NONE if policy.logged_out_counts_as_away else Exclusion.LOGGED_OUT


def _conversation_of(seen: Seen | AskFor | Ignored) -> ConversationId | None:
    match seen:
        case SeenConversation() | Gone():
            return seen.id
        case Settled() | SeenMove():
            return seen.conversation
        case _:
            return None


def _is_of_unknown_team(state: State, seen: SeenConversation) -> bool:
    """Whether it waits for a team that nobody has told of: no webhook does."""
    return seen.team is not None and seen.team not in state.teams and seen.id in state.waiting


def _known(state: State, recorded: dict[ConversationId, Conversation], id: ConversationId) -> Conversation | None:
    return state.changed_conversations.get(id) or state.conversations.get(id) or recorded.get(id)


def _collect(batch: _Batch, cached: _Cached, seen: Seen, changes: Changes) -> None:
    """Puts names and texts, which go into no fact, beside the changes."""
    if isinstance(seen, Settled | SeenMove) and seen.seen is not None:
        seen = seen.seen
    match seen:
        case SeenConversation():
            if changes.unsure:
                batch.unsure.add(seen.id)
            if not changes.late and cached.texts.get(seen.id) != hash(seen.text):
                batch.texts[seen.id] = seen
        case SeenEngineer():
            batch.unsure_of_roster |= changes.unsure
            batch.engineers[seen.id] = seen.name or batch.engineers.get(seen.id, "")
        case SeenTeam():
            batch.teams[seen.team.id] = seen.name, seen.distribution
        case SeenRoster():
            batch.unsure_of_roster |= changes.unsure
            batch.engineers |= {each.id: each.name for each in seen.engineers}
            batch.teams |= {each.team.id: (each.name, each.distribution) for each in seen.teams}
        case _:
            pass
    batch.engineers = {id: name for id, name in batch.engineers.items() if name}
