"""Reading answers of any JSON: a typed value, or an AnswerError that names the place. Nothing else."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.adapters.intercom import answers
from steelyard.adapters.intercom.answers import Answer
from steelyard.adapters.intercom.errors import AnswerError, IntercomError

KEYS = st.sampled_from(
    ["id", "name", "email", "app", "id_code", "region", "away_mode_enabled", "has_inbox_seat", "team_ids", "errors"]
) | st.sampled_from(["conversations", "pages", "next", "starting_after", "code", "field", "request_id", "data_type"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.integers(0, 99).map(str)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(), inner), max_leaves=30
)
READERS: list[Callable[[Answer], tuple[object, ...]]] = [
    answers.admin,
    answers.me,
    answers.team,
    answers.tag,
    answers.attribute,
    lambda answer: answers.page(answer, "conversations"),
]
ADMIN = {"id": "7", "name": "Ada", "away_mode_enabled": False, "has_inbox_seat": True, "team_ids": [5, "6"]}


def _value_or_error(read: Callable[[], object]) -> object:
    try:
        return read()
    except AnswerError as error:
        return error


@given(st.sampled_from(READERS), JSON | st.dictionaries(KEYS, JSON))
def test_any_json_is_a_value_or_an_error_that_names_its_place(
    read: Callable[[Answer], tuple[object, ...]], value: object
):
    result = _value_or_error(lambda: read(Answer("admins", value)))
    if isinstance(result, AnswerError):
        assert result.call == "admins"
        assert result.field.startswith("answer")
        return
    for name, kind in type(result).__annotations__.items():
        if kind in (str, bool):
            assert type(getattr(result, name)) is kind


@given(st.binary())
def test_any_bytes_are_json_or_an_error(content: bytes):
    assert isinstance(_value_or_error(lambda: answers.decoded("me", content)), Answer | AnswerError)


@given(st.integers(300, 599).filter(lambda status: status != 429), JSON | st.dictionaries(KEYS, JSON))
def test_any_refusal_is_an_error_of_plain_words(status: int, value: object):
    error = answers.refusal("assign", status, json.dumps(value).encode(), {})
    assert isinstance(error, IntercomError)
    assert error.status == status
    assert len(str(error)) < 700
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"id": 0}, "answer.id"),
        ({"id": None}, "answer.id"),
        ({"id": True}, "answer.id"),
        ({"away_mode_enabled": None}, "answer.away_mode_enabled"),
        ({"away_mode_enabled": "false"}, "answer.away_mode_enabled"),
        ({"has_inbox_seat": 1}, "answer.has_inbox_seat"),
        ({"team_ids": [5, "x"]}, "answer.team_ids[1]"),
        ({"name": 7}, "answer.name"),
    ],
)
def test_the_wrong_place_is_named(changed: dict[str, object], place: str):
    with pytest.raises(AnswerError) as caught:
        answers.admin(Answer("admin", ADMIN | changed))
    assert caught.value.field == place
    assert f"Wrong at {place}." in str(caught.value)


def test_ids_may_be_numbers_or_text_and_lists_may_be_missing():
    read = answers.admin(Answer("admin", ADMIN))
    assert (read.id, read.teams, read.email, read.reassign) == (7, (5, 6), "", False)
    assert answers.admin(Answer("admin", ADMIN | {"id": 7, "team_ids": None})).teams == ()


@pytest.mark.parametrize("pages", [{}, {"pages": None}, {"pages": {}}, {"pages": {"next": None}}])
def test_a_page_without_a_cursor_is_the_last(pages: dict[str, object]):
    page = answers.page(Answer("conversations", {"conversations": [{"id": "1"}]} | pages), "conversations")
    assert (page.items, page.following) == ([{"id": "1"}], None)
