"""The host rules of a workspace, in versions: who wrote each, and when. The last one holds."""

from __future__ import annotations

import json
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from steelyard.companion.ground import CompanionGround, CompanionRefused
from steelyard.companion.hosts import BUILT_IN
from steelyard.companion.ruleset import Rule, ruleset
from steelyard.people.permissions import Standing
from steelyard.people.record import act, record

MOST_SHOWN: Final = 30
"""Versions that are listed."""


class Version(NamedTuple):
    """A version of the rules; `person` is empty for this machine. Empty `text`: the rules that are built in."""

    version: int
    text: str
    person: str
    at: datetime


async def rules_in_force(conn: AsyncConnection[Any]) -> Version | None:
    """The version that holds in the transaction's workspace; None where there never was one."""
    versions = await versions_of(conn, 1)
    return versions[0] if versions else None


async def versions_of(conn: AsyncConnection[Any], most: int = MOST_SHOWN) -> list[Version]:
    """The last versions of the transaction's workspace, the newest first."""
    rows = await (
        await conn.execute(
            "SELECT version, rules, coalesce(person.name, ''), at FROM companion_rules LEFT JOIN person USING (person)"
            " ORDER BY version DESC LIMIT %s",
            [most],
        )
    ).fetchall()
    return [Version(*row) for row in rows]


async def version_numbered(conn: AsyncConnection[Any], number: int) -> Version:
    """One version. Raises CompanionRefused."""
    row = await (
        await conn.execute(
            "SELECT version, rules, coalesce(person.name, ''), at FROM companion_rules LEFT JOIN person USING (person)"
            " WHERE version = %s",
            [number],
        )
    ).fetchone()
    if row is None:
        raise CompanionRefused("no_version")
    return Version(*row)


async def put_in_force(
    ground: CompanionGround, conn: AsyncConnection[Any], who: Standing, text: str, rules: int
) -> int:
    """Stores a version, which holds from then on; its number. `text`: rules that were checked, or empty."""
    await conn.execute("SELECT FROM workspace FOR NO KEY UPDATE")
    before, now = await rules_in_force(conn), ground.clock()
    version = before.version + 1 if before is not None else 1
    await conn.execute(
        "INSERT INTO companion_rules (workspace, version, rules, person, at) VALUES (%s, %s, %s, %s, %s)",
        [who.workspace, version, text, who.person, now],
    )
    fact = act("companion.rules_changed", who.person, now, version=version, rules=rules)
    await record(ground.ledger, conn, who.workspace, fact)
    return version


def written(version: Version | None) -> list[Any]:
    """The rules of a version as JSON has them."""
    if version is None or not version.text:
        return BUILT_IN["rules"]
    return json.loads(version.text)


def ready(version: Version | None) -> list[Rule]:
    """The rules of a version as they are matched. What a later release refuses is left out."""
    return _ready(version.text if version is not None else "")


@lru_cache(maxsize=32)
def _ready(text: str) -> list[Rule]:
    return ruleset(json.loads(text) if text else BUILT_IN["rules"])[0]
