"""What of routing is found by search: conversations, topics, engineers and decisions. Every query has a limit."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, LiteralString

from psycopg import AsyncConnection

from steelyard.people.permissions import Permission as P
from steelyard.routing.desk import policy_in_force
from steelyard.routing.labels import label_of
from steelyard.routing.rows import rows
from steelyard.store.database import Database
from steelyard.web.language import N_
from steelyard.web.search import MOST, Asked, Hit, Searcher, holds

_LARGEST = 2**63 - 1

Find = Callable[[AsyncConnection[Any], Asked], Awaitable[list[Hit]]]

_BY_TEXT: LiteralString = """
    SELECT conversation, topic, weight, contact, subject
    FROM conversation JOIN conversation_text USING (workspace, conversation)
    WHERE workspace = %(workspace)s AND open AND (contact || ' ' || subject) ILIKE ALL(%(like)s)
    ORDER BY since DESC LIMIT %(most)s
"""
_BY_NUMBER: LiteralString = """
    SELECT conversation, topic, weight, CASE WHEN %(reads)s THEN contact ELSE '' END AS contact
    FROM conversation LEFT JOIN conversation_text USING (workspace, conversation)
    WHERE workspace = %(workspace)s AND conversation = %(number)s
"""


def searchers(database: Database) -> tuple[Searcher, ...]:
    """Those of this room, in the order in which their hits are shown."""

    def of(kind: str, label: str, find: Find, needs: P = P.SEE_DESK) -> Searcher:
        async def search(asked: Asked) -> Sequence[Hit]:
            async with database.transaction(asked.workspace) as connection:
                await connection.execute("SET LOCAL statement_timeout = 1500")
                return await find(connection, asked)

        return Searcher(kind, label, search, needs)

    return (
        of("conversations", N_("Conversations"), find_conversations),
        of("topics", N_("Topics"), find_topics),
        of("engineers", N_("Engineers"), find_engineers),
        of("decisions", N_("Decisions"), find_decisions),
    )


async def find_conversations(connection: AsyncConnection[Any], asked: Asked) -> list[Hit]:
    """By number; open ones by customer and subject too, for those who may read what customers write."""
    reads = asked.viewer.may(P.READ_MESSAGES)
    values = {"workspace": asked.workspace, "reads": reads, "like": _like(asked), "most": MOST}
    number = _number(asked)
    found = await rows(connection, _BY_NUMBER, values | {"number": number}) if number is not None else []
    if reads:
        found += [row for row in await rows(connection, _BY_TEXT, values) if row["conversation"] != number]
    policy = await policy_in_force(connection, asked.workspace)

    def hit(row: dict[str, Any]) -> Hit:
        topic = label_of(row["topic"], policy).name(asked.language)
        number = str(row["conversation"])
        note = f"{topic} {row['weight']}" + (f" · {number}" if row["contact"] else "")
        return Hit(row["contact"] or number, asked.place.link(f"/conversations/{number}"), note)

    return [hit(row) for row in found]


async def find_topics(connection: AsyncConnection[Any], asked: Asked) -> list[Hit]:
    """By name, in the reader's language; each leads to its open conversations."""
    policy = await policy_in_force(connection, asked.workspace)
    labels = [label_of(topic, policy) for topic in policy.topics] if policy is not None else []
    named = [each for each in labels if holds(f"{each.name(asked.language)} {each.topic}", asked.words)]
    return [
        Hit(each.name(asked.language), asked.place.link("/conversations", topic=each.topic), str(each.weight))
        for each in named
    ]


async def find_engineers(connection: AsyncConnection[Any], asked: Asked) -> list[Hit]:
    """By name; each leads to what they have."""
    found = await rows(
        connection,
        "SELECT engineer, name FROM engineer JOIN teammate_name USING (workspace, engineer)"
        " WHERE workspace = %(workspace)s AND name ILIKE ALL(%(like)s) ORDER BY name LIMIT %(most)s",
        {"workspace": asked.workspace, "like": _like(asked), "most": MOST},
    )
    return [
        Hit(row["name"], asked.place.link("/conversations", engineer=str(row["engineer"])), str(row["engineer"]))
        for row in found
    ]


async def find_decisions(connection: AsyncConnection[Any], asked: Asked) -> list[Hit]:
    """By number, or by that of the conversation."""
    number = _number(asked)
    if number is None:
        return []
    found = await rows(
        connection,
        "SELECT decision, coalesce(name, winner::text) AS name FROM decision"
        " LEFT JOIN teammate_name ON teammate_name.workspace = decision.workspace AND engineer = winner"
        " WHERE decision.workspace = %(workspace)s AND (decision = %(number)s OR conversation = %(number)s)"
        " ORDER BY decision DESC LIMIT %(most)s",
        {"workspace": asked.workspace, "number": number, "most": MOST},
    )
    return [Hit(str(row["decision"]), asked.place.link(f"/decisions/{row['decision']}"), row["name"]) for row in found]


def _number(asked: Asked) -> int | None:
    """The number that is asked for, if one is and nothing else."""
    digits = asked.words[0].removeprefix("#")
    if len(asked.words) > 1 or re.fullmatch(r"[0-9]{1,19}", digits) is None:
        return None
    return int(digits) if int(digits) <= _LARGEST else None


def _like(asked: Asked) -> list[str]:
    return ["%" + re.sub(r"([\\%_])", r"\\\1", word) + "%" for word in asked.words]
