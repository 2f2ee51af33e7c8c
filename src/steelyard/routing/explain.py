"""Why this engineer: every candidate, exclusion and term of a decision, recomputed from the replayed state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from steelyard.kit.errors import ReplayError
from steelyard.kit.ids import EngineerId, Position
from steelyard.routing.choose import digest, pack
from steelyard.routing.model import ENGINE, Candidate, Conversation, Decision
from steelyard.routing.state import State


class Explanation(NamedTuple):
    """A decision in full."""

    position: Position
    decision: Decision
    candidates: tuple[Candidate, ...]
    """All engineers of the workspace, by id, also those who could not be given it."""
    carried: Mapping[EngineerId, tuple[Conversation, ...]]
    """The open conversations that each engineer owned just before, the heaviest first."""
    digest: str
    """SHA-256 over what was replayed, in hex."""
    identical: bool
    """Whether that is the digest recorded with the decision."""


def explanation_of(before: State, position: Position, decision: Decision, *, shadow: bool = False) -> Explanation:
    """The explanation of a decision, from the state just before it. Raises ReplayError for another engine's."""
    if decision.engine != ENGINE:
        raise ReplayError(f"decision {position} is of engine {decision.engine}; this release replays engine {ENGINE}")
    candidates = before.candidates(decision.team, shadow=shadow)
    replayed = digest(pack(candidates), decision.matches, decision.policy).hex()
    carried: dict[EngineerId, list[Conversation]] = {}
    for each in before.conversations.values():
        shaded = each.assignee is None and each.pending is not None and each.pending.shadow
        if each.owner is not None and (shadow or not shaded):
            carried.setdefault(each.owner, []).append(each)
    return Explanation(
        position,
        decision,
        candidates,
        {owner: tuple(sorted(all, key=lambda one: (-one.weight, one.id))) for owner, all in carried.items()},
        replayed,
        replayed == decision.digest,
    )
