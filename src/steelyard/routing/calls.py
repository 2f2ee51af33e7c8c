"""What workers see of their calls of Intercom: counted for the metrics, and what an operator must know, written down.

A call only adds to numbers in memory. `write` stores what they mean, at most once per round of the watch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from steelyard.kit.ids import WorkspaceId
from steelyard.kit.instants import Micros, moment
from steelyard.kit.metrics import Kind, Metric, Sample
from steelyard.kit.scopes import Scope
from steelyard.store.database import Database

Observe = Callable[[str, int, int | None, int | None], None]
"""(call, status, calls left in the window, calls of a whole window) of each answer; status 0: there was none."""

REFUSED, TOO_MANY = 401, 429

LOW = 0.1
"""The share of a window of the rate limit below which little is left."""

CALLS = Metric(
    "steelyard_intercom_calls_total",
    Kind.COUNTER,
    Scope.WORKSPACE,
    "Calls of Intercom by this worker, by their answer's status; 0: no answer.",
    ("workspace", "call", "status"),
)
RATE_LEFT = Metric(
    "steelyard_intercom_rate_left",
    Kind.GAUGE,
    Scope.WORKSPACE,
    "Calls that Intercom's window of ten seconds still admitted after this worker's last call.",
    ("workspace",),
)
METRICS = (CALLS, RATE_LEFT)


class Calls:
    """The calls of one worker, of every workspace."""

    def __init__(self, clock: Callable[[], Micros]) -> None:
        self._clock = clock
        self._count: Counter[tuple[WorkspaceId, str, int]] = Counter()
        self._left: dict[WorkspaceId, int] = {}
        self._refused: dict[WorkspaceId, bool] = {}
        self._low_at: dict[WorkspaceId, Micros] = {}

    def of(self, workspace: WorkspaceId) -> Observe:
        """What a client of that workspace's Intercom is to be given as `observe`."""

        def observe(call: str, status: int, left: int | None, limit: int | None) -> None:
            self._count[workspace, call, status] += 1
            if left is not None:
                self._left[workspace] = left
            if status == REFUSED or 200 <= status < 300:
                self._refused[workspace] = status == REFUSED
            if status == TOO_MANY or (left is not None and limit is not None and left < limit * LOW):
                self._low_at[workspace] = self._clock()

        return observe

    async def write(self, database: Database) -> None:
        """Stores since when a token is refused, that it is not, and when little was left of the rate limit."""
        refused, self._refused = self._refused, {}
        low_at, self._low_at = self._low_at, {}
        now = moment(self._clock())
        for workspace in refused.keys() | low_at.keys():
            async with database.transaction(workspace) as conn:
                if workspace in refused:
                    await conn.execute(
                        """UPDATE connection SET refused_at = %s
                           WHERE workspace = %s AND (refused_at IS NOT NULL) <> %s""",
                        (now if refused[workspace] else None, workspace, refused[workspace]),
                    )
                if workspace in low_at:
                    await conn.execute(
                        "UPDATE connection SET rate_low_at = %s WHERE workspace = %s",
                        (moment(low_at[workspace]), workspace),
                    )

    def samples(self) -> Iterator[Sample]:
        """The counts so far, and what was left of the rate limit."""
        for (workspace, call, status), count in self._count.items():
            yield Sample(CALLS, (workspace, call, str(status)), count)
        for workspace, left in self._left.items():
            yield Sample(RATE_LEFT, (workspace,), left)
