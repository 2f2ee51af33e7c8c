"""Every page is also data: view models as JSON, and tables as CSV that no spreadsheet runs."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, cast


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
        case tuple() | list():
            named: Any = getattr(cast("object", value), "_asdict", None)
            return plain(named()) if named else [plain(each) for each in cast("Sequence[object]", value)]
        case _:
            return value


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as CSV. Text that a spreadsheet would run as a formula gets an apostrophe before it."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    for row in rows:
        writer.writerow(["" if each is None else _defused(plain(each)) for each in row])
    return out.getvalue()


def _defused(value: object) -> object:
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value
