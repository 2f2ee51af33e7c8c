"""The acts of people: what somebody does in the console becomes a fact, and a job where Intercom has to be told.

Both are written in one transaction, so neither can exist without the other. The job does what the fact says, and says
how it ended: see deeds.py. What the router has to heed goes to it through the inbox.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from secrets import token_hex
from typing import Protocol

from steelyard.kit.errors import ActError
from steelyard.kit.facts import Fact
from steelyard.kit.ids import ConversationId, EngineerId, PersonId, Position, WorkspaceId
from steelyard.kit.instants import SECOND, Micros
from steelyard.routing import codec, store
from steelyard.routing.aside import try_again
from steelyard.routing.model import NOBODY, Conversation, Phase, Switch
from steelyard.routing.switch import change_switch
from steelyard.routing.switching import Change
from steelyard.routing.told import ROTATION
from steelyard.store.database import Connection, Database
from steelyard.store.ledger import Ledger

REFUSALS = {
    "paused": "Steelyard is paused and writes nothing to Intercom. Resume it under Switch, then try again.",
    "not_connected": "This workspace is not connected to an Intercom. Connect it with `steelyard connect intercom`.",
    "unknown_engineer": "Nobody of that number is in this workspace. Choose somebody from the list.",
    "left": "They have left the Intercom workspace. Choose somebody else.",
    "no_seat": "Without an inbox seat they can have no conversations. Choose somebody else, or give them a seat.",
    "unknown_conversation": "No conversation of that number is known here. Look for it on the desk.",
    "not_open": "It is closed or snoozed. Open it in Intercom, then try again.",
    "ticket": "It is a ticket: Steelyard moves conversations only. Assign it in Intercom.",
    "same": "They have it already. Choose somebody else.",
    "waits": "Nobody has it yet: it is given to somebody as soon as somebody can take it.",
}
"""Why an act is refused, by the code of the ActError, and what to do."""


class Jobs(Protocol):
    """What people's acts ask to have done, each in the act's own transaction. `asked`: the fact that says so."""

    async def move(
        self, conn: Connection, workspace: WorkspaceId, conversation: ConversationId, asked: Position
    ) -> None:
        """Gives a conversation to somebody else."""
        ...

    async def set_away(self, conn: Connection, workspace: WorkspaceId, engineer: EngineerId, asked: Position) -> None:
        """Sets an engineer away, or back."""
        ...

    async def read(self, conn: Connection, workspace: WorkspaceId, conversation: ConversationId) -> None:
        """Reads a conversation from Intercom, known here or not."""
        ...


class Acts:
    """What people do in any workspace. `person` is None for this machine, where the console is open to it."""

    def __init__(self, database: Database, ledger: Ledger, jobs: Jobs, clock: Callable[[], Micros]) -> None:
        self._database, self._ledger, self._jobs, self._clock = database, ledger, jobs, clock

    async def move(
        self,
        workspace: WorkspaceId,
        conversation: ConversationId,
        engineer: EngineerId,
        expected: EngineerId,
        person: PersonId | None,
    ) -> Position:
        """Has a conversation given to `engineer`, or to NOBODY; the position of the fact that says so.

        `expected` is whom `person` saw it with, also by a decision on its way. It is moved only while they have it.
        Raises ActError.
        """
        async with self._database.transaction(workspace) as conn:
            await _require_running(conn, workspace)
            if engineer != NOBODY:
                await _require_engineer(conn, workspace, engineer, seated=True)
            known = await _require_open(conn, workspace, conversation)
            if engineer == expected:
                raise _refused("same")
            if engineer == NOBODY and known.assignee is None:
                raise _refused("waits")
            data: dict[str, int] = {"from": expected}
            if (decision := _on_its_way(known, expected)) is not None:
                data["decision"] = decision
            to = engineer if engineer != NOBODY else None
            fact = Fact("conversation.move_asked", self._clock(), conversation, to, codec.dump(data), person)
            asked = await self._append(conn, workspace, fact)
            await self._jobs.move(conn, workspace, conversation, asked)
        await self._database.notify(store.DESK)
        return asked

    async def set_away(
        self, workspace: WorkspaceId, engineer: EngineerId, away: bool, person: PersonId | None
    ) -> Position:
        """Has `engineer` set away in Intercom, or back; the position of the fact that says so. Raises ActError."""
        async with self._database.transaction(workspace) as conn:
            await _require_running(conn, workspace)
            await _require_engineer(conn, workspace, engineer, seated=False)
            fact = Fact("engineer.away_asked", self._clock(), None, engineer, codec.dump({"away": away}), person)
            asked = await self._append(conn, workspace, fact)
            await self._jobs.set_away(conn, workspace, engineer, asked)
        await self._database.notify(store.DESK)
        return asked

    async def set_rotation(
        self, workspace: WorkspaceId, engineer: EngineerId, resting: bool, person: PersonId | None
    ) -> None:
        """Takes `engineer` off rotation, or puts them back. They keep what they have. Raises ActError."""
        async with self._database.transaction(workspace) as conn:
            await _require_engineer(conn, workspace, engineer, seated=False)
            at = self._clock()
            told = {"created_at": at // SECOND, "engineer": engineer, "resting": resting, "person": person}
            # Of one second, the later one has the greater id.
            await store.put_in_inbox(conn, workspace, ROTATION, [(f"rotation {at:020} {token_hex(4)}", told)])
        await self._database.notify(store.INBOX)

    async def read(self, workspace: WorkspaceId, conversation: ConversationId, person: PersonId | None) -> Position:
        """Has a conversation read from Intercom, known here or not; the position of the fact that says so."""
        async with self._database.transaction(workspace) as conn:
            fact = Fact("conversation.read_asked", self._clock(), conversation, None, person=person)
            asked = await self._append(conn, workspace, fact)
            await self._jobs.read(conn, workspace, conversation)
        return asked

    async def change_switch(
        self, workspace: WorkspaceId, change: Change, person: PersonId | None
    ) -> tuple[Switch, Switch]:
        """Switches teams on and off, or pauses; what was in force before, and what is now."""
        return await change_switch(self._database, workspace, change, self._clock(), person)

    async def try_again(
        self, workspace: WorkspaceId, seqs: Sequence[int] | None, person: PersonId | None, now: datetime
    ) -> int:
        """Has payloads that were set aside handled again, all of them where `seqs` is None; how many.

        What becomes of them is told by `now`: see aside.py.
        """
        return await try_again(self._database, self._ledger, workspace, now, seqs, person)

    async def _append(self, conn: Connection, workspace: WorkspaceId, fact: Fact) -> Position:
        [recorded] = await self._ledger.append(conn, workspace, [fact])
        return recorded.position


def _on_its_way(known: Conversation, expected: EngineerId) -> Position | None:
    """The decision that may be delivered meanwhile: whoever it is for, a person comes first."""
    pending = known.pending
    if pending is None or pending.shadow or known.assignee is not None:
        return None
    return pending.decision if expected in (NOBODY, pending.engineer) else None


async def _require_running(conn: Connection, workspace: WorkspaceId) -> None:
    """Holds the workspace: what is decided is decided before this act or after it."""
    found = await conn.execute("SELECT paused FROM workspace WHERE workspace = %s FOR UPDATE", (workspace,))
    row = await found.fetchone()
    connected = await conn.execute("SELECT FROM connection WHERE workspace = %s AND actor IS NOT NULL", (workspace,))
    if row is None or await connected.fetchone() is None:
        raise _refused("not_connected")
    if row[0]:
        raise _refused("paused")


async def _require_engineer(conn: Connection, workspace: WorkspaceId, engineer: EngineerId, *, seated: bool) -> None:
    found = await conn.execute(
        "SELECT value FROM engineer WHERE workspace = %s AND engineer = %s", (workspace, engineer)
    )
    row = await found.fetchone()
    if row is None:
        raise _refused("unknown_engineer")
    known = codec.engineer(engineer, row[0])
    if not known.member:
        raise _refused("left")
    if seated and not known.seat:
        raise _refused("no_seat")


async def _require_open(conn: Connection, workspace: WorkspaceId, conversation: ConversationId) -> Conversation:
    known = (await store.conversations(conn, workspace, [conversation])).get(conversation)
    if known is None or known.deleted:
        raise _refused("unknown_conversation")
    if known.ticket:
        raise _refused("ticket")
    if known.phase is not Phase.OPEN:
        raise _refused("not_open")
    return known


def _refused(code: str) -> ActError:
    return ActError(code, REFUSALS[code])
