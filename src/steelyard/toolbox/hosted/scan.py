"""What a scan asks of a host: what is there, what it digests to, what is in it. Reads only; judges nothing.

All names are absolute and spelled, see spelling.py. Long answers are packed: JSON, compressed, as base64.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, cast

from steelyard.toolbox.hosted.here import Failed, Here
from steelyard.toolbox.hosted.places import content
from steelyard.toolbox.hosted.spelling import meant, spelled

LARGEST = 64_000_000
"""Bytes up to which a file that is no program is looked through for one."""
_PIECE = 4_000_000
_MOST_FILES = 300_000
_PHP = re.compile(rb"<\?php[\s/#]", re.IGNORECASE)
HEADER = 8192
"""Bytes at the start of a file in which WordPress looks for a header."""
_VERSION = re.compile(
    r"^(?:[ \t]*<\?php)?[ \t/*#@]*Version:[ \t]*([0-9A-Za-z._+-]{1,40})", re.MULTILINE | re.IGNORECASE
)
_NAME = re.compile(r"^(?:[ \t]*<\?php)?[ \t/*#@]*(Plugin|Theme) Name:", re.MULTILINE | re.IGNORECASE)


def pack(value: Any) -> str:
    """A JSON value, compressed."""
    return base64.b64encode(zlib.compress(json.dumps(value, separators=(",", ":")).encode(), 1)).decode()


def unpack(text: str, most: int = 400_000_000) -> Any:
    """What `pack` made. Raises ValueError for anything else, or what would be more than `most` bytes."""
    try:
        unpacking = zlib.decompressobj()
        data = unpacking.decompress(base64.b64decode(text), most)
    except zlib.error as error:
        raise ValueError("it is not packed") from error
    if not unpacking.eof:
        raise ValueError("it is too long")
    return json.loads(data)


def header(start: bytes) -> tuple[str, str]:
    """What the start of a file says that it is, `plugin` or `theme`, and which version; empty where it does not say.

    Read as WordPress reads it. Slots name releases by this too, so that a scan finds them.
    """
    head = start[:HEADER].decode("utf-8", "replace").replace("\r", "\n")
    name, version = _NAME.search(head), _VERSION.search(head)
    return (name[1].lower() if name else "", version[1] if version else "")


def count(here: Here, args: dict[str, Any]) -> Any:
    """`scan.count`: {layout} -> {files, bytes, programs}: what a survey would see."""
    files = size = programs = 0
    for root in _apart(_real(here, args["layout"])):
        for name, seen in here.walk(root, _MOST_FILES):
            if seen.kind == "file":
                files, size, programs = files + 1, size + seen.size, programs + name.lower().endswith(".php")
    return {"files": files, "bytes": size, "programs": programs}


def survey(here: Here, args: dict[str, Any]) -> Any:
    """`scan.survey`: {layout: [root, core, content, plugins]} -> {layout, rows, links, others}.

    The folders of `layout` come back as they really are, empty where they are not. `rows` is packed: [name, size,
    mtime_ns, ctime_ns, inode] of each file below them, each once; links are counted and not followed, as are pipes,
    sockets and devices.
    """
    layout = _real(here, args["layout"])
    roots = _apart(layout)
    rows: list[list[Any]] = []
    links = others = 0
    for root in roots:
        for name, seen in here.walk(root, _MOST_FILES):
            if seen.kind == "file":
                rows.append([spelled(root + "/" + name), seen.size, seen.mtime_ns, seen.ctime_ns, seen.ino])
            elif seen.kind != "folder":
                links, others = links + (seen.kind == "link"), others + (seen.kind == "other")
            if len(rows) % 5000 == 4999:
                here.progress(len(rows), 0, "files")
    return {"layout": [spelled(each) for each in layout], "rows": pack(rows), "links": links, "others": others}


def beside(here: Here, args: dict[str, Any]) -> Any:
    """`scan.beside`: {names: packed list, folders, tops} -> {rows: packed}: what lies beside a manifest.

    Rows as of `scan.survey` with the SHA-256 behind them: of the files of these names that are there, and of any other
    file below `folders` or right in one of `tops`.
    """
    names = [meant(each) for each in unpack(args["names"])]
    wanted = set(names)
    more = [each for each in _near(here, args) if each not in wanted]
    seen = {path: here.stat(path) for path in [*names, *more]}
    found = here.digests("/", [path.lstrip("/") for path, each in seen.items() if each and each.kind == "file"])
    rows = [
        [spelled(path), each.size, each.mtime_ns, each.ctime_ns, each.ino, found[path.lstrip("/")]]
        for path, each in seen.items()
        if each is not None and path.lstrip("/") in found
    ]
    return {"rows": pack(rows)}


def digests(here: Here, args: dict[str, Any]) -> Any:
    """`scan.digests`: {names: packed list} -> {digests: packed}: SHA-256 by name; what is no file is left out."""
    names = {meant(each).lstrip("/"): each for each in unpack(args["names"])}
    found = here.digests("/", names)
    return {"digests": pack({names[name]: digest for name, digest in found.items()})}


def read(here: Here, args: dict[str, Any]) -> Any:
    """`scan.read`: {names} -> {sizes, data, unread}.

    `data` is what is in the files, one after the other, compressed, as base64; `sizes` are the bytes of each in it.
    `unread` says of a name why it could not be read: its size is 0.
    """
    parts: list[bytes] = []
    unread: dict[str, str] = {}
    for name in args["names"]:
        try:
            parts.append(content(partial(here.part, meant(name))))
        except Failed as failed:
            if failed.code == "ended":
                raise
            unread[name] = failed.code
            parts.append(b"")
    data = base64.b64encode(zlib.compress(b"".join(parts), 1)).decode()
    return {"sizes": [len(each) for each in parts], "data": data, "unread": unread}


def holding(here: Here, args: dict[str, Any]) -> Any:
    """`scan.holding`: {names: packed list} -> {holding, unread}: those of these files that have `<?php` in them."""
    found: list[str] = []
    unread: dict[str, str] = {}
    names = cast("list[str]", unpack(args["names"]))
    for number, name in enumerate(names):
        if number % 500 == 0:
            here.progress(number, len(names), "files")
        try:
            if _holds(here, meant(name)):
                found.append(name)
        except Failed as failed:
            if failed.code == "ended":
                raise
            unread[name] = failed.code
    return {"holding": found, "unread": unread}


def versions(here: Here, args: dict[str, Any]) -> Any:
    """`scan.versions`: {layout, core_only} -> {layout, plugins: {slug: version}, themes: ...}, from their headers.

    The folders of `layout` come back as they really are.
    """
    layout = _real(here, args["layout"])
    _, _, content, plugins = layout
    some = not args.get("core_only")
    return {
        "layout": [spelled(each) for each in layout],
        "plugins": dict(_installed(here, plugins, "plugin", ".php")) if some and plugins else {},
        "themes": dict(_installed(here, content + "/themes", "theme", "style.css")) if some and content else {},
    }


VERBS: dict[str, Callable[[Here, dict[str, Any]], Any]] = {
    "scan.count": count,
    "scan.survey": survey,
    "scan.beside": beside,
    "scan.digests": digests,
    "scan.read": read,
    "scan.holding": holding,
    "scan.versions": versions,
}


def _real(here: Here, folders: list[str]) -> list[str]:
    """The folders that these really are; empty texts for those that are not there."""
    real: list[str] = []
    for each in folders:
        try:
            real.append(here.real(meant(each)) if each else "")
        except Failed as failed:
            if failed.code != "missing":
                raise
            real.append("")
    return real


def _apart(folders: list[str]) -> list[str]:
    """Folders without those inside of others."""
    there = sorted({each for each in folders if each})
    return [each for each in there if not any(each.startswith(other + "/") for other in there)]


def _near(here: Here, args: dict[str, Any]) -> Iterator[str]:
    """The files below folders, and right in others."""
    for each in args["folders"]:
        folder = meant(each)
        if here.stat(folder) is not None:
            yield from (f"{folder}/{name}" for name, seen in here.walk(folder, _MOST_FILES) if seen.kind == "file")
    for each in args["tops"]:
        folder = meant(each)
        yield from (f"{folder}/{name}" for name in here.list(folder))


def _holds(here: Here, path: str) -> bool:
    at, before = 0, b""
    while at < LARGEST:
        piece = here.part(path, at, _PIECE)
        if _PHP.search(before + piece):
            return True
        if len(piece) < _PIECE:
            return False
        at, before = at + len(piece), piece[-8:]
    return False


def _installed(here: Here, folder: str, kind: str, main: str) -> Iterator[tuple[str, str]]:
    """Slug and version of what is installed in a folder: the first file of each that has a header."""
    try:
        slugs = here.list(folder)
    except Failed:
        return
    for slug in slugs[:2000]:
        for path in _headed(here, folder + "/" + slug, slug, main):
            version = _version(here, path, kind)
            if version:
                yield spelled(slug), version
                break


def _headed(here: Here, folder: str, slug: str, main: str) -> list[str]:
    """Where the header may stand: the file called as the folder, or style.css, first."""
    try:
        names = [each for each in here.list(folder) if each.endswith(main)]
    except Failed:
        return []
    return [
        folder + "/" + each
        for each in sorted(names, key=lambda each: (each not in (slug + ".php", "style.css"), each))[:20]
    ]


def _version(here: Here, path: str, kind: str) -> str:
    try:
        found, version = header(here.part(path, 0, HEADER))
    except Failed:
        return ""
    return version if found == kind else ""
