"""What a host says is hostile text: it can be kept and shown, and names of files survive the way there and back."""

from __future__ import annotations

import json
import os
from typing import Any
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.toolbox.foreign import LINE, Foreign, lines, parse, received, sent, visible

NAMES = st.binary(min_size=1, max_size=40).map(
    lambda name: os.fsdecode(name.replace(b"\0", b"\x01").replace(b"/", b"_"))
)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(NAMES)
def test_a_name_of_any_bytes_comes_back_as_it_was(name: str) -> None:
    assert sent(received(name)) == name


@given(NAMES)
def test_a_received_name_can_be_stored(name: str) -> None:
    kept = received(name)
    assert kept.encode("utf-8").decode("utf-8") == kept
    assert "\0" not in kept


@given(NAMES, NAMES)
def test_two_names_stay_two(one: str, other: str) -> None:
    assert (received(one) == received(other)) == (one == other)


@given(st.text())
def test_any_text_without_private_characters_is_received_as_it_is(text: str) -> None:
    plain = "".join(each for each in text if each != "\0" and not "\uef80" <= each <= "\uefff")
    assert received(plain) == plain


@given(ANYTHING)
def test_any_json_value_is_received_in_its_shape_and_can_be_stored(value: Any) -> None:
    kept = received(value)
    json.dumps(kept, allow_nan=False, ensure_ascii=False).encode()
    assert "\\u0000" not in json.dumps(kept)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(line: bytes) -> None:
    try:
        assert isinstance(parse(line), dict)
    except Foreign:
        return


@pytest.mark.parametrize(
    "line",
    [
        b"[1]",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 5000,
        b"\xff",
    ],
)
def test_what_cannot_be_stored_is_no_message(line: bytes) -> None:
    with pytest.raises(Foreign):
        parse(line)


def test_a_nul_and_a_lone_surrogate_become_what_can_be_stored() -> None:
    assert parse(b'{"a": "x\\u0000y\\ud800z"}') == {"a": "x\u2400y\ufffdz"}


@given(st.text())
def test_a_visible_text_has_nothing_that_moves_the_cursor_or_hides(text: str) -> None:
    for each in visible(text):
        assert (
            each in "\t\n"
            or each.isprintable()
            or each in "\u3000\xa0\u2000"
            or each.isspace()
            or ord(each) > 0xE000
            or category(each) == "Cn"  # not a sign yet, in this version of Unicode
        )


def test_escape_codes_and_turned_writing_are_shown_as_what_they_are() -> None:
    assert visible("\x1b[31mred\x07") == "\u241b[31mred\u2407"
    assert visible("a\u202eb\u200bc\x9bd") == "a\\u202eb\\u200bc\\x9bd"
    assert visible(received(os.fsdecode(b"caf\xe9.php"))) == "caf\\xe9.php"
    assert visible(received("\uefe9")) == "\uefe9"


def test_a_told_text_is_lines_cut_to_a_length() -> None:
    assert lines("one\ntwo\rthree") == ["one", "two\u240dthree"]
    assert lines("x" * 10_000) == ["x" * LINE + "…"]
