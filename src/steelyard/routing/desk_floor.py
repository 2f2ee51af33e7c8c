"""The floor: who carries what, kept up one conversation at a time. Only what something touched is laid out again.

Rows that nothing touched stay the same objects, so that what was drawn of them can stay, too.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import NamedTuple, get_args
from zoneinfo import ZoneInfo

from steelyard.routing.desk import MOST_WAITING, Carried, Crew, Group, Row, Wait, Waiting, gather, group_of
from steelyard.routing.labels import Label, Person, label_of
from steelyard.routing.model import NO_TEAM, Engineer
from steelyard.routing.policy import Policy
from steelyard.routing.switch import Reach
from steelyard.web.charts import Scale, scale_for

_THOUSANDTH, _UNITS = 1000, 1_000_000


class Open(NamedTuple):
    """An open conversation, as much of it as a desk needs."""

    id: int
    owner: int | None
    """Who has it, or is being given it."""
    shadow: int | None
    """Whom Steelyard would give it to, where it only compares and nobody has it yet."""
    topic: str
    weight: int
    since: int
    """Seconds since 1970."""
    team: int | None
    ticket: bool
    refused: bool


class Known(NamedTuple):
    """An engineer with name and zone, which are empty where they are not known."""

    engineer: Engineer
    name: str
    zone: str


class Switched(NamedTuple):
    """For whom decisions are made in earnest: `teams` None means all, NO_TEAM is who has none."""

    teams: frozenset[int] | None
    paused: bool

    @property
    def earnest(self) -> bool:
        """Whether anything is assigned at all."""
        return not self.paused and self.teams != frozenset()

    def reach(self, crews: Mapping[int, Crew], paused_at: datetime | None) -> Reach:
        """The same as pages say it. A team without anybody is none any more."""
        teams = [each.id for each in crews.values() if each.members]
        on = sum(self.teams is None or each in self.teams for each in teams)
        without = self.teams is None or NO_TEAM in self.teams
        return Reach(on, len(teams), without, self.teams is None, self.paused, paused_at)


class Roster(NamedTuple):
    """Everybody's rows, the next one first, and the numbers that they add up to."""

    available: tuple[Row, ...]
    resting: tuple[Row, ...]
    away: tuple[Row, ...]
    gone: tuple[Row, ...]
    mean: float | None


class Floor:
    """One workspace's open conversations and engineers."""

    def __init__(self) -> None:
        self.opened: dict[int, Open] = {}
        self.people: dict[int, Known] = {}
        self.crews: dict[int, Crew] = {}
        self.policy: Policy | None = None
        self.switched = Switched(None, paused=False)
        self.weight = 0
        self.scale: Scale = scale_for(())
        self.touched: dict[int, int] = defaultdict(int)
        """How often anything about an engineer changed."""
        self._held: dict[int, dict[int, Open]] = defaultdict(dict)
        self._shadowed: dict[int, dict[int, Open]] = defaultdict(dict)
        self._queue: list[tuple[int, int]] = []
        self._labels: dict[str, Label] = {}
        self._rows: dict[int, Row] = {}

    # What happens

    def put(self, new: Open) -> None:
        """Takes `new` in place of what was known of it."""
        if self.opened.get(new.id) != new:
            self.remove(new.id)
            self.opened[new.id] = new
            self.weight += new.weight
            if new.owner is None:
                insort(self._queue, (new.since, new.id))
            self._hold(new.owner, self._held)[new.id] = new
            self._hold(new.shadow, self._shadowed)[new.id] = new
        elif new.owner is not None:
            self.touched[new.owner] += 1

    def remove(self, id: int) -> None:
        """Forgets a conversation: it is no longer open."""
        old = self.opened.pop(id, None)
        if old is None:
            return
        self.weight -= old.weight
        if old.owner is None:
            del self._queue[bisect_left(self._queue, (old.since, old.id))]
        self._hold(old.owner, self._held).pop(id, None)
        self._hold(old.shadow, self._shadowed).pop(id, None)

    def put_people(self, people: Iterable[Known]) -> None:
        """Takes these engineers in place of what was known of them."""
        for each in people:
            if self.people.get(each.engineer.id) != each:
                self.people[each.engineer.id] = each
                self._touch(each.engineer.id)

    def put_crews(self, crews: Mapping[int, Crew]) -> None:
        """Takes all teams, in the order in which they are to be shown."""
        self.crews = dict(crews)

    def put_policy(self, policy: Policy | None) -> None:
        """Topics are called as in `policy` from now on."""
        if policy != self.policy:
            self.policy, self._labels = policy, {}
            self._rows.clear()

    def _hold(self, engineer: int | None, of: dict[int, dict[int, Open]]) -> dict[int, Open]:
        if engineer is None:
            return {}
        self._touch(engineer)
        return of[engineer]

    def _touch(self, engineer: int) -> None:
        self.touched[engineer] += 1
        self._rows.pop(engineer, None)

    # What it amounts to

    @property
    def waiting(self) -> int:
        """How many conversations nobody has."""
        return len(self._queue)

    @property
    def oldest(self) -> datetime | None:
        """Since when the first of them waits."""
        return _moment(self._queue[0][0]) if self._queue else None

    @property
    def carriers(self) -> int:
        """How many carry something."""
        return sum(1 for held in self._held.values() if held)

    def is_away(self, engineer: int) -> bool:
        """Whether they are away in Intercom."""
        known = self.people.get(engineer)
        return known is not None and known.engineer.away

    def held_by(self, engineer: int) -> list[Open]:
        """What an engineer has, the oldest first."""
        return sorted(self._held.get(engineer, {}).values(), key=_age)

    def all_of(self, engineer: int) -> frozenset[int]:
        """What an engineer has, or would have in the shadow."""
        return frozenset(self._held.get(engineer, ())) | frozenset(self._shadowed.get(engineer, ()))

    def label(self, topic: str) -> Label:
        """How a topic is shown."""
        found = self._labels.get(topic)
        if found is None:
            found = self._labels[topic] = label_of(topic, self.policy)
        return found

    def roster(self) -> Roster:
        """Everybody, as they stand now."""
        groups: dict[Group, list[tuple[tuple[int, int, int], Row]]] = {each: [] for each in get_args(Group)}
        for id, known in self.people.items():
            row = self._rows.get(id)
            if row is None:
                row = self._rows[id] = self._row(known)
            group = group_of(known.engineer, self.policy)
            if group != "gone" or row.blocks:
                groups[group].append((self._standing(known.engineer, row), row))
        rows = {group: tuple(row for _, row in sorted(each, key=_first)) for group, each in groups.items()}
        self.scale = scale_for([row.end + 2 for each in rows.values() for row in each], kept=self.scale)
        available = self._with_next(rows["available"])
        mean = sum(row.score for row in available) / len(available) if available else None
        return Roster(available, rows["resting"], rows["away"], rows["gone"], mean)

    def queue(self, names: Mapping[int, str], free: frozenset[int], team: Crew | None) -> tuple[Waiting, ...]:
        """The first that wait, of `team` alone if one is given; `names` are those of their customers."""
        return tuple(self._waiting(each, names.get(each.id, ""), free) for each in self.first_waiting(team))

    def first_waiting(self, team: Crew | None) -> list[Open]:
        """Those who wait longest, of `team` alone if one is given."""
        every = (self.opened[id] for _, id in self._queue)
        return list(islice((each for each in every if team is None or each.team == team.id), MOST_WAITING))

    def _row(self, known: Known) -> Row:
        id, capacity = known.engineer.id, known.engineer.capacity / _THOUSANDTH
        held, shadowed = self._carried(self._held, id), self._carried(self._shadowed, id)
        load = sum(each.weight for each in held)
        person = Person(id, known.name)
        return Row(
            *(person, zone_of(known.zone), load, capacity, load / capacity),
            *(len(held), gather(held), gather(shadowed), False),
        )

    def _carried(self, of: Mapping[int, Mapping[int, Open]], engineer: int) -> Sequence[Carried]:
        found = sorted(of.get(engineer, {}).values(), key=_age)
        return [Carried(each.id, self.label(each.topic), each.weight) for each in found]

    def _standing(self, engineer: Engineer, row: Row) -> tuple[int, int, int]:
        """As the next decision compares them: what is only in the shadow counts where nothing is decided in earnest."""
        load = row.load if self.switched.earnest else row.end
        return load * _UNITS // engineer.capacity, engineer.last_assigned, engineer.id

    def _with_next(self, available: tuple[Row, ...]) -> tuple[Row, ...]:
        """The mark on whom the next conversation goes to: of those for whom something is assigned, if not for all."""
        teams = self.switched.teams
        members: frozenset[int] | None = None
        if self.switched.earnest and teams is not None and NO_TEAM not in teams:
            members = frozenset[int]().union(*(self.crews[each].members for each in teams if each in self.crews))
        place = next((n for n, row in enumerate(available) if members is None or row.person.id in members), None)
        if place is None:
            return available
        return (*available[:place], available[place]._replace(next=True), *available[place + 1 :])

    def _waiting(self, each: Open, contact: str, free: frozenset[int]) -> Waiting:
        team = self.crews.get(each.team) if each.team is not None else None
        name = team.name if team is not None and team.name else str(each.team or "")
        why, person = why_waiting(each, team, free), None
        if each.shadow is not None:
            known = self.people.get(each.shadow)
            why, person = Wait.SHADOW, Person(each.shadow, known.name if known is not None else "")
        return Waiting(each.id, _moment(each.since), self.label(each.topic), each.weight, contact, why, name, person)


def why_waiting(each: Open, team: Crew | None, free: frozenset[int]) -> Wait:
    """Why nobody has it. `team` is its own, `free` are all who are available."""
    if each.refused:
        return Wait.REFUSED
    if each.ticket:
        return Wait.TICKET
    if each.team is None:
        return Wait.SOON if free else Wait.ALL_AWAY
    if team is None:
        return Wait.TEAM_UNKNOWN
    if not team.members:
        return Wait.TEAM_EMPTY
    return Wait.SOON if team.members & free else Wait.TEAM_AWAY


@lru_cache(maxsize=512)
def zone_of(name: str) -> str:
    """Intercom's name of a zone; empty where it is not known here."""
    try:
        return name if name and ZoneInfo(name) else ""
    except (OSError, ValueError, KeyError):
        return ""


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _age(each: Open) -> tuple[int, int]:
    return each.since, each.id


def _first(each: tuple[tuple[int, int, int], Row]) -> tuple[int, int, int]:
    return each[0]
