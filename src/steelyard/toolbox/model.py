"""The words of the toolbox: sites and hosts, actions and steps, plans. Pure.

A plan is data. It is shown before anything is done, stored, and done step by step; nothing in it was decided later.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, NamedTuple, NewType, cast

from steelyard.web.said import Message, Millis, Said, Size

SiteId = NewType("SiteId", int)
HostId = NewType("HostId", int)
RunId = NewType("RunId", int)
Token = NewType("Token", str)
"""Eight hexadecimal digits that name what a run makes on the host: its stage, its trash, its tables."""

Json = Any
"""What JSON can hold: it went over a wire and into a table."""


class Risk(StrEnum):
    """What a runbook may do to a site at worst, mildest first."""

    READS = "reads"
    CHANGES = "changes"
    DESTROYS = "destroys"


class By(Enum):
    """Who does an action."""

    SITE = "site"
    """The site's own user on its host."""
    SUPPORT = "support"
    """The host's support account."""
    ROOT = "root"
    """The support account by sudo: only commands that `steelyard host prepare` lists, so only the verb `run`."""
    WORKER = "worker"
    """Steelyard's worker, with what the host sent it."""


@dataclass(frozen=True, slots=True)
class Host:
    """A machine that sites are on."""

    id: HostId
    name: str
    address: str
    port: int
    account: str
    """The support account, which SSH signs in as. The same as a site's where the hosting gives no other."""


@dataclass(frozen=True, slots=True)
class Site:
    """A customer's site."""

    id: SiteId
    name: str
    """Its main domain, such as `shop.example`: what is typed to confirm."""
    url: str
    docroot: str
    """An absolute path on the host."""
    account: str
    """The user whose files they are."""
    host: Host
    group: str = ""
    """Sites of one group share who may do what. Empty: the others."""
    hints: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """What an operator said of its host and of itself where it cannot be found out, such as `php`, `fpm_reload`,
    `fpm_pools`, `redis`: see docs/reference/hints.md."""


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret goes in the arguments of an action: the secret itself is in no plan, journal or log.

    One of `given` names comes sealed with the run (host secrets, the person's own input); any other is made on the host
    at its first use, `length` letters and digits, kept in the run's folder there and so the same after a resume.
    """

    name: str
    length: int = 32


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do: a verb of the host (see hosted/) with its arguments, which are JSON and may hold `Secret`s.

    Doing it again after a kill must do no harm: verbs look at what is there first.
    """

    verb: str
    args: Mapping[str, Json] = field(default_factory=dict[str, Json])
    by: By = By.SITE
    timeout: float = 60.0
    """Seconds after which the host ends it, and the step fails."""


@dataclass(frozen=True, slots=True)
class Step:
    """A unit of a plan: done whole, journalled with what it took."""

    name: str
    """Unique in its plan, such as `exchange_tables`: the journal's word for it."""
    title: Said
    says: Said
    """The exact objects, counts and sizes."""
    actions: tuple[Action, ...]
    seconds: float = 0.1
    """What it is expected to take."""
    touches: bool = True
    """Whether the live site is different afterwards: before the first that does, nothing has changed."""
    probe: Action | None = None
    """Asked after a kill whether the step was done: a verb that only reads and answers `{"done": bool}`. Without one
    the actions are simply done again."""
    always: bool = False
    """Whether it is done even where the run is being cancelled, such as letting go of maintenance."""


@dataclass(frozen=True, slots=True)
class Check:
    """What proves that a run did what it said: an action that only reads, and what its answer must hold.

    `expects` is compared with the answer: every key in it must be there and equal; of `one_of` one must be; a string
    that begins with `~` must be contained.
    """

    says: Said
    action: Action
    expects: Mapping[str, Json]
    tries: int = 1
    """How often it is asked, a fifth of a second apart, before it counts as failed."""


def one_of(*values: Json) -> list[Json]:
    """What a check expects where any of these will do. A list that a check expects means this, however it is made."""
    return list(values)


class Row(NamedTuple):
    """A line of what a plan concerns: `Posts and pages`, `1 204`."""

    label: Said
    value: object
    """A number, a Size, a str (data of the site: hostile text) or a Said."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a runbook would do to a site, whole."""

    steps: tuple[Step, ...]
    checks: tuple[Check, ...] = ()
    concerns: tuple[Row, ...] = ()
    """What goes, what changes, what stays: shown beside the steps."""
    warnings: tuple[Said, ...] = ()
    left: tuple[Said, ...] = ()
    """What is left for the person to do afterwards."""
    keeps: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """What undo has to know: paths and names, no secrets."""
    undoable: bool = True
    nothing: Said | None = None
    """Where the site is already as wanted: why there is nothing to do. Then there are no steps."""

    @property
    def seconds(self) -> float:
        """What all steps are expected to take."""
        return sum(each.seconds for each in self.steps)

    def digest(self) -> str:
        """SHA-256 of what would be done, in hexadecimal: actions, probes, checks and keeps, but no words and counts."""
        done = [[step.name, encode(step.actions), encode(step.probe)] for step in self.steps]
        proved = [[encode(check.action), encode(check.expects)] for check in self.checks]
        return digest_of([done, proved, encode(self.keeps)])


class Refused(Exception):
    """A plan cannot be made: `says` tells what is in the way, of what, and what to do next."""

    def __init__(self, code: str, says: Said) -> None:
        super().__init__(says.message % says.values)
        self.code, self.says = code, says


def digest_of(value: Json) -> str:
    """SHA-256 of a JSON value, in hexadecimal; the same for the same value whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def encode(value: object) -> Json:
    """Actions, sayings and what they hold as JSON. `decode` is its inverse."""
    match value:
        case Action():
            said: dict[str, Json] = {"$do": value.verb, "args": encode(value.args)}
            if value.by is not By.SITE:
                said["by"] = value.by.value
            return said | ({"timeout": value.timeout} if value.timeout != 60.0 else {})
        case Secret():
            return {"$secret": value.name, "length": value.length}
        case Said():
            return {"$says": value.message, "values": {key: encode(each) for key, each in value.values.items()}}
        case Size():
            return {"$bytes": value.bytes}
        case Millis():
            return {"$ms": value.ms}
        case str() | int() | float() | bool() | None:
            return value
        case Mapping():
            items = cast("Mapping[str, object]", value)
            if any(key.startswith("$") for key in items):  # what a host answered must not pass for one of the above
                raise TypeError("a plan may hold no mapping with a key that begins with $")
            return {key: encode(each) for key, each in items.items()}
        case Sequence():
            return [encode(each) for each in cast("Sequence[object]", value)]
        case _:
            raise TypeError(f"{type(value).__name__} is nothing that a plan may hold: use numbers, texts, lists, Size")


def decode(value: Json) -> Any:
    """What `encode` made into JSON, as it was: actions, sayings, sizes, secrets; lists stay lists."""
    match value:
        case {"$do": str(verb), "args": args}:
            return Action(verb, decode(args), By(value.get("by", "site")), value.get("timeout", 60.0))
        case {"$secret": str(name), "length": int(length)}:
            return Secret(name, length)
        case {"$says": str(message), "values": values}:
            return Said(Message(message), decode(values))
        case {"$bytes": int(count)}:
            return Size(count)
        case {"$ms": float() | int() as ms}:
            return Millis(ms)
        case dict():
            return {key: decode(each) for key, each in cast("dict[str, Json]", value).items()}
        case list():
            return [decode(each) for each in cast("list[Json]", value)]
        case _:
            return value
