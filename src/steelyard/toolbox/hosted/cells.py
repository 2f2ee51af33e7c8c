"""Cells of tables as PHP reads them: found by a text in them, by primary key, and changed while they are what was read.

Values go in and out as hexadecimal digits, in the character set in which the site speaks with its database.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from steelyard.toolbox.hosted.here import Failed, Here
from steelyard.toolbox.hosted.mysql import ask, cells, credentials, filled, name

_TEXTS = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "json", "enum", "set"})
_BYTES = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})
_WHOLE = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint"})
_NOT_CHANGED = frozenset({"enum", "set"})
_BIG = 16_000_000
"""Bytes of a cell that is still read."""
_PAGE_BYTES = 80_000_000
_ROWS = 500
_SCHEMA = """
SELECT 'column', c.TABLE_NAME, c.COLUMN_NAME, c.DATA_TYPE, COALESCE(c.CHARACTER_MAXIMUM_LENGTH, 0), c.EXTRA
    FROM information_schema.COLUMNS AS c JOIN information_schema.TABLES AS t
    ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME AND t.TABLE_TYPE = 'BASE TABLE'
    WHERE c.TABLE_SCHEMA = DATABASE() ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION;
SELECT 'key', TABLE_NAME, COLUMN_NAME FROM information_schema.STATISTICS
    WHERE TABLE_SCHEMA = DATABASE() AND INDEX_NAME = 'PRIMARY' ORDER BY TABLE_NAME, SEQ_IN_INDEX;
"""


class Table(NamedTuple):
    """A table: its primary key, the columns that are looked at, and the types of both."""

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    types: dict[str, str]
    lengths: dict[str, int]

    def fits(self, column: str, value: bytes) -> bool:
        """Whether a value is not too long for its column."""
        counted = self.types[column] in ("char", "varchar")
        size = len(value.decode("utf-8", "replace")) if counted else len(value)
        return size <= (self.lengths[column] or size)


class Change(NamedTuple):
    """A cell that is about to change."""

    table: Table
    key: tuple[str, ...]
    column: str
    before: bytes
    now: bytes


class Entry(NamedTuple):
    """A cell that changed, or was about to: `before` and `now` are SHA-256, `packed` what it was."""

    table: str
    key: tuple[str, ...]
    column: str
    before: str
    now: str
    packed: str

    def value(self) -> bytes:
        """What it was."""
        return zlib.decompress(base64.b64decode(self.packed))


def digest(value: bytes) -> str:
    """As SHA2(value, 256) of a database."""
    return hashlib.sha256(value).hexdigest()


class Cells:
    """The cells of a site's database."""

    def __init__(self, here: Here, config: str, php: str = "") -> None:
        self._here = here
        self._found = credentials(here, config, php)
        charset = self._found["DB_CHARSET"] or "utf8mb4"
        # WordPress itself speaks utf8mb4 where utf8 is set.
        plain = re.match(r"\A[a-z0-9]{1,20}\Z", charset) and not charset.startswith("utf8")
        self._charset = charset if plain else "utf8mb4"
        self._known: dict[str, Table] = {}

    def tables(self, prefix: str = "", guid: bool = True) -> list[Table]:
        """The tables whose names begin so. Without `guid`, what identifies posts in feeds is left out."""
        grouped: dict[str, list[list[str]]] = {}
        keys: dict[str, list[str]] = {}
        for kind, table, *rest in cells(ask(self._here, self._found, _SCHEMA)):
            if kind == "key":
                keys.setdefault(str(table), []).append(str(rest[0]))
            else:
                grouped.setdefault(str(table), []).append([str(each) for each in rest])
        return [
            _table(table, tuple(keys.get(table, ())), columns, guid)
            for table, columns in grouped.items()
            if table.startswith(prefix)
        ]

    def holds(self, table: Table, needle: str) -> bool:
        """Whether a text stands anywhere in a table."""
        if not table.columns:
            return False
        sql = f"SELECT 1 FROM {name(table.name)} WHERE {_any_like(table, needle)} LIMIT 1"
        return bool(cells(ask(self._here, self._found, sql, timeout=300)))

    def rows(self, table: Table, needle: str) -> Iterator[tuple[tuple[str, ...], dict[str, bytes | None]]]:
        """The rows in which a text stands: key, and the values of these columns, None where one is too big."""
        last: tuple[str, ...] = ()
        most = _ROWS
        while table.columns:
            out = ask(self._here, self._found, self._page(table, needle, last, most), 300, _PAGE_BYTES)
            if len(out) >= _PAGE_BYTES and most > 1:
                most = max(1, most // 10)
                continue
            page = cells(out)
            for row in page:
                last = tuple(str(each) for each in row[: len(table.key)])
                yield last, _values(table, row[len(table.key) :])
            if len(page) < most:
                return

    def _page(self, table: Table, needle: str, last: tuple[str, ...], most: int) -> str:
        key = ", ".join(map(name, table.key))
        columns = [f"HEX({self._bytes(table, each)})" for each in table.key]
        for each in table.columns:
            shown = f"IF({self._unread(table, each)}, 'big', HEX({self._bytes(table, each)}))"
            columns.append(f"IF({_like(each, needle)}, {shown}, '')")
        beyond = ""
        if last:
            given = ", ".join(self._literal(table, *each) for each in zip(table.key, last))  # noqa: B905
            beyond = f" AND ({key}) > ({given})"
        what = f"SELECT {', '.join(columns)} FROM {name(table.name)}"
        return f"{what} WHERE ({_any_like(table, needle)}){beyond} ORDER BY {key} LIMIT {most}"

    def _unread(self, table: Table, column: str) -> str:
        """What is too big, or would lose characters on its way to PHP and back."""
        big = f"LENGTH({name(column)}) > {_BIG}"
        if self._charset == "utf8mb4" or table.types[column] in _BYTES:
            return big
        there, back = (f"HEX(CONVERT({each} USING utf8mb4))" for each in (name(column), self._bytes(table, column)))
        return f"{big} OR {there} <> {back}"

    def put(self, changes: Sequence[tuple[Change, bytes]]) -> list[bool]:
        """Changes cells together, each that is still what was read; which were."""
        sql = [self._update(each.table, each.key, each.column, fresh, digest(each.before)) for each, fresh in changes]
        return self._done(sql)

    def put_back(self, entries: Sequence[Entry]) -> list[bool]:
        """Makes cells what they were, each that is as it was left; which were."""
        tables = self._tables()
        sql = [
            self._update(tables[each.table], each.key, each.column, each.value(), each.now)
            for each in entries
            if _is_there(tables, each)
        ]
        return self._done(sql)

    def digests(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, str]]:
        """SHA-256 of what cells are now; empty where there is no such row any more."""
        tables = self._tables()
        known = [each for each in entries if _is_there(tables, each)]
        for start in range(0, len(known), _ROWS):
            some = known[start : start + _ROWS]
            sql = "; ".join(
                f"SELECT COALESCE((SELECT SHA2({self._bytes(tables[each.table], each.column)}, 256)"
                f" FROM {name(each.table)} WHERE {self._at(tables[each.table], each.key)}), '')"
                for each in some
            )
            yield from zip(some, (str(row[0]) for row in cells(ask(self._here, self._found, sql, 300))))  # noqa: B905
        yield from ((each, "") for each in entries if not _is_there(tables, each))

    def _tables(self) -> dict[str, Table]:
        if not self._known:
            self._known = {each.name: each for each in self.tables()}
        return self._known

    def _done(self, sql: list[str]) -> list[bool]:
        if not sql:
            return []
        counted = "; ".join(f"{each}; SELECT ROW_COUNT()" for each in sql)
        # A value that does not fit was left out before; an old row may hold what a strict mode would refuse.
        begun = "SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION', SESSION innodb_lock_wait_timeout = 20"
        out = ask(self._here, self._found, f"{begun}; START TRANSACTION; {counted}; COMMIT;", 300)
        return [int(row[0] or 0) > 0 for row in cells(out)]

    def _update(self, table: Table, key: tuple[str, ...], column: str, fresh: bytes, now: str) -> str:
        value = self._literal(table, column, fresh.hex())
        same = f"SHA2({self._bytes(table, column)}, 256) = '{now}'"
        return f"UPDATE {name(table.name)} SET {name(column)} = {value} WHERE {self._at(table, key)} AND {same}"

    def _at(self, table: Table, key: tuple[str, ...]) -> str:
        return " AND ".join(f"{name(each)} = {self._literal(table, each, part)}" for each, part in zip(table.key, key))  # noqa: B905

    def _bytes(self, table: Table, column: str) -> str:
        """What PHP reads of a column."""
        if table.types[column] in _BYTES:
            return name(column)
        return f"CONVERT({name(column)} USING {self._charset})"

    def _literal(self, table: Table, column: str, digits: str) -> str:
        if not re.match(r"\A(?:[0-9a-fA-F]{2})*\Z", digits):
            raise Failed("bad_output", "the database answered what it was not asked for")
        kind = table.types[column]
        if kind in _WHOLE:
            return str(int(bytes.fromhex(digits)))
        return f"X'{digits}'" if kind in _BYTES else f"_{self._charset} X'{digits}'"


def _table(table: str, key: tuple[str, ...], columns: list[list[str]], guid: bool) -> Table:
    types = {column: kind.lower() for column, kind, _, _ in columns}
    left_out = {column for column, _, _, extra in columns if "GENERATED" in extra.upper()}
    left_out |= set() if guid or not table.endswith("posts") else {"guid"}
    looked_at = tuple(
        column
        for column, kind in types.items()
        if kind in (_TEXTS | _BYTES) - _NOT_CHANGED and column not in left_out and column not in key
    )
    return Table(table, key, looked_at, types, {column: int(length) for column, _, length, _ in columns})


def _like(column: str, needle: str) -> str:
    escaped = "".join("|" + each if each in "_%|" else each for each in needle)
    return filled(f"{name(column)} LIKE %(text)s ESCAPE '|'", {"text": f"%{escaped}%"})


def _any_like(table: Table, needle: str) -> str:
    return " OR ".join(_like(each, needle) for each in table.columns)


def _values(table: Table, row: Sequence[Any]) -> dict[str, bytes | None]:
    return {column: None if cell == "big" else bytes.fromhex(cell) for column, cell in zip(table.columns, row) if cell}  # noqa: B905


def _is_there(tables: dict[str, Table], entry: Entry) -> bool:
    known = tables.get(entry.table)
    return known is not None and entry.column in known.types and len(entry.key) == len(known.key)
