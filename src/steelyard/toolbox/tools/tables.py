"""Whose tables are whose in a schema that several installs may share, and what exchanges them. Pure.

What the actions do: hosted/tables.py.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from steelyard.toolbox.model import Action, Json, Token

LONGEST = 54
"""Characters of a table that was moved aside: MySQL allows 64, and names of its foreign keys need some more."""
_OWN = re.compile(r"sy[0-9a-f]{8}[no]_")


class Ours(NamedTuple):
    """What of a schema belongs to one WordPress."""

    tables: tuple[str, ...]
    """Tables and views, sorted."""
    views: tuple[str, ...]
    rows: int
    bytes: int
    triggers: int
    events: int
    """Of the whole schema: they go on, on whatever has the names."""
    others: tuple[str, ...]
    """Prefixes of other installs in the schema, sorted."""
    strange: tuple[str, ...]
    """Tables of nobody known that refer to ours by foreign keys, sorted."""
    watching: tuple[str, ...]
    """Views of others that read our tables, sorted."""


def ours(facts: Mapping[str, Any], prefix: str) -> Ours:
    """What belongs to the install of `prefix`, of what `tables.read` brought.

    A table belongs to the install with the longest prefix that fits; those of a network's sites are the network's.
    """
    fold = str.lower if facts["lower"] else str
    tables: list[list[Any]] = [each for each in facts["tables"] if not _OWN.match(each[0])]
    names = {fold(each[0]): each for each in tables}
    network = {fold(f"{prefix}{blog}_") for blog in facts["blogs"] if blog != 1}
    installs = _installs(names) - network
    mine = {name for name in names if _belongs(name, installs, fold(prefix))}
    strange = {table for table, to in facts["keys"] if fold(to) in mine and fold(table) not in mine}
    return Ours(
        tuple(sorted(names[each][0] for each in mine)),
        tuple(sorted(names[each][0] for each in mine if names[each][1] == "VIEW")),
        sum(names[each][3] for each in mine),
        sum(names[each][4] for each in mine),
        sum(fold(table) in mine for _, table in facts["triggers"]),
        len(facts["events"]),
        tuple(sorted(installs - {fold(prefix)})),
        tuple(sorted(strange)),
        tuple(sorted(view for view, text in facts["views"] if fold(view) not in mine and _reads(text or "", mine))),
    )


def _installs(names: Collection[str]) -> set[str]:
    """Prefixes under which there is a whole WordPress: it has options, posts and terms."""
    ends = [each[: -len("options")] for each in names if each.lower().endswith("options")]
    return {each for each in ends if each and {each + "posts", each + "terms"} <= set(names)}


def _belongs(name: str, installs: Collection[str], prefix: str) -> bool:
    if not prefix or not name.startswith(prefix):
        return False
    return all(not name.startswith(other) or len(other) <= len(prefix) for other in installs)


def _reads(text: str, mine: Collection[str]) -> bool:
    return any(f"`{each}`" in text or f"`{each}`" in text.lower() for each in mine)


def moved(tables: Sequence[str], token: Token, kind: str) -> list[list[str]]:
    """Each table with its name once it is moved aside: `sy<token>o_...` (old) or `sy<token>n_...` (new)."""
    return [[each, aside(each, token, kind)] for each in tables]


def aside(table: str, token: Token, kind: str) -> str:
    """The name of a table moved aside; shortened with a digest where it would be too long."""
    name = f"sy{token}{kind}_{table}"
    if len(name) <= LONGEST:
        return name
    digest = hashlib.sha256(table.encode()).hexdigest()[:10]
    return f"{name[: LONGEST - 11]}_{digest}"


def staged_prefix(token: Token) -> str:
    """What fresh tables are called by until they are in place."""
    return f"sy{token}n_"


def fresh_names(staged: Sequence[str], token: Token, prefix: str) -> list[list[str]]:
    """Each staged table with the name that it gets."""
    before = staged_prefix(token)
    return [[each, prefix + each[len(before) :]] for each in staged]


def read(docroot: str, php: str = "") -> Action:
    """Reads what is in the schema of a site's WordPress."""
    return Action("tables.read", {"docroot": docroot} | ({"php": php} if php else {}))


def read_left(place: Mapping[str, Json], configs: Sequence[str], php: str = "") -> Action:
    """The same while the site's files may be half way, as of `core.left`."""
    return Action("tables.read", {"left": {**place, "configs": list(configs)}} | ({"php": php} if php else {}))


def rename(config: str | Sequence[str], renames: Sequence[Sequence[str]], php: str = "") -> Action:
    """Renames tables, all in one statement, those that are still to be renamed."""
    args: dict[str, Json] = {"config": _listed(config), "renames": [list(each) for each in renames]}
    return Action("tables.rename", args | ({"php": php} if php else {}), timeout=90.0)


def drop(config: str | Sequence[str], token: Token, php: str = "") -> Action:
    """Drops what a run staged or moved aside."""
    return Action(
        "tables.drop", {"config": _listed(config), "token": token} | ({"php": php} if php else {}), timeout=600.0
    )


def _listed(config: str | Sequence[str]) -> Json:
    return config if isinstance(config, str) else list(config)
