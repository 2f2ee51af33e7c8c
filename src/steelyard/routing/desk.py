"""What the desk shows: values of numbers, ids and names. They know no language; templates do.

desk_floor.py keeps them in step with what happens, desk_cache.py reads it, desk_parts.py draws them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, NamedTuple, get_args

from psycopg import AsyncConnection

from steelyard.kit.ids import WorkspaceId
from steelyard.routing.entries import Entry
from steelyard.routing.labels import Family, Label, Person, read_policies
from steelyard.routing.model import Engineer
from steelyard.routing.policy import Policy
from steelyard.routing.rows import one
from steelyard.routing.switch import Reach
from steelyard.web.charts import Scale, Weight
from steelyard.web.place import Place

Group = Literal["available", "resting", "away", "gone"]

MOST_WAITING = 30
MOST_ENTRIES = 14
MOST_SINGLE = 12
"""Conversations of one rail that are drawn one by one. Where there are more, those of a family stand together."""
MOST_AIRY = 40
"""Rows of engineers that stand in comfort; more stand closer together."""


class Carried(NamedTuple):
    """An open conversation on somebody's rail."""

    conversation: int
    label: Label
    weight: int


class Block(NamedTuple):
    """What is drawn as one: a conversation, or so many of one family, which then has neither id nor label."""

    conversation: int | None
    label: Label | None
    family: Family
    weight: int
    conversations: int


class Row(NamedTuple):
    """An engineer and what they carry. `score` is what their load counts as: load ÷ capacity.

    `shadowed` are conversations that nobody has yet and that Steelyard would give them. They count for further
    decisions in the shadow only.
    """

    person: Person
    zone: str
    """A name of the tz database; empty for one that is not known here."""
    load: int
    capacity: float
    score: float
    open: int
    blocks: tuple[Block, ...]
    shadowed: tuple[Block, ...]
    next: bool

    def weights(self, language: str, families: Mapping[str, str]) -> list[Weight]:
        """Their rail, the oldest conversation first."""
        return weights(self.blocks, language, families)

    def hollow(self, language: str, families: Mapping[str, str]) -> list[Weight]:
        """What follows on their rail without counting."""
        return weights(self.shadowed, language, families)

    @property
    def end(self) -> int:
        """Where their rail's last block ends."""
        return self.load + sum(each.weight for each in self.shadowed)


class Wait(StrEnum):
    """Why a conversation has nobody."""

    TEAM_AWAY = "team_away"
    TEAM_EMPTY = "team_empty"
    TEAM_UNKNOWN = "team_unknown"
    ALL_AWAY = "all_away"
    REFUSED = "refused"
    TICKET = "ticket"
    SHADOW = "shadow"
    SOON = "soon"


class Waiting(NamedTuple):
    """A conversation in the queue."""

    conversation: int
    since: datetime
    label: Label
    weight: int
    contact: str
    why: Wait
    team: str
    shadow: Person | None
    """Whom Steelyard would give it to, where it does not assign."""


class Drift(NamedTuple):
    """What the last reading of Intercom found that no webhook had told."""

    found: int
    at: datetime


class Figures(NamedTuple):
    """The numbers that matter. Loads are of the available engineers, as the policy counts them."""

    waiting: int
    oldest: datetime | None
    open: int
    weight: int
    carriers: int
    mean: float | None
    heaviest: Person | None
    heaviest_score: float
    decisions_today: int
    delivery_seconds: float | None
    last_webhook: datetime | None

    @property
    def imbalance(self) -> float | None:
        """How far the heaviest is above the mean; None while nobody is available."""
        return None if self.mean is None else self.heaviest_score - self.mean


class Crew(NamedTuple):
    """A team, as far as the desk can show it alone."""

    id: int
    name: str
    members: frozenset[int]


class Desk(NamedTuple):
    """Everything the desk shows."""

    place: Place
    at: datetime
    reach: Reach
    figures: Figures
    available: tuple[Row, ...]
    """The next one first; so are the others, as if they were available."""
    resting: tuple[Row, ...]
    """Off rotation: they are given nothing new."""
    away: tuple[Row, ...]
    gone: tuple[Row, ...]
    """Without a seat or no longer in the workspace, and still carrying something."""
    waiting: tuple[Waiting, ...]
    entries: tuple[Entry, ...]
    aside: int
    """How much could not be handled: see aside.py."""
    drift: Drift | None
    teams: tuple[Crew, ...]
    team: Crew | None
    """The one that alone is shown. Figures are of everybody all the same."""
    scale: Scale
    """The one scale of all rails, with room for the next conversation."""

    @property
    def without_contacts(self) -> Desk:
        """The same for somebody who may not see what customers are called."""
        return self._replace(waiting=tuple(each._replace(contact="") for each in self.waiting))

    @property
    def rows(self) -> tuple[Row, ...]:
        """Everybody."""
        return (*self.available, *self.resting, *self.away, *self.gone)

    @property
    def is_crowded(self) -> bool:
        """Whether there are so many engineers that their rows had better be low."""
        return len(self.rows) > MOST_AIRY

    @property
    def families(self) -> frozenset[str]:
        """The families of topics on the rails, for the legend."""
        return frozenset(each.family for row in self.rows for each in (*row.blocks, *row.shadowed))

    @property
    def hollow(self) -> bool:
        """Whether anything on the rails does not count, for the legend."""
        return any(row.shadowed for row in self.rows)

    @property
    def grouped(self) -> bool:
        """Whether any block is more than one conversation, for the legend."""
        return any(each.conversations > 1 for row in self.rows for each in (*row.blocks, *row.shadowed))

    @property
    def data(self) -> dict[str, object]:
        """What is shown, as data: the scale is drawing, and of the teams only names are shown."""
        data: dict[str, object] = self._asdict()
        del data["scale"]
        data["teams"] = [{"id": each.id, "name": each.name} for each in self.teams]
        data["team"] = self.team.id if self.team is not None else None
        return data


def gather(carried: Sequence[Carried]) -> tuple[Block, ...]:
    """What is drawn of a rail: its conversations one by one, else each family as one, always in the same order.

    At most MOST_SINGLE blocks, however many there are.
    """
    if len(carried) <= MOST_SINGLE:
        return tuple(Block(each.conversation, each.label, each.label.family, each.weight, 1) for each in carried)
    sums: dict[Family, tuple[int, int]] = dict.fromkeys(get_args(Family), (0, 0))
    for each in carried:
        weight, number = sums[each.label.family]
        sums[each.label.family] = weight + each.weight, number + 1
    return tuple(Block(None, None, family, *sum) for family, sum in sums.items() if sum[1])


def weights(blocks: Iterable[Block], language: str, families: Mapping[str, str]) -> list[Weight]:
    """Blocks as weights on a rail, named in `language`; `families` are the names of families in it."""
    return [_weight(each, language, families) for each in blocks]


def _weight(block: Block, language: str, families: Mapping[str, str]) -> Weight:
    if block.label is None:
        name = families[block.family]
        return Weight(f"{name} ×{block.conversations}", name, block.weight, block.family, block.conversations)
    names = block.label.short_name(language), block.label.name(language)
    return Weight(*names, block.weight, block.family, id=block.conversation)


def group_of(engineer: Engineer, policy: Policy | None) -> Group:
    """Whether they can be given something under `policy`, cannot right now, or no longer can."""
    if not engineer.member or not engineer.seat:
        return "gone"
    if engineer.resting:
        return "resting"
    absent = not engineer.logged_in and (policy is None or policy.logged_out_counts_as_away)
    return "away" if engineer.away or absent else "available"


async def read_place(connection: AsyncConnection[Any], workspace: WorkspaceId) -> Place:
    """Where the reader is. A workspace without a connection goes by its id."""
    found = await one(
        connection,
        "SELECT (SELECT min(each) FROM workspaces_of_cell() AS each) = %(workspace)s AS first,"
        " (SELECT name FROM connection WHERE workspace = %(workspace)s) AS name,"
        " (SELECT region FROM connection WHERE workspace = %(workspace)s) AS region",
        {"workspace": workspace},
    )
    known = found or {"first": True, "name": None, "region": None}
    return place_named(workspace, known["name"], known["region"], first=known["first"])


def place_named(workspace: WorkspaceId, name: str | None, region: str | None, *, first: bool) -> Place:
    """Where the reader is; `first` is the workspace whose addresses need not name it."""
    return Place(name or workspace, region or "", "" if first else workspace)


async def policy_in_force(connection: AsyncConnection[Any], workspace: WorkspaceId) -> Policy | None:
    """The policy that decides now; None where there is none that this release can read."""
    found = await one(connection, "SELECT policy FROM workspace WHERE workspace = %s", [workspace])
    digest = found["policy"] if found else None
    return (await read_policies(connection, [digest])).get(digest) if digest else None
