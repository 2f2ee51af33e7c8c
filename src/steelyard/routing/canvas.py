"""What the inbox app in Intercom's sidebar says of a conversation, read in one transaction. No customer's text."""

from __future__ import annotations

from typing import Any, NamedTuple

from psycopg import AsyncConnection

from steelyard.kit.ids import ConversationId, WorkspaceId
from steelyard.routing import store
from steelyard.routing.conversations import State, read_waits, state_of, wait_of
from steelyard.routing.desk import Wait, policy_in_force
from steelyard.routing.entries import Entry, read_entries
from steelyard.routing.labels import Label, Person, label_of
from steelyard.routing.model import Conversation
from steelyard.routing.rows import one


class Card(NamedTuple):
    """A conversation as the inbox app shows it. `entry` is the last decision about it; None: there was none."""

    conversation: int
    label: Label
    weight: int
    by_hand: bool
    """Whether somebody set the weight."""
    state: State
    has_it: Person | None
    """Whom Intercom shows with it, or who is to get it."""
    team: str
    why: Wait | None
    """What it waits for, where it does."""
    ticket: bool
    entry: Entry | None


async def read_card(conn: AsyncConnection[Any], workspace: WorkspaceId, conversation: int) -> Card | None:
    """The conversation now; None for one that is not known here."""
    id = ConversationId(conversation)
    known = (await store.conversations(conn, workspace, [id])).get(id)
    if known is None:
        return None
    policy = await policy_in_force(conn, workspace)
    waits = await read_waits(conn, workspace, policy) if state_of(known) is State.WAITING else None
    return Card(
        conversation=conversation,
        label=label_of(known.topic, policy),
        weight=known.weight,
        by_hand=known.weight != known.topic_weight,
        state=state_of(known),
        has_it=await _owner(conn, workspace, known),
        team=await _team(conn, workspace, known),
        why=wait_of(known, waits) if waits is not None else None,
        ticket=known.ticket,
        entry=await _last_decision(conn, workspace, conversation),
    )


async def _owner(conn: AsyncConnection[Any], workspace: WorkspaceId, known: Conversation) -> Person | None:
    if known.owner is None:
        return None
    found = await one(
        conn, "SELECT name FROM teammate_name WHERE workspace = %s AND engineer = %s", (workspace, known.owner)
    )
    return Person(known.owner, found["name"] if found is not None else "")


async def _team(conn: AsyncConnection[Any], workspace: WorkspaceId, known: Conversation) -> str:
    if known.team is None:
        return ""
    found = await one(conn, "SELECT name FROM team_name WHERE workspace = %s AND team = %s", (workspace, known.team))
    return (found["name"] if found is not None else "") or str(known.team)


async def _last_decision(conn: AsyncConnection[Any], workspace: WorkspaceId, conversation: int) -> Entry | None:
    found = await one(
        conn,
        "SELECT max(decision) AS last FROM decision WHERE workspace = %s AND conversation = %s",
        (workspace, conversation),
    )
    if found is None or found["last"] is None:
        return None
    entries = await read_entries(conn, 1, before=found["last"] + 1)
    return entries[0] if entries else None
