"""What people set by hand: the tag `weight:8`, and the note `/weight 8` or `/weight auto`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.routing.weigh import Asked, parse_weight_note, parse_weight_tag


@pytest.mark.parametrize(
    ("name", "weight"),
    [
        ("weight:8", 8),
        ("WEIGHT: 8", 8),
        (" weight : 50 ", 50),
        ("weight:051", None),
        ("weight:0", None),
        ("weight:08", 8),
        ("weight:-1", None),
        ("weight:8.5", None),
        ("weight:٨", None),
        ("weight:99999999999999999999", None),
        ("weight", None),
        ("my weight:8", None),
        ("weight:8 kg", None),
        ("", None),
    ],
)
def test_a_weight_tag(name: str, weight: int | None) -> None:
    assert parse_weight_tag(name, 50) == weight


@pytest.mark.parametrize(
    ("note", "asked"),
    [
        ("/weight 8", Asked(8)),
        ("  /WEIGHT\u00a0 8  ", Asked(8)),
        ("Looks worse than it is.\r\n/weight 8\r\nthanks", Asked(8)),
        ("/weight auto", Asked(None)),
        ("/weight Auto\n/weight 3", Asked(3)),
        ("/weight 3\n/weight auto", Asked(None)),
        ("/weight 3\n/weight 51", Asked(3)),
        ("/weight 51", None),
        ("/weight 0", None),
        ("/weight", None),
        ("/weight eight", None),
        ("/weight8", None),
        ("please /weight 8", None),
        ("/weight 8 please", None),
        ("", None),
    ],
)
def test_a_weight_note(note: str, asked: Asked | None) -> None:
    assert parse_weight_note(note, 50) == asked


@given(st.text(), st.integers(1, 1000))
def test_tags_and_notes_are_total(text: str, heaviest: int) -> None:
    for said in (text, f"/weight {text}", f"weight:{text}"):
        weight = parse_weight_tag(said, heaviest)
        assert weight is None or 1 <= weight <= heaviest
        asked = parse_weight_note(said, heaviest)
        assert asked is None or asked.weight is None or 1 <= asked.weight <= heaviest
