"""What can go wrong on purpose, each with a probability. A further fault is one more row in `FAULTS`.

A row says where the fault strikes and what becomes of what it strikes. A fault of a new kind (a delay, a cut
connection, a death after accepting) adds a field to `Fate`, which is read at that place: webhooks.py for `webhook`,
service.py for `call`.
"""

import random
from typing import NamedTuple


class Fate(NamedTuple):
    """What becomes of a webhook or of a call. The defaults are what happens without a fault."""

    copies: int = 1
    """How often a webhook is sent."""
    behind: int = 0
    """How many later webhooks overtake it."""
    answer: int = 0
    """The status that a call gets instead of being handled."""


class Fault(NamedTuple):
    where: str
    fate: Fate


FAULTS = {
    "duplicate": Fault("webhook", Fate(copies=2)),
    "reorder": Fault("webhook", Fate(behind=5)),
    "drop": Fault("webhook", Fate(copies=0)),
    "rate_limit": Fault("call", Fate(answer=429)),
}

_FINE = Fate()


class Faults:
    """Draws fates. All probabilities are 0 at first."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self.rates = dict.fromkeys(FAULTS, 0.0)

    def set(self, rates: dict[str, float]) -> None:
        """Changes the probabilities (0 to 1) of those named. Raises ValueError on an unknown name or number."""
        for name, rate in rates.items():
            if name not in FAULTS:
                raise ValueError(f"there is no fault {name}: one of {', '.join(FAULTS)}")
            if not 0 <= rate <= 1:
                raise ValueError(f"the probability of {name} must be between 0 and 1, not {rate}")
        self.rates.update(rates)

    def fate(self, where: str) -> Fate:
        """What becomes of the next thing at that place: the first fault that strikes."""
        for name, fault in FAULTS.items():
            rate = self.rates[name]
            if fault.where == where and rate and self._random.random() < rate:
                return fault.fate
        return _FINE
