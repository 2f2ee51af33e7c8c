"""Every page is also data: view models as JSON, and tables as CSV that no spreadsheet runs."""

import csv
import hashlib
import io
import json
import re
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from itertools import islice
from typing import Any, Final, TypeVar, cast

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from steelyard.kit.scopes import Scope
from steelyard.web.language import term
from steelyard.web.pages import Pages
from steelyard.web.routes import PageRoute
from steelyard.web.tables import Shown

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""How a text begins that some spreadsheet runs."""

PORTION: Final = 250
"""Rows that are written at a time: between two portions others are answered."""

T = TypeVar("T")


def plain(value: object) -> Any:
    """`value` in JSON's own types: named tuples as objects, times in ISO 8601, enums by value."""
    match value:
        case Enum():
            return value.value
        case datetime():
            return value.isoformat()
        case Mapping():
            pairs = cast("Mapping[object, object]", value)
            return {str(key): plain(each) for key, each in pairs.items()}
        case frozenset():
            return sorted(plain(each) for each in cast("frozenset[object]", value))
        case tuple() | list():
            named: Any = getattr(cast("object", value), "_asdict", None)
            return plain(named()) if named else [plain(each) for each in cast("Sequence[object]", value)]
        case _:
            return value


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as CSV. Text that a spreadsheet would run as a formula gets an apostrophe before it."""
    return "".join(csv_portions(header, rows))


def csv_portions(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Generator[str]:
    """The same, a portion of its rows at a time."""
    yield _csv([header])
    for portion in _portions(rows):
        yield _csv([["" if each is None else _defused(plain(each)) for each in row] for row in portion])


def _portions(rows: Iterable[T]) -> Generator[tuple[T, ...]]:
    left = iter(rows)
    while portion := tuple(islice(left, PORTION)):
        yield portion


def _csv(rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


def _defused(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def csv_answer(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """A table as a file to save. Of `name` only what cannot break a header is left."""
    safe = re.sub(r"[^A-Za-z0-9-]+", "-", name).strip("-")[:80] or "table"
    headers = {"Content-Disposition": f'attachment; filename="{safe}.csv"'}
    return StreamingResponse(csv_portions(header, rows), media_type="text/csv; charset=utf-8", headers=headers)


def tagged(request: Request, value: object) -> Response:
    """`value` as JSON with its ETag; nothing but that where it is what the asker has already."""
    body = _json(value).encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    headers = {"ETag": tag}
    if known & {tag, "*"}:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


# Tables: one endpoint draws the page and gives its rows as data, for the same query


def data_routes(
    path: str, endpoint: Callable[[Request], Awaitable[Response]], shows: Scope, needs: str
) -> list[PageRoute]:
    """A table's page at `path`, and its rows at `path.csv` and `path.json`."""
    return [PageRoute(f"{path}{suffix}", endpoint, shows, needs, methods=["GET"]) for suffix in ("", ".csv", ".json")]


def wants_rows(request: Request) -> bool:
    """Whether a table is asked for as data: all its rows then, not a page of them."""
    return request.url.path.endswith((".csv", ".json"))


def answer_table(pages: Pages, request: Request, template: str, shown: Shown[Any], **context: Any) -> Response:
    """`shown` as `table` in a page, or as CSV or JSON, as the address says."""
    if request.url.path.endswith(".csv"):
        records = map(shown.record, shown.rows)
        header = [each.key for each in shown.table.columns]
        return csv_answer(shown.table.name, header, (tuple(map(_cell, each.values())) for each in records))
    if request.url.path.endswith(".json"):
        return StreamingResponse(json_portions(shown), media_type="application/json")
    return pages.answer(request, template, table=shown, **context)


def json_portions(shown: Shown[Any]) -> Generator[str]:
    """What is shown, with the query that it answers, as JSON: a portion of its rows at a time."""
    begin = '{"rows":['
    for portion in _portions(shown.rows):
        yield begin + ",".join(_json(plain(shown.record(row))) for row in portion)
        begin = ","
    yield (begin if not shown.rows else "") + "]," + _json(about_rows(shown)).removeprefix("{")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def about_rows(shown: Shown[Any]) -> dict[str, Any]:
    """The query that rows answer, and how many are left out because there are too many."""
    query = shown.query
    return {
        "total": shown.total,
        "left_out": max(0, shown.total - len(shown.rows)),
        "sort": f"-{query.sort}" if query.descending else query.sort,
        "filters": dict(query.filters),
        "ignored": [term(each, str) for each in query.problems],
    }


def _cell(value: object) -> object:
    """One cell of CSV: several values in a row stand in one."""
    if isinstance(value, (tuple, list, frozenset)):
        return " ".join(str(plain(each)) for each in cast("Sequence[object]", value))
    return value
