"""The tree of errors. A message says what happened, to what, and what to do next.

SteelyardError
├── ConfigError          a setting is missing or wrong
├── KeyFileError         a secret cannot be sealed or opened
├── PolicyError          policy.toml cannot be read as a policy
├── StoreError           the database cannot be used as it is
│   ├── SuperuserError   the application's role ignores row-level security
│   ├── SchemaError      the schema is older or newer than this release
│   └── BusyDataError    another process holds the embedded server's data folder
├── LedgerError          a fact cannot be appended
├── ActError             what a person asked for cannot be done
├── SlotError            a slot cannot be made, or cannot be trusted
├── RunbookError         the folder of a runbook cannot be used as one
├── ReplayError          a decision cannot be replayed, or does not equal its digest
└── RemoteError          a call of another system did not succeed
    ├── IntercomError    see adapters/intercom/errors.py
    └── HostError        see toolbox/reach.py
"""

from typing import ClassVar


class SteelyardError(Exception):
    """Everything Steelyard raises on purpose."""


class ConfigError(SteelyardError):
    """A setting is missing or wrong."""


class KeyFileError(SteelyardError):
    """A secret cannot be sealed or opened: its key file is missing, damaged, or another one."""


class PolicyError(SteelyardError):
    """policy.toml cannot be read as a policy."""


class StoreError(SteelyardError):
    """The database cannot be used as it is."""


class SuperuserError(StoreError):
    """The application's role would ignore row-level security."""


class SchemaError(StoreError):
    """The schema is older or newer than this release."""


class BusyDataError(StoreError):
    """Another process holds the embedded server's data folder."""


class LedgerError(SteelyardError):
    """A fact cannot be appended."""


class ActError(SteelyardError):
    """What a person asked for cannot be done. `code` says why in a word, for pages in other languages."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class SlotError(SteelyardError):
    """A slot cannot be made, or cannot be trusted."""


class RunbookError(SteelyardError):
    """The folder of a runbook cannot be used as one."""


class ReplayError(SteelyardError):
    """A decision cannot be replayed, or does not equal its digest."""


class RemoteError(SteelyardError):
    """A call of another system did not succeed. What rooms may know of it, whichever adapter made the call."""

    permanent: ClassVar[bool] = True
    """Whether the same call would fail the same way again."""
    code: str = ""
    """That system's own word for the error, or empty."""
    retry_at: float | None = None
    """When to try again, in seconds since 1970 UTC, where that system said so."""
