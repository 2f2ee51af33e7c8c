"""Files moved away from where they can do harm, and back: to a folder that only the account enters, outside the site.

Nothing is copied or changed: a file keeps its owner, permissions and times. Names are absolute and spelled.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from steelyard.toolbox.hosted.here import Failed, Here, shown
from steelyard.toolbox.hosted.spelling import meant

_NAME = ".steelyard-quarantine"


def look(here: Here, args: dict[str, Any]) -> Any:
    """`quarantine.look`: {docroot, files: [[name, sha256]]} -> {base, files: [[name, sha256, state, size]]}.

    States: `there` (as it was found), `changed`, `gone`, `elsewhere` (through a link, or on another file system).
    `base`: the folder in which it can be kept; empty where there is none.
    """
    root = here.real(args["docroot"])
    files = [[name, digest, *_state(here, root, meant(name), digest)] for name, digest in args["files"]]
    return {"base": _base(here, root), "files": files}


def move(here: Here, args: dict[str, Any]) -> Any:
    """`quarantine.move`: {folder, files: [[name, sha256, number]]} -> {moved, left: [names]}.

    Each file that is still what was found is moved to its number in the folder; any other is left alone.
    """
    folder = args["folder"]
    _private(here, folder)
    here.write(f"{folder}/files.json", json.dumps(args["files"], indent=1).encode(), 0o600)
    left = [name for name, digest, number in args["files"] if not _moved(here, meant(name), digest, folder, number)]
    for name in left:
        here.tell("warning", f"{name} is not what was found any more: it was left where it is")
    return {"moved": len(args["files"]) - len(left), "left": left}


def back(here: Here, args: dict[str, Any]) -> Any:
    """`quarantine.back`: {folder, files} -> {back, left: [names]}. A file that another has taken the place of stays."""
    left: list[str] = []
    for name, _, number in args["files"]:
        kept, place = f"{args['folder']}/{number}", meant(name)
        if here.stat(kept) is None:
            continue
        if here.stat(place) is not None:
            left.append(name)
            here.tell("warning", f"{name} is there again: what was moved away stays in {shown(kept)}")
            continue
        here.make_folder(place.rpartition("/")[0])
        here.rename(kept, place)
    return {"back": len(args["files"]) - len(left), "left": left}


def kept(here: Here, args: dict[str, Any]) -> Any:
    """`quarantine.kept`: {folder, files} -> {kept, free (of these, whose place is), there (how many)}."""
    numbers = [number for _, _, number in args["files"] if here.stat(f"{args['folder']}/{number}") is not None]
    taken = {number for name, _, number in args["files"] if here.stat(meant(name)) is not None}
    return {"kept": numbers, "free": [each for each in numbers if each not in taken], "there": len(taken)}


VERBS: dict[str, Callable[[Here, dict[str, Any]], Any]] = {
    "quarantine.look": look,
    "quarantine.move": move,
    "quarantine.back": back,
    "quarantine.kept": kept,
}


def _state(here: Here, root: str, path: str, digest: str) -> tuple[str, int]:
    seen = here.stat(path)
    if seen is None:
        return "gone", 0
    folder = path.rpartition("/")[0]
    on = here.stat(root)
    if seen.kind != "file" or here.real(folder) != folder or on is None or on.dev != seen.dev:
        return "elsewhere", seen.size
    return ("there" if _digest(here, path) == digest else "changed"), seen.size


def _digest(here: Here, path: str) -> str:
    name = path.lstrip("/")
    return here.digests("/", [name]).get(name, "")


def _base(here: Here, root: str) -> str:
    """Of the account's home and the folder beside the site, the first that is outside of it and on its file system."""
    site = here.stat(root)
    for each in (here.home, root.rpartition("/")[0]):
        try:
            real = here.real(each) if each else "/"
        except Failed:
            continue
        seen = here.stat(real)
        outside = real != "/" and real != root and not real.startswith(root + "/")
        if outside and seen is not None and site is not None and seen.dev == site.dev and _ours(here, seen):
            return f"{real}/{_NAME}"
    return ""


def _ours(here: Here, seen: Any) -> bool:
    return here.account == "root" or (seen.owner == here.account and bool(seen.mode & 0o200)) or bool(seen.mode & 0o002)


def _private(here: Here, folder: str) -> None:
    for each in (folder.rpartition("/")[0], folder):
        here.make_folder(each, 0o700)
        seen = here.stat(each)
        if seen is None or seen.kind != "folder" or (seen.owner != here.account and here.account != "root"):
            raise Failed("denied", f"{shown(each)} is not the account's own folder: nothing was moved")
        if seen.mode & 0o077:
            here.chmod(each, 0o700)


def _moved(here: Here, path: str, digest: str, folder: str, number: int) -> bool:
    kept_as = f"{folder}/{number}"
    if here.stat(kept_as) is not None:
        return True
    seen = here.stat(path)
    if seen is None or seen.kind != "file" or _digest(here, path) != digest:
        return False
    here.rename(path, kept_as)
    if _digest(here, kept_as) == digest:
        return True
    here.rename(kept_as, path)  # it was changed between the two looks
    return False
