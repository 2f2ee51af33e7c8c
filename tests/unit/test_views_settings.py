"""The pages of settings draw whatever their types allow."""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import Any

import pytest
from drawing import HOSTILE, PAGES, SEEDS, a_form, a_shell, a_table, check, some

from steelyard.routing import alarms
from steelyard.routing.notifications import Seen
from steelyard.routing.notifications_forms import form_in
from steelyard.routing.notifications_pages import LISTED, Row
from steelyard.routing.settings import Keep
from steelyard.routing.settings_ground import Tab
from steelyard.routing.settings_intercom import Reached
from steelyard.routing.settings_pages import KEEP, Kept, Plan, _zone_form
from steelyard.routing.settings_words import FAILURES, HOW_LONG, KEPT
from steelyard.web.toasts import Done, Undo


def draw(template: str, random: Random, **context: Any) -> None:
    shell, tabs = a_shell(random), tuple(some(Tab, random) for _ in range(random.randrange(5)))
    check(lambda language: PAGES.draw(template, language, shell=shell, tabs=tabs, **context))


@pytest.mark.parametrize("seed", SEEDS)
def test_intercom(seed: int) -> None:
    random = Random(seed)
    done = random.choice([None, "asked", "already"])
    view = some(Reached, random) if seed % 5 else None
    if view is not None and view.last is not None:  # a last one is over
        view = view._replace(last=view.last._replace(ended_at=some(datetime, random)))
    draw("routing/settings_intercom.html", random, view=view, now=some(datetime, random), done=done)


@pytest.mark.parametrize("seed", SEEDS)
def test_retention_and_zone(seed: int) -> None:
    random = Random(seed)
    plan = some(Plan, random) if seed % 2 else None
    tables = tuple(some(Kept, random)._replace(name=random.choice(list(KEPT))) for _ in range(seed % 4))
    done = random.choice([None, "kept", "back", "same", "overtaken"])
    undo = some(Undo, random) if seed % 3 else None
    told = {
        "plan": plan,
        "agreed": HOSTILE,
        "done": done,
        "undo": undo,
        "kept": KEPT,
        "tables": tables,
        "how_long": HOW_LONG,
    }
    draw("routing/settings_retention.html", random, form=a_form(KEEP, random), keep=some(Keep, random), **told)
    done = Done("zone") if seed % 2 else None
    draw("routing/settings_general.html", random, form=a_form(_zone_form(), random), zone_name=HOSTILE, done=done)


@pytest.mark.parametrize("seed", SEEDS)
def test_notifications(seed: int) -> None:
    random = Random(seed)
    undo = some(Undo, random) if seed % 3 else None
    done = Done(random.choice(["added", "changed", "removed", "back", "tested"]), (1,)) if seed % 2 else None
    told = {"done": done, "done_name": HOSTILE, "undo": undo, "sealed": seed % 3 == 0, "testing": seed % 4 == 0}
    form, shown = a_form(form_in("en", fresh=seed % 2 == 0), random), a_table(LISTED, Row, random)
    words = {"name_of": alarms.name_of, "failures": FAILURES}
    draw("routing/settings_notifications.html", random, form=form, table=shown, **words, **told)
    known = some(Row, random)
    draw("routing/settings_notification.html", random, form=form, known=known, seen=some(Seen, random))
