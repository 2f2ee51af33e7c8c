"""Why this engineer: one decision, and what was recorded of it. Views know no language."""

from typing import Any, NamedTuple

from psycopg import AsyncConnection

from steelyard.kit.ids import WorkspaceId
from steelyard.routing import codec
from steelyard.routing.asked import Asked, read_asked
from steelyard.routing.desk import read_place
from steelyard.routing.entries import Entry, read_entries
from steelyard.routing.labels import read_policies
from steelyard.routing.model import Match
from steelyard.routing.policy import Policy
from steelyard.routing.rows import one
from steelyard.store.database import Database
from steelyard.web.place import Place


class Why(NamedTuple):
    """Everything the page of one decision shows. Whether it can be trusted is found by making it again: `Replayed`."""

    place: Place
    entry: Entry
    team: str
    asked: Asked
    policy: str
    engine: int
    digest: str
    older: int | None
    newer: int | None


class Recorded(NamedTuple):
    """A decision with what was recorded of how it was made."""

    entry: Entry
    team: str
    """Its name, or its id where that is not known; empty where everybody was asked."""
    matches: tuple[Match, ...]
    version: str
    """Of the policy."""
    policy: Policy | None
    engine: int
    digest: str


async def read_why(database: Database, workspace: WorkspaceId, number: int, *, reads: bool) -> Why | None:
    """The decision `number`; None where this workspace has no such decision. `reads`: as in `read_asked`."""
    async with database.transaction(workspace) as connection:
        recorded = await read_recorded(connection, number)
        if recorded is None:
            return None
        entry = recorded.entry
        about = entry.label.topic, recorded.matches, recorded.policy
        asked = await read_asked(connection, entry.conversation, about, reads=reads)
        older, newer = await _beside(connection, number)
        place = await read_place(connection, workspace)
    return Why(
        place=place,
        entry=entry,
        team=recorded.team,
        asked=asked,
        policy=recorded.version,
        engine=recorded.engine,
        digest=recorded.digest,
        older=older,
        newer=newer,
    )


async def read_recorded(connection: AsyncConnection[Any], number: int) -> Recorded | None:
    """What was recorded of the decision `number`; None where there is none."""
    entries = await read_entries(connection, 1, before=number + 1)
    if not entries or entries[0].number != number:
        return None
    found = await one(
        connection,
        "SELECT decision.team, team_name.name AS team_name, matches, policy, engine, digest"
        " FROM decision LEFT JOIN team_name USING (workspace, team) WHERE decision = %s",
        [number],
    )
    assert found is not None, "read in the same transaction"  # noqa: S101
    return Recorded(
        entry=entries[0],
        team=(found["team_name"] or str(found["team"])) if found["team"] else "",
        matches=codec.matches(found["matches"]),
        version=found["policy"],
        policy=(await read_policies(connection, [found["policy"]])).get(found["policy"]),
        engine=found["engine"],
        digest=found["digest"].hex(),
    )


async def _beside(connection: AsyncConnection[Any], number: int) -> tuple[int | None, int | None]:
    """The numbers of the decision before and of the one after."""
    found = await one(
        connection,
        "SELECT (SELECT max(decision) FROM decision WHERE decision < %(number)s) AS older,"
        " (SELECT min(decision) FROM decision WHERE decision > %(number)s) AS newer",
        {"number": number},
    )
    return (found["older"], found["newer"]) if found is not None else (None, None)
