"""Every template draws every view model that its types allow, in every language: names defined, text escaped."""

from __future__ import annotations

import asyncio
import itertools
from datetime import datetime, timedelta
from random import Random
from typing import get_args

import pytest
from drawing import HOSTILE, PAGES, SEEDS, a_shell, check, some

from steelyard.routing import alarms
from steelyard.routing.acts import REFUSALS
from steelyard.routing.acts_done import ActDone, Refusal
from steelyard.routing.aside import Aside
from steelyard.routing.conversation_page import ConversationPage
from steelyard.routing.conversations import TABLE, Crowd, Listed, State
from steelyard.routing.desk import Desk, Group, Row, Wait
from steelyard.routing.desk_parts import DeskParts
from steelyard.routing.engineer_page import EngineerPage
from steelyard.routing.entries import Compared, Entry
from steelyard.routing.health import Kind
from steelyard.routing.health_page import Health
from steelyard.routing.labels import Person
from steelyard.routing.mine import Mine
from steelyard.routing.replayed import Replay, Replayed
from steelyard.routing.shadow import Shadow
from steelyard.routing.switch_page import SwitchPage
from steelyard.routing.why import Why
from steelyard.web.charts import scale_for
from steelyard.web.fragments import FragmentLink
from steelyard.web.sse import Manner
from steelyard.web.tables import Shown


def a_desk(random: Random) -> Desk:
    """There is a mean and a heaviest exactly when somebody is available."""
    desk, ids = some(Desk, random), itertools.count(1)

    def told_apart(rows: tuple[Row, ...]) -> tuple[Row, ...]:
        return tuple(row._replace(person=row.person._replace(id=next(ids))) for row in rows)

    desk = desk._replace(**{group: told_apart(getattr(desk, group)) for group in get_args(Group)})
    mean = (desk.figures.mean or 0.0) if desk.available else None
    heaviest = desk.available[0].person if desk.available else None
    return desk._replace(
        figures=desk.figures._replace(mean=mean, heaviest=heaviest), scale=scale_for([row.end for row in desk.rows])
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_desk(seed: int) -> None:
    view, shell = a_desk(random := Random(seed)), a_shell(random)
    mine = some(Mine, random) if seed % 2 else None
    if mine is not None and mine.turn == "behind":
        mine = mine._replace(first=some(Person, random))
    addresses = {"frame": "0123", "stream": "/desk/live", "data": "/desk.json"}
    done = a_done(random) if seed % 3 else None

    def draw(language: str) -> str:
        desk, manner = DeskParts(PAGES), Manner(language)
        parts = asyncio.run(desk.draw(view, manner)) | asyncio.run(desk.own(mine, view.place, manner))
        return PAGES.draw("routing/desk.html", language, view=view, parts=parts, shell=shell, done=done, **addresses)

    check(draw)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_part_of_the_desk_that_is_the_same_is_not_drawn_again(seed: int) -> None:
    view, drawn = a_desk(Random(seed)), DeskParts(PAGES)
    first = asyncio.run(drawn.draw(view, Manner("en")))
    later = view._replace(at=view.at + timedelta(minutes=5))
    again = asyncio.run(drawn.draw(later, Manner("en")))
    same = [id for id in first if not id.endswith(("available", "resting", "away", "gone"))]
    assert all(first[id] is again[id] for id in same)
    assert first == again == asyncio.run(DeskParts(PAGES).draw(later, Manner("en")))


@pytest.mark.parametrize("seed", SEEDS)
def test_why(seed: int) -> None:
    view, shell = some(Why, random := Random(seed)), a_shell(random)
    check(lambda language: PAGES.draw("routing/why.html", language, view=view, shell=shell))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_replay(seed: int) -> None:
    view, shell = some(Replayed, random := Random(seed)), a_shell(random)
    check(lambda language: PAGES.draw("routing/replay.html", language, view=view, shell=shell))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_conversation(seed: int) -> None:
    view, shell = a_conversation(random := Random(seed)), a_shell(random)
    done, refusal = (a_done(random), None) if seed % 2 else (None, a_refusal(random))
    links = tuple(some(FragmentLink, random) for _ in range(seed % 3))
    check(
        lambda language: PAGES.draw(
            "routing/conversation.html", language, view=view, shell=shell, done=done, refusal=refusal, links=links
        )
    )
    check(lambda language: PAGES.draw("routing/acts_toast.html", language, shell=shell, done=done, refusal=refusal))
    unknown = {"number": random.randrange(10**9), "possible": seed % 2, "done": done}
    check(lambda language: PAGES.draw("routing/conversation_unknown.html", language, shell=shell, **unknown))


@pytest.mark.parametrize("seed", SEEDS)
def test_an_engineer(seed: int) -> None:
    view, shell = some(EngineerPage, random := Random(seed)), a_shell(random)
    carried = listed(random, seed)
    about = {"own": seed % 2, "done": None, "refusal": a_refusal(random) if seed % 5 == 1 else None}
    check(
        lambda language: PAGES.draw(
            "routing/acts_engineer.html", language, view=view, shell=shell, carried=carried, **about
        )
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_conversations(seed: int) -> None:
    shell = a_shell(random := Random(seed))
    at = some(datetime, random)
    table = listed(random, seed)
    check(lambda language: PAGES.draw("routing/conversations.html", language, shell=shell, table=table, at=at))


def a_done(random: Random) -> ActDone:
    """Who is taken off rotation, or put back, is known."""
    done = some(ActDone, random)
    return done if done.what == "moved" else done._replace(engineer=some(Person, random))


def a_refusal(random: Random) -> Refusal:
    return some(Refusal, random)._replace(code=random.choice([*REFUSALS, "stale", "nobody_chosen", HOSTILE]))


def a_conversation(random: Random) -> ConversationPage:
    """Who has it is known exactly where somebody does; facts are of kinds that there are."""
    view = some(ConversationPage, random)
    owned = view.state in (State.WITH, State.ON_ITS_WAY, State.SHADOW)
    events = tuple(each._replace(kind=random.choice([*KINDS, HOSTILE])) for each in view.events)
    weighing = view.weighing._replace(at=view.at)
    view = view._replace(team=view.team or some(Crowd, random))
    why = view.why or Wait.SOON
    return view._replace(owner=some(Person, random) if owned else view.owner, events=events, weighing=weighing, why=why)


KINDS = (
    *(f"conversation.{each}" for each in ("created", "assigned", "noted", "closed", "snoozed", "read", "deleted")),
    *(f"conversation.{each}" for each in ("move_asked", "moved", "move_overtaken", "move_refused", "read_asked")),
    *(f"decision.{each}" for each in ("made", "delivered", "overtaken", "failed", "compared")),
    *(f"ticket.{each}" for each in ("changed", "resolved", "engineer_replied")),
)


def listed(random: Random, seed: int) -> Shown[Listed]:
    items = [some(Listed, random) for _ in range(seed % 4)]
    asked = {} if seed % 3 else {"state": "waiting", HOSTILE: HOSTILE}
    return TABLE.of_page(items, TABLE.read(asked), len(items) * (seed % 2))


@pytest.mark.parametrize("seed", SEEDS)
def test_aside(seed: int) -> None:
    view, shell = some(Aside, random := Random(seed)), a_shell(random)
    check(lambda language: PAGES.draw("routing/aside.html", language, view=view, shell=shell))


@pytest.mark.parametrize("seed", SEEDS)
def test_shadow(seed: int) -> None:
    view, shell = some(Shadow, random := Random(seed)), a_shell(random)
    largest = tuple(each._replace(compared=some(Compared, random)) for each in view.largest)
    view = view._replace(largest=largest)
    check(lambda language: PAGES.draw("routing/shadow.html", language, view=view, shell=shell))


@pytest.mark.parametrize("seed", SEEDS)
def test_switch(seed: int) -> None:
    view, shell = some(SwitchPage, random := Random(seed)), a_shell(random)
    check(lambda language: PAGES.draw("routing/switch.html", language, view=view, shell=shell))


@pytest.mark.parametrize("seed", SEEDS)
def test_health(seed: int) -> None:
    view, shell = some(Health, random := Random(seed)), a_shell(random)
    known = [each._replace(kind=random.choice(list(Kind)).value) for each in view.open]
    view = view._replace(open=(*view.open, *known))
    check(lambda language: PAGES.draw("routing/health.html", language, view=view, shell=shell, words=alarms.words))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_other_pages(seed: int) -> None:
    shell = a_shell(random := Random(seed))
    entries = [some(Entry, random) for _ in range(seed % 4)]
    more = {"more": seed % 2 and bool(entries), "first": seed % 3}
    check(lambda language: PAGES.draw("routing/decisions.html", language, shell=shell, entries=entries, **more))
    for code in (401, 404, 500):
        check(lambda language: PAGES.draw("web/error.html", language, shell=shell, code=code, message=HOSTILE))  # noqa: B023


def test_a_replay_with_nobody_has_a_mean() -> None:
    assert Replay((), (), "", identical=True).mean == 0
