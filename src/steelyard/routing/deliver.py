"""Delivery: one job tells Intercom all of one decision, in order: attributes, assignment, note.

It may run more than once, and a person may have been faster. So the attributes go first: writing them twice is
harmless, and the answer shows whether the conversation still waits for somebody. A note is written only if it is not
there yet. How it ended goes into the inbox as a receipt: the router alone writes the ledger.

Where Steelyard was switched off meanwhile nothing is written; but what an earlier try has assigned was delivered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Protocol

from psycopg.rows import class_row
from structlog import get_logger

from steelyard.kit.errors import ConfigError, RemoteError, StoreError
from steelyard.kit.ids import ConversationId, EngineerId, Position, TeamId, WorkspaceId, numeric_id
from steelyard.kit.instants import SECOND, Micros
from steelyard.routing import payload, store
from steelyard.routing.connections import write_package_code
from steelyard.routing.store import INBOX
from steelyard.routing.switch import read_switch
from steelyard.routing.told import RECEIPT
from steelyard.store.database import Database

LONGEST_PAUSE = 3 * SECOND
"""How long what was read may wait for the database before it is read again: no longer than a worker may be silent."""

log = get_logger()

Json = dict[str, Any]

SWITCHED_OFF: tuple[str, str, Json] = "overtaken", "switched off", {}
"""How a decision ends that Steelyard may not tell any more."""


class Intercom(Protocol):
    """What delivery needs of a workspace's Intercom. Each call raises RemoteError."""

    async def conversation(self, conversation: int) -> Json:
        """The conversation with its parts."""
        ...

    async def update_conversation(self, conversation: int, attributes: Mapping[str, str | int]) -> Json:
        """Writes attributes; the whole conversation."""
        ...

    async def assign(self, conversation: int, actor: int, engineer: int) -> Json:
        """Assigns it; the whole conversation."""
        ...

    async def note(self, conversation: int, actor: int, body: str) -> Json:
        """Adds an internal note."""
        ...


@dataclass(frozen=True, slots=True)
class Errand:
    """What there is to deliver."""

    conversation: ConversationId
    winner: EngineerId
    topic: str
    weight: int
    team: TeamId | None
    winner_load: int
    runner_up_load: int | None
    actor: int
    """0: the workspace is not connected."""
    policy: str
    package_code: str | None
    """Marks what our calls do; None until Intercom has shown it."""
    wanted: bool
    """Whether it still stands: Intercom shows it, by an earlier try, or nothing newer has answered it."""


class Delivery:
    """Delivers decisions of any workspace."""

    def __init__(
        self,
        database: Database,
        intercom: Callable[[WorkspaceId], Awaitable[Intercom]],
        writes_notes: Callable[[WorkspaceId, str], Awaitable[bool]],
        clock: Callable[[], Micros],
    ) -> None:
        """`writes_notes(workspace, policy)` says whether the policy of that digest wants a note with the reason."""
        self._database = database
        self._intercom = intercom
        self._writes_notes = writes_notes
        self._clock = clock

    async def deliver(self, workspace: WorkspaceId, decision: Position) -> None:
        """Delivers one decision. Raises RemoteError where another try may help; it is never given up.

        Raises StoreError where it had to wait for the database, so that another try may be under way.
        """
        began = self._clock()
        errand = await self._errand(workspace, decision)
        if errand is None:
            return
        on = await self._is_on(workspace, errand)
        self._require_swift(decision, began)
        if on and not errand.wanted:
            return await self._settle(workspace, decision, errand, "overtaken", "no longer wanted", {})
        try:
            outcome, reason, answer = await (self._tell if on else self._look)(workspace, decision, errand)
        except RemoteError as error:
            if not error.permanent:
                raise
            log.warning("delivery.failed", workspace=workspace, decision=decision, code=error.code)
            outcome, reason, answer = "failed", error.code or type(error).__name__, {}
        await self._settle(workspace, decision, errand, outcome, reason, answer)

    async def _tell(self, workspace: WorkspaceId, decision: Position, errand: Errand) -> tuple[str, str, Json]:
        intercom = await self._intercom(workspace)
        answer = await self._describe(intercom, workspace, decision, errand)
        assignee = numeric_id(answer.get("admin_assignee_id"))
        if assignee is not None and assignee != errand.winner:
            return "overtaken", "assigned by a person", answer
        if assignee is None:
            if answer.get("state") != "open":
                return "overtaken", "no longer open", answer
            if numeric_id(answer.get("team_assignee_id")) != errand.team:
                return "overtaken", "moved to another team", answer
            answered = self._clock()
            if not await self._is_on(workspace, errand):  # the attributes may have waited for long
                return SWITCHED_OFF
            self._require_swift(decision, answered)
            answer = await intercom.assign(errand.conversation, errand.actor, errand.winner)
            if errand.package_code is None:
                await self._learn_code(workspace, answer)
        if await self._writes_notes(workspace, errand.policy):
            await self._note(intercom, workspace, decision, errand)
        return "delivered", "", answer

    def _require_swift(self, decision: Position, since: Micros) -> None:
        """A database that was away may have forgotten that this job was taken, or given it to another worker."""
        if self._clock() - since > LONGEST_PAUSE:
            raise StoreError(f"the database was away during the delivery of decision {decision}: it is tried again")

    async def _look(self, workspace: WorkspaceId, decision: Position, errand: Errand) -> tuple[str, str, Json]:
        """What became of a decision that must not be told any more: an earlier try may have assigned it. Only reads."""
        intercom = await self._intercom(workspace)
        try:
            shown = await intercom.conversation(errand.conversation)
        except RemoteError as error:
            if not error.permanent:
                raise
            return SWITCHED_OFF
        told = numeric_id(payload.mapping(shown.get("custom_attributes")).get("decision"))
        if told == decision and numeric_id(shown.get("admin_assignee_id")) == errand.winner:
            return "delivered", "", shown
        return SWITCHED_OFF

    async def _is_on(self, workspace: WorkspaceId, errand: Errand) -> bool:
        async with self._database.transaction(workspace) as conn:
            return (await read_switch(conn, workspace)).routes(errand.team)

    async def _describe(self, intercom: Intercom, workspace: WorkspaceId, decision: Position, errand: Errand) -> Json:
        """Writes the attributes; the conversation as it is now. An attribute that is refused keeps nobody waiting."""
        attributes = {"weight": errand.weight, "topic": errand.topic, "decision": int(decision)}
        try:
            return await intercom.update_conversation(errand.conversation, attributes)
        except RemoteError as error:
            if not error.permanent:
                raise
            log.warning("delivery.attributes_refused", workspace=workspace, decision=decision, code=error.code)
            return await intercom.conversation(errand.conversation)

    async def _learn_code(self, workspace: WorkspaceId, answer: Json) -> None:
        """Keeps what Intercom marks our parts with: nothing but the first of them tells."""
        parts = payload.mappings(payload.mapping(answer.get("conversation_parts")).get("conversation_parts"))
        code = payload.text(parts[-1].get("app_package_code"), 200) if parts else ""
        if code:
            async with self._database.transaction(workspace) as conn:
                await write_package_code(conn, workspace, code)

    async def _note(self, intercom: Intercom, workspace: WorkspaceId, decision: Position, errand: Errand) -> None:
        """Leaves the note, unless it is there already. One that is refused undoes no assignment."""
        mark = f"[d-{decision}]"
        try:
            shown = await intercom.conversation(errand.conversation)
            parts = payload.mappings(payload.mapping(shown.get("conversation_parts")).get("conversation_parts"))
            if not any(mark in payload.text(part.get("body")) for part in parts):
                await intercom.note(errand.conversation, errand.actor, note_of(errand, mark))
        except RemoteError as error:
            if not error.permanent:
                raise
            log.warning("delivery.note_refused", workspace=workspace, decision=decision, code=error.code)

    async def _errand(self, workspace: WorkspaceId, decision: Position) -> Errand | None:
        async with self._database.transaction(workspace) as conn, conn.cursor(row_factory=class_row(Errand)) as cursor:
            await cursor.execute(
                """SELECT decision.conversation, winner, decision.topic, decision.weight, decision.team, winner_load,
                          runner_up_load, coalesce(actor, 0) AS actor, decision.policy,
                          package_code,
                          coalesce((value #>> '{12,0}')::bigint = decision.decision, false)
                          OR coalesce((value ->> 3)::bigint = winner, false) AND NOT EXISTS (
                              SELECT FROM decision AS newer
                              WHERE newer.workspace = decision.workspace AND newer.conversation = decision.conversation
                                    AND newer.decision > decision.decision
                          ) AS wanted
                   FROM decision JOIN conversation USING (workspace, conversation)
                        LEFT JOIN connection USING (workspace)
                   WHERE decision.workspace = %s AND decision.decision = %s AND outcome = 'pending'""",
                (workspace, decision),
            )
            errand = await cursor.fetchone()
        if errand is not None and not errand.actor:
            raise ConfigError(f"{workspace} is not connected to an Intercom: decision {decision} waits until it is")
        return errand

    async def _settle(
        self, workspace: WorkspaceId, decision: Position, errand: Errand, outcome: str, reason: str, answer: Json
    ) -> None:
        receipt = {
            "created_at": (now := self._clock()) // SECOND,
            "at": now,
            "decision": decision,
            "conversation": errand.conversation,
            "outcome": outcome,
            "reason": reason,
            "answer": answer,
        }
        async with self._database.transaction(workspace) as conn:
            await store.put_in_inbox(conn, workspace, RECEIPT, [(f"receipt {decision}", receipt)])
        await self._database.notify(INBOX)


def note_of(errand: Errand, mark: str) -> str:
    """The internal note with the reason, as HTML. It names nobody: Intercom shows whom it was assigned to."""
    what = f"Weight {errand.weight} ({escape(errand.topic)})"
    reason = f"{what}: given to the engineer who carried the least, {errand.winner_load}"
    next_best = f"; next best {errand.runner_up_load}" if errand.runner_up_load is not None else ""
    return f"<p>{reason}{next_best}. {mark}</p>"
