"""Forms keep what was typed, say what is wrong with it, and lose nothing that somebody else stored meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.web.forms import Field, Filled, Form, Wrong, difference
from steelyard.web.tables import Choice

ROLES = (Choice("lead", "Lead"), Choice("author", "Author"), Choice("operator", "Operator"))


def even(text: str) -> int:
    if not text.isdigit() or int(text) % 2:
        raise Wrong("“%(text)s” is not even.", text=text)
    return int(text)


FORM = Form(
    (
        Field("name", "Name", most=30),
        Field("note", "Note", "lines", required=False),
        Field("days", "Days", "number", least=1, most=90),
        Field("roles", "Roles", "choices", choices=ROLES),
        Field("quiet", "Quiet", "switch"),
        Field("zone", "Zone", "choice", choices=(Choice("utc", "UTC"), Choice("own", "Own"))),
        Field("from", "From", "time", required=False),
        Field("secret", "Password", "password", required=False),
    )
)

stored = st.fixed_dictionaries(
    {
        "name": st.text("abc ä\"<'", min_size=1, max_size=8).filter(lambda text: text.strip() == text),
        "note": st.text("ab\n ", max_size=8).map(str.strip),
        "days": st.integers(1, 90),
        "roles": st.sets(st.sampled_from(["lead", "author", "operator"]), min_size=1).map(
            lambda found: tuple(each.value for each in ROLES if each.value in found)
        ),
        "quiet": st.booleans(),
        "zone": st.sampled_from(["utc", "own"]),
        "from": st.sampled_from([time(8, 30), time(22, 0)]),
    }
)


def sent(filled: Filled, picks: str = "") -> list[tuple[str, str]]:
    """What a browser sends of a form as it is drawn."""
    return list(_pairs(filled, picks))


def _pairs(filled: Filled, picks: str) -> Iterator[tuple[str, str]]:
    if any(each.was is not None for each in filled.inputs):
        yield "loaded", "yes"
    for input in filled.inputs:
        name = input.field.name
        yield from ((f"was.{name}", text) for text in input.was or ())
        if input.theirs is not None:
            yield f"pick.{name}", picks or input.picked
        if not input.field.is_secret:
            single = input.field.kind not in ("choices", "switch")
            yield from ((name, text.replace("\n", "\r\n")) for text in input.texts or (("",) if single else ()))


def with_values(filled: Filled, values: dict[str, Any]) -> Filled:
    """The form with other values typed into it."""
    texts = FORM.texts(values)
    return filled._replace(
        inputs=tuple(each._replace(texts=texts.get(each.field.name, ("",))) for each in filled.inputs)
    )


def plain(values: dict[str, Any]) -> dict[str, Any]:
    return values | {"from": values["from"].strftime("%H:%M"), "secret": ""}


@given(stored)
def test_what_is_drawn_and_sent_again_is_what_is_stored(values: dict[str, Any]) -> None:
    filled = FORM.read(sent(FORM.loaded(values))).against(FORM.texts(values))
    assert (filled.status, filled.errors, filled.values) == (200, (), plain(values))


@given(stored, stored)
def test_what_nobody_else_changed_is_taken(before: dict[str, Any], mine: dict[str, Any]) -> None:
    filled = FORM.read(sent(with_values(FORM.loaded(before), mine))).against(FORM.texts(before))
    assert (filled.ok, filled.values) == (True, plain(mine))


@given(stored, stored, stored, st.sampled_from(["mine", "theirs", ""]))
def test_a_stale_edit_shows_both_and_takes_what_is_picked(
    before: dict[str, Any], mine: dict[str, Any], theirs: dict[str, Any], picks: str
) -> None:
    typed = with_values(FORM.loaded(before), mine)
    filled = FORM.read(sent(typed)).against(FORM.texts(theirs))
    differing = {name for name in theirs if before[name] != theirs[name] != mine[name]}
    assert {each.field.name for each in filled.stale} == differing
    assert filled.status == (409 if differing else 200)
    for input in filled.inputs:  # nothing typed is lost, and what is stored stands beside it
        name = input.field.name
        if name != "secret":
            assert input.texts == FORM.texts(mine)[name]
            assert name not in differing or input.theirs == FORM.texts(theirs)[name]
    again = FORM.read(sent(filled, picks)).against(FORM.texts(theirs))
    assert again.ok, "the second time it is known what is stored"
    for name in theirs:
        untouched = mine[name] == before[name]
        pick = picks or ("theirs" if untouched else "mine")
        chosen = theirs if name in differing and pick == "theirs" else mine
        assert again.values[name] == plain(chosen)[name]


@given(st.lists(st.tuples(st.sampled_from(["name", "days", "roles", "was.days", "loaded", "quiet", "x"]), st.text())))
def test_whatever_is_sent_is_kept_or_refused(pairs: list[tuple[str, str]]) -> None:
    filled = FORM.read(pairs)
    assert filled.ok or filled.status == 422
    kept = dict(reversed([pair for pair in pairs if pair[0] == "name"]))
    if kept:
        assert filled.input("name").text == kept["name"].replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        (Field("x", "X"), "  ", "is missing"),
        (Field("x", "X"), "a\0b", "cannot be seen"),
        (Field("x", "X"), "a\u202eb", "cannot be seen"),
        (Field("x", "X", most=3), "abcd", "characters"),
        (Field("x", "X", least=3), "ab", "characters"),
        (Field("x", "X", "number", least=1, most=13), "80", "whole number from"),
        (Field("x", "X", "number"), "1e3", "whole number from"),
        (Field("x", "X", "number"), "٣", "whole number from"),
        (Field("x", "X", "email"), "nobody", "no e-mail address"),
        (Field("x", "X", "time"), "25:00", "no time of day"),
        (Field("x", "X", "choice", choices=ROLES), "god", "choose one"),
        (Field("x", "X", "choices", choices=ROLES), "god", "choose from"),
        (Field("x", "X", read=even), "3", "not even"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(field: Field, text: str, said: str) -> None:
    filled = Form((field,)).read([("x", text)])
    [input] = filled.errors
    assert input.error is not None
    assert said in input.error.message
    assert (filled.status, filled.refused, filled.values, input.text) == (422, True, {}, text)


def test_only_the_database_knows_some_of_it() -> None:
    filled = Form((Field("x", "X"),)).read([("x", "taken")]).wrong("x", "“%(text)s” is here already.", text="taken")
    assert (filled.ok, filled.status, filled.input("x").text) == (False, 422, "taken")


@given(st.text("ab \n", max_size=30), st.text("ab \n", max_size=30))
def test_a_difference_holds_both_texts(theirs: str, mine: str) -> None:
    parts = difference(theirs, mine)
    assert "".join(part.text for part in parts if part.of != "mine") == theirs
    assert "".join(part.text for part in parts if part.of != "theirs") == mine
    assert (theirs == mine) == all(part.of == "both" for part in parts)
