"""Any value of a view model's type, and what every page is checked for when it is drawn."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from random import Random
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from steelyard.main.ground import ROOMS
from steelyard.people.permissions import Permission
from steelyard.web.forms import Filled, Form
from steelyard.web.language import LANGUAGES
from steelyard.web.pages import Pages, Shell
from steelyard.web.place import Place
from steelyard.web.said import N_, Millis, Said, Size
from steelyard.web.static import read_static
from steelyard.web.tables import Shown, Table
from steelyard.web.viewer import ZONES, Preferences, Viewer

HOSTILE = "<b onclick=1>'\"&{{1}}%(x)s"
PAGES = Pages(read_static(), ROOMS)
SEEDS = range(25)

T = TypeVar("T")


def some(kind: type[T], random: Random) -> T:
    """Any value of a view model's type, the empty and the hostile ones often."""
    return _some(kind, random)


def _some(kind: Any, random: Random) -> Any:
    kind = getattr(kind, "__supertype__", kind)
    if kind is Said:
        return Said(N_("%(hostile)s"), {"hostile": random.choice([HOSTILE, 17, Size(10**8), Millis(351)])})
    if kind is Any or kind is object:
        return random.choice([HOSTILE, "", 17, True, None, Size(1500)])
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        if NoneType in inner and random.random() < 0.4:
            return None
        return _some(next(each for each in inner if each is not NoneType), random)
    if origin is Literal:
        return random.choice(inner)
    if origin is tuple and inner[-1] is not Ellipsis:
        return tuple(_some(each, random) for each in inner)
    if origin is list:
        return [_some(inner[0], random) for _ in range(random.choice([0, 1, 3]))]
    if is_dataclass(kind):
        return kind(**{each: _some(of, random) for each, of in get_type_hints(kind).items()})
    if origin is tuple:
        return tuple(_some(inner[0], random) for _ in range(random.choice([0, 1, 3])))
    if origin is frozenset:
        return frozenset(_some(inner[0], random) for _ in range(random.choice([0, 1, 3])))
    if origin is not None and issubclass(origin, Mapping):
        return {} if random.random() < 0.5 else {"en": _some(str, random), "fr": _some(str, random)}
    if issubclass(kind, Enum):
        return random.choice(list(kind))
    if hasattr(kind, "_fields"):
        made = kind(**{name: _some(each, random) for name, each in get_type_hints(kind).items()})
        if {"runner_up", "runner_up_load"} <= set(kind._fields) and None in (made.runner_up, made.runner_up_load):
            return made._replace(runner_up=None, runner_up_load=None)
        return made
    return {
        str: random.choice([HOSTILE, "", "Ana", "x" * 300]),
        int: random.choice([0, 1, 2, 17, 10**9]),
        float: random.choice([0.5, 1.0, 12.25]),
        bool: random.random() < 0.5,
        datetime: datetime(2026, 11, 22, tzinfo=UTC) + timedelta(seconds=random.randrange(10**7)),
    }[kind]


def a_viewer(random: Random) -> Viewer:
    may = frozenset(each for each in Permission if random.random() < 0.7)
    places = tuple(some(Place, random) for _ in range(random.randrange(3)))
    preferences = Preferences(zone=random.choice(ZONES), single_keys=random.random() < 0.5)
    zone = random.choice(["Europe/Paris", "America/Sao_Paulo", HOSTILE])
    here = some(Place, random) if random.random() < 0.5 else None
    return Viewer(some(str, random), may, preferences, here, places, zone, signed_in=random.random() < 0.5)


def a_shell(random: Random) -> Shell:
    path = random.choice(["/desk", "/decisions", "/decisions/3", "/search"])
    theme, language = random.choice(["system", "light", "dark"]), random.choice(list(LANGUAGES))
    query = {HOSTILE: HOSTILE, "q": HOSTILE}
    return Shell(path, query, language, theme, some(Place, random), a_viewer(random), bare=random.random() < 0.2)


def a_table(table: Table[Any], kind: Any, random: Random) -> Shown[Any]:
    rows = [some(kind, random) for _ in range(random.choice([0, 1, 4]))]
    asked = random.choice([{}, {"sort": "-nothing", HOSTILE: HOSTILE}, {"page": HOSTILE}, {"page": "7"}])
    return table.of_page(rows, table.read(asked), random.choice([len(rows), 20_000]))


def a_form(form: Form, random: Random) -> Filled:
    """Empty, loaded, refused or stale: with hostile texts wherever one can be typed."""
    texts = {each.name: some(str, random) for each in form.fields}
    state = random.choice(["empty", "loaded", "refused", "stale"])
    if state in ("empty", "loaded"):
        return form.empty(texts) if state == "empty" else form.loaded(texts)
    carried = [("loaded", "yes"), *((f"was.{name}", text) for name, text in texts.items())]
    filled = form.read([*carried, *((name, some(str, random)) for name in texts)])
    return filled.against({name: (some(str, random),) for name in texts}) if state == "stale" else filled


def check(draw: Callable[[str], str]) -> None:
    for language in LANGUAGES:
        page = draw(language)
        assert "<b onclick" not in page
        tags = " ".join(re.findall(r"<[a-zA-Z][^<>]*>", re.sub(r"\"[^\"]*\"|'[^']*'", "''", page)))
        found = re.findall(r"\s(?:style|on[a-z]+|hx-on[^=]*)=", tags)
        assert found == []
        assert "javascript:" not in page
