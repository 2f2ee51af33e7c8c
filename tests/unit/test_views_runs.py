"""The pages of runbooks and runs draw whatever their types allow."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from drawing import HOSTILE, PAGES, SEEDS, a_form, a_shell, a_table, check, some
from markupsafe import Markup

from steelyard.kit.ids import PersonId
from steelyard.people.permissions import Role
from steelyard.people.words import ROLES
from steelyard.toolbox.acting import Act, Pressing
from steelyard.toolbox.acts import RunRefused
from steelyard.toolbox.model import Risk
from steelyard.toolbox.rules_pages import RUNNERS, form_of
from steelyard.toolbox.run_view import RunView, drawn
from steelyard.toolbox.runbooks_pages import RunbookPage, Shelf
from steelyard.toolbox.runs_read import RUNS
from steelyard.toolbox.runs_seen import BatchSeen, RunListed, RunSeen
from steelyard.toolbox.scanning import words
from steelyard.toolbox.scanning.model import Severity
from steelyard.toolbox.scanning.report import Report, Shown
from steelyard.toolbox.shelf import OnShelf
from steelyard.toolbox.states import STATE_WORDS, State
from steelyard.web.forms import Field, Filled, Input
from steelyard.web.logs import LogPart
from steelyard.web.place import Place
from steelyard.web.said import Said
from steelyard.web.toasts import Done

SHOWN: dict[str, Any] = {"state_words": STATE_WORDS, "role_words": ROLES}


def draw(template: str, random: Random, **context: Any) -> None:
    shell = a_shell(random)
    check(lambda language: PAGES.draw(template, language, shell=shell, **context))


def a_refusal(random: Random) -> RunRefused | None:
    return (
        RunRefused("wrong", some(Said, random), random.choice(["", "typed", "site"])) if random.random() < 0.5 else None
    )


def a_view(random: Random, state: State | None = None) -> RunView:
    seen = some(RunSeen, random)._replace(report=random.choice([None, {"findings": 3}, {"private": {"link": HOSTILE}}]))
    seen = seen._replace(state=state or seen.state)
    steps, scale = drawn(seen.steps, seen.started_at)
    acts = frozenset(each for each in Act if random.random() < 0.6)
    pressing = some(Pressing, random)._replace(acts=acts)
    place = some(Place, random)
    report = random.choice(["", "/runs/3/findings"])
    return RunView(
        seen, HOSTILE, HOSTILE, random.choice(["", HOSTILE]), ((HOSTILE, HOSTILE), ("x", "")), steps, scale, pressing,
        7, report, place, seen.asked_at,
    )  # fmt: skip


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("seed", SEEDS[:8])
def test_a_run(seed: int, state: State) -> None:
    random = Random(f"{seed} {state}")
    view, refusal = a_view(random, state), a_refusal(random)
    macros = PAGES.macros("toolbox/run_parts.html", random.choice(["en", "fr"]))
    parts = {
        "run-head": str(macros.head(view.place, view)),
        "run-steps": str(macros.steps(view.place, view)),
        "run-side": str(macros.side(view.place, view, refusal, {"typed": HOSTILE, "why": HOSTILE})),
    }
    for each in parts.values():
        check(lambda _, each=each: each)
    lines = some(LogPart, random)
    context: dict[str, Any] = {"stream": "/runs/3/live", "frame": "abc", "log_href": "/runs/3/log"}
    draw("toolbox/run.html", random, view=view, parts=parts, lines=lines, done=random.choice(["", HOSTILE]), **context)


@pytest.mark.parametrize("seed", SEEDS)
def test_lists(seed: int) -> None:
    random = Random(seed)
    draw(
        "toolbox/runs.html",
        random,
        table=a_table(RUNS, RunListed, random),
        titles={"x": HOSTILE},
        names={PersonId(1): HOSTILE},
        **SHOWN,
    )
    groups: Any = [(HOSTILE, [some(OnShelf, random)]), (HOSTILE, [])]
    shelf = Shelf(
        groups, ((HOSTILE, HOSTILE),), seed % 3, seed % 2, seed % 2 * 300.0, {"site": "3"} if seed % 2 else {}
    )
    draw("toolbox/runbooks.html", random, view=shelf)
    batch = some(BatchSeen, random)
    acts = frozenset(each for each in Act if random.random() < 0.6)
    more = {
        "pressing": some(Pressing, random)._replace(acts=acts),
        "count_typed": seed % 2 == 0,
        "ended_runs": 1,
        "ready": seed % 3,
        "moving": seed % 2 == 1,
        "refusal": a_refusal(random),
        "given": {"typed": HOSTILE},
    }
    draw("toolbox/batch.html", random, batch=batch, who=HOSTILE, title=HOSTILE, **more, **SHOWN)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_runbook_and_the_rules(seed: int) -> None:
    random = Random(seed)
    page = RunbookPage(
        HOSTILE, HOSTILE, HOSTILE, random.choice(list(Risk)), 5, "0" * 64, Markup("<p>safe</p>"),
        ((("1", HOSTILE),) if seed % 2 else ()), frozenset({"1"}), seed % 3 == 0, random.choice(["", "77"]),
        tuple(some(RunListed, random) for _ in range(seed % 3)), ((HOSTILE, "/handbook/x"),),
    )  # fmt: skip
    inputs = tuple(Input(Field(f"p.{kind}", HOSTILE, kind, HOSTILE), (HOSTILE,), some(Said, random))
                   for kind in ("text", "number", "switch", "password"))  # fmt: skip
    form = Filled(inputs, {}, seed % 2 == 0)
    draw("toolbox/runbook.html", random, view=page, form=form, refusal=a_refusal(random), **SHOWN)
    groups = ["", HOSTILE]
    roles = [(role.value, ROLES[role]) for role in RUNNERS]
    done = Done("kept") if seed % 2 else None
    view: dict[str, Any] = {"groups": list(enumerate(groups)), "roles": roles, "risks": {}, "done": done}
    draw("toolbox/rules.html", random, form=a_form(form_of(groups), random), **view)
    assert Role.ADMINISTRATOR not in RUNNERS


@pytest.mark.parametrize("seed", SEEDS)
def test_findings(seed: int) -> None:
    random = Random(seed)
    shown = some(Shown, random)
    kinds: dict[str, Any] = {"kind": random.choice(list(words.KINDS)), "severity": random.choice(list(Severity))}
    shown = shown._replace(finding=shown.finding._replace(**kinds))
    groups = tuple((severity, (shown,)) for severity in Severity if random.random() < 0.7)
    counts = dict.fromkeys(Severity, seed % 4)
    report = some(Report, random)._replace(groups=groups, counts=counts)
    more: dict[str, Any] = {"refusal": a_refusal(random), "wanted": frozenset({"1"}) if seed % 2 else frozenset()}
    draw("toolbox/findings.html", random, view=report, title=HOSTILE, words=words, **more)
