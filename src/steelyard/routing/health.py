"""What is wrong with a workspace, judged from figures: which alarms hold, with the numbers that say so. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from steelyard.kit.instants import SECOND, Micros

RATE_KNOWN = 60
"""Seconds for which a window of Intercom's rate limit that was nearly used up counts."""

ENDS_AFTER = 60
"""Seconds for which nothing may be wrong before an alarm is over."""

FEWEST_WEEKS = 2
"""Weeks in which webhooks came at this time, before their absence means something."""


class Kind(StrEnum):
    """What can be wrong."""

    SILENCE = "silence"
    """No webhooks at a time of the week that usually has some."""
    UNHANDLED = "unhandled"
    """Webhooks wait to be handled."""
    UNDELIVERED = "undelivered"
    """Decisions wait to be delivered."""
    SET_ASIDE = "set_aside"
    """Payloads could not be handled."""
    DRIFT = "drift"
    """The last reading found much changed unheard."""
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - a kind of alarm
    """Intercom refuses the access token."""
    RATE_LOW = "rate_low"
    """A window of Intercom's rate limit is nearly used up."""


@dataclass(frozen=True, slots=True)
class Figures:
    """A workspace as it is now. Instants are None where there is nothing of the kind."""

    unhandled: int = 0
    unhandled_since: Micros | None = None
    """When the oldest unhandled payload came."""
    set_aside: int = 0
    pending: int = 0
    pending_since: Micros | None = None
    """When the oldest decision that is not delivered was made."""
    drift: int | None = None
    """What the last finished reading found; None where there is none."""
    refused_at: Micros | None = None
    rate_low_at: Micros | None = None
    heard: bool = True
    """Whether a webhook came within the span of silence."""
    weeks_known: int = 0
    """In how many of the last four weeks the workspace was connected at this time."""
    weeks_heard: int = 0
    """In how many of these a webhook came within the span that ends at this time of the week."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From when on it is an alarm."""

    waiting: int = 60
    """Seconds that a decision may wait for its delivery, and a payload to be handled."""
    drift: int = 20
    """Conversations that one reading may find changed unheard."""
    silence: int = 30
    """Minutes without a webhook."""


class Alarm(NamedTuple):
    """Something that is wrong, and the numbers that say so."""

    kind: Kind
    figures: Mapping[str, int]


def judge(figures: Figures, thresholds: Thresholds, now: Micros) -> tuple[Alarm, ...]:
    """The alarms that hold at `now`, one of a kind at most, in the order of `Kind`."""
    found: list[Alarm] = []
    if not figures.heard and figures.weeks_known >= FEWEST_WEEKS and figures.weeks_heard >= FEWEST_WEEKS:
        found.append(Alarm(Kind.SILENCE, {"minutes": thresholds.silence, "weeks": figures.weeks_heard}))
    waited = _seconds_since(figures.unhandled_since, now)
    if figures.unhandled and waited >= thresholds.waiting:
        found.append(Alarm(Kind.UNHANDLED, {"seconds": waited, "webhooks": figures.unhandled}))
    waited = _seconds_since(figures.pending_since, now)
    if figures.pending and waited >= thresholds.waiting:
        found.append(Alarm(Kind.UNDELIVERED, {"seconds": waited, "decisions": figures.pending}))
    if figures.set_aside:
        found.append(Alarm(Kind.SET_ASIDE, {"payloads": figures.set_aside}))
    if figures.drift is not None and figures.drift >= thresholds.drift:
        found.append(Alarm(Kind.DRIFT, {"conversations": figures.drift}))
    if figures.refused_at is not None:
        found.append(Alarm(Kind.TOKEN_REFUSED, {"seconds": _seconds_since(figures.refused_at, now)}))
    if figures.rate_low_at is not None and _seconds_since(figures.rate_low_at, now) < RATE_KNOWN:
        found.append(Alarm(Kind.RATE_LOW, {}))
    return tuple(found)


def _seconds_since(at: Micros | None, now: Micros) -> int:
    """Never negative: another machine's clock may be ahead."""
    return 0 if at is None else max(0, (now - at) // SECOND)
