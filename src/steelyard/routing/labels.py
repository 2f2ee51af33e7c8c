"""What things are called on pages: topics by the policy, people by Intercom. It may be missing, or hostile."""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple, get_args

from psycopg import AsyncConnection

from steelyard.kit.errors import PolicyError
from steelyard.kit.ids import TopicId
from steelyard.routing.model import Exclusion
from steelyard.routing.policy import Policy, parse
from steelyard.routing.rows import rows

Family = Literal["domains", "site", "speed", "edge", "security", "account", "other"]

Reason = Literal["away", "logged_out", "no_seat", "left", "not_in_team", "resting"]

_REASONS: tuple[tuple[Exclusion, Reason], ...] = (
    (Exclusion.LEFT, "left"),
    (Exclusion.NO_SEAT, "no_seat"),
    (Exclusion.NOT_IN_TEAM, "not_in_team"),
    (Exclusion.RESTING, "resting"),
    (Exclusion.AWAY, "away"),
    (Exclusion.LOGGED_OUT, "logged_out"),
)

_FAMILIES: dict[str, Family] = {each: each for each in get_args(Family)}


class Label(NamedTuple):
    """A topic as pages show it. `weight` None: the policy in force does not know it (any more)."""

    topic: str
    family: Family
    names: Mapping[str, str]
    short_names: Mapping[str, str]
    weight: int | None

    def name(self, language: str) -> str:
        """Its name in `language`, else in English, else its id."""
        return self.names.get(language) or self.names.get("en") or self.topic

    def short_name(self, language: str) -> str:
        """Its name for narrow places."""
        return self.short_names.get(language) or self.name(language)


class Person(NamedTuple):
    """An engineer by id and name; the name is empty until Intercom has told it."""

    id: int
    name: str


async def read_policies(connection: AsyncConnection[Any], digests: Collection[str]) -> dict[str, Policy | None]:
    """The policies of this workspace with these digests; one that it no longer keeps is left out."""
    found = await rows(connection, "SELECT digest, text FROM policy WHERE digest = ANY(%s)", [list(digests)])
    return {row["digest"]: _read_policy(row["text"]) for row in found}


@lru_cache(maxsize=16)
def _read_policy(text: str) -> Policy | None:
    """The policy in `text`, read once; None for one that this release cannot read, so that pages still open."""
    try:
        return parse(text)
    except PolicyError:
        return None


def label_of(topic: str, policy: Policy | None) -> Label:
    """How `topic` is shown under `policy`. An unknown one goes by its id."""
    known = policy.topics.get(TopicId(topic)) if policy is not None else None
    if known is None:
        return Label(topic, "other", {}, {}, None)
    return Label(topic, _FAMILIES.get(known.family, "other"), known.names, known.short_names, known.weight)


def reason_of(exclusions: Exclusion) -> Reason | None:
    """The one reason that is told of several: what lasts comes before what passes. None where nothing excludes."""
    return next((reason for flag, reason in _REASONS if exclusions & flag), None)
