"""Tables of which every view is a link: columns declared once, a query read, the rows that answer it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, Final, Generic, Literal, LiteralString, NamedTuple, TypeVar, cast

from steelyard.web.said import N_, Said

Row = TypeVar("Row")

PER_PAGE: Final = 50
MOST: Final = 10_000
"""Rows of a table as CSV or JSON, at most; the page says so."""

_COMMON: Final = frozenset({"workspace", "lang", "theme", "done", "was", "sort", "page"})
"""What an address may ask of every page."""
_LARGEST: Final = 2**63 - 1
_LONGEST: Final = 200
_PAGES: Final = 1_000_000


class Choice(NamedTuple):
    """One of the values that a filter offers. A `label` that is a Message is said in the reader's language."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Holds:
    """Filters by a part of the text, in capitals or not."""


@dataclass(frozen=True, slots=True)
class Is:
    """Filters by one of a few values."""

    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class Numbered:
    """Filters by a whole number, such as an id."""


@dataclass(frozen=True, slots=True)
class Days:
    """Filters by the day: `key.from` and `key.to`, both included, in the zone of the reader."""


Filter = Holds | Is | Numbered | Days


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column. `value` is what CSV and JSON hold, and what is drawn where the template says nothing else.

    `sql` is the expression to sort by where rows come from SQL, `where` the one to filter by (else `sql`); `matches`
    and `sort` are the same for rows in memory (else `value`).
    """

    key: LiteralString
    label: str
    value: Callable[[Row], object]
    sorts: bool = False
    filter: Filter | None = None
    number: bool = False
    heads: bool = False
    """Whether it says which row this is."""
    data_only: bool = False
    """Whether it is in CSV and JSON alone."""
    sort: Callable[[Row], Any] | None = None
    matches: Callable[[Row], object] | None = None
    sql: LiteralString = ""
    where: LiteralString = ""

    @property
    def parameters(self) -> tuple[LiteralString, ...]:
        """What an address may ask of it."""
        if self.filter is None:
            return ()
        return (self.key + ".from", self.key + ".to") if isinstance(self.filter, Days) else (self.key,)


class Query(NamedTuple):
    """What is asked of a table, with only what it can answer; `problems` say what was left out, and why."""

    sort: str = ""
    """A column's key; empty where nothing is sorted."""
    descending: bool = False
    filters: Mapping[str, str] = {}
    page: int = 1
    everything: bool = False
    """All pages at once, as many rows as the table gives at most: for data."""
    problems: tuple[Said, ...] = ()


class Clauses(NamedTuple):
    """A query as SQL: `where` starts with AND where it filters, `order` with ORDER BY, `limit` with LIMIT."""

    where: LiteralString
    order: LiteralString
    limit: LiteralString
    values: dict[str, object]


@dataclass(frozen=True)  # slots would break `Table[Row](...)` in Python 3.11
class Table(Generic[Row]):
    """Columns, and how they are sorted where nobody asks: `sort` is a key, `-key` for the greatest first.

    `name` is that of its files. `tie` ends ORDER BY, so that pages never overlap. `also` are other parameters of its
    page. Raises ValueError for columns that cannot be told apart in an address.
    """

    name: LiteralString
    columns: tuple[Column[Row], ...]
    sort: str = ""
    tie: LiteralString = ""
    per_page: int = PER_PAGE
    most: int = MOST
    also: frozenset[str] = field(default_factory=frozenset[str])

    def __post_init__(self) -> None:
        names = [*(each.key for each in self.columns), *self.also]
        if len(set(names)) < len(names) or _COMMON & set(names) or not re.fullmatch(r"[a-z-]+", self.name):
            raise ValueError(f"{self.name}: the columns {', '.join(names)} cannot be told apart")

    def with_choices(self, key: str, choices: Iterable[Choice]) -> Table[Row]:
        """The same table, with the values that its column `key` can be filtered by."""
        offered = Is(tuple(choices))
        return replace(
            self, columns=tuple(replace(each, filter=offered) if each.key == key else each for each in self.columns)
        )

    def read(self, asked: Mapping[str, str], *, everything: bool = False) -> Query:
        """What an address asks; whatever cannot be answered falls back, with the reason."""
        problems: list[Said] = []
        sort, descending = self._read_sort(asked.get("sort", ""), problems)
        page = 1 if everything else _read_page(asked.get("page", "1"), problems)
        filters: dict[str, str] = {}
        offered = {name: column for column in self.columns for name in column.parameters}
        for name, text in asked.items():
            if name in offered:
                _read_filter(offered[name], name, text.strip(), filters, problems)
            elif name not in _COMMON | self.also:
                problems.append(Said(N_("This page has no filter “%(name)s”, so it is left out."), {"name": name[:60]}))
        return Query(sort, descending, filters, page, everything, tuple(problems))

    def parameters(self, query: Query, **changes: str) -> dict[str, str]:
        """The query of an address that asks the same, some of it changed; an empty change takes it away."""
        sort = f"-{query.sort}" if query.descending else query.sort
        asked = {**query.filters, "sort": sort if sort != self.sort else ""}
        asked |= {"page": str(query.page) if query.page > 1 else ""} | changes
        return {name: text for name, text in asked.items() if text}

    def clauses(self, query: Query, zone: tzinfo) -> Clauses:
        """The query as SQL, of expressions that columns declare, and values."""
        where: LiteralString = ""
        values: dict[str, object] = {"limit": self.most if query.everything else self.per_page}
        values["offset"] = (query.page - 1) * self.per_page
        for column in self.columns:
            for name in column.parameters:
                if name in query.filters:
                    where += _condition(column, name)
                    values[name] = _sql_value(column, name, query.filters[name], zone)
        column = next((each for each in self.columns if each.key == query.sort), None)
        order: LiteralString = self.tie
        if column is not None:
            order = (column.sql + (" DESC NULLS LAST" if query.descending else " NULLS LAST")) + (
                ", " + self.tie if self.tie else ""
            )
        return Clauses(where, "ORDER BY " + order if order else "", "LIMIT %(limit)s OFFSET %(offset)s", values)

    def of_rows(self, rows: Iterable[Row], query: Query, zone: tzinfo) -> Shown[Row]:
        """The part of `rows`, all of them in memory, that the query asks for."""
        found = [row for row in rows if all(_matches(each, row, query.filters, zone) for each in self.columns)]
        column = next((each for each in self.columns if each.key == query.sort), None)
        if column is not None:
            found = _sorted(found, column.sort or column.value, query.descending)
        first = 0 if query.everything else (query.page - 1) * self.per_page
        most = self.most if query.everything else self.per_page
        return Shown(self, query, tuple(found[first : first + most]), len(found))

    def of_page(self, rows: Sequence[Row], query: Query, total: int) -> Shown[Row]:
        """The rows that SQL found for the query's clauses, of `total` that match."""
        return Shown(self, query, tuple(rows), total)

    def _read_sort(self, asked: str, problems: list[Said]) -> tuple[str, bool]:
        offered = {each.key for each in self.columns if each.sorts}
        if asked and asked.removeprefix("-") not in offered:
            problems.append(
                Said(N_("Nothing here is sorted by “%(asked)s”: it is sorted as usual."), {"asked": asked[:60]})
            )
            asked = ""
        chosen = asked or self.sort
        return chosen.removeprefix("-"), chosen.startswith("-")


class Shown(NamedTuple, Generic[Row]):
    """A table as it is shown: the rows of one page, of `total` that match."""

    table: Table[Row]
    query: Query
    rows: tuple[Row, ...]
    total: int

    @property
    def state(self) -> Literal["rows", "empty", "filtered", "beyond"]:
        """Whether there are rows, and if not, why: there is nothing, no match, or no such page."""
        if self.rows:
            return "rows"
        if self.total:
            return "beyond"
        return "filtered" if self.query.filters else "empty"

    @property
    def columns(self) -> tuple[Column[Row], ...]:
        """Those that are drawn."""
        return tuple(each for each in self.table.columns if not each.data_only)

    @property
    def first(self) -> int:
        """The number of its first row among all that match."""
        return (self.query.page - 1) * self.table.per_page + 1

    @property
    def last(self) -> int:
        """The number of its last row."""
        return self.first + len(self.rows) - 1

    @property
    def pages(self) -> int:
        """How many pages match."""
        return max(1, -(-self.total // self.table.per_page))

    def asks(self, **changes: str) -> dict[str, str]:
        """The query of this view's address, some of it changed."""
        return self.table.parameters(self.query, **changes)

    def sorted_by(self, column: Column[Row]) -> dict[str, str]:
        """The query of the view that a press on the column's head leads to, on its first page."""
        same = column.key == self.query.sort
        down = not self.query.descending if same else column.number
        asked = self.asks(page="", sort=f"-{column.key}" if down else column.key)
        if asked["sort"] == self.table.sort:
            del asked["sort"]
        return asked

    def record(self, row: Row) -> dict[str, object]:
        """A row as data."""
        return {each.key: each.value(row) for each in self.table.columns}


def _read_page(asked: str, problems: list[Said]) -> int:
    if asked.isascii() and asked.isdigit() and 0 < len(asked) < 10 and 0 < int(asked) <= _PAGES:
        return int(asked)
    problems.append(Said(N_("“%(asked)s” is no page: this is the first one."), {"asked": asked[:60]}))
    return 1


def _read_filter(column: Column[Any], name: str, text: str, filters: dict[str, str], problems: list[Said]) -> None:
    if not text:
        return
    reason = _problem(column.filter, text)
    if reason is None:
        filters[name] = text
    else:
        problems.append(Said(reason, {"asked": text[:60], "label": column.label}))


def _problem(filter: Filter | None, text: str) -> str | None:
    match filter:
        case Is(choices) if text not in {each.value for each in choices}:
            return N_("“%(label)s” cannot be “%(asked)s”, so that filter is left out.")
        case Numbered() if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= _LARGEST):
            return N_("“%(label)s” takes a whole number, not “%(asked)s”, so that filter is left out.")
        case Days() if _day(text) is None:
            return N_("“%(label)s” takes a day such as 2026-11-22, not “%(asked)s”, so that filter is left out.")
        case Holds() if len(text) > _LONGEST or not text.isprintable():
            return N_("“%(label)s” takes a short text, so that filter is left out.")
        case _:
            return None


def _day(text: str) -> date | None:
    """A day far enough from the ends of time that a zone cannot push it over one."""
    try:
        found = date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII) else None
    except ValueError:
        return None
    return found if found is not None and 1900 <= found.year <= 9000 else None


def _bound(name: str, text: str, zone: tzinfo) -> datetime:
    """The first moment of a day, or of the day after where it is the last."""
    day = cast("date", _day(text)) + timedelta(days=1 if name.endswith(".to") else 0)
    return datetime.combine(day, time(), zone)


def _condition(column: Column[Any], name: LiteralString) -> LiteralString:
    expression = "(" + (column.where or column.sql) + ")"
    value: LiteralString = "%(" + name + ")s"
    match column.filter:
        case Holds():
            return " AND " + expression + "::text ILIKE " + value
        case Is():
            return " AND " + expression + "::text = " + value
        case Days():
            return " AND " + expression + (" < " if name.endswith(".to") else " >= ") + value
        case _:
            return " AND " + expression + " = " + value


def _sql_value(column: Column[Any], name: str, text: str, zone: tzinfo) -> object:
    match column.filter:
        case Holds():
            return "%" + re.sub(r"([\\%_])", r"\\\1", text) + "%"
        case Numbered():
            return int(text)
        case Days():
            return _bound(name, text, zone)
        case _:
            return text


def _matches(column: Column[Any], row: Any, filters: Mapping[str, str], zone: tzinfo) -> bool:
    asked = [(name, filters[name]) for name in column.parameters if name in filters]
    if not asked:
        return True
    value = (column.matches or column.value)(row)
    return all(_fits(column.filter, value, name, text, zone) for name, text in asked)


def _fits(filter: Filter | None, value: object, name: str, text: str, zone: tzinfo) -> bool:
    if isinstance(value, Collection) and not isinstance(value, str):
        return any(_fits(filter, each, name, text, zone) for each in cast("Collection[object]", value))
    match filter:
        case Holds():
            return value is not None and text.casefold() in str(value).casefold()
        case Numbered():
            return value == int(text)
        case Days():
            if not isinstance(value, datetime):
                return False
            bound = _bound(name, text, zone)
            return value < bound if name.endswith(".to") else value >= bound
        case _:
            return value is not None and str(value) == text


def _sorted(rows: list[Row], key: Callable[[Row], Any], descending: bool) -> list[Row]:
    """Sorted; what has no value comes last in both directions."""

    def comparable(row: Row) -> Any:
        value = key(row)
        return value.casefold() if isinstance(value, str) else value

    valued = [row for row in rows if key(row) is not None]
    return sorted(valued, key=comparable, reverse=descending) + [row for row in rows if key(row) is None]
