"""Queries of Intercom's search.

search.all_of(search.where("open", "=", True), search.where("admin_assignee_id", "IN", [1, 2]))
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

Operator = Literal["=", "!=", "IN", "NIN", "<", ">", "~", "!~", "^", "$"]
Value = str | int | bool | Sequence[int] | Sequence[str]

MOST: Final = 15
"""Filters in a group."""


class Query(NamedTuple):
    """What to search for, as Intercom's JSON, and how many groups lie within each other in it (at most two)."""

    json: dict[str, object]
    depth: int


def where(field: str, operator: Operator, value: Value) -> Query:
    """One filter. Times are seconds since 1970; Intercom takes `<` and `>` to include the value itself."""
    plain = value if isinstance(value, str | int) else list(value)
    return Query({"field": field, "operator": operator, "value": plain}, 0)


def all_of(*queries: Query) -> Query:
    """What fits every one of `queries`: 1 to 15, and groups only of single filters. Raises ValueError otherwise."""
    if not 1 <= len(queries) <= MOST:
        raise ValueError(f"a group of a search holds 1 to {MOST} filters, not {len(queries)}: split the search")
    depths = {query.depth for query in queries}
    if len(depths) > 1:
        raise ValueError("a group of a search holds either filters or groups, not both: put lone filters in a group")
    if max(depths) > 1:
        raise ValueError("groups of a search go two deep: write it flatter")
    return Query({"operator": "AND", "value": [query.json for query in queries]}, max(depths) + 1)
