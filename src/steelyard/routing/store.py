"""Routing's tables: what is read to know the state, and everything one transaction of the router writes."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from steelyard.kit.errors import PolicyError
from steelyard.kit.ids import ConversationId, EngineerId, Position, TeamId, WorkspaceId
from steelyard.routing import codec
from steelyard.routing.model import Conversation, Engineer, Exclusion, Switch, Team
from steelyard.routing.seen import SeenConversation
from steelyard.routing.state import State, build
from steelyard.store.database import Connection

INBOX, DESK = "steelyard_inbox", "steelyard_desk"
"""Channels of hints: something came in; something on the desk changed."""

ASIDE = "aside"
"""The outcome of a payload that could not be handled, until it is tried again."""


@dataclass(frozen=True, slots=True)
class Head:
    """A workspace's counters, held by this transaction until it ends."""

    position: Position
    version: int
    policy: str | None
    routed: list[TeamId] | None
    paused: bool

    @property
    def switch(self) -> Switch:
        """For which teams is assigned."""
        return Switch(tuple(self.routed) if self.routed is not None else None, self.paused)


@dataclass(frozen=True, slots=True)
class Item:
    """One stored payload that nobody has handled."""

    seq: int
    topic: str
    body: bytes
    received_at: float
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of a stored payload: `fact`, `late`, `ignored` or `aside`, and why where it was one of these two."""

    seq: int
    outcome: str
    reason: str | None = None


async def lock(conn: Connection, workspace: WorkspaceId) -> Head | None:
    """Takes the workspace for this transaction; None where another worker has it, or where it is gone."""
    async with conn.cursor(row_factory=class_row(Head)) as cursor:
        await cursor.execute(
            "SELECT position, version, policy, routed, paused FROM workspace"
            " WHERE workspace = %s FOR UPDATE SKIP LOCKED",
            (workspace,),
        )
        return await cursor.fetchone()


async def unhandled(conn: Connection, workspace: WorkspaceId, most: int) -> list[Item]:
    """The oldest payloads that nobody has handled."""
    async with conn.cursor(row_factory=class_row(Item), binary=True) as cursor:
        await cursor.execute(
            """SELECT seq, topic, body, extract(epoch FROM received_at)::float8 AS received_at
               FROM inbox WHERE workspace = %s AND handled_at IS NULL ORDER BY seq LIMIT %s""",
            (workspace, most),
        )
        return await cursor.fetchall()


async def load_state(conn: Connection, workspace: WorkspaceId, head: Head, ignored: Exclusion) -> State:
    """The state as the tables have it."""
    engineers = await (
        await conn.execute("SELECT engineer, value FROM engineer WHERE workspace = %s", (workspace,))
    ).fetchall()
    teams = await (await conn.execute("SELECT team, members FROM team WHERE workspace = %s", (workspace,))).fetchall()
    conversations = await (
        await conn.execute("SELECT value FROM conversation WHERE workspace = %s AND open", (workspace,))
    ).fetchall()
    state = build(
        ignored,
        head.position,
        head.version,
        (
            [codec.engineer(EngineerId(id), value) for id, value in engineers],
            [Team(TeamId(id), tuple(map(EngineerId, members))) for id, members in teams],
            [codec.conversation(value) for (value,) in conversations],
        ),
    )
    state.switch = head.switch
    return state


async def policy_in_force(conn: Connection, workspace: WorkspaceId) -> str | None:
    """The digest of the policy in force."""
    row = await (await conn.execute("SELECT policy FROM workspace WHERE workspace = %s", (workspace,))).fetchone()
    return row[0] if row is not None else None


async def policy_text(conn: Connection, workspace: WorkspaceId, digest: str | None) -> str:
    """The text of the policy with that digest."""
    row = await (
        await conn.execute("SELECT text FROM policy WHERE workspace = %s AND digest = %s", (workspace, digest))
    ).fetchone()
    if row is None:
        raise PolicyError(f"{workspace} has no policy in force: adopt one with `steelyard policy adopt policy.toml`")
    return row[0]


async def adopt_policy(conn: Connection, workspace: WorkspaceId, digest: str, text: str) -> None:
    """Puts a policy in force from the next decision on."""
    await conn.execute(
        "INSERT INTO policy (workspace, digest, text) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (workspace, digest, text),
    )
    await conn.execute("UPDATE workspace SET policy = %s WHERE workspace = %s", (digest, workspace))


async def package_code(conn: Connection, workspace: WorkspaceId) -> str | None:
    """What marks the conversation parts that our own calls made."""
    row = await (
        await conn.execute("SELECT package_code FROM connection WHERE workspace = %s", (workspace,))
    ).fetchone()
    return row[0] if row is not None else None


async def conversations(
    conn: Connection, workspace: WorkspaceId, wanted: Collection[ConversationId]
) -> dict[ConversationId, Conversation]:
    """What is recorded of the conversations in `wanted`, closed ones too."""
    rows = await (
        await conn.execute(
            "SELECT value FROM conversation WHERE workspace = %s AND conversation = ANY(%s)", (workspace, list(wanted))
        )
    ).fetchall()
    found = (codec.conversation(value) for (value,) in rows)
    return {each.id: each for each in found}


async def open_conversations(conn: Connection, workspace: WorkspaceId) -> set[ConversationId]:
    """The conversations that are recorded as open. Tickets are not among them: Intercom reads those elsewhere."""
    rows = await (
        await conn.execute(
            """SELECT conversation FROM conversation
               WHERE workspace = %s AND open AND NOT coalesce((value ->> 14)::bool, false)""",
            (workspace,),
        )
    ).fetchall()
    return {ConversationId(id) for (id,) in rows}


async def write_state(conn: Connection, workspace: WorkspaceId, state: State) -> None:
    """Stores what changed in `state` since its fork, as its new version."""
    if state.changed_conversations:
        await _write_conversations(conn, workspace, state)
    if state.changed_engineers:
        changed = [state.engineers[each] for each in sorted(state.changed_engineers)]
        await conn.execute(
            """INSERT INTO engineer (workspace, engineer, version, value)
               SELECT %s, engineer, %s, value FROM unnest(%s::bigint[], %s::jsonb[]) AS new (engineer, value)
               ON CONFLICT (workspace, engineer) DO UPDATE SET version = excluded.version, value = excluded.value""",
            (workspace, state.version, [each.id for each in changed], [_engineer_value(each) for each in changed]),
        )
    for team in state.changed_teams:
        await conn.execute(
            """INSERT INTO team (workspace, team, version, members) VALUES (%s, %s, %s, %s)
               ON CONFLICT (workspace, team) DO UPDATE SET version = excluded.version, members = excluded.members""",
            (workspace, team, state.version, list(state.teams[team].members)),
        )
    await conn.execute("UPDATE workspace SET version = %s WHERE workspace = %s", (state.version, workspace))


async def _write_conversations(conn: Connection, workspace: WorkspaceId, state: State) -> None:
    changed = [state.changed_conversations[each] for each in sorted(state.changed_conversations)]
    await conn.execute(
        """INSERT INTO conversation (workspace, conversation, open, owner, team, topic, weight, since, version, value)
           SELECT %s, conversation, open, owner, team, topic, weight, to_timestamp(since), %s, value
           FROM unnest(%s::bigint[], %s::bool[], %s::bigint[], %s::bigint[], %s::text[], %s::int[], %s::bigint[],
                       %s::jsonb[]) AS new (conversation, open, owner, team, topic, weight, since, value)
           ON CONFLICT (workspace, conversation) DO UPDATE SET
               open = excluded.open, owner = excluded.owner, team = excluded.team, topic = excluded.topic,
               weight = excluded.weight, since = excluded.since, version = excluded.version, value = excluded.value""",
        (
            workspace,
            state.version,
            [each.id for each in changed],
            [each.counts for each in changed],
            [each.owner for each in changed],
            [each.team for each in changed],
            [each.topic for each in changed],
            [each.weight for each in changed],
            [each.since for each in changed],
            [codec.dump(each) for each in changed],
        ),
    )


def _engineer_value(engineer: Engineer) -> str:
    return codec.dump(codec.engineer_data(engineer))


async def write_handled(conn: Connection, workspace: WorkspaceId, handled: Sequence[Handled]) -> None:
    """Marks payloads as handled, with what became of them."""
    seqs = [each.seq for each in handled]
    # A range, and no join: a plan that was made while the inbox was small, and kept, would read all of a large one.
    await conn.execute(
        """UPDATE inbox SET handled_at = clock_timestamp(),
               outcome = (%(outcomes)s::text[])[array_position(%(seqs)s::bigint[], seq)],
               reason = (%(reasons)s::text[])[array_position(%(seqs)s::bigint[], seq)]
           WHERE workspace = %(workspace)s AND handled_at IS NULL AND seq BETWEEN %(first)s AND %(last)s
                 AND array_position(%(seqs)s::bigint[], seq) IS NOT NULL""",
        {
            "workspace": workspace,
            "first": min(seqs),
            "last": max(seqs),
            "seqs": seqs,
            "outcomes": [each.outcome for each in handled],
            "reasons": [each.reason for each in handled],
        },
    )


async def try_again(conn: Connection, workspace: WorkspaceId, seqs: Sequence[int] | None, at: datetime) -> int:
    """Makes payloads that were set aside unhandled again, all of them where `seqs` is None; how many."""
    done = await conn.execute(
        """UPDATE inbox SET handled_at = NULL, outcome = NULL, reason = NULL, tried_at = %(at)s
           WHERE workspace = %(workspace)s AND outcome = 'aside'
             AND (%(seqs)s::bigint[] IS NULL OR seq = ANY(%(seqs)s))""",
        {"workspace": workspace, "seqs": None if seqs is None else list(seqs), "at": at},
    )
    return done.rowcount


async def write_texts(conn: Connection, workspace: WorkspaceId, seen: Sequence[SeenConversation]) -> None:
    """Keeps the newest texts of conversations, apart from the facts and for as long as their retention allows."""
    await conn.execute(
        """INSERT INTO conversation_text (workspace, conversation, subject, body, tags, attributes, language, contact)
           SELECT %s, conversation, subject, body, ARRAY(SELECT jsonb_array_elements_text(tags)), attributes,
                  language, contact
           FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::jsonb[], %s::jsonb[], %s::text[], %s::text[])
                AS new (conversation, subject, body, tags, attributes, language, contact)
           ON CONFLICT (workspace, conversation) DO UPDATE SET
               subject = excluded.subject, body = excluded.body, tags = excluded.tags,
               attributes = excluded.attributes, language = excluded.language, contact = excluded.contact,
               stored_at = now()""",
        (
            workspace,
            [each.id for each in seen],
            [each.text.subject for each in seen],
            [each.text.body for each in seen],
            [json.dumps(each.text.tags) for each in seen],
            [json.dumps(dict(each.text.attributes)) for each in seen],
            [each.text.language for each in seen],
            [each.contact for each in seen],
        ),
    )


async def write_names(
    conn: Connection, workspace: WorkspaceId, engineers: dict[EngineerId, str], teams: dict[TeamId, tuple[str, str]]
) -> None:
    """Keeps what people and teams are called, apart from the facts; and how Intercom itself assigns in a team."""
    if engineers:
        await conn.execute(
            """INSERT INTO teammate_name (workspace, engineer, name)
               SELECT %s, engineer, name FROM unnest(%s::bigint[], %s::text[]) AS new (engineer, name)
               ON CONFLICT (workspace, engineer) DO UPDATE SET name = excluded.name, seen_at = now()""",
            (workspace, list(engineers), list(engineers.values())),
        )
    if teams:
        await conn.execute(
            """INSERT INTO team_name (workspace, team, name, distribution)
               SELECT %s, team, name, distribution
               FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS new (team, name, distribution)
               ON CONFLICT (workspace, team) DO UPDATE
               SET name = excluded.name, distribution = excluded.distribution""",
            (workspace, list(teams), [name for name, _ in teams.values()], [each for _, each in teams.values()]),
        )


async def write_snapshot(conn: Connection, workspace: WorkspaceId) -> None:
    """Keeps the state at its position, to replay from. One statement sees one moment, and holds nobody up."""
    await conn.execute(
        """INSERT INTO snapshot (workspace, position, state)
           SELECT workspace, position, convert_to(json_build_array(
               position,
               version,
               (SELECT coalesce(json_agg(json_build_array(engineer, value)), '[]') FROM engineer
                WHERE engineer.workspace = workspace.workspace),
               (SELECT coalesce(json_agg(json_build_array(team, members)), '[]') FROM team
                WHERE team.workspace = workspace.workspace),
               (SELECT coalesce(json_agg(value), '[]') FROM conversation
                WHERE conversation.workspace = workspace.workspace AND open)
           )::text, 'UTF8')
           FROM workspace WHERE workspace = %s
           ON CONFLICT DO NOTHING""",
        (workspace,),
    )


async def snapshot_before(conn: Connection, workspace: WorkspaceId, position: Position) -> bytes | None:
    """The newest snapshot of a state before `position`."""
    row = await (
        await conn.execute(
            "SELECT state FROM snapshot WHERE workspace = %s AND position < %s ORDER BY position DESC LIMIT 1",
            (workspace, position),
        )
    ).fetchone()
    return row[0] if row is not None else None


async def put_in_inbox(
    conn: Connection, workspace: WorkspaceId, topic: str, rows: Sequence[tuple[str, dict[str, Any]]]
) -> None:
    """Stores what Steelyard's own jobs read, each under its notification id, beside the webhooks."""
    await conn.execute(
        """INSERT INTO inbox (workspace, notification, topic, body)
           SELECT %s, notification, %s, body FROM unnest(%s::text[], %s::bytea[]) AS new (notification, body)
           ON CONFLICT (workspace, notification) DO NOTHING""",
        (
            workspace,
            topic,
            [id for id, _ in rows],
            [codec.dump({"topic": topic, "id": id} | body).encode() for id, body in rows],
        ),
    )
