"""What plans do to files. Each looks at what is there first, so that doing it again after a kill does no harm."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from steelyard.toolbox.hosted.here import Failed, Here, Seen, shown


def stat(here: Here, args: dict[str, Any]) -> Any:
    """`files.stat`: {paths} -> {path: {kind, size, mode, uid, gid, owner, ...} or null}."""
    return {path: _told(here.stat(path)) for path in args["paths"]}


def _told(seen: Seen | None) -> Any:
    return None if seen is None else dict(seen._asdict())


def write(here: Here, args: dict[str, Any]) -> Any:
    """`files.write`: {path, data or base64, mode?, backup?} -> {changed}. `backup`: where what was there stays."""
    path = args["path"]
    data = base64.b64decode(args["base64"]) if "base64" in args else args["data"].encode("utf-8", "surrogateescape")
    mode = args.get("mode", 0o644)
    old = here.stat(path)
    if old is not None and old.kind == "file" and old.mode == mode and here.read(path) == data:
        return {"changed": False}
    backup = args.get("backup")
    if backup and old is not None and here.stat(backup) is None:
        here.copy_tree(path, f"{backup}.half")
        here.rename(f"{backup}.half", backup)
    here.write(path, data, mode)
    return {"changed": True}


def move(here: Here, args: dict[str, Any]) -> Any:
    """`files.move`: {from, to} -> {moved}. Done where only `to` is there. Raises Failed: `missing`, `exists`."""
    before, after = args["from"], args["to"]
    if here.stat(before) is None:
        if here.stat(after) is not None:
            return {"moved": False}
        raise Failed("missing", f"Neither {shown(before)} nor {shown(after)} is there")
    here.rename(before, after)
    return {"moved": True}


def exchange(here: Here, args: dict[str, Any]) -> Any:
    """`files.exchange`: {a, b} -> {exchanged}. What lay where is noted first: asked again, it knows that it was done.

    Asked the other way round (b, a), it is the way back.
    """
    a, b = args["a"], args["b"]
    key = f"exchange {a} {b}"
    now = [_which(here, a), _which(here, b)]
    before = here.notes.get(key)
    if before is not None and now == [before[1], before[0]]:
        return {"exchanged": False}
    if before != now:
        here.note(key, now)
    here.exchange(a, b)
    return {"exchanged": True}


def _which(here: Here, path: str) -> list[int]:
    seen = here.stat(path)
    if seen is None:
        raise Failed("missing", f"There is no {shown(path)}: nothing was exchanged")
    return [seen.dev, seen.ino]


def remove(here: Here, args: dict[str, Any]) -> Any:
    """`files.remove`: {paths, trees?} -> {removed: count}. Folders only with `trees`; what is gone is fine."""
    there = [path for path in args["paths"] if here.stat(path) is not None]
    for path in there:
        here.remove_tree(path) if args.get("trees") else here.remove(path)
    return {"removed": len(there)}


def copy(here: Here, args: dict[str, Any]) -> Any:
    """`files.copy`: {from, to} -> {}. A folder or a file; what `to` has by the same names is replaced."""
    here.copy_tree(args["from"], args["to"])
    return {}


def disk(here: Here, args: dict[str, Any]) -> Any:
    """`files.disk`: {path} -> {free, total} in bytes."""
    free, total = here.disk(args["path"])
    return {"free": free, "total": total}


def make_folder(here: Here, args: dict[str, Any]) -> Any:
    """`files.make_folder`: {path, mode?} -> {}. And those above it; fine where it is there."""
    here.make_folder(args["path"], args.get("mode", 0o755))
    return {}


def put(here: Here, args: dict[str, Any]) -> Any:
    """`files.put`: {path, at, base64} -> {}. A piece of a file that is brought to the host, in order from 0."""
    here.put(args["path"], args["at"], base64.b64decode(args["base64"]))
    return {}


def part(here: Here, args: dict[str, Any]) -> Any:
    """`files.part`: {path, at?, most?} -> {base64, size}. A piece of a file; a negative `at` counts from the end."""
    data = here.part(args["path"], args.get("at", 0), min(args.get("most", 1_000_000), 8_000_000))
    seen = here.stat(args["path"])
    return {"base64": base64.b64encode(data).decode(), "size": seen.size if seen else 0}


def clear_work(here: Here, args: dict[str, Any]) -> Any:
    """`files.clear_work`: {} -> {}. The run's own folder goes: when its way back has ended."""
    here.remove_tree(here.work)
    return {}


VERBS: dict[str, Callable[[Here, dict[str, Any]], Any]] = {
    "files.clear_work": clear_work,
    "files.copy": copy,
    "files.disk": disk,
    "files.exchange": exchange,
    "files.make_folder": make_folder,
    "files.move": move,
    "files.part": part,
    "files.put": put,
    "files.remove": remove,
    "files.stat": stat,
    "files.write": write,
}
