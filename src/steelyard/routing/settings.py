"""What people choose for a workspace: its zone, and how long it keeps what customers wrote. Each with its fact."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, LiteralString, NamedTuple
from zoneinfo import available_timezones

from psycopg import AsyncConnection

from steelyard.kit.ids import PersonId, WorkspaceId
from steelyard.people.record import act
from steelyard.routing.rows import one, rows
from steelyard.store.ledger import Ledger

MESSAGES, WEBHOOKS = (7, 365), (7, 90)
"""Days that messages and raw webhooks may be kept: the fewest and the most."""

SILENCE_NEEDS: Final = 29
"""Days of webhooks from which on silence is judged by the last four weeks."""

GRACE: Final = timedelta(hours=1)
"""For how long after the choice nothing goes, so that it can be undone: as `keep_chosen_at` in the migration."""

_HELD: Final[LiteralString] = " FOR NO KEY UPDATE"

_CONTINENTS = frozenset(
    {"Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}
)


class Keep(NamedTuple):
    """How many days messages and raw webhooks are kept."""

    messages: int
    webhooks: int


class Going(NamedTuple):
    """How many rows are older than that."""

    messages: int
    webhooks: int


@lru_cache
def zones() -> tuple[str, ...]:
    """The zones of the tz database that are places, and UTC first."""
    return ("UTC", *sorted(each for each in available_timezones() if each.partition("/")[0] in _CONTINENTS))


async def read_keep(conn: AsyncConnection[Any], workspace: WorkspaceId, *, hold: bool = False) -> Keep:
    """What is chosen now. `hold`: it stays so until `conn`'s transaction ends; the router waits as long."""
    query: LiteralString = "SELECT keep_messages, keep_webhooks FROM workspace WHERE workspace = %s"
    found = await one(conn, query + _HELD if hold else query, (workspace,))
    return Keep(found["keep_messages"], found["keep_webhooks"]) if found is not None else Keep(0, 0)


async def read_before(conn: AsyncConnection[Any], workspace: WorkspaceId, keep: Keep) -> Keep:
    """What was chosen before `keep`, which is chosen now; the same where nobody ever chose."""
    found = await rows(
        conn,
        """SELECT xmin::text AS choice, substr(data ->> 'setting', 6) AS name, (data ->> 'before')::integer AS before
           FROM ledger WHERE workspace = %s AND kind = 'settings.changed'
                             AND data ->> 'setting' IN ('keep_messages', 'keep_webhooks')
           ORDER BY position DESC LIMIT 2""",
        (workspace,),
    )
    # A choice of both is two facts of one transaction.
    return keep._replace(**{each["name"]: each["before"] for each in found if each["choice"] == found[0]["choice"]})


async def going(conn: AsyncConnection[Any], workspace: WorkspaceId, keep: Keep, now: datetime) -> Going:
    """What would go with the first round after `now` and the time for undoing it."""
    at = now + GRACE
    found = await one(
        conn,
        """SELECT (SELECT count(*) FROM conversation_text WHERE workspace = %(workspace)s AND stored_at < %(messages)s)
                  AS messages,
                  (SELECT count(*) FROM inbox WHERE workspace = %(workspace)s AND handled_at IS NOT NULL
                          AND received_at < %(webhooks)s) AS webhooks""",
        {
            "workspace": workspace,
            "messages": at - timedelta(days=keep.messages),
            "webhooks": at - timedelta(days=keep.webhooks),
        },
    )
    return Going(**found) if found is not None else Going(0, 0)


async def change_keep(
    conn: AsyncConnection[Any],
    ledger: Ledger,
    workspace: WorkspaceId,
    before: Keep,
    keep: Keep,
    person: PersonId | None,
    now: datetime,
) -> None:
    """Keeps as long as `keep` from now on. What is shorter takes hold after GRACE, by the database's clock."""
    await conn.execute(
        """UPDATE workspace SET keep_messages = %s, keep_webhooks = %s, keep_chosen_at = now()
           WHERE workspace = %s""",
        (*keep, workspace),
    )
    facts = [
        act("settings.changed", person, now, setting=f"keep_{name}", before=old, after=after)
        for name, old, after in zip(Keep._fields, before, keep, strict=True)
        if old != after
    ]
    await ledger.append(conn, workspace, facts)


async def read_zone(conn: AsyncConnection[Any], workspace: WorkspaceId, *, hold: bool = False) -> str:
    """The workspace's zone. `hold`: as in `read_keep`."""
    query: LiteralString = "SELECT zone FROM workspace WHERE workspace = %s"
    found = await one(conn, query + _HELD if hold else query, (workspace,))
    return found["zone"] if found is not None else "UTC"


async def change_zone(
    conn: AsyncConnection[Any],
    ledger: Ledger,
    workspace: WorkspaceId,
    zone: str,
    person: PersonId | None,
    now: datetime,
) -> None:
    """Shows times in `zone`, a name of the tz database, to those who chose the workspace's."""
    await conn.execute("UPDATE workspace SET zone = %s WHERE workspace = %s", (zone, workspace))
    await ledger.append(conn, workspace, [act("settings.changed", person, now, setting="zone", after=zone)])
