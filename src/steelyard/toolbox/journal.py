"""The journal of a run: what of its plan is done, and what is left to do. Pure.

A step’s intent is committed before it is begun and its receipt after it. One with an intent and no receipt may have
been done: after a kill it is asked for, or done again.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NamedTuple, cast

from steelyard.toolbox.model import Action, Check, Json, Plan, Step, decode, encode
from steelyard.web.said import Said

Phase = Literal["do", "check", "undo"]
Outcome = Literal["", "done", "found", "failed", "left_out"]

MOST_RESULT: Final = 4_000
"""Characters of JSON that the journal keeps of what a step answered."""
MOST_REPORT: Final = 256_000
MOST_LINE: Final = 2_000
MOST_LINES: Final = 5_000
"""Lines that are kept of a run."""

_PACKED: Final = "$packed"
_HIDDEN: Final = "•••"
_SHORTEST_SECRET: Final = 4
"""Shorter ones would hide half of every text."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the journal: something to do, or to check, with what became of it so far."""

    number: int
    phase: Phase
    name: str
    title: Said
    says: Said
    seconds: float
    actions: tuple[Action, ...] = ()
    probe: Action | None = None
    touches: bool = False
    always: bool = False
    check: Check | None = None
    begun: bool = False
    outcome: Outcome = ""

    @property
    def unknown(self) -> bool:
        """Whether it may have been done: somebody began it, and nobody saw it end."""
        return self.begun and not self.outcome

    @property
    def work(self) -> Json:
        """What it does, as its row keeps it."""
        if self.check is not None:
            check = self.check
            action, expects = packed(encode(check.action)), packed(encode(check.expects))
            return {"action": action, "expects": expects, "tries": check.tries}
        return {
            "actions": packed(encode(self.actions)),
            "probe": packed(encode(self.probe)),
            "touches": self.touches,
            "always": self.always,
        }


def packed(value: Json) -> Json:
    """JSON as a table can hold it: names of files may have bytes that are no text. `unpacked` is its inverse."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        holds = False
    else:
        holds = "\\u0000" not in text
    return value if holds else {_PACKED: base64.b64encode(json.dumps(value).encode()).decode()}


def unpacked(value: Json) -> Json:
    """What `packed` was given."""
    match value:
        case {"$packed": str(text)}:
            return json.loads(base64.b64decode(text))
        case _:
            return value


def entries_of(plan: Plan, phase: Literal["do", "undo"], first: int = 0) -> list[Entry]:
    """The rows of a plan's steps and then of its checks, numbered from `first`. A plan's checks in the phase `undo`
    belong to it; otherwise they are a phase of their own."""
    entries = [_of_step(step, phase, number) for number, step in enumerate(plan.steps, first)]
    proving: Phase = "check" if phase == "do" else "undo"
    first += len(entries)
    return entries + [_of_check(check, proving, number) for number, check in enumerate(plan.checks, first)]


def _of_step(step: Step, phase: Phase, number: int) -> Entry:
    return Entry(
        number,
        phase,
        step.name,
        step.title,
        step.says,
        step.seconds,
        step.actions,
        step.probe,
        step.touches,
        step.always,
    )


def _of_check(check: Check, phase: Phase, number: int) -> Entry:
    return Entry(number, phase, f"check_{number}", check.says, check.says, 0.1, check=check)


def entry(row: Mapping[str, Any]) -> Entry:
    """A row of the table `run_step`."""
    work = cast("dict[str, Json]", row["work"])
    check = None
    if "expects" in work:
        action, expects = decode(unpacked(work["action"])), decode(unpacked(work["expects"]))
        check = Check(decode(row["says"]), action, expects, work["tries"])
    return Entry(
        row["step"],
        row["phase"],
        row["name"],
        decode(row["title"]),
        decode(row["says"]),
        row["expected_ms"] / 1000,
        tuple(decode(unpacked(work.get("actions", [])))),
        decode(unpacked(work.get("probe"))),
        bool(work.get("touches")),
        bool(work.get("always")),
        check,
        row["intent_at"] is not None,
        row["outcome"],
    )


def rest(entries: Iterable[Entry], phases: Sequence[Phase]) -> list[Entry]:
    """What of these phases is left to do, in order: all that has no receipt of success."""
    return [each for each in entries if each.phase in phases and each.outcome not in ("done", "found", "left_out")]


def begun(entries: Iterable[Entry]) -> bool:
    """Whether anything was begun that is more than a check: then something may be on the host."""
    return any(each.begun and each.phase == "do" for each in entries)


def put_back_begun(entries: Iterable[Entry]) -> bool:
    """Whether putting it back was begun: then going forward again is no way any more."""
    return any(each.begun and each.phase == "undo" for each in entries)


def with_cut_off(plan: Plan, entries: Iterable[Entry]) -> Plan:
    """The plan of a way back, with what earlier ones that did not end had still to do, and this does not name.

    What it reads cannot tell: that files are back is seen, that nobody had PHP forget the others is not. They are done
    in the order of the way back that they are of.
    """
    last = {each.name: each for each in entries if each.phase == "undo"}
    places = {name: place for place, name in enumerate(last)}
    open_ = [each for each in last.values() if each.outcome in ("", "failed")]
    named = {step.name for step in plan.steps}
    first = min((places[name] for name in named if name in places), default=len(places))
    before, after = (
        tuple(
            Step(each.name, each.title, each.says, each.actions, each.seconds, each.touches, each.probe, each.always)
            for each in open_
            if each.check is None and each.name not in named and (places[each.name] < first) is earlier
        )
        for earlier in (True, False)
    )
    checks = plan.checks or tuple(each.check for each in open_ if each.check is not None)
    return replace(plan, steps=(*before, *plan.steps, *after), checks=checks)


def left_to_let_go(entries: Iterable[Entry]) -> list[Entry]:
    """What is done even where a run is called off, such as letting go of maintenance."""
    return [each for each in rest(entries, ("do",)) if each.always]


def agrees(expects: Mapping[str, Json], answer: Json) -> bool:
    """Whether an answer holds what a check expects; see Check."""
    if not isinstance(answer, Mapping):
        return not expects
    found = cast("Mapping[str, Json]", answer)
    return all(name in found and _agrees(wanted, found[name]) for name, wanted in expects.items())


def _agrees(wanted: Json, found: Json) -> bool:
    if isinstance(wanted, list | tuple):
        return any(_agrees(each, found) for each in cast("Sequence[Json]", wanted)) or wanted == found
    if isinstance(wanted, str) and wanted.startswith("~"):
        return wanted[1:] in (found if isinstance(found, str) else json.dumps(found, ensure_ascii=False))
    if isinstance(wanted, Mapping):
        return agrees(cast("Mapping[str, Json]", wanted), found)
    return wanted == found and isinstance(wanted, bool) == isinstance(found, bool)


class Answer(NamedTuple):
    """What a step answered, as it is kept."""

    result: Json
    report: Json = None
    """What a runbook found, where that is what it is for."""


class Scrub:
    """Takes what is known to be secret, and what a table cannot hold, out of what a host said."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # The longest first: one may be a part of another.
        self._secrets = sorted({each for each in secrets if len(each) >= _SHORTEST_SECRET}, key=len, reverse=True)

    def text(self, said: str, most: int = MOST_LINE) -> str:
        """A text, cut to `most` characters."""
        for secret in self._secrets:
            said = said.replace(secret, _HIDDEN)
        said = said.replace("\0", "�").encode("utf-8", "replace").decode()
        return said if len(said) <= most else said[: most - 1] + "…"

    def json(self, value: Json, most: int = MOST_LINE) -> Json:
        """A value of JSON, each text in it cut to `most` characters."""
        match value:
            case str():
                return self.text(value, most)
            case bool() | int() | None:
                return value
            case float():
                return value if value == value and abs(value) != float("inf") else None
            case Mapping():
                items = cast("Mapping[Any, Json]", value).items()
                return {self.text(str(name), 200): self.json(each, most) for name, each in items}
            case list() | tuple():
                return [self.json(each, most) for each in cast("Sequence[Json]", value)]
            case _:
                return self.text(str(value), most)

    def answer(self, value: Json) -> Answer:
        """What a step answered: its result shortened, and the report in it where there is one."""
        report = None
        if isinstance(value, Mapping) and "report" in value:
            known = cast("Mapping[str, Json]", value)
            report, value = known["report"], {name: each for name, each in known.items() if name != "report"}
        elif isinstance(value, list):
            parts = [self.answer(each) for each in cast("list[Json]", value)]
            report = next((part.report for part in parts if part.report is not None), None)
            value = [part.result for part in parts]
        return Answer(shortened(self.json(value)), None if report is None else self._report(report))

    def _report(self, report: Json) -> Json:
        for most in (20_000, 2_000, 200):
            kept = self.json(report, most)
            if len(json.dumps(kept)) <= MOST_REPORT:
                return kept
        return {"too_long": len(json.dumps(report))}


def shortened(value: Json, most: int = MOST_RESULT) -> Json:
    """`value` as it is where its JSON has at most `most` characters, else with shorter texts and lists."""
    for texts, items in ((1000, 50), (200, 20), (60, 5)):
        if len(json.dumps(value)) <= most:
            return value
        value = _cut(value, texts, items)
    return value if len(json.dumps(value)) <= most else {"too_long": len(json.dumps(value))}


def _cut(value: Json, texts: int, items: int) -> Json:
    match value:
        case str():
            return value if len(value) <= texts else value[:texts] + "…"
        case list():
            known = cast("list[Json]", value)
            return [_cut(each, texts, items) for each in known[:items]] + (["…"] if len(known) > items else [])
        case dict():
            pairs = list(cast("dict[str, Json]", value).items())
            kept = {name: _cut(each, texts, items) for name, each in pairs[:items]}
            return kept if len(pairs) <= items else {**kept, "…": len(pairs) - items}
        case _:
            return value
