"""A decision made again from the ledger: who could take it, who could not, and whether it is the one recorded."""

import math
from asyncio import to_thread
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal, NamedTuple

from steelyard.kit.errors import PolicyError, ReplayError
from steelyard.kit.ids import Position, WorkspaceId
from steelyard.kit.instants import Micros, moment
from steelyard.routing.desk import Block, Carried, gather, read_place, weights
from steelyard.routing.entries import Entry
from steelyard.routing.explain import Explanation
from steelyard.routing.labels import Person, Reason, label_of, reason_of
from steelyard.routing.model import Candidate
from steelyard.routing.policy import Policy
from steelyard.routing.replay import explain
from steelyard.routing.rows import rows
from steelyard.routing.why import read_recorded
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


class Replayed(NamedTuple):
    """Everything the page of a replay shows. `replay` None: `problem` says why it cannot be replayed."""

    place: Place
    entry: Entry
    team: str
    digest: str
    """As it was recorded."""
    replay: Replay | None
    problem: str

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


async def read_replay(database: Database, workspace: WorkspaceId, number: int) -> Replayed | None:
    """The decision `number` made again; None where this workspace has no such decision."""
    async with database.transaction(workspace) as connection:
        recorded = await read_recorded(connection, number)
        if recorded is None:
            return None
        policy = recorded.policy
        found = await rows(connection, "SELECT engineer, name FROM teammate_name")
        place = await read_place(connection, workspace)
    names = {row["engineer"]: row["name"] for row in found}
    replay, problem = await _made_again(database, workspace, Position(number), names, policy)
    return Replayed(place, recorded.entry, recorded.team, recorded.digest, replay, problem)


async def _made_again(
    database: Database, workspace: WorkspaceId, number: Position, names: Mapping[int, str], policy: Policy | None
) -> tuple[Replay | None, str]:
    try:
        explanation = await explain(database, workspace, number)
    except (ReplayError, PolicyError) as error:
        return None, str(error)
    # With hundreds of engineers this takes a while, in which others go on.
    return await to_thread(_replay_of, explanation, names, policy), ""


def _replay_of(explanation: Explanation, names: Mapping[int, str], policy: Policy | None) -> Replay:
    able = sorted((each for each in explanation.candidates if not each.exclusions), key=_order)
    winner = explanation.decision.winner
    standings = tuple(_standing(each, names, explanation, policy, winner=each.engineer == winner) for each in able)
    return Replay(standings, _excluded(explanation.candidates, names), explanation.digest, explanation.identical)


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
