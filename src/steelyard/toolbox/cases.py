"""Cases of a runbook: facts, and the exact commands that follow from them. No host is needed. Pure.

    {"asked": {"site": {...}, "values": {...}, "token": "0a1b2c3d", "now": "2026-11-22T12:00:00Z"},
     "facts": {...}, "plan": {"steps": [...], "checks": [...], "keeps": {...}}}

Instead of `plan` there may be `refused`, the code of a refusal, or `nothing`: true. With `left` instead of `asked` the
case is of the undo, and says `undo` instead of `plan`. What is not given (a site, values, a token, a time) is as below.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from difflib import unified_diff
from typing import Any, Final, NamedTuple, cast

from steelyard.kit.errors import RunbookError
from steelyard.toolbox.model import Action, Host, HostId, Json, Plan, Refused, Site, SiteId, Token, encode
from steelyard.toolbox.parameters import default_of
from steelyard.toolbox.runbook import Asked, Defaults, Left, Runbook
from steelyard.toolbox.tools import script

SITE: Final[Mapping[str, Json]] = {
    "name": "shop.example",
    "url": "https://shop.example",
    "docroot": "/srv/shop/htdocs",
    "account": "shop",
    "group": "",
    "hints": {},
}
HOST: Final = Host(HostId(4), "web-4", "192.0.2.4", 22, "steelyard")
TOKEN: Final = "0a1b2c3d"  # noqa: S105 - it names a run, and opens nothing
NOW: Final = "2026-11-22T12:00:00+00:00"
EXPECTED: Final = ("plan", "undo", "refused", "nothing")
"""What a case can say of its outcome."""
_EXPECTS_NOTHING: Final = "it expects nothing yet: with --write it is given what the runbook says now, for you to read"


class Judged(NamedTuple):
    """A case and what is wrong with it: nothing, where its plan is the expected one."""

    name: str
    differences: tuple[str, ...]
    answer: Mapping[str, Json]
    """What the runbook says now, as a case would have it."""


def read_case(name: str, text: str) -> Mapping[str, Json]:
    """A case from its file. Raises RunbookError."""
    try:
        case: Any = json.loads(text)
    except ValueError as error:
        raise RunbookError(f"the case {name} is no JSON: {error}") from None
    if not isinstance(case, dict) or not ({"asked", "left"} & case.keys()):
        raise RunbookError(f"the case {name} says neither `asked` nor `left`: see docs/how-to/add-a-runbook.md")
    return cast("Mapping[str, Json]", case)


def judge(runbook: Runbook, name: str, case: Mapping[str, Json]) -> Judged:
    """What `runbook` says to the case, beside what the case expects. Raises RunbookError where it cannot be asked."""
    try:
        answer = _answer(runbook, case)
    except RunbookError:
        raise
    except Exception as error:
        raise RunbookError(f"{runbook.name} fails on the case {name}: {type(error).__name__}: {error}") from error
    expected = {key: value for key, value in case.items() if key in EXPECTED}
    if not expected:
        return Judged(name, (_EXPECTS_NOTHING,), answer)
    for key in ("plan", "undo"):
        if isinstance(expected.get(key), dict) and isinstance(answer.get(key), dict):
            # Of a plan, only what the case says is compared.
            answer = {**answer, key: {part: answer[key].get(part) for part in expected[key]}}
    return Judged(name, tuple(_difference(expected, answer)), answer)


def _answer(runbook: Runbook, case: Mapping[str, Json]) -> Mapping[str, Json]:
    word = "plan" if "asked" in case else "undo"
    facts = case.get("facts", {})
    try:
        plan = runbook.plan(asked_of(runbook, case["asked"]), facts) if word == "plan" else _undo(runbook, case, facts)
    except Refused as refused:
        return {"refused": refused.code}
    if plan.nothing is not None:
        return {"nothing": True}
    return {word: written(plan)}


def _undo(runbook: Runbook, case: Mapping[str, Json], facts: Mapping[str, Json]) -> Plan:
    if runbook.undo is None:
        raise RunbookError(f"{runbook.name} has no undo, and a case of one")
    left = case["left"]
    asked = asked_of(runbook, left)
    return runbook.undo(Left(asked.site, asked.values, asked.token, asked.now, left.get("keeps", {})), facts)


def asked_of(runbook: Runbook, given: Mapping[str, Json]) -> Asked:
    """What a case asks for, with what it does not say filled in."""
    site = {**SITE, **given.get("site", {})}
    if unknown := given.get("values", {}).keys() - {each.name for each in runbook.parameters}:
        raise RunbookError(
            f"a case of {runbook.name} chooses {', '.join(sorted(unknown))}, which is no parameter of it"
        )
    values = {each.name: default_of(each) for each in runbook.parameters} | dict(given.get("values", {}))
    return Asked(
        Site(
            SiteId(7), site["name"], site["url"], site["docroot"], site["account"], HOST, site["group"], site["hints"]
        ),
        values,
        Token(given.get("token", TOKEN)),
        datetime.fromisoformat(given.get("now", NOW).replace("Z", "+00:00")).astimezone(UTC),
        Defaults(**given.get("defaults", {})),
        given.get("slots", {}),
    )


def written(plan: Plan) -> Mapping[str, Json]:
    """A plan as cases have it: its actions, without words."""
    steps: list[Json] = []
    for step in plan.steps:
        more = {"probe": _legible(step.probe)} if step.probe is not None else {}
        steps.append({"name": step.name, "actions": [_legible(each) for each in step.actions], **more})
    checks = [{"action": _legible(check.action), "expects": encode(check.expects)} for check in plan.checks]
    return {"steps": steps, "checks": checks, "keeps": encode(plan.keeps)}


def _legible(action: Action) -> Json:
    """An action with the files of a script by their names alone: what is in them is not for a case to say again."""
    if action.verb != script.RUN:
        return encode(action)
    return encode(replace(action, args={**action.args, "files": sorted(action.args["files"])}))


def _difference(expected: Mapping[str, Json], answer: Mapping[str, Json]) -> list[str]:
    before, after = (json.dumps(each, indent=1, sort_keys=True, ensure_ascii=False) for each in (expected, answer))
    if before == after:
        return []
    lines = unified_diff(before.splitlines(), after.splitlines(), "the case", "the runbook", lineterm="", n=2)
    return list(lines)
