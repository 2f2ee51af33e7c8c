"""What a runbook is made of: parameters, what it reads, and pure functions from facts to plans. Pure.

The whole contract of a `runbook.py`: it holds one `RUNBOOK = Runbook(...)`. See docs/how-to/add-a-runbook.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from steelyard.toolbox.model import Action, Json, Plan, Risk, Site, Token
from steelyard.web.tables import Choice

Facts = Mapping[str, Json]
"""What was read, by the `into` of each Read."""

Value = str | int | bool
Values = Mapping[str, Value]
"""What was chosen for the parameters, by name. Every parameter is in it."""


class Parameter(NamedTuple):
    """One thing to choose before a run. Its text label and help are declared with N_."""

    name: str
    label: str
    kind: Literal["text", "choice", "switch", "number"] = "text"
    default: Value = ""
    help: str = ""
    choices: tuple[Choice, ...] = ()
    """Of a `choice`: the first is the default where `default` is empty."""
    pattern: str = ""
    """Of a `text`: what it must match, whole; see `refusal`."""
    refusal: str = ""
    """What is said where it does not match."""
    required: bool = False
    least: int = 0
    most: int = 1_000_000
    secret: bool = False
    """Sealed at once, given to the run as the `Secret` of its name, and in `Values` only as empty or `given`."""


class Read(NamedTuple):
    """A group of facts that a runbook reads: `into` is its key in the facts, `action` a verb that only reads."""

    into: str
    action: Action


class Defaults(NamedTuple):
    """What the workspace's settings say about runs."""

    keep_trash: int = 7
    """Days that what a run moved aside is kept, and so can be undone."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a plan is asked for."""

    site: Site
    values: Values
    token: Token
    now: datetime
    defaults: Defaults = field(default_factory=Defaults)
    slots: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """What this cell holds ahead of need, from core slots: see slots.py."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a run left: what its undo is asked for."""

    site: Site
    values: Values
    token: Token
    now: datetime
    keeps: Mapping[str, Json]
    """As its plan said."""


@dataclass(frozen=True, slots=True)
class Runbook:
    """A procedure of the team: a button with what it reads, what it would do, and the way back.

    `name` is its folder's. `plan` and `undo` are pure; they raise Refused. `undo` looks at the facts of `undo_reads`
    and says only what is still to be put back, whatever step the run stopped at; None where nothing can be undone.
    """

    name: str
    title: str
    summary: str
    """One sentence: what it is for."""
    risk: Risk
    minutes: int
    """What it takes by hand."""
    plan: Callable[[Asked, Facts], Plan]
    reads: Callable[[Asked], tuple[Read, ...]]
    parameters: tuple[Parameter, ...] = ()
    undo: Callable[[Left, Facts], Plan] | None = None
    undo_reads: Callable[[Left], tuple[Read, ...]] | None = None
    erase: Callable[[Left], tuple[Action, ...]] | None = None
    """What removes what the run moved aside, when the way back ends."""
    topics: tuple[str, ...] = ()
    """Of the policy: conversations about these are offered it."""
    group: Literal["site", "look", "security", "own"] = "site"
    french: Mapping[str, str] = field(default_factory=dict[str, str])
    """What its own texts (title, summary, labels) are in French, where no catalog of the product has them."""
    digest: str = ""
    """SHA-256 of its folder, in hexadecimal; filled in where it is loaded."""
