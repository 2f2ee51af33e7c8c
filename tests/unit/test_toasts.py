"""What an address says was done is a known word and ids, or nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.web.place import Place
from steelyard.web.toasts import Done, done_of, told

KNOWN = frozenset({"removed", "rotation-off"})


@given(st.sampled_from(sorted(KNOWN)), st.lists(st.integers(0, 2**63 - 1), max_size=4))
def test_what_was_done_comes_back(what: str, ids: list[int]) -> None:
    done = Done(what, tuple(ids))
    assert done_of({"done": done.code}, KNOWN) == done
    assert told(Place("N", "eu", "eu1.n"), "/people", done).headers["location"].endswith(f"&done={done.code}")


@given(st.text())
def test_nothing_else_is_told(code: str) -> None:
    done = done_of({"done": code}, KNOWN)
    assert done is None or (done.what in KNOWN and done.code.rstrip("0123456789.") in KNOWN)


@pytest.mark.parametrize("code", ["", "removed.x", "removed.", "gone.1", "removed.1.2.3.4.5", "removed.٣", "Removed"])
def test_odd_codes_are_nothing(code: str) -> None:
    assert done_of({"done": code}, KNOWN) is None
