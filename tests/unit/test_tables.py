"""A table answers every address: sorted, filtered, page by page, and what it cannot answer it says."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.web.data import PORTION, about_rows, csv_answer, csv_portions, csv_text, json_portions, plain
from steelyard.web.tables import Choice, Column, Days, Holds, Is, Numbered, Query, Shown, Table

PARIS = ZoneInfo("Europe/Paris")


class Row(NamedTuple):
    name: str
    team: str
    load: int | None
    at: datetime


TABLE = Table[Row](
    "rows",
    (
        Column("name", "Name", lambda row: row.name, sorts=True, filter=Holds(), heads=True, sql="name"),
        Column("team", "Team", lambda row: row.team, filter=Is((Choice("a", "A"), Choice("b", "B"))), sql="team"),
        Column("load", "Load", lambda row: row.load, sorts=True, filter=Numbered(), number=True, sql="load"),
        Column("at", "When", lambda row: row.at, sorts=True, filter=Days(), sql="at"),
        Column("length", "Length", lambda row: len(row.name), data_only=True),
    ),
    sort="name",
    tie="id",
    per_page=3,
)

moments = st.datetimes(datetime(2026, 11, 20), datetime(2026, 11, 24), timezones=st.just(UTC))  # noqa: DTZ001
rows = st.builds(Row, st.text("aäB=1 ", max_size=4), st.sampled_from("ab"), st.none() | st.integers(0, 5), moments)
texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["name", "-load", "at", "-at", "2", "0", "-1", "9" * 30, "a", "b", "2026-11-22", "0001-01-01", "٣"]
    ),
)
names = st.sampled_from(["sort", "page", "name", "team", "load", "at.from", "at.to", "workspace", "enginer", ""])
addresses = st.dictionaries(names, texts)


@given(addresses, st.lists(rows, max_size=12))
def test_every_address_has_an_answer(asked: dict[str, str], all_rows: list[Row]) -> None:
    query = TABLE.read(asked)
    shown = TABLE.of_rows(all_rows, query, PARIS)
    assert len(shown.rows) <= 3
    assert set(shown.rows) <= set(all_rows)
    clauses = TABLE.clauses(query, PARIS)
    placed = set(re.findall(r"%\((.+?)\)s", clauses.where + clauses.limit))
    assert placed == set(clauses.values)
    assert not set(clauses.where + clauses.order) & set("'\"\\;\0")
    # Whatever was asked is in force, or there is a reason.
    left_out = [name for name, text in asked.items() if text.strip() and not in_force(name, text, query)]
    assert len(query.problems) >= len(set(left_out) - {"workspace"})


def in_force(name: str, text: str, query: Query) -> bool:
    if name == "sort":
        return text == f"{'-' if query.descending else ''}{query.sort}"
    return text == str(query.page) if name == "page" else query.filters.get(name) == text.strip()


@given(addresses, st.lists(rows, max_size=12))
def test_the_address_of_a_view_asks_for_that_view(asked: dict[str, str], all_rows: list[Row]) -> None:
    query = TABLE.read(asked)
    again = TABLE.read(TABLE.parameters(query))
    assert again == query._replace(problems=())


@given(addresses, st.lists(rows, max_size=12))
def test_data_is_all_pages_of_what_is_shown(asked: dict[str, str], all_rows: list[Row]) -> None:
    asked.pop("page", None)
    paged: list[Row] = []
    for page in range(1, 6):
        paged += TABLE.of_rows(all_rows, TABLE.read(asked | {"page": str(page)}), PARIS).rows
    everything = TABLE.of_rows(all_rows, TABLE.read(asked, everything=True), PARIS)
    assert list(everything.rows) == paged
    data = json.loads("".join(json_portions(everything)))
    assert (data["total"], data["left_out"]) == (len(paged), 0)
    assert data == {"rows": [plain(everything.record(row)) for row in paged], **about_rows(everything)}


@pytest.mark.parametrize("count", [0, 1, PORTION, PORTION + 1, 3 * PORTION])
def test_many_rows_are_written_a_portion_at_a_time(count: int) -> None:
    portions = list(csv_portions(["a"], ([number] for number in range(count))))
    assert "".join(portions) == "a\r\n" + "".join(f"{number}\r\n" for number in range(count))
    assert max(each.count("\r\n") for each in portions) <= PORTION
    row = Row("Ana", "a", 1, datetime(2026, 11, 22, tzinfo=UTC))
    shown = TABLE.of_page([row] * count, TABLE.read({}, everything=True), count)
    portions = list(json_portions(shown))
    assert [each["name"] for each in json.loads("".join(portions))["rows"]] == ["Ana"] * count
    assert max(each.count("Ana") for each in portions) <= PORTION


@given(st.lists(rows, max_size=12), st.sampled_from(["load", "-load", "name", "-name", "at", "-at"]))
def test_rows_are_sorted_and_the_ones_without_a_value_come_last(all_rows: list[Row], sort: str) -> None:
    query = TABLE.read({"sort": sort}, everything=True)
    found = [getattr(row, query.sort) for row in TABLE.of_rows(all_rows, query, UTC).rows]
    valued = [value.casefold() if isinstance(value, str) else value for value in found if value is not None]
    assert valued == sorted(valued, reverse=query.descending)
    assert None not in found[: len(valued)]


def test_days_are_those_of_the_reader() -> None:
    late = Row("x", "a", 1, datetime(2026, 11, 21, 23, 30, tzinfo=UTC))  # the 22nd in Paris
    query = TABLE.read({"at.from": "2026-11-22", "at.to": "2026-11-22"})
    assert TABLE.of_rows([late], query, PARIS).rows == (late,)
    assert TABLE.of_rows([late], query, UTC).rows == ()
    clauses = TABLE.clauses(query, PARIS)
    assert clauses.values["at.from"] == late.at - timedelta(minutes=30)
    assert clauses.values["at.to"] == late.at + timedelta(hours=23, minutes=30)


def test_clauses_hold_only_what_columns_declare() -> None:
    asked = {"name": "50%_\\ off'; DROP", "team": "b", "load": "3", "sort": "-load", "page": "3"}
    clauses = TABLE.clauses(TABLE.read(asked), UTC)
    assert clauses.where == " AND (name)::text ILIKE %(name)s AND (team)::text = %(team)s AND (load) = %(load)s"
    assert clauses.order.strip() == "ORDER BY load DESC NULLS LAST, id"
    assert clauses.values == {"name": "%50\\%\\_\\\\ off'; DROP%", "team": "b", "load": 3, "limit": 3, "offset": 6}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"sort": "team"}, "sorted as usual"),
        ({"sort": "--load"}, "sorted as usual"),
        ({"page": "0"}, "is no page"),
        ({"page": "x"}, "is no page"),
        ({"team": "c"}, "cannot be"),
        ({"load": "3; DROP"}, "whole number"),
        ({"load": "9" * 25}, "whole number"),
        ({"at.from": "2026-02-30"}, "takes a day"),
        ({"name": "a\0"}, "short text"),
        ({"enginer": "Ana"}, "no filter"),
    ],
)
def test_what_cannot_be_answered_falls_back_with_the_reason(asked: dict[str, str], said: str) -> None:
    query = TABLE.read(asked)
    assert query._replace(problems=()) == TABLE.read({})
    [problem] = query.problems
    assert said in problem.message


def test_heads_sort_the_other_way_at_the_second_press() -> None:
    name, load = TABLE.columns[0], TABLE.columns[2]
    shown = TABLE.of_rows([], TABLE.read({"page": "2", "team": "a"}), UTC)
    assert shown.sorted_by(name) == {"team": "a", "sort": "-name"}
    assert shown.sorted_by(load) == {"team": "a", "sort": "-load"}
    assert Shown(TABLE, TABLE.read({"sort": "-load"}), (), 0).sorted_by(load) == {"sort": "load"}
    assert Shown(TABLE, TABLE.read({"sort": "-name"}), (), 0).sorted_by(name) == {}


def test_an_empty_table_says_why() -> None:
    some_rows = [Row("a", "a", 1, datetime(2026, 11, 22, tzinfo=UTC))]
    states = [
        TABLE.of_rows(of, TABLE.read(asked), UTC).state
        for of, asked in [([], {}), (some_rows, {}), (some_rows, {"team": "b"}), (some_rows, {"page": "2"})]
    ]
    assert states == ["empty", "rows", "filtered", "beyond"]


def test_columns_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="told apart"):
        Table[Row]("rows", (Column("page", "Page", lambda row: row.name),))
    with pytest.raises(ValueError, match="told apart"):
        Table[Row]('rows"\r\nX: y', (Column("name", "Name", lambda row: row.name),))


FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@given(st.sampled_from(["", *FORMULAS]), st.text())
def test_no_cell_is_a_formula(begins: str, text: str) -> None:
    written = csv_text(("a", "x"), [("a", begins + text)])
    [_, [_, cell]] = csv.reader(io.StringIO(written, newline=""))
    assert not cell.startswith(FORMULAS)
    assert cell.removeprefix("'") == (begins + text).removeprefix("'")


@given(st.text())
def test_no_name_of_a_file_breaks_a_header(name: str) -> None:
    answer = csv_answer(name, ("x",), [])
    assert re.fullmatch(r'attachment; filename="[A-Za-z0-9-]+\.csv"', answer.headers["content-disposition"])
