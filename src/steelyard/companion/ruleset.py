"""Host rules as they are written (built in, by a lead, by a policy), checked and made ready.

A rule that cannot be used is refused by name and field; the others count. Pure; the same as extension/lib/ruleset.js.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

from steelyard.companion.cidr import Network, network
from steelyard.companion.pattern import compiled, steps
from steelyard.web.said import N_, Said

Kind = Literal["host", "cdn"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that can be matched. Any of its signals counts."""

    name: str
    kind: Kind
    ours: bool
    confidence: int
    """1 a hint, 2 likely, 3 sure."""
    about: str
    """Where it is documented; may be empty."""
    complete: bool
    """Whether `networks` are all there are."""
    headers: tuple[tuple[str, re.Pattern[str] | None], ...]
    """By name; None where any value counts."""
    networks: tuple[tuple[str, Network], ...]
    """Each with how it is written."""
    names: tuple[str, ...]
    """Of the host or what it is an alias of; `*.` stands for everything below."""
    ns: tuple[str, ...]
    """Of its name servers."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a rule is not used."""

    rule: str
    """Its name, or its place as `#3`; empty for the whole list."""
    field: str
    """Empty for the whole rule."""
    why: str
    """One of WORDS."""
    what: str = ""
    """The piece that is wrong, or the most there may be."""

    @property
    def said(self) -> Said:
        """What is wrong and what to write, without rule and field."""
        return Said(WORDS[self.why], {"what": self.what})


WORDS = {
    "address": N_("“%(what)s” is no address or network: write one such as 192.0.2.0/24 or 2001:db8:0:0:0:0:0:0/32."),
    "address of a page": N_("This is no address of a page: write one that begins with https://."),
    "beyond": N_("“%(what)s” has bits beyond the network’s: write the network’s first address."),
    "choice": N_("This is none of the choices: “host” or “cdn” for kind, 1, 2 or 3 for confidence."),
    "empty": N_("It is empty, or begins or ends with a space."),
    "foreign": N_("“%(what)s” looks around or back, or has signs that browsers and the server read differently."),
    "header": N_("This is no name of a header."),
    "host": N_("“%(what)s” is no name of a host: write example.com, or *.example.com for all below it."),
    "list": N_("The rules are a list: write [ … ]."),
    "long": N_("“%(what)s” is too long."),
    "many": N_("There are more than %(what)s."),
    "missing": N_("It is missing."),
    "nested": N_("“%(what)s” repeats a group, or has too many groups in each other: repeat single characters."),
    "no cidrs": N_("Addresses can be complete only where there are some: write cidrs."),
    "no signal": N_("Nothing says when it applies: write headers, cidrs, names or ns."),
    "object": N_("This is no object: write { … }."),
    "slow": N_("“%(what)s” could take too long: begin it with ^, or use fewer repetitions and alternatives."),
    "slow together": N_("With the rules before it, its patterns could take too long: begin them with ^."),
    "text": N_("This is no text."),
    "texts": N_("This is no list of texts."),
    "true or false": N_("This is neither true nor false."),
    "twice": N_("This header is there already, in other letters."),
    "unknown": N_("There is no such field."),
    "unreadable": N_("“%(what)s” cannot be read as a pattern: put a \\ before signs that are meant as such."),
    "unseen": N_("It has characters that cannot be seen."),
    "wide": N_("“%(what)s” is too wide: write /8 or more for IPv4, /16 or more for IPv6."),
}
"""What is wrong, by the word that both languages have for it."""

MOST_RULES = 200
_HEADERS, _CIDRS, _NAMES, _NAME, _ABOUT, _HOST_LENGTH, _STEPS = 20, 500, 50, 60, 300, 253, 2**23
_WIDEST = {4: 8, 6: 16}
_FIELDS = frozenset({"name", "kind", "headers", "cidrs", "names", "ns", "confidence", "about", "ours", "complete"})
_UNSEEN = re.compile("[\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_HEADER = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,80}")
_HOST = re.compile(
    r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])",
)
_PAGE = re.compile(r"https://[a-z0-9.-]+(?:/[!-~]*)?")
_ODD = re.compile("[^ -~\u00a1-\u017f]+")


def ruleset(rules: object) -> tuple[list[Rule], list[Refused]]:
    """The rules of a list as JSON has it, ready, and why the others are not."""
    if not isinstance(rules, list):
        return [], [Refused("", "", "list")]
    written = cast("list[object]", rules)
    if len(written) > MOST_RULES:
        return [], [Refused("", "", "many", str(MOST_RULES))]
    ready: list[Rule] = []
    refused: list[Refused] = []
    left = _STEPS
    for at, each in enumerate(written, 1):
        reading = _Reading(_called(each, at))
        rule = reading.rule(each)
        if not reading.refused and reading.cost > left:
            reading.refuse("headers", "slow together")
        if rule and not reading.refused:
            left -= reading.cost
            ready.append(rule)
        refused += reading.refused
    return ready, refused


def _called(written: object, at: int) -> str:
    name = written.get("name") if isinstance(written, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return _shown(name) if isinstance(name, str) and name else f"#{at}"


@dataclass(slots=True)
class _Reading:
    """One rule while it is read: `called` says which, `cost` what its patterns take."""

    called: str
    refused: list[Refused] = field(default_factory=list[Refused])
    cost: int = 0

    def refuse(self, place: str, why: str, what: str = "") -> None:
        self.refused.append(Refused(self.called, place, why, _shown(what)))

    def rule(self, written: object) -> Rule | None:
        if not isinstance(written, dict):
            return self.refuse("", "object")
        values = cast("dict[str, object]", written)
        for each in sorted(set(values) - _FIELDS):
            self.refuse(each[:_NAME], "unknown")
        headers = self._headers(values.get("headers", {}))
        rule = Rule(
            name=self._name(values),
            kind=cast(Kind, self._choice("kind", values, ("host", "cdn"))),
            ours=self._flag("ours", values),
            confidence=cast(int, self._choice("confidence", values, (1, 2, 3))),
            about=self._about(values),
            complete=self._flag("complete", values),
            headers=headers,
            networks=self._networks(values),
            names=self._hosts("names", values),
            ns=self._hosts("ns", values),
        )
        if all(values.get(each, []) in ([], {}) for each in ("headers", "cidrs", "names", "ns")):
            self.refuse("", "no signal")
        if rule.complete and values.get("cidrs", []) in ([], {}):
            self.refuse("complete", "no cidrs")
        return rule

    def _headers(self, written: object) -> tuple[tuple[str, re.Pattern[str] | None], ...]:
        headers: dict[str, re.Pattern[str] | None] = {}
        if not isinstance(written, dict):
            self.refuse("headers", "object")
            return ()
        patterns = cast("dict[str, object]", written)
        if len(patterns) > _HEADERS:
            self.refuse("headers", "many", str(_HEADERS))
            return ()
        for spelled in sorted(patterns):
            name, place, pattern = lowered(spelled), f"headers.{_shown(spelled)}", patterns[spelled]
            taken = steps(pattern) if isinstance(pattern, str) else "text"
            if not _HEADER.fullmatch(name):
                self.refuse(place, "header")
            elif name in headers:
                self.refuse(place, "twice")
            elif not isinstance(pattern, str) or not isinstance(taken, int):
                self.refuse(place, str(taken), pattern if isinstance(pattern, str) else "")
            else:
                headers[name] = compiled(pattern) if pattern else None
                self.cost += taken
        return tuple(sorted(headers.items(), key=lambda each: each[0]))

    def _name(self, values: Mapping[str, object]) -> str:
        name = values.get("name", "")
        wrong = (
            "missing" if "name" not in values
            else "text" if not isinstance(name, str)
            else "empty" if name == "" or name.startswith(" ") or name.endswith(" ")
            else "unseen" if _UNSEEN.search(name)
            else "long" if len(name) > _NAME
            else ""
        )  # fmt: skip
        if wrong:
            self.refuse("name", wrong, str(name) if wrong == "long" else "")
        return str(name)

    def _about(self, values: Mapping[str, object]) -> str:
        about = values.get("about", "")
        if "about" not in values:
            return ""
        if not isinstance(about, str) or len(about) > _ABOUT or not _PAGE.fullmatch(about):
            self.refuse("about", "address of a page", about if isinstance(about, str) else "")
        return str(about)

    def _choice(self, place: str, values: Mapping[str, object], choices: Sequence[str | int]) -> str | int:
        value = values.get(place)
        if value in choices and not isinstance(value, bool):
            return choices[choices.index(cast("str | int", value))]
        if place not in values:
            self.refuse(place, "missing")
        else:
            self.refuse(place, "choice", value if isinstance(value, str) else "")
        return choices[0]

    def _flag(self, place: str, values: Mapping[str, object]) -> bool:
        value = values.get(place, False)
        if not isinstance(value, bool):
            self.refuse(place, "true or false")
        return value is True

    def _texts(self, place: str, values: Mapping[str, object], most: int) -> list[str]:
        value = values.get(place, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in cast("list[object]", value)):
            self.refuse(place, "texts")
            return []
        texts = cast("list[str]", value)
        if len(texts) > most:
            self.refuse(place, "many", str(most))
            return []
        return texts

    def _networks(self, values: Mapping[str, object]) -> tuple[tuple[str, Network], ...]:
        networks: list[tuple[str, Network]] = []
        for each in self._texts("cidrs", values, _CIDRS):
            found = network(each)
            if isinstance(found, str):
                self.refuse("cidrs", found, each)
            elif found.prefixlen < _WIDEST[found.version]:
                self.refuse("cidrs", "wide", each)
            else:
                networks.append((each, found))
        return tuple(networks)

    def _hosts(self, place: str, values: Mapping[str, object]) -> tuple[str, ...]:
        hosts = self._texts(place, values, _NAMES)
        for each in hosts:
            if len(each) > _HOST_LENGTH or not _HOST.fullmatch(each):
                self.refuse(place, "host", each)
        return tuple(hosts)


def lowered(name: str) -> str:
    """With its ASCII letters in lower case, and no others changed."""
    return re.sub("[A-Z]+", lambda each: each[0].lower(), name)


def _shown(text: str) -> str:
    """A piece of a rule as it is shown where it is refused: on one line, and not for ever."""
    return _ODD.sub("\ufffd", text[:_NAME])
