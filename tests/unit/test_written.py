"""Numbers, sizes and lengths of time as sentences of the console hold them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from steelyard.web.language import Writer
from steelyard.web.said import N_, Millis, Said, Size, term

ENGLISH, FRENCH = Writer(Locale("en")), Writer(Locale("fr"))


@pytest.mark.parametrize(
    ("count", "english", "french"),
    [
        (0, "0 B", "0 o"),
        (999, "999 B", "999 o"),
        (1500, "1.5 kB", "1,5 ko"),
        (110_400_000, "110 MB", "110 Mo"),
        (2 * 10**15, "2,000 TB", "2 000 To"),
    ],
)
def test_sizes(count: int, english: str, french: str) -> None:
    def plain(text: str) -> str:
        return text.replace("\xa0", " ").replace("\u202f", " ")

    assert (plain(ENGLISH.size(count)), plain(FRENCH.size(count))) == (english, french)


@pytest.mark.parametrize(
    ("ms", "english"), [(0, "0.00 s"), (351, "0.35 s"), (59_994, "59.99 s"), (125_400, "2 min 05 s")]
)
def test_lengths_of_time(ms: float, english: str) -> None:
    assert ENGLISH.took(ms).replace("\xa0", " ") == english


@given(st.floats(0, 10**9))
def test_no_length_of_time_has_sixty_seconds(ms: float) -> None:
    assert "60" not in ENGLISH.took(ms).split("min")[-1].split(".")[0]


def test_a_sentence_writes_what_it_holds_in_the_reader_s_way() -> None:
    said = Said(N_("%(tables)s tables, %(size)s in %(took)s at %(at)s: %(name)s"), {
        "tables": 18_402, "size": Size(189_000_000), "took": Millis(80), "at": datetime(2026, 11, 22, 15, tzinfo=UTC),
        "name": "a %(b)s",
    })  # fmt: skip
    drawn = term(said, lambda text: text, FRENCH.write).replace("\xa0", " ").replace("\u202f", " ")
    assert drawn == "18 402 tables, 189 Mo in 0,08 s at 22 novembre 2026, 15:00 UTC: a %(b)s"
