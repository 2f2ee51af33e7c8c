"""Why this engineer: one decision, what was recorded of it, and what replaying it shows. Views know no language."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from psycopg import AsyncConnection

from steelyard.kit.errors import PolicyError, ReplayError
from steelyard.kit.ids import Position, WorkspaceId
from steelyard.kit.instants import Micros, moment
from steelyard.routing import codec
from steelyard.routing.asked import Asked, read_asked
from steelyard.routing.desk import Block, Carried, gather, read_place, weights
from steelyard.routing.entries import Entry, read_entries
from steelyard.routing.explain import Explanation
from steelyard.routing.labels import Person, Reason, label_of, read_policies, reason_of
from steelyard.routing.model import Candidate
from steelyard.routing.policy import Policy
from steelyard.routing.replay import explain
from steelyard.routing.rows import one, rows
from steelyard.store.database import Database
from steelyard.web.charts import Scale, Weight, scale_for
from steelyard.web.place import Place

_NEVER = moment(Micros(0))


class Standing(NamedTuple):
    """Someone who could take it, as they stood when it was decided."""

    person: Person
    load: int
    capacity: float
    score: float
    last_assigned: datetime | None
    blocks: tuple[Block, ...]
    winner: bool

    def weights(self, language: str, families: Mapping[str, str]) -> list[Weight]:
        """Their rail as it was; `families` are the names of families in `language`."""
        return weights(self.blocks, language, families)


class Excluded(NamedTuple):
    """Those who could not take it for the same reason."""

    reason: Reason
    people: tuple[Person, ...]


class Replay(NamedTuple):
    """The decision made again from the ledger."""

    standings: tuple[Standing, ...]
    excluded: tuple[Excluded, ...]
    digest: str
    identical: bool

    @property
    def engineers(self) -> int:
        """How many were looked at."""
        return len(self.standings) + sum(len(each.people) for each in self.excluded)

    @property
    def mean(self) -> float:
        """The mean score of those who could take it."""
        return sum(each.score for each in self.standings) / max(1, len(self.standings))


class Why(NamedTuple):
    """Everything the page of one decision shows. `replay` None: `problem` says why it cannot be replayed."""

    place: Place
    entry: Entry
    team: str
    asked: Asked
    replay: Replay | None
    problem: str
    policy: str
    engine: int
    digest: str
    older: int | None
    newer: int | None

    @property
    def scale(self) -> Scale:
        """The one scale of all rails, with room for this conversation."""
        loads = [each.load for each in self.replay.standings] if self.replay else []
        return scale_for([load + self.entry.weight for load in loads])

    @property
    def tie(self) -> Literal["", "waited", "id"]:
        """What settled it between two who counted the same: the longest wait since the last one, else the id."""
        if self.replay is None or len(self.replay.standings) < 2:
            return ""
        first, second = self.replay.standings[:2]
        if first.score != second.score:
            return ""
        return "waited" if first.last_assigned != second.last_assigned else "id"

    @property
    def tipping(self) -> int | None:
        """The load from which the winner would have lost to the runner-up; None where there was none to lose to."""
        if self.replay is None or len(self.replay.standings) < 2 or not self.replay.standings[0].winner:
            return None
        first, second = self.replay.standings[:2]
        equal = math.ceil(second.score * first.capacity)
        wins_equal = _seniority(first) < _seniority(second)
        return equal + 1 if wins_equal and equal / first.capacity == second.score else equal


def _seniority(standing: Standing) -> tuple[datetime, int]:
    return standing.last_assigned or _NEVER, standing.person.id


async def read_why(database: Database, workspace: WorkspaceId, number: int, *, reads: bool) -> Why | None:
    """The decision `number`; None where this workspace has no such decision. `reads`: as in `read_asked`."""
    async with database.transaction(workspace) as connection:
        entries = await read_entries(connection, 1, before=number + 1)
        if not entries or entries[0].number != number:
            return None
        entry = entries[0]
        record = await _record(connection, number)
        policy = (await read_policies(connection, [record["policy"]])).get(record["policy"])
        about = entry.label.topic, codec.matches(record["matches"]), policy
        asked = await read_asked(connection, entry.conversation, about, reads=reads)
        names = {
            row["engineer"]: row["name"] for row in await rows(connection, "SELECT engineer, name FROM teammate_name")
        }
        place = await read_place(connection, workspace)
    replay, problem = await _replayed(database, workspace, Position(number), names, policy)
    return Why(
        place=place,
        entry=entry,
        team=(record["team_name"] or str(record["team"])) if record["team"] else "",
        asked=asked,
        replay=replay,
        problem=problem,
        policy=record["policy"],
        engine=record["engine"],
        digest=record["digest"].hex(),
        older=record["older"],
        newer=record["newer"],
    )


async def _record(connection: AsyncConnection[Any], number: int) -> dict[str, Any]:
    found = await one(
        connection,
        "SELECT decision.team, team_name.name AS team_name, matches, policy, engine, digest,"
        " (SELECT max(decision) FROM decision WHERE decision < %(number)s) AS older,"
        " (SELECT min(decision) FROM decision WHERE decision > %(number)s) AS newer"
        " FROM decision LEFT JOIN team_name USING (workspace, team) WHERE decision = %(number)s",
        {"number": number},
    )
    assert found is not None, "read in the same transaction"  # noqa: S101
    return found


async def _replayed(
    database: Database, workspace: WorkspaceId, number: Position, names: Mapping[int, str], policy: Policy | None
) -> tuple[Replay | None, str]:
    try:
        explanation = await explain(database, workspace, number)
    except (ReplayError, PolicyError) as error:
        return None, str(error)
    able = sorted((each for each in explanation.candidates if not each.exclusions), key=_order)
    winner = explanation.decision.winner
    standings = tuple(_standing(each, names, explanation, policy, winner=each.engineer == winner) for each in able)
    return Replay(standings, _excluded(explanation.candidates, names), explanation.digest, explanation.identical), ""


def _order(candidate: Candidate) -> tuple[int, int, int]:
    """The order of choice: score, then the longest since last assigned, then the id."""
    return (candidate.load * 1_000_000 // candidate.capacity, candidate.last_assigned, candidate.engineer)


def _standing(
    candidate: Candidate, names: Mapping[int, str], explanation: Explanation, policy: Policy | None, *, winner: bool
) -> Standing:
    carried = explanation.carried.get(candidate.engineer, ())
    capacity = candidate.capacity / 1000
    return Standing(
        person=Person(candidate.engineer, names.get(candidate.engineer, "")),
        load=candidate.load,
        capacity=capacity,
        score=candidate.load / capacity,
        last_assigned=moment(candidate.last_assigned) if candidate.last_assigned else None,
        blocks=gather([Carried(each.id, label_of(each.topic, policy), each.weight) for each in carried]),
        winner=winner,
    )


def _excluded(candidates: Iterable[Candidate], names: Mapping[int, str]) -> tuple[Excluded, ...]:
    groups: dict[Reason, list[Person]] = defaultdict(list)
    for each in candidates:
        reason = reason_of(each.exclusions)
        if reason is not None:
            groups[reason].append(Person(each.engineer, names.get(each.engineer, "")))
    found = [Excluded(reason, tuple(people)) for reason, people in groups.items()]
    return tuple(sorted(found, key=lambda each: (-len(each.people), each.reason)))
