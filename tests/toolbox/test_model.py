"""A plan is data: it is stored and comes back as it was, and says by its digest what it would do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.toolbox.model import Action, By, Millis, Plan, Secret, Size, Step, decode, encode
from steelyard.web.said import N_, Said

TEXTS = st.text(max_size=8)
KEYS = TEXTS.filter(lambda text: not text.startswith("$"))
ATOMS = st.one_of(st.none(), st.booleans(), st.integers(), TEXTS)
SAYINGS = st.builds(Said, TEXTS.map(N_), st.dictionaries(KEYS, st.one_of(ATOMS, st.builds(Size, st.integers()))))
ARGUMENTS = st.recursive(
    st.one_of(ATOMS, st.builds(Secret, TEXTS, st.integers(8, 64)), st.builds(Millis, st.integers())),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)
ACTIONS = st.builds(Action, TEXTS, st.dictionaries(KEYS, ARGUMENTS, max_size=3), st.sampled_from(By), st.just(5.0))


@given(st.one_of(ACTIONS, SAYINGS, ARGUMENTS))
def test_what_is_stored_comes_back(value: Any) -> None:
    assert decode(json.loads(json.dumps(encode(value)))) == value


def test_what_a_host_answered_cannot_pass_for_a_secret_or_an_action() -> None:
    for forged in ({"$secret": "password", "length": 8}, {"$do": "run", "args": {}}):
        with pytest.raises(TypeError, match="begins with"):
            encode(Action("files.write", {"data": forged}))


def plan(argument: object, says: str) -> Plan:
    return Plan((Step("one", Said(N_("One")), Said(N_(says)), (Action("run", {"argv": [argument]}),)),))


def test_the_digest_is_of_what_is_done_and_not_of_words() -> None:
    assert plan("a", "12 tables").digest() == plan("a", "13 tables").digest() != plan("b", "12 tables").digest()
