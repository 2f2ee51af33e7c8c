"""What happened, for counting: who was assigned when and by whom, and what became of every webhook."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple


class Assignment(NamedTuple):
    """`at` is monotonic seconds; `by` is `api` or `person`; 0 is nobody."""

    at: float
    by: str
    admin: int
    team: int


@dataclass(slots=True)
class History:
    """One conversation. Times are monotonic seconds, comparable between processes of one machine."""

    created_at: float
    created_sent_at: float | None = None
    """When the webhook that told of it was first sent."""
    created_answered_at: float | None = None
    created_status: int | None = None
    """The last answer to that webhook; 0 is none at all, None is not sent (dropped, or still queued)."""
    accepted_at: float | None = None
    """When any webhook of it was first answered with 2xx: from then on the receiver knows of it."""
    assignments: list[Assignment] = field(default_factory=list[Assignment])


class Record:
    """Counters of webhooks, and a history per conversation."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.histories: dict[int, History] = {}
        self.counts: Counter[str] = Counter()
        """Of webhooks: `published`, `sent`, `accepted`, `duplicates`, `dropped`, `late`, `cut`, `hung_up`, ...

        Of calls: `calls`, and what struck them: `calls_429`, `calls_500`, ..., `calls_slow`, `calls_cut` (not handled),
        `calls_died` (handled, but never answered).
        """
        self.operations: Counter[str] = Counter()
        """Calls that arrived well formed, by what they ask for: see rest.OPERATIONS."""
        self.statuses: Counter[int] = Counter()
        self.topics: Counter[str] = Counter()

    def created(self, conversation: int) -> None:
        self.histories[conversation] = History(self.clock())

    def assigned(self, conversation: int, by: str, admin: int, team: int) -> None:
        self.histories[conversation].assignments.append(Assignment(self.clock(), by, admin, team))

    def sent(self, topic: str, conversation: int | None) -> None:
        self.counts["sent"] += 1
        history = self._told(topic, conversation)
        if history is not None and history.created_sent_at is None:
            history.created_sent_at = self.clock()

    def answered(self, topic: str, conversation: int | None, status: int) -> None:
        """`status` is the HTTP status of the answer, 0 where none came in time."""
        accepted, now = 200 <= status < 300, self.clock()
        self.statuses[status] += 1
        self.counts["accepted"] += accepted
        history = self._told(topic, conversation)
        if history is not None and not 200 <= (history.created_status or 0) < 300:
            history.created_status, history.created_answered_at = status, now
        history = self.histories.get(conversation or 0)
        if accepted and history is not None and history.accepted_at is None:
            history.accepted_at = now

    def latencies(self) -> list[float]:
        """Seconds from a conversation's first webhook sent to its first assignment by API, in order of size."""
        return sorted(
            first.at - history.created_sent_at
            for history in self.histories.values()
            if history.created_sent_at is not None
            and (first := next((each for each in history.assignments if each.by == "api" and each.admin), None))
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "counts": dict(self.counts),
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "topics": dict(self.topics),
            "operations": dict(self.operations),
            "conversations": {
                str(conversation): {
                    **asdict(history),
                    "assignments": [each._asdict() for each in history.assignments],
                }
                for conversation, history in self.histories.items()
            },
        }

    def _told(self, topic: str, conversation: int | None) -> History | None:
        return self.histories.get(conversation or 0) if topic == "conversation.user.created" else None
