"""Who gets a conversation: the available engineer of its team with the lowest load; then longest idle; then id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from itertools import islice

from steelyard.kit.ids import TeamId
from steelyard.routing.model import ENGINE, Candidate, Choice, Exclusion, Match
from steelyard.routing.state import RECORD, Standing, State


def choose(
    state: State, team: TeamId | None, matches: tuple[Match, ...], policy: str, *, shadow: bool = False
) -> Choice | None:
    """The choice for a conversation of `team` (None: anybody's) under the policy with that digest; None: nobody can.

    In earnest, what was only decided in the shadow weighs on nobody.
    """
    best = _best_two(state, team, shadow)
    if not best:
        return None
    winner, *others = (_candidate(state, each, shadow) for each in best)
    return Choice(winner, others[0] if others else None, digest(state.records(team, shadow=shadow), matches, policy))


def digest(records: bytes | bytearray, matches: tuple[Match, ...], policy: str) -> bytes:
    """SHA-256 over the engineers' records, then the matched rules, the policy's digest and the engine's version."""
    found = hashlib.sha256(records)
    found.update(f"{json.dumps(matches, separators=(',', ':'))}\n{policy}\n{ENGINE}".encode())
    return found.digest()


def pack(candidates: Iterable[Candidate]) -> bytes:
    """The candidates' fixed-width records, as a digest reads them."""
    return b"".join(RECORD.pack(*each) for each in candidates)


def _best_two(state: State, team: TeamId | None, shadow: bool) -> list[Standing]:
    ranked = state.ranked(shadow=shadow)
    if team is None:
        return ranked[:2]
    members = state.members(team)
    return list(islice((each for each in ranked if each[2] in members), 2))


def _candidate(state: State, standing: Standing, shadow: bool) -> Candidate:
    engineer = state.engineers[standing[2]]
    load = state.load(engineer, shadow=shadow)
    return Candidate(engineer.id, Exclusion.NONE, load, engineer.capacity, engineer.last_assigned)
