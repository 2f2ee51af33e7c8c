"""What can go wrong on purpose: by chance, or by a plan. A further fault is one more row in `FAULTS`.

A row says where the fault strikes and what becomes of what it strikes. A fault of a new kind adds a field to `Fate`,
which is read at that place: webhooks.py for `webhook`, service.py for `call`.
"""

import random
from collections.abc import Sequence
from typing import Literal, NamedTuple

from steelyard.demo.intercom.rest import OPERATIONS

Where = Literal["webhook", "call"]


class Fate(NamedTuple):
    """What becomes of a webhook or of a call. The defaults are what happens without a fault."""

    copies: int = 1
    """How often a webhook is sent."""
    behind: int = 0
    """How many later webhooks overtake it."""
    late: bool = False
    """Whether the webhook, or the answer to the call once it was handled, comes late: see webhooks.Timing."""
    answer: int = 0
    """The status that a call gets instead of being handled."""
    cut: Literal["", "before", "after"] = ""
    """Whether the connection is closed before it arrived whole, or after that, but before it was answered."""


class Fault(NamedTuple):
    where: Where
    fate: Fate


FAULTS = {
    "duplicate": Fault("webhook", Fate(copies=2)),
    "reorder": Fault("webhook", Fate(behind=5)),
    "drop": Fault("webhook", Fate(copies=0)),
    "late": Fault("webhook", Fate(late=True)),
    "cut": Fault("webhook", Fate(cut="before")),
    "hang_up": Fault("webhook", Fate(cut="after")),
    "rate_limit": Fault("call", Fate(answer=429)),
    "error": Fault("call", Fate(answer=500)),
    "unavailable": Fault("call", Fate(answer=503)),
    "bad_request": Fault("call", Fate(answer=400)),
    "unauthorized": Fault("call", Fate(answer=401)),
    "forbidden": Fault("call", Fate(answer=403)),
    "not_found": Fault("call", Fate(answer=404)),
    "slow": Fault("call", Fate(late=True)),
    "refuse": Fault("call", Fate(cut="before")),
    "die": Fault("call", Fate(cut="after")),
}
"""`slow` and `die`: the call was accepted, but its caller hears of it too late, or never."""

FINE = "fine"
"""In a plan: this call meets no fault."""

_FINE = Fate()


class Faults:
    """Draws fates. All probabilities are 0 at first, and nothing is planned. The same seed draws the same faults."""

    def __init__(self, seed: int) -> None:
        self._draws = {where: random.Random(f"{seed} {where}") for where in ("webhook", "call")}  # noqa: S311 - repeatable, not secret
        self.rates = dict.fromkeys(FAULTS, 0.0)
        self.planned: dict[str, list[str]] = {}
        """What is left of the plans, by operation."""

    def set(self, rates: dict[str, float]) -> None:
        """Changes the probabilities (0 to 1) of those named. Raises ValueError on an unknown name or number."""
        for name, rate in rates.items():
            if name not in FAULTS:
                raise ValueError(f"there is no fault {name}: one of {', '.join(FAULTS)}")
            if not 0 <= rate <= 1:
                raise ValueError(f"the probability of {name} must be between 0 and 1, not {rate}")
        self.rates.update(rates)

    def plan(self, operation: str, faults: Sequence[str]) -> None:
        """The next calls of `operation` (see rest.OPERATIONS) meet these in order; after them chance rules again.

        It replaces what was planned for it before. Raises ValueError on an unknown name.
        """
        possible = [FINE, *(name for name, fault in FAULTS.items() if fault.where == "call")]
        if operation not in OPERATIONS:
            raise ValueError(f"there is no operation {operation}: one of {', '.join(sorted(OPERATIONS))}")
        for name in faults:
            if name not in possible:
                raise ValueError(f"a call cannot meet {name}: one of {', '.join(possible)}")
        self.planned.pop(operation, None)
        if faults:
            self.planned[operation] = list(faults)

    def fate(self, where: Where, operation: str = "") -> Fate:
        """What becomes of the next thing at that place: what is planned for it, else the first fault that strikes."""
        if operation in self.planned:
            return self._next_planned(operation)
        for name, fault in FAULTS.items():
            rate = self.rates[name]
            if fault.where == where and rate and self._draws[where].random() < rate:
                return fault.fate
        return _FINE

    def _next_planned(self, operation: str) -> Fate:
        first, *left = self.planned.pop(operation)
        if left:
            self.planned[operation] = left
        return _FINE if first == FINE else FAULTS[first].fate
