"""What people did, as facts: ids and numbers only. Every kind that people cause outside the rooms is listed here."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Iterable
from datetime import datetime

from steelyard.kit.facts import Fact
from steelyard.kit.ids import EngineerId, PersonId, WorkspaceId
from steelyard.kit.instants import micros
from steelyard.people.permissions import Role
from steelyard.store.database import Connection, Database, see_own
from steelyard.store.ledger import Ledger

KINDS = {
    "person.signed_in": "Somebody signed in.",
    "person.held": "So many sign-ins failed with somebody’s address that the next one has to wait.",
    "person.joined": "Somebody became a member, as an administrator by a link of the command line or by invitation.",
    "person.roles_changed": "Somebody’s roles changed.",
    "person.engineer_changed": "Which Intercom teammate somebody is changed.",
    "person.removed": "Somebody is no member any more.",
    "person.link_made": "A link was made by which somebody chooses a password.",
    "person.password_chosen": "Somebody chose a password; their other sessions ended.",
    "person.sessions_ended": "Somebody ended sessions of theirs.",
    "token.made": "An API token was made.",
    "token.revoked": "An API token was revoked.",
    "settings.changed": "A setting of the workspace changed.",
    "notification.changed": "Where alarms are told was added, changed or removed.",
}
"""What each kind says, for the reference."""


def numbers_of(roles: Collection[Role]) -> list[int]:
    """Roles as a fact carries them: their places in the list of all roles, from 0."""
    return [number for number, role in enumerate(Role) if role in roles]


def act(kind: str, person: PersonId | None, now: datetime, engineer: EngineerId | None = None, **data: object) -> Fact:
    """The fact that `person` did something. `data`: ids and numbers, such as `{"of": 3}` for whom it was done to."""
    return Fact(kind, micros(now), None, engineer, json.dumps(data, separators=(",", ":")), person)


async def record(ledger: Ledger, conn: Connection, workspace: WorkspaceId, fact: Fact) -> None:
    """Appends one fact in `conn`'s transaction."""
    await ledger.append(conn, workspace, [fact])


async def change_own(
    ledger: Ledger, database: Database, person: PersonId, change: Callable[[Connection], Awaitable[Fact | None]]
) -> None:
    """Changes what is `person`'s own, and records it wherever they are a member.

    `change` gives the fact of what it did, None where that was nothing. Both are one transaction in the first of their
    workspaces; the others are told after it.
    """
    workspaces = await workspaces_of(database, person)
    async with database.transaction(workspaces[0]) if workspaces else database.person(person) as conn:
        await see_own(conn, person)
        fact = await change(conn)
        if fact is not None and workspaces:
            await record(ledger, conn, workspaces[0], fact)
    if fact is not None:
        await record_everywhere(ledger, database, workspaces[1:], fact)


async def workspaces_of(database: Database, person: PersonId) -> list[WorkspaceId]:
    """Where somebody is a member."""
    async with database.cell() as conn:
        found = await (await conn.execute("SELECT workspaces_of_person(%s)", [person])).fetchall()
    return [WorkspaceId(workspace) for (workspace,) in found]


async def record_everywhere(ledger: Ledger, database: Database, workspaces: Iterable[WorkspaceId], fact: Fact) -> None:
    """Appends one fact in each of `workspaces`: what concerns a person wherever they are a member."""
    for workspace in workspaces:
        async with database.transaction(workspace) as conn:
            await ledger.append(conn, workspace, [fact])
