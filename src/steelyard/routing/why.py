"""Why this engineer: one decision, what was recorded of it, and what replaying it shows. Views know no language."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from psycopg import AsyncConnection

from steelyard.kit.errors import PolicyError, ReplayError
from steelyard.kit.ids import Position, TopicId, WorkspaceId
from steelyard.kit.instants import Micros, moment
from steelyard.routing import codec
from steelyard.routing.desk import Carried, read_place, weights
from steelyard.routing.entries import Entry, read_entries
from steelyard.routing.explain import Explanation
from steelyard.routing.labels import Label, Person, Reason, label_of, read_policies, reason_of
from steelyard.routing.model import Candidate, Match
from steelyard.routing.policy import Policy
from steelyard.routing.replay import explain
from steelyard.routing.rows import one, rows
from steelyard.store.database import Database
from steelyard.web.charts import Scale, Weight, scale_for
from steelyard.web.pages import Place

_NEVER = moment(Micros(0))


class Segment(NamedTuple):
    """A stretch of a text, and whether a rule matched it."""

    text: str
    marked: bool


class Question(NamedTuple):
    """What the customer wrote, while it is kept."""

    contact: str
    subject: tuple[Segment, ...]
    body: tuple[Segment, ...]


class Words(NamedTuple):
    """What one rule looked for and found. `field`: where, if not in the text itself."""

    text: str
    field: Literal["", "tag", "attribute", "language"]


class Topic(NamedTuple):
    """A topic that matched: the words that spoke for it and their points."""

    label: Label
    words: tuple[Words, ...]
    points: int
    chosen: bool


class Standing(NamedTuple):
    """Someone who could take it, as they stood when it was decided."""

    person: Person
    load: int
    capacity: float
    score: float
    last_assigned: datetime | None
    carried: tuple[Carried, ...]
    winner: bool

    def weights(self, language: str) -> list[Weight]:
        """Their rail as it was."""
        return weights(self.carried, language)


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
    question: Question | None
    topics: tuple[Topic, ...]
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


async def read_why(database: Database, workspace: WorkspaceId, number: int) -> Why | None:
    """The decision `number`; None where this workspace has no such decision."""
    async with database.transaction(workspace) as connection:
        entries = await read_entries(connection, 1, before=number + 1)
        if not entries or entries[0].number != number:
            return None
        entry = entries[0]
        record = await _record(connection, number)
        policy = (await read_policies(connection, [record["policy"]])).get(record["policy"])
        question = await _text(connection, entry.conversation)
        names = {
            row["engineer"]: row["name"] for row in await rows(connection, "SELECT engineer, name FROM teammate_name")
        }
        place = await read_place(connection, workspace)
    replay, problem = await _replayed(database, workspace, Position(number), names, policy)
    matches = codec.matches(record["matches"])
    return Why(
        place=place,
        entry=entry,
        team=(record["team_name"] or str(record["team"])) if record["team"] else "",
        question=_question(question, matches) if question else None,
        topics=_topics(matches, entry.label.topic, question, policy),
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


async def _text(connection: AsyncConnection[Any], conversation: int) -> dict[str, Any] | None:
    return await one(
        connection, "SELECT subject, body, contact FROM conversation_text WHERE conversation = %s", [conversation]
    )


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
        carried=tuple(Carried(each.id, label_of(each.topic, policy), each.weight) for each in carried),
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


def _question(text: Mapping[str, Any], matches: Sequence[Match]) -> Question:
    def marked(field: str) -> tuple[Segment, ...]:
        return segments(text[field], [(each.start, each.end) for each in matches if each.field == field])

    return Question(text["contact"], marked("subject"), marked("body"))


def segments(text: str, spans: Iterable[tuple[int, int]]) -> tuple[Segment, ...]:
    """`text` cut where marks begin and end. Overlapping spans are one mark; one outside the text is none."""
    found: list[Segment] = []
    at = 0
    for start, end in sorted(spans):
        start, end = max(start, at), min(end, len(text))
        if start >= end:
            continue
        if start > at:
            found.append(Segment(text[at:start], marked=False))
        if found and found[-1].marked and start == at:
            found[-1] = Segment(found[-1].text + text[start:end], marked=True)
        else:
            found.append(Segment(text[start:end], marked=True))
        at = end
    return (*found, Segment(text[at:], marked=False)) if at < len(text) else tuple(found)


def _topics(
    matches: Sequence[Match], chosen: str, text: Mapping[str, Any] | None, policy: Policy | None
) -> tuple[Topic, ...]:
    """Every topic that matched, the one it is about first, then by points."""
    groups: dict[TopicId, list[Match]] = defaultdict(list)
    for each in matches:
        groups[each.topic].append(each)
    found = [
        Topic(
            label_of(topic, policy),
            tuple(dict.fromkeys(_words(each, text, policy) for each in group)),
            sum(each.points for each in group),
            topic == chosen,
        )
        for topic, group in groups.items()
    ]
    return tuple(sorted(found, key=lambda each: (not each.chosen, -each.points, each.label.topic)))


def _words(match: Match, text: Mapping[str, Any] | None, policy: Policy | None) -> Words:
    """The customer's own words while they are kept, else the rule's."""
    if match.field in ("subject", "body"):
        own = text[match.field][match.start : match.end] if text is not None else ""
        return Words(own or _phrase(match, policy), "")
    field: Literal["tag", "attribute", "language"] = "tag"
    if match.field in ("attribute", "language"):
        field = match.field
    return Words(_phrase(match, policy), field)


def _phrase(match: Match, policy: Policy | None) -> str:
    rule = policy.rules.get(match.rule) if policy is not None else None
    return rule.phrase if rule is not None else match.rule
