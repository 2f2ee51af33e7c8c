"""Permissions of a site's files: what is too open or closed to its own user, set right, and put back one by one.

Links are never followed, nothing changes its owner, and folders of ours are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from steelyard.toolbox.hosted.here import Failed, Here, Seen, shown

_OTHERS_WRITE = 0o022
_EXAMPLES = 12
_MOST = 500_000
_KEPT = "/permissions.json"


def look(here: Here, args: dict[str, Any]) -> Any:
    """`permissions.look`: {docroot, open} -> {files, folders, config, writable, foreign, seen, examples, left}.

    `files` and `folders` are how many are to change, `config` whether wp-config.php is; `writable` how many everybody
    on the host can write, `foreign` how many are not the account's own, which only root can change. `left`: how many
    this run changed that stand as it left them. {} where there is no such folder.
    """
    try:
        root = here.real(args["docroot"])
    except Failed:
        return {}
    told = {"files": 0, "folders": 0, "config": False, "writable": 0, "foreign": 0, "seen": 0}
    examples: list[str] = []
    own = here.stat(root)
    for path, seen in _all(here, root):
        told["seen"] += 1
        told["writable"] += bool(seen.mode & 0o002)
        if own is not None and seen.uid != own.uid:
            told["foreign"] += 1
            continue
        wanted = wanted_of(path, seen, args["open"])
        if wanted == seen.mode:
            continue
        told["folders" if seen.kind == "folder" else "files"] += 1
        told["config"] = told["config"] or _is_config(path)
        if len(examples) < _EXAMPLES:
            examples.append(f"{seen.mode:04o} -> {wanted:04o} {shown(path or '.')}")
    left = sum(_mode(here, root, path) == now for path, (_, now) in _kept(here).items())
    return {**told, "examples": examples, "left": left}


def fix(here: Here, args: dict[str, Any]) -> Any:
    """`permissions.fix`: {docroot, open} -> {changed}. What each was is on the disk before the first one changes."""
    root = here.real(args["docroot"])
    own = here.stat(root)
    wanted = {
        path: (seen.mode, wanted_of(path, seen, args["open"]))
        for path, seen in _all(here, root)
        if own is not None and seen.uid == own.uid
    }
    changes = {path: (before, now) for path, (before, now) in wanted.items() if before != now}
    kept = _kept(here)
    # Of a run that was cut off, what was before it counts.
    kept.update({path: (kept[path][0] if path in kept else before, now) for path, (before, now) in changes.items()})
    here.write(here.work + _KEPT, json.dumps(kept).encode("ascii"), 0o600)
    _set(here, root, {path: now for path, (_, now) in changes.items()})
    return {"changed": len(changes)}


def restore(here: Here, args: dict[str, Any]) -> Any:
    """`permissions.restore`: {docroot} -> {restored}. What somebody set otherwise since stays."""
    root = here.real(args["docroot"])
    back = {path: before for path, (before, now) in _kept(here).items() if _mode(here, root, path) == now}
    # Deepest first: a folder that is closed again would hide what is in it.
    _set(here, root, dict(sorted(back.items(), key=lambda pair: -pair[0].count("/"))))
    return {"restored": len(back)}


VERBS = {"permissions.look": look, "permissions.fix": fix, "permissions.restore": restore}


def wanted_of(path: str, seen: Seen, also_open: bool) -> int:
    """The permissions that something should have: written by its owner alone, never run as another user.

    `also_open`: read by all, too, as web servers need that run as another user; never wp-config.php.
    """
    if seen.kind == "folder":
        return (seen.mode | 0o700 | (0o055 if also_open else 0)) & 0o755
    if _is_config(path):
        return (seen.mode | 0o600) & 0o640
    return (seen.mode | 0o600 | (0o044 if also_open else 0)) & 0o755


def _is_config(path: str) -> bool:
    return path.rpartition("/")[2] == "wp-config.php"


def _all(here: Here, root: str) -> Iterator[tuple[str, Seen]]:
    """Everything that is a file or a folder, by its path from the docroot; the docroot itself is the empty path."""
    top = here.stat(root)
    if top is None or top.kind != "folder":
        raise Failed("missing", f"{shown(root)} is no folder")
    yield "", top
    for path, seen in here.walk(root, most=_MOST):
        if seen.kind in ("file", "folder") and not path.startswith(".steelyard"):
            yield path, seen


def _set(here: Here, root: str, modes: dict[str, int]) -> None:
    for number, (path, mode) in enumerate(modes.items()):
        if number % 500 == 0:
            here.progress(number, len(modes), "files")
        here.chmod(f"{root}/{path}" if path else root, mode)


def _mode(here: Here, root: str, path: str) -> int | None:
    seen = here.stat(f"{root}/{path}" if path else root)
    return None if seen is None else seen.mode


def _kept(here: Here) -> dict[str, tuple[int, int]]:
    if here.stat(here.work + _KEPT) is None:
        return {}
    found: dict[str, list[int]] = json.loads(here.read(here.work + _KEPT, most=100_000_000))
    return {path: (before, now) for path, (before, now) in found.items()}
