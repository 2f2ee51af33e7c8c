"""Puts another address into all tables of a WordPress, cell by cell, and each cell back as it was.

What a cell was is on the disk before it changes. A cell changes only while it is what was read: what somebody writes
meanwhile is read again. Done again after a kill, what is done already holds the address no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from steelyard.toolbox.hosted.cells import Cells, Change, Entry, Table
from steelyard.toolbox.hosted.changes import CHUNK, append, entries
from steelyard.toolbox.hosted.constants import held
from steelyard.toolbox.hosted.here import Failed, Here
from steelyard.toolbox.hosted.mysql import credentials
from steelyard.toolbox.hosted.serialised import Address, Changed, change
from steelyard.toolbox.hosted.wordpress import config_of, core_of

_EXAMPLES = 3
_PASSES = 3


def look(here: Here, args: dict[str, Any]) -> Any:
    """`addresses.look`: {docroot, from, to, guid, php?}, or {config, prefix, tables, ...} -> what would change.

    Answers `found` in all, `cells`, `constants` of wp-config.php that hold the address, `free` (bytes of disk for what
    is kept), or {} without a WordPress; and in `tables` of each that holds the address `{table,
    columns: {name: [cells, places]}, bytes, examples: [[column, before, after]], broken, keys, big, long, keyless}`:
    `broken` cells look serialized and cannot be read, `keys` are places in keys of arrays, `big` cells more than is
    read, `long` ones that would not fit; without a primary key (`keyless`) no cell can be told from others.
    """
    place = _place(here, args)
    if place is None:
        return {}
    address = Address(args["from"], args["to"])
    database = Cells(here, place["config"], args.get("php", ""))
    tables = _tables(database, {**args, **place})
    found: list[dict[str, Any]] = []
    for number, table in enumerate(tables):
        here.progress(number, len(tables), "tables")
        told = _looked(database, table, address)
        if told is not None:
            found.append(told)
    cells = sum(count for told in found for count, _ in told["columns"].values())
    constants = held(here, place["config"], address)
    return {
        "found": cells + len(constants),
        "cells": cells,
        "tables": found,
        "constants": constants,
        "free": here.disk(here.work)[0],
    }


def _place(here: Here, args: dict[str, Any]) -> dict[str, Any] | None:
    if "config" in args:
        return {"config": args["config"], "prefix": args["prefix"]}
    try:
        core = core_of(here, here.real(args["docroot"]))
    except Failed:
        return None
    config = config_of(here, core) if core is not None else None
    if config is None:
        return None
    return {"config": config, "prefix": credentials(here, config, args.get("php", ""))["prefix"]}


def _looked(database: Cells, table: Table, address: Address) -> dict[str, Any] | None:
    told: dict[str, Any] = {"table": table.name, "columns": {}, "bytes": 0, "examples": []}
    told.update({"broken": 0, "keys": 0, "big": 0, "long": 0, "keyless": False})
    if not table.key:
        told["keyless"] = database.holds(table, address.needle)
        return told if told["keyless"] else None
    for _, name, value in _cells(database, table, address.needle, told):
        changed = change(value, address)
        told["broken"] += changed.broken
        told["keys"] += changed.keys
        if changed.places and not table.fits(name, changed.value):
            told["long"] += 1
        elif changed.places:
            before = told["columns"].get(name, [0, 0])
            told["columns"][name] = [before[0] + 1, before[1] + changed.places]
            told["bytes"] += len(value)
            if before[0] < _EXAMPLES:
                told["examples"].append([name, *address.around(value)])
    return told if told["columns"] or any(told[each] for each in ("broken", "keys", "big", "long")) else None


def replace(here: Here, args: dict[str, Any]) -> Any:
    """`addresses.replace`: {config, prefix, from, to, guid, tables, php?} -> {changed: cells}.

    Options come first, so that what WordPress writes meanwhile has the new address. What is written meanwhile with the
    old one is found by another pass.
    """
    address = Address(args["from"], args["to"])
    database = Cells(here, args["config"], args.get("php", ""))
    tables = sorted(_tables(database, args), key=lambda each: not each.name.endswith("options"))
    done = 0
    for _ in range(_PASSES):
        before = done
        for number, table in enumerate(tables):
            here.progress(number, len(tables), "tables")
            if table.key:
                for changes in _changes(database, table, address):
                    append(here, changes)
                    done += sum(database.put([(each, each.now) for each in changes]))
        if done == before:
            break
    return {"changed": done}


def _changes(database: Cells, table: Table, address: Address) -> Iterator[list[Change]]:
    """What is to be changed in a table, in pieces that are kept and done together."""
    waiting: list[Change] = []
    size = 0
    for key, name, value in _cells(database, table, address.needle, {"big": 0}):
        changed: Changed = change(value, address)
        if changed.places and table.fits(name, changed.value):
            waiting.append(Change(table, key, name, value, changed.value))
            size += len(value)
        if size > CHUNK or len(waiting) >= 500:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting


def left(here: Here, args: dict[str, Any]) -> Any:
    """`addresses.left`: {config, php?} -> {left, changed}: cells as this run left them, and cells that somebody wrote
    since, which stay."""
    database = Cells(here, args["config"], args.get("php", ""))
    known = {(each.table, *each.key, each.column): each for each in entries(here)}
    told = {"left": 0, "changed": 0}
    for entry, digest in database.digests(list(known.values())):
        if digest == entry.now:
            told["left"] += 1
        elif digest != entry.before:
            told["changed"] += 1
    return told


def restore(here: Here, args: dict[str, Any]) -> Any:
    """`addresses.restore`: {config, php?} -> {restored, kept}: each cell that is as this run left it is as it was."""
    database = Cells(here, args["config"], args.get("php", ""))
    restored = seen = 0
    waiting: list[Entry] = []
    size = 0
    for entry in entries(here):
        waiting.append(entry)
        size += len(entry.packed)
        if size > CHUNK or len(waiting) >= 500:
            restored += sum(database.put_back(waiting))
            seen += len(waiting)
            here.progress(seen, 0, "cells")
            waiting, size = [], 0
    restored += sum(database.put_back(waiting))
    return {"restored": restored, "kept": seen + len(waiting) - restored}


VERBS = {
    "addresses.look": look,
    "addresses.replace": replace,
    "addresses.left": left,
    "addresses.restore": restore,
}


def _tables(database: Cells, args: dict[str, Any]) -> list[Table]:
    wanted = args.get("tables")
    all_of_prefix = database.tables(args["prefix"], bool(args["guid"]))
    if wanted is None:
        return all_of_prefix
    return [each for each in all_of_prefix if each.name in set(wanted)]


def _cells(
    database: Cells, table: Table, needle: str, told: dict[str, Any]
) -> Iterator[tuple[tuple[str, ...], str, bytes]]:
    """Each cell that may hold the address: key, column, value. What is too big to be read is counted."""
    for key, values in database.rows(table, needle):
        for name, value in values.items():
            if value is None:
                told["big"] += 1
            else:
                yield key, name, value
