"""Who did what: the facts that people cause, the newest first. Rooms say how theirs are told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple, cast

from psycopg import AsyncConnection

from steelyard.kit.ids import EngineerId, PersonId
from steelyard.web.language import N_
from steelyard.web.tables import Clauses, Column, Days, Is, Numbered, Table

AUDITED: Final[LiteralString] = """
FROM ledger WHERE (person IS NOT NULL OR kind LIKE 'person.%%'
    OR kind LIKE 'run.%%' OR kind LIKE 'site.%%' OR kind LIKE 'host.%%' OR kind LIKE 'toolbox.%%'
    OR kind LIKE 'handbook.%%' OR kind LIKE 'companion.%%'
    OR kind IN ('token.made', 'token.revoked', 'settings.changed', 'notification.changed', 'policy.adopted',
                'routing.switched', 'engineer.rotation_changed', 'engineer.away_asked', 'engineer.away_refused',
                'conversation.move_asked', 'conversation.moved', 'conversation.move_overtaken',
                'conversation.move_refused', 'aside.retried', 'conversation.read_asked', 'reading.asked'))"""
"""The facts that are listed, in the words of the index `ledger_audit`."""


class Telling(NamedTuple):
    """How a room's deeds are told: `template` has a macro `told(shell, deed)`, `kinds` are the words for each kind."""

    template: str
    kinds: Mapping[str, str]


class Deed(NamedTuple):
    """One thing that somebody did. `person` is nobody for the command line, this machine and Steelyard itself."""

    position: int
    at: datetime
    kind: str
    person: PersonId | None
    by: str
    of: PersonId | None
    """Whom it was done to."""
    of_name: str
    conversation: int | None
    engineer: EngineerId | None
    engineer_name: str
    data: Mapping[str, Any]

    def count(self, name: str) -> int:
        """A number of its data; 0 where that is none."""
        found = self.data.get(name)
        return found if isinstance(found, int) else 0


DEEDS: Final = Table[Deed](
    "audit",
    (
        Column("at", N_("When"), lambda row: row.at, sorts=True, filter=Days(), sql="position", where="at"),
        Column("who", N_("Who"), lambda row: row.person, filter=Is(), where="person"),
        Column("kind", N_("What"), lambda row: row.kind, filter=Is(), where="kind", heads=True),
        Column("whom", N_("To whom"), lambda row: row.of, filter=Is(), where="data ->> 'of'"),
        Column(
            "conversation",
            N_("Conversation"),
            lambda row: row.conversation,
            filter=Numbered(),
            where="conversation",
        ),
        Column("engineer", N_("Engineer"), lambda row: row.engineer, filter=Is(), where="engineer"),
        Column("position", N_("Position"), lambda row: row.position, data_only=True),
        Column("who_name", N_("Name"), lambda row: row.by, data_only=True),
        Column("whom_name", N_("Name"), lambda row: row.of_name, data_only=True),
        Column("engineer_name", N_("Name"), lambda row: row.engineer_name, data_only=True),
        Column("data", N_("Data"), lambda row: json.dumps(row.data, separators=(",", ":")), data_only=True),
    ),
    sort="-at",
)


async def read_deeds(
    conn: AsyncConnection[Any],
    asked: Clauses,
    people: Mapping[PersonId, str],
    engineers: Mapping[EngineerId, str],
) -> tuple[list[Deed], int]:
    """What was done in the transaction's workspace, one page of it, and how much there is."""
    chosen = "SELECT position, at, kind, person, conversation, engineer, data::text" + AUDITED
    rows = await (
        await conn.execute(chosen + asked.where + " " + asked.order + " " + asked.limit, asked.values)
    ).fetchall()
    counted = await (await conn.execute("SELECT count(*)" + AUDITED + asked.where, asked.values)).fetchone()
    return [_deed(row, people, engineers) for row in rows], int(counted[0]) if counted is not None else 0


def _deed(row: Sequence[Any], people: Mapping[PersonId, str], engineers: Mapping[EngineerId, str]) -> Deed:
    position, at, kind, person, conversation, engineer, text = row
    whole: Any = json.loads(text)
    data = cast("dict[str, Any]", whole) if isinstance(whole, dict) else {"": whole}
    of = data.get("of") if isinstance(data.get("of"), int) else None
    return Deed(
        position=position,
        at=at,
        kind=kind,
        person=person,
        by=people.get(person, ""),
        of=None if of is None else PersonId(of),
        of_name=people.get(PersonId(of or 0), ""),
        conversation=conversation,
        engineer=engineer,
        engineer_name=engineers.get(engineer, ""),
        data=data,
    )
