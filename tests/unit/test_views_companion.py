"""The pages of the companion draw whatever their types allow."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from drawing import HOSTILE, PAGES, SEEDS, a_form, a_shell, check, some

from steelyard.companion.connecting import Browser
from steelyard.companion.domains import Domain, State
from steelyard.companion.pages import _DOMAIN
from steelyard.companion.rules_pages import RULES
from steelyard.companion.rules_store import Version
from steelyard.companion.rules_text import Problem
from steelyard.companion.rules_view import DOUBTS, SIGNS, STATES, SURENESS, Preview
from steelyard.web.static import COMPANION
from steelyard.web.toasts import Undo

ANY_SURENESS = {number: SURENESS[1 + number % 3] for number in (0, 1, 2, 17, 10**9)}
WORDS = {"states": STATES, "signs": SIGNS, "sureness": ANY_SURENESS, "doubts": DOUBTS}
DONE = ("revoked", *(f"known_{each.value}" for each in State), *(each.value for each in State))


def draw(template: str, random: Random, **context: Any) -> None:
    shell = a_shell(random)
    check(lambda language: PAGES.draw(template, language, shell=shell, **context))


def several(kind: type[Any], random: Random) -> list[Any]:
    return [some(kind, random) for _ in range(random.choice([0, 1, 3]))]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_companion(seed: int) -> None:
    random = Random(seed)
    undo = some(Undo, random) if seed % 2 else None
    done = {"what": random.choice(DONE), "name": HOSTILE, "undo": undo} if seed % 3 else None
    of_state = {state.value: [each._replace(state=state) for each in several(Domain, random)] for state in State}
    draw(
        "companion/companion.html",
        random,
        form=a_form(_DOMAIN, random),
        refused=HOSTILE if seed % 4 == 0 else None,
        package=COMPANION,
        connects=seed % 2 == 0,
        states=State,
        done=done,
        browsers=several(Browser, random),
        version=random.choice([None, 1, 12_345]),
        count=random.choice([0, 1, 200]),
        anybodys=seed % 3 == 0,
        **of_state,
    )
    draw("companion/link.html", random, link=HOSTILE)
    draw("companion/connect.html", random, package=COMPANION)


@pytest.mark.parametrize("seed", SEEDS)
def test_host_rules(seed: int) -> None:
    random = Random(seed)
    versions = several(Version, random)
    done = {"version": versions[0], "undo": some(Undo, random) if seed % 2 else None} if versions else None
    draw(
        "companion/rules.html",
        random,
        form=a_form(RULES, random),
        problems=tuple(several(Problem, random)),
        preview=some(Preview, random) if seed % 2 else None,
        overtaken=seed % 3 == 0,
        versions=versions,
        now=versions[0] if versions else None,
        count=36,
        built_in=36,
        done=done,
        words=WORDS,
    )
