"""Actions that put another address into a site's database and wp-config.php. Pure.

What they do: hosted/addresses.py, hosted/constants.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from steelyard.toolbox.model import Action, Json, Site
from steelyard.toolbox.runbook import Read


class Move(NamedTuple):
    """What is put in place of what: two domains, or two URLs; `guid`: also what identifies posts in feeds."""

    before: str
    after: str
    guid: bool = False


def look(site: Site, move: Move) -> Read:
    """Counts what holds the address, into `addresses`; {} without a WordPress."""
    args: dict[str, Json] = {"docroot": site.docroot} | _moved(move) | _php(str(site.hints.get("php", "")))
    return Read("addresses", Action("addresses.look", args, timeout=900.0))


def count(config: str, prefix: str, move: Move, tables: Sequence[str], php: str = "") -> Action:
    """The same of these tables."""
    return Action("addresses.look", _asked(config, prefix, move, tables, php), timeout=900.0)


def replace(config: str, prefix: str, move: Move, tables: Sequence[str], php: str = "") -> Action:
    """Puts the other address into these tables; what was there is kept on the host."""
    return Action("addresses.replace", _asked(config, prefix, move, tables, php), timeout=3600.0)


def left(config: str, php: str = "") -> Read:
    """Counts what this run changed and what of it somebody wrote since, into `left`."""
    return Read("left", Action("addresses.left", {"config": config} | _php(php), timeout=900.0))


def restore(config: str, php: str = "") -> Action:
    """Puts each cell back that is as this run left it."""
    return Action("addresses.restore", {"config": config} | _php(php), timeout=3600.0)


def constants(config: str) -> Read:
    """Whether this run wrote constants of wp-config.php, into `constants`."""
    return Read("constants", Action("constants.look", {"config": config}))


def put_constants(config: str, move: Move) -> Action:
    """Puts the other address into constants of wp-config.php."""
    return Action("constants.put", {"config": config, "from": move.before, "to": move.after})


def restore_constants(config: str) -> Action:
    """wp-config.php as it was before this run, unless somebody wrote it since."""
    return Action("constants.restore", {"config": config})


def _asked(config: str, prefix: str, move: Move, tables: Sequence[str], php: str) -> dict[str, Json]:
    args: dict[str, Json] = {"config": config, "prefix": prefix, "tables": list(tables)}
    return args | _moved(move) | _php(php)


def _moved(move: Move) -> dict[str, Json]:
    return {"from": move.before, "to": move.after, "guid": move.guid}


def _php(path: str) -> dict[str, Json]:
    return {"php": path} if path else {}
