"""Routing's values as JSON, for facts, tables and snapshots."""

from __future__ import annotations

import json
from sys import intern
from typing import Any

from steelyard.kit.ids import EngineerId, Position, TeamId, TopicId
from steelyard.routing.model import (
    Conversation,
    Decision,
    Engineer,
    Exclusion,
    Match,
    Order,
    Override,
    Pending,
    Phase,
    Team,
)
from steelyard.routing.state import State, build


def dump(value: object) -> str:
    """Compact JSON. A tuple, named or not, is an array of its fields."""
    return json.dumps(value, separators=(",", ":"))


def conversation(data: list[Any]) -> Conversation:
    """The conversation whose `dump` this was."""
    plain = Conversation(*data)
    return plain._replace(
        order=Order(*plain.order),
        phase=Phase(plain.phase),
        matches=matches(plain.matches),
        tag=Override(*plain.tag) if plain.tag else None,
        note=Override(*plain.note) if plain.note else None,
        pending=_pending(plain.pending),
    )


def _pending(data: Any) -> Pending | None:
    if not data:
        return None
    decision, engineer, after, *shadow = data
    return Pending(decision, engineer, Order(*after), *shadow)


def matches(data: Any) -> tuple[Match, ...]:
    """The matches whose `dump` this was. All conversations share the few names of the policy."""
    return tuple(
        Match(TopicId(intern(topic)), intern(rule), intern(field), start, end, points)
        for topic, rule, field, start, end, points in data
    )


def decision(data: list[Any]) -> Decision:
    """The decision whose `dump` this was."""
    plain = Decision(*data)
    return plain._replace(matches=matches(plain.matches))


def engineer_data(engineer: Engineer) -> dict[str, Any]:
    """`engineer` by the names of the fields, without id and load. Who was never off rotation is written as ever."""
    data = engineer._asdict()
    del data["id"], data["load"]
    if not engineer.resting:
        del data["resting"]
    if engineer.resting_order is None:
        del data["resting_order"]
    return data


def engineer(id: EngineerId, data: dict[str, Any]) -> Engineer:
    """The engineer whose `engineer_data` this was."""
    plain = Engineer(id, **data)
    return plain._replace(
        away_order=Order(*plain.away_order) if plain.away_order else None,
        login_order=Order(*plain.login_order) if plain.login_order else None,
        member_order=Order(*plain.member_order) if plain.member_order else None,
        seat_order=Order(*plain.seat_order) if plain.seat_order else None,
        resting_order=Order(*plain.resting_order) if plain.resting_order else None,
    )


def thaw(frozen: bytes, ignored: Exclusion) -> State:
    """The state that a snapshot keeps, under a policy that ignores the exclusions in `ignored`."""
    position, version, engineers, teams, conversations = json.loads(frozen)
    return build(
        ignored,
        Position(position),
        version,
        (
            [engineer(EngineerId(id), data) for id, data in engineers],
            [Team(TeamId(id), tuple(members)) for id, members in teams],
            [conversation(each) for each in conversations],
        ),
    )
